package host

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/wcron/wcron/sandbox"
)

// world is what the loop has around it: the clock, what goes on beside it, chance, and the engine that modules run in. All decisions
// are the loop's own; [Simulate] gives it another world, in which the clock is virtual and no guest computes anything.
type world interface {
	now() time.Time     // the wall clock
	instant() time.Time // for waits; it carries the monotonic reading
	random() float64    // from 0 to below 1
	runID() (string, error)
	// spawn lets f go on beside the loop. It may wait with sleep and within program.Run, and with nothing else.
	spawn(l *loop, f func())
	// sleep waits, and reports false when ctx has ended first.
	sleep(ctx context.Context, d time.Duration) bool
	compile(ctx context.Context, wasm []byte) (program, error)
	// tell hands an event on to Config.OnEvent, without waiting for it.
	tell(h *Host, e Event)
}

// program is a module that is ready to run: a *sandbox.Module.
type program interface {
	Run(ctx context.Context, run sandbox.Run) sandbox.Result
	CheckEntry(name string) error
	MinMemory() int64
	Close(ctx context.Context) error
}

// earth is the world of a host that runs: real clock, goroutines, WebAssembly.
type earth struct {
	engine *sandbox.Engine
}

func (earth) now() time.Time         { return time.Now() }
func (earth) instant() time.Time     { return time.Now() }
func (earth) random() float64        { return rand.Float64() }
func (earth) runID() (string, error) { return newRunID() }

func (earth) spawn(l *loop, f func()) { l.wg.Go(f) }

func (earth) sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

func (earth) tell(h *Host, e Event) {
	select {
	case h.events <- e:
	default:
		h.dropped.Add(1)
	}
}

func (e earth) compile(ctx context.Context, wasm []byte) (program, error) {
	m, err := e.engine.Compile(ctx, wasm)
	if err != nil {
		return nil, err
	}
	return m, nil
}
