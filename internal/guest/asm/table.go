package asm

import "encoding/binary"

// Instructions on whole ranges of memory and tables.
var (
	MemoryCopy = Code{0xfc, 0x0a, 0x00, 0x00}
	TableCopy  = Code{0xfc, 0x0e, 0x00, 0x00}
	TableGrow  = Code{0xfc, 0x0f, 0x00}
	TableFill  = Code{0xfc, 0x11, 0x00}
	RefNull    = Code{0xd0, 0x70} // of a function
)

// MemoryInit copies from a data segment.
func MemoryInit(segment uint32) Code {
	return append(binary.AppendUvarint(Code{0xfc, 0x08}, uint64(segment)), 0)
}

// CallIndirect calls the function of that type that stands in the first table at the popped place.
func CallIndirect(typ uint32) Code { return append(withIndex(0x11, typ), 0) }

// BrTable branches to one of the labels by the popped number, and to the last one if there are not so many.
func BrTable(labels ...uint32) Code {
	out := binary.AppendUvarint(Code{0x0e}, uint64(len(labels)-1))
	for _, l := range labels {
		out = binary.AppendUvarint(out, uint64(l))
	}
	return out
}

// GlobalSet pops the global.
func GlobalSet(global uint32) Code { return withIndex(0x24, global) }

// Repeat is the code so many times in line.
func Repeat(n int, code Code) Code {
	out := make(Code, 0, n*len(code))
	for range n {
		out = append(out, code...)
	}
	return out
}

// Insert puts a section into a module, at the place that the specification asks for.
func Insert(wasm []byte, id byte, content []byte) []byte {
	out := append([]byte(nil), wasm[:8]...)
	done := false
	for at := 8; at < len(wasm); {
		size, n := binary.Uvarint(wasm[at+1:])
		end := at + 1 + n + int(size)
		if !done && before(id, wasm[at]) {
			out, done = AppendSection(out, id, content), true
		}
		out = append(out, wasm[at:end]...)
		at = end
	}
	if !done {
		out = AppendSection(out, id, content)
	}
	return out
}

// before tells whether a section stands before another. The data count stands before the code in spite of its number.
func before(id, other byte) bool {
	const code, dataCount = 10, 12
	rank := func(id byte) int {
		if id == dataCount {
			return 2*code - 1
		}
		return 2 * int(id)
	}
	return rank(id) < rank(other)
}

// WithTable gives a module a table of functions of that size, without a maximum, which begins with the given ones.
func WithTable(wasm []byte, size uint32, funcs ...uint32) []byte {
	wasm = Insert(wasm, 4, binary.AppendUvarint([]byte{1, 0x70, 0}, uint64(size)))
	elements := binary.AppendUvarint([]byte{1, 0, 0x41, 0, 0x0b}, uint64(len(funcs)))
	for _, f := range funcs {
		elements = binary.AppendUvarint(elements, uint64(f))
	}
	return Insert(wasm, 9, elements)
}
