package web

import "unicode/utf8"

// harmless makes each byte and each sign of a text that is not there to be seen one that is: control bytes and the beginnings of a
// terminal's commands become the pictures that Unicode has of them, what turns the direction of a line around and what is no UTF-8 becomes
// the replacement character. Newlines and tabs stay, and a carriage return in front of a newline goes. It is applied to whole pages, whose own text has
// nothing of the kind, so that no value can be forgotten.
func harmless(text []byte) []byte {
	out := make([]byte, 0, len(text)+len(text)/16)
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		switch {
		case r == '\n' || r == '\t':
			out = append(out, byte(r))
		case r == '\r' && i+1 < len(text) && text[i+1] == '\n':
		case r < ' ':
			out = utf8.AppendRune(out, '\u2400'+r)
		case r == 0x7f:
			out = utf8.AppendRune(out, '\u2421')
		case r == utf8.RuneError || hidden(r):
			out = utf8.AppendRune(out, utf8.RuneError)
		default:
			out = append(out, text[i:i+n]...)
		}
		i += n
	}
	return out
}

// hidden is a sign that is not seen and changes what is: the second block of controls, marks of direction, line separators, anchors
// of annotations, a mark of byte order, and tags. What joins letters stays, for scripts need it.
func hidden(r rune) bool {
	switch {
	case r >= 0x80 && r < 0xa0, r == 0x61c, r == 0x200b, r == 0x200e, r == 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2060 && r <= 0x206f,
		r == 0xfeff, r >= 0xfff9 && r <= 0xfffb, r >= 0xe0000 && r <= 0xe0fff:
		return true
	}
	return false
}
