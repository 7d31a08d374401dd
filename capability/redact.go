package capability

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"unicode/utf8"
)

// hidden is what is taken out of all that a guest or a person sees. It is found in either case and in every mixture of the escapes of
// JSON, URLs, HTML and string literals, so that it matters little which of them a server uses, or how often. The zero value hides
// nothing.
type hidden struct {
	needles [][]byte // in lower case
	begins  [256]bool
}

const (
	redacted    = "[secret]"
	leastNeedle = 6 // bytes of a coded form: a shorter one would be found everywhere
)

// hide adds a value, as it is and as what codes its bytes would make of it.
func (h *hidden) hide(value string) {
	h.add(value)
	h.coded(hex.EncodeToString([]byte(value)))
	for _, code := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 { // in a longer text it begins at any of the places that a group has
			text := code.EncodeToString(append(make([]byte, before), value...))
			if (before+len(value))%3 != 0 {
				text = text[:len(text)-1] // what is behind it has a part in its last letter
			}
			if before > 0 {
				text = text[min(before+1, len(text)):]
			}
			h.coded(text)
		}
	}
}

func (h *hidden) coded(text string) {
	if len(text) >= leastNeedle {
		h.add(text)
	}
}

func (h *hidden) add(text string) {
	n := fold([]byte(text))
	for _, known := range h.needles {
		if bytes.Equal(known, n) {
			return
		}
	}
	h.needles = append(h.needles, n)
	for _, c := range []byte{n[0], upper(n[0]), '%', '\\', '&', '+'} {
		h.begins[c] = true
	}
}

// redact takes out what is hidden.
func (h *hidden) redact(b []byte) []byte {
	var out []byte
	done := 0
	for i := 0; len(h.needles) > 0 && i < len(b); i++ {
		if !h.begins[b[i]] {
			continue
		}
		if n := h.longest(b[i:]); n > 0 {
			out = append(append(out, b[done:i]...), redacted...)
			done = i + n
			i = done - 1
		}
	}
	if done == 0 {
		return b
	}
	return append(out, b[done:]...)
}

// longest is how many bytes the longest thing to hide takes that begins a text; 0: none does.
func (h *hidden) longest(b []byte) (n int) {
	for _, needle := range h.needles {
		n = max(n, plain(b, needle), escaped(b, needle))
	}
	return n
}

// plain finds a needle without an escape. Of a needle that looks like one itself escaped would make another text.
func plain(b, needle []byte) int {
	if len(b) < len(needle) {
		return 0
	}
	for i, c := range needle {
		if lower(b[i]) != c {
			return 0
		}
	}
	return len(needle)
}

// escaped finds a needle of which any byte is escaped.
func escaped(b, needle []byte) int {
	at := 0
	for len(needle) > 0 {
		if at == len(b) {
			return 0
		}
		if n, size := unescape(b[at:], needle); n > 0 {
			at, needle = at+size, needle[n:]
		} else if lower(b[at]) == needle[0] || b[at] == '+' && needle[0] == ' ' {
			at, needle = at+1, needle[1:]
		} else {
			return 0
		}
	}
	return at
}

// unescape reads one escape, and tells how many bytes of the needle it stands for and how many it has; 0: it stands for something
// else, or is none.
func unescape(b, needle []byte) (n, size int) {
	switch b[0] {
	case '%':
		for size = 1; ; size += 2 { // a percent sign may have been escaped again
			if c := digits(b[size:], 2, 16); c >= 0 && lower(byte(c)) == needle[0] {
				return 1, size + 2
			}
			if !bytes.HasPrefix(b[size:], []byte("25")) {
				return 0, 0
			}
		}
	case '\\':
		for size < len(b) && b[size] == '\\' {
			size++ // it may have been escaped again
		}
		if size == len(b) {
			return 0, 0
		}
		switch b[size] {
		case 'u', 'U':
			for _, n := range []int{8, 4} {
				if of, written := same(rune(digits(b[size+1:], n, 16)), needle, size+1+n); of > 0 {
					return of, written
				}
			}
		case 'x', 'X':
			if r := digits(b[size+1:], 2, 16); r >= 0 && lower(byte(r)) == needle[0] {
				return 1, size + 3
			}
		}
		if lower(b[size]) == needle[0] {
			return 1, size + 1
		}
	case '&':
		return entity(b, needle)
	}
	return 0, 0
}

var entities = map[string]rune{"quot": '"', "amp": '&', "lt": '<', "gt": '>', "apos": '\''}

// entity reads one of HTML's.
func entity(b, needle []byte) (n, size int) {
	const longest = 10
	end := bytes.IndexByte(b[:min(len(b), longest)], ';')
	if end < 0 {
		return 0, 0
	}
	name := strings.ToLower(string(b[1:end]))
	r, known := entities[name]
	if number, ok := strings.CutPrefix(name, "#"); ok {
		base := 10
		if x, ok := strings.CutPrefix(number, "x"); ok {
			number, base = x, 16
		}
		v, err := strconv.ParseInt(number, base, 32)
		r, known = rune(v), err == nil
	}
	if !known {
		return 0, 0
	}
	return same(r, needle, end+1)
}

// same says how much of a needle a character is that was written in so many bytes.
func same(r rune, needle []byte, written int) (n, size int) {
	if c := fold(utf8.AppendRune(nil, r)); bytes.HasPrefix(needle, c) {
		return len(c), written
	}
	return 0, 0
}

// digits is a number of n digits, or -1.
func digits(b []byte, n, base int) int64 {
	if len(b) < n {
		return -1
	}
	v, err := strconv.ParseUint(string(b[:n]), base, 31)
	if err != nil {
		return -1
	}
	return int64(v)
}

// fold makes letters small, and leaves bytes that are none of ASCII alone: a secret need not be text.
func fold(b []byte) []byte {
	for i, c := range b {
		b[i] = lower(c)
	}
	return b
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

func upper(c byte) byte {
	if c >= 'a' && c <= 'z' {
		c -= 'a' - 'A'
	}
	return c
}
