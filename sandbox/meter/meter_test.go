package meter_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/wcron/wcron/internal/guest"
	"github.com/wcron/wcron/internal/guest/asm"
	"github.com/wcron/wcron/sandbox/meter"
)

// body is a module with one function () -> () of this code, behind other sections.
func body(code string, sections ...string) []byte {
	code = "\x00" + code + "\x0b"
	list := []string{oneFunc}
	for _, s := range sections {
		if s[0] < 3 {
			list = append(list, s)
		}
	}
	list = append(list, "\x03\x01\x00")
	for _, s := range sections {
		if s[0] > 3 && s[0] <= 9 || s[0] == 12 {
			list = append(list, s)
		}
	}
	list = append(list, "\x0a\x01"+string(asm.AppendSection(nil, 0, []byte(code))[1:]))
	for _, s := range sections {
		if s[0] == 11 {
			list = append(list, s)
		}
	}
	return module(list...)
}

const (
	oneMemory = "\x05\x01\x00\x01"
	oneGlobal = "\x06\x01\x7f\x01\x41\x00\x0b"
	oneTable  = "\x04\x01\x70\x00\x01"
)

// What a module could reach only once it is metered does not exist for it, and newer features are named.
func TestMeterRefuses(t *testing.T) {
	tests := []struct {
		name string
		wasm []byte
		want string
	}{
		{"the fuel", body("\x42\x00\x24\x00"), "global 0 does not exist: there are 0"},
		{"the fuel behind a global", body("\x42\x7f\x24\x01", oneGlobal), "global 1 does not exist: there are 1"},
		{"the stack", body("\x23\x02\x1a", oneGlobal), "global 2 does not exist"},
		{"the slice function", body("\x10\x01"), "function 0: function 1 does not exist: there are 1"},
		{"a helper", body("\x10\x02"), "function 2 does not exist"},
		{"a reference to a helper", body("\xd2\x01\x1a"), "function 1 does not exist"},
		{"a helper in a table", body("", oneTable, "\x09\x01\x00\x41\x00\x0b\x01\x01"), "function 1 does not exist"},
		{"a helper exported", body("", "\x07\x01\x01x\x00\x01"), "function 1 does not exist"},
		{"the fuel exported", body("", oneGlobal, "\x07\x01\x01x\x03\x01"), "global 1 does not exist"},
		{"a helper as start", body("", "\x08\x01"), "function 1 does not exist"},
		{"the fuel as initial value", body("", "\x06\x02\x7e\x01\x42\x00\x0b\x7e\x01\x23\x00\x0b"), "imported global 0 does not exist"},
		{"the stack local", body("\x20\x00\x1a"), "local 0 does not exist: there are 0"},
		{"an added type", body("\x02\x01\x0b"), "type 1 does not exist"},
		{"an added type called", body("\x41\x00\x11\x01\x00", oneTable), "type 1 does not exist"},
		{"the label of the wrapping block", body("\x0c\x01"), "label 1 does not exist: there are 1"},
		{"the slice import", module("\x01\x01\x60\x02\x7e\x7e\x01\x7e", "\x02\x01\x05wcron\x05slice\x00\x00"), `imports from "wcron"`},
		{"the fuel's name", body("", oneGlobal, "\x07\x01\x0awcron.fuel\x03\x00"), `exports "wcron.fuel"`},

		{"too few operands", body("\x41\x00\x6a\x1a"), "needs 2 operands, and 1 are there"},
		{"operands of the block outside", body("\x41\x00\x02\x40\x1a\x0b\x1a"), "needs 1 operands, and 0 are there"},
		{"operands left", body("\x41\x00"), "ends with 1 operands, and gives 0"},
		{"else alone", body("\x05"), "an else without its if"},
		{"code behind the end", body("\x0b\x01"), "behind the end of the function"},
		{"no memory", body("\x41\x00\x28\x02\x00\x1a"), "memory 0 does not exist"},
		{"no table", body("\x41\x00\x11\x00\x00"), "table 0 does not exist"},
		{"no data count", body("\x41\x00\x41\x00\x41\x00\xfc\x08\x00\x00", oneMemory, "\x0b\x01\x01\x00"), "data count"},
		{"no data segment", body("\xfc\x09\x01", "\x0c\x01", "\x0b\x01\x01\x00"), "data segment 1 does not exist"},
		{"no element segment", body("\xfc\x0d\x00"), "element segment 0 does not exist"},

		{"tail call", body("\x12\x00"), "tail call"},
		{"exception", body("\x08\x00"), "exception"},
		{"exception tag", module(oneFunc, "\x0d\x01\x00\x00"), "section id 13: the exception"},
		{"typed reference", body("\x14\x00"), "typed function references"},
		{"GC object", body("\xfb\x00\x00"), "garbage collection"},
		{"GC type", module("\x01\x01\x5f\x00"), "garbage collection"},
		{"atomic", body("\xfe\x00\x02\x00"), "threads"},
		{"relaxed SIMD", body("\xfd\x80\x02"), "relaxed SIMD"},
		{"second memory", body("\x3f\x01\x1a", oneMemory), "multi-memory"},
		{"access of a second memory", body("\x41\x00\x28\x42\x01\x00\x1a", oneMemory), "multi-memory"},
		{"wide arithmetic", body("\xfc\x13"), "wide arithmetic"},
		{"extended constant", body("", "\x06\x01\x7f\x00\x41\x00\x41\x00\x6a\x0b"), "extended constant"},
		{"noise", body("\xff"), "instruction 0xff is unknown"},
		{"reserved vector instruction", body("\xfd\x9a\x01"), "is unknown"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := meter.Meter(test.wasm, meter.Options{})
			var me *meter.Error
			if !errors.As(err, &me) || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want an *Error with %q", err, test.want)
			}
			if me.Offset < 0 || me.Offset > int64(len(test.wasm)) {
				t.Errorf("offset %d lies outside of %d bytes", me.Offset, len(test.wasm))
			}
		})
	}
}

// Metering keeps what a module shows, adds what it must, and gives the same bytes each time.
func TestMeterKeepsTheInterface(t *testing.T) {
	wasm, err := meter.SetCustom(guest.Print("out", "err", 3), "note", []byte("dropped"))
	if err != nil {
		t.Fatal(err)
	}
	kept := bytes.Clone(wasm)
	metered, before, err := meter.Meter(wasm, meter.Options{})
	if err != nil {
		t.Fatal(err)
	}
	again, _, _ := meter.Meter(wasm, meter.Options{})
	if !bytes.Equal(metered, again) || !bytes.Equal(wasm, kept) {
		t.Error("metering is not a function of its bytes")
	}
	after, err := meter.Check(metered, meter.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(after.Imports), len(before.Imports)+1; got != want {
		t.Errorf("%d imports, want %d", got, want)
	}
	last := after.Imports[len(after.Imports)-1]
	if last.Module != meter.ImportModule || last.Name != meter.ImportName || last.Kind != meter.Func {
		t.Errorf("the last import is %+v", last)
	}
	for _, e := range before.Exports {
		if got, found := after.Export(e.Name); !found || got.Kind != e.Kind {
			t.Errorf("export %q is %+v, %v", e.Name, got, found)
		}
	}
	if e, found := after.Export(meter.FuelExport); !found || e.Kind != meter.Global {
		t.Error("the fuel is not exported")
	}
	if _, found, _ := meter.Custom(metered, "note"); found {
		t.Error("a custom section was kept")
	}
	if _, _, err := meter.Meter(metered, meter.Options{}); err == nil {
		t.Error("a metered module was metered again")
	}
}

// No cut and no flipped byte makes it panic.
func TestMeterSurvivesDamage(t *testing.T) {
	wasm := guest.Hello()
	for i := range wasm {
		meter.Meter(wasm[:i], meter.Options{})
		for _, b := range []byte{0x00, 0x0b, 0x40, 0x7f, 0x80, 0xff, 0xfc, 0xfd} {
			bad := bytes.Clone(wasm)
			bad[i] = b
			meter.Meter(bad, meter.Options{})
		}
	}
}

func FuzzMeter(f *testing.F) {
	f.Add(guest.Hello())
	f.Add(guest.GrowForever())
	f.Add(guest.CallTree(3))
	f.Add(body("\x03\x40\x03\x40\x0c\x01\x0b\x0b"))
	f.Add(body("\x41\x00\x41\x00\x41\x00\xfc\x0b\x00", oneMemory))
	f.Fuzz(func(t *testing.T, wasm []byte) {
		metered, _, err := meter.Meter(wasm, meter.Options{})
		if err != nil {
			return
		}
		if _, err := meter.Check(metered, meter.Limits{ModuleSize: 1 << 40, FunctionSize: 1 << 40}); err != nil {
			t.Errorf("the metered module is malformed: %v", err)
		}
	})
}
