package sandbox

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"testing"

	"github.com/wcron/wcron/internal/guest/asm"
)

// What the guest below finds that it did not leave itself, as bits of its exit code.
const (
	foundInMemory = 1 << iota
	foundInGlobal
	foundInTable
)

// insert puts a section into a module, where its id wants it.
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

// snoop is a guest that either leaves something in all of its memory, its global and its table and then ends in some
// way, or looks whether something is there.
func snoop() []byte {
	const begins, tableSize = 7, 8
	var (
		m          asm.Module
		memorySize = asm.MemorySize
		memoryGrow = asm.MemoryGrow
		memoryFill = asm.Code{0xfc, 0x0b, 0}
		load64     = asm.Code{0x29, 3, 0}
		tableFill  = asm.Code{0xfc, 0x11, 0}
		isNull     = asm.Code{0xd1}
		getGlobal  = asm.Code{0x23, 0}
		setGlobal  = asm.Code{0x24, 0}
		getTable   = asm.Code{0x25, 0}
		bytes      = asm.Cat(memorySize, asm.I32(16), asm.Code{0x74})
	)
	m.Memory(1, 1024)
	const at, found = 0, 1
	flag := func(bit int64, condition ...asm.Code) asm.Code {
		return asm.Cat(asm.Cat(condition...), asm.If(asm.Get(found), asm.I32(bit), asm.Code{0x72}, asm.Set(found)))
	}
	grow := asm.Loop(asm.I32(1), memoryGrow, asm.I32(-1), asm.Ne, asm.BrIf(0))
	look := m.Func(nil, oneResult, []asm.Type{asm.TypeI32, asm.TypeI32},
		grow,
		asm.Loop(
			flag(foundInMemory, asm.Get(at), load64, asm.I64(0), asm.Code{0x52}),
			asm.Get(at), asm.I32(8), asm.Add, asm.Tee(at), bytes, asm.LtU, asm.BrIf(0)),
		flag(foundInGlobal, getGlobal, asm.I32(begins), asm.Ne),
		asm.I32(0), asm.Set(at),
		asm.Loop(
			flag(foundInTable, asm.Get(at), getTable, isNull, asm.Eqz),
			asm.Get(at), asm.I32(1), asm.Add, asm.Tee(at), asm.I32(tableSize), asm.LtU, asm.BrIf(0)),
		asm.Get(found))
	m.Export("look", asm.KindFunc, look)
	leave := asm.Cat(
		grow,
		asm.I32(0), asm.I32(0xaa), bytes, memoryFill,
		asm.I32(begins+1), setGlobal,
		asm.I32(0), asm.Code{0xd2, byte(look)}, asm.I32(tableSize), tableFill)
	for name, end := range map[string]asm.Code{"leave": {}, "trap": asm.Unreachable, "spin": asm.Loop(asm.Br(0))} {
		m.Export(name, asm.KindFunc, m.Func(nil, nil, nil, leave, end))
	}
	wasm := insert(m.Bytes(), 4, []byte{1, 0x70, 0, tableSize})
	wasm = insert(wasm, 6, []byte{1, 0x7f, 1, 0x41, begins, 0x0b})
	return insert(wasm, 9, []byte{1, 3, 0, 1, byte(look)}) // declares the reference
}

// No run finds anything that another one left: not in its memory, its globals or its table, however that one ended.
func TestNoRunFindsWhatAnotherLeft(t *testing.T) {
	e := newEngine(t, Config{})
	m := compile(t, e, snoop())
	for _, memory := range []int64{1 << 20, keptEach, keptEach + 64<<10, 12 << 20} {
		for _, c := range []struct {
			run     Run
			outcome Outcome
			cause   Cause
		}{
			{Run{Entry: "leave"}, OK, ""},
			{Run{Entry: "trap"}, Trapped, OutOfMemory}, // it grew until it was refused
			{Run{Entry: "spin", Timeout: soon}, Timeout, Deadline},
			{Run{Entry: "spin", Fuel: 10_000_000}, Killed, FuelLimit},
		} {
			t.Run(fmt.Sprintf("%d KiB, %s %s", memory>>10, c.outcome, c.cause), func(t *testing.T) {
				c.run.Memory = memory
				var wg sync.WaitGroup
				for range 4 {
					wg.Go(func() {
						res := m.Run(context.Background(), c.run)
						expect(t, res, c.outcome, c.cause, "")
						if res.MemoryPeak != memory && c.outcome != Timeout { // that may come early
							t.Errorf("it had %d bytes at most, and was to fill %d", res.MemoryPeak, memory)
						}
						lookAround(t, m, memory, 0)
					})
				}
				wg.Wait()
			})
		}
	}
	e.regions.mu.Lock()
	defer e.regions.mu.Unlock()
	var kept int64
	for _, r := range e.regions.idle {
		kept += r.resident
	}
	if kept != e.regions.kept || kept > e.regions.most {
		t.Errorf("%d bytes are kept, %d counted, %d allowed", kept, e.regions.kept, e.regions.most)
	}
}

// lookAround expects that a run finds just this.
func lookAround(t *testing.T, m *Module, memory int64, want uint32) {
	t.Helper()
	if res := m.Run(context.Background(), Run{Entry: "look", Memory: memory}); !res.HasExit || res.ExitCode != want {
		t.Errorf("it found %b, want %b: %+v", res.ExitCode, want, res)
	}
}

// The guest that looks sees a single byte, wherever it is.
func TestLeftoversWouldBeFound(t *testing.T) {
	const memory = 1 << 20
	for _, at := range []int{0, memory / 2, memory - 1} {
		e := newEngine(t, Config{})
		m := compile(t, e, snoop())
		r := e.regions.take(memory)
		if r == nil {
			t.Skip("memories are not kept here")
		}
		e.regions.give(r, 0)
		lookAround(t, m, memory, 0)
		r.b[at] = 1
		lookAround(t, m, memory, foundInMemory)
		lookAround(t, m, memory, 0) // the second run cleared it
	}
}

// What is kept has a bound, and goes back to the system with the engine.
func TestRegionsAreBounded(t *testing.T) {
	rs := newRegions()
	var taken []*region
	for range 3 * rs.most / keptEach {
		r := rs.take(DefaultMemory)
		if r == nil {
			t.Skip("memories are not kept here")
		}
		taken = append(taken, r)
	}
	large := rs.take(1 << 30)
	for _, r := range taken {
		rs.give(r, 2*keptEach)
	}
	rs.give(large, 0)
	if rs.kept != rs.most || int64(len(rs.idle)) != rs.most/keptEach+1 {
		t.Errorf("%d bytes in %d regions are kept, and %d bytes may be", rs.kept, len(rs.idle), rs.most)
	}
	if r := rs.take(DefaultMemory); len(r.b) != leastRegion {
		t.Errorf("a memory of %d bytes got a region of %d", DefaultMemory, len(r.b))
	} else {
		rs.close()
		rs.give(r, keptEach)
	}
	if len(rs.idle) != 0 || rs.kept != 0 {
		t.Errorf("%d regions are kept after the end", len(rs.idle))
	}
}
