package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/wcron/wcron/internal/guest/asm"
)

// kernelGuest assembles guests over the functions of extism:host/env, by name, and wcron_state.
type kernelGuest struct {
	asm.Module
	calls map[string]uint32
}

func newKernelGuest(e *Engine) *kernelGuest {
	g := &kernelGuest{calls: map[string]uint32{}}
	for f, def := range e.provided {
		if f.module != wasiModule {
			g.calls[f.name] = g.Import(f.module, f.name, def.ParamTypes(), def.ResultTypes())
		}
	}
	return g
}

func (g *kernelGuest) call(name string) asm.Code {
	i, ok := g.calls[name]
	if !ok {
		panic("no function " + name)
	}
	return asm.Call(i)
}

// text leaves the offset of a new block with that text in a local.
func (g *kernelGuest) text(local uint32, s string) asm.Code {
	code := asm.Cat(asm.I64(int64(len(s))), g.call("alloc"), asm.Set(local))
	for i := range len(s) {
		code = append(code, asm.Cat(asm.Get(local), asm.I64(int64(i)), asm.Code{0x7c}, asm.I32(int64(s[i])), g.call("store_u8"))...)
	}
	return code
}

// run is a reactor whose `run` is that code, with two locals of 64 bits.
func (g *kernelGuest) run(code ...asm.Code) []byte {
	g.Export("run", asm.KindFunc, g.Func(nil, oneResult, []asm.Type{asm.TypeI64, asm.TypeI64}, code...))
	return g.Bytes()
}

// A guest reads its input, gives output and error, and logs, as Extism's kits do.
func TestKernel(t *testing.T) {
	e := callEngine(t)
	for _, test := range []struct {
		name           string
		code           func(g *kernelGuest) asm.Code // ends with the exit code
		outcome        Outcome
		stdout, stderr string
		reason         string
	}{
		{"output", func(g *kernelGuest) asm.Code {
			return asm.Cat(g.text(0, "first"), asm.Get(0), asm.I64(5), g.call("output_set"),
				g.text(0, "second one"), asm.Get(0), asm.I64(6), g.call("output_set"), asm.Get(0), g.call("free"), asm.I32(0))
		}, OK, "second", "", ""},
		{"output of a part", func(g *kernelGuest) asm.Code {
			return asm.Cat(g.text(0, "abcdef"), asm.Get(0), asm.I64(2), asm.Code{0x7c}, asm.I64(3), g.call("output_set"), asm.I32(0))
		}, OK, "cde", "", ""},
		{"no output after all", func(g *kernelGuest) asm.Code {
			return asm.Cat(g.text(0, "x"), asm.Get(0), asm.I64(1), g.call("output_set"), asm.I64(0), asm.I64(0), g.call("output_set"), asm.I32(0))
		}, OK, "", "", ""},
		{"failure", func(g *kernelGuest) asm.Code {
			return asm.Cat(g.text(0, "out"), asm.Get(0), asm.I64(3), g.call("output_set"), g.text(0, "no\ndisk"), asm.Get(0), g.call("error_set"), asm.I32(3))
		}, Failed, "out", "", "exit code 3: no?disk"},
		{"failure taken back", func(g *kernelGuest) asm.Code {
			return asm.Cat(g.text(0, "x"), asm.Get(0), g.call("error_set"), asm.I64(0), g.call("error_set"), asm.I32(3))
		}, Failed, "", "", "exit code 3"},
		{"an error with exit code 0 is none", func(g *kernelGuest) asm.Code {
			return asm.Cat(g.text(0, "x"), asm.Get(0), g.call("error_set"), asm.I32(0))
		}, OK, "", "", ""},
		{"an error and a trap", func(g *kernelGuest) asm.Code {
			return asm.Cat(g.text(0, "why"), asm.Get(0), g.call("error_set"), g.text(0, "o"), asm.Get(0), asm.I64(1), g.call("output_set"), asm.Unreachable)
		}, Trapped, "", "", "unreachable: why"},
		{"log", func(g *kernelGuest) asm.Code {
			code := asm.Cat(asm.I64(0), g.call("log_error"))
			for level := LogTrace; level <= LogError; level++ {
				code = append(code, asm.Cat(g.text(0, "a\nb\xff"), asm.Get(0), g.call("log_"+levelNames[level]))...)
			}
			return append(code, g.call("get_log_level")...)
		}, Failed, "", "error: \ninfo: a b?\nwarn: a b?\nerror: a b?\n", "exit code 2"},
		{"the block of a log line is given back", func(g *kernelGuest) asm.Code {
			return asm.Cat(g.text(0, "a"), asm.Get(0), g.call("log_trace"), asm.Get(0), g.call("length"), asm.Code{0xa7})
		}, OK, "", "", ""},
		{"input", func(g *kernelGuest) asm.Code {
			return asm.Cat(asm.I64(1), g.call("input_load_u8"), asm.I64(0), g.call("input_load_u64"), asm.Code{0xa7}, asm.Add,
				asm.I64(2), g.call("input_load_u64"), asm.Code{0xa7}, asm.Add, // beyond the end: 0
				asm.I64(-1), g.call("input_load_u8"), asm.Add, asm.I64(9), g.call("input_load_u8"), asm.Add,
				g.call("input_length"), asm.Code{0xa7}, asm.Add)
		}, Failed, "", "", fmt.Sprintf("exit code %d", 'b'+0x64636261+9)},
		{"input as a block", func(g *kernelGuest) asm.Code {
			return asm.Cat(g.call("input_offset"), asm.Tee(0), g.call("length"), asm.Set(1),
				asm.Get(0), asm.Get(1), g.call("output_set"), g.call("input_offset"), asm.Get(0), asm.Code{0x52})
		}, OK, "abcdefghi", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := newKernelGuest(e)
			var stdout, stderr bytes.Buffer
			res := compile(t, e, g.run(test.code(g))).Run(context.Background(), Run{Input: []byte("abcdefghi"), Stdout: &stdout, Stderr: &stderr})
			if res.Outcome != test.outcome || res.Reason != test.reason && !strings.Contains(res.Reason, test.reason+"; in") ||
				stdout.String() != test.stdout || stderr.String() != test.stderr {
				t.Errorf("%s because %q, stdout %q, stderr %q", res.Outcome, res.Reason, stdout.String(), stderr.String())
			}
		})
	}
}

// Whatever a guest gives for a block, each function traps with its name or takes it for none; it never faults the host.
func TestBadCalls(t *testing.T) {
	e := newEngine(t, Config{Functions: []Function{
		stateCall, {Name: "both", Params: []Kind{Optional, Block, Int32, Int64}, Result: Int32}, {Name: "none", Params: []Kind{Optional}},
	}})
	answer := func(_ context.Context, args []Arg) (Answer, error) { return Answer{Int: 7}, nil }
	calls := map[string]Call{"wcron_state": answer, "both": answer, "none": answer}
	bad := map[string]int64{"nowhere": 1 << 40, "within a block": 1<<32 + 1, "behind a block": 1<<32 + 4, "low": 1, "minus one": -1, "least": -1 << 63}
	takesNone := map[string]bool{"error_set": true, "none": true, "log_trace": true, "log_debug": true, "log_info": true, "log_warn": true, "log_error": true}
	check := func(t *testing.T, g *kernelGuest, name string, code asm.Code, trap bool) {
		res := compile(t, e, g.run(g.text(0, "text"), code, asm.I32(0))).Run(context.Background(), Run{Calls: calls})
		if trap {
			expect(t, res, Trapped, Trap, name+": there is no block")
		} else {
			expect(t, res, OK, "", "")
		}
	}
	drop := map[string]asm.Code{"wcron_state": asm.Drop, "both": asm.Drop}
	for _, name := range []string{"wcron_state", "both", "none", "error_set", "log_trace", "log_debug", "log_info", "log_warn", "log_error"} {
		call := func(g *kernelGuest, at int64) asm.Code {
			args := asm.I64(at)
			if name == "both" {
				args = asm.Cat(asm.I64(0), args, asm.I32(1), asm.I64(1))
			}
			return asm.Cat(args, g.call(name), drop[name])
		}
		for what, at := range bad {
			t.Run(name+" "+what, func(t *testing.T) {
				g := newKernelGuest(e)
				check(t, g, name, call(g, at), true)
			})
		}
		t.Run(name+" 0", func(t *testing.T) {
			g := newKernelGuest(e)
			check(t, g, name, call(g, 0), !takesNone[name])
		})
	}
	for _, test := range []struct {
		name   string
		at, n  int64
		served bool
	}{
		{"all", 1 << 32, 4, true}, {"nothing of nowhere", 77, 0, true}, {"too long", 1 << 32, 5, false}, {"behind", 1<<32 + 4, 1, false},
		{"over the end", 1<<32 + 2, 3, false}, {"endless", 1 << 32, -1, false}, {"sum of 0", 1<<32 + 1, -1, false}, {"none", 0, 4, false},
		{"another block", 1 << 33, 1, false},
	} {
		t.Run("output_set "+test.name, func(t *testing.T) {
			g := newKernelGuest(e)
			check(t, g, "output_set", asm.Cat(asm.I64(test.at), asm.I64(test.n), g.call("output_set")), !test.served)
		})
	}
}

// Output that a guest sets is its own memory: it counts against the limit.
func TestOutputIsBounded(t *testing.T) {
	e := callEngine(t)
	g := newKernelGuest(e)
	wasm := g.run(asm.I64(600<<10), g.call("alloc"), asm.Tee(0), asm.I64(600<<10), g.call("output_set"), asm.I32(0))
	expect(t, compile(t, e, wasm).Run(context.Background(), Run{Memory: 1 << 20}), Trapped, OutOfMemory, "output_set: there is no room")
	expect(t, compile(t, e, wasm).Run(context.Background(), Run{Memory: 2 << 20}), OK, "", "")
}

func TestFunctionsAreChecked(t *testing.T) {
	for want, f := range map[string][]Function{
		"extism:host/user has one of that name already; choose another": {{Name: "a"}, {Name: "a"}},
		"extism:host/env has one of that name already; choose another":  {{Name: "alloc"}},
		"must be extism:host/env":                                       {{Name: "a", Module: "env"}},
		"1 to 128 bytes":                                                {{}},
		"and may have 16":                                               {{Name: "a", Params: make([]Kind, 17)}},
		"parameter 0":                                                   {{Name: "a", Params: []Kind{Nothing}}},
		"its result":                                                    {{Name: "a", Result: 99}},
	} {
		if _, err := New(context.Background(), Config{Functions: f}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// An answer's note is for people; its trap is the guest's end.
func TestAnswers(t *testing.T) {
	e := newEngine(t, Config{Functions: []Function{{Name: "f", Params: []Kind{Int32, Int64}, Result: Int64}, {Name: "g", Module: EnvModule, Result: Int32}}})
	g := newKernelGuest(e)
	wasm := g.run(asm.I32(-1), asm.I64(-2), g.call("f"), asm.Code{0xa7}, g.call("g"), asm.Add)
	var stderr bytes.Buffer
	calls := map[string]Call{
		"f": func(_ context.Context, args []Arg) (Answer, error) {
			if args[0].Int != 0xffffffff || args[1].Int != 0xfffffffffffffffe {
				return Answer{}, fmt.Errorf("got %v", args)
			}
			return Answer{Int: 40, Note: "one\ntwo"}, nil
		},
		"g": func(context.Context, []Arg) (Answer, error) { return Answer{Int: 1<<32 + 2}, nil },
	}
	expect(t, compile(t, e, wasm).Run(context.Background(), Run{Calls: calls, Stderr: &stderr}), Failed, Exit, "exit code 42")
	if stderr.String() != "wcron: one?two\n" {
		t.Errorf("stderr %q", stderr.String())
	}
	calls["g"] = func(context.Context, []Arg) (Answer, error) { return Answer{Trap: "no more"}, nil }
	expect(t, compile(t, e, wasm).Run(context.Background(), Run{Calls: calls}), Trapped, Trap, "g: no more")
	expect(t, compile(t, e, wasm).Run(context.Background(), Run{}), OK, "", "") // nobody answers: 0
}

func TestLogLevels(t *testing.T) {
	for text, want := range map[string]LogLevel{"": LogDefault, "trace": LogTrace, "error": LogError, "off": LogOff} {
		if got, err := ParseLogLevel(text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	if _, err := ParseLogLevel("loud"); err == nil {
		t.Error("loud is a level")
	}
	e := callEngine(t)
	g := newKernelGuest(e)
	wasm := g.run(g.text(0, "x"), asm.Get(0), g.call("log_error"), g.text(0, "y"), asm.Get(0), g.call("log_trace"), g.call("get_log_level"))
	for level, want := range map[LogLevel]string{LogTrace: "error: x\ntrace: y\n", LogError: "error: x\n", LogOff: ""} {
		var stderr bytes.Buffer
		if res := compile(t, e, wasm).Run(context.Background(), Run{LogLevel: level, Stderr: &stderr}); res.ExitCode != uint32(level-1) || stderr.String() != want {
			t.Errorf("%s: %+v, %q", levelNames[level], res, stderr.String())
		}
	}
}
