package claimstest

import (
	"errors"
	"time"

	"github.com/wcron/wcron/claims"
)

func requestScenarios() []scenario {
	return []scenario{
		{"PauseAndResume", requestPause},
		{"PauseWhileRunning", requestPauseRunning},
		{"Cancel", requestCancel},
		{"Errors", requestErrors},
		{"Changes", requestChanges},
	}
}

func requestPause(w *world) {
	w.minutely("a")
	before := w.job("a")
	w.wait(time.Second)
	paused := w.now
	w.request(claims.Request{Kind: claims.Pause, Job: "a", Reason: "holidays", By: "ann"})
	j := w.job("a")
	if !j.Paused || j.Reason != "holidays" || !j.PausedAt.Equal(paused) || !j.Next.Equal(before.Next) || j.Rev <= before.Rev {
		w.Errorf("paused: %+v", j)
	}
	w.wait(time.Second)
	w.request(claims.Request{Kind: claims.Pause, Job: "a", Reason: "other"})
	if again := w.job("a"); again.Reason != "holidays" || !again.PausedAt.Equal(paused) {
		w.Errorf("paused twice: %+v", again)
	}
	w.put(def("a", "every 2m0s", w.now)) // an edit does not end a pause
	if j = w.job("a"); !j.Paused || !j.PausedAt.Equal(paused) {
		w.Errorf("edited in its pause: %+v", j)
	}
	w.wait(time.Second)
	resumed := w.now
	w.request(claims.Request{Kind: claims.Resume, Job: "a"})
	w.wait(time.Second)
	w.request(claims.Request{Kind: claims.Resume, Job: "a"})
	if j = w.job("a"); j.Paused || !j.ResumedAt.Equal(resumed) || !j.PausedAt.Equal(paused) {
		w.Errorf("resumed: %+v", j)
	}
	w.start(alpha, "a")
}

func requestPauseRunning(w *world) {
	w.minutely("a")
	tok := w.start(alpha, "a")
	w.request(claims.Request{Kind: claims.Pause, Job: "a"})
	if j := w.finalize(w.final(tok, claims.OK), claims.Done); !j.Paused {
		w.Errorf("job after its run: %+v", j)
	}
	w.claimed(alpha, w.due("a"), claims.Stale)
}

func (w *world) changes(s claims.Store, owner string, since int64) claims.Changes {
	w.Helper()
	c, err := s.Changes(w.ctx, owner, since)
	w.must(err)
	return c
}

func requestCancel(w *world) {
	w.minutely("a", "b")
	tok, other := w.start(alpha, "a"), w.start(alpha, "b")
	rev := w.changes(w.s, alpha, 0).Rev
	if c := w.changes(w.s, alpha, rev); len(c.Cancels) != 0 {
		w.Errorf("before: %+v", c)
	}
	w.wait(time.Second)
	asked := w.now
	w.request(claims.Request{Kind: claims.Cancel, RunID: tok.RunID, By: "ann"})
	w.wait(time.Second)
	w.request(claims.Request{Kind: claims.Cancel, RunID: tok.RunID, By: "bob"})
	c := w.changes(w.s, alpha, rev)
	if len(c.Cancels) != 1 || c.Cancels[0].Token != tok || !c.Cancels[0].Cancel.Equal(asked) || c.Cancels[0].CancelBy != "ann" {
		w.Errorf("cancels of the owner: %+v", c.Cancels)
	}
	if c = w.changes(w.s, beta, rev); len(c.Cancels) != 0 || len(c.Foreign) != 2 {
		w.Errorf("changes of another owner: %+v", c)
	}
	f := w.final(tok, claims.Killed)
	f.Cause = claims.Cancelled
	w.finalize(f, claims.Done)
	if c = w.changes(w.s, alpha, 0); len(c.Cancels) != 0 {
		w.Errorf("after: %+v", c.Cancels)
	}
	if err := w.s.Request(w.ctx, w.now, claims.Request{Kind: claims.Cancel, RunID: tok.RunID}); !errors.Is(err, claims.ErrNotOpen) {
		w.Errorf("cancel of an ended run: %v", err)
	}
	w.finish(other, claims.OK)
}

func requestErrors(w *world) {
	w.minutely("gone")
	w.remove("gone")
	before := dump(w.T, w.s)
	for _, job := range []string{"nobody", "gone"} {
		for _, kind := range []claims.RequestKind{claims.Pause, claims.Resume, claims.Trigger} {
			if err := w.s.Request(w.ctx, w.now, claims.Request{Kind: kind, Job: job, ID: "x"}); !errors.Is(err, claims.ErrNoJob) {
				w.Errorf("%s of job %s: %v", kind, job, err)
			}
		}
	}
	if err := w.s.Request(w.ctx, w.now, claims.Request{Kind: claims.Cancel, RunID: w.id()}); !errors.Is(err, claims.ErrNoRun) {
		w.Errorf("cancel of no run: %v", err)
	}
	if err := w.s.Request(w.ctx, w.now, claims.Request{Kind: "dance", Job: "gone"}); err == nil {
		w.Errorf("an unknown request was taken")
	}
	if diff := difference(before, dump(w.T, w.s)); diff != "" {
		w.Errorf("refused requests changed\n%s", diff)
	}
}

// names lists the jobs of a change.
func names(c claims.Changes) (n []string) {
	for _, j := range c.Jobs {
		n = append(n, j.Name)
	}
	return n
}

func requestChanges(w *world) {
	s := w.s
	if w.h.Again != nil { // what one process writes, the other one sees
		s = w.again()
	}
	w.minutely("a", "b")
	c := w.changes(s, alpha, 0)
	if len(c.Jobs) != 2 || c.Rev == 0 || c.Schema == 0 {
		w.Errorf("from the begin: %+v", c)
	}
	expect := func(what string, jobs, pending, foreign int) {
		w.Helper()
		was := c.Rev
		c = w.changes(s, alpha, was)
		if len(c.Jobs) != jobs || len(c.Pending) != pending || len(c.Foreign) != foreign || c.Rev < was || jobs+pending > 0 && c.Rev == was {
			w.Errorf("%s: %+v after %d", what, c, was)
		}
	}
	expect("nothing", 0, 0, 0)
	w.put(def("a", period, w.now))
	expect("the same put", 0, 0, 0)
	w.put(def("a", "every 2m0s", w.now))
	expect("another schedule", 1, 0, 0)
	w.request(claims.Request{Kind: claims.Pause, Job: "b"})
	expect("a pause", 1, 0, 0)
	if n := names(c); len(n) == 1 && (n[0] != "b" || !c.Jobs[0].Paused) {
		w.Errorf("paused: %+v", c.Jobs)
	}
	w.request(claims.Request{Kind: claims.Pause, Job: "b"})
	expect("a second pause", 0, 0, 0)
	w.claimed(alpha, w.due("b"), claims.Stale)
	expect("a stale claim", 0, 0, 0)
	own := w.start(alpha, "a")
	expect("an own claim", 1, 0, 0)
	w.finish(own, claims.OK)
	expect("an own commit", 1, 0, 0)
	foreign := w.start(beta, "a")
	expect("a foreign claim", 1, 0, 1)
	expect("a foreign claim, later", 0, 0, 1)
	w.now = w.now.Truncate(time.Second)
	w.must(w.s.Request(w.ctx, w.now, claims.Request{Kind: claims.Trigger, Job: "b", ID: "x"}))
	was := c.Rev
	c = w.changes(s, alpha, was)
	if len(c.Pending) != 1 || c.Pending[0].Slot.ID != claims.ManualSlot("b", w.now, "x").ID || c.Rev == was {
		w.Errorf("a trigger: %+v", c)
	}
	expect("a trigger, later", 0, 0, 1)
	f := w.final(foreign, claims.Failed)
	f.Retry = w.now.Add(time.Minute)
	w.finalize(f, claims.Done)
	expect("a foreign commit with an attempt left", 1, 1, 0)
	w.remove("a")
	was = c.Rev
	c = w.changes(s, alpha, was)
	if len(c.Jobs) != 1 || c.Jobs[0].Name != "a" || c.Jobs[0].Removed.IsZero() {
		w.Errorf("a removal: %+v", c)
	}
	if c = w.changes(s, alpha, 0); len(c.Pending) != 1 {
		w.Errorf("pending from the begin: %+v", c.Pending)
	}
}
