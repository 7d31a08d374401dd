package main

import (
	"bytes"
	"io"
	"regexp"
	"unicode"
	"unicode/utf8"
)

// shown lets through what a guest wrote, for a terminal: text, ends of lines, tabs and colours. Everything else that a terminal would
// obey becomes U+FFFD, so that a guest can neither change what stands there already nor what the terminal does.
type shown struct {
	to   io.Writer
	rest []byte // a piece that more may belong to
}

// colours is a sequence that sets them; begun is what may still become one, or the end of a line.
var (
	colours = regexp.MustCompile(`^\x1b\[[0-9;]{0,32}m`)
	begun   = regexp.MustCompile(`^(\x1b(\[[0-9;]{0,32})?|\r)$`)
)

// Write implements io.Writer.
func (s *shown) Write(p []byte) (int, error) {
	s.rest = append(s.rest, p...)
	return len(p), s.flush(false)
}

// end writes what was kept back.
func (s *shown) end() error { return s.flush(true) }

func (s *shown) flush(all bool) error {
	var out bytes.Buffer
	b := s.rest
	for len(b) > 0 {
		special := b[0] == '\x1b' || b[0] == '\r'
		if !all && (special && begun.Match(b) || !utf8.FullRune(b)) {
			break
		}
		var at []int
		if special {
			at = colours.FindIndex(b)
		}
		r, n := utf8.DecodeRune(b)
		switch {
		case at != nil:
			n = at[1]
			out.Write(b[:n])
		case r == '\n', r == '\t', r == '\r' && bytes.HasPrefix(b, []byte("\r\n")), unicode.IsPrint(r):
			out.WriteRune(r)
		default:
			out.WriteRune(utf8.RuneError)
		}
		b = b[n:]
	}
	s.rest = append(s.rest[:0], b...)
	_, err := s.to.Write(out.Bytes())
	return err
}

// forPeople is stdout for what a guest wrote, and what to do at its end: as it is, unless stdout is a terminal.
func (a *app) forPeople() (w io.Writer, end func() error) {
	if !terminal(a.stdout) {
		return a.stdout, func() error { return nil }
	}
	s := &shown{to: a.stdout}
	return s, s.end
}
