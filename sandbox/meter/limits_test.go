package meter_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/wcron/wcron/internal/guest"
	"github.com/wcron/wcron/internal/guest/asm"
	"github.com/wcron/wcron/sandbox/meter"
)

// keyOf is the key of a field of Limits: ModuleSize is module_size.
func keyOf(field string) string {
	var b strings.Builder
	for i, r := range field {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// named gives function 0 of a module the name "hot".
func named(wasm []byte) []byte {
	out, err := meter.SetCustom(wasm, "name", []byte("\x01\x06\x01\x00\x03hot"))
	if err != nil {
		panic(err)
	}
	return out
}

// Every limit is held, and the error says which key to raise and, where the fault lies in a function, in which one.
func TestEveryLimit(t *testing.T) {
	const oneLocal = "\x01\x02\x7f"
	locals := module(oneFunc, "\x03\x02\x00\x00", "\x0a\x02"+"\x04"+oneLocal+"\x0b"+"\x04"+oneLocal+"\x0b")
	wide := module("\x01\x02\x60\x00\x00\x60\x03\x7f\x7f\x7f\x02\x7f\x7f", "\x03\x01\x00", "\x0a\x01\x02\x00\x0b")
	calls := module("\x01\x01\x60\x01\x7f\x01\x7f", "\x03\x01\x00", "\x0a\x01\x0a\x00\x20\x00\x10\x00\x10\x00\x10\x00\x0b")
	big := guest.Greet(strings.Repeat("x", 5000))
	tests := map[string]struct {
		lim        meter.Limits // one above what holds
		wasm       []byte
		inFunction bool
	}{
		"ModuleSize":   {meter.Limits{ModuleSize: int64(len(big)) - 1}, big, false},
		"FunctionSize": {meter.Limits{FunctionSize: 41}, named(body(strings.Repeat("\x01", 40))), true},
		"Functions":    {meter.Limits{Functions: 1}, locals, false},
		"Locals":       {meter.Limits{Locals: 1}, named(locals), true},
		"Nesting":      {meter.Limits{Nesting: 19}, named(body(strings.Repeat("\x02\x40", 20) + strings.Repeat("\x0b", 20))), true},
		"Branches":     {meter.Limits{Branches: 4}, named(body("\x41\x00\x0e\x05" + strings.Repeat("\x00", 6))), true},
		"Entries":      {meter.Limits{Entries: 1}, wide, false},
		"Elements":     {meter.Limits{Elements: 1}, body("", oneTable, "\x09\x01\x00\x41\x00\x0b\x02\x00\x00"), false},
		"Tables":       {meter.Limits{Tables: 1}, body("", "\x04\x02\x70\x00\x01\x70\x00\x01"), false},
		"TableSize":    {meter.Limits{TableSize: 4}, body("", "\x04\x01\x70\x00\x05"), false},
		"DataSize":     {meter.Limits{DataSize: 4999}, big, false},
		"Params":       {meter.Limits{Params: 2}, wide, false},
		"AllParams":    {meter.Limits{AllParams: 4}, wide, false},
		"AllLocals":    {meter.Limits{AllLocals: 3}, named(locals), true},
		"Operands":     {meter.Limits{Operands: 5}, named(calls), true},
		"Memory":       {meter.Limits{Memory: 1 << 20}, guest.MemoryMin(17), false},
	}
	for field := range reflect.TypeFor[meter.Limits]().Fields() {
		test, found := tests[field.Name]
		if !found {
			t.Errorf("no test of %s", field.Name)
			continue
		}
		t.Run(field.Name, func(t *testing.T) {
			if _, _, err := meter.Meter(test.wasm, meter.Options{}); err != nil {
				t.Fatalf("with the defaults: %v", err)
			}
			_, _, err := meter.Meter(test.wasm, meter.Options{Limits: test.lim})
			var me *meter.Error
			if want := "raise limits." + keyOf(field.Name); !errors.As(err, &me) || !strings.Contains(err.Error(), want) {
				t.Fatalf("got %v, want %q", err, want)
			}
			if test.inFunction != (me.Func != "") {
				t.Errorf("it names the function %q: %v", me.Func, err)
			}
			if test.inFunction && field.Name != "AllLocals" && me.Func != `function 0 "hot"` {
				t.Errorf("the function is %q", me.Func)
			}
			if v := reflect.ValueOf(meter.DefaultLimits()).FieldByIndex(field.Index); v.Int() <= 0 {
				t.Errorf("the default is %d", v.Int())
			}
		})
	}
}

// A name is told as it is only as far as it is short, and a broken name section names nobody.
func TestFunctionNames(t *testing.T) {
	bad := body("\x10\x05")
	for _, test := range []struct{ name, section, want string }{
		{"none", "", "function 0: function 5 does not exist"},
		{"another", "\x01\x06\x01\x01\x03hot", "function 0: function 5"},
		{"behind the module's", "\x00\x02\x01m\x01\x06\x01\x00\x03hot", `function 0 "hot": function 5`},
		{"control characters", "\x01\x06\x01\x00\x03a\nb", `function 0 "a\nb": function 5`},
		{"long", "\x01\xcc\x01\x01\x00\xc8\x01" + strings.Repeat("x", 200), `function 0 "` + strings.Repeat("x", 120) + `": function 5`},
		{"cut off", "\x01\x06\x01\x00\x09hot", "function 0: function 5"},
	} {
		t.Run(test.name, func(t *testing.T) {
			wasm, err := meter.SetCustom(bad, "name", []byte(test.section))
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err = meter.Meter(wasm, meter.Options{}); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// Metering takes time in proportion to the module, whatever its shape: its time is the host's own.
func TestMeterIsLinear(t *testing.T) {
	const depth = 4900
	nested := func(op string, n int) []byte {
		var out = string(asm.BrIf(depth - 1))
		return body(strings.Repeat(op, depth) + strings.Repeat("\x41\x00"+out, n) + strings.Repeat("\x0b", depth))
	}
	for _, test := range []struct {
		name  string
		shape func(n int) []byte
	}{
		{"branches out of blocks", func(n int) []byte { return nested("\x02\x40", n) }},
		{"branches out of loops", func(n int) []byte { return nested("\x03\x40", n) }},
		{"nops", func(n int) []byte { return body(strings.Repeat("\x01", 5*n)) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			wasm := test.shape(100_000)
			begun := time.Now()
			if _, _, err := meter.Meter(wasm, meter.Options{}); err != nil {
				t.Fatal(err)
			}
			took := time.Since(begun)
			t.Logf("%d bytes in %v", len(wasm), took)
			// Some 30 ns a byte are usual; the product of both numbers would be minutes.
			if took > 5*time.Second {
				t.Errorf("%d bytes took %v", len(wasm), took)
			}
		})
	}
}
