package hostile

import (
	"encoding/binary"

	"github.com/wcron/wcron/internal/guest"
	"github.com/wcron/wcron/internal/guest/asm"
	"github.com/wcron/wcron/sandbox/meter"
)

// forgeries try to pass one ending off as another, to refill their own fuel, and to make the host fail.
func forgeries() []Shape {
	const wasmError = "(recovered by wazero)"
	return []Shape{
		exits("forge-deadline", "the exit code by which the engine tells of a deadline", 0xefffffff, func() []byte { return guest.Exit(0xefffffff) }),
		exits("forge-cancel", "the exit code by which the engine tells of a cancel", 0xffffffff, func() []byte { return guest.Exit(0xffffffff) }),
		exits("forge-in-start", "the same in the start section", 0xffffffff, func() []byte { return exitInStart(0xffffffff) }),
		exits("forge-ok", "exit 0 in the start section, which is an error to the engine", 0, func() []byte { return exitInStart(0) }),
		trapped("forge-host-fault", "a trap in a start function exported under the engine's words for a panic of the host", "trap",
			func() []byte { return trapNamed(wasmError) }),
		trapped("forge-host-fault-name", "a trap in a function named by these words on a line of their own", "trap",
			func() []byte { return nameFunction(guest.Trap(), "x\nwasm error: y "+wasmError+"\n") }),
		trapped("forge-memory", "a trap named like a growth that was refused", "trap",
			func() []byte { return nameFunction(guest.Trap(), "growing its memory to 5 GiB was refused") }),
		exits("wild-pointers", "WASI calls with pointers behind the memory, which must give an error each", 0, wildPointers),
		exits("poll-overflow", "poll_oneoff with a number of subscriptions that overflows 32 bits", 0, pollOverflow),
		deadline("refill-own-global", "a loop that sets its own global, where a careless rewrite puts the fuel", refillOwnGlobal),
		deadline("refill-other-exports", "a loop beside exports named like metering's functions", refillExports),
		refused("refill-global", "a loop that sets a global that does not exist before metering", "global 0 does not exist",
			command(0, nil, forever(asm.I64(1<<62), asm.GlobalSet(0)))),
		refused("refill-stack-global", "the same for the stack's global", "global 1 does not exist",
			command(0, nil, forever(asm.I64(1<<62), asm.GlobalSet(1)))),
		refused("refill-call", "a call of the function that metering imports", "function 1 does not exist", command(0, nil, asm.Call(1))),
		refused("refill-import", "the import of metering's own function", `imports from "wcron"`, func() []byte {
			var m asm.Module
			slice := m.Import(meter.ImportModule, meter.ImportName, []asm.Type{i64, i64}, []asm.Type{i64})
			m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil, forever(asm.I64(1), asm.I64(1), asm.Call(slice), asm.Drop)))
			return m.Bytes()
		}),
		refused("refill-export", "an export under the name of the fuel", `exports "wcron.fuel"`, func() []byte {
			var m asm.Module
			m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil, forever()))
			m.Export(meter.FuelExport, asm.KindFunc, 0)
			return m.Bytes()
		}),
		refused("refill-export-global", "an export of the global that holds the fuel", "global 0 does not exist", func() []byte {
			var m asm.Module
			m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil, forever()))
			m.Export("fuel", 3, 0)
			return m.Bytes()
		}),
		refused("refill-element", "a helper of metering's in a table", "function 2 does not exist", func() []byte {
			return asm.WithTable(command(0, nil, asm.I32(0), asm.CallIndirect(0))(), 1, 2)
		}),
	}
}

func exitInStart(code int64) []byte {
	var m asm.Module
	exit := m.Import(wasi, "proc_exit", words(1), nil)
	m.Start(m.Func(nil, nil, nil, asm.I32(code), asm.Call(exit)))
	m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil, asm.Unreachable))
	return m.Bytes()
}

func trapNamed(name string) []byte {
	var m asm.Module
	first := m.Func(nil, nil, nil)
	m.Start(m.Func(nil, nil, nil, asm.Unreachable))
	last := m.Func(nil, nil, nil)
	m.Export("_start", asm.KindFunc, first)
	for f := first; f <= last; f++ { // the engine takes the name of one beside it
		m.Export(name+string(rune('0'+f)), asm.KindFunc, f)
	}
	return m.Bytes()
}

// nameFunction names the function 0 of a module.
func nameFunction(wasm []byte, name string) []byte {
	names := append(binary.AppendUvarint([]byte{1, 0}, uint64(len(name))), name...)
	section := append(binary.AppendUvarint([]byte{1}, uint64(len(names))), names...)
	named, err := meter.SetCustom(wasm, "name", section)
	if err != nil {
		panic(err) // the module is our own
	}
	return named
}

// wildPointers traps if a call that must fail does not.
func wildPointers() []byte {
	const wild = 0xfffffff0
	var m asm.Module
	type call struct {
		name string
		args []asm.Type
		push asm.Code
	}
	list := []call{
		{"args_get", words(2), numbers(wild, wild)},
		{"args_sizes_get", words(2), numbers(wild, wild)},
		{"environ_sizes_get", words(2), numbers(wild, wild)},
		{"clock_time_get", clockParams, asm.Cat(asm.I32(0), asm.I64(0), asm.I32(wild))},
		{"clock_res_get", words(2), numbers(0, wild)},
		{"fd_write", words(4), numbers(1, wild, 1, 0)},
		{"fd_write", words(4), numbers(1, 0, 0x1fffffff, wild)},
		{"fd_read", words(4), numbers(0, wild, 1, 0)},
		{"fd_pread", []asm.Type{i32, i32, i32, i64, i32}, asm.Cat(numbers(0, wild, 1), asm.I64(-1), asm.I32(wild))},
		{"fd_fdstat_get", words(2), numbers(1, wild)},
		{"fd_filestat_get", words(2), numbers(1, wild)},
		{"fd_filestat_set_times", []asm.Type{i32, i64, i64, i32}, asm.Cat(asm.I32(99), asm.I64(0), asm.I64(0), asm.I32(5))},
		{"fd_prestat_get", words(2), numbers(3, wild)},
		{"fd_prestat_dir_name", words(3), numbers(3, wild, wild)},
		{"fd_readdir", []asm.Type{i32, i32, i32, i64, i32}, asm.Cat(numbers(0, wild, wild), asm.I64(-1), asm.I32(wild))},
		{"fd_close", words(1), numbers(-1)},
		{"fd_renumber", words(2), numbers(-1, 0x7fffffff)},
		{"path_open", []asm.Type{i32, i32, i32, i32, i32, i64, i64, i32, i32},
			asm.Cat(numbers(3, -1, wild, wild, -1), asm.I64(-1), asm.I64(-1), numbers(-1, wild))},
		{"path_readlink", words(6), numbers(3, wild, wild, wild, wild, wild)},
		{"poll_oneoff", words(4), numbers(wild, wild, 1, wild)},
		{"poll_oneoff", words(4), numbers(0, 0, -1, 0)},
		{"random_get", words(2), numbers(wild, wild)},
		{"sock_accept", words(3), numbers(3, 0, wild)},
	}
	var calls []uint32
	for _, c := range list {
		calls = append(calls, m.Import(wasi, c.name, c.args, words(1)))
	}
	m.Memory(1, 1)
	var code asm.Code
	for i, c := range list {
		code = append(code, asm.Cat(c.push, asm.Call(calls[i]), asm.Eqz, asm.If(asm.Unreachable))...)
	}
	m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil, code))
	return m.Bytes()
}

// pollOverflow asks for so many subscriptions that 48 bytes for each are 32 bytes in 32 bits, or none at all.
func pollOverflow() []byte {
	return caller("poll_oneoff", words(4), 1, nil, func(call asm.Code) asm.Code {
		one := func(n int64) asm.Code {
			return asm.Cat(numbers(0, 1024, n, 0), call, asm.Eqz, asm.If(asm.Unreachable))
		}
		return asm.Cat(one(0x05555556), one(0x10000000), one(0x55555556))
	})()
}

func refillOwnGlobal() []byte {
	wasm := command(0, nil, forever(asm.I64(1<<62), asm.GlobalSet(0)))()
	return asm.Insert(wasm, 6, append([]byte{1, 0x7e, 1}, append(asm.I64(1<<62), 0x0b)...))
}

func refillExports() []byte {
	var m asm.Module
	slice := m.Func([]asm.Type{i64, i64}, []asm.Type{i64}, nil, asm.I64(1<<62))
	refill := m.Func(nil, nil, nil)
	m.Export(meter.ImportModule+"."+meter.ImportName, asm.KindFunc, slice)
	m.Export(meter.ImportName, asm.KindFunc, slice)
	m.Export(meter.HelperPrefix+"refill", asm.KindFunc, refill)
	m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil, forever(asm.Call(refill))))
	return m.Bytes()
}
