package sandbox

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/internal/guest"
	"github.com/wcron/wcron/internal/guest/asm"
)

// patience is how long a test waits for a guest that should be gone at once, on a machine that may be busy.
const patience = 10 * time.Second

// soon is a deadline for guests that never end by themselves.
const soon = 30 * time.Millisecond

func newEngine(t testing.TB, cfg Config) *Engine {
	t.Helper()
	e, err := New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return e
}

func compile(t testing.TB, e *Engine, wasm []byte) *Module {
	t.Helper()
	m, err := e.Compile(context.Background(), wasm)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// runIt runs a module on an engine of its own, with a limit of time that no test should reach.
func runIt(t *testing.T, wasm []byte, r Run) Result {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(context.Background(), patience, errors.New("the test's own limit"))
	defer cancel()
	return compile(t, newEngine(t, Config{}), wasm).Run(ctx, r)
}

// expect compares the outcome, the cause and a part of the reason.
func expect(t *testing.T, got Result, outcome Outcome, cause Cause, reason string) {
	t.Helper()
	if got.Outcome != outcome || got.Cause != cause || !strings.Contains(got.Reason, reason) {
		t.Errorf("got %s (%s) because %q, want %s (%s) because %q", got.Outcome, got.Cause, got.Reason, outcome, cause, reason)
	}
}

func TestOutcomes(t *testing.T) {
	forgedInStart := func(code int64) []byte {
		var m asm.Module
		exit := m.Import("wasi_snapshot_preview1", "proc_exit", []asm.Type{asm.TypeI32}, nil)
		m.Start(m.Func(nil, nil, nil, asm.I32(code), asm.Call(exit)))
		m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil, asm.Unreachable))
		return m.Bytes()
	}
	tests := []struct {
		name    string
		wasm    []byte
		run     Run
		outcome Outcome
		cause   Cause
		exit    uint32
		reason  string
	}{
		{name: "ok", wasm: guest.Greet("hi"), outcome: OK},
		{name: "exit 0", wasm: guest.Exit(0), outcome: OK},
		{name: "exit 0 in the start section", wasm: forgedInStart(0), outcome: OK},
		{name: "exit 7 in the start section", wasm: forgedInStart(7), outcome: Failed, cause: Exit, exit: 7, reason: "exit code 7"},
		{name: "exit 75", wasm: guest.Exit(75), outcome: Failed, cause: Exit, exit: 75, reason: "exit code 75"},
		{name: "exit 256", wasm: guest.Exit(256), outcome: Failed, cause: Exit, exit: 256},
		{name: "the engine's code for a deadline", wasm: guest.Exit(0xefffffff), run: Run{Timeout: time.Hour},
			outcome: Failed, cause: Exit, exit: 0xefffffff},
		{name: "the engine's code for a cancel", wasm: guest.Exit(0xffffffff), run: Run{Timeout: time.Hour},
			outcome: Failed, cause: Exit, exit: 0xffffffff},
		{name: "trap", wasm: guest.Trap(), outcome: Trapped, cause: Trap, reason: "wasm error: unreachable; in "},
		{name: "recursion", wasm: guest.Recurse(), outcome: Trapped, cause: Trap, reason: "stack overflow"},
		{name: "grow", wasm: guest.Grow(15), run: Run{Memory: 1 << 20}, outcome: OK},
		{name: "grow too much", wasm: guest.Grow(16), run: Run{Memory: 1 << 20}, outcome: Trapped, cause: OutOfMemory,
			reason: "growing its memory to 1088 KiB was refused at the limit of 1 MiB: raise memory"},
		{name: "grow for ever", wasm: guest.GrowForever(), run: Run{Memory: 2 << 20}, outcome: Trapped, cause: OutOfMemory},
		{name: "too much from the start", wasm: guest.MemoryMin(17), run: Run{Memory: 1 << 20}, outcome: Trapped,
			cause: OutOfMemory, reason: "begins with 1088 KiB of memory, above the limit of 1 MiB; raise memory"},
		{name: "reactor", wasm: guest.Reactor(), outcome: OK},
		{name: "no such entry", wasm: guest.Reactor(), run: Run{Entry: "go"}, outcome: Failed, cause: HostFault,
			reason: `no function "go"; entry can be set to "run"`},
		{name: "no entry", wasm: guest.NoEntry(), outcome: Failed, cause: HostFault,
			reason: `neither a function ` + "`_start` nor `run`"},
		{name: "named entry", wasm: guest.NoEntry(), run: Run{Entry: "other"}, outcome: OK},
		{name: "bad variable", wasm: guest.Exit(0), run: Run{Env: []string{"A"}}, outcome: Failed, cause: HostFault, reason: `"A"`},
		{name: "bad argument", wasm: guest.Exit(0), run: Run{Args: []string{"a\x00"}}, outcome: Failed, cause: HostFault},
		{name: "attempt 1", wasm: guest.FailUntil(2), run: Run{Env: []string{"WCRON_ATTEMPT=1"}}, outcome: Failed, cause: Exit, exit: 1},
		{name: "attempt 2", wasm: guest.FailUntil(2), run: Run{Env: []string{"WCRON_ATTEMPT=2"}}, outcome: OK},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := runIt(t, test.wasm, test.run)
			expect(t, got, test.outcome, test.cause, test.reason)
			byItself := got.Outcome == OK || got.Cause == Exit
			if got.ExitCode != test.exit || got.HasExit != byItself {
				t.Errorf("exit code %d, %v", got.ExitCode, got.HasExit)
			}
			if (got.Reason == "") != (got.Outcome == OK) {
				t.Errorf("reason %q", got.Reason)
			}
		})
	}
}

// What the guest is given, and that it gets through.
func TestStreamsArgumentsAndVariables(t *testing.T) {
	var out, errs bytes.Buffer
	res := runIt(t, guest.Hello(), Run{Args: []string{"backup"}, Env: []string{"WCRON_SLOT=a=b"}, Stdout: &out})
	expect(t, res, OK, "", "")
	if got := out.String(); got != "hello from backup, slot a=b\n" {
		t.Errorf("got %q", got)
	}
	out.Reset()
	expect(t, runIt(t, guest.Print("to out", "to err", 3), Run{Stdout: &out, Stderr: &errs}), Failed, Exit, "exit code 3")
	if out.String() != "to out" || errs.String() != "to err" {
		t.Errorf("got %q and %q", &out, &errs)
	}
	out.Reset()
	event := strings.Repeat("0123456789", 30_000)
	expect(t, runIt(t, guest.Echo(), Run{Stdin: strings.NewReader(event), Stdout: &out}), OK, "", "")
	if out.String() != event {
		t.Errorf("%d bytes came back of %d", out.Len(), len(event))
	}
	out.Reset()
	expect(t, runIt(t, guest.Echo(), Run{Stdout: &out}), OK, "", "")
	if out.Len() != 0 {
		t.Errorf("no stdin gave %q", &out)
	}
}

func TestEntryPoints(t *testing.T) {
	// A reactor: _initialize sets up what run gives as its result.
	var m asm.Module
	m.Memory(1, 1)
	m.Export("_initialize", asm.KindFunc, m.Func(nil, nil, nil, asm.I32(0), asm.I32(42), asm.Store(0)))
	m.Export("run", asm.KindFunc, m.Func(nil, []asm.Type{asm.TypeI32}, nil, asm.I32(0), asm.Load(0)))
	m.Export("add", asm.KindFunc, m.Func([]asm.Type{asm.TypeI32}, nil, nil))
	res := runIt(t, m.Bytes(), Run{})
	expect(t, res, Failed, Exit, "exit code 42")
	if res.ExitCode != 42 || !res.HasExit {
		t.Errorf("got %+v", res)
	}
	expect(t, runIt(t, m.Bytes(), Run{Entry: "add"}), Failed, HostFault, "must take no parameters")
	expect(t, runIt(t, m.Bytes(), Run{Entry: "memory"}), Failed, HostFault, `exports "memory" as a memory`)

	var notCode asm.Module
	notCode.Memory(1, 1)
	notCode.Export("_start", asm.KindMemory, 0)
	expect(t, runIt(t, notCode.Bytes(), Run{}), Failed, HostFault, `exports "_start" as a memory`)

	// _initialize of a command is not called, and one that exits ends the run.
	var both asm.Module
	exit := both.Import("wasi_snapshot_preview1", "proc_exit", []asm.Type{asm.TypeI32}, nil)
	both.Export("_initialize", asm.KindFunc, both.Func(nil, nil, nil, asm.I32(9), asm.Call(exit)))
	both.Export("_start", asm.KindFunc, both.Func(nil, nil, nil))
	both.Export("run", asm.KindFunc, both.Func(nil, nil, nil))
	expect(t, runIt(t, both.Bytes(), Run{}), OK, "", "")
	expect(t, runIt(t, both.Bytes(), Run{Entry: "run"}), Failed, Exit, "exit code 9")
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

type panickingWriter struct{}

func (panickingWriter) Write([]byte) (int, error) { panic("no room") }

type shortWriter struct{}

func (shortWriter) Write(p []byte) (int, error) { return len(p) - 1, nil }

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errors.New("pipe burst") }

func TestHostFaults(t *testing.T) {
	expect(t, runIt(t, guest.Flood(), Run{Stdout: failingWriter{errors.New("disk full")}}), Failed, HostFault, "stdout: disk full")
	expect(t, runIt(t, guest.Flood(), Run{Stdout: panickingWriter{}}), Failed, HostFault, "stdout: panic: no room")
	expect(t, runIt(t, guest.Flood(), Run{Stdout: shortWriter{}}), Failed, HostFault, "stdout: short write")
	expect(t, runIt(t, guest.Print("", "x", 0), Run{Stderr: failingWriter{io.ErrClosedPipe}}), Failed, HostFault, "stderr: io")
	expect(t, runIt(t, guest.Echo(), Run{Stdin: failingReader{}}), Failed, HostFault, "stdin: pipe burst")

	e := newEngine(t, Config{Rand: failingReader{}})
	expect(t, compile(t, e, randomLots(1, 100)).Run(context.Background(), Run{}), Failed, HostFault, "random source: pipe burst")

	e = newEngine(t, Config{Clock: Clock{Now: func() time.Time { panic("no clock") }}})
	var m asm.Module
	clock := m.Import("wasi_snapshot_preview1", "clock_time_get", []asm.Type{asm.TypeI32, asm.TypeI64, asm.TypeI32}, []asm.Type{asm.TypeI32})
	m.Memory(1, 1)
	m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil, asm.I32(0), asm.I64(0), asm.I32(0), asm.Call(clock), asm.Drop))
	expect(t, compile(t, e, m.Bytes()).Run(context.Background(), Run{}), Failed, HostFault, "no clock")
}

// randomLots draws that many bytes of randomness, so many times, in single calls.
func randomLots(times, bytes int64) []byte {
	var m asm.Module
	get := m.Import("wasi_snapshot_preview1", "random_get", []asm.Type{asm.TypeI32, asm.TypeI32}, []asm.Type{asm.TypeI32})
	const left = 0
	m.Export("_start", asm.KindFunc, m.Func(nil, nil, []asm.Type{asm.TypeI32}, asm.I32(times), asm.Set(left),
		asm.Loop(
			asm.I32(0), asm.I32(bytes), asm.Call(get), asm.If(asm.Unreachable),
			asm.Get(left), asm.I32(1), asm.Sub, asm.Tee(left), asm.BrIf(0))))
	m.Memory(uint32(bytes/65536)+1, asm.NoMax)
	return m.Bytes()
}

// The guest sees the clock, the sleep and the randomness that the engine was given.
func TestInjectedClockAndRandomness(t *testing.T) {
	var slept time.Duration
	e := newEngine(t, Config{Clock: Clock{
		Now:       func() time.Time { return time.Unix(7, 0) },
		Monotonic: func() time.Duration { return 9 },
		Sleep:     func(_ context.Context, d time.Duration) { slept = d },
	}})
	expect(t, compile(t, e, guest.Sleep(72*time.Hour)).Run(context.Background(), Run{}), OK, "", "")
	if slept != 72*time.Hour {
		t.Errorf("slept for %v", slept)
	}
	for _, clock := range []struct{ id, want int64 }{{0, 7e9}, {1, 9}} {
		var m asm.Module
		get := m.Import("wasi_snapshot_preview1", "clock_time_get",
			[]asm.Type{asm.TypeI32, asm.TypeI64, asm.TypeI32}, []asm.Type{asm.TypeI32})
		m.Memory(1, 1)
		m.Export("run", asm.KindFunc, m.Func(nil, []asm.Type{asm.TypeI32}, nil,
			asm.I32(clock.id), asm.I64(0), asm.I32(0), asm.Call(get), asm.Drop, asm.I32(0), asm.Load(0)))
		res := compile(t, e, m.Bytes()).Run(context.Background(), Run{})
		if res.ExitCode != uint32(clock.want) {
			t.Errorf("clock %d shows %d, want the low bits of %d", clock.id, res.ExitCode, clock.want)
		}
	}
}

// Two runs of one module at the same time see nothing of each other, nor of a run before them.
func TestNothingIsLeftOver(t *testing.T) {
	var m asm.Module
	const at = 0
	m.Memory(1, 4)
	m.Export("run", asm.KindFunc, m.Func(nil, []asm.Type{asm.TypeI32}, []asm.Type{asm.TypeI32},
		asm.I32(100), asm.Load(0), asm.MemorySize, asm.Add, asm.Set(at),
		asm.I32(100), asm.I32(77), asm.Store(0), asm.I32(1), asm.MemoryGrow, asm.Drop,
		asm.Get(at)))
	mod := compile(t, newEngine(t, Config{}), m.Bytes())
	done := make(chan Result)
	for range 2 {
		go func() {
			var last Result
			for range 50 {
				if last = mod.Run(context.Background(), Run{}); last.ExitCode != 1 {
					break
				}
			}
			done <- last
		}()
	}
	for range 2 {
		if res := <-done; res.ExitCode != 1 {
			t.Errorf("a run found %d where a fresh one finds 1: %+v", res.ExitCode, res)
		}
	}
}

func TestPrintable(t *testing.T) {
	if got := printable("a\nb\x1b[31m\u202ec\xff"); got != "a?b?[31m?c?" {
		t.Errorf("got %q", got)
	}
	if got := printable(strings.Repeat("ä", 2000)); len(got) > maxReason || !strings.HasSuffix(got, "ä...") {
		t.Errorf("%d bytes, ends with %q", len(got), got[len(got)-8:])
	}
}

// A guest's names reach the reason only in a form that is safe to print.
func TestHostileNames(t *testing.T) {
	var m asm.Module
	name := "evil\x1b[2J\n\tlevel=ERROR msg=forged" + strings.Repeat("x", 5000)
	m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil, asm.Unreachable))
	var section []byte
	section = append(section, 1)
	content := append([]byte{1, 0, 0x80 | byte(len(name)&0x7f), byte(len(name) >> 7)}, name...)
	section = append(section, 0x80|byte(len(content)&0x7f), byte(len(content)>>7))
	m.Custom("name", append(section, content...))
	res := runIt(t, m.Bytes(), Run{})
	expect(t, res, Trapped, Trap, "evil?[2J, called by level=ERROR msg=forgedxxx")
	if strings.ContainsAny(res.Reason, "\n\x1b") || len(res.Reason) > maxReason {
		t.Errorf("reason %q", res.Reason)
	}
}
