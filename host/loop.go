package host

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
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
	taken    map[string]wentBy     // by slot: pending work that a poll which is under way may still have read
	queues   map[string][]*dueItem // by job: its slots that wait, oldest first; they are in pending as well
	running  map[string]*run
	foreign  map[string]string // by job: a run of another host that is in flight, as of the last poll

	starting map[string]bool // jobs of the first set that are not registered yet; nil: there has been no set
	claiming bool
	readyBy  time.Time                      // by instant: late starts begin then at the latest
	nextLate time.Time                      // by instant: before it no late start has its turn
	writes   []func(context.Context) func() // registrations, one at a time, in order
	writing  bool
	first    bool // the first poll has been applied
	draining bool
	killing  bool // what runs is killed, and what still starts is killed as well
	finished bool // Only: the slot has its verdict
	fatal    error
	troubles map[string]string // what fails at present: errors by operation

	shared shared
}

// wentBy is pending work that this host has no more.
type wentBy struct {
	attempt int
	polls   int64 // that had begun by then
}

// shared is the part of the loop's state that other goroutines read.
type shared struct {
	mu    sync.Mutex
	defs  map[string]Job      // by name, for recovery's retry policy
	ended map[string]struct{} // jobs with runs that ended since the last prune
	waits atomic.Bool         // there is pending work
	polls atomic.Int64        // that have begun
}

func newLoop(ctx context.Context, h *Host) *loop {
	l := &loop{
		h:       h,
		begun:   h.now(),
		readyBy: h.instant().Add(readyAfter),
		inbox:   make(chan func(), 64),
		gone:    make(chan struct{}),
		jobs:    map[string]*job{},
		modules: map[string]*module{},
		pending: map[string]*dueItem{},
		taken:   map[string]wentBy{},
		queues:  map[string][]*dueItem{},
		running: map[string]*run{},

		troubles: map[string]string{},
	}
	l.shared.defs, l.shared.ended = map[string]Job{}, map[string]struct{}{}
	l.ctx, l.stop = context.WithCancel(ctx)
	return l
}

// spawn lets f go on beside the loop, which waits for it at its end.
func (l *loop) spawn(f func()) { l.h.world.spawn(l, f) }

// post hands a result to the loop, and reports false when it is dropped because the loop has ended.
func (l *loop) post(f func()) bool {
	select {
	case l.inbox <- f:
		return true
	case <-l.gone:
		return false
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

// wait is how long nothing needs to be done unless something comes in. While a claim is under way nothing can be claimed, and its
// answer comes in.
func (l *loop) wait() time.Duration {
	wait := l.h.cfg.rhythm.wait
	if l.claiming {
		return wait
	}
	if len(l.due) > 0 {
		wait = min(wait, l.due[0].at.Sub(l.h.now()))
	}
	instant := l.h.instant()
	if len(l.waiting) > 0 && instant.Before(l.readyBy) { // late starts wait until then at most
		wait = min(wait, l.readyBy.Sub(instant))
	}
	for _, it := range l.waiting {
		if !it.dead && !it.retryAt.IsZero() {
			wait = min(wait, it.retryAt.Sub(instant))
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
		l.kill()
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
			if !l.killing {
				kill()
			}
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

// kill ends what runs, and what still starts.
func (l *loop) kill() {
	l.killing = true
	for _, r := range l.running {
		r.kill(errShutdown)
	}
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

// The operations that fail makes a host not ready for, until they succeed again.
const (
	opClaim = "claim due jobs"
	opPoll  = "poll the ledger"
	opRenew = "renew the lease"
)

// went notes that an operation has succeeded.
func (l *loop) went(op string) { delete(l.troubles, op) }

// fail ends the host for a reason that trying again cannot mend, and tells of all other errors.
func (l *loop) fail(op string, err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	l.h.emit(Event{Kind: TickFailed, Reason: op, Err: err})
	l.troubles[op] = err.Error()
	for _, end := range []error{claims.ErrNewer, claims.ErrFenced, claims.ErrCorrupt, claims.ErrClosed} {
		if errors.Is(err, end) {
			l.fatal = err
		}
	}
}
