package host

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wcron/wcron/sandbox"
)

// virtual is the world of a simulation. Its clock moves when nothing is left to do at the present time, to the time at which the
// next thing happens. What the loop spawns are coroutines that take turns with it: one at a time, in an order that is always the same.
type virtual struct {
	ctx    context.Context
	sim    Simulation
	jobs   []Job
	at     time.Time
	chance func() float64
	runs   int64
	err    error // why the simulation has to end
	rev    int64 // of the ledger, as of the last look at it
	steps  int64
	turn   *strand   // whose turn it is; nil: the loop's
	ready  []*strand // may go on now, in this order
	asleep sleepers
	spare  []*strand // have nothing to do
	all    []*strand
}

// strand is a coroutine that does one thing after another.
type strand struct {
	resume func() (struct{}, bool)
	end    func()
	yield  func(struct{}) bool
	do     func()

	// while it sleeps:
	ctx   context.Context
	until time.Time
	since int64 // its place among those that wake at the same time
}

func newVirtual(ctx context.Context, s Simulation) *virtual {
	v := &virtual{ctx: ctx, sim: s, at: s.From, chance: s.chance}
	if v.chance == nil {
		v.chance = rand.New(rand.NewPCG(s.Seed, 0)).Float64
	}
	for _, j := range s.Jobs {
		j.Module.Load = func() ([]byte, error) { return nil, nil }
		v.jobs = append(v.jobs, j)
	}
	return v
}

// close ends the coroutines. None of them has anything to do any more.
func (v *virtual) close() {
	for _, s := range v.all {
		s.end()
	}
}

func (v *virtual) now() time.Time     { return v.at }
func (v *virtual) instant() time.Time { return v.at }
func (v *virtual) random() float64    { return v.chance() }

func (v *virtual) runID() (string, error) {
	v.runs++
	n := strconv.FormatInt(v.runs, 10)
	return "sim-" + strings.Repeat("0", max(0, 9-len(n))) + n, nil
}

func (v *virtual) tell(h *Host, e Event) { h.cfg.OnEvent(e) }

func (v *virtual) compile(context.Context, []byte) (program, error) { return actor{v}, nil }

// spawn implements world.
func (v *virtual) spawn(_ *loop, f func()) {
	var s *strand
	if n := len(v.spare); n > 0 {
		s, v.spare = v.spare[n-1], v.spare[:n-1]
	} else {
		s = &strand{}
		s.resume, s.end = iter.Pull(func(yield func(struct{}) bool) {
			s.yield = yield
			for {
				s.do()
				s.do = nil
				if !yield(struct{}{}) {
					return
				}
			}
		})
		v.all = append(v.all, s)
	}
	s.do = f
	v.ready = append(v.ready, s)
}

// sleep implements world, for what was spawned.
func (v *virtual) sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 || ctx.Err() != nil {
		return ctx.Err() == nil
	}
	s := v.turn
	v.steps++
	s.ctx, s.until, s.since = ctx, v.at.Add(d), v.steps
	heap.Push(&v.asleep, s)
	s.yield(struct{}{})
	s.ctx = nil
	return ctx.Err() == nil
}

// idle lets others go on until something has come in for the loop, which it applies, or until the time has come; zero: only the former.
func (v *virtual) idle(l *loop, until time.Time) {
	v.rouse()
	for !v.quiet(l) {
		next := until
		if len(v.asleep) > 0 && (until.IsZero() || v.asleep[0].until.Before(until)) {
			next = v.asleep[0].until
		}
		if next.IsZero() { // there is nobody left to wait for
			v.err = errors.Join(v.err, errors.New("runs are in flight and nothing will end them"))
			return
		}
		if err := v.move(next); err != nil {
			v.err = err
			l.kill()
			l.stop()
			v.rouse()
			continue
		}
		for len(v.asleep) > 0 && !v.asleep[0].until.After(v.at) {
			v.ready = append(v.ready, heap.Pop(&v.asleep).(*strand))
		}
		if next.Equal(until) && len(v.ready) == 0 {
			return
		}
	}
}

// look polls the ledger. Nobody else writes to it: what the loop does not know comes with what it asked for itself.
func (v *virtual) look(l *loop) {
	v.spawn(l, func() {
		n := l.shared.polls.Add(1)
		changes, err := l.h.cfg.Store.Changes(l.ctx, l.h.cfg.Instance, v.rev)
		l.post(func() {
			if l.fail("poll the ledger", err); err == nil {
				v.rev = changes.Rev
				l.changed(changes, n)
			}
		})
	})
}

// quiet lets others go on, one after the other, until something has come in for the loop, and reports that; or until nobody can go on
// at the present time.
func (v *virtual) quiet(l *loop) bool {
	for v.err == nil || len(v.ready) > 0 {
		if len(v.ready) == 0 {
			select {
			case <-l.h.poke:
				v.look(l)
			default:
				return false
			}
		}
		s := v.ready[0]
		v.ready = v.ready[1:]
		v.turn = s
		s.resume()
		v.turn = nil
		if s.do == nil {
			v.spare = append(v.spare, s)
		}
		if v.apply(l) && v.err == nil {
			return true
		}
	}
	return true
}

// apply takes in what was posted for the loop, and reports whether there was anything.
func (v *virtual) apply(l *loop) (came bool) {
	for {
		select {
		case f := <-l.inbox:
			if l.ctx.Err() == nil { // the loop is not over
				f()
			}
			came = true
		default:
			return came
		}
	}
}

// rouse wakes those whose context has ended, in the order in which they fell asleep.
func (v *virtual) rouse() {
	var woken []*strand
	for _, s := range v.asleep {
		if s.ctx.Err() != nil {
			woken = append(woken, s)
		}
	}
	if len(woken) == 0 {
		return
	}
	v.asleep = slices.DeleteFunc(v.asleep, func(s *strand) bool { return s.ctx.Err() != nil })
	heap.Init(&v.asleep)
	slices.SortFunc(woken, func(a, b *strand) int { return int(a.since - b.since) })
	v.ready = append(v.ready, woken...)
}

// move sets the clock.
func (v *virtual) move(to time.Time) error {
	if err := v.ctx.Err(); err != nil {
		return err
	}
	if !to.After(v.at) {
		return nil
	}
	if v.sim.Pace != nil {
		if err := v.sim.Pace(v.ctx, to); err != nil {
			return err
		}
	}
	v.at = to
	return nil
}

// sleepers are in the order in which they wake.
type sleepers []*strand

func (s sleepers) Len() int      { return len(s) }
func (s sleepers) Swap(i, j int) { s[i], s[j] = s[j], s[i] }
func (s sleepers) Less(i, j int) bool {
	if s[i].until.Equal(s[j].until) {
		return s[i].since < s[j].since
	}
	return s[i].until.Before(s[j].until)
}

// Push implements heap.Interface.
func (s *sleepers) Push(x any) { *s = append(*s, x.(*strand)) }

// Pop implements heap.Interface.
func (s *sleepers) Pop() any {
	last := (*s)[len(*s)-1]
	*s = (*s)[:len(*s)-1]
	return last
}

// actor plays the guests of all jobs.
type actor struct {
	v *virtual
}

// Run plays a guest: it knows of its run what a guest knows.
func (a actor) Run(ctx context.Context, run sandbox.Run) sandbox.Result {
	var end SimulatedEnd
	if a.v.sim.Guest != nil {
		end = a.v.sim.Guest(playedBy(run))
	}
	took := end.Took.Truncate(time.Millisecond)
	late := run.Timeout > 0 && took > run.Timeout
	if late {
		took = run.Timeout
	}
	res := sandbox.Result{Started: true}
	switch whole := a.v.sleep(ctx, took); {
	case !whole:
		res.Outcome, res.Cause, res.Reason = cutShort(context.Cause(ctx))
	case late:
		res.Outcome, res.Cause, res.Reason = sandbox.Timeout, sandbox.Deadline, "the deadline passed"
	case end.ExitCode != 0:
		res.Outcome, res.Cause, res.Reason = sandbox.Failed, sandbox.Exit, fmt.Sprintf("exit code %d", end.ExitCode)
		res.HasExit, res.ExitCode = true, end.ExitCode
	default:
		res.Outcome, res.HasExit = sandbox.OK, true
	}
	return res
}

// playedBy reads what the guest was told.
func playedBy(run sandbox.Run) SimulatedRun {
	r := SimulatedRun{Job: run.Args[0]}
	for _, kv := range run.Env {
		if text, ok := strings.CutPrefix(kv, "WCRON_SCHEDULED_AT="); ok {
			r.At, _ = time.Parse(time.RFC3339Nano, text)
		} else if text, ok := strings.CutPrefix(kv, "WCRON_ATTEMPT="); ok {
			r.Attempt, _ = strconv.Atoi(text)
		}
	}
	return r
}

func cutShort(why error) (sandbox.Outcome, sandbox.Cause, string) {
	switch {
	case errors.Is(why, sandbox.ErrShutdown):
		return sandbox.Killed, sandbox.Shutdown, why.Error()
	case errors.Is(why, sandbox.ErrReplaced):
		return sandbox.Killed, sandbox.Replaced, why.Error()
	}
	return sandbox.Killed, sandbox.Cancelled, sandbox.ErrCancelled.Error()
}

func (actor) CheckEntry(string) error     { return nil }
func (actor) MinMemory() int64            { return 0 }
func (actor) Close(context.Context) error { return nil }
