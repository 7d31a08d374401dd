package sandbox

import (
	"bytes"
	"context"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/internal/guest"
	"github.com/wcron/wcron/internal/guest/asm"
)

// Each cause comes from what it stands for, alone.
func TestEachCause(t *testing.T) {
	budget := NewBudget(1 << 20)
	e, poor := newEngine(t, Config{}), newEngine(t, Config{Budget: budget})
	background := context.Background()
	ended := func(cause error) context.Context {
		ctx, cancel := context.WithCancelCause(background)
		time.AfterFunc(5*time.Millisecond, func() { cancel(cause) })
		return ctx
	}
	tests := map[Cause]struct {
		e       *Engine
		ctx     context.Context
		wasm    []byte
		run     Run
		outcome Outcome
		reason  string
	}{
		Exit:         {e, background, guest.Exit(9), Run{}, Failed, "exit code 9"},
		HostFault:    {e, background, guest.Flood(), Run{Stdout: failingWriter{io.ErrClosedPipe}}, Failed, "stdout: io: read/write on closed pipe"},
		Deadline:     {e, background, guest.Spin(), Run{Timeout: soon}, Timeout, "the deadline passed"},
		Trap:         {e, background, guest.Trap(), Run{}, Trapped, "wasm error: unreachable; in "},
		OutOfMemory:  {e, background, guest.GrowForever(), Run{Memory: 1 << 20}, Trapped, "was refused at the limit of 1 MiB: raise memory"},
		FuelLimit:    {e, background, guest.Spin(), Run{Fuel: 1000}, Killed, "it used up its fuel of 1000; raise fuel"},
		Cancelled:    {e, ended(ErrCancelled), guest.Spin(), Run{}, Killed, "the run was cancelled"},
		Replaced:     {e, ended(ErrReplaced), guest.Spin(), Run{}, Killed, "replaced by a newer one"},
		Shutdown:     {e, ended(ErrShutdown), guest.Spin(), Run{}, Killed, "shutting down"},
		MemoryBudget: {poor, background, guest.GrowForever(), Run{}, Killed, "the memory budget of 1 MiB"},
	}
	for cause, test := range tests {
		t.Run(string(cause), func(t *testing.T) {
			expect(t, compile(t, test.e, test.wasm).Run(test.ctx, test.run), test.outcome, cause, test.reason)
		})
	}
}

// A deadline that comes while the guest waits in a host call ends it there: what it would do next never happens.
func TestWaitingGuestEndsWhereItWaits(t *testing.T) {
	var out bytes.Buffer
	res := runIt(t, guest.Sleep(time.Hour), Run{Timeout: soon, Stdout: &out})
	expect(t, res, Timeout, Deadline, "")
	if got := out.String(); strings.Count(got, "\n") != 1 || res.HasExit {
		t.Errorf("got %+v and the output %q", res, got)
	}
}

// blocking is a stream that never comes back, and has no deadlines, until it is let go.
type blocking struct {
	entered, letGo chan struct{}
}

func (b blocking) wait(p []byte) (int, error) {
	b.entered <- struct{}{}
	<-b.letGo
	return len(p), nil
}

func (b blocking) Read(p []byte) (int, error)  { return b.wait(p) }
func (b blocking) Write(p []byte) (int, error) { return b.wait(p) }

// A call of the caller's that blocks for ever holds neither the run nor, for long, the other guests.
func TestBlockedHostCallIsLeftBehind(t *testing.T) {
	e := newEngine(t, Config{})
	flood, echo, short := compile(t, e, guest.Flood()), compile(t, e, guest.Echo()), compile(t, e, guest.CallTree(5))
	before := runtime.NumGoroutine()
	n := 2 * runtime.GOMAXPROCS(0)
	b := blocking{make(chan struct{}, 4*n), make(chan struct{})}
	done := make(chan Result)
	begun := time.Now()
	for range n {
		go func() { done <- flood.Run(context.Background(), Run{Stdout: b, Timeout: slack}) }()
		go func() { done <- echo.Run(context.Background(), Run{Stdin: b, Timeout: slack}) }()
	}
	for range 2 * n {
		<-b.entered
	}
	expect(t, short.Run(context.Background(), Run{Timeout: patience}), OK, "", "")
	for range 2 * n {
		expect(t, <-done, Timeout, Deadline, "")
	}
	if late := time.Since(begun) - slack; late > worstSlack {
		t.Errorf("late by %v", late)
	}
	close(b.letGo)
	settle(t, before)
}

// settle waits until no more goroutines are there than before.
func settle(t *testing.T, before int) {
	t.Helper()
	for begun := time.Now(); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Since(begun) > patience {
			t.Fatalf("%d goroutines before, %d after", before, runtime.NumGoroutine())
		}
	}
}

type exitingWriter struct{}

func (exitingWriter) Write([]byte) (int, error) { runtime.Goexit(); return 0, nil }

type lyingReader struct{ n int }

func (r lyingReader) Read([]byte) (int, error) { return r.n, nil }

// A panic in a host function, or whatever else is wrong with the caller's part, ends that run alone.
func TestPanicsEndOneRun(t *testing.T) {
	e := newEngine(t, Config{})
	flood, echo := compile(t, e, guest.Flood()), compile(t, e, guest.Echo())
	other := make(chan Result)
	ctx, cancel := context.WithCancelCause(context.Background())
	go func() { other <- compile(t, e, guest.Spin()).Run(ctx, Run{}) }()
	var nothing map[string]int
	for range 20 {
		expect(t, flood.Run(ctx, Run{Stdout: panickingWriter{}}), Failed, HostFault, "stdout: panic: no room")
		expect(t, flood.Run(ctx, Run{Stdout: writerFunc(func([]byte) (int, error) { nothing["x"] = 1; return 0, nil })}),
			Failed, HostFault, "stdout: panic: assignment to entry in nil map")
		expect(t, flood.Run(ctx, Run{Stdout: exitingWriter{}}), Failed, HostFault, "stdout: its goroutine ended")
		expect(t, echo.Run(ctx, Run{Stdin: lyingReader{1 << 20}}), Failed, HostFault, "stdin: it says that it moved 1048576 bytes")
		expect(t, echo.Run(ctx, Run{Stdin: lyingReader{-1}}), Failed, HostFault, "stdin: it says that it moved -1 bytes")
	}
	cancel(ErrShutdown)
	expect(t, <-other, Killed, Shutdown, "")
}

// Unless others are injected, the clocks and the randomness of guests are real, which the engine's own are not.
func TestRealClocksAndRandomness(t *testing.T) {
	e := newEngine(t, Config{})
	// It writes what it draws, and the time on the wall before and after a sleep, and the same by the other clock.
	var m asm.Module
	i32, i64 := asm.TypeI32, asm.TypeI64
	const wasi = "wasi_snapshot_preview1"
	random := m.Import(wasi, "random_get", []asm.Type{i32, i32}, []asm.Type{i32})
	clock := m.Import(wasi, "clock_time_get", []asm.Type{i32, i64, i32}, []asm.Type{i32})
	poll := m.Import(wasi, "poll_oneoff", []asm.Type{i32, i32, i32, i32}, []asm.Type{i32})
	write := m.Import(wasi, "fd_write", []asm.Type{i32, i32, i32, i32}, []asm.Type{i32})
	m.Memory(1, 1)
	show := func(id, at int64) asm.Code {
		return asm.Cat(asm.I32(id), asm.I64(0), asm.I32(at), asm.Call(clock), asm.Drop)
	}
	m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil,
		asm.I32(0), asm.I32(16), asm.Call(random), asm.Drop,
		show(0, 16), show(1, 24),
		asm.I32(0), asm.I64(int64(5*time.Millisecond)), asm.Store64(128+24),
		asm.I32(128), asm.I32(256), asm.I32(1), asm.I32(512), asm.Call(poll), asm.Drop,
		show(0, 32), show(1, 40),
		asm.I32(600), asm.I32(0), asm.Store(0), asm.I32(604), asm.I32(48), asm.Store(0),
		asm.I32(1), asm.I32(600), asm.I32(1), asm.I32(512), asm.Call(write), asm.Drop))
	mod := compile(t, e, m.Bytes())
	var drawn []string
	for range 2 {
		var out bytes.Buffer
		before := time.Now()
		expect(t, mod.Run(context.Background(), Run{Stdout: &out}), OK, "", "")
		after := time.Now()
		b := out.Bytes()
		if len(b) != 48 {
			t.Fatalf("it wrote %d bytes", len(b))
		}
		drawn = append(drawn, string(b[:16]))
		wall, wallLater := time.Unix(0, little(b[16:])), time.Unix(0, little(b[32:]))
		if wall.Before(before.Round(0)) || wallLater.After(after.Round(0)) {
			t.Errorf("the guest saw %v and %v, while it was %v and %v", wall, wallLater, before, after)
		}
		if slept := time.Duration(little(b[40:]) - little(b[24:])); slept < 5*time.Millisecond || slept > after.Sub(before) {
			t.Errorf("it slept for %v", slept)
		}
	}
	if drawn[0] == drawn[1] {
		t.Errorf("two runs drew the same: %x", drawn[0])
	}
}

func little(b []byte) (n int64) {
	for i := 7; i >= 0; i-- {
		n = n<<8 | int64(b[i])
	}
	return n
}

// What the engine hangs on to at the end of a run in error is given back, by us.
func TestMemoryOfEveryEndingIsGivenBack(t *testing.T) {
	budget := NewBudget(1 << 30)
	e := newEngine(t, Config{Budget: budget, Rand: failingReader{}})
	for name, test := range map[string]struct {
		wasm []byte
		run  Run
		want Outcome
	}{
		"trap in the start section":  {trapInStart(), Run{}, Trapped},
		"segment out of bounds":      {badSegment(), Run{}, Trapped},
		"deadline in a sleep":        {guest.Sleep(time.Hour), Run{Timeout: time.Millisecond}, Timeout},
		"deadline in a write":        {guest.Flood(), Run{Timeout: time.Millisecond, Stdout: blocking{make(chan struct{}, 1), make(chan struct{})}}, Timeout},
		"host fault":                 {randomLots(1, 10), Run{}, Failed},
		"exit":                       {guest.Print("x", "", 3), Run{}, Failed},
		"refused before it begins":   {guest.MemoryMin(17), Run{Memory: 1 << 20}, Trapped},
		"fuel":                       {guest.Flood(), Run{Fuel: 1000}, Killed},
		"memory that grew and moved": {guest.GrowForever(), Run{Memory: 3 << 20}, Trapped},
	} {
		t.Run(name, func(t *testing.T) {
			m := compile(t, e, test.wasm)
			for range 20 {
				res := m.Run(context.Background(), test.run)
				if res.Outcome != test.want {
					t.Fatalf("got %+v", res)
				}
				if n := budget.InUse(); n != 0 {
					t.Fatalf("%d bytes are still charged", n)
				}
			}
		})
	}
	// The range of addresses goes with them.
	x := &execution{ctx: context.Background(), module: compile(t, e, badSegment())}
	x.memory = memory{limit: DefaultMemory, regions: e.regions}
	x.begin(e, 0)
	_, err := x.run(entryPoint{name: "_start"}, &Run{})
	x.finish()
	if err == nil || len(x.memory.buf) == 0 {
		t.Errorf("the error is %v, and %d bytes of memory are held", err, len(x.memory.buf))
	}
	x.memory.release()
	x.memory.release()
	if x.memory.buf != nil || x.memory.region != nil {
		t.Error("the memory is still held")
	}
}
