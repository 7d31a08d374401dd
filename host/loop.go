package host

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/wcron/wcron/claims"
)

// loop is the state of a running host. Its fields belong to one goroutine, that of run; others reach it through post.
type loop struct {
	h     *Host
	ctx   context.Context // of all work; it outlives Run's context through the drain
	stop  context.CancelFunc
	begun time.Time
	wg    sync.WaitGroup // every goroutine that the loop started
	inbox chan func()    // results of work done elsewhere
	gone  chan struct{}  // closed when the inbox is read no more

	jobs     map[string]*job
	modules  map[string]*module // by digest
	compile  []*module          // to be compiled, in order
	compiles int                // under way
	due      dueHeap            // not due yet
	waiting  []*dueItem         // due, in due order; each with the reason why it has not started
	pending  map[string]*dueItem
	running  map[string]*run

	claiming bool
	writes   []func(context.Context) func() // registrations, one at a time, in order
	writing  bool
	first    bool // the first poll has been applied
	draining bool
	finished bool // Only: the slot has its verdict
	fatal    error

	shared shared
}

// shared is the part of the loop's state that other goroutines read.
type shared struct {
	mu    sync.Mutex
	defs  map[string]Job      // by name, for recovery's retry policy
	ended map[string]struct{} // jobs with runs that ended since the last prune
}

func newLoop(ctx context.Context, h *Host) *loop {
	l := &loop{
		h:       h,
		begun:   h.now(),
		inbox:   make(chan func(), 64),
		gone:    make(chan struct{}),
		jobs:    map[string]*job{},
		modules: map[string]*module{},
		pending: map[string]*dueItem{},
		running: map[string]*run{},
	}
	l.shared.defs, l.shared.ended = map[string]Job{}, map[string]struct{}{}
	l.ctx, l.stop = context.WithCancel(ctx)
	return l
}

// post hands a result to the loop; it is dropped when the loop has ended.
func (l *loop) post(f func()) {
	select {
	case l.inbox <- f:
	case <-l.gone:
	}
}

// run turns the loop until ctx ends or a fatal error, and then until the drain is over.
func (l *loop) run(ctx context.Context) error {
	background, stopBackground := context.WithCancel(l.ctx)
	l.wg.Go(func() { l.poll(background) })
	if l.h.cfg.Only == "" {
		l.wg.Go(func() { l.recover(background) })
		l.wg.Go(func() { l.prune(background) })
	}
	l.wg.Go(func() { l.renew(background) })
	l.reload()

	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil && l.fatal == nil && !l.finished {
		l.tick()
		timer.Reset(l.wait())
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-l.h.cfg.Jobs.Changed():
			l.reload()
		case f := <-l.inbox:
			f()
			l.drainInbox()
		case f := <-l.h.asks:
			f(l)
		}
	}
	l.drain(stopBackground)
	return l.fatal
}

// drainInbox applies what else has come in, so that runs which end together lead to one tick.
func (l *loop) drainInbox() {
	for range cap(l.inbox) {
		select {
		case f := <-l.inbox:
			f()
		default:
			return
		}
	}
}

// wait is how long nothing needs to be done unless something comes in.
func (l *loop) wait() time.Duration {
	now := l.h.now()
	wait := l.h.cfg.rhythm.wait
	if len(l.due) > 0 {
		wait = min(wait, l.due[0].at.Sub(now))
	}
	for _, it := range l.waiting {
		if !it.dead && !it.retryAt.IsZero() {
			wait = min(wait, it.retryAt.Sub(now))
		}
	}
	return max(wait, 0)
}

// killTimeout is how long the loop waits for guests that it has killed; a guest that outlives it is left behind, and its claim
// is for another host to recover.
const killTimeout = 5 * time.Second

// drain claims nothing more, waits for the runs in flight, kills what is left after DrainTimeout, and ends all work.
func (l *loop) drain(stopBackground context.CancelFunc) {
	l.draining = true
	l.h.emit(Event{Kind: HostDraining, Count: int64(len(l.running)), Err: l.fatal})
	limit := time.NewTimer(max(l.h.cfg.DrainTimeout, 0))
	defer limit.Stop()
	var last <-chan time.Time
	kill := func() {
		for _, r := range l.running {
			r.kill(errShutdown)
		}
		last = time.After(killTimeout)
	}
	abort := l.h.abort
	for len(l.running) > 0 || l.claiming {
		select {
		case f := <-l.inbox:
			f()
		case f := <-l.h.asks:
			f(l)
		case <-limit.C:
			kill()
		case <-abort:
			abort = nil
			kill()
		case <-last:
			l.end(stopBackground)
			return
		}
	}
	l.end(stopBackground)
}

func (l *loop) end(stopBackground context.CancelFunc) {
	stopBackground()
	l.stop()
	close(l.gone)
	if len(l.running) == 0 {
		l.wg.Wait()
		l.closeModules()
	}
}

// fail ends the host for a reason that trying again cannot mend, and tells of all other errors.
func (l *loop) fail(op string, err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	l.h.emit(Event{Kind: TickFailed, Reason: op, Err: err})
	if errors.Is(err, claims.ErrNewer) || errors.Is(err, claims.ErrFenced) || errors.Is(err, claims.ErrCorrupt) {
		l.fatal = err
	}
}
