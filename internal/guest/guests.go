package guest

import (
	"fmt"
	"time"

	"github.com/wcron/wcron/internal/guest/asm"
)

const (
	stdout = 1
	stderr = 2
)

// Hello writes "hello from JOB, slot SLOT", from the variables WCRON_JOB (else its first argument) and WCRON_SLOT
// (else without it), and exits with 0.
func Hello() []byte {
	p := newProgram("fd_write", "proc_exit", "environ_sizes_get", "environ_get", "args_sizes_get", "args_get")
	write, getenv := p.writer(), p.getenv()
	puts := p.puts(write)
	const at = 0
	return p.main([]asm.Type{i32},
		asm.I32(stdout), p.text("hello from "), asm.Call(write),
		p.text("WCRON_JOB="), asm.Call(getenv), asm.Tee(at), asm.Eqz,
		asm.If(p.firstArgument(), asm.Set(at)),
		asm.Get(at), asm.Call(puts),
		p.text("WCRON_SLOT="), asm.Call(getenv), asm.Tee(at),
		asm.If(asm.I32(stdout), p.text(", slot "), asm.Call(write), asm.Get(at), asm.Call(puts)),
		asm.I32(stdout), p.text("\n"), asm.Call(write))
}

// firstArgument is code that pushes the address of the program's name; with no arguments it is an empty string.
func (p *program) firstArgument() asm.Code {
	return asm.Cat(
		asm.I32(scratch), asm.I32(scratch+4), p.call("args_sizes_get"), asm.If(asm.Unreachable),
		asm.I32(scratch+16), asm.I32(0), asm.Store(0),
		asm.I32(envPtrs), asm.I32(scratch+16), asm.Store(0),
		asm.I32(envPtrs), asm.I32(envBytes), p.call("args_get"), asm.If(asm.Unreachable),
		asm.I32(envPtrs), asm.Load(0))
}

// Greet writes the text and a newline to stdout, and exits with 0.
func Greet(text string) []byte { return Print(text+"\n", "", 0) }

// Print writes the two texts to stdout and stderr, and exits with the code.
func Print(out, err string, code uint32) []byte {
	p := newProgram("fd_write", "proc_exit")
	write := p.writer()
	return p.main(nil,
		asm.I32(stdout), p.text(out), asm.Call(write),
		asm.I32(stderr), p.text(err), asm.Call(write),
		asm.I32(int64(code)), p.call("proc_exit"))
}

// Exit exits with the code.
func Exit(code uint32) []byte {
	p := newProgram("proc_exit")
	return p.main(nil, asm.I32(int64(code)), p.call("proc_exit"))
}

// FailUntil exits with 1 and a line on stderr while WCRON_ATTEMPT is below that attempt or not set, and with 0 and a
// line on stdout from then on.
func FailUntil(attempt int) []byte {
	p := newProgram("fd_write", "proc_exit", "environ_sizes_get", "environ_get")
	write, getenv := p.writer(), p.getenv()
	const at, n = 0, 1
	return p.main([]asm.Type{i32, i32},
		p.text("WCRON_ATTEMPT="), asm.Call(getenv), asm.Tee(at),
		asm.If(asm.Loop(
			asm.Get(at), asm.Load8(0), asm.I32('0'), asm.Sub, asm.I32(10), asm.LtU,
			asm.If(
				asm.Get(n), asm.I32(10), asm.Mul,
				asm.Get(at), asm.Load8(0), asm.I32('0'), asm.Sub, asm.Add, asm.Set(n),
				increase(at, 1),
				asm.Br(1)))),
		asm.Get(n), asm.I32(int64(attempt)), asm.LtS,
		asm.If(
			asm.I32(stderr), p.text(fmt.Sprintf("not before attempt %d\n", attempt)), asm.Call(write),
			asm.I32(1), p.call("proc_exit")),
		asm.I32(stdout), p.text("done\n"), asm.Call(write))
}

// Sleep writes a line to stdout, sleeps for d in one WASI call, and exits with 0.
func Sleep(d time.Duration) []byte {
	p := newProgram("fd_write", "proc_exit", "poll_oneoff")
	write := p.writer()
	const monotonic = 1
	const subscription, event, events = scratch + 64, scratch + 128, scratch + 192
	return p.main(nil,
		asm.I32(stdout), p.text(fmt.Sprintf("sleeping %v\n", d)), asm.Call(write),
		asm.I32(subscription), asm.I32(monotonic), asm.Store(16),
		asm.I32(subscription), asm.I64(int64(d)), asm.Store64(24),
		asm.I32(subscription), asm.I32(event), asm.I32(1), asm.I32(events), p.call("poll_oneoff"),
		asm.If(asm.Unreachable))
}

// Echo copies stdin to stdout until the end, and exits with 0; a read error exits with 74.
func Echo() []byte {
	p := newProgram("fd_write", "fd_read", "proc_exit")
	write := p.writer()
	const iovec, count = scratch + 64, scratch + 72
	return p.main(nil,
		asm.Loop(
			asm.I32(iovec), asm.I32(buffer), asm.Store(0),
			asm.I32(iovec), asm.I32(bufferLen), asm.Store(4),
			asm.I32(0), asm.I32(iovec), asm.I32(1), asm.I32(count), p.call("fd_read"),
			asm.If(asm.I32(74), p.call("proc_exit")),
			asm.I32(count), asm.Load(0),
			asm.If(
				asm.I32(stdout), asm.I32(buffer), asm.I32(count), asm.Load(0), asm.Call(write),
				asm.Br(1))))
}

// Extism gives its input back as its output, both by functions of extism:host/env, and leaves stdin and stdout alone.
func Extism() []byte {
	p := newProgram()
	offset := p.Import("extism:host/env", "input_offset", nil, []asm.Type{i64})
	length := p.Import("extism:host/env", "input_length", nil, []asm.Type{i64})
	set := p.Import("extism:host/env", "output_set", []asm.Type{i64, i64}, nil)
	return p.main(nil, asm.Call(offset), asm.Call(length), asm.Call(set))
}

// Reactor exports `run` in place of `_start`, which writes a line to stdout.
func Reactor() []byte {
	p := newProgram("fd_write", "proc_exit")
	write := p.writer()
	run := p.Func(nil, nil, nil, asm.I32(stdout), p.text("run was called\n"), asm.Call(write))
	p.Export("run", asm.KindFunc, run)
	return p.finish()
}

// Grow grows its memory by these pages of 64 KiB at once, writes to each of them, and exits with 0. It traps when it
// does not get them.
func Grow(pages uint32) []byte {
	var m asm.Module
	const at, end = 0, 1
	start := m.Func(nil, nil, []asm.Type{i32, i32},
		asm.I32(int64(pages)), asm.MemoryGrow, asm.Tee(at), asm.I32(-1), asm.Eq, asm.If(asm.Unreachable),
		asm.Get(at), asm.I32(0x10000), asm.Mul, asm.Set(at),
		asm.Get(at), asm.I32(int64(pages)*0x10000), asm.Add, asm.Set(end),
		asm.Block(asm.Loop(
			asm.Get(at), asm.Get(end), asm.Eq, asm.BrIf(1),
			asm.Get(at), asm.I32(1), asm.Store(0),
			increase(at, 0x10000),
			asm.Br(0))))
	m.Export("_start", asm.KindFunc, start)
	m.Memory(1, asm.NoMax)
	return m.Bytes()
}

// Importing imports a function of the type (i64) -> i64, and returns at once.
func Importing(module, name string) []byte {
	p := newProgram()
	p.Import(module, name, []asm.Type{i64}, []asm.Type{i64})
	return p.main(nil)
}
