package config

import (
	"fmt"
	"strings"
)

// Limits of any text before it is parsed. The parser's cost grows with the square of the nesting and with keys times the length
// of their full names, and its stack cannot be recovered: 40 KB of nested tables cost 11 GB, one long header 110 GB.
const (
	maxFile     = 256 << 10 // bytes of one file
	maxManifest = 64 << 10  // bytes of a manifest
	maxDepth    = 32        // key parts and array levels from the top of the file to a value
	maxKeyBytes = 512       // bytes of a full key: header and all dotted parts
)

// node is where one key, table or array item stands. Offsets are bytes into the text.
type node struct {
	key   int // first mention of the name
	value int // first byte of the value; the name's own place for a table with a header
	kids  map[string]*node
	items []*node // of an array, or of an array of tables
	given bool    // has a value or a header of its own: a second one is a duplicate
	first int     // where it was given
}

func (n *node) kid(name string, at int) *node {
	if k, ok := n.kids[name]; ok {
		return k
	}
	if n.kids == nil {
		n.kids = map[string]*node{}
	}
	k := &node{key: at, value: at}
	n.kids[name] = k
	return k
}

// last is where "[x.y]" goes on after "[[x]]": the newest item.
func (n *node) last() *node {
	if len(n.items) > 0 {
		return n.items[len(n.items)-1]
	}
	return n
}

// scanner walks TOML's structure once: keys, brackets, strings, comments. It refuses what it does not understand, so that
// whatever it lets pass has the nesting that it saw. Values themselves are left to the parser.
type scanner struct {
	*document
	at      int
	refused bool // something was reported
	stopped bool // the scan cannot go on
}

// scan fills d.root with the places of all keys and values, and tells whether d.src, valid UTF-8, may be given to the parser.
func (d *document) scan() bool {
	d.root = &node{}
	s := &scanner{document: d}
	if s.controls() {
		s.tables(d.root)
	}
	return !s.refused
}

// fail reports what stops the scan.
func (s *scanner) fail(off int, what, remedy string) bool {
	s.stopped = true
	s.report(off, what, remedy)
	return false
}

func (s *scanner) report(off int, what, remedy string) {
	s.refused = true
	s.document.fail(off, what, remedy)
}

// controls refuses the control characters that TOML refuses everywhere.
func (s *scanner) controls() bool {
	for i := 0; i < len(s.src); i++ {
		switch c := s.src[i]; {
		case c == '\t', c == '\n', c == '\r' && i+1 < len(s.src) && s.src[i+1] == '\n':
		case c < ' ', c == 0x7f:
			return s.fail(i, fmt.Sprintf("control character U+%04X", c), `write it as an escape such as "\u0000", or save the file as UTF-8 text`)
		}
	}
	return true
}

func (s *scanner) peek() byte {
	if s.at < len(s.src) {
		return s.src[s.at]
	}
	return 0 // never in the text: controls refused it
}

func (s *scanner) blanks() {
	for s.peek() == ' ' || s.peek() == '\t' {
		s.at++
	}
}

// gaps skips blanks, line ends and comments.
func (s *scanner) gaps() {
	for {
		switch s.peek() {
		case ' ', '\t', '\r', '\n':
			s.at++
		case '#':
			s.comment()
		default:
			return
		}
	}
}

func (s *scanner) comment() {
	if i := strings.IndexByte(s.src[s.at:], '\n'); i >= 0 {
		s.at += i
	} else {
		s.at = len(s.src)
	}
}

// place is the way from the top of the file to a node.
type place struct {
	*node
	name  string // last part, as written
	depth int
	bytes int
}

// tables reads the file from header to header.
func (s *scanner) tables(root *node) {
	table := place{node: root}
	for !s.stopped {
		s.gaps()
		switch {
		case s.at >= len(s.src):
			return
		case s.peek() == '[':
			table = s.header(place{node: root})
		default:
			s.pair(table)
		}
		if !s.stopped {
			s.lineEnd()
		}
	}
}

func (s *scanner) lineEnd() {
	s.blanks()
	switch s.peek() {
	case '#':
		s.comment()
	case '\r', '\n':
	default:
		if s.at < len(s.src) {
			s.fail(s.at, "unexpected text after the end of a value or header", "start a new line, or put # before a comment")
		}
	}
}

// header reads "[a.b]" or "[[a.b]]".
func (s *scanner) header(root place) place {
	start, end := s.at, "]"
	if strings.HasPrefix(s.src[s.at:], "[[") {
		end = "]]"
	}
	s.at += len(end)
	to, ok := s.path(root)
	if !ok {
		return root
	}
	if !strings.HasPrefix(s.src[s.at:], end) {
		s.fail(s.at, "the table header is not closed", "close it with "+end)
		return root
	}
	s.at += len(end)
	if end == "]]" {
		to.items = append(to.items, &node{key: start, value: start})
		to.node = to.last()
		return to
	}
	s.define(to, start)
	return to
}

// pair reads "a.b = value".
func (s *scanner) pair(table place) bool {
	start := s.at
	to, ok := s.path(table)
	if !ok {
		return false
	}
	if s.peek() != '=' {
		return s.fail(s.at, "expected = after the key", `write key = value; quote keys that hold more than letters, digits, - and _`)
	}
	s.define(to, start)
	s.at++
	s.blanks()
	to.value = s.at
	return s.read(to)
}

// define reports the second definition of a name; the scan goes on, to find more.
func (s *scanner) define(to place, at int) {
	if to.given {
		s.report(at, to.name+" is defined twice", fmt.Sprintf("keep one of the two; the other is on line %d", s.position(to.first).Line))
	} else {
		to.first = at
	}
	to.given = true
}

// path reads dotted key parts and the blanks behind them.
func (s *scanner) path(from place) (place, bool) {
	to := from
	for {
		s.blanks()
		start := s.at
		name, ok := s.part()
		if !ok {
			return to, false
		}
		to.node = to.last().kid(name, start)
		to.name = s.src[start:s.at]
		to.depth++
		to.bytes += len(name) + 1
		if !s.within(to, start) {
			return to, false
		}
		s.blanks()
		if s.peek() != '.' {
			return to, true
		}
		s.at++
	}
}

func (s *scanner) within(p place, at int) bool {
	if p.depth > maxDepth {
		return s.fail(at, fmt.Sprintf("nested more than %d levels deep", maxDepth), "use fewer dots, brackets and braces")
	}
	if p.bytes > maxKeyBytes {
		return s.fail(at, fmt.Sprintf("the full key is longer than %d bytes", maxKeyBytes), "use shorter names")
	}
	return true
}

// part reads one bare or quoted key part.
func (s *scanner) part() (string, bool) {
	start := s.at
	switch c := s.peek(); {
	case c == '"' || c == '\'':
		if strings.HasPrefix(s.src[s.at:], strings.Repeat(string(c), 3)) {
			return "", s.fail(start, "a key cannot be a multi-line string", `use one pair of quotes`)
		}
		if !s.line(c) {
			return "", false
		}
		text := s.src[start+1 : s.at-1]
		if c == '"' {
			text = unescape(text)
		}
		return text, true
	case bare(c):
		for bare(s.peek()) {
			s.at++
		}
		return s.src[start:s.at], true
	}
	return "", s.fail(start, "expected a key", `write key = value; quote keys that hold more than letters, digits, - and _`)
}

func bare(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}
