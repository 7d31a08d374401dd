package config

import (
	"fmt"
	"regexp"
	"strings"
)

// read passes over one value and records what is inside it.
func (s *scanner) read(to place) bool {
	start := s.at
	switch c := s.peek(); c {
	case '[':
		return s.array(to)
	case '{':
		return s.inline(to)
	case '"', '\'':
		if strings.HasPrefix(s.src[start:], strings.Repeat(string(c), 3)) {
			return s.lines(c)
		}
		return s.line(c)
	}
	return s.plain()
}

func (s *scanner) array(to place) bool {
	start := s.at
	s.at++
	for {
		s.gaps()
		if s.peek() == ']' {
			s.at++
			return true
		}
		item := &node{key: s.at, value: s.at}
		to.items = append(to.items, item)
		in := place{item, to.name, to.depth + 1, to.bytes}
		if !s.within(in, s.at) || !s.read(in) {
			return false
		}
		s.gaps()
		if !s.next(start, ']', "array") {
			return false
		}
	}
}

func (s *scanner) inline(to place) bool {
	start := s.at
	s.at++
	for {
		s.gaps()
		if s.peek() == '}' {
			s.at++
			return true
		}
		if !s.pair(to) {
			return false
		}
		s.gaps()
		if !s.next(start, '}', "inline table") {
			return false
		}
	}
}

// next passes over a comma; the closing mark is left for the caller.
func (s *scanner) next(start int, end byte, what string) bool {
	switch s.peek() {
	case ',':
		s.at++
		return true
	case end:
		return true
	}
	if s.at >= len(s.src) {
		return s.fail(start, "the "+what+" is not closed", fmt.Sprintf("close it with %c", end))
	}
	return s.fail(s.at, fmt.Sprintf("expected , or %c in the %s", end, what), "put a comma between the values")
}

// line passes over a string of one line.
func (s *scanner) line(quote byte) bool {
	start := s.at
	for s.at++; s.at < len(s.src) && s.src[s.at] != '\n'; s.at++ {
		switch c := s.src[s.at]; {
		case c == quote:
			s.at++
			return true
		case c == '\\' && quote == '"' && s.at+1 < len(s.src) && s.src[s.at+1] != '\n':
			s.at++
		}
	}
	return s.fail(start, "the string is not closed", fmt.Sprintf("close it with %c on the same line, or use %s for several lines", quote, strings.Repeat(string(quote), 3)))
}

// lines passes over a multi-line string. It ends with three to five quotes: up to two of them belong to the text.
func (s *scanner) lines(quote byte) bool {
	start := s.at
	run := 0
	for s.at += 3; s.at < len(s.src); s.at++ {
		switch c := s.src[s.at]; {
		case c == quote:
			run++
			if run >= 3 && (run == 5 || s.at+1 >= len(s.src) || s.src[s.at+1] != quote) {
				s.at++
				return true
			}
		case c == '\\' && quote == '"':
			s.at++
			run = 0
		default:
			run = 0
		}
	}
	s.at = len(s.src)
	return s.fail(start, "the multi-line string is not closed", "close it with "+strings.Repeat(string(quote), 3))
}

// plainValue is every value that is neither quoted nor bracketed. What it lets pass and TOML does not (a 13th month), the parser
// refuses.
var plainValue = regexp.MustCompile(`^(true|false|[+-]?(inf|nan)|[+-]?[0-9][0-9_]*(\.[0-9_]+)?([eE][+-]?[0-9_]+)?|` +
	`0x[0-9A-Fa-f_]+|0o[0-7_]+|0b[01_]+|` +
	`[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?([Zz]|[+-][0-9]{2}:[0-9]{2})?)?|` +
	`[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?)$`)

// plain passes over a number, boolean or date.
func (s *scanner) plain() bool {
	start := s.at
	run := func() {
		for s.at < len(s.src) && !strings.ContainsRune(" \t\r\n,]}#", rune(s.src[s.at])) {
			s.at++
		}
	}
	run()
	if s.at-start == len("2006-01-02") && s.src[start+4] == '-' && s.at+1 < len(s.src) && s.src[s.at] == ' ' && '0' <= s.src[s.at+1] && s.src[s.at+1] <= '9' {
		s.at++ // a date, a blank, a time
		run()
	}
	text := s.src[start:s.at]
	if text == "" {
		return s.fail(start, "expected a value", `write key = value on one line`)
	}
	if len(text) > 64 || !plainValue.MatchString(text) {
		text = clip(text)
		return s.fail(start, fmt.Sprintf("%s is no TOML value", text), fmt.Sprintf("put text, durations and sizes in quotes: %s", quote(text)))
	}
	return true
}
