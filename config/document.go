package config

import (
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
)

// document is one parsed file with the places of its keys.
type document struct {
	file   string
	src    string
	starts []int // offset of each line
	counts []int // characters before each countStep bytes
	root   *node
	values map[string]any
	out    *problems
}

// parse reads src, whose problems go to out under the name file. It is nil when the text is no TOML or breaks a limit.
func parse(file string, src []byte, limit int, out *problems) *document {
	if len(src) > limit {
		out.add(Problem{File: file, What: fmt.Sprintf("larger than %d KiB", limit>>10), Remedy: "split it or shorten it"})
		return nil
	}
	d := &document{file: file, src: strings.TrimPrefix(string(src), "\uFEFF"), out: out, starts: []int{0}}
	d.index()
	if off := invalidUTF8(d.src); off >= 0 {
		d.fail(off, fmt.Sprintf("byte 0x%02x is not valid UTF-8", d.src[off]), "save the file as UTF-8")
		return nil
	}
	if !d.scan() {
		return nil
	}
	if err := d.decode(); err != nil {
		off, what := 0, err.Error()
		if perr, ok := errors.AsType[toml.ParseError](err); ok {
			off, what = perr.Position.Start, perr.Message
		}
		d.fail(off, tidy(what), "write it as TOML 1.0 wants it")
		return nil
	}
	return d
}

// decode calls the parser. It panics where its lexer and its parser disagree, which must not end the host.
func (d *document) decode() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the TOML parser does not understand this text: %v", r)
		}
	}()
	_, err = toml.Decode(d.src, &d.values)
	if d.values == nil {
		d.values = map[string]any{}
	}
	return err
}

// tidy makes the parser's message one line in the style of the others.
func tidy(s string) string {
	s = strings.TrimSuffix(strings.Join(strings.Fields(s), " "), ".")
	if r, w := utf8.DecodeRuneInString(s); r >= 'A' && r <= 'Z' {
		return strings.ToLower(s[:w]) + s[w:]
	}
	return s
}

func invalidUTF8(s string) int {
	for i := 0; i < len(s); {
		r, w := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && w == 1 {
			return i
		}
		i += w
	}
	return -1
}

// countStep keeps position cheap in a file that is one long line of problems.
const countStep = 1 << 10

func (d *document) index() {
	runes := 0
	for i := range len(d.src) {
		if i%countStep == 0 {
			d.counts = append(d.counts, runes)
		}
		if utf8.RuneStart(d.src[i]) {
			runes++
		}
		if d.src[i] == '\n' {
			d.starts = append(d.starts, i+1)
		}
	}
	d.counts = append(d.counts, runes) // for an offset just behind the last full step
}

// before counts the characters before an offset.
func (d *document) before(off int) int {
	n := d.counts[off/countStep]
	for _, c := range []byte(d.src[off/countStep*countStep : off]) {
		if utf8.RuneStart(c) {
			n++
		}
	}
	return n
}

func (d *document) position(off int) Position {
	off = min(max(off, 0), len(d.src))
	line := sort.SearchInts(d.starts, off+1)
	return Position{d.file, line, 1 + d.before(off) - d.before(d.starts[line-1])}
}

func (d *document) fail(off int, what, remedy string) {
	at := d.position(off)
	d.out.add(Problem{File: at.File, Line: at.Line, Col: at.Col, What: what, Remedy: remedy})
}

// value is one parsed value and where it stands.
type value struct {
	doc  *document
	node *node
	path string // as a person would write it: jobs.report.args[1]
	raw  any
}

// top is the whole file as a table.
func (d *document) top() value { return value{doc: d, node: d.root, raw: d.values} }

// fail reports a problem with the value, failKey one with its name.
func (v value) fail(what, remedy string)    { v.doc.fail(v.node.value, v.path+": "+what, remedy) }
func (v value) failKey(what, remedy string) { v.doc.fail(v.node.key, v.path+": "+what, remedy) }

// refuse reports err, with its remedy where it has one.
func (v value) refuse(err error) {
	if a, ok := errors.AsType[advice](err); ok {
		v.fail(a.what, a.remedy)
	} else {
		v.fail(err.Error(), "")
	}
}

// want reports a value of the wrong type and returns false.
func (v value) want(typ, remedy string) bool {
	v.fail(fmt.Sprintf("want %s, got %s", typ, kindOf(v.raw)), remedy)
	return false
}

// table returns the entries in the order of the text, or false with a problem.
func (v value) table() ([]entry, bool) {
	m, ok := v.raw.(map[string]any)
	if !ok {
		return nil, v.want("a table", "write ["+v.path+"] on a line of its own and the keys below it")
	}
	list := make([]entry, 0, len(m))
	for name, raw := range m {
		path := keyText(name)
		if v.path != "" {
			path = v.path + "." + path
		}
		n := v.node.last().kids[name]
		if n == nil {
			n = v.node // a place that the scan does not keep apart: the table's own is the nearest
		}
		list = append(list, entry{name, value{v.doc, n, path, raw}})
	}
	sort.Slice(list, func(i, j int) bool {
		a, b := list[i], list[j]
		if a.node.key != b.node.key {
			return a.node.key < b.node.key
		}
		return a.name < b.name
	})
	return list, true
}

// entry is one key of a table.
type entry struct {
	name string
	value
}

// array returns the items, or false with a problem.
func (v value) array(typ, remedy string) ([]value, bool) {
	raw, ok := v.raw.([]any)
	if !ok {
		return nil, v.want(typ, remedy)
	}
	list := make([]value, len(raw))
	for i := range raw {
		n := v.node
		if i < len(v.node.items) {
			n = v.node.items[i]
		}
		list[i] = value{v.doc, n, v.path + "[" + strconv.Itoa(i) + "]", raw[i]}
	}
	return list, true
}

// kindOf names a parsed value's type, with the value where it is short.
func kindOf(raw any) string {
	switch x := raw.(type) {
	case string:
		return "the string " + quote(clip(x))
	case int64:
		return fmt.Sprintf("the integer %d", x)
	case float64:
		return fmt.Sprintf("the float %v", x)
	case bool:
		return fmt.Sprintf("the boolean %t", x)
	case map[string]any:
		return "a table"
	case []any:
		return "an array"
	case []map[string]any:
		return "an array of tables"
	}
	return "a date or time"
}
