package claimstest

import (
	"maps"
	"time"

	"github.com/wcron/wcron/claims"
)

func claimPassed(w *world) {
	w.minutely("a")
	w.wait(10 * time.Minute)
	j := w.job("a")
	at := func(n int) time.Time { return j.Next.Add(time.Duration(n) * time.Minute) }
	passed := func(v claims.Verdict, reason string, first, last int) claims.Passed {
		return claims.Passed{Verdict: v, Reason: reason, First: at(first), Last: at(last), Count: int64(last - first + 1)}
	}
	item := w.item(j)
	item.Passed = []claims.Passed{passed(claims.Skipped, "one", 0, 3), passed(claims.Missed, "one", 4, 4), passed(claims.Missed, "two", 5, 8)}
	item.Slot, item.Next, item.StandsFor = claims.ScheduledSlot("a", at(9)), at(10), 5
	w.finish(w.claimed(alpha, item, claims.Won).Token, claims.OK)
	w.verdict("a", map[claims.Verdict]int64{claims.Skipped: 4, claims.Missed: 5, "ok": 1})
	for i := 10; i < 40; i++ { // one at a time, as in a long pause
		w.now = at(i)
		c := w.item(w.job("a"))
		c.RunID, c.Passed = "", []claims.Passed{passed(claims.Skipped, "two", i, i)}
		w.claimed(alpha, c, claims.Passing)
	}
	w.verdict("a", map[claims.Verdict]int64{claims.Skipped: 34, claims.Missed: 5, "ok": 1})
	rows, err := w.s.Slots(w.ctx, claims.SlotQuery{Job: "a", Limit: -1})
	w.must(err)
	counts := map[string]int64{}
	for _, r := range rows {
		counts[string(r.Verdict)+" "+r.Reason] += r.Count
		if want := r.Slot.At.Add(time.Duration(r.Count-1) * time.Minute); !r.Until.Equal(want) {
			w.Errorf("row of %d slots from %v: until %v, want %v", r.Count, r.Slot.At, r.Until, want)
		}
	}
	if want := map[string]int64{"skipped one": 4, "missed one": 1, "missed two": 4, "ok ": 1, "skipped two": 30}; !maps.Equal(counts, want) {
		w.Errorf("slots by verdict and reason: %v, want %v", counts, want)
	}
}

// A paused job's due times pass while its last run goes on.
func claimPassedWhileRunning(w *world) {
	w.minutely("a")
	tok := w.start(alpha, "a")
	w.request(claims.Request{Kind: claims.Pause, Job: "a"})
	c := w.due("a")
	c.RunID, c.IfBusy = "", ""
	c.Passed = []claims.Passed{{Verdict: claims.Skipped, Reason: "paused", First: c.From, Last: c.From, Count: 1}}
	if got := w.claimed(alpha, c, claims.Passing); !got.Job.Next.Equal(c.Next) {
		w.Errorf("job: %+v", got.Job)
	}
	w.verdict("a", map[claims.Verdict]int64{"": 1, claims.Skipped: 1})
	w.finish(tok, claims.OK)
}

// The clock goes back, and the schedule is changed: its first times have had their runs. They have no other one, and are passed.
func claimRecorded(w *world) {
	w.minutely("a")
	for range 3 {
		w.finish(w.start(alpha, "a"), claims.OK)
	}
	w.wait(-2 * time.Minute)
	p := def("a", period, w.now)
	p.Timezone = "Europe/Berlin"
	w.put(p)
	for range 2 {
		item := w.due("a")
		got := w.claim(alpha, item)[0]
		if got.Status == claims.Won || !got.Job.Next.Equal(item.Next) {
			w.Fatalf("claim of a slot that has had its run: %+v", got)
		}
	}
	w.finish(w.start(alpha, "a"), claims.OK)
	w.verdict("a", map[claims.Verdict]int64{"ok": 4})
	if runs := w.runs(claims.RunQuery{Job: "a"}); len(runs) != 4 {
		w.Errorf("%d runs of 4 slots", len(runs))
	}
}

// The same with times that had no run: they have come to their verdict.
func claimRecordedWithin(w *world) {
	w.minutely("a")
	begin := w.now
	w.wait(3 * time.Minute)
	j := w.job("a")
	item := w.item(j)
	item.RunID, item.Next = "", next(j, w.now)
	item.Passed = []claims.Passed{{Verdict: claims.Missed, Reason: "late", First: j.Next, Last: w.now, Count: 3}}
	w.claimed(alpha, item, claims.Passing)
	w.now = begin
	p := def("a", period, w.now)
	p.Timezone = "Europe/Berlin"
	w.put(p)
	for range 3 {
		item := w.due("a")
		if got := w.claim(alpha, item)[0]; got.Status == claims.Won || !got.Job.Next.Equal(item.Next) {
			w.Fatalf("claim of a slot that was missed: %+v", got)
		}
	}
	w.finish(w.start(alpha, "a"), claims.OK)
	w.verdict("a", map[claims.Verdict]int64{claims.Missed: 3, "ok": 1})
}
