package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wcron/wcron/capability"
	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/sandbox"
)

// Host runs the jobs of a JobSource on a ledger. Its methods are safe for concurrent use.
type Host struct {
	cfg     Config
	engine  *sandbox.Engine
	world   world
	budget  *sandbox.Budget
	ran     atomic.Bool
	asks    chan func(*loop) // questions for the loop
	over    chan struct{}    // closed when the loop answers no more, before the last events are delivered
	poke    chan struct{}    // asks for a poll of the ledger now
	abort   chan struct{}    // closed when the drain is to be cut short
	once    sync.Once        // closes abort
	events  chan Event
	dropped atomic.Int64 // events that OnEvent was too slow for
}

// New makes a host. It starts nothing; Run does. A host that is never run holds the sandbox's resources until the process ends.
func New(cfg Config) (*Host, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	h := &Host{
		cfg:    cfg,
		asks:   make(chan func(*loop)),
		over:   make(chan struct{}),
		poke:   make(chan struct{}, 1),
		abort:  make(chan struct{}),
		events: make(chan Event, eventQueue),
	}
	sb := cfg.Sandbox
	if sb.Functions, err = capability.Functions(cfg.Functions); err != nil {
		return nil, fmt.Errorf("new host: %w", err)
	}
	if cfg.MemoryBudget > 0 {
		h.budget = sandbox.NewBudget(cfg.MemoryBudget)
		sb.Budget = h.budget
	}
	h.engine, err = sandbox.New(context.Background(), sb)
	if err != nil {
		return nil, fmt.Errorf("new host: %w", err)
	}
	h.world = earth{h.engine}
	return h, nil
}

// Run runs jobs until ctx ends, then drains: nothing is claimed any more, runs may go on for DrainTimeout, the rest is killed
// and committed as such. It returns nil after an orderly end, leaves no goroutine behind, and may be called once. An error means
// that the host could not go on: the ledger is of a newer version, or the owner's lock was lost. Its runs are drained all the same.
func (h *Host) Run(ctx context.Context) error {
	if !h.ran.CompareAndSwap(false, true) {
		return errors.New("run host: Run was called before")
	}
	over := sync.OnceFunc(func() { close(h.over) })
	defer over()
	background := context.WithoutCancel(ctx)
	defer func() { _ = h.engine.Close(background) }()

	owner, err := claims.Self(h.cfg.Instance, os.Getpid())
	if err != nil {
		return fmt.Errorf("run host: %w", err)
	}
	owner.Socket, owner.Version, owner.Started, owner.Seen = h.cfg.Socket, h.cfg.Version, h.now(), h.now()
	leave, err := h.cfg.Store.Join(ctx, h.now(), owner)
	if err != nil {
		return fmt.Errorf("run host: join the ledger: %w", err)
	}

	ending, told := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(told)
		h.deliver(ending)
	}()
	h.emit(Event{Kind: HostStarted, Reason: h.cfg.Instance})
	l := newLoop(background, h)
	err = l.run(ctx)
	over()
	h.emit(Event{Kind: HostStopped, Reason: h.cfg.Instance})
	close(ending)
	select {
	case <-told:
	case <-time.After(observerPatience):
		err = errors.Join(err, fmt.Errorf("run host: OnEvent has not returned for %s; its goroutine is left behind", observerPatience))
	}

	leaving, cancel := context.WithTimeout(background, leaveTimeout)
	defer cancel()
	left := leave(leaving, h.now())
	if left != nil && leaving.Err() != nil { // the owner's lock is given back, and says the same as the record would
		h.log(Event{Kind: TickFailed, Reason: "record the end of this host", Err: left})
		left = nil
	}
	return errors.Join(err, left)
}

// leaveTimeout bounds the last write: a shutdown never waits for the ledger's lock.
const leaveTimeout = 2 * time.Second

// Instance is the id under which this host owns its claims.
func (h *Host) Instance() string { return h.cfg.Instance }

// Abort cuts a drain short: runs are killed at once instead of after DrainTimeout. It does not end Run by itself.
func (h *Host) Abort() { h.once.Do(func() { close(h.abort) }) }

// Poll makes the host look at the ledger for requests now instead of within half a second.
func (h *Host) Poll() {
	select {
	case h.poke <- struct{}{}:
	default:
	}
}

// Reload makes the host look at its JobSource now, and returns when the ledger has what is new there.
func (h *Host) Reload(ctx context.Context) error {
	registered := make(chan struct{})
	err := h.do(ctx, func(l *loop) {
		l.reload()
		l.write(func(context.Context) func() { return func() { close(registered) } }) // writes are done in order
	})
	if err != nil {
		return err
	}
	select {
	case <-registered:
		return nil
	case <-h.over:
		return ErrNotRunning
	case <-ctx.Done():
		return ctx.Err()
	}
}

// release gives back what a run that does not start had reserved.
func (h *Host) release(bytes int64) {
	if h.budget != nil {
		h.budget.Release(bytes)
	}
}

// now and instant are the two places where the host reads the clock. Ledger times have millisecond precision.
func (h *Host) now() time.Time { return h.world.now().UTC().Truncate(time.Millisecond) }

// instant is for waits: it carries the monotonic reading, so that a clock that is set does not lengthen them.
func (h *Host) instant() time.Time { return h.world.instant() }

// do runs f in the loop's goroutine and waits for it.
func (h *Host) do(ctx context.Context, f func(*loop)) error {
	done := make(chan struct{})
	select {
	case h.asks <- func(l *loop) { defer close(done); f(l) }:
	case <-h.over:
		return ErrNotRunning
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-done:
		return nil
	case <-h.over:
		return ErrNotRunning
	}
}

// ErrNotRunning says that Run has ended, or was not called.
var ErrNotRunning = errors.New("the host is not running")
