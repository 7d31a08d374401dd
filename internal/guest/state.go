package guest

import (
	"time"

	"github.com/wcron/wcron/internal/guest/asm"
)

// Ending is what a program does last.
type Ending int

// Ways to end.
const (
	ThenReturn Ending = iota
	ThenExit          // with 1
	ThenTrap
	ThenSpin  // for ever
	ThenClock // write the wall clock to stdout for ever, a line each 2 ms: see ReadClock
)

func (e Ending) code(p *program) asm.Code {
	switch e {
	case ThenExit:
		return asm.Cat(asm.I32(1), p.call("proc_exit"))
	case ThenTrap:
		return asm.Unreachable
	case ThenSpin:
		return asm.Loop(asm.Br(0))
	case ThenClock:
		const monotonic = 1
		const clock, subscription, event, events = scratch + 32, scratch + 64, scratch + 128, scratch + 192
		return asm.Cat(
			asm.I32(subscription), asm.I32(monotonic), asm.Store(16),
			asm.I32(subscription), asm.I64(2_000_000), asm.Store64(24),
			asm.Loop(
				asm.I32(0), asm.I64(1), asm.I32(clock), p.call("clock_time_get"), asm.If(asm.Unreachable),
				clockLine(clock),
				asm.I32(stdout), asm.I32(buffer), asm.I32(17), p.call("write"),
				asm.I32(subscription), asm.I32(event), asm.I32(1), asm.I32(events), p.call("poll_oneoff"), asm.If(asm.Unreachable),
				asm.Br(0)))
	}
	return nil
}

// State sends each request to extism:host/user wcron_state, as a block of memory that it makes with extism:host/env, writes each
// answer and a newline to stdout, and ends. An answer longer than 64 KiB traps.
func State(end Ending, requests ...string) []byte {
	p := newProgram("fd_write", "proc_exit", "clock_time_get", "poll_oneoff")
	p.pages = 2
	p.importState()
	write := p.writer()
	p.calls["write"] = write
	ask := p.asker(buffer)
	const n = 0
	code := []asm.Code{}
	for _, r := range requests {
		code = append(code, p.text(r), asm.Call(ask), asm.Set(n),
			asm.Get(n), asm.I32('\n'), asm.Store8(buffer),
			asm.I32(stdout), asm.I32(buffer), asm.Get(n), asm.I32(1), asm.Add, asm.Call(write))
	}
	return p.main([]asm.Type{i32}, append(code, end.code(p))...)
}

// importState imports what asker needs. It stands before all functions of the program.
func (p *program) importState() {
	const env = "extism:host/env"
	one := []asm.Type{i64}
	p.calls["alloc"] = p.Import(env, "alloc", one, one)
	p.calls["free"] = p.Import(env, "free", one, nil)
	p.calls["length"] = p.Import(env, "length", one, one)
	p.calls["load_u8"] = p.Import(env, "load_u8", one, []asm.Type{i32})
	p.calls["store_u8"] = p.Import(env, "store_u8", []asm.Type{i64, i32}, nil)
	p.calls["wcron_state"] = p.Import("extism:host/user", "wcron_state", one, one)
}

// asker adds the function ask(address, length), which sends a request to wcron_state, puts the answer at the given place and
// returns its length. It traps where the answer has 64 KiB or more.
func (p *program) asker(answer uint32) uint32 { return p.askerOf(answer, p.call("wcron_state")) }

// askerOf does so with another call, which takes the offset of a block and gives one.
func (p *program) askerOf(answer uint32, call asm.Code) uint32 {
	extend, add64, wrap := asm.Code{0xad}, asm.Code{0x7c}, asm.Code{0xa7}
	const ptr, n, i, block, result = 0, 1, 2, 3, 4
	at := asm.Cat(asm.Get(block), asm.Get(i), extend, add64)
	return p.Func([]asm.Type{i32, i32}, []asm.Type{i32}, []asm.Type{i32, i64, i64},
		asm.Get(n), extend, p.call("alloc"), asm.Set(block),
		asm.Block(asm.Loop(
			asm.Get(i), asm.Get(n), asm.Eq, asm.BrIf(1),
			at, asm.Get(ptr), asm.Get(i), asm.Add, asm.Load8(0), p.call("store_u8"),
			increase(i, 1),
			asm.Br(0))),
		asm.Get(block), call, asm.Set(result),
		asm.Get(block), p.call("free"),
		asm.Get(result), asm.Set(block),
		asm.Get(block), p.call("length"), wrap, asm.Set(n),
		asm.I32(bufferLen-1), asm.Get(n), asm.LtU, asm.If(asm.Unreachable),
		asm.I32(0), asm.Set(i),
		asm.Block(asm.Loop(
			asm.Get(i), asm.Get(n), asm.Eq, asm.BrIf(1),
			asm.Get(i), at, p.call("load_u8"), asm.Store8(answer),
			increase(i, 1),
			asm.Br(0))),
		asm.Get(n))
}

// clockLine puts the 64 bits at an address into the buffer, as sixteen letters from a to p and a newline.
func clockLine(clock int64) asm.Code {
	shift, and := asm.Code{0x76}, asm.Code{0x71}
	code := asm.Cat(asm.I32(buffer+16), asm.I32('\n'), asm.Store8(0))
	for i := range int64(8) {
		b := asm.Cat(asm.I32(clock+7-i), asm.Load8(0))
		code = append(code, asm.Cat(
			asm.I32(buffer+2*i), b, asm.I32(4), shift, asm.I32('a'), asm.Add, asm.Store8(0),
			asm.I32(buffer+2*i+1), b, asm.I32(15), and, asm.I32('a'), asm.Add, asm.Store8(0))...)
	}
	return code
}

// ReadClock reads a line that ThenClock has written.
func ReadClock(line string) (at time.Time, ok bool) {
	var ns int64
	for _, c := range line {
		if c < 'a' || c > 'p' {
			return at, false
		}
		ns = ns<<4 | int64(c-'a')
	}
	return time.Unix(0, ns), len(line) == 16
}
