package claimstest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
)

// ErrInjected is what a Faulty store answers when it fails.
var ErrInjected = errors.New("injected fault")

// Faulty is a store of which one write fails, or the last one of its process: Put, Remove, Claim, Finalize, Request, Prune and Renew count. Before the write is
// done, the error is ErrInjected and nothing has changed; after it, the error is that of a context whose time is up, too, and the
// write has landed. Everything else goes to the store inside. It is safe for concurrent use.
type Faulty struct {
	claims.Store
	// At is the write that fails, counted from 1. 0: none.
	At int
	// After tells that the write lands all the same.
	After bool
	// Dies tells that the process ends there: every later write fails too, and nothing of it is done.
	Dies bool

	mu sync.Mutex
	n  int // writes so far
}

// Writes is how many writes were tried so far.
func (f *Faulty) Writes() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.n
}

// write does one write, or fails instead of it, or afterwards.
func (f *Faulty) write(do func() error) error {
	f.mu.Lock()
	f.n++
	fails := f.n == f.At
	dead := f.Dies && f.At > 0 && f.n > f.At
	f.mu.Unlock()
	if dead || fails && !f.After {
		return ErrInjected
	}
	if err := do(); err != nil || !fails {
		return err
	}
	return fmt.Errorf("%w: %w", ErrInjected, context.DeadlineExceeded)
}

// Put implements claims.Ledger.
func (f *Faulty) Put(ctx context.Context, now time.Time, source string, jobs []claims.Put) (rows []claims.Job, err error) {
	err = f.write(func() error { rows, err = f.Store.Put(ctx, now, source, jobs); return err })
	return or(rows, err)
}

// Remove implements claims.Ledger.
func (f *Faulty) Remove(ctx context.Context, now time.Time, source string, names []string) error {
	return f.write(func() error { return f.Store.Remove(ctx, now, source, names) })
}

// Claim implements claims.Ledger.
func (f *Faulty) Claim(ctx context.Context, now time.Time, owner string, items []claims.Claim) (got []claims.Claimed, err error) {
	err = f.write(func() error { got, err = f.Store.Claim(ctx, now, owner, items); return err })
	return or(got, err)
}

// Finalize implements claims.Ledger.
func (f *Faulty) Finalize(ctx context.Context, now time.Time, items []claims.Final) (got []claims.Finalized, err error) {
	err = f.write(func() error { got, err = f.Store.Finalize(ctx, now, items); return err })
	return or(got, err)
}

// Request implements claims.Ledger.
func (f *Faulty) Request(ctx context.Context, now time.Time, r claims.Request) error {
	return f.write(func() error { return f.Store.Request(ctx, now, r) })
}

// Prune implements claims.Ledger.
func (f *Faulty) Prune(ctx context.Context, now time.Time, limits []claims.Retain) (p claims.Pruned, err error) {
	err = f.write(func() error { p, err = f.Store.Prune(ctx, now, limits); return err })
	return or(p, err)
}

// Renew implements claims.Membership.
func (f *Faulty) Renew(ctx context.Context, now time.Time, owner string) error {
	return f.write(func() error { return f.Store.Renew(ctx, now, owner) })
}

// or gives no answer beside an error.
func or[T any](v T, err error) (T, error) {
	if err != nil {
		var none T
		return none, err
	}
	return v, nil
}

// playFaults plays one story on stores of which the n-th write fails, for each n, before and after it is done: made again once,
// the write leads to the same end as without the fault.
func playFaults(t *testing.T, h Harness) {
	clean := &Faulty{}
	want := story(t, h, clean)
	n := clean.Writes()
	if n < 10 {
		t.Fatalf("the story has only %d writes", n)
	}
	for at := 1; at <= n; at++ {
		for _, after := range []bool{false, true} {
			f := &Faulty{At: at, After: after}
			if diff := difference(want, story(t, h, f)); diff != "" {
				t.Errorf("write %d of %d failed, landed %v: the end differs\n%s", at, n, after, diff)
			}
			if f.Writes() != n+1 {
				t.Errorf("write %d of %d failed, landed %v: %d writes were tried", at, n, after, f.Writes())
			}
		}
	}
}

// story is the life of two jobs: a run, a retry, a recovery, a manual run, a pause, a changed schedule, a removal, a prune. It
// returns what the store holds in the end. Each call that fails with an injected fault is made again.
func story(t *testing.T, h Harness, f *Faulty) []string {
	t.Helper()
	w := newWorld(t, h)
	f.Store = w.s
	w.s = &retrying{Faulty: f}
	w.minutely("a")
	w.put(def("b", "every 2m0s", w.now))
	w.must(w.s.Renew(w.ctx, w.now, alpha))
	tok := w.start(alpha, "a")
	w.trigger("a", "x")
	manual := w.pending(1)[0]
	w.claimed(alpha, w.pendingItem(manual), claims.Busy)
	w.wait(time.Second)
	first := w.final(tok, claims.Failed)
	first.Retry, first.Counts, first.Output = w.now.Add(time.Hour), true, inline("first")
	w.settled(first)
	tok = w.claimed(beta, w.pendingItem(manual), claims.Won).Token
	w.wait(time.Second)
	w.settled(w.final(tok, claims.Orphaned))
	retry := w.pending(1)[0]
	tok = w.claimed(beta, w.pendingItem(retry), claims.Won).Token
	last := w.final(tok, claims.OK)
	last.Output, last.Counts = w.spool("a file of output"), true
	w.settled(last)
	w.request(claims.Request{Kind: claims.Pause, Job: "b", Reason: "holidays"})
	c := w.due("b")
	c.RunID, c.Passed = "", []claims.Passed{{Verdict: claims.Skipped, Reason: "paused", First: c.From, Last: c.From, Count: 1}}
	w.claim(alpha, c)
	w.request(claims.Request{Kind: claims.Resume, Job: "b"})
	w.wait(3 * time.Minute)
	w.put(def("b", period, w.now))
	tok = w.start(alpha, "b")
	w.claim(beta, w.due("b")) // skipped: busy
	w.remove("b")
	w.settled(w.final(tok, claims.OK))
	w.overlapStory()
	_, err := w.s.Prune(w.ctx, w.now, []claims.Retain{{Job: "a", Runs: 1}})
	w.must(err)
	w.audit()
	end := dump(t, w.s)
	w.must(f.Close())
	return end
}

// overlapStory is the life of three jobs whose slots come while they run: one waits, one replaces, one runs beside.
func (w *world) overlapStory() {
	w.Helper()
	w.minutely("q", "r", "s")
	tok := w.claimed(alpha, w.queueing("q"), claims.Won).Token
	w.claim(alpha, w.queueing("q")) // an answer that was lost is not given again
	w.settled(w.final(tok, claims.OK))
	w.settled(w.final(w.claimed(beta, w.inLine(w.pending(1)[0], claims.OverlapQueue), claims.Won).Token, claims.OK))
	tok = w.claimed(alpha, w.replacing("r"), claims.Won).Token
	w.claim(beta, w.replacing("r"))
	w.claim(beta, w.replacing("r"))
	f := w.final(tok, claims.Killed)
	f.Cause = claims.Replaced
	w.settled(f)
	w.settled(w.final(w.claimed(beta, w.inLine(w.pending(1)[0], claims.OverlapReplace), claims.Won).Token, claims.OK))
	first, second := w.claimed(alpha, w.beside("s"), claims.Won).Token, w.claimed(beta, w.beside("s"), claims.Won).Token
	for _, tok := range []claims.Token{second, first} {
		f := w.final(tok, claims.OK)
		f.Used, f.State = uses("x"), []claims.StateWrite{setKey("x", tok.RunID)}
		w.settled(f)
	}
}

// settled commits a result and expects that it counts, whether now or at an earlier try.
func (w *world) settled(f claims.Final) {
	w.Helper()
	got, err := w.s.Finalize(w.ctx, w.now, []claims.Final{f})
	w.must(err)
	if got[0].Status == claims.Fenced {
		w.Fatalf("run %s: its own commit fenced it", f.RunID)
	}
}

// retrying makes a call that failed with an injected fault once more.
type retrying struct{ *Faulty }

func twice[T any](call func() (T, error)) (T, error) {
	v, err := call()
	if errors.Is(err, ErrInjected) {
		return call()
	}
	return v, err
}

func (r *retrying) Put(ctx context.Context, now time.Time, source string, jobs []claims.Put) ([]claims.Job, error) {
	return twice(func() ([]claims.Job, error) { return r.Faulty.Put(ctx, now, source, jobs) })
}

func (r *retrying) Remove(ctx context.Context, now time.Time, source string, names []string) error {
	_, err := twice(func() (any, error) { return nil, r.Faulty.Remove(ctx, now, source, names) })
	return err
}

func (r *retrying) Claim(ctx context.Context, now time.Time, owner string, items []claims.Claim) ([]claims.Claimed, error) {
	return twice(func() ([]claims.Claimed, error) { return r.Faulty.Claim(ctx, now, owner, items) })
}

func (r *retrying) Finalize(ctx context.Context, now time.Time, items []claims.Final) ([]claims.Finalized, error) {
	return twice(func() ([]claims.Finalized, error) { return r.Faulty.Finalize(ctx, now, items) })
}

func (r *retrying) Request(ctx context.Context, now time.Time, q claims.Request) error {
	_, err := twice(func() (any, error) { return nil, r.Faulty.Request(ctx, now, q) })
	return err
}

func (r *retrying) Prune(ctx context.Context, now time.Time, limits []claims.Retain) (claims.Pruned, error) {
	return twice(func() (claims.Pruned, error) { return r.Faulty.Prune(ctx, now, limits) })
}

func (r *retrying) Renew(ctx context.Context, now time.Time, owner string) error {
	_, err := twice(func() (any, error) { return nil, r.Faulty.Renew(ctx, now, owner) })
	return err
}
