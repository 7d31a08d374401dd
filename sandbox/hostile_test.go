package sandbox

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wcron/wcron/internal/guest/hostile"
)

// zeros is a stdin without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// stuckPipes is a pipe that nobody writes to, as a reader that blocks, and a full one that nobody reads, as a writer.
func stuckPipes(t *testing.T) (silent, full *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	r2, w2, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r2.Close(); w2.Close() })
	return r, w2
}

// runOf is what a hostile shape is run with.
func runOf(t *testing.T, s hostile.Shape, timeout time.Duration) Run {
	r := Run{Timeout: timeout}
	if s.Stdin != hostile.Stuck && s.Stdout != hostile.Stuck {
		if s.Stdin == hostile.Endless {
			r.Stdin = zeros{}
		}
		return r
	}
	silent, full := stuckPipes(t)
	if s.Stdin == hostile.Stuck {
		r.Stdin = silent
	}
	if s.Stdout == hostile.Stuck {
		r.Stdout = full
	}
	return r
}

// compileShape compiles a shape, or checks that it is refused as it must be.
func compileShape(t *testing.T, e *Engine, s hostile.Shape) (m *Module, ok bool) {
	t.Helper()
	m, err := e.Compile(context.Background(), s.Wasm())
	if err == nil && s.Refused != "" {
		if err = m.CheckEntry(""); err != nil {
			m.Close(context.Background())
		}
	}
	if s.Refused != "" {
		if err == nil || !strings.Contains(err.Error(), s.Refused) {
			t.Errorf("%s: got the error %v, want one with %q", s.Name, err, s.Refused)
		}
		return nil, false
	}
	if err != nil {
		t.Errorf("%s: %v", s.Name, err)
		return nil, false
	}
	return m, true
}

// neighbours keep spinning guests of several kinds on an engine, until the function that it returns is called.
func neighbours(t *testing.T, e *Engine, n int) (stop func()) {
	t.Helper()
	kinds := map[string]bool{"loop": true, "call-tree": true, "copies-up": true, "clock": true, "random": true,
		"write-vectors": true, "loop-large-body": true, "table-fill": true}
	var modules []*Module
	for _, s := range hostile.All() {
		if kinds[s.Name] {
			modules = append(modules, compile(t, e, s.Wasm()))
		}
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	var running sync.WaitGroup
	for i := range n {
		running.Go(func() {
			expect(t, modules[i%len(modules)].Run(ctx, Run{Stdout: io.Discard}), Killed, Cancelled, "")
		})
	}
	return func() {
		cancel(ErrCancelled)
		running.Wait()
	}
}

// Whatever a guest does, it comes to what it must come to, and is gone soon after its deadline, among neighbours that
// all spin, while the collector runs all the time, and the host goes on meanwhile.
func TestHostileCorpus(t *testing.T) {
	const timeout, crowd, atOnce = 50 * time.Millisecond, 8, 4
	shapes := hostile.All()
	if len(shapes) < 100 {
		t.Errorf("only %d shapes", len(shapes))
	}
	e := newEngine(t, Config{})
	modules := make([]*Module, len(shapes))
	for i, s := range shapes {
		if m, ok := compileShape(t, e, s); ok {
			modules[i] = m
		}
	}
	stop := neighbours(t, e, crowd)
	stopCollecting := collect()
	k := startTicker()
	results, late := make([]string, len(shapes)), make(spans, len(shapes))
	var running sync.WaitGroup
	places := make(chan struct{}, atOnce)
	for i, s := range shapes {
		if modules[i] == nil {
			results[i] = fmt.Sprintf("refused: %q", s.Refused)
			continue
		}
		places <- struct{}{}
		running.Go(func() {
			results[i], late[i] = runShape(t, modules[i], s, timeout)
			<-places
		})
	}
	running.Wait()
	ticks := k.end()
	stopCollecting()
	stop()
	for i, s := range shapes {
		t.Logf("%-22s %-60.60s %s", s.Name, s.About, results[i])
	}
	late = slices.DeleteFunc(late, func(d time.Duration) bool { return d == 0 })
	t.Logf("%d shapes, %d at a time among %d that spin; late: %v; the host's ticker: %v", len(shapes), atOnce, crowd, late, ticks)
	if late.sorted().of(50) > 100*time.Millisecond {
		t.Errorf("late: %v", late)
	}
	if ticks.of(99) > slack {
		t.Errorf("the host's ticker was late: %v", ticks)
	}
}

// runShape runs a shape and holds what comes of it against what must. It is late only if its deadline ends it.
func runShape(t *testing.T, m *Module, s hostile.Shape, timeout time.Duration) (observed string, late time.Duration) {
	r := runOf(t, s, timeout)
	if s.Cause != string(Deadline) {
		r.Timeout = patience
	}
	begun := time.Now()
	res := m.Run(context.Background(), r)
	took := time.Since(begun)
	observed = fmt.Sprintf("%s %s, fuel %d", res.Outcome, res.Cause, res.Fuel)
	if string(res.Outcome) != s.Outcome || string(res.Cause) != s.Cause || res.ExitCode != s.Exit {
		t.Errorf("%s: %s (%s), exit code %d, because %q; want %s (%s), exit code %d", s.Name,
			res.Outcome, res.Cause, res.ExitCode, res.Reason, s.Outcome, s.Cause, s.Exit)
	}
	byItself := s.Outcome == string(OK) || s.Cause == string(Exit)
	if res.HasExit != byItself || !res.Started && s.Cause == string(Deadline) {
		t.Errorf("%s: started %v, ended by itself %v", s.Name, res.Started, res.HasExit)
	}
	if s.Cause != string(Deadline) {
		return observed, 0
	}
	if late = took - timeout; late <= 0 || late > worstSlack {
		t.Errorf("%s: late by %v", s.Name, late)
	}
	return fmt.Sprintf("%s, late by %v", observed, late.Round(10*time.Microsecond)), late
}
