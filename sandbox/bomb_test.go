package sandbox

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/internal/guest"
	"github.com/wcron/wcron/internal/guest/asm"
	"github.com/wcron/wcron/sandbox/meter"
)

// bombs are modules that cost a compiler much more than their size. The first is refused by the default limits, the
// others pass them.
func bombs() map[string][]byte {
	times := func(n int, code asm.Code) asm.Code { return slices.Repeat(code, n) }
	one := func(code ...asm.Code) []byte {
		var m asm.Module
		m.Memory(1, asm.NoMax)
		m.Func(nil, nil, []asm.Type{asm.TypeI32}, code...)
		m.Export("_start", asm.KindFunc, 0)
		return m.Bytes()
	}
	calls := func(n int) []byte {
		var m asm.Module
		m.Func(nil, nil, nil)
		m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil, times(n, asm.Call(0))))
		return m.Bytes()
	}
	loops := asm.Code{}
	for range 1000 {
		loops = asm.Loop(loops, asm.Get(0), asm.BrIf(0))
	}
	return map[string][]byte{
		"a million calls":           calls(1_000_000),
		"half a million calls":      calls(500_000),
		"many ifs over many locals": guest.SlowToCompile(10_000),
		"loads and stores":          one(times(100_000, asm.Cat(asm.Get(0), asm.Get(0), asm.Load(4), asm.Store(8)))),
		"nested loops":              one(loops),
		"additions":                 one(asm.I32(1), times(330_000, asm.Cat(asm.I32(1), asm.Add)), asm.Drop),
	}
}

// A module that passes the limits and blows up the compiler is stopped, while this process goes on as ever: it keeps its
// time and its memory, and other modules are compiled meanwhile.
func TestBombsAreStopped(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	e := newEngine(t, Config{CacheDir: dir, Compiler: testCompiler(), CompileTimeout: 1500 * time.Millisecond, CompileMemory: 192 << 20})
	var stopped []string
	for name, wasm := range bombs() {
		t.Run(name, func(t *testing.T) {
			runtime.GC()
			before, begun, k := memoryTaken(), time.Now(), startTicker()
			other := make(chan error, 1)
			go func() {
				_, err := e.Compile(context.Background(), guest.Greet(name))
				other <- err
			}()
			_, err := e.Compile(context.Background(), wasm)
			late := k.end().of(100)
			took, grown := time.Since(begun), memoryTaken()-before
			t.Logf("%7d bytes: %4d ms, %d MiB more, ticker %v late: %v", len(wasm), took.Milliseconds(), grown>>20, late.Round(time.Millisecond), err)
			var me *ModuleError
			if err != nil && (!errors.As(err, &me) || !strings.Contains(err.Error(), "; raise ")) {
				t.Errorf("the error names no key: %v", err)
			}
			if err != nil && strings.Contains(err.Error(), "raise compile_") {
				stopped = append(stopped, name)
			}
			if name == "a million calls" && (err == nil || !strings.Contains(err.Error(), "function 1: ") || !strings.Contains(err.Error(), "raise limits.function_size")) {
				t.Errorf("the limits have let it pass: %v", err)
			}
			if grown > 128<<20 || late > time.Second || took > 20*time.Second {
				t.Errorf("it took %v, %d MiB more in this process, and its ticker was %v late", took, grown>>20, late)
			}
			if err := <-other; err != nil {
				t.Errorf("another module: %v", err)
			}
		})
	}
	if !slices.Contains(stopped, "many ifs over many locals") {
		t.Errorf("stopped were %q", stopped)
	}
	noLeftovers(t, dir)
}

// What is loaded from the cache is decoded and validated in this process each time: the limits bound what that takes.
func TestLoadingIsBounded(t *testing.T) {
	lim := meter.DefaultLimits()
	types := func(each int) []byte {
		var m asm.Module
		for i := range lim.AllParams/each - 1 {
			params := slices.Repeat([]asm.Type{asm.TypeI32}, each)
			for bit := range min(17, each) {
				params[bit] += asm.Type(i >> bit & 1 * (int(asm.TypeI64) - int(asm.TypeI32)))
			}
			m.Func(params, nil, nil)
		}
		m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil))
		return m.Bytes()
	}
	locals := func() []byte {
		var m asm.Module
		many := slices.Repeat([]asm.Type{asm.TypeI32}, 40_000)
		for range lim.AllLocals / 40_000 {
			m.Func(nil, nil, many)
		}
		m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil))
		return m.Bytes()
	}
	operands := func() []byte { // in code that is never reached, which costs a compiler nothing
		var m asm.Module
		wide := slices.Repeat([]asm.Type{asm.TypeI32}, lim.Params)
		m.Func(wide, wide, nil, asm.Unreachable)
		m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil, asm.Unreachable, slices.Repeat(asm.Call(0), int(lim.Operands)/lim.Params/2), asm.Return))
		return m.Bytes()
	}
	shapes := map[string]func() []byte{
		"many parameters":   func() []byte { return types(lim.Params) },
		"many types":        func() []byte { return types(8) },
		"operands":          operands,
		"deep nesting":      func() []byte { return nested(lim.Nesting - 1) },
		"a long br_table":   func() []byte { return table(lim.Branches) },
		"locals everywhere": locals,
	}
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			if name == "locals everywhere" && os.Getenv("WCRON_CI") != "1" {
				t.Skip("40 MB of module; set WCRON_CI=1")
			}
			wasm, dir := shape(), filepath.Join(t.TempDir(), "cache")
			compile(t, newEngine(t, Config{CacheDir: dir, Compiler: testCompiler()}), wasm)
			e := newEngine(t, Config{CacheDir: dir, Compiler: []string{"/no/such/program"}})
			runtime.GC()
			before, begun := memoryTaken(), time.Now()
			compile(t, e, wasm)
			took, grown := time.Since(begun), memoryTaken()-before
			t.Logf("%7d bytes: loaded in %v, with %d MiB", len(wasm), took.Round(time.Millisecond), grown>>20)
			if took > 10*time.Second || grown > 512<<20 { // a second and 100 MiB are usual at most
				t.Errorf("loading took %v and %d MiB", took, grown>>20)
			}
		})
	}
}

// nested is a function of blocks within each other.
func nested(depth int) []byte {
	code := asm.Code{}
	for range depth {
		code = append(code, 0x02, 0x40)
	}
	code = append(code, slices.Repeat(asm.Cat(asm.I32(0), asm.BrIf(uint32(depth-1))), 1000)...)
	for range depth {
		code = append(code, 0x0b)
	}
	var m asm.Module
	m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil, code))
	return m.Bytes()
}

// table is a function with one br_table.
func table(targets int) []byte {
	code := asm.Cat(asm.I32(0), asm.Code{0x0e}, asm.Code{byte(targets&0x7f | 0x80), byte(targets>>7&0x7f | 0x80), byte(targets >> 14)}, make(asm.Code, targets+1))
	var m asm.Module
	m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil, asm.Block(code)))
	return m.Bytes()
}
