package sandbox

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/internal/guest"
	"github.com/wcron/wcron/internal/guest/asm"
)

func TestContextCauseChoosesTheCause(t *testing.T) {
	e := newEngine(t, Config{})
	tests := []struct {
		cause  error
		want   Cause
		reason string
	}{
		{ErrCancelled, Cancelled, "cancelled"},
		{ErrShutdown, Shutdown, "shutting down"},
		{ErrReplaced, Replaced, "replaced"},
		{nil, Cancelled, "cancelled"},
		{errors.New("lost its claim"), Cancelled, "lost its claim"},
	}
	for _, wasm := range [][]byte{guest.Spin(), guest.Sleep(time.Hour)} {
		m := compile(t, e, wasm)
		for _, test := range tests {
			ctx, cancel := context.WithCancelCause(context.Background())
			time.AfterFunc(5*time.Millisecond, func() { cancel(test.cause) })
			expect(t, m.Run(ctx, Run{Timeout: patience}), Killed, test.want, test.reason)
			res := m.Run(ctx, Run{})
			expect(t, res, Killed, test.want, test.reason)
			if res.Started {
				t.Error("a guest was started with a context that is done")
			}
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	expect(t, compile(t, e, guest.Spin()).Run(ctx, Run{}), Timeout, Deadline, "")
}

// A guest that ends by itself while the context ends keeps its own ending: only what was stopped is a timeout.
func TestOwnEndingWinsOverTheContext(t *testing.T) {
	e := newEngine(t, Config{})
	for _, test := range []struct {
		wasm    []byte
		outcome Outcome
		cause   Cause
	}{
		{guest.Greet("x"), OK, ""},
		{guest.Print("x", "", 7), Failed, Exit},
	} {
		ctx, cancel := context.WithCancelCause(context.Background())
		x := &execution{ctx: ctx, module: compile(t, e, test.wasm)}
		x.memory = memory{limit: DefaultMemory}
		defer x.memory.release()
		x.begin(x.module.engine, 0)
		code, err := x.run(entryPoint{name: "_start"}, &Run{Stdout: &bytes.Buffer{}})
		x.finish()
		cancel(ErrCancelled)
		expect(t, x.result(err, code), test.outcome, test.cause, "")
	}
}

func TestBlockedPipeWorksAgainAfterTheKill(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("pipes have no deadlines on Windows")
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	e := newEngine(t, Config{})
	expect(t, compile(t, e, guest.Echo()).Run(context.Background(), Run{Stdin: r, Timeout: soon}), Timeout, Deadline, "")
	if _, err := w.WriteString("later"); err != nil {
		t.Fatal(err)
	}
	w.Close()
	var out bytes.Buffer
	expect(t, compile(t, e, guest.Echo()).Run(context.Background(), Run{Stdin: r, Stdout: &out}), OK, "", "")
	if out.String() != "later" {
		t.Errorf("got %q", &out)
	}
}

// trapInStart traps in its start section, and badSegment before any code runs: paths on which the engine forgets to free
// the memory.
func trapInStart() []byte {
	var m asm.Module
	m.Memory(4, asm.NoMax)
	m.Start(m.Func(nil, nil, nil, asm.Unreachable))
	m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil))
	return m.Bytes()
}

func badSegment() []byte {
	var m asm.Module
	m.Memory(4, asm.NoMax)
	m.Data(4*65536-1, []byte("xx"))
	m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil))
	return m.Bytes()
}

// A thousand runs of all kinds leave no goroutine and no memory behind.
func TestRunsLeaveNothingBehind(t *testing.T) {
	budget := NewBudget(64 << 20)
	e := newEngine(t, Config{Budget: budget})
	kinds := []struct {
		m       *Module
		r       Run
		outcome Outcome
	}{
		{compile(t, e, guest.Greet("hi")), Run{}, OK},
		{compile(t, e, guest.Exit(3)), Run{}, Failed},
		{compile(t, e, guest.Trap()), Run{}, Trapped},
		{compile(t, e, trapInStart()), Run{}, Trapped},
		{compile(t, e, badSegment()), Run{}, Trapped},
		{compile(t, e, guest.Grow(20)), Run{}, OK},
		{compile(t, e, guest.Grow(20)), Run{Memory: 1 << 20}, Trapped},
		{compile(t, e, guest.Spin()), Run{Timeout: time.Millisecond}, Timeout},
		{compile(t, e, guest.Sleep(time.Hour)), Run{Timeout: time.Millisecond}, Timeout},
		{compile(t, e, guest.Flood()), Run{Stdout: failingWriter{io.ErrClosedPipe}}, Failed},
	}
	before := runtime.NumGoroutine()
	for i := range 1000 {
		k := kinds[i%len(kinds)]
		if res := k.m.Run(context.Background(), k.r); res.Outcome != k.outcome {
			t.Fatalf("run %d: %+v, want %s", i, res, k.outcome)
		}
		if n := budget.InUse(); n != 0 {
			t.Fatalf("run %d left %d bytes charged", i, n)
		}
	}
	settled := time.Now().Add(patience)
	for runtime.NumGoroutine() > before {
		if time.Now().After(settled) {
			t.Fatalf("%d goroutines before, %d after", before, runtime.NumGoroutine())
		}
		runtime.Gosched()
	}
}

func TestBudget(t *testing.T) {
	budget := NewBudget(4 << 20)
	e := newEngine(t, Config{Budget: budget})
	grow := compile(t, e, guest.GrowForever())
	res := grow.Run(context.Background(), Run{})
	expect(t, res, Killed, MemoryBudget, "memory budget of 4 MiB")
	if !res.Started || res.MemoryPeak < 2<<20 || res.MemoryPeak > 4<<20 {
		t.Errorf("got %+v", res)
	}
	expect(t, grow.Run(context.Background(), Run{Memory: 2 << 20}), Trapped, OutOfMemory, "limit of 2 MiB")

	large := compile(t, e, guest.MemoryMin(65))
	if budget.Reserve(large.MinMemory()) || !budget.Reserve(4<<20) || budget.Reserve(1) {
		t.Error("it took what it has no room for, or not what it has")
	}
	// What is reserved for a run is its own, and given back however the run ends.
	small := compile(t, e, guest.MemoryMin(64))
	expect(t, small.Run(context.Background(), Run{}), Killed, MemoryBudget, "4 MiB are in use")
	expect(t, small.Run(context.Background(), Run{Reserved: 4 << 20}), OK, "", "")
	if !budget.Reserve(4 << 20) {
		t.Errorf("%d are in use", budget.InUse())
	}
	expect(t, small.Run(context.Background(), Run{Reserved: 4 << 20, Entry: "none"}), Failed, HostFault, "no function")
	if budget.InUse() != 0 {
		t.Errorf("%d are in use", budget.InUse())
	}
	res = large.Run(context.Background(), Run{})
	expect(t, res, Killed, MemoryBudget, "4160 KiB")
	if res.Started {
		t.Error("it was started")
	}

	// What one run holds, another does not get.
	var m asm.Module
	read := m.Import("wasi_snapshot_preview1", "fd_read", []asm.Type{asm.TypeI32, asm.TypeI32, asm.TypeI32, asm.TypeI32}, []asm.Type{asm.TypeI32})
	m.Memory(40, asm.NoMax)
	m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil,
		asm.I32(4), asm.I32(1), asm.Store(0),
		asm.I32(0), asm.I32(0), asm.I32(1), asm.I32(16), asm.Call(read), asm.Drop))
	reader := compile(t, e, m.Bytes())
	stdin, feed := io.Pipe()
	done := make(chan Result)
	go func() { done <- reader.Run(context.Background(), Run{Stdin: stdin}) }()
	for budget.InUse() == 0 {
		runtime.Gosched()
	}
	expect(t, compile(t, e, guest.MemoryMin(30)).Run(context.Background(), Run{}), Killed, MemoryBudget, "2560 KiB are in use")
	feed.Close()
	expect(t, <-done, OK, "", "")
	expect(t, compile(t, e, guest.MemoryMin(30)).Run(context.Background(), Run{}), OK, "", "")

	unlimited := NewBudget(0)
	if !unlimited.Reserve(1<<50) || unlimited.InUse() != 1<<50 || unlimited.Limit() != 0 {
		t.Error("a budget without a limit is wrong")
	}
}

func TestMemoryPeak(t *testing.T) {
	if res := runIt(t, guest.Grow(9), Run{}); res.MemoryPeak != 10<<16 {
		t.Errorf("peak %d", res.MemoryPeak)
	}
	if res := runIt(t, guest.NoEntry(), Run{Entry: "other"}); res.MemoryPeak != 0 {
		t.Errorf("peak %d without a memory", res.MemoryPeak)
	}
	e := newEngine(t, Config{MaxMemory: 1 << 20})
	res := compile(t, e, guest.GrowForever()).Run(context.Background(), Run{Memory: 1 << 30})
	expect(t, res, Trapped, OutOfMemory, "limit of 1 MiB")
}

func TestCloseWaitsForRuns(t *testing.T) {
	e, err := New(context.Background(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	m := compile(t, e, guest.Sleep(time.Hour))
	ctx, cancel := context.WithCancelCause(context.Background())
	out := &signal{ch: make(chan struct{}, 1)}
	done := make(chan Result)
	go func() { done <- m.Run(ctx, Run{Stdout: out}) }()
	<-out.ch
	hurry, stop := context.WithTimeout(context.Background(), time.Millisecond)
	defer stop()
	if err := m.Close(hurry); err == nil || !strings.Contains(err.Error(), "still under way") {
		t.Errorf("Close of the module: %v", err)
	}
	if err := e.Close(hurry); err == nil || !strings.Contains(err.Error(), "still under way") {
		t.Errorf("Close of the engine: %v", err)
	}
	expect(t, m.Run(context.Background(), Run{}), Failed, HostFault, "closed")
	cancel(ErrShutdown)
	expect(t, <-done, Killed, Shutdown, "")
	if err := m.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if err := e.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if _, err := e.Compile(context.Background(), guest.Exit(0)); err == nil {
		t.Error("a closed engine compiles")
	}
}

// signal tells of the first write.
type signal struct{ ch chan struct{} }

func (s *signal) Write(p []byte) (int, error) {
	select {
	case s.ch <- struct{}{}:
	default:
	}
	return len(p), nil
}
