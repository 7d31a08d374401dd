package meter

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// Section ids as the specification numbers them.
const (
	secCustom = iota
	secType
	secImport
	secFunction
	secTable
	secMemory
	secGlobal
	secExport
	secStart
	secElement
	secCode
	secData
	secDataCount
	secTag // not run
)

var sectionNames = [...]string{"custom", "type", "import", "function", "table", "memory", "global", "export",
	"start", "element", "code", "data", "data count"}

// section is one section of a module.
type section struct {
	id    byte
	start int // offset of the id
	body  int // offset of the content; of a custom section: behind its name
	end   int
	name  string // of a custom section
}

// sections splits a module into its sections. Their order is not looked at here.
func sections(wasm []byte) ([]section, *Error) {
	if err := checkHeader(wasm); err != nil {
		return nil, err
	}
	var list []section
	r := &reader{b: wasm, pos: 8, end: len(wasm)}
	for r.left() > 0 {
		s := section{start: r.pos}
		s.id = r.byte("the id of a section")
		if s.id == secTag {
			r.fail(s.start, "section id %d: %s", s.id, exceptions)
		} else if int(s.id) >= len(sectionNames) {
			r.fail(s.start, "section id %d is unknown; the file is damaged, or needs a WebAssembly feature "+
				"that wcron does not run", s.id)
		}
		sizeAt := r.pos
		size := r.u32("the size of a section")
		if r.err == nil && uint64(size) > uint64(r.left()) {
			r.fail(sizeAt, "the %s section is cut off: %d bytes announced, %d left; "+
				"the file is damaged or not yet written to its end", sectionNames[s.id], size, r.left())
		}
		if r.err != nil {
			return nil, r.err
		}
		s.body, s.end = r.pos, r.pos+int(size)
		if s.id == secCustom {
			in := &reader{b: wasm, pos: s.body, end: s.end}
			s.name = in.name("the name of a custom section")
			if in.err != nil {
				return nil, in.err
			}
			s.body = in.pos
		}
		list = append(list, s)
		r.pos = s.end
	}
	return list, nil
}

// Custom returns the content of the custom section of that name, and whether there is one. The content shares
// memory with wasm. Two sections of one name are an error, since nothing says which of them counts.
func Custom(wasm []byte, name string) ([]byte, bool, error) {
	list, err := sections(wasm)
	if err != nil {
		return nil, false, err
	}
	var found *section
	for i := range list {
		s := &list[i]
		if s.id != secCustom || s.name != name {
			continue
		}
		if found != nil {
			return nil, false, errorAt(s.start, "a second custom section %q; keep one of them", name)
		}
		found = s
	}
	if found == nil {
		return nil, false, nil
	}
	return wasm[found.body:found.end:found.end], true, nil
}

// SetCustom returns a copy of the module in which every custom section of that name is replaced by one, at the end,
// with the given payload. All else is kept byte for byte. A nil payload only removes.
func SetCustom(wasm []byte, name string, payload []byte) ([]byte, error) {
	list, err := sections(wasm)
	if err != nil {
		return nil, err
	}
	if !utf8.ValidString(name) {
		return nil, fmt.Errorf("custom section %q: the name is not valid UTF-8", name)
	}
	out := bytes.Clone(wasm[:8])
	for _, s := range list {
		if s.id != secCustom || s.name != name {
			out = append(out, wasm[s.start:s.end]...)
		}
	}
	if payload == nil {
		return out, nil
	}
	head := binary.AppendUvarint(nil, uint64(len(name)))
	head = append(head, name...)
	out = append(out, secCustom)
	out = binary.AppendUvarint(out, uint64(len(head)+len(payload)))
	out = append(out, head...)
	return append(out, payload...), nil
}
