package claimstest

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/wcron/wcron/claims"
)

func overlapScenarios() []scenario {
	return []scenario{
		{"QueueKeepsTheOrder", queueOrder},
		{"QueueIsBounded", queueBounded},
		{"QueueIsHeldByAPause", queuePaused},
		{"QueueGoesWithTheJob", queueRemoved},
		{"QueueGoesWithTheLastRepeat", queueDone},
		{"QueueOfTwoHosts", queueTwoHosts},
		{"QueueOutlivesItsOwner", queueOrphan},
		{"QueueTakesASlotOnce", queueOnce},
		{"ReplaceEndsWhatRuns", replaceRunning},
		{"ReplaceKeepsTheNewestAlone", replaceStorm},
		{"ReplaceStartsAtOnceWhenFree", replaceFree},
		{"ReplaceGoesBeforeOtherWork", replaceFirst},
		{"ReplaceAsksAgain", replaceAgain},
		{"LanesAreOnRecord", lanesRecorded},
		{"LanesAreNarrowed", lanesNarrowed},
		{"LanesKeepToTheRepeats", lanesRepeat},
		{"LanesKeepToTheRepeatsWithRetries", lanesRepeatRetried},
	}
}

// queueing is the claim of a job's next slot, which may wait behind two others.
func (w *world) queueing(name string) claims.Claim {
	w.Helper()
	c := w.due(name)
	c.Overlap, c.Queue, c.IfBusy = claims.OverlapQueue, 2, "the queue is full"
	return c
}

// inLine is the claim of a slot that waits.
func (w *world) inLine(p claims.Pending, o claims.OverlapPolicy) claims.Claim {
	c := w.pendingItem(p)
	c.Overlap, c.Queue, c.IfReplaced, c.StandsFor = o, 2, "a newer one came", p.StandsFor
	return c
}

func (w *world) replacing(name string) claims.Claim {
	w.Helper()
	c := w.due(name)
	c.Overlap, c.IfReplaced = claims.OverlapReplace, "a newer one came"
	return c
}

// reasons has the reasons of a job's slots of one verdict, with their counts, oldest first.
func (w *world) reasons(job string, v claims.Verdict) string {
	w.Helper()
	rows, err := w.s.Slots(w.ctx, claims.SlotQuery{Job: job, Limit: -1})
	w.must(err)
	var all []string
	for i := len(rows) - 1; i >= 0; i-- {
		if rows[i].Verdict == v {
			all = append(all, fmt.Sprintf("%s x%d", rows[i].Reason, rows[i].Count))
		}
	}
	return strings.Join(all, ", ")
}

func queueOrder(w *world) {
	w.minutely("a")
	tok := w.claimed(alpha, w.queueing("a"), claims.Won).Token
	first := w.queueing("a")
	first.StandsFor = 3
	if got := w.claimed(beta, first, claims.Queued); got.Holder != tok.RunID || !got.Job.Next.Equal(first.Next) || got.Token.RunID != "" {
		w.Errorf("queued: %+v", got)
	}
	second := w.queueing("a")
	second.RunID = "" // who asks knows that the job is busy
	w.claimed(alpha, second, claims.Queued)
	w.verdict("a", map[claims.Verdict]int64{"": 3})
	rows := w.pending(2)
	for i, want := range []claims.Claim{first, second} {
		if p := rows[i]; p.Slot.ID != want.Slot.ID || p.Attempt != 1 || !p.Due.Equal(want.Slot.At) || !p.Queued() || p.StandsFor != want.StandsFor {
			w.Errorf("pending %d: %+v", i, p)
		}
	}
	w.claimed(beta, w.inLine(rows[0], claims.OverlapQueue), claims.Busy)
	w.finish(tok, claims.OK)
	w.claimed(beta, w.inLine(rows[1], claims.OverlapQueue), claims.Busy) // not its turn
	w.claimed(beta, w.queueing("a"), claims.Busy)                        // full, although no run is open
	tok = w.claimed(beta, w.inLine(rows[0], claims.OverlapQueue), claims.Won).Token
	if r := w.run(tok.RunID); r.StandsFor != 3 || r.Attempt != 1 || r.Slot.ID != first.Slot.ID {
		w.Errorf("run: %+v", r)
	}
	w.finish(tok, claims.OK)
	w.claimed(alpha, w.queueing("a"), claims.Queued) // there is room again, and one is before it
	w.finish(w.claimed(alpha, w.inLine(rows[1], claims.OverlapQueue), claims.Won).Token, claims.OK)
	w.finish(w.claimed(alpha, w.inLine(w.pending(1)[0], claims.OverlapQueue), claims.Won).Token, claims.OK)
	w.finish(w.claimed(alpha, w.queueing("a"), claims.Won).Token, claims.OK)
	w.verdict("a", map[claims.Verdict]int64{"ok": 5, claims.Skipped: 1})
}

func queueBounded(w *world) {
	w.minutely("a")
	tok := w.claimed(alpha, w.queueing("a"), claims.Won).Token
	for i := range 6 {
		c := w.queueing("a")
		if i%2 == 1 {
			c.RunID = ""
		}
		want := claims.Queued
		if i >= 2 {
			want = claims.Busy
		}
		w.claimed(alpha, c, want)
	}
	w.pending(2)
	w.verdict("a", map[claims.Verdict]int64{"": 3, claims.Skipped: 4})
	if got := w.reasons("a", claims.Skipped); !strings.HasPrefix(got, "the queue is full x") {
		w.Errorf("skipped: %s", got)
	}
	w.finish(tok, claims.OK)
}

func queuePaused(w *world) {
	w.minutely("a")
	tok := w.claimed(alpha, w.queueing("a"), claims.Won).Token
	w.claimed(alpha, w.queueing("a"), claims.Queued)
	f := w.final(tok, claims.Failed)
	f.Retry = w.now
	w.finalize(f, claims.Done)
	w.request(claims.Request{Kind: claims.Pause, Job: "a"})
	w.trigger("a", "x")
	for _, p := range w.pending(3) {
		if p.Slot.Kind == claims.Manual {
			w.finish(w.claimed(alpha, w.inLine(p, claims.OverlapQueue), claims.Won).Token, claims.OK)
			continue
		}
		if got := w.claimed(alpha, w.inLine(p, claims.OverlapQueue), claims.Busy); got.Holder != "" {
			w.Errorf("held by a pause: %+v", got)
		}
	}
	c := w.queueing("a")
	c.RunID = ""
	w.claimed(alpha, c, claims.Stale) // slots in a pause are skipped, not queued
	w.request(claims.Request{Kind: claims.Resume, Job: "a"})
	for _, p := range w.pending(2) {
		w.finish(w.claimed(alpha, w.inLine(p, claims.OverlapQueue), claims.Won).Token, claims.OK)
	}
	w.verdict("a", map[claims.Verdict]int64{"ok": 3})
}

func queueRemoved(w *world) {
	w.minutely("a")
	tok := w.claimed(alpha, w.queueing("a"), claims.Won).Token
	w.claimed(alpha, w.queueing("a"), claims.Queued)
	w.claimed(alpha, w.queueing("a"), claims.Queued)
	p := w.pending(2)[0]
	w.remove("a")
	w.pending(0)
	w.verdict("a", map[claims.Verdict]int64{"": 1, claims.Skipped: 2})
	w.minutely("a")
	w.claimed(alpha, w.inLine(p, claims.OverlapQueue), claims.Stale)
	w.claimed(beta, w.queueing("a"), claims.Queued) // the predecessor's run acts still
	w.finalize(w.final(tok, claims.OK), claims.Dropped)
	w.finish(w.claimed(beta, w.inLine(w.pending(1)[0], claims.OverlapQueue), claims.Won).Token, claims.OK)
}

func queueDone(w *world) {
	w.minutely("a")
	f := w.final(w.claimed(alpha, w.queueing("a"), claims.Won).Token, claims.Failed)
	w.claimed(alpha, w.queueing("a"), claims.Queued)
	w.claimed(alpha, w.queueing("a"), claims.Queued)
	w.trigger("a", "x")
	f.Counts, f.Repeat, f.Retry, f.EndedAt = true, 1, w.now, w.now
	w.finalize(f, claims.Done)
	rows := w.pending(2) // what is no further slot of the schedule goes on
	for _, p := range rows {
		w.finish(w.claimed(alpha, w.inLine(p, claims.OverlapQueue), claims.Won).Token, claims.OK)
	}
	w.verdict("a", map[claims.Verdict]int64{"ok": 2, claims.Skipped: 2})
}

func queueTwoHosts(w *world) {
	other := w.again()
	w.minutely("a")
	tok := w.claimed(alpha, w.queueing("a"), claims.Won).Token
	w.claimed(alpha, w.queueing("a"), claims.Queued)
	w.claimed(alpha, w.queueing("a"), claims.Queued)
	w.finish(tok, claims.OK)
	rows := w.pending(2)
	for i, p := range rows {
		var mu sync.Mutex
		var won []claims.Token
		var group sync.WaitGroup
		for n, s := range []claims.Store{w.s, other, w.s, other} {
			items := []claims.Claim{w.inLine(rows[1], claims.OverlapQueue), w.inLine(p, claims.OverlapQueue)}
			group.Go(func() {
				got, err := s.Claim(w.ctx, w.now, []string{alpha, beta}[n%2], items)
				if err != nil {
					w.Errorf("claim: %v", err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				for _, c := range got {
					if c.Status == claims.Won {
						won = append(won, c.Token)
					}
				}
			})
		}
		group.Wait()
		if len(won) != 1 || w.run(won[0].RunID).Slot.ID != p.Slot.ID {
			w.Fatalf("turn %d: %+v", i, won)
		}
		w.open(1)
		w.finish(won[0], claims.OK)
	}
	w.verdict("a", map[claims.Verdict]int64{"ok": 3})
}

// The owner dies with a slot waiting: whoever recovers its run finds the slot.
func queueOrphan(w *world) {
	w.minutely("a")
	tok := w.claimed(alpha, w.queueing("a"), claims.Won).Token
	w.claimed(alpha, w.queueing("a"), claims.Queued)
	w.finish(tok, claims.Orphaned)
	w.finish(w.claimed(beta, w.inLine(w.pending(1)[0], claims.OverlapQueue), claims.Won).Token, claims.OK)
	w.finalize(w.final(tok, claims.OK), claims.Fenced)
	w.verdict("a", map[claims.Verdict]int64{"ok": 1, "orphaned": 1})
}

func queueOnce(w *world) {
	w.minutely("a")
	tok := w.claimed(alpha, w.queueing("a"), claims.Won).Token
	c := w.queueing("a")
	w.claimed(alpha, c, claims.Queued)
	w.claimed(alpha, c, claims.Stale) // the answer was lost, and the call made again
	c.RunID = w.id()
	w.claimed(beta, c, claims.Stale)
	p := w.pending(1)[0]
	w.finish(tok, claims.OK)
	got := w.claimed(beta, w.inLine(p, claims.OverlapQueue), claims.Won)
	w.claimed(alpha, w.inLine(p, claims.OverlapQueue), claims.Stale)
	w.finish(got.Token, claims.OK)
	w.put(def("a", "every 5s", w.now.Add(-time.Hour))) // the clock went back, and the slot comes again
	again := w.item(w.job("a"))
	again.Slot, again.Overlap, again.Queue = c.Slot, claims.OverlapQueue, 2
	w.claimed(beta, again, claims.Passing)
	w.pending(0)
}

func replaceRunning(w *world) {
	w.minutely("a", "b")
	old := w.claimed(alpha, w.replacing("a"), claims.Won).Token
	other := w.start(alpha, "b")
	c := w.replacing("a")
	if got := w.claimed(beta, c, claims.Queued); got.Holder != old.RunID || len(got.Replaced) != 0 {
		w.Errorf("queued: %+v", got)
	}
	p := w.pending(1)[0]
	ch, err := w.s.Changes(w.ctx, alpha, 0)
	w.must(err)
	if len(ch.Cancels) != 1 || ch.Cancels[0].RunID != old.RunID || ch.Cancels[0].CancelFor != claims.Replaced || !ch.Cancels[0].Cancel.Equal(w.now) ||
		ch.Cancels[0].CancelBy != c.Slot.ID {
		w.Errorf("cancels: %+v", ch.Cancels)
	}
	w.claimed(beta, w.inLine(p, claims.OverlapReplace), claims.Busy)
	f := w.final(old, claims.Killed)
	f.Cause = claims.Replaced
	w.finalize(f, claims.Done)
	w.finish(w.claimed(beta, w.inLine(p, claims.OverlapReplace), claims.Won).Token, claims.OK)
	w.finish(other, claims.OK)
	w.verdict("a", map[claims.Verdict]int64{"killed": 1, "ok": 1})
}

func replaceStorm(w *world) {
	w.minutely("a")
	old := w.claimed(alpha, w.replacing("a"), claims.Won).Token
	for i := range 20 {
		c := w.replacing("a")
		if i%2 == 1 {
			c.RunID = ""
		}
		before := w.now
		got := w.claimed(beta, c, claims.Queued)
		if n := min(i, 1); len(got.Replaced) != n || n == 1 && !got.Replaced[0].Slot.At.Equal(before.Add(-time.Minute)) {
			w.Errorf("slot %d replaced %+v", i, got.Replaced)
		}
		if p := w.pending(1)[0]; p.Slot.ID != c.Slot.ID {
			w.Errorf("slot %s waits, and %s came", p.Slot.ID, c.Slot.ID)
		}
	}
	if o := w.open(1)[0]; o.CancelFor != claims.Replaced || o.Cancel.After(w.now.Add(-19*time.Minute)) {
		w.Errorf("the first request stands: %+v", o)
	}
	w.verdict("a", map[claims.Verdict]int64{"": 2, claims.Skipped: 19})
	w.finish(old, claims.Killed)
	w.finish(w.claimed(alpha, w.inLine(w.pending(1)[0], claims.OverlapReplace), claims.Won).Token, claims.OK)
	w.verdict("a", map[claims.Verdict]int64{"killed": 1, "ok": 1, claims.Skipped: 19})
	if got := w.reasons("a", claims.Skipped); !strings.HasPrefix(got, "a newer one came x") {
		w.Errorf("skipped: %s", got)
	}
}

func replaceFree(w *world) {
	w.minutely("a")
	f := w.final(w.claimed(alpha, w.replacing("a"), claims.Won).Token, claims.Failed)
	f.Retry = w.now.Add(time.Hour)
	w.finalize(f, claims.Done)
	retry := w.pending(1)[0]
	got := w.claimed(alpha, w.replacing("a"), claims.Won)
	if len(got.Replaced) != 1 || got.Replaced[0].Slot.ID != retry.Slot.ID || got.Replaced[0].Attempt != 2 {
		w.Errorf("replaced: %+v", got.Replaced)
	}
	w.pending(0)
	w.claimed(beta, w.inLine(retry, claims.OverlapReplace), claims.Stale)
	w.finish(got.Token, claims.OK)
}

// The slot that replaces goes before further attempts and manual requests, which are not lost.
func replaceFirst(w *world) {
	w.minutely("a")
	old := w.claimed(alpha, w.replacing("a"), claims.Won).Token
	w.trigger("a", "x")
	w.claimed(alpha, w.replacing("a"), claims.Queued)
	f := w.final(old, claims.Orphaned)
	f.Retry = w.now
	w.finalize(f, claims.Done)
	var slot, retry, manual claims.Pending
	for _, p := range w.pending(3) {
		switch {
		case p.Queued():
			slot = p
		case p.Slot.Kind == claims.Manual:
			manual = p
		default:
			retry = p
		}
	}
	w.claimed(alpha, w.inLine(retry, claims.OverlapReplace), claims.Busy)
	w.claimed(alpha, w.inLine(manual, claims.OverlapReplace), claims.Busy)
	got := w.claimed(alpha, w.inLine(slot, claims.OverlapReplace), claims.Won)
	if len(got.Replaced) != 1 || got.Replaced[0].Slot.ID != retry.Slot.ID {
		w.Errorf("replaced: %+v", got.Replaced)
	}
	w.finish(got.Token, claims.OK)
	w.finish(w.claimed(alpha, w.inLine(manual, claims.OverlapReplace), claims.Won).Token, claims.OK)
	w.verdict("a", map[claims.Verdict]int64{"ok": 2, claims.Skipped: 1})
}

// What has come between since the slot began to wait is ended too; an operator's request stands.
func replaceAgain(w *world) {
	w.minutely("a")
	old := w.claimed(alpha, w.replacing("a"), claims.Won).Token
	w.request(claims.Request{Kind: claims.Cancel, RunID: old.RunID, By: "ann"})
	w.claimed(alpha, w.replacing("a"), claims.Queued)
	if o := w.open(1)[0]; o.CancelFor != claims.Cancelled || o.CancelBy != "ann" {
		w.Errorf("open: %+v", o)
	}
	w.trigger("a", "x")
	w.finish(old, claims.Killed)
	var slot claims.Pending
	for _, p := range w.pending(2) {
		if p.Queued() {
			slot = p
			continue
		}
		old = w.claimed(beta, w.pendingItem(p), claims.Won).Token // by somebody who does not mind
	}
	w.claimed(alpha, w.inLine(slot, claims.OverlapReplace), claims.Busy)
	if o := w.open(1)[0]; o.CancelFor != claims.Replaced || o.RunID != old.RunID {
		w.Errorf("open: %+v", o)
	}
	w.finish(old, claims.Killed)
	w.finish(w.claimed(alpha, w.inLine(slot, claims.OverlapReplace), claims.Won).Token, claims.OK)
}

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
