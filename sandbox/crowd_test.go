package sandbox

import (
	"context"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wcron/wcron/internal/guest"
	"github.com/wcron/wcron/internal/guest/asm"
)

// stockGo builds a Go program with nothing but the Go toolchain. It spins, or writes a line and sleeps for an hour.
func stockGo(t *testing.T) (spin, sleep []byte) {
	t.Helper()
	return goGuest(t, "package main\n\nvar n int\n\nfunc main() {\n\tfor {\n\t\tn++\n\t}\n}\n"),
		goGuest(t, "package main\n\nimport (\n\t\"os\"\n\t\"time\"\n)\n\nfunc main() {\n\tos.Stdout.WriteString(\"up\")\n\ttime.Sleep(time.Hour)\n}\n")
}

// With many more guests that spin than processors, each is gone soon after its deadline.
func TestFairShare(t *testing.T) {
	const timeout, crowd = 500 * time.Millisecond, 64
	spin, _ := stockGo(t)
	m := compile(t, newEngine(t, Config{}), spin)
	k := startTicker()
	var wg sync.WaitGroup
	late := make(spans, crowd)
	for i := range crowd {
		wg.Go(func() {
			begun := time.Now()
			expect(t, m.Run(context.Background(), Run{Timeout: timeout}), Timeout, Deadline, "")
			late[i] = time.Since(begun) - timeout
		})
	}
	wg.Wait()
	ticks := k.end()
	t.Logf("%d spinning Go programs on %d processors; late: %v; the host's ticker: %v", crowd, runtime.GOMAXPROCS(0), late, ticks)
	if late.sorted().of(99) > worstSlack {
		t.Errorf("late: %v", late)
	}
}

// While guests spin on each processor and the collector runs all the time, the host goes on.
func TestFreeze(t *testing.T) {
	const guests, lasts = 4, time.Second
	spin, _ := stockGo(t)
	m := compile(t, newEngine(t, Config{}), spin)
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	for range guests {
		wg.Go(func() { expect(t, m.Run(ctx, Run{}), Killed, Cancelled, "") })
	}
	stop := collect()
	k := startTicker()
	time.Sleep(lasts)
	ticks := k.end()
	stop()
	cancel()
	wg.Wait()
	t.Logf("%d spinning Go programs on %d processors; the host's ticker: %v", guests, runtime.GOMAXPROCS(0), ticks)
	usual, seldom := 50*time.Millisecond, slack
	if racing { // the collector's stops take far longer
		usual, seldom = 10*usual, 10*seldom
	}
	if ticks.of(50) > usual || ticks.of(99) > seldom {
		t.Errorf("the host's ticker was late: %v", ticks)
	}
}

// resident is the memory that this process has, in bytes.
func resident(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("no /proc/self/statm here, which tells the memory of the process")
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// filled is a job that begins with 64 MiB of memory and writes to all of it.
func filled() []byte {
	var m asm.Module
	m.Memory(1024, 1024)
	m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil, asm.I32(0), asm.I32(7), asm.I32(64<<20), asm.MemoryFill))
	return m.Bytes()
}

// The memory of guests goes back to the system.
func TestMemoryComesBack(t *testing.T) {
	runs := 100
	if thorough() {
		runs = 10_000
	}
	e := newEngine(t, Config{Budget: NewBudget(1 << 30)})
	m := compile(t, e, filled())
	base := resident(t)
	begun := time.Now()
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for range runs / 2 {
				expect(t, m.Run(context.Background(), Run{Memory: 64 << 20}), OK, "", "")
			}
		})
	}
	wg.Wait()
	after := resident(t)
	t.Logf("%d runs that fill 64 MiB in %v; resident %d KiB before, %d KiB after", runs, time.Since(begun), base>>10, after>>10)
	if after > 2*base {
		t.Errorf("resident %d KiB before, %d KiB after %d runs", base>>10, after>>10, runs)
	}
	if n := e.cfg.Budget.InUse(); n != 0 {
		t.Errorf("%d bytes are still charged", n)
	}
}

// A thousand guests sleep at the same time, and are gone at once when they must.
func TestThousandSleepers(t *testing.T) {
	const n = 1000
	kinds := map[string][]byte{"tiny": guest.Sleep(time.Hour)}
	if thorough() {
		_, kinds["Go"] = stockGo(t)
	}
	for name, wasm := range kinds {
		t.Run(name, func(t *testing.T) {
			e := newEngine(t, Config{})
			m := compile(t, e, wasm)
			ctx, cancel := context.WithCancelCause(context.Background())
			var up atomic.Int64
			all := make(chan struct{})
			base, begun := resident(t), time.Now()
			var wg sync.WaitGroup
			for range n {
				wg.Go(func() {
					out := writerFunc(func(p []byte) (int, error) {
						if up.Add(1) == n {
							close(all)
						}
						return len(p), nil
					})
					expect(t, m.Run(ctx, Run{Stdout: out}), Killed, Shutdown, "")
				})
			}
			<-all
			started, held := time.Since(begun), resident(t)-base
			begun = time.Now()
			cancel(ErrShutdown)
			wg.Wait()
			ended := time.Since(begun)
			t.Logf("%d sleeping guests started in %v, held %d KiB each, were gone in %v", n, started, held/n>>10, ended)
			if ended > max(started, 2*time.Second) { // on a machine that is busy with other things both take longer
				t.Errorf("gone only in %v, and started in %v", ended, started)
			}
		})
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
