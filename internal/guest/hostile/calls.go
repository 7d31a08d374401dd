package hostile

import (
	"time"

	"github.com/wcron/wcron/internal/guest"
	"github.com/wcron/wcron/internal/guest/asm"
)

var clockParams = []asm.Type{i32, i64, i32}

// calls stay in host calls for ever, or come back to them.
func calls() []Shape {
	from := func(s Shape, stdin, stdout Stream) Shape {
		s.Stdin, s.Stdout = stdin, stdout
		return s
	}
	loop := func(name, about, call string, mem uint32, args ...int64) Shape {
		return deadline(name, about, caller(call, words(len(args)), mem, nil,
			func(call asm.Code) asm.Code { return forever(numbers(args...), call, asm.Drop) }))
	}
	return []Shape{
		deadline("clock", "clock_time_get for ever", func() []byte { return clock(false) }),
		deadline("clock-indirect", "the same through a table", func() []byte { return clock(true) }),
		loop("sched-yield", "sched_yield for ever", "sched_yield", 1),
		loop("args-get", "args_get for ever", "args_get", 1, 0, 1024),
		loop("environ-get", "environ_get for ever", "environ_get", 1, 0, 1024),
		loop("close-everything", "fd_close of the streams for ever", "fd_close", 1, 1),
		loop("proc-raise", "proc_raise of SIGKILL for ever", "proc_raise", 1, 9),
		loop("random", "random_get of 60 MiB for ever", "random_get", pages, 0, 60<<20),
		deadline("random-gigabytes", "randomness without end in one loop of large calls", randomLots),
		deadline("path-long", "path_open of a path of 60 MiB for ever", pathOpen),
		deadline("sleep-hour", "a sleep of an hour", func() []byte { return guest.Sleep(time.Hour) }),
		deadline("sleep-292-years", "a sleep of 292 years", func() []byte { return guest.Sleep(1<<63 - 1) }),
		deadline("sleep-then-exit", "a sleep of an hour, then exit 7, which must not count", sleepThenExit),
		deadline("sleep-nothing", "a sleep of nothing for ever", caller("poll_oneoff", words(4), 1, nil, func(call asm.Code) asm.Code {
			return forever(numbers(0, 128, 1, 256), call, asm.Drop)
		})),
		deadline("poll-stdout", "poll_oneoff for stdout to be writable, which it is, for ever",
			poll(2, 1, forever)),
		from(deadline("poll-stdin", "poll_oneoff for stdin, of which nothing comes, for ever", poll(1, 0, forever)), Stuck, Nothing),
		deadline("poll-million", "poll_oneoff with a million subscriptions for ever", pollMillion),
		deadline("flood", "lines to stdout without end", guest.Flood),
		from(deadline("flood-stuck", "lines to a stdout that nobody reads", guest.Flood), Nothing, Stuck),
		from(deadline("read-endless", "a stdin without end, copied to stdout", guest.Echo), Endless, Nothing),
		from(deadline("read-silent", "a stdin that never comes", guest.Echo), Stuck, Nothing),
		deadline("write-vectors", "fd_write of 131,072 buffers of 64 KiB", vectors("fd_write", 1, 131_072, 65536)),
		deadline("write-empty-vectors", "fd_write of four million empty buffers", vectors("fd_write", 1, 4<<20, 0)),
		from(deadline("read-vectors", "fd_read into 131,072 buffers of 64 KiB", vectors("fd_read", 0, 131_072, 65536)), Endless, Nothing),
		deadline("read-empty-vectors", "fd_read into four million empty buffers", vectors("fd_read", 0, 4<<20, 0)),
	}
}

// clock asks for the time, which is cheap.
func clock(indirect bool) []byte {
	var m asm.Module
	f := m.Import(wasi, "clock_time_get", clockParams, words(1))
	m.Memory(1, asm.NoMax)
	call := asm.Call(f)
	if indirect {
		call = asm.Cat(asm.I32(0), asm.CallIndirect(0))
	}
	m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil, forever(asm.I32(1), asm.I64(0), asm.I32(0), call, asm.Drop)))
	if indirect {
		return asm.WithTable(m.Bytes(), 1, f)
	}
	return m.Bytes()
}

func randomLots() []byte {
	return caller("random_get", words(2), pages, nil, func(call asm.Code) asm.Code {
		return forever(asm.Repeat(1000, asm.Cat(numbers(0, all), call, asm.Drop)))
	})()
}

func pathOpen() []byte {
	var m asm.Module
	f := m.Import(wasi, "path_open", []asm.Type{i32, i32, i32, i32, i32, i64, i64, i32, i32}, words(1))
	m.Memory(pages, asm.NoMax)
	m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil,
		numbers(0, '/', 60<<20), asm.MemoryFill,
		forever(numbers(3, 0, 0, 60<<20, 0), asm.I64(0), asm.I64(0), numbers(0, 0), asm.Call(f), asm.Drop)))
	return m.Bytes()
}

func sleepThenExit() []byte {
	var m asm.Module
	poll := m.Import(wasi, "poll_oneoff", words(4), words(1))
	exit := m.Import(wasi, "proc_exit", words(1), nil)
	m.Memory(1, asm.NoMax)
	m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil,
		asm.I32(0), asm.I64(int64(time.Hour)), asm.Store64(24),
		numbers(0, 128, 1, 256), asm.Call(poll), asm.Drop,
		asm.I32(7), asm.Call(exit)))
	return m.Bytes()
}

// poll waits for one file descriptor; kind 1 is for reading, 2 for writing.
func poll(kind, fd int64, around func(...asm.Code) asm.Code) func() []byte {
	return caller("poll_oneoff", words(4), 1, nil, func(call asm.Code) asm.Code {
		return asm.Cat(numbers(8, kind), asm.Store8(0), numbers(16, fd), asm.Store(0),
			around(numbers(0, 128, 1, 256), call, asm.Drop))
	})
}

// pollMillion subscribes to the clock so often, each time for an hour but for one that is over at once.
func pollMillion() []byte {
	return caller("poll_oneoff", words(4), pages, nil, func(call asm.Code) asm.Code {
		return forever(numbers(0, 0, 1_000_000, 60<<20), call, asm.Drop)
	})()
}

// vectors makes one call with that many buffers of that size, again and again.
func vectors(call string, fd, buffers, size int64) func() []byte {
	const at, vectors = 0, 65536
	return caller(call, words(4), pages, words(1), func(call asm.Code) asm.Code {
		return asm.Cat(
			asm.I32(vectors), asm.Set(at),
			asm.Loop(
				asm.Get(at), asm.I32(0), asm.Store(0), asm.Get(at), asm.I32(size), asm.Store(4),
				asm.Get(at), asm.I32(8), asm.Add, asm.Tee(at), asm.I32(vectors+8*buffers), asm.Ne, asm.BrIf(0)),
			forever(numbers(fd, vectors, buffers, 0), call, asm.Drop))
	})
}
