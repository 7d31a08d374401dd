package hostile

import (
	"bytes"
	"encoding/binary"

	"github.com/wcron/wcron/internal/guest"
	"github.com/wcron/wcron/internal/guest/asm"
)

const header = "\x00asm\x01\x00\x00\x00"

// malformed are modules that must be refused before the engine sees them: many of them kill or occupy it.
func malformed() []Shape {
	return []Shape{
		refused("empty", "a file of no bytes", "empty", func() []byte { return nil }),
		refused("cut-off", "half of a module", "offset", func() []byte { return guest.Hello()[:100] }),
		refused("component", "a component", "component", plain("\x00asm\x0d\x00\x01\x00")),
		refused("claims-types", "15 bytes that claim 2^32-1 types", "types", claims(1)),
		refused("claims-imports", "15 bytes that claim 2^32-1 imports, 481 GB to the engine", "imports", claims(2)),
		refused("claims-functions", "the same with functions", "functions", claims(3)),
		refused("claims-tables", "the same with tables", "tables", claims(4)),
		refused("claims-globals", "the same with globals", "globals", claims(6)),
		refused("claims-exports", "the same with exports", "exports", claims(7)),
		refused("claims-elements", "the same with element segments", "element", claims(9)),
		refused("claims-bodies", "the same with function bodies", "functions", claims(10)),
		refused("claims-data", "the same with data segments", "data segments", claims(11)),
		refused("locals-4-billion", "a function of 2^32-1 locals in 46 bytes", "raise limits.locals", func() []byte { return locals(1<<32 - 1) }),
		refused("locals-200-million", "one of 200 million, 5 GB to the compiler", "raise limits.locals", func() []byte { return locals(200_000_000) }),
		refused("parameters", "a type of 100,000 parameters", "raise limits.params", parameters),
		refused("nesting", "100,000 blocks within each other, over a minute to the compiler", "raise limits.nesting",
			command(0, nil, asm.Repeat(100_000, asm.Code{0x02, 0x40}), asm.Repeat(100_000, asm.Code{0x0b}))),
		refused("branches", "a br_table of 500,000 targets, likewise", "raise limits.branches",
			command(0, nil, asm.I32(0), asm.BrTable(make([]uint32, 500_000)...))),
		refused("body", "a function of 2 MB", "raise limits.function_size", command(0, nil, asm.Repeat(2<<20, asm.Code{0x01}))),
		refused("tables", "a thousand tables of 2^27 entries", "raise limits.tables", tables),
		refused("table-minimum", "a table that begins with 2^32-1 entries", "raise limits.table_size",
			func() []byte { return asm.WithTable(command(0, nil)(), 1<<32-1) }),
		refused("memory64", "a memory of 64 bits", "wasm32", memory(4)),
		refused("threads", "a shared memory", "threads", memory(3)),
		refused("tail-call", "a tail call", "tail call", command(0, nil, asm.Code{0x12, 0})),
		refused("duplicate-export", "two exports of one name", "does not compile", func() []byte {
			var m asm.Module
			f := m.Func(nil, nil, nil)
			m.Export("_start", asm.KindFunc, f)
			m.Export("_start", asm.KindFunc, f)
			return m.Bytes()
		}),
		refused("wrong-types", "code that adds what cannot be added", "does not compile",
			command(0, nil, asm.I32(1), asm.I64(1), asm.Add, asm.Drop)),
		refused("unknown-import", "the import of a function that no host has", "mystery", guest.ImportUnknown),
		refused("no-memory", "a module that asks for the time and has no memory for it, which makes the engine fail", "it has none", func() []byte {
			var m asm.Module
			clock := m.Import(wasi, "clock_time_get", clockParams, words(1))
			m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil, asm.I32(0), asm.I64(0), asm.I32(0), asm.Call(clock), asm.Drop))
			return m.Bytes()
		}),
		refused("no-entry", "a module without an entry point", "_start", guest.NoEntry),
		refused("section-too-long", "a section longer than the file", "offset", plain(header+"\x01\xff\xff\xff\xff\x0f")),
		refused("number-too-long", "a number of more bytes than it may have", "offset", plain(header+"\x01\x80\x80\x80\x80\x80\x80\x00")),
	}
}

func plain(s string) func() []byte { return func() []byte { return []byte(s) } }

// claims is a module whose section says that it has 2^32-1 items, and has none.
func claims(section byte) func() []byte {
	return plain(header + string([]byte{section, 5, 0xff, 0xff, 0xff, 0xff, 0x0f}))
}

func locals(n uint64) []byte {
	body := binary.AppendUvarint([]byte{1}, n)
	body = append(body, i64, 0x0b)
	out := []byte(header + "\x01\x04\x01\x60\x00\x00" + "\x03\x02\x01\x00")
	return asm.AppendSection(out, 10, append([]byte{1, byte(len(body))}, body...))
}

func parameters() []byte {
	typ := binary.AppendUvarint([]byte{1, 0x60}, 100_000)
	typ = append(typ, bytes.Repeat([]byte{i32}, 100_000)...)
	return asm.AppendSection([]byte(header), 1, append(typ, 0))
}

func tables() []byte {
	one := binary.AppendUvarint([]byte{0x70, 0}, 1<<27)
	section := append(binary.AppendUvarint(nil, 1000), bytes.Repeat(one, 1000)...)
	return asm.Insert(command(0, nil)(), 4, section)
}

func memory(flags byte) func() []byte {
	return func() []byte { return asm.Insert(command(0, nil)(), 5, []byte{1, flags, 1, 1}) }
}
