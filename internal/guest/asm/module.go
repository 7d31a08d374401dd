package asm

import (
	"encoding/binary"
	"slices"
)

// Type is the type of a value.
type Type = byte

// The types of values.
const (
	TypeI32 Type = 0x7f
	TypeI64 Type = 0x7e
)

// Kind is the kind of an export.
type Kind byte

// The kinds of exports.
const (
	KindFunc   Kind = 0
	KindMemory Kind = 2
)

// NoMax stands for a memory without a maximum.
const NoMax = ^uint32(0)

// Module is a module being put together. The zero value is an empty one.
type Module struct {
	types   [][]byte
	imports [][]byte
	funcs   []fn
	memory  []byte
	exports [][]byte
	start   []byte
	data    [][]byte
	customs [][]byte
}

type fn struct {
	typ  uint32
	body []byte
}

// Import declares an imported function and returns its index. All imports come before the first Func.
func (m *Module) Import(module, name string, params, results []Type) uint32 {
	if len(m.funcs) > 0 {
		panic("asm: Import after Func would move the indices of the functions")
	}
	b := appendName(appendName(nil, module), name)
	b = binary.AppendUvarint(append(b, 0), uint64(m.typeOf(params, results)))
	m.imports = append(m.imports, b)
	return uint32(len(m.imports) - 1)
}

// Func adds a function and returns its index. Its locals are counted behind its parameters.
func (m *Module) Func(params, results, locals []Type, code ...Code) uint32 {
	body := binary.AppendUvarint(nil, uint64(len(locals)))
	for _, t := range locals {
		body = append(body, 1, t)
	}
	body = append(append(body, Cat(code...)...), 0x0b)
	m.funcs = append(m.funcs, fn{typ: m.typeOf(params, results), body: body})
	return m.Next() - 1
}

// Next is the index that the next function gets, for functions that call themselves or one that comes later.
func (m *Module) Next() uint32 { return uint32(len(m.imports) + len(m.funcs)) }

// Memory gives the module a memory with these pages of 64 KiB, exported as "memory".
func (m *Module) Memory(minPages, maxPages uint32) {
	if maxPages == NoMax {
		m.memory = binary.AppendUvarint([]byte{0}, uint64(minPages))
	} else {
		m.memory = binary.AppendUvarint([]byte{1}, uint64(minPages))
		m.memory = binary.AppendUvarint(m.memory, uint64(maxPages))
	}
	m.Export("memory", KindMemory, 0)
}

// Export makes something visible under a name.
func (m *Module) Export(name string, kind Kind, index uint32) {
	b := append(appendName(nil, name), byte(kind))
	m.exports = append(m.exports, binary.AppendUvarint(b, uint64(index)))
}

// Start names the function that runs at instantiation.
func (m *Module) Start(index uint32) { m.start = binary.AppendUvarint(nil, uint64(index)) }

// Data puts bytes into the memory at instantiation.
func (m *Module) Data(offset uint32, content []byte) {
	b := Cat(Code{0}, I32(int64(offset)), Code{0x0b})
	b = binary.AppendUvarint(b, uint64(len(content)))
	m.data = append(m.data, append(b, content...))
}

// Custom adds a custom section at the end.
func (m *Module) Custom(name string, payload []byte) {
	m.customs = append(m.customs, append(appendName(nil, name), payload...))
}

// Bytes is the module in the binary format.
func (m *Module) Bytes() []byte {
	out := []byte("\x00asm\x01\x00\x00\x00")
	var typeIndices, bodies [][]byte
	for _, f := range m.funcs {
		typeIndices = append(typeIndices, binary.AppendUvarint(nil, uint64(f.typ)))
		bodies = append(bodies, append(binary.AppendUvarint(nil, uint64(len(f.body))), f.body...))
	}
	out = appendVector(out, 1, m.types)
	out = appendVector(out, 2, m.imports)
	out = appendVector(out, 3, typeIndices)
	if m.memory != nil {
		out = appendVector(out, 5, [][]byte{m.memory})
	}
	out = appendVector(out, 7, m.exports)
	if m.start != nil {
		out = AppendSection(out, 8, m.start)
	}
	out = appendVector(out, 10, bodies)
	out = appendVector(out, 11, m.data)
	for _, c := range m.customs {
		out = AppendSection(out, 0, c)
	}
	return out
}

// AppendSection appends a section of that id to a module.
func AppendSection(out []byte, id byte, content []byte) []byte {
	out = binary.AppendUvarint(append(out, id), uint64(len(content)))
	return append(out, content...)
}

func (m *Module) typeOf(params, results []Type) uint32 {
	b := binary.AppendUvarint([]byte{0x60}, uint64(len(params)))
	b = binary.AppendUvarint(append(b, params...), uint64(len(results)))
	b = append(b, results...)
	for i, t := range m.types {
		if slices.Equal(t, b) {
			return uint32(i)
		}
	}
	m.types = append(m.types, b)
	return uint32(len(m.types) - 1)
}

func appendVector(out []byte, id byte, items [][]byte) []byte {
	if len(items) == 0 {
		return out
	}
	content := binary.AppendUvarint(nil, uint64(len(items)))
	for _, item := range items {
		content = append(content, item...)
	}
	return AppendSection(out, id, content)
}

func appendName(b []byte, name string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(name))), name...)
}
