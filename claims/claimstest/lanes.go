package claimstest

import (
	"time"

	"github.com/wcron/wcron/claims"
)

func lanesRecorded(w *world) {
	w.minutely("a")
	if j := w.job("a"); j.Lanes != 1 {
		w.Errorf("lanes of a new job: %d", j.Lanes)
	}
	var toks []claims.Token
	for range 3 {
		c := w.due("a")
		c.Lanes = 3
		got := w.claimed(alpha, c, claims.Won)
		if toks = append(toks, got.Token); got.Job.Lanes != 3 {
			w.Errorf("job: %+v", got.Job)
		}
	}
	for _, o := range w.open(3) {
		if o.Lanes != 3 {
			w.Errorf("open: %+v", o)
		}
	}
	for _, tok := range toks {
		w.finish(tok, claims.OK)
	}
	w.finish(w.start(alpha, "a"), claims.OK)
	if j := w.job("a"); j.Lanes != 3 {
		w.Errorf("the most that it was ever claimed with: %+v", j)
	}
	w.remove("a")
	w.minutely("a")
	if j := w.job("a"); j.Lanes != 3 {
		w.Errorf("the locks of its predecessor may be held still: %+v", j)
	}
}

// A policy that becomes narrower while runs are open holds for those that come.
func lanesNarrowed(w *world) {
	w.minutely("a")
	var toks []claims.Token
	for range 2 {
		c := w.due("a")
		c.Lanes = 2
		toks = append(toks, w.claimed(alpha, c, claims.Won).Token)
	}
	w.claimed(alpha, w.due("a"), claims.Busy)
	w.finish(toks[0], claims.OK)
	w.claimed(alpha, w.due("a"), claims.Busy)
	w.finish(toks[1], claims.OK)
	w.finish(w.start(alpha, "a"), claims.OK)
}

// With one slot left of a job's repeats, no second one begins beside it.
func lanesRepeat(w *world) {
	w.minutely("a")
	item := func() claims.Claim {
		c := w.due("a")
		c.Lanes, c.Repeat = 3, 2
		return c
	}
	end := func(tok claims.Token, counts bool) claims.Job {
		f := w.final(tok, claims.OK)
		f.Counts, f.Repeat = counts, 2
		return w.finalize(f, claims.Done)
	}
	first, second := w.claimed(alpha, item(), claims.Won).Token, w.claimed(alpha, item(), claims.Won).Token
	next := w.job("a").Next
	if got := w.claimed(alpha, item(), claims.Busy); !got.Job.Next.Equal(next) {
		w.Errorf("the slot waits until it is known: %+v", got.Job)
	}
	end(first, false) // its guest never started
	third := w.claimed(alpha, item(), claims.Won).Token
	end(second, true)
	w.claimed(alpha, item(), claims.Busy)
	w.trigger("a", "x")
	p := w.pendingItem(w.pending(1)[0])
	p.Lanes, p.Repeat = 3, 2
	manual := w.claimed(alpha, p, claims.Won).Token
	if j := end(third, true); !j.Done {
		w.Errorf("job: %+v", j)
	}
	w.finish(manual, claims.OK)
}

// A slot whose guest never started takes the place of one that counts while it is to be tried again: what has come due meanwhile
// begins only if there are repeats for both.
func lanesRepeatRetried(w *world) {
	for _, over := range []claims.OverlapPolicy{claims.OverlapAllow, claims.OverlapQueue, ""} {
		name := "job" + string(over)
		w.minutely(name)
		with := func(c claims.Claim) claims.Claim {
			c.Lanes, c.Repeat, c.Overlap, c.Queue = 3, 2, over, 3
			return c
		}
		end := func(tok claims.Token, counts bool, retry time.Time) claims.Job {
			f := w.final(tok, claims.Failed)
			f.Counts, f.Repeat, f.Retry = counts, 2, retry
			return w.finalize(f, claims.Done)
		}
		end(w.claimed(alpha, with(w.due(name)), claims.Won).Token, false, w.now.Add(time.Minute))
		end(w.claimed(alpha, with(w.due(name)), claims.Won).Token, true, time.Time{})
		before := w.job(name)
		w.claimed(alpha, with(w.due(name)), claims.Busy)
		if j := w.job(name); !j.Next.Equal(before.Next) || j.Done {
			w.Errorf("%s: the slot waits until it is known: %+v", name, j)
		}
		again := with(w.pendingItem(w.pending(1)[0]))
		if j := end(w.claimed(alpha, again, claims.Won).Token, true, w.now); !j.Done || j.Repeats != 2 {
			w.Errorf("%s: %+v", name, j)
		}
		// The slot that has counted may be tried again all the same.
		if j := end(w.claimed(alpha, with(w.pendingItem(w.pending(1)[0])), claims.Won).Token, true, time.Time{}); j.Repeats != 2 {
			w.Errorf("%s: %+v", name, j)
		}
		w.verdict(name, map[claims.Verdict]int64{"failed": 2})
	}
}
