package claimstest

import (
	"context"
	"errors"
	"time"

	"github.com/wcron/wcron/claims"
)

func ownerScenarios() []scenario {
	return []scenario{
		{"JoinRenewLeave", ownerJoin},
		{"ProbeOfOneThatLives", ownerLives},
		{"ProbeOfOneThatDied", ownerDied},
		{"ProbeOfOneThatNeverWas", ownerUnknown},
		{"ClaimOfOneThatLeft", ownerLeft},
		{"JobLock", jobLock},
		{"JobLockAcrossStores", jobLockTwo},
	}
}

// owner finds an owner in the list; false: it is not listed.
func (w *world) owner(s claims.Store, id string) (claims.Owner, bool) {
	w.Helper()
	owners, err := s.Owners(w.ctx)
	w.must(err)
	for _, o := range owners {
		if o.ID == id {
			return o, true
		}
	}
	return claims.Owner{}, false
}

func ownerJoin(w *world) {
	joined := w.now
	leave := w.join(w.s, "owner-gamma")
	o, ok := w.owner(w.s, "owner-gamma")
	if !ok || o.PID == 0 || o.Host != "here" || string(o.Evidence) != "{}" || o.Socket == "" || o.Version != "v1" || !o.Started.Equal(joined) ||
		!o.Seen.Equal(joined) || !o.Left.IsZero() {
		w.Errorf("owner: %+v", o)
	}
	w.wait(time.Second)
	w.must(w.s.Renew(w.ctx, w.now, "owner-gamma"))
	if o, _ = w.owner(w.s, "owner-gamma"); !o.Seen.Equal(w.now) || !o.Started.Equal(joined) {
		w.Errorf("renewed: %+v", o)
	}
	w.wait(time.Second)
	w.must(leave(w.ctx, w.now))
	if o, ok = w.owner(w.s, "owner-gamma"); !ok || !o.Left.Equal(w.now) {
		w.Errorf("the one that left last: %+v", o)
	}
	later := w.join(w.s, "owner-delta")
	w.wait(time.Second)
	w.must(later(w.ctx, w.now))
	if _, ok = w.owner(w.s, "owner-gamma"); ok {
		w.Errorf("an owner is listed that left earlier than another")
	}
	for _, id := range []string{alpha, beta, "owner-delta"} {
		if _, ok = w.owner(w.s, id); !ok {
			w.Errorf("owner %s is not listed", id)
		}
	}
}

func (w *world) probe(s claims.Store, id string, want claims.LockState) claims.Probe {
	w.Helper()
	p, err := s.Probe(w.ctx, id)
	w.must(err)
	if p.Lock != want || p.Reason == "" || p.Release == nil {
		w.Fatalf("probe of %s: %+v, want %s", id, p, want)
	}
	return p
}

func ownerLives(w *world) {
	leave := w.join(w.s, "owner-gamma")
	stores := []claims.Store{w.s}
	if w.h.Again != nil {
		stores = append(stores, w.again())
	}
	for _, s := range stores {
		for range 3 {
			w.probe(s, "owner-gamma", claims.LockHeld).Release()
		}
	}
	w.must(leave(w.ctx, w.now))
	for _, s := range stores {
		p, err := s.Probe(w.ctx, "owner-gamma")
		w.must(err)
		if p.Lock == claims.LockHeld {
			w.Errorf("lock of an owner that has left: %+v", p)
		}
		p.Release()
	}
}

func ownerDied(w *world) {
	other := w.again()
	w.join(other, "owner-gamma")
	w.minutely("a")
	got, err := other.Claim(w.ctx, w.now, "owner-gamma", []claims.Claim{w.due("a")})
	w.must(err)
	w.probe(w.s, "owner-gamma", claims.LockHeld).Release()
	w.must(other.Close()) // all of the owner that is left is its record and its claim
	if o, ok := w.owner(w.s, "owner-gamma"); !ok || !o.Left.IsZero() {
		w.Errorf("owner that died: %+v", o)
	}
	p := w.probe(w.s, "owner-gamma", claims.LockFree)
	third := w.h.Again(w.T, w.s)
	w.Cleanup(func() { _ = third.Close() })
	w.probe(third, "owner-gamma", claims.LockHeld).Release()
	if _, err := third.Join(w.ctx, w.now, claims.Owner{ID: "owner-gamma", PID: 1, Started: w.now, Seen: w.now}); err == nil {
		w.Errorf("somebody came back as an owner that is being recovered")
	}
	w.finish(got[0].Token, claims.Orphaned)
	p.Release()
	p.Release()
	w.probe(third, "owner-gamma", claims.LockFree).Release()
}

// An owner that has left claims nothing any more; what it had claimed before it may still finish.
func ownerLeft(w *world) {
	leave := w.join(w.s, "owner-gamma")
	w.minutely("a", "b")
	tok := w.start("owner-gamma", "a")
	w.must(leave(w.ctx, w.now))
	if _, err := w.s.Claim(w.ctx, w.now, "owner-gamma", []claims.Claim{w.due("b")}); !errors.Is(err, claims.ErrFenced) {
		w.Errorf("claim of an owner that has left: %v", err)
	}
	w.open(1)
	w.finish(tok, claims.OK)
	w.finish(w.start(alpha, "b"), claims.OK)
	w.join(w.s, "owner-gamma")
	w.finish(w.start("owner-gamma", "a"), claims.OK)
}

func ownerUnknown(w *world) {
	for _, id := range []string{"owner-never", "12345-abcdef", "../../etc/passwd", ""} {
		p, err := w.s.Probe(w.ctx, id)
		if err == nil && p.Lock != claims.LockMissing {
			w.Errorf("probe of %q: %+v", id, p)
		}
		if p.Release != nil {
			p.Release()
		} else if err == nil {
			w.Errorf("probe of %q has no release", id)
		}
	}
}

func (w *world) lock(s claims.Store, job string, lane int) func() {
	w.Helper()
	unlock, err := s.LockJob(w.ctx, job, lane)
	w.must(err)
	return unlock
}

func (w *world) locked(s claims.Store, job string, lane int) {
	w.Helper()
	if _, err := s.LockJob(w.ctx, job, lane); !errors.Is(err, claims.ErrBusy) {
		w.Errorf("lock of job %s lane %d: %v, want busy", job, lane, err)
	}
}

func jobLock(w *world) {
	w.minutely("a", "b")
	unlock := w.lock(w.s, "a", 0)
	w.locked(w.s, "a", 0)
	w.lock(w.s, "a", 1)()
	w.lock(w.s, "b", 0)()
	unlock()
	w.lock(w.s, "a", 0)()
	w.lock(w.s, "a", 0)()
}

func jobLockTwo(w *world) {
	w.minutely("a")
	other := w.again()
	unlock := w.lock(w.s, "a", 0)
	w.locked(other, "a", 0)
	held := w.lock(other, "a", 1)
	unlock()
	w.lock(other, "a", 0)
	w.locked(w.s, "a", 0)
	w.locked(w.s, "a", 1)
	held()
	w.lock(w.s, "a", 1)()
	w.must(other.Close()) // as its death would, this frees the lock that is left
	w.lock(w.s, "a", 0)()
}

func storeScenarios() []scenario {
	return []scenario{
		{"Reopened", storeReopened},
		{"EndedContext", storeContext},
		{"Closed", storeClosed},
		{"LargeHistory", storeLarge},
	}
}

func storeReopened(w *world) {
	w.minutely("a", "b")
	w.mixed("a", 5)
	w.trigger("b", "x")
	tok := w.start(alpha, "a")
	f := w.final(w.start(beta, "b"), claims.Failed)
	f.Retry = w.now.Add(time.Hour)
	w.finalize(f, claims.Done)
	before := dump(w.T, w.s)
	second := w.again()
	w.must(w.s.Close())
	w.s = second
	if diff := difference(before, dump(w.T, second)); diff != "" {
		w.Errorf("reopened\n%s", diff)
	}
	w.finish(tok, claims.OK)
}

// A call with a context that is over may or may not have landed; made again it has the one result.
func storeContext(w *world) {
	over, cancel := context.WithCancel(w.ctx)
	cancel()
	refused := func(what string, err error) {
		w.Helper()
		if !errors.Is(err, context.Canceled) {
			w.Errorf("%s with a cancelled context: %v", what, err)
		}
	}
	_, err := w.s.Put(over, w.now, source, []claims.Put{def("a", period, w.now)})
	refused("put", err)
	w.minutely("a")
	item := w.due("a")
	_, err = w.s.Claim(over, w.now, alpha, []claims.Claim{item})
	refused("claim", err)
	f := w.final(w.claimed(alpha, item, claims.Won).Token, claims.OK)
	_, err = w.s.Finalize(over, w.now, []claims.Final{f})
	refused("finalize", err)
	got, err := w.s.Finalize(w.ctx, w.now, []claims.Final{f})
	w.must(err)
	if s := got[0].Status; s != claims.Done && s != claims.AlreadyFinal {
		w.Errorf("finalize again: %s", s)
	}
	refused("request", w.s.Request(over, w.now, claims.Request{Kind: claims.Trigger, Job: "a", ID: "x"}))
	w.request(claims.Request{Kind: claims.Trigger, Job: "a", ID: "x"})
	w.pending(1)
	refused("remove", w.s.Remove(over, w.now, source, []string{"a"}))
	w.remove("a")
	_, err = w.s.Prune(over, w.now, []claims.Retain{{Job: "a", Runs: 1}})
	refused("prune", err)
	_, err = w.s.Jobs(over)
	refused("jobs", err)
	_, err = w.s.Runs(over, claims.RunQuery{})
	refused("runs", err)
	_, err = w.s.Changes(over, alpha, 0)
	refused("changes", err)
	w.verdict("a", map[claims.Verdict]int64{"ok": 1, claims.Skipped: 1})
}

func storeClosed(w *world) {
	s := w.h.open(w.T)
	if _, err := s.Put(w.ctx, w.now, source, []claims.Put{def("a", period, w.now)}); err != nil {
		w.Fatal(err)
	}
	w.must(s.Close())
	_, err := s.Put(w.ctx, w.now, source, []claims.Put{def("b", period, w.now)})
	if !errors.Is(err, claims.ErrClosed) {
		w.Errorf("put: %v", err)
	}
	if _, err = s.Jobs(w.ctx); !errors.Is(err, claims.ErrClosed) {
		w.Errorf("jobs: %v", err)
	}
	if _, err = s.Claim(w.ctx, w.now, alpha, nil); err != nil && !errors.Is(err, claims.ErrClosed) {
		w.Errorf("claim: %v", err)
	}
}
