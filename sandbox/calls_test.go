package sandbox

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/internal/guest"
	"github.com/wcron/wcron/internal/guest/asm"
)

// stateCall is a function that takes one block and gives one.
var stateCall = Function{Name: "wcron_state", Params: []Kind{Block}, Result: Block}

type blockCall func(ctx context.Context, request []byte) ([]byte, error)

func withState(f blockCall) Run { return Run{Calls: map[string]Call{"wcron_state": f.call()}} }

func (f blockCall) call() Call {
	return func(ctx context.Context, args []Arg) (Answer, error) {
		answer, err := f(ctx, args[0].Block)
		return Answer{Block: answer}, err
	}
}

func callEngine(t *testing.T) *Engine {
	t.Helper()
	return newEngine(t, Config{Functions: []Function{stateCall}})
}

func echo(_ context.Context, request []byte) ([]byte, error) {
	return append([]byte("re: "), request...), nil
}

func TestCalls(t *testing.T) {
	e := callEngine(t)
	m := compile(t, e, guest.State(guest.ThenReturn, "one", "", "three"))
	var out bytes.Buffer
	r := withState(echo)
	r.Stdout = &out
	expect(t, m.Run(context.Background(), r), Trapped, Trap, "there is no block at offset 0x0") // alloc(0) gives no block
	m = compile(t, e, guest.State(guest.ThenReturn, "one", "two"))
	out.Reset()
	expect(t, m.Run(context.Background(), r), OK, "", "")
	if out.String() != "re: one\nre: two\n" {
		t.Errorf("the guest got %q", out.String())
	}
	out.Reset()
	expect(t, m.Run(context.Background(), Run{Stdout: &out}), OK, "", "")
	if out.String() != "\n\n" {
		t.Errorf("without an answer the guest got %q", out.String())
	}
}

// What the other side of a call does wrong ends that run alone.
func TestCallFaults(t *testing.T) {
	e := callEngine(t)
	m := compile(t, e, guest.State(guest.ThenReturn, "one"))
	expect(t, m.Run(context.Background(), withState(func(context.Context, []byte) ([]byte, error) { return nil, errors.New("no luck") })), Failed, HostFault, "wcron_state: no luck")
	expect(t, m.Run(context.Background(), withState(func(context.Context, []byte) ([]byte, error) { panic("no nerve") })), Failed, HostFault, "no nerve")
	large := withState(func(context.Context, []byte) ([]byte, error) { return make([]byte, 1<<20), nil })
	large.Memory = 3 * 65536
	expect(t, m.Run(context.Background(), large), Trapped, OutOfMemory, "raise memory")
	ctx, cancel := context.WithCancelCause(context.Background())
	expect(t, m.Run(ctx, withState(func(ctx context.Context, _ []byte) ([]byte, error) {
		cancel(ErrShutdown)
		<-ctx.Done()
		return nil, ctx.Err()
	})), Killed, Shutdown, "")
}

// A call that takes its time cannot outlive the deadline, and what goes on between calls cannot either.
func TestCallsEndAtTheDeadline(t *testing.T) {
	e := callEngine(t)
	m := compile(t, e, guest.State(guest.ThenSpin, "one"))
	r := withState(echo)
	r.Timeout = 30 * time.Millisecond
	expect(t, m.Run(context.Background(), r), Timeout, Deadline, "")
	forever := make(chan struct{})
	defer close(forever)
	r = withState(func(context.Context, []byte) ([]byte, error) {
		<-forever
		return nil, nil
	})
	r.Timeout = 30 * time.Millisecond
	begun := time.Now()
	expect(t, m.Run(context.Background(), r), Timeout, Deadline, "")
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("a call ended after %s", took)
	}
}

// A request and its answer cost fuel for each byte, beside the instructions of the guest.
func TestCallsAreCharged(t *testing.T) {
	e := callEngine(t)
	m := compile(t, e, guest.State(guest.ThenReturn, "one"))
	fuel := func(n int) uint64 {
		return m.Run(context.Background(), withState(func(context.Context, []byte) ([]byte, error) {
			b := make([]byte, n)
			return b[:n:n], nil
		})).Fuel
	}
	const short = 60_000
	// The guest reads the answer byte by byte, so that what it uses itself grows with it; the charge comes on top.
	fixed := withState(func(context.Context, []byte) ([]byte, error) { return nil, nil })
	if none, some := m.Run(context.Background(), fixed).Fuel, fuel(short); some < none+callFuelPerByte*short {
		t.Errorf("an answer of %d bytes uses %d of fuel, and none %d", short, some, none)
	}
	r := withState(echo)
	r.Fuel = 1000
	flood := compile(t, e, guest.State(guest.ThenReturn, strings.Repeat("x", 2000)))
	expect(t, flood.Run(context.Background(), r), Killed, FuelLimit, "")
}

// env is a module whose `_start` is that code over the functions alloc (0), free (1), length (2), load_u8 (3), load_u64 (4),
// store_u8 (5), store_u64 (6) and wcron_state (7), with a local of 64 bits.
func env(code ...asm.Code) []byte {
	var m asm.Module
	i32, i64 := asm.TypeI32, asm.TypeI64
	one := []asm.Type{i64}
	for _, f := range []struct {
		name            string
		params, results []asm.Type
	}{
		{"alloc", one, one}, {"free", one, nil}, {"length", one, one}, {"load_u8", one, []asm.Type{i32}}, {"load_u64", one, one},
		{"store_u8", []asm.Type{i64, i32}, nil}, {"store_u64", []asm.Type{i64, i64}, nil},
	} {
		m.Import(EnvModule, f.name, f.params, f.results)
	}
	m.Import(UserModule, "wcron_state", one, one)
	m.Export("_start", asm.KindFunc, m.Func(nil, nil, one, code...))
	m.Memory(1, asm.NoMax)
	return m.Bytes()
}

func TestBadPointers(t *testing.T) {
	add64, ne64 := asm.Code{0x7c}, asm.Code{0x52}
	block := asm.Cat(asm.I64(16), asm.Call(0), asm.Set(0)) // local 0 is a block of 16 bytes
	off := func(n int64) asm.Code { return asm.Cat(asm.Get(0), asm.I64(n), add64) }
	trapUnless := func(n int64) asm.Code { return asm.Cat(asm.I64(n), ne64, asm.If(asm.Unreachable)) }
	tests := []struct {
		name string
		code asm.Code
		want string // of the reason; empty: it is ok
	}{
		{"last byte", asm.Cat(off(15), asm.Call(3), asm.Drop), ""},
		{"last word", asm.Cat(off(8), asm.I64(-1), asm.Call(6), off(8), asm.Call(4), trapUnless(-1)), ""},
		{"a block is cleared", asm.Cat(off(0), asm.Call(4), trapUnless(0)), ""},
		{"byte behind", asm.Cat(off(16), asm.Call(3), asm.Drop), "load_u8: there is no block with 1 bytes"},
		{"word over the end", asm.Cat(off(9), asm.Call(4), asm.Drop), "load_u64: there is no block with 8 bytes"},
		{"store over the end", asm.Cat(off(9), asm.I64(1), asm.Call(6)), "store_u64: there is no block with 8 bytes"},
		{"store behind", asm.Cat(off(16), asm.I32(1), asm.Call(5)), "store_u8: there is no block with 1 bytes"},
		{"before", asm.Cat(off(-1), asm.Call(3), asm.Drop), "load_u8"},
		{"null", asm.Cat(asm.I64(0), asm.Call(3), asm.Drop), "load_u8"},
		{"the guest's own memory", asm.Cat(asm.I64(1024), asm.Call(3), asm.Drop), "load_u8"},
		{"the last offset", asm.Cat(asm.I64(-1), asm.Call(4), asm.Drop), "load_u64"},
		{"another block", asm.Cat(off(1<<32), asm.Call(3), asm.Drop), "load_u8"},
		{"freed", asm.Cat(off(0), asm.Call(1), off(0), asm.Call(3), asm.Drop), "load_u8"},
		{"freed twice", asm.Cat(off(0), asm.Call(1), off(0), asm.Call(1), off(0), asm.Call(2), trapUnless(0)), ""},
		{"free within a block", asm.Cat(off(8), asm.Call(1), off(0), asm.Call(2), trapUnless(16)), ""},
		{"free of nothing", asm.Cat(asm.I64(-1), asm.Call(1), asm.I64(0), asm.Call(1)), ""},
		{"length of nothing", asm.Cat(asm.I64(77), asm.Call(2), trapUnless(0)), ""},
		{"length within a block", asm.Cat(off(8), asm.Call(2), trapUnless(0)), ""},
		{"alloc of nothing", asm.Cat(asm.I64(0), asm.Call(0), trapUnless(0)), ""},
		{"alloc of less than nothing", asm.Cat(asm.I64(-1), asm.Call(0), trapUnless(0)), ""},
		{"alloc of all there is", asm.Cat(asm.I64(1<<62), asm.Call(0), trapUnless(0)), ""},
		{"alloc over the limit", asm.Cat(asm.I64(64<<20), asm.Call(0), trapUnless(0)), ""},
		{"request that is no block", asm.Cat(asm.I64(3), asm.Call(7), asm.Drop), "wcron_state: there is no block"},
		{"request within a block", asm.Cat(off(1), asm.Call(7), asm.Drop), "wcron_state: there is no block"},
		{"the largest block", asm.Cat(asm.I64(4<<20), asm.Call(0), asm.Call(7), asm.Drop), ""},
		{"alloc of more than a call takes", asm.Cat(asm.I64(4<<20+1), asm.Call(0), trapUnless(0)), ""},
		{"request of more than a call takes", asm.Cat(asm.I64(5<<20), asm.Call(0), asm.Call(7), asm.Drop), "wcron_state: there is no block at offset 0x0"},
	}
	e := callEngine(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			res := compile(t, e, env(block, test.code)).Run(context.Background(), withState(echo))
			if test.want == "" {
				expect(t, res, OK, "", "")
			} else {
				expect(t, res, Trapped, Trap, test.want)
			}
		})
	}
}

// Blocks are the run's own memory: they count against its limit and the budget, and are given back.
func TestBlocksAreBounded(t *testing.T) {
	eqz64 := asm.Code{0x50}
	flood := env(asm.Loop(asm.I64(64), asm.Call(0), eqz64, asm.If(asm.Return), asm.Br(0)))
	budget := NewBudget(8 << 20)
	e := newEngine(t, Config{Functions: []Function{stateCall}, Budget: budget})
	res := compile(t, e, flood).Run(context.Background(), Run{Memory: 4 << 20})
	expect(t, res, OK, "", "")
	if res.MemoryPeak < 3<<20 || res.MemoryPeak > 4<<20 {
		t.Errorf("peak %d", res.MemoryPeak)
	}
	expect(t, compile(t, e, flood).Run(context.Background(), Run{Memory: 16 << 20}), Killed, MemoryBudget, "")
	again := env(asm.I64(1<<20), asm.Set(0), asm.Loop(asm.I64(1<<20), asm.Call(0), asm.Call(1), asm.Get(0), asm.I64(-1), asm.Code{0x7c}, asm.Tee(0),
		eqz64, asm.If(asm.Return), asm.Br(0)))
	r := Run{Memory: 4 << 20, Fuel: 100_000_000}
	expect(t, compile(t, e, again).Run(context.Background(), r), Killed, FuelLimit, "") // clearing memory is charged
	if budget.InUse() != 0 {
		t.Errorf("%d bytes of the budget are in use after all", budget.InUse())
	}
}

func TestUnknownCallsAreRefused(t *testing.T) {
	e := callEngine(t)
	i64 := []asm.Type{asm.TypeI64}
	for want, wasm := range map[string][]byte{
		"(wcron_emit)":   importing(UserModule, "wcron_emit", i64, i64),
		"(http_request)": importing(EnvModule, "http_request", []asm.Type{asm.TypeI64, asm.TypeI64}, i64),
		"with another signature than this host gives it: as () -> i64, and here it is (i64) -> i64": importing(UserModule, "wcron_state", nil, i64),
		"as (i64, i64), and here it is (i64) -> i64":                                                importing(EnvModule, "alloc", []asm.Type{asm.TypeI64, asm.TypeI64}, nil),
	} {
		_, err := e.Compile(context.Background(), wasm)
		var me *ModuleError
		if !errors.As(err, &me) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// A guest with much memory is dead soon after its deadline, whatever blocks it makes; that one was too large is told once.
func TestLargeBlocksEndAtTheDeadline(t *testing.T) {
	const memory = 2 << 30
	e := callEngine(t)
	for _, n := range []int64{memory - 4<<20, 256 << 20, 4 << 20} {
		g := newKernelGuest(e)
		m := compile(t, e, g.run(asm.Loop(asm.I64(n), g.call("alloc"), g.call("free"), asm.Br(0)), asm.I32(0)))
		for range 3 {
			var stderr bytes.Buffer
			begun := time.Now()
			expect(t, m.Run(context.Background(), Run{Memory: memory, Timeout: 30 * time.Millisecond, Stderr: &stderr}), Timeout, Deadline, "")
			if took := time.Since(begun); took > 30*time.Millisecond+200*time.Millisecond {
				t.Errorf("blocks of %d: it took %s", n, took)
			}
			if told := strings.Count(stderr.String(), "a block has 4 MiB at most"); n > 4<<20 && told != 1 || n <= 4<<20 && told > 0 {
				t.Errorf("blocks of %d: %q", n, stderr.String())
			}
		}
	}
}
