package sandbox

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/wcron/wcron/internal/guest/asm"
)

// edges are numbers at which something may go wrong, as an address, a length, a descriptor, a place in a file or a flag.
var edges = []int64{
	0, 1, 2, 3, 4, 5, 8, 24, 48, 63, 64, 100, 1024, 65535, 65536, 65537, 1<<31 - 1, 1 << 31, 1<<32 - 1, 1 << 32, 1<<32 + 1, 1 << 33, 1<<62 + 1, -1, -2, -8, -65536, -1 << 63,
}

// storm is a guest that makes calls of all functions there are with numbers from edges, in its start function or behind it, with a memory or
// without one.
func storm(e *Engine, r *rand.Rand, calls int, inStart, memory bool) []byte {
	var m asm.Module
	type function struct {
		index           uint32
		params, results []asm.Type
	}
	var list []function
	for f, def := range e.provided {
		if f.module == wasiModule && f.name == "proc_exit" || f.module != wasiModule && f.module != EnvModule && f.module != UserModule {
			continue
		}
		if f.module == wasiModule && !memory { // which is refused before it runs
			continue
		}
		list = append(list, function{m.Import(f.module, f.name, def.ParamTypes(), def.ResultTypes()), def.ParamTypes(), def.ResultTypes()})
	}
	if memory {
		m.Memory(1, 2)
	}
	var code asm.Code
	for range calls {
		f := list[r.IntN(len(list))]
		for _, p := range f.params {
			n := edges[r.IntN(len(edges))]
			if r.IntN(3) == 0 {
				n = int64(1+r.IntN(3)) << 32 // a block, if there is one
			}
			if p == asm.TypeI64 {
				code = append(code, asm.I64(n)...)
			} else {
				code = append(code, asm.I32(int64(int32(n)))...)
			}
		}
		code = append(code, asm.Call(f.index)...)
		for range f.results {
			code = append(code, asm.Drop...)
		}
	}
	var start asm.Code
	if inStart {
		start, code = code, nil
	}
	first := m.Func(nil, nil, nil, start)
	if inStart {
		m.Start(first)
	}
	m.Export("run", asm.KindFunc, m.Func(nil, nil, nil, code))
	return m.Bytes()
}

// Whatever a guest calls with whatever numbers, from wherever, it ends as itself, soon, and is no fault of the host.
func TestStormsOfCalls(t *testing.T) {
	rounds := 400
	if os.Getenv("WCRON_CI") == "1" {
		rounds = 10_000
	}
	e := newEngine(t, Config{Functions: []Function{
		stateCall, {Name: "two", Params: []Kind{Optional, Block}, Result: Optional, Frees: true, Module: EnvModule}, {Name: "numbers", Params: []Kind{Int32, Int64}, Result: Int64},
	}})
	s := newSite(t)
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	calls := map[string]Call{"wcron_state": blockCall(echo).call(), "two": func(_ context.Context, args []Arg) (Answer, error) { return Answer{Block: args[1].Block}, nil }}
	outcomes := map[string]int{}
	for i := range rounds {
		wasm := storm(e, r, 1+r.IntN(60), i%3 == 0, i%5 > 0)
		m, err := e.Compile(t.Context(), wasm)
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		res := m.Run(context.Background(), Run{Timeout: soon, Calls: calls, Dirs: []Dir{{Guest: "/data", Host: s.inside, Write: true, Quota: 1 << 20}}, Input: []byte("input")})
		if res.Cause == HostFault || time.Since(begun) > patience {
			t.Fatalf("seed %d, round %d: %+v after %s", seed, i, res, time.Since(begun))
		}
		outcomes[fmt.Sprint(res.Outcome, " ", res.Cause)]++
		if err := m.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	s.untouched()
	if outcomes["ok "] == 0 || outcomes["trapped trap"] == 0 {
		t.Errorf("all ended alike: %v", outcomes)
	}
}
