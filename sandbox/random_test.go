package sandbox

import (
	"context"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/wcron/wcron/internal/guest/asm"
	"github.com/wcron/wcron/sandbox/meter"
)

// author writes random modules: trees of calls, direct and through a table, loops, branches out of blocks with values
// and without, early returns, and chains of bulk operations in and out of bounds.
type author struct {
	*rand.Rand
	host    bool       // calls host functions as well
	imports []asm.Code // calls of them
	first   uint32     // index of the first function of the module's own
	written uint32     // how many of them there are so far
	calls   int        // left in the function at hand
}

var (
	clockParams = []asm.Type{asm.TypeI32, asm.TypeI64, asm.TypeI32}
	oneResult   = []asm.Type{asm.TypeI32}
)

const (
	randomLocals = 4  // the first is the parameter
	counter      = 3  // a local that only loops use
	randomPages  = 40 // so that bulk operations are split
)

// module writes one. With endless, it never ends by itself unless it traps.
func (a *author) module(endless bool) []byte {
	var m asm.Module
	if a.host {
		const wasi = "wasi_snapshot_preview1"
		clock := m.Import(wasi, "clock_time_get", clockParams, oneResult)
		random := m.Import(wasi, "random_get", []asm.Type{asm.TypeI32, asm.TypeI32}, oneResult)
		write := m.Import(wasi, "fd_write", []asm.Type{asm.TypeI32, asm.TypeI32, asm.TypeI32, asm.TypeI32}, oneResult)
		a.imports = []asm.Code{
			asm.Cat(asm.I32(1), asm.I64(0), asm.I32(64), asm.Call(clock)),
			asm.Cat(asm.I32(64), asm.I32(int64(a.IntN(1<<20))), asm.Call(random)),
			asm.Cat(asm.I32(1), asm.I32(64), asm.I32(int64(a.IntN(100))), asm.I32(64), asm.Call(write)),
		}
	}
	m.Memory(randomPages, randomPages+4)
	a.first = m.Next()
	n := 3 + a.UintN(12)
	for range n {
		a.calls = 2
		m.Func(oneResult, oneResult, []asm.Type{asm.TypeI32, asm.TypeI32, asm.TypeI32}, a.statements(3), a.value(3))
		a.written++
	}
	last := asm.Cat(asm.I32(a.Int64()), asm.Call(a.first+uint32(n)-1))
	m.Export("run", asm.KindFunc, m.Func(nil, oneResult, nil, last))
	if endless {
		m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil, asm.Loop(last, asm.Drop, asm.Br(0))))
	}
	var table []uint32
	for i := range uint32(n) {
		table = append(table, a.first+i)
	}
	return asm.WithTable(m.Bytes(), uint32(n), table...)
}

func (a *author) local() uint32 { return uint32(a.IntN(counter)) }

// value pushes an i32.
func (a *author) value(depth int) asm.Code {
	if depth == 0 {
		return asm.Get(a.local())
	}
	switch a.IntN(12) {
	case 0:
		return asm.I32(int64(int32(a.Uint32())))
	case 1, 2:
		return asm.Cat(a.value(depth-1), a.value(depth-1), [...]asm.Code{asm.Add, asm.Sub, asm.Mul, asm.LtU, asm.Ne}[a.IntN(5)])
	case 3:
		return asm.Cat(a.address(depth-1), asm.Load(0))
	case 4, 5, 6:
		return a.call(depth)
	case 7: // a block with a value that may be left early
		return asm.Cat(asm.Code{0x02, 0x7f}, a.value(depth-1), a.value(depth-1), asm.BrIf(0), asm.Code{0x0b})
	case 8:
		return asm.Cat(a.value(depth-1), asm.Code{0x04, 0x7f}, a.value(depth-1), asm.Code{0x05}, a.value(depth-1), asm.Code{0x0b})
	case 9:
		return asm.Cat(a.value(depth-1), asm.Tee(a.local()))
	}
	return asm.Get(a.local())
}

// address pushes one that is within the memory.
func (a *author) address(depth int) asm.Code {
	return asm.Cat(a.value(depth), asm.I32(0xffff), asm.Code{0x71})
}

// call calls one of the functions written before, so that there is no recursion.
func (a *author) call(depth int) asm.Code {
	if a.written == 0 || a.calls == 0 {
		return asm.Get(0)
	}
	a.calls--
	arg := a.value(depth - 1)
	if a.IntN(3) == 0 {
		typ := uint32(0)
		if a.host {
			typ = uint32(len(a.imports)) // behind theirs
		}
		remU := asm.Code{0x70}
		return asm.Cat(arg, a.value(depth-1), asm.I32(int64(a.written)), remU, asm.CallIndirect(typ))
	}
	return asm.Cat(arg, asm.Call(a.first+uint32(a.IntN(int(a.written)))))
}

func (a *author) statements(depth int) asm.Code {
	var out asm.Code
	for range 1 + a.IntN(4) {
		out = append(out, a.statement(depth)...)
	}
	return out
}

func (a *author) statement(depth int) asm.Code {
	if depth == 0 {
		return asm.Cat(a.value(1), asm.Set(a.local()))
	}
	switch a.IntN(13) {
	case 9, 10:
		return a.tangle()
	case 0:
		return asm.Cat(a.address(1), a.value(depth), asm.Store(0))
	case 1: // a loop that ends, perhaps left before
		return asm.Cat(asm.I32(int64(a.IntN(50))), asm.Set(counter), asm.Block(asm.Loop(
			a.statement(0), a.value(1), asm.I32(1000), asm.Eq, asm.BrIf(1), a.statement(0),
			asm.Get(counter), asm.I32(1), asm.Sub, asm.Tee(counter), asm.BrIf(0))))
	case 2: // one inside another, both tight
		return asm.Cat(asm.I32(int64(a.IntN(40))), asm.Set(counter), asm.Block(asm.Loop(asm.Loop(
			asm.Get(counter), asm.Eqz, asm.If(asm.Get(0), asm.Get(counter), asm.Add, asm.Set(1), asm.Br(3)),
			asm.Get(counter), asm.I32(1), asm.Sub, asm.Tee(counter), asm.I32(3), asm.Code{0x71},
			asm.Code{0x0e, 2, 0, 1, 1}))))
	case 3:
		return asm.Cat(a.value(depth-1), asm.If(a.statements(depth-1)))
	case 4:
		return asm.Block(a.value(1), asm.BrIf(0), a.statements(depth-1))
	case 5:
		return asm.Cat(a.value(1), asm.I32(int64(a.IntN(5))), asm.Eq, asm.If(a.value(1), asm.Return))
	case 6, 7:
		return a.bulk()
	case 8:
		if a.host {
			return asm.Cat(a.imports[a.IntN(len(a.imports))], asm.Drop)
		}
		return asm.Cat(asm.I32(int64(a.IntN(2))), asm.MemoryGrow, asm.Set(a.local()))
	}
	return asm.Cat(a.value(depth), asm.Set(a.local()))
}

// bulk fills or copies, mostly in bounds.
func (a *author) bulk() asm.Code {
	place := func() asm.Code { return asm.I32(int64(a.IntN(1 << 20))) }
	size := asm.I32(int64(a.IntN(1 << (4 + a.IntN(17)))))
	if a.IntN(40) == 0 {
		size = asm.I32(int64(a.Uint32()))
	}
	if a.IntN(2) == 0 {
		return asm.Cat(place(), a.value(1), size, asm.MemoryFill)
	}
	return asm.Cat(place(), place(), size, asm.MemoryCopy)
}

// seeds gives the number of random modules to try, a thousand with WCRON_CI=1, and the seed of the first. WCRON_SEED
// tries one again, and WCRON_SEEDS as many.
func seeds(t *testing.T, usual int) (from, n uint64) {
	from, n = uint64(time.Now().UnixNano()), uint64(usual)
	if thorough() {
		n = 1000
	}
	if testing.Short() {
		n /= 10
	}
	if s := os.Getenv("WCRON_SEED"); s != "" {
		v, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		from, n = v, 1
	}
	if s := os.Getenv("WCRON_SEEDS"); s != "" {
		v, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		n = v
	}
	return from, n
}

// Random programs do the same with metering and without, and use the same fuel however it is sliced.
func TestRandomProgramsBehaveTheSame(t *testing.T) {
	const most = 30_000_000
	b := newBench(t, 0)
	from, n := seeds(t, 40)
	ended := 0
	for seed := from; seed < from+n; seed++ {
		a := &author{Rand: rand.New(rand.NewPCG(seed, 1))}
		wasm := a.module(false)
		metered, _, err := meter.Meter(wasm, meter.Options{})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		var seen [][]string
		var fuel []int64
		for _, slice := range []int64{50, 1000, 1_000_000} {
			b.slice, b.fuel, b.spent = slice, most, 0
			got, ok := b.observe(metered)
			if !ok {
				t.Fatalf("seed %d: the engine refuses it", seed)
			}
			seen, fuel = append(seen, got), append(fuel, b.spent)
		}
		// Where the fuel is asked for depends on the slices: a program that uses about all of it may or may not end.
		if endless := func(s []string) bool { return s[len(s)-1] == "endless" }; slices.ContainsFunc(seen, endless) {
			if least := slices.Min(fuel); least < most/2 {
				t.Errorf("seed %d: it has no end with one slice, and uses %d with another", seed, least)
			}
			continue
		}
		ended++
		want, _ := b.observe(wasm)
		for i := range seen {
			if !slices.Equal(seen[i], want) || fuel[i] != fuel[0] {
				t.Errorf("seed %d: metered %q with fuel %d, else %q and %d", seed, seen[i], fuel[i], want, fuel[0])
			}
		}
	}
	t.Logf("seeds from %d: %d of %d ended", from, ended, n)
	if ended < int(n)/4 {
		t.Errorf("only %d of %d programs ended by themselves", ended, n)
	}
}

// Random programs that do not end die on time, while the host's ticker runs.
func TestRandomProgramsDieOnTime(t *testing.T) {
	const timeout = 10 * time.Millisecond
	e := newEngine(t, Config{})
	from, n := seeds(t, 50)
	k := startTicker()
	var late spans
	killed := 0
	for seed := from; seed < from+n; seed++ {
		a := &author{Rand: rand.New(rand.NewPCG(seed, 2)), host: true}
		m := compile(t, e, a.module(true))
		begun := time.Now()
		res := m.Run(context.Background(), Run{Entry: "_start", Timeout: timeout})
		lateness := time.Since(begun) - timeout
		if lateness > worstSlack {
			t.Errorf("seed %d: late by %v", seed, lateness)
		}
		switch {
		case res.Outcome == Timeout:
			killed++
			late = append(late, lateness)
		case res.Outcome != Trapped:
			t.Errorf("seed %d: %+v", seed, res)
		}
		m.Close(context.Background())
	}
	ticks := k.end()
	if killed == 0 {
		t.Fatal("nothing was killed")
	}
	t.Logf("seeds from %d: %d of %d killed; late: %v; the host's ticker: %v", from, killed, n, late, ticks)
	if late.sorted().of(50) > 100*time.Millisecond || ticks.of(99) > slack {
		t.Errorf("seeds from %d: late: %v; the host's ticker: %v", from, late, ticks)
	}
}
