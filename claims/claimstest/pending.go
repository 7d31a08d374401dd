package claimstest

import (
	"time"

	"github.com/wcron/wcron/claims"
)

func pendingScenarios() []scenario {
	return []scenario{
		{"RetryThenVerdict", pendingRetry},
		{"RetryOfLastRepeat", pendingRetryDone},
		{"BusyStays", pendingBusy},
		{"ManualTwoInOneSecond", pendingManual},
		{"ManualRetryKeepsInput", pendingManualRetry},
		{"ManualOfPausedJob", pendingPaused},
		{"StartOfAHost", pendingStart},
		{"ClaimedOnce", pendingOnce},
	}
}

func pendingRetry(w *world) {
	w.minutely("a")
	first := w.start(alpha, "a")
	w.wait(time.Second)
	f := w.final(first, claims.Failed)
	f.Retry, f.Counts = w.now.Add(5*time.Second), true
	j := w.finalize(f, claims.Done)
	next := j.Next
	if j.Repeats != 1 || j.Last != claims.Failed {
		w.Errorf("job with an attempt left: %+v", j)
	}
	w.verdict("a", map[claims.Verdict]int64{"": 1})
	p := w.pending(1)[0]
	slot := w.run(first.RunID).Slot
	if p.Attempt != 2 || !p.Due.Equal(f.Retry) || p.Slot.ID != slot.ID || !p.Slot.At.Equal(slot.At) || p.Slot.Kind != claims.Scheduled ||
		p.Slot.Job != "a" || p.Input != nil {
		w.Errorf("pending attempt: %+v", p)
	}
	w.now = p.Due
	wrong := w.pendingItem(p)
	wrong.Attempt = 3
	w.claimed(beta, wrong, claims.Stale)
	got := w.claimed(beta, w.pendingItem(p), claims.Won)
	if !got.Job.Next.Equal(next) || got.Token.Seq <= first.Seq {
		w.Errorf("claim of the second attempt: %+v", got)
	}
	w.pending(0)
	if o := w.open(1)[0]; o.Attempt != 2 || o.Slot.ID != slot.ID {
		w.Errorf("open: %+v", o)
	}
	f = w.final(got.Token, claims.Orphaned)
	f.Retry = w.now
	w.finalize(f, claims.Done)
	w.finish(w.claimed(alpha, w.pendingItem(w.pending(1)[0]), claims.Won).Token, claims.OK)
	w.verdict("a", map[claims.Verdict]int64{"ok": 1})
	rows, err := w.s.Slots(w.ctx, claims.SlotQuery{Job: "a"})
	w.must(err)
	runs, err := w.s.Runs(w.ctx, claims.RunQuery{Slot: slot.ID})
	w.must(err)
	if len(rows) != 1 || len(runs) != 3 || len(rows[0].RunIDs) != 3 || rows[0].RunIDs[0] != first.RunID || rows[0].RunIDs[2] != runs[0].RunID {
		w.Errorf("slot with three attempts: %+v of %+v", rows, runs)
	}
	for i, r := range runs {
		if r.Attempt != 3-i || r.Slot.ID != slot.ID {
			w.Errorf("run %d, newest first: %+v", i, r)
		}
	}
}

// A slot keeps its attempts although its job has no repeats left.
func pendingRetryDone(w *world) {
	w.minutely("a")
	f := w.final(w.start(alpha, "a"), claims.Failed)
	f.Retry, f.Counts, f.Repeat = w.now.Add(time.Second), true, 1
	if j := w.finalize(f, claims.Done); !j.Done || !j.Next.IsZero() {
		w.Errorf("job: %+v", j)
	}
	got := w.claimed(alpha, w.pendingItem(w.pending(1)[0]), claims.Won)
	if !got.Job.Next.IsZero() {
		w.Errorf("job: %+v", got.Job)
	}
	w.finish(got.Token, claims.OK)
	w.verdict("a", map[claims.Verdict]int64{"ok": 1})
}

func pendingBusy(w *world) {
	w.minutely("a")
	tok := w.start(alpha, "a")
	w.trigger("a", "x")
	p := w.pending(1)[0]
	for range 3 {
		if got := w.claimed(beta, w.pendingItem(p), claims.Busy); got.Holder != tok.RunID {
			w.Errorf("busy: %+v", got)
		}
		w.pending(1)
	}
	w.finish(tok, claims.OK)
	w.finish(w.claimed(beta, w.pendingItem(p), claims.Won).Token, claims.OK)
	w.verdict("a", map[claims.Verdict]int64{"ok": 2})
}

func pendingManual(w *world) {
	w.minutely("a")
	before := w.job("a")
	w.wait(1500 * time.Millisecond)
	w.trigger("a", "one")
	w.wait(time.Millisecond)
	w.trigger("a", "two")
	w.must(w.s.Request(w.ctx, w.now, claims.Request{Kind: claims.Trigger, Job: "a", ID: "two", By: "ann"})) // the answer was lost
	for i, p := range w.pending(2) {
		id := []string{"one", "two"}[i]
		if p.Slot.ID != claims.ManualSlot("a", p.Slot.At, id).ID || p.Slot.Kind != claims.Manual || p.Slot.Job != "a" || p.Attempt != 1 ||
			p.By != "ann" || string(p.Input) != `{"id":"`+id+`"}` || p.Due.After(w.now) {
			w.Errorf("pending %d: %+v", i, p)
		}
		got := w.claimed(alpha, w.pendingItem(p), claims.Won)
		if string(got.Input) != string(p.Input) || got.By != "ann" || !got.Job.Next.Equal(before.Next) {
			w.Errorf("claim %d: %+v", i, got)
		}
		w.wait(time.Second)
		w.finish(got.Token, claims.OK)
	}
	w.verdict("a", map[claims.Verdict]int64{"ok": 2})
	if j := w.job("a"); !j.Next.Equal(before.Next) || !j.Anchor.Equal(before.Anchor) {
		w.Errorf("job after manual runs: %+v", j)
	}
}

// The next attempt of a manual run has the input that was given with the request, whoever makes it.
func pendingManualRetry(w *world) {
	w.put(def("a", "", w.now))
	w.trigger("a", "x")
	first := w.pending(1)[0]
	tok := w.claimed(alpha, w.pendingItem(first), claims.Won).Token
	f := w.final(tok, claims.Orphaned) // by somebody who does not know the input
	f.Retry = w.now.Add(time.Second)
	w.finalize(f, claims.Done)
	p := w.pending(1)[0]
	if string(p.Input) != string(first.Input) || p.By != "ann" || p.Attempt != 2 || p.Slot.ID != first.Slot.ID || !p.Slot.At.Equal(first.Slot.At) {
		w.Errorf("second attempt: %+v, first %+v", p, first)
	}
	got := w.claimed(beta, w.pendingItem(p), claims.Won)
	if string(got.Input) != string(first.Input) || got.By != "ann" {
		w.Errorf("claim of the second attempt: %+v", got)
	}
	w.finish(got.Token, claims.OK)
	w.verdict("a", map[claims.Verdict]int64{"ok": 1})
}

func pendingPaused(w *world) {
	w.minutely("a")
	w.request(claims.Request{Kind: claims.Pause, Job: "a", Reason: "holidays"})
	w.trigger("a", "x")
	got := w.claimed(alpha, w.pendingItem(w.pending(1)[0]), claims.Won)
	w.finish(got.Token, claims.OK)
	if j := w.job("a"); !j.Paused || j.Reason != "holidays" {
		w.Errorf("job: %+v", j)
	}
	w.claimed(alpha, w.due("a"), claims.Stale)
}

// A start asks once, however often it is told, and only while the job may run.
func pendingStart(w *world) {
	w.minutely("a")
	before := w.job("a")
	ask := func(host, reason string) {
		for range 2 {
			w.must(w.s.Request(w.ctx, w.now, claims.Request{Kind: claims.Start, Job: "a", ID: host, By: host, Reason: reason}))
		}
	}
	ask("one", "")
	p := w.pending(1)[0]
	if p.Slot != claims.StartSlot("a", w.now, "one") || p.Slot.Kind != claims.AtStart || p.By != "one" {
		w.Errorf("pending: %+v", p)
	}
	w.finish(w.claimed(alpha, w.pendingItem(p), claims.Won).Token, claims.OK)
	ask("one", "")
	w.pending(0)
	ask("two", "its module is broken")
	w.request(claims.Request{Kind: claims.Pause, Job: "a", Reason: "holidays"})
	ask("three", "")
	w.pending(0)
	w.verdict("a", map[claims.Verdict]int64{"ok": 1, claims.Skipped: 2})
	if j := w.job("a"); !j.Next.Equal(before.Next) {
		w.Errorf("the schedule has moved: %+v", j)
	}
}

func pendingOnce(w *world) {
	w.put(def("a", "", w.now))
	w.trigger("a", "x")
	p := w.pending(1)[0]
	tok := w.claimed(alpha, w.pendingItem(p), claims.Won).Token
	w.claimed(beta, w.pendingItem(p), claims.Stale)
	w.finish(tok, claims.OK)
	w.claimed(beta, w.pendingItem(p), claims.Stale)
	w.trigger("a", "x") // the same request once more, although its run is over
	w.pending(0)
	w.verdict("a", map[claims.Verdict]int64{"ok": 1})
}
