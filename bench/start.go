package bench

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"sync"
	"time"

	"github.com/wcron/wcron/internal/guest"
	"github.com/wcron/wcron/sandbox"
)

// StartOptions says how long is measured.
type StartOptions struct {
	Rounds int           // each measures everything once; at least 1
	For    time.Duration // of each measurement in a round
}

// StartFigures is what came of it.
type StartFigures struct {
	Machine Machine      `json:"machine"`
	Rounds  int          `json:"rounds"`
	Starts  []StartCount `json:"starts"`
}

// StartCount is one thing that was started again and again until it ended, by so many goroutines at a time. The ratios are to the
// process that does nothing, with as many at a time: above 1 is better than it.
type StartCount struct {
	What       string  `json:"what"`
	AtATime    int     `json:"at_a_time"`
	Runs       int     `json:"runs"`
	P50US      float64 `json:"p50_us"`
	PerSecond  float64 `json:"per_second"`
	Faster     float64 `json:"faster"`     // its p50 in this one's
	Throughput float64 `json:"throughput"` // this one's rate in its
	took       []time.Duration
	elapsed    time.Duration
}

// startWidths are how many are started at a time.
var startWidths = []int{1, 2, 16}

// starter starts something once and waits for its end.
type starter struct {
	what string
	run  func(context.Context) error
}

const emptyProcess = "process: true"

// Start measures how long it takes to make an instance of a compiled module, run it and close it, for a module of some bytes, a
// program in C and one in Go, beside making a process that does nothing, in turn. The error is that of a measurement that could not
// be made.
func Start(ctx context.Context, o StartOptions) (*StartFigures, error) {
	if o.Rounds < 1 || o.For <= 0 {
		return nil, errors.New("start: there must be one round at least, and some time for each")
	}
	engine, err := sandbox.New(ctx, sandbox.Config{})
	if err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	defer func() { _ = engine.Close(context.WithoutCancel(ctx)) }()
	starters, err := starters(ctx, engine)
	if err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	f := &StartFigures{Machine: newMachine(), Rounds: o.Rounds}
	for _, n := range startWidths {
		for _, s := range starters {
			f.Starts = append(f.Starts, StartCount{What: s.what, AtATime: n})
		}
	}
	for range o.Rounds {
		for i := range f.Starts {
			if err := f.Starts[i].measure(ctx, starters[i%len(starters)].run, o.For); err != nil {
				return nil, fmt.Errorf("start %s: %w", f.Starts[i].What, err)
			}
		}
	}
	f.Machine.LoadAfter = loadAverage()
	f.finish()
	return f, nil
}

func starters(ctx context.Context, engine *sandbox.Engine) ([]starter, error) {
	modules := []struct {
		what string
		wasm []byte
	}{{"module: tiny", guest.Exit(0)}}
	for _, r := range recipes {
		if r.language == "C" || r.language == "Go" {
			p, err := r.build(ctx)
			if err != nil {
				return nil, err
			}
			modules = append(modules, struct {
				what string
				wasm []byte
			}{"module: " + r.language, p.wasm})
		}
	}
	var list []starter
	for _, m := range modules {
		module, err := engine.Compile(ctx, m.wasm)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.what, err)
		}
		list = append(list, starter{m.what, func(ctx context.Context) error {
			if res := module.Run(ctx, sandbox.Run{Args: []string{"guest"}, Timeout: time.Minute}); res.Outcome != sandbox.OK {
				return fmt.Errorf("%s: %s", res.Outcome, res.Reason)
			}
			return nil
		}})
	}
	for what, args := range map[string][]string{emptyProcess: {"true"}, "process: sh -c true": {"sh", "-c", "true"}} {
		path, err := exec.LookPath(args[0])
		if err != nil {
			return nil, &Unavailable{what, "install coreutils and a shell", err}
		}
		list = append(list, starter{what, func(ctx context.Context) error { return exec.CommandContext(ctx, path, args[1:]...).Run() }})
	}
	slices.SortFunc(list[len(modules):], func(a, b starter) int { return len(a.what) - len(b.what) })
	return list, nil
}

// measure starts something for so long.
func (c *StartCount) measure(ctx context.Context, run func(context.Context) error, d time.Duration) error {
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		failed error // guarded by mu
	)
	begun := time.Now()
	for range c.AtATime {
		wg.Go(func() {
			var took []time.Duration
			var err error
			for last := begun; err == nil && last.Sub(begun) < d; {
				err = run(ctx)
				now := time.Now()
				took = append(took, now.Sub(last))
				last = now
			}
			mu.Lock()
			defer mu.Unlock()
			c.took = append(c.took, took...)
			failed = errors.Join(failed, err)
		})
	}
	wg.Wait()
	c.elapsed += time.Since(begun)
	return failed
}

// finish computes the figures from what was measured.
func (f *StartFigures) finish() {
	for i := range f.Starts {
		c := &f.Starts[i]
		slices.Sort(c.took)
		c.Runs = len(c.took)
		c.P50US = float64(c.took[len(c.took)/2].Nanoseconds()) / 1e3
		c.PerSecond = float64(c.Runs) / c.elapsed.Seconds()
	}
	for i := range f.Starts {
		c := &f.Starts[i]
		for _, empty := range f.Starts {
			if empty.What == emptyProcess && empty.AtATime == c.AtATime {
				c.Faster, c.Throughput = empty.P50US/c.P50US, c.PerSecond/empty.PerSecond
			}
		}
	}
}

func (f *StartFigures) rows() [][]string {
	rows := append(f.Machine.rows(), []string{"rounds", number(f.Rounds)}, nil,
		[]string{"at a time", "what", "runs", "p50", "to true", "runs/s", "to true"})
	for _, c := range f.Starts {
		rows = append(rows, []string{
			number(c.AtATime), c.What, number(c.Runs), fmt.Sprintf("%.1f us", c.P50US), fmt.Sprintf("%.2f x", c.Faster),
			fmt.Sprintf("%.0f", c.PerSecond), fmt.Sprintf("%.2f x", c.Throughput),
		})
	}
	return rows
}

// Failed is empty: nothing is bound.
func (f *StartFigures) Failed() []string { return nil }
