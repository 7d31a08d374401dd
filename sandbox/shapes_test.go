package sandbox

import (
	"encoding/binary"

	"github.com/wcron/wcron/internal/guest"
	"github.com/wcron/wcron/internal/guest/asm"
)

// insert puts a section into a module, at the place that the specification asks for.
func insert(wasm []byte, id byte, content []byte) []byte {
	out := append([]byte(nil), wasm[:8]...)
	done := false
	for at := 8; at < len(wasm); {
		size, n := binary.Uvarint(wasm[at+1:])
		end := at + 1 + n + int(size)
		if !done && wasm[at] > id {
			out, done = asm.AppendSection(out, id, content), true
		}
		out = append(out, wasm[at:end]...)
		at = end
	}
	if !done {
		out = asm.AppendSection(out, id, content)
	}
	return out
}

// withTable gives a module a table of functions of that size, without a maximum, which begins with the given ones.
func withTable(wasm []byte, size uint32, funcs ...uint32) []byte {
	wasm = insert(wasm, 4, binary.AppendUvarint([]byte{1, 0x70, 0}, uint64(size)))
	elements := binary.AppendUvarint([]byte{1, 0, 0x41, 0, 0x0b}, uint64(len(funcs)))
	for _, f := range funcs {
		elements = binary.AppendUvarint(elements, uint64(f))
	}
	return insert(wasm, 9, elements)
}

const pages = 1024 // of 64 KiB, all that a run gets by default

// Instructions that the assembler has no word for.
var (
	memoryCopy  = asm.Code{0xfc, 0x0a, 0, 0}
	tableGrow   = asm.Code{0xfc, 0x0f, 0}
	tableFill   = asm.Code{0xfc, 0x11, 0}
	tableCopy   = asm.Code{0xfc, 0x0e, 0, 0}
	nullFunc    = asm.Code{0xd0, 0x70}
	two         = []asm.Type{asm.TypeI32, asm.TypeI32}
	clockParams = []asm.Type{asm.TypeI32, asm.TypeI64, asm.TypeI32}
	oneResult   = []asm.Type{asm.TypeI32}
)

func callIndirect(typ, table uint32) asm.Code {
	return binary.AppendUvarint(binary.AppendUvarint(asm.Code{0x11}, uint64(typ)), uint64(table))
}

// command is a module whose _start is this code.
func command(mem uint32, locals []asm.Type, code ...asm.Code) []byte {
	var m asm.Module
	if mem > 0 {
		m.Memory(mem, asm.NoMax)
	}
	m.Export("_start", asm.KindFunc, m.Func(nil, nil, locals, code...))
	return m.Bytes()
}

func repeat(n int, code asm.Code) asm.Code {
	out := make(asm.Code, 0, n*len(code))
	for range n {
		out = append(out, code...)
	}
	return out
}

// pair is two functions that call each other twice until a counter is used up: 2^depth calls without a loop.
func pair(depth int64) []byte {
	var m asm.Module
	one, other := m.Next(), m.Next()+1
	down := func(f uint32) asm.Code {
		return asm.If(asm.Get(0), asm.I32(1), asm.Sub, asm.Call(f), asm.Get(0), asm.I32(1), asm.Sub, asm.Call(f))
	}
	m.Func(oneResult, nil, nil, asm.Get(0), down(other))
	m.Func(oneResult, nil, nil, asm.Get(0), down(one))
	m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil, asm.I32(depth), asm.Call(one)))
	return m.Bytes()
}

// clock calls a cheap host function for ever; indirectly, by way of a table.
func clock(indirect bool) []byte {
	var m asm.Module
	f := m.Import("wasi_snapshot_preview1", "clock_time_get", clockParams, oneResult)
	m.Memory(1, asm.NoMax)
	call := asm.Call(f)
	if indirect {
		call = asm.Cat(asm.I32(0), callIndirect(0, 0))
	}
	m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil,
		asm.Loop(asm.I32(1), asm.I64(0), asm.I32(0), call, asm.Drop, asm.Br(0))))
	if indirect {
		return withTable(m.Bytes(), 1, f)
	}
	return m.Bytes()
}

// indirectTree is a call tree of that depth through a table.
func indirectTree(depth int) []byte {
	var m asm.Module
	funcs := []uint32{m.Func(nil, nil, nil)}
	for i := 1; i <= depth; i++ {
		call := asm.Cat(asm.I32(int64(i-1)), callIndirect(0, 0))
		funcs = append(funcs, m.Func(nil, nil, nil, call, call))
	}
	m.Export("_start", asm.KindFunc, funcs[depth])
	return withTable(m.Bytes(), uint32(len(funcs)), funcs...)
}

// A shape is a guest that never ends by itself.
type shape struct {
	name string
	wasm []byte
}

func computingShapes() []shape {
	all := int64(pages) << 16
	fill := asm.Cat(asm.I32(0), asm.I32(1), asm.I32(all), asm.MemoryFill)
	fromLocals := asm.Cat(asm.Get(0), asm.Get(0), asm.Get(1), asm.MemoryFill)
	up := asm.Cat(asm.I32(0), asm.I32(8), asm.I32(all-8), memoryCopy)
	down := asm.Cat(asm.I32(8), asm.I32(0), asm.I32(all-8), memoryCopy)
	grow := asm.Cat(nullFunc, asm.I32(1000), tableGrow, asm.Drop)
	locals := []asm.Type{asm.TypeI32, asm.TypeI32}
	chase := repeat(60_000, asm.Load(0))
	return []shape{
		{"loop", guest.Spin()},
		{"loop inside a loop that is left each time", command(0, nil, asm.Loop(asm.Loop(asm.Br(1))))},
		{"loop by br_table", command(0, nil, asm.Loop(asm.I32(5), asm.Code{0x0e, 1, 0, 0}))},
		{"loop by br_if to the outer of two", command(0, nil, asm.Loop(asm.Block(asm.Loop(asm.I32(1), asm.BrIf(2)))))},
		{"loop in a dead branch's shadow", command(0, nil, asm.Block(asm.Br(0), asm.Loop(asm.Br(0))), asm.Loop(asm.Br(0)))},
		{"loop over a large body", command(1, nil, asm.Loop(repeat(20_000, asm.Cat(asm.I32(0), asm.Load(0), asm.Drop)), asm.Br(0)))},
		{"loop over a call", func() []byte {
			var m asm.Module
			f := m.Func(nil, nil, nil)
			m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil, asm.Loop(asm.Call(f), asm.Br(0))))
			return m.Bytes()
		}()},
		{"loop in the start section", guest.StartLoop()},
		{"loop in _initialize", initializeLoop()},
		{"call tree", guest.CallTree(40)},
		{"call tree through a table", indirectTree(40)},
		{"pair of functions", pair(40)},
		{"fills in line", command(pages, nil, repeat(20_000, fill), asm.Loop(fill, asm.Br(0)))},
		{"a hundred thousand fills", command(pages, locals, asm.I32(all), asm.Set(1), repeat(100_000, fromLocals), asm.Loop(asm.Br(0)))},
		{"copies up", command(pages, nil, asm.Loop(up, asm.Br(0)))},
		{"copies down", command(pages, nil, asm.Loop(down, asm.Br(0)))},
		{"small fills", command(1, nil, asm.Loop(repeat(1000, asm.Cat(asm.I32(0), asm.I32(1), asm.I32(255), asm.MemoryFill)), asm.Br(0)))},
		{"memory.grow that fails", command(1, nil, asm.Loop(asm.I32(-1), asm.MemoryGrow, asm.Drop, asm.Br(0)))},
		{"memory.grow page by page", command(1, nil, asm.Loop(asm.I32(1), asm.MemoryGrow, asm.Drop, asm.Br(0)))},
		{"table.grow", withTable(command(0, nil, asm.Loop(grow, asm.Br(0))), 1)},
		{"table.grow at once", withTable(command(0, nil, asm.Loop(nullFunc, asm.I32(1<<30), tableGrow, asm.Drop, asm.Br(0))), 1)},
		{"table.fill", withTable(command(0, nil, asm.Loop(asm.I32(0), nullFunc, asm.I32(100_000), tableFill, asm.Br(0))), 100_000)},
		{"table.copy", withTable(command(0, nil, asm.Loop(asm.I32(1), asm.I32(0), asm.I32(99_999), tableCopy, asm.Br(0))), 100_000)},
		{"cheap host calls", clock(false)},
		{"cheap host calls through a table", clock(true)},
		{"chains of loads", command(1, nil, asm.Loop(asm.I32(0), chase, asm.Drop, asm.Br(0)))},
		{"loop behind an if", command(0, locals, asm.Loop(asm.Get(0), asm.If(asm.I32(1), asm.Set(1)), asm.Br(0)))},
		{"loop that keeps two values", func() []byte {
			var m asm.Module
			f := m.Func(two, two, nil, asm.Get(0), asm.Get(1)) // declares the type 0, used by the loop
			_ = f
			m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil, asm.I32(1), asm.I32(2), asm.Code{0x03, 0}, asm.Br(0), asm.Code{0x0b},
				asm.Drop, asm.Drop))
			return m.Bytes()
		}()},
	}
}
