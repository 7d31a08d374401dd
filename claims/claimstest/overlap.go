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
