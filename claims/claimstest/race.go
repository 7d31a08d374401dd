package claimstest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/wcron/wcron/claims"
)

func raceScenarios() []scenario {
	return []scenario{
		{"OperatorAgainstHosts", raceOperators},
		{"OperatorAgainstHostsInTwoStores", raceOperatorsTwo},
		{"ReadersNeverSeeHalf", raceReaders},
	}
}

// clock is a virtual clock that several goroutines share. It stands still while a turn goes on, as two calls that are made at once
// see the same time; all that is left to chance is their order.
type clock struct {
	mu  sync.RWMutex // read-locked by the turns
	now time.Time
}

// turn calls do while the clock stands still, and then moves it on, once all the turns under way are over.
func (c *clock) turn(ctx context.Context, do func(ctx context.Context, now time.Time) error) error {
	c.mu.RLock()
	err := do(ctx, c.now)
	c.mu.RUnlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(150 * time.Millisecond)
	return err
}

// host claims and finishes due slots until stop says so, as a real one does, and now and then dies with a claim in hand.
type host struct {
	w    *world
	s    claims.Store
	id   string
	rng  *rand.Rand
	won  int
	lost []claims.Token // claims that it forgot: others are to recover them
}

func (h *host) turn(ctx context.Context, now time.Time) error {
	jobs, err := h.s.Jobs(ctx)
	if err != nil {
		return err
	}
	var items []claims.Claim
	for _, j := range jobs {
		if j.Removed.IsZero() && !j.Next.IsZero() && !j.Next.After(now) && !j.Paused {
			items = append(items, h.w.item(j))
		}
	}
	pending, err := h.s.Pending(ctx)
	if err != nil {
		return err
	}
	for _, p := range pending {
		items = append(items, h.w.pendingItem(p))
	}
	got, err := h.s.Claim(ctx, now, h.id, items)
	if err != nil {
		return err
	}
	var finals []claims.Final
	for i, c := range got {
		if c.Status != claims.Won {
			continue
		}
		h.won++
		if h.rng.IntN(10) == 0 {
			h.lost = append(h.lost, c.Token)
			continue
		}
		f := claims.Final{Token: c.Token, Outcome: claims.OK, StartedAt: now, EndedAt: now, Output: inline(c.Token.RunID), Counts: items[i].Attempt == 1}
		if h.rng.IntN(3) == 0 && items[i].Attempt < 3 {
			f.Outcome, f.Retry = claims.Failed, now.Add(time.Second)
		}
		finals = append(finals, f)
	}
	if err := h.finish(ctx, now, finals); err != nil {
		return err
	}
	if len(h.lost) > 3 || h.rng.IntN(20) == 0 {
		return h.recover(ctx, now)
	}
	return nil
}

func (h *host) finish(ctx context.Context, now time.Time, finals []claims.Final) error {
	if len(finals) == 0 {
		return nil
	}
	done, err := h.s.Finalize(ctx, now, finals)
	if err != nil {
		return err
	}
	for i, d := range done {
		if d.Status != claims.Done && d.Status != claims.Dropped {
			return fmt.Errorf("run %s: %s, and nobody else ends it", finals[i].RunID, d.Status)
		}
	}
	return nil
}

func (h *host) recover(ctx context.Context, now time.Time) error {
	var finals []claims.Final
	for _, tok := range h.lost {
		finals = append(finals, claims.Final{Token: tok, Outcome: claims.Orphaned, Reason: "the owner forgot it", EndedAt: now})
	}
	h.lost = nil
	return h.finish(ctx, now, finals)
}

// operator edits one job and sees after each edit that it holds: nothing that a host does may undo it.
type operator struct {
	s   claims.Store
	job string
	rng *rand.Rand
	n   int
}

func (o *operator) turn(ctx context.Context, now time.Time) error {
	o.n++
	var expect func(j claims.Job) bool
	var err error
	what := []string{"pause", "edit", "remove", "trigger", "resume"}[o.rng.IntN(5)]
	switch what {
	case "pause", "resume":
		kind := claims.Pause
		if what == "resume" {
			kind = claims.Resume
		}
		err = o.s.Request(ctx, now, claims.Request{Kind: kind, Job: o.job, Reason: "operator"})
		expect = func(j claims.Job) bool { return j.Paused == (kind == claims.Pause) }
	case "edit":
		p := def(o.job, fmt.Sprintf("every %s", time.Duration(1+o.rng.IntN(4))*time.Second), now)
		p.Definition = fmt.Sprintf("def-%d", o.n)
		_, err = o.s.Put(ctx, now, source, []claims.Put{p})
		expect = func(j claims.Job) bool {
			return j.Schedule == p.Schedule && j.Definition == p.Definition && j.Removed.IsZero()
		}
	case "remove":
		err = o.s.Remove(ctx, now, source, []string{o.job})
		expect = func(j claims.Job) bool { return !j.Removed.IsZero() }
	case "trigger":
		err = o.s.Request(ctx, now, claims.Request{Kind: claims.Trigger, Job: o.job, ID: fmt.Sprint(o.n)})
		expect = func(claims.Job) bool { return true }
	}
	if errors.Is(err, claims.ErrNoJob) {
		_, err = o.s.Put(ctx, now, source, []claims.Put{def(o.job, "every 2s", now)})
		expect = func(j claims.Job) bool { return j.Removed.IsZero() && j.Schedule == "every 2s" }
	}
	if err != nil {
		return err
	}
	for range 2 {
		j, err := o.s.Job(ctx, o.job)
		if err != nil {
			return err
		}
		if !expect(j) {
			return fmt.Errorf("job %s: the %s of turn %d was lost: %+v", o.job, what, o.n, j)
		}
	}
	return nil
}

func raceOperators(w *world) { w.operators(w.s, w.s) }

func raceOperatorsTwo(w *world) { w.operators(w.s, w.again()) }

func (w *world) operators(stores ...claims.Store) {
	rng := random(w)
	c := &clock{now: w.now}
	ctx, cancel := context.WithCancelCause(w.ctx)
	var hosts []*host
	var group, edits, begun sync.WaitGroup
	for i := range 3 {
		w.put(def(fmt.Sprintf("job-%d", i), "every 2s", w.now))
	}
	for i := range 4 {
		h := &host{w: w, s: stores[i%len(stores)], id: []string{alpha, beta}[i%2], rng: rand.New(rand.NewPCG(rng.Uint64(), 0))}
		hosts = append(hosts, h)
		begun.Add(1)
		first := sync.OnceFunc(begun.Done)
		group.Go(func() {
			defer first()
			for ctx.Err() == nil {
				if err := c.turn(w.ctx, h.turn); err != nil {
					cancel(fmt.Errorf("host %d: %w", i, err))
				}
				if h.won > 0 {
					first()
				}
			}
		})
	}
	begun.Wait() // else the operators may be through before a host has had its turn
	for i := range 3 {
		o := &operator{s: stores[i%len(stores)], job: fmt.Sprintf("job-%d", i), rng: rand.New(rand.NewPCG(rng.Uint64(), 0))}
		edits.Go(func() {
			for n := 0; n < 80 && ctx.Err() == nil; n++ {
				if err := c.turn(w.ctx, o.turn); err != nil {
					cancel(fmt.Errorf("operator %d: %w", i, err))
				}
			}
		})
	}
	enough := errors.New("the operators are through")
	edits.Wait()
	cancel(enough)
	group.Wait()
	if err := context.Cause(ctx); !errors.Is(err, enough) {
		w.Error(err)
	}
	begin := w.now
	w.now = c.now
	won := 0
	for _, h := range hosts {
		won += h.won
	}
	w.settle()
	w.Logf("%d claims in %v of virtual time", won, w.now.Sub(begin))
	if won == 0 {
		w.Error("no host got a claim")
	}
}

// settle closes the claims that are left over, as recovery does: none may be stuck.
func (w *world) settle() {
	w.Helper()
	open, err := w.s.Open(w.ctx)
	w.must(err)
	for _, o := range open {
		got, err := w.s.Finalize(w.ctx, w.now, []claims.Final{w.final(o.Token, claims.Orphaned)})
		w.must(err)
		if s := got[0].Status; s != claims.Done && s != claims.Dropped {
			w.Errorf("claim %+v cannot be recovered: %s", o, s)
		}
	}
	w.open(0)
}

// An audit beside a busy host finds nothing: what it sees half done is whole when it looks again.
func raceReaders(w *world) {
	w.minutely("a")
	const turns = 60
	now := w.now.Add(turns * time.Minute)
	ctx, cancel := context.WithCancel(w.ctx)
	audits := 0
	var group sync.WaitGroup
	group.Go(func() {
		for ; ctx.Err() == nil; audits++ {
			found, err := claims.Audit(w.ctx, w.s, claims.AuditOptions{Now: now, Grace: time.Hour * 24, Occurrences: occurrences})
			if err != nil || len(found) > 0 {
				w.Errorf("audit beside a host: %+v, %v", found, err)
			}
		}
	})
	defer group.Wait()
	defer cancel()
	for range turns {
		w.finish(w.start(alpha, "a"), claims.OK)
	}
	cancel()
	group.Wait()
	w.Logf("%d audits beside %d runs", audits, turns)
	w.verdict("a", map[claims.Verdict]int64{"ok": turns})
}
