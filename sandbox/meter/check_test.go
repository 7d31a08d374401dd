package meter_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/wcron/wcron/internal/guest"
	"github.com/wcron/wcron/internal/guest/asm"
	"github.com/wcron/wcron/sandbox/meter"
)

const header = "\x00asm\x01\x00\x00\x00"

// module puts a module together from pairs of a section id and its content.
func module(sections ...string) []byte {
	out := []byte(header)
	for _, s := range sections {
		out = asm.AppendSection(out, s[0], []byte(s[1:]))
	}
	return out
}

const oneFunc = "\x01\x01\x60\x00\x00" // the type section of a function () -> ()

func TestCheckRefuses(t *testing.T) {
	const huge = "\xff\xff\xff\xff\x0f"
	tests := []struct {
		name string
		wasm []byte
		want string
	}{
		{"empty", nil, "offset 0x0: the file is empty"},
		{"ELF", []byte("\x7fELF\x02\x01\x01"), "native program"},
		{"gzip", []byte("\x1f\x8b\x08"), "gunzip"},
		{"zip", []byte("PK\x03\x04"), "zip file"},
		{"HTML", []byte("\n<!DOCTYPE html><html>"), "HTML page"},
		{"script", []byte("#!/bin/sh\n"), "script"},
		{"wat", []byte("(module)"), "wat2wasm"},
		{"LFS pointer", []byte("version https://git-lfs.github.com/spec/v1\n"), "git lfs pull"},
		{"text", []byte("hello"), "text file"},
		{"zeros", make([]byte, 100), "begins with zeros"},
		{"noise", []byte("\x9e\x00\x01"), "not a WebAssembly module"},
		{"half a header", []byte("\x00asm\x01"), "offset 0x5: the file ends within its header"},
		{"component", []byte("\x00asm\x0d\x00\x01\x00"), "offset 0x4: this is a component"},
		{"version", []byte("\x00asm\x02\x00\x00\x00"), "version 0x2 is unknown"},
		{"section id", module("\x0e"), "section id 14 is unknown"},
		{"section cut off", []byte(header + "\x01\x7f\x00"), "offset 0x9: the type section is cut off: 127 bytes announced, 1 left"},
		{"size not a number", []byte(header + "\x01\xff\xff\xff\xff\x1f"), "not a number of 32 bits"},
		{"order", module("\x02\x00", oneFunc), "the type section stands behind the import section"},
		{"data count behind code", module("\x0a\x00", "\x0c\x00"), "data count section stands behind the code section"},
		{"twice", module(oneFunc, oneFunc), "a second type section"},
		{"types announced", module("\x01" + huge), "offset 0xa: 4294967295 types are announced, but only 0 bytes are left"},
		{"imports announced", module("\x02" + huge), "4294967295 imports"},
		{"functions announced", module("\x03" + huge), "4294967295 functions"},
		{"tables announced", module("\x04" + huge), "4294967295 tables"},
		{"memories announced", module("\x05" + huge), "4294967295 memories"},
		{"globals announced", module("\x06" + huge), "4294967295 globals"},
		{"exports announced", module("\x07" + huge), "4294967295 exports"},
		{"elements announced", module("\x09" + huge), "4294967295 element segments"},
		{"code announced", module("\x0a" + huge), "4294967295 functions"},
		{"data announced", module("\x0b" + huge), "4294967295 data segments"},
		{"data count", module("\x0c" + huge), "raise limits.entries"},
		{"table entries announced", module("\x09\x01\x01\x00" + huge), "4294967295 elements"},
		{"bytes announced", module("\x0b\x01\x01" + huge), "4294967295 bytes of a data segment"},
		{"arity", module("\x01\x01\x60\xe9\x07" + strings.Repeat("\x7f", 1001) + "\x00"), "type 0: 1001 parameters are above the limit of 1000; raise limits.params"},
		{"value type", module("\x01\x01\x60\x01\x01\x00"), "value type 0x1 is unknown"},
		{"locals", module(oneFunc, "\x03\x01\x00", "\x0a\x01\x08\x01\xff\xff\xff\xff\x0f\x7f\x0b"),
			"function 0: 4294967295 locals and more are above the limit of 50000; raise limits.locals"},
		{"locals in sum", module(oneFunc, "\x03\x01\x00", "\x0a\x01\x0a\x02\xd0\x86\x03\x7f\x01\x7f\x00\x00\x0b"), "raise limits.locals"},
		{"locals past the code", module(oneFunc, "\x03\x01\x00", "\x0a\x01\x03\x02\x01\x7f\x0b"), "function 0: a number of locals is cut off"},
		{"code without end", module(oneFunc, "\x03\x01\x00", "\x0a\x01\x02\x00\x01"), "does not close"},
		{"code missing", module(oneFunc, "\x03\x01\x00"), "1 functions are declared, but the code section has 0"},
		{"section too long", module(oneFunc + "\x00"), "1 bytes too many in the type section"},
		{"table", module("\x04\x01\x70\x00\xa1\x8d\x06"), "raise limits.table_size"},
		{"tables", module("\x04\x0b" + strings.Repeat("\x70\x00\x00", 11)), "11 tables are above the limit of 10; raise limits.tables"},
		{"memory of 4 GiB", module("\x05\x01\x00\x80\x80\x04"), "memory minimum of 4 GiB is above the limit"},
		{"memory64", module("\x05\x01\x04\x01"), "memory64"},
		{"shared memory", module("\x05\x01\x03\x01\x02"), "threads"},
		{"memory range", module("\x05\x01\x01\x02\x01"), "maximum of a memory is below its minimum"},
		{"two memories", module("\x05\x02\x00\x01\x00\x01"), "multi-memory"},
		{"import kind", module("\x02\x01\x00\x00\x04\x00\x00"), "import kind 0x4"},
		{"export kind", module("\x07\x01\x00\x04\x00"), "export kind 0x4"},
		{"export name", module("\x07\x01\x01\xff\x00\x00"), "not valid UTF-8"},
		{"mutability", module("\x06\x01\x7f\x02\x41\x00\x0b"), "mutability 0x2"},
		{"constant", module("\x06\x01\x7f\x00\x10\x00\x0b"), "instruction 0x10 cannot stand"},
		{"constant without end", module("\x06\x01\x7f\x00\x41\x00"), "constant expression is cut off"},
		{"custom without name", module("\x00"), "length of the name of a custom section is cut off"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := meter.Check(test.wasm, meter.Limits{})
			var me *meter.Error
			if !errors.As(err, &me) {
				t.Fatalf("got %v, want an *Error", err)
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %q, want %q in it", err, test.want)
			}
			if me.Offset < 0 || me.Offset > int64(len(test.wasm)) {
				t.Errorf("offset %d lies outside of %d bytes", me.Offset, len(test.wasm))
			}
		})
	}
}

func TestInfo(t *testing.T) {
	var m asm.Module
	imported := m.Import("env", "f", nil, nil)
	start := m.Func(nil, nil, []asm.Type{asm.TypeI32}, asm.Call(imported))
	m.Export("_start", asm.KindFunc, start)
	m.Memory(3, 7)
	m.Start(start)
	m.Custom("note", []byte("abc"))
	info, err := meter.Check(m.Bytes(), meter.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if len(info.Imports) != 1 || info.Imports[0] != (meter.Import{Module: "env", Name: "f", Kind: meter.Func}) {
		t.Errorf("imports %v", info.Imports)
	}
	if e, ok := info.Export("_start"); !ok || e.Kind != meter.Func || e.Index != 1 {
		t.Errorf("export %v, %v", e, ok)
	}
	if _, ok := info.Export("other"); ok {
		t.Error("found an export that is not there")
	}
	if !info.HasStart || !info.HasMemory || info.MinMemory() != 3<<16 || !info.HasMax || info.MaxPages != 7 {
		t.Errorf("got %+v", info)
	}
	if info.Functions != 1 || len(info.Customs) != 1 || info.Customs[0] != (meter.CustomSection{Name: "note", Size: 3}) {
		t.Errorf("got %+v", info)
	}
}

func TestNameSection(t *testing.T) {
	tests := []struct {
		name    string
		content string
		drop    bool
	}{
		{"good", "\x00\x02\x01m\x01\x04\x01\x00\x01f", false},
		{"locals", "\x02\x06\x01\x00\x01\x00\x01x", false},
		{"unknown kind", "\x09\x02\xff\xff", false},
		{"names announced", "\x01\x05\xff\xff\xff\xff\x0f", true},
		{"locals announced", "\x02\x07\x01\x00\xff\xff\xff\xff\x0f", true},
		{"too long", "\x01\x7f\x00", true},
		{"not UTF-8", "\x00\x02\x01\xff", true},
		{"bytes left over", "\x00\x03\x01mm", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var m asm.Module
			m.Custom("name", []byte(test.content))
			info, err := meter.Check(m.Bytes(), meter.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if info.DropNames != test.drop {
				t.Errorf("DropNames is %v", info.DropNames)
			}
		})
	}
	var m asm.Module
	m.Custom("name", nil)
	m.Custom("name", nil)
	if info, err := meter.Check(m.Bytes(), meter.Limits{}); err != nil || !info.DropNames {
		t.Errorf("two name sections: %v, %v", info, err)
	}
}

// A file that is cut off anywhere is refused, or (at the border of two sections) is a shorter module.
func TestCheckOfEveryPrefix(t *testing.T) {
	for _, wasm := range [][]byte{guest.Hello(), guest.WithManifest(guest.Echo(), "a = 1")} {
		for n := range wasm {
			if _, err := meter.Check(wasm[:n], meter.Limits{}); err == nil && n < len(header) {
				t.Errorf("%d bytes were accepted", n)
			}
		}
		for i := range wasm {
			for _, bit := range []byte{0x01, 0x80, 0xff} {
				wasm[i] ^= bit
				meter.Check(wasm, meter.Limits{})
				wasm[i] ^= bit
			}
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(guest.Hello())
	f.Add(guest.Recurse())
	f.Add(module("\x09\x01\x05\x70\x01\xd0\x70\x0b", "\x0b\x01\x02\x00\x41\x00\x0b\x01x"))
	f.Fuzz(func(t *testing.T, wasm []byte) {
		info, err := meter.Check(wasm, meter.Limits{})
		if err == nil && len(info.Imports)+len(info.Exports)+info.Functions+len(info.Customs) > len(wasm) {
			t.Errorf("%d bytes hold more than that many things: %+v", len(wasm), info)
		}
	})
}
