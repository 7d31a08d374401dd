package host

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wcron/wcron/claims"
)

// Simulation says what [Simulate] plays. Store, From and To are required.
type Simulation struct {
	Jobs  []Job        // no module of theirs is loaded
	Store claims.Store // an empty ledger that no error can come from; memstore with a bounded history is made for this

	From time.Time // when the host starts; what is due then has its first time after it
	To   time.Time // what is due then still starts, and runs on to its end
	Down []Span    // when no host runs, in order and after From

	MaxRuns      int           // as Config.MaxRuns
	CatchUp      time.Duration // as Config.CatchUp
	DrainTimeout time.Duration // as Config.DrainTimeout, at the begin of each Span of Down

	// Guest says how long a guest takes, counted in whole milliseconds, and what it exits with; nil: no time at all, and 0.
	Guest func(SimulatedRun) SimulatedEnd
	// Seed is where all that is left to chance begins: the same simulation with the same seed tells the same events.
	Seed uint64
	// OnEvent is called in order, in the goroutine that called Simulate.
	OnEvent func(Event)
	// Pace is called before the clock moves on, and may take its time; an error of it ends the simulation. nil: as fast as it goes.
	Pace func(ctx context.Context, to time.Time) error

	chance func() float64 // instead of Seed, for tests
}

// Span is a time from one moment to a later one.
type Span struct {
	From, To time.Time
}

// SimulatedRun is a run whose guest is played.
type SimulatedRun struct {
	Job     string
	At      time.Time // the slot's time
	Attempt int       // from 1
}

// SimulatedEnd is what a played guest comes to. One that takes longer than its job's timeout is ended there.
type SimulatedEnd struct {
	Took     time.Duration
	ExitCode uint32
}

// Simulate plays the jobs of a host on a virtual clock: the loop, the rules of the ledger and the schedules are those of Run, in the
// same order; only the guests compute nothing. All of it happens in the caller's goroutine, as fast as the processor goes. Where
// things happen in the same millisecond, what was begun earlier is over first, and ends come before what is due. It returns nil
// once To is reached and all runs have ended, the context's error when that ends, and an error when the store has failed.
func Simulate(ctx context.Context, s Simulation) error {
	if err := s.check(); err != nil {
		return fmt.Errorf("simulate: %w", err)
	}
	v := newVirtual(ctx, s)
	defer v.close()
	down := s.Down
	for life := 1; ; life++ {
		end, stop := s.To, false
		if len(down) > 0 {
			end, stop = down[0].From, true
		}
		if err := v.live(fmt.Sprintf("simulated-%d", life), end, !stop); err != nil {
			return fmt.Errorf("simulate: %w", err)
		}
		if !stop {
			return nil
		}
		if err := v.move(down[0].To); err != nil {
			return fmt.Errorf("simulate: %w", err)
		}
		down = down[1:]
	}
}

func (s Simulation) check() error {
	if s.Store == nil {
		return errors.New("Simulation.Store is required; give it a memstore")
	}
	if !s.To.After(s.From) {
		return fmt.Errorf("it ends at %s, which is not after its begin at %s", s.To, s.From)
	}
	at := s.From
	for _, d := range s.Down {
		if !d.From.After(at) || !d.To.After(d.From) || !s.To.After(d.To) {
			return fmt.Errorf("no host from %s to %s: give such times in order, each after %s and before %s", d.From, d.To, at, s.To)
		}
		at = d.To
	}
	return nil
}

// live is the life of one host, from now to its end. A last one waits for its runs, another one drains as hosts do.
func (v *virtual) live(instance string, end time.Time, last bool) error {
	h, err := v.host(instance)
	if err != nil {
		return err
	}
	leave, err := h.cfg.Store.Join(v.ctx, h.now(), claims.Owner{ID: instance, Started: h.now(), Seen: h.now()})
	if err != nil {
		return fmt.Errorf("join the ledger: %w", err)
	}
	h.emit(Event{Kind: HostStarted, Reason: instance})
	l := newLoop(v.ctx, h)
	v.rev = 0
	v.look(l)
	l.reload()
	for l.fatal == nil && v.err == nil {
		l.tick()
		if v.rouse(); !v.now().Before(end) && len(v.ready) == 0 {
			break
		}
		v.idle(l, earlier(v.now().Add(l.wait()), end))
	}
	v.drain(l, last)
	l.stop()
	close(l.gone)
	v.idle(l, v.now()) // what still sleeps sees that it is over
	h.emit(Event{Kind: HostStopped, Reason: instance})
	if err := errors.Join(v.err, l.fatal); err != nil {
		return err
	}
	return leave(v.ctx, h.now())
}

// drain lets the runs end: all by themselves, or as Run does.
func (v *virtual) drain(l *loop, last bool) {
	l.draining = true
	l.h.emit(Event{Kind: HostDraining, Count: int64(len(l.running)), Err: l.fatal})
	limit := v.now().Add(max(l.h.cfg.DrainTimeout, 0))
	for (len(l.running) > 0 || l.claiming) && v.err == nil {
		switch {
		case last:
			v.idle(l, time.Time{})
		case !v.now().Before(limit):
			l.kill()
			v.idle(l, v.now())
		default:
			v.idle(l, limit)
		}
	}
}

// host makes one that is not to be run: its loop is played.
func (v *virtual) host(instance string) (*Host, error) {
	cfg, err := Config{
		Store: v.sim.Store, Jobs: NewJobs(v.jobs...), Instance: instance, MaxRuns: v.sim.MaxRuns, DrainTimeout: v.sim.DrainTimeout, CatchUp: v.sim.CatchUp,
		OnEvent: v.sim.OnEvent, rhythm: rhythm{wait: 24 * time.Hour, poll: usualRhythm().poll},
	}.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Host{cfg: cfg, world: v, asks: make(chan func(*loop)), over: make(chan struct{}), poke: make(chan struct{}, 1), abort: make(chan struct{})}, nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
