package claimstest

import (
	"slices"
	"strings"
	"time"

	"github.com/wcron/wcron/claims"
)

func policyScenarios() []scenario {
	return []scenario{
		{"PutBounds", policyBounds},
		{"PutPassed", policyPassed},
		{"SkipNext", policySkip},
		{"PauseAfterFailures", policyStrikes},
		{"PauseAfterFailuresInARowOnly", policyStreak},
		{"CountsASlotOnce", policyCounts},
		{"Backfill", policyBackfill},
		{"BackfillTakenBack", policyUnfill},
		{"GiveUpWhatWaits", policyGiveUp},
	}
}

// The bounds are a part of the schedule: others make it another one.
func policyBounds(w *world) {
	p := def("a", period, w.now)
	p.NotBefore, p.NotAfter = w.now.Add(time.Hour), w.now.Add(2*time.Hour)
	p.First = p.NotBefore
	first := w.put(p)[0]
	if !first.NotBefore.Equal(p.NotBefore) || !first.NotAfter.Equal(p.NotAfter) || !first.Next.Equal(p.NotBefore) {
		w.Errorf("row with bounds: %+v", first)
	}
	w.wait(time.Minute)
	if again := w.put(p)[0]; again != first {
		w.Errorf("put again:\n%+v\nfirst:\n%+v", again, first)
	}
	p.NotAfter = time.Time{}
	p.First = w.now.Add(time.Minute)
	j := w.put(p)[0]
	if !j.Anchor.Equal(w.now) || !j.Next.Equal(p.First) || !j.NotAfter.IsZero() || j.Rev <= first.Rev {
		w.Errorf("row with another bound: %+v", j)
	}
	w.remove("a")
	if j = w.put(def("a", period, w.now))[0]; !j.NotBefore.IsZero() {
		w.Errorf("job that was added again: %+v", j)
	}
}

// What the earlier schedule had due is recorded as the caller says, if the caller speaks of the job as it is.
func policyPassed(w *world) {
	w.minutely("a", "b")
	due := w.job("a").Next
	w.wait(10 * time.Minute)
	passed := []claims.Passed{
		{Verdict: claims.Missed, Reason: "changed", First: due, Last: due.Add(3 * time.Minute), Count: 4},
		{Verdict: claims.Skipped, Reason: "paused", First: due.Add(4 * time.Minute), Last: due.Add(9 * time.Minute), Count: 6},
	}
	p := def("a", "every 7m0s", w.now)
	p.Passed = passed
	w.put(p)
	w.verdict("a", map[claims.Verdict]int64{claims.Missed: 4, claims.Skipped: 6})
	p = def("b", "every 7m0s", w.now)
	p.Passed = []claims.Passed{{Verdict: claims.Missed, Reason: "changed", First: due.Add(time.Minute), Last: due.Add(time.Minute), Count: 1}}
	w.put(p)
	w.verdict("b", map[claims.Verdict]int64{claims.Missed: 1})
	rows, err := w.s.Slots(w.ctx, claims.SlotQuery{Job: "b"})
	w.must(err)
	if !rows[0].Slot.At.Equal(due) {
		w.Errorf("another host has claimed meanwhile: %+v", rows[0])
	}
	w.put(p) // the same once more
	w.verdict("b", map[claims.Verdict]int64{claims.Missed: 1})
	p = def("b", period, w.now) // nothing is due: nothing has passed
	p.Passed = passed
	w.put(p)
	w.verdict("b", map[claims.Verdict]int64{claims.Missed: 1})
}

func policySkip(w *world) {
	w.minutely("a", "b")
	at := w.job("a").Next
	w.request(claims.Request{Kind: claims.Skip, Job: "a", At: at, Reason: "by ann"})
	if j := w.job("a"); !j.SkipAt.Equal(at) || j.SkipReason != "by ann" || !j.Next.Equal(at) {
		w.Errorf("job: %+v", j)
	}
	item := w.due("a")
	if got := w.claimed(alpha, item, claims.Stale); !got.Job.SkipAt.Equal(at) {
		w.Errorf("the answer does not tell: %+v", got.Job)
	}
	item.RunID, item.Passed = "", []claims.Passed{{Verdict: claims.Skipped, Reason: "by ann", First: at, Last: at, Count: 1}}
	w.claimed(alpha, item, claims.Passing)
	w.finish(w.start(alpha, "a"), claims.OK)
	w.verdict("a", map[claims.Verdict]int64{claims.Skipped: 1, "ok": 1})

	w.request(claims.Request{Kind: claims.Skip, Job: "b", At: w.job("b").Next, Reason: "by ann"})
	w.trigger("b", "x") // somebody who asks for a run has it
	w.finish(w.claimed(alpha, w.pendingItem(w.pending(1)[0]), claims.Won).Token, claims.OK)
	for range 2 {
		w.request(claims.Request{Kind: claims.Unskip, Job: "b"})
	}
	if j := w.job("b"); !j.SkipAt.IsZero() || j.SkipReason != "" {
		w.Errorf("taken back: %+v", j)
	}
	w.finish(w.start(alpha, "b"), claims.OK)
	w.verdict("b", map[claims.Verdict]int64{"ok": 2})
}

// strike finishes the next slot of a as a failure or, with reset, as a success.
func (w *world) strike(s claims.Strike, limit int64) claims.Job {
	w.Helper()
	f := w.final(w.start(alpha, "a"), claims.Failed)
	if s == claims.StrikeReset {
		f.Outcome = claims.OK
	}
	f.Strike, f.PauseAfter, f.PauseReason = s, limit, "too many"
	return w.finalize(f, claims.Done)
}

func policyStrikes(w *world) {
	w.minutely("a")
	for i := range 2 {
		if j := w.strike(claims.StrikeOut, 3); j.Paused || j.Failures != int64(i+1) {
			w.Fatalf("after %d failures: %+v", i+1, j)
		}
	}
	f := w.final(w.start(alpha, "a"), claims.Failed) // an attempt that is to be followed by another one
	f.Strike, f.PauseAfter, f.PauseReason, f.Retry = claims.StrikeOut, 3, "too many", w.now.Add(time.Second)
	if j := w.finalize(f, claims.Done); j.Paused || j.Failures != 2 {
		w.Fatalf("with an attempt left: %+v", j)
	}
	f = w.final(w.claimed(alpha, w.pendingItem(w.pending(1)[0]), claims.Won).Token, claims.Failed)
	f.Strike, f.PauseAfter, f.PauseReason = claims.StrikeOut, 3, "too many"
	j := w.finalize(f, claims.Done)
	if !j.Paused || j.Failures != 3 || j.Reason != "too many" || !j.PausedAt.Equal(w.now) {
		w.Fatalf("after the third: %+v", j)
	}
	again, err := w.s.Finalize(w.ctx, w.now, []claims.Final{f}) // the answer was lost
	w.must(err)
	if again[0].Status != claims.AlreadyFinal || again[0].Job.Failures != 3 {
		w.Errorf("the same commit again: %+v", again)
	}
	w.claimed(alpha, w.due("a"), claims.Stale)
	w.wait(time.Minute)
	w.request(claims.Request{Kind: claims.Resume, Job: "a"})
	if j = w.job("a"); j.Paused || j.Failures != 0 {
		w.Errorf("resumed: %+v", j)
	}
	if j = w.strike(claims.StrikeOut, 3); j.Paused || j.Failures != 1 {
		w.Errorf("the first failure after that: %+v", j)
	}
}

func policyStreak(w *world) {
	w.minutely("a")
	w.strike(claims.StrikeOut, 2)
	w.strike("", 2) // counts for nothing
	if j := w.strike(claims.StrikeReset, 2); j.Failures != 0 || j.Paused {
		w.Errorf("after a success: %+v", j)
	}
	w.strike(claims.StrikeOut, 2)
	for range 5 { // no limit
		if j := w.strike(claims.StrikeOut, 0); j.Paused {
			w.Errorf("without a limit: %+v", j)
		}
	}
	w.request(claims.Request{Kind: claims.Trigger, Job: "a", ID: "x"})
	tok := w.claimed(alpha, w.pendingItem(w.pending(1)[0]), claims.Won).Token
	w.request(claims.Request{Kind: claims.Pause, Job: "a", Reason: "holidays"})
	f := w.final(tok, claims.Failed)
	f.Strike, f.PauseAfter, f.PauseReason = claims.StrikeOut, 2, "too many"
	if j := w.finalize(f, claims.Done); j.Reason != "holidays" || j.Failures != 7 {
		w.Errorf("failure of a paused job: %+v", j)
	}
}

// A slot counts toward repeat once, with the first attempt whose guest started.
func policyCounts(w *world) {
	w.minutely("a")
	tok := w.start(alpha, "a")
	for attempt, counts := range []bool{false, true, true} {
		f := w.final(tok, claims.Failed)
		f.Counts, f.Repeat = counts, 2
		if attempt < 2 {
			f.Retry = w.now.Add(time.Second)
		}
		j := w.finalize(f, claims.Done)
		want := min(int64(attempt), 1)
		if j.Repeats != want || j.Done {
			w.Fatalf("attempt %d: %+v", attempt+1, j)
		}
		if r := w.run(tok.RunID); r.Counted == nil || *r.Counted != (attempt == 1) {
			w.Errorf("attempt %d: %+v", attempt+1, r)
		}
		if attempt < 2 {
			w.wait(time.Second)
			tok = w.claimed(alpha, w.pendingItem(w.pending(1)[0]), claims.Won).Token
		}
	}
	f := w.final(w.start(alpha, "a"), claims.OK)
	f.Counts, f.Repeat = true, 2
	if j := w.finalize(f, claims.Done); j.Repeats != 2 || !j.Done || !j.Next.IsZero() {
		w.Errorf("job at its limit: %+v", j)
	}
}

func policyBackfill(w *world) {
	w.minutely("a")
	before := w.job("a")
	times := []time.Time{w.now.Add(-3 * time.Hour), w.now.Add(-2 * time.Hour), w.now.Add(-time.Hour)}
	for range 2 { // the answer was lost
		w.request(claims.Request{Kind: claims.Fill, Job: "a", ID: "f1", Times: times, By: "ann"})
	}
	byTime := func(a, b claims.Pending) int { return a.Slot.At.Compare(b.Slot.At) } // which is left open by the contract
	for i, p := range slices.SortedFunc(slices.Values(w.pending(3)), byTime) {
		if p.Slot.Kind != claims.Backfill || !p.Slot.At.Equal(times[i]) || p.By != "ann" || p.Attempt != 1 || !p.Due.Equal(w.now) ||
			p.Slot.ID != claims.BackfillSlot("a", times[i], "f1").ID {
			w.Errorf("pending %d: %+v", i, p)
		}
		got := w.claimed(alpha, w.pendingItem(p), claims.Won)
		if !got.Job.Next.Equal(before.Next) {
			w.Errorf("it moves the schedule: %+v", got.Job)
		}
		if i < 2 {
			w.claimed(beta, w.pendingItem(w.pending(2 - i)[0]), claims.Busy)
		}
		w.finish(got.Token, claims.OK)
	}
	w.request(claims.Request{Kind: claims.Fill, Job: "a", ID: "f1", Times: times, By: "ann"})
	w.pending(0) // these have had their runs
	w.request(claims.Request{Kind: claims.Fill, Job: "a", ID: "f2", Times: times[:1], By: "ann"})
	w.finish(w.claimed(alpha, w.pendingItem(w.pending(1)[0]), claims.Won).Token, claims.OK)
	w.verdict("a", map[claims.Verdict]int64{"ok": 4})
	w.finish(w.start(alpha, "a"), claims.OK)
}

func policyUnfill(w *world) {
	w.minutely("a", "b")
	for _, name := range []string{"a", "b"} {
		w.request(claims.Request{Kind: claims.Fill, Job: name, ID: "f1", Times: []time.Time{w.now.Add(-2 * time.Hour), w.now.Add(-time.Hour)}, By: "ann"})
	}
	w.trigger("a", "x")
	running := w.claimed(alpha, w.pendingItem(w.pending(5)[0]), claims.Won)
	rev := w.changes(w.s, alpha, 0).Rev
	w.request(claims.Request{Kind: claims.Unfill, Job: "a", Reason: "taken back by ann"})
	if c := w.changes(w.s, alpha, rev); c.Rev == rev {
		w.Errorf("nobody is told: %+v", c)
	}
	w.finish(running.Token, claims.OK) // what runs goes on
	for _, p := range w.pending(3) {
		if p.Slot.Job == "a" && p.Slot.Kind != claims.Manual {
			w.Errorf("left: %+v", p)
		}
	}
	w.verdict("a", map[claims.Verdict]int64{"ok": 1, claims.Skipped: 1, "": 1})
	rows, err := w.s.Slots(w.ctx, claims.SlotQuery{Job: "a"})
	w.must(err)
	for _, r := range rows {
		if r.Verdict == claims.Skipped && !strings.Contains(r.Reason, "ann") {
			w.Errorf("skipped without the reason: %+v", r)
		}
	}
}

// What waits can be given up: its slot has a verdict then, once, whoever comes next.
func policyGiveUp(w *world) {
	w.minutely("a")
	f := w.final(w.start(alpha, "a"), claims.Failed)
	f.Retry = w.now.Add(time.Second)
	w.finalize(f, claims.Done)
	p := w.pending(1)[0]
	before := w.job("a")
	rev := w.changes(w.s, alpha, 0).Rev
	up := claims.Claim{Slot: p.Slot, Attempt: p.Attempt, Passed: []claims.Passed{{Verdict: claims.Skipped, Reason: "too late", First: p.Slot.At, Last: p.Slot.At, Count: 1}}}
	wrong := up
	wrong.Attempt++
	w.claimed(alpha, wrong, claims.Stale)
	if got := w.claimed(alpha, up, claims.Passing); !got.Job.Next.Equal(before.Next) || got.Job.Seq != before.Seq {
		w.Errorf("job: %+v, was %+v", got.Job, before)
	}
	w.claimed(beta, up, claims.Stale)
	w.claimed(beta, w.pendingItem(p), claims.Stale)
	w.pending(0)
	if c := w.changes(w.s, alpha, rev); c.Rev == rev {
		w.Errorf("nobody is told: %+v", c)
	}
	rows, err := w.s.Slots(w.ctx, claims.SlotQuery{Job: "a"})
	w.must(err)
	if len(rows) != 1 || rows[0].Verdict != claims.Skipped || rows[0].Reason != "too late" {
		w.Errorf("slot: %+v", rows)
	}
}
