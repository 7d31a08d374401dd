package hostile

import (
	"slices"

	"github.com/wcron/wcron/internal/guest"
	"github.com/wcron/wcron/internal/guest/asm"
)

// loops compute without end, by loops of all kinds and by calls without any.
func loops() []Shape {
	locals := words(2)
	load := asm.Cat(asm.I32(0), asm.Load(0), asm.Drop)
	divide := asm.Cat(asm.I64(-1), asm.I64(3), asm.Code{0x80}, asm.Drop)
	root := asm.Cat(asm.Code{0x44, 0, 0, 0, 0, 0, 0, 0, 0x40}, asm.Repeat(20, asm.Code{0x9f}), asm.Drop)
	return []Shape{
		deadline("loop", "an empty loop", guest.Spin),
		deadline("loop-left-each-time", "a loop inside a loop that is left each time", command(0, nil, asm.Loop(asm.Loop(asm.Br(1))))),
		deadline("loop-br-table", "a loop repeated by br_table", command(0, nil, asm.Loop(asm.I32(5), asm.BrTable(0, 0)))),
		deadline("loop-br-if-outer", "a branch to the outer of two loops", command(0, nil, asm.Loop(asm.Block(asm.Loop(asm.I32(1), asm.BrIf(2)))))),
		deadline("loop-behind-dead-code", "a loop that cannot be reached, then one that can",
			command(0, nil, asm.Block(asm.Br(0), forever()), forever())),
		deadline("loop-large-body", "a loop over 20,000 loads", command(1, nil, forever(asm.Repeat(20_000, load)))),
		deadline("loop-load-chain", "loads that wait for each other", command(1, nil, forever(asm.I32(0), asm.Repeat(60_000, asm.Load(0)), asm.Drop))),
		deadline("loop-fast-then-slow", "a loop that is fast until its slices are long, then over loads that miss every cache", fastThenSlow()),
		deadline("loop-divisions", "a loop over 10,000 divisions", command(0, nil, forever(asm.Repeat(10_000, divide)))),
		deadline("loop-square-roots", "a loop over 20,000 square roots in chains", command(0, nil, forever(asm.Repeat(1000, root)))),
		deadline("loop-behind-if", "a loop over an if", command(0, locals, forever(asm.Get(0), asm.If(asm.I32(1), asm.Set(1))))),
		deadline("loop-with-values", "a loop that takes and gives two values", loopWithValues),
		deadline("loop-over-call", "a loop over a call of nothing", loopOverCall),
		deadline("loop-in-start", "a loop in the start section", guest.StartLoop),
		deadline("loop-in-initialize", "a loop in _initialize", initializeLoop),
		deadline("br-table-bomb", "a loop over a br_table with 10,000 targets", command(0, locals, brTableBomb())),
		deadline("call-tree", "2^40 calls without a loop", func() []byte { return guest.CallTree(40) }),
		deadline("call-tree-indirect", "the same through a table", func() []byte { return indirectTree(40) }),
		deadline("call-pair", "two functions that call each other 2^40 times", func() []byte { return pair(40) }),
		deadline("call-fibonacci", "fib(80) by recursion", fibonacci),
	}
}

// fastThenSlow counts to a hundred thousand and then goes through the memory in steps of a page and a bit, again and again.
func fastThenSlow() func() []byte {
	const at, left = 0, 1
	return command(pages, words(2), forever(
		asm.I32(100_000), asm.Set(left),
		asm.Loop(asm.Get(left), asm.I32(1), asm.Sub, asm.Tee(left), asm.BrIf(0)),
		asm.I32(100_000), asm.Set(left),
		asm.Loop(
			asm.Get(at), asm.Get(at), asm.Load(0), asm.Add, asm.I32(4096+64), asm.Add, asm.I32(all-64), asm.Code{0x71}, asm.Set(at),
			asm.Get(left), asm.I32(1), asm.Sub, asm.Tee(left), asm.BrIf(0))))
}

func loopWithValues() []byte {
	var m asm.Module
	pair := words(2)
	m.Func(pair, pair, nil, asm.Get(0), asm.Get(1)) // declares the type 0, which the loop has
	m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil,
		numbers(1, 2), asm.Code{0x03, 0}, asm.Br(0), asm.Code{0x0b}, asm.Drop, asm.Drop))
	return m.Bytes()
}

func loopOverCall() []byte {
	var m asm.Module
	f := m.Func(nil, nil, nil)
	m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil, forever(asm.Call(f))))
	return m.Bytes()
}

func initializeLoop() []byte {
	var m asm.Module
	m.Export("_initialize", asm.KindFunc, m.Func(nil, nil, nil, forever()))
	m.Export("run", asm.KindFunc, m.Func(nil, nil, nil))
	return m.Bytes()
}

// brTableBomb branches by a number that counts up to one of the ends of two blocks in a loop.
func brTableBomb() asm.Code {
	labels := make([]uint32, 10_000)
	for i := range labels {
		labels[i] = uint32(i % 3)
	}
	return asm.Loop(asm.Block(asm.Block(
		asm.Get(0), asm.I32(1), asm.Add, asm.Tee(0), asm.I32(8191), asm.Code{0x71}, asm.BrTable(labels...))),
		asm.Br(0))
}

// indirectTree is a call tree of that depth through a table.
func indirectTree(depth int) []byte {
	var m asm.Module
	funcs := []uint32{m.Func(nil, nil, nil)}
	for i := 1; i <= depth; i++ {
		call := asm.Cat(asm.I32(int64(i-1)), asm.CallIndirect(0))
		funcs = append(funcs, m.Func(nil, nil, nil, call, call))
	}
	m.Export("_start", asm.KindFunc, funcs[depth])
	return asm.WithTable(m.Bytes(), uint32(len(funcs)), funcs...)
}

// pair is two functions that call each other twice until a counter is used up.
func pair(depth int64) []byte {
	var m asm.Module
	one, other := m.Next(), m.Next()+1
	down := func(f uint32) asm.Code {
		call := asm.Cat(asm.Get(0), asm.I32(1), asm.Sub, asm.Call(f))
		return asm.Cat(asm.Get(0), asm.If(call, call))
	}
	m.Func(words(1), nil, nil, down(other))
	m.Func(words(1), nil, nil, down(one))
	m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil, asm.I32(depth), asm.Call(one)))
	return m.Bytes()
}

func fibonacci() []byte {
	var m asm.Module
	self := m.Next()
	less := func(n int64) asm.Code { return asm.Cat(asm.Get(0), asm.I32(n), asm.Sub, asm.Call(self)) }
	m.Func(words(1), words(1), nil,
		asm.Get(0), asm.I32(2), asm.LtU, asm.If(asm.Get(0), asm.Return), less(1), less(2), asm.Add)
	m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil, asm.I32(80), asm.Call(self), asm.Drop))
	return m.Bytes()
}

// bulk moves memory and table entries without end, in single instructions.
func bulk() []Shape {
	fill := asm.Cat(numbers(0, 1, all), asm.MemoryFill)
	fromLocals := asm.Cat(asm.Get(0), asm.Get(0), asm.Get(1), asm.MemoryFill)
	table := func(code ...asm.Code) func() []byte {
		return func() []byte { return asm.WithTable(command(0, nil, code...)(), 100_000) }
	}
	return []Shape{
		deadline("fills-in-line", "20,000 fills of 64 MiB in line", command(pages, nil, asm.Repeat(20_000, fill), forever(fill))),
		deadline("fills-100000", "100,000 fills of the full memory in line, of a size that is not constant",
			command(pages, words(2), asm.I32(all), asm.Set(1), asm.Repeat(100_000, fromLocals), forever())),
		deadline("fills-small", "fills of 255 bytes, which stay as they are", command(1, nil, forever(asm.Repeat(1000, asm.Cat(numbers(0, 1, 255), asm.MemoryFill))))),
		deadline("copies-up", "copies of 64 MiB that overlap from above", command(pages, nil, forever(numbers(0, 8, all-8), asm.MemoryCopy))),
		deadline("copies-down", "copies of 64 MiB that overlap from below", command(pages, nil, forever(numbers(8, 0, all-8), asm.MemoryCopy))),
		deadline("init-from-segment", "memory.init of 1 MiB without end", initLoop),
		deadline("table-fill", "table.fill of 100,000 entries", table(forever(asm.I32(0), asm.RefNull, asm.I32(100_000), asm.TableFill))),
		deadline("table-copy", "table.copy of 99,999 entries", table(forever(numbers(1, 0, 99_999), asm.TableCopy))),
		deadline("table-grow", "table.grow by 1,000 for ever", table(forever(asm.RefNull, asm.I32(1000), asm.TableGrow, asm.Drop))),
		deadline("table-grow-at-once", "table.grow by 2^30", table(forever(asm.RefNull, asm.I32(1<<30), asm.TableGrow, asm.Drop))),
		deadline("memory-grow-refused", "memory.grow by 2^32-1 pages for ever", command(1, nil, forever(asm.I32(-1), asm.MemoryGrow, asm.Drop))),
		deadline("memory-grow-by-page", "memory.grow by a page for ever", command(1, nil, forever(asm.I32(1), asm.MemoryGrow, asm.Drop))),
		deadline("segments-then-loop", "8,000 data segments of 1 KiB to the same place, and a loop", segments),
	}
}

func initLoop() []byte {
	wasm := command(pages, nil, forever(numbers(0, 0, 1<<20), asm.MemoryInit(0)))()
	wasm = asm.Insert(wasm, 12, []byte{1})
	return asm.Insert(wasm, 11, append([]byte{1, 1, 0x80, 0x80, 0x40}, make([]byte, 1<<20)...))
}

func segments() []byte {
	var m asm.Module
	m.Memory(1, asm.NoMax)
	m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil, forever()))
	for range 8000 {
		m.Data(0, slices.Repeat([]byte{1}, 1024))
	}
	return m.Bytes()
}
