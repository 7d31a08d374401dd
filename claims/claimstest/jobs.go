package claimstest

import (
	"errors"
	"reflect"
	"time"

	"github.com/wcron/wcron/claims"
)

func jobScenarios() []scenario {
	return []scenario{
		{"PutNew", putNew},
		{"PutAgainChangesNothing", putAgain},
		{"PutOtherSchedule", putOtherSchedule},
		{"PutOtherDefinitionEnables", putOtherDefinition},
		{"PutWhileTheClockIsBehind", putBehind},
		{"PutByOtherSource", putByOtherSource},
		{"RemoveAndAddAgain", removeAndAdd},
		{"RemoveSkipsPendingWork", removePending},
	}
}

func putNew(w *world) {
	rows := w.put(def("b", period, w.now), def("a", "", w.now))
	b := rows[0]
	if !b.Anchor.Equal(w.now) || !b.Next.Equal(w.now.Add(time.Minute)) || b.Source != source || b.Schedule != period || b.Timezone != "UTC" ||
		b.Definition != "def-1" || b.Paused || b.Disabled != "" || b.Done || !b.Removed.IsZero() || b.Rev == 0 {
		w.Errorf("row of a new job: %+v", b)
	}
	if !rows[1].Next.IsZero() {
		w.Errorf("next of a job without a schedule: %v", rows[1].Next)
	}
	jobs, err := w.s.Jobs(w.ctx)
	w.must(err)
	if len(jobs) != 2 || jobs[0].Name != "a" || jobs[1].Name != "b" {
		w.Errorf("jobs by name: %+v", jobs)
	}
	if got := w.job("b"); !reflect.DeepEqual(got, b) {
		w.Errorf("job %+v, put said %+v", got, b)
	}
	if _, err := w.s.Job(w.ctx, "c"); !errors.Is(err, claims.ErrNoJob) {
		w.Errorf("job that is not there: %v", err)
	}
}

func putAgain(w *world) {
	first := w.put(def("a", period, w.now))[0]
	w.wait(10 * time.Second)
	if again := w.put(def("a", period, w.now))[0]; !reflect.DeepEqual(again, first) {
		w.Errorf("put again:\n%+v\nfirst:\n%+v", again, first)
	}
	w.wait(time.Hour) // the due time has passed meanwhile and stays due
	if again := w.put(def("a", period, w.now))[0]; !again.Next.Equal(first.Next) || !again.Anchor.Equal(first.Anchor) {
		w.Errorf("put again after an hour: %+v", again)
	}
	w.verdict("a", map[claims.Verdict]int64{})
}

func putOtherSchedule(w *world) {
	old := w.put(def("a", period, w.now))[0]
	w.wait(20 * time.Second)
	j := w.put(def("a", "every 5m0s", w.now))[0]
	if !j.Anchor.Equal(w.now) || !j.Next.Equal(w.now.Add(5*time.Minute)) || j.Rev <= old.Rev {
		w.Errorf("row with another schedule: %+v", j)
	}
	w.verdict("a", map[claims.Verdict]int64{}) // nothing was due yet
	due := j.Next
	w.wait(time.Hour)
	p := def("a", "every 5m0s", w.now)
	p.Timezone = "Europe/Berlin"
	if j = w.put(p)[0]; !j.Anchor.Equal(w.now) || !j.Next.After(w.now) || j.Timezone != p.Timezone {
		w.Errorf("row with another zone: %+v", j)
	}
	w.verdict("a", map[claims.Verdict]int64{claims.Missed: 1})
	rows, err := w.s.Slots(w.ctx, claims.SlotQuery{Job: "a"})
	w.must(err)
	if len(rows) != 1 || !rows[0].Slot.At.Equal(due) || rows[0].Reason == "" || rows[0].Slot.Kind != claims.Scheduled {
		w.Errorf("slot of the earlier schedule: %+v", rows)
	}
	tok := w.start(alpha, "a")
	w.put(def("a", period, w.now)) // while it runs
	w.finish(tok, claims.OK)
	w.finish(w.start(alpha, "a"), claims.OK)
	w.verdict("a", map[claims.Verdict]int64{claims.Missed: 1, "ok": 2})
}

func putOtherDefinition(w *world) {
	w.minutely("a")
	f := w.final(w.start(alpha, "a"), claims.Failed)
	f.Disable = "exit code 78"
	if j := w.finalize(f, claims.Done); j.Disabled != f.Disable {
		w.Errorf("disabled by its run: %+v", j)
	}
	w.claimed(alpha, w.due("a"), claims.Stale)
	if j := w.put(def("a", period, w.now))[0]; j.Disabled == "" {
		w.Errorf("enabled by the same definition")
	}
	p := def("a", period, w.now)
	p.Definition = "def-2"
	j := w.put(p)[0]
	if j.Disabled != "" || j.Definition != "def-2" {
		w.Errorf("row with another definition: %+v", j)
	}
	w.claimed(alpha, w.item(j), claims.Won)
}

// The clock goes back behind the job's slots, and the schedule is changed: the slots of the earlier one that are yet to come by the
// clock are told from those of the new one, in whichever order they were recorded, and nothing runs twice.
func putBehind(w *world) {
	w.minutely("a", "b")
	w.finish(w.start(alpha, "b"), claims.OK)
	for range 5 {
		w.finish(w.start(alpha, "a"), claims.OK)
	}
	last := w.now
	w.wait(-4*time.Minute - 30*time.Second)
	w.remove("b")
	if j := w.put(def("b", "every 45s", w.now))[0]; !j.Settled.Equal(w.now.Add(30 * time.Second)) {
		w.Errorf("job that was added again: %+v", j)
	}
	w.audit()
	w.wait(30 * time.Second)
	if j := w.job("a"); !j.Settled.IsZero() {
		w.Errorf("nothing was changed: settled until %v", j.Settled)
	}
	if j := w.put(def("a", "every 1m30s", w.now))[0]; !j.Settled.Equal(last) || !j.Anchor.Equal(w.now) || !j.Next.Equal(w.now.Add(90*time.Second)) {
		w.Errorf("row: %+v", j)
	}
	w.audit() // next is before what is on record
	w.finish(w.start(alpha, "a"), claims.OK)
	w.audit()
	c := w.due("a") // a slot that was recorded by the earlier schedule, and those up to the next one passed over with it
	if n := next(w.job("a"), c.Slot.At); c.Slot.At.After(last) || !n.After(last) {
		w.Fatalf("the scenario tests nothing: %v, %v, %v", c.Slot.At, n, last)
	}
	w.wait(10 * time.Minute)
	c.RunID, c.Next = "", next(w.job("a"), w.now)
	p := claims.Passed{Verdict: claims.Missed, Reason: "late", First: c.Slot.At}
	for t := c.From; !t.After(w.now); t = next(w.job("a"), t) {
		p.Last, p.Count = t, p.Count+1
	}
	c.Passed = []claims.Passed{p}
	w.claimed(alpha, c, claims.Passing)
	w.audit()
	w.finish(w.start(alpha, "a"), claims.OK)
	if j := w.put(def("a", period, w.now))[0]; !j.Settled.IsZero() {
		w.Errorf("the clock is right again: settled until %v", j.Settled)
	}
	w.finish(w.start(alpha, "a"), claims.OK)

	w.minutely("c")
	w.finish(w.start(alpha, "c"), claims.OK)
	w.wait(-4200 * time.Millisecond)
	w.put(def("c", "every 5s", w.now)) // its first slot is in the second of the one on record, and so has its id
	w.claimed(alpha, w.due("c"), claims.Passing)
	w.audit()
	w.finish(w.start(alpha, "c"), claims.OK)
}

func putByOtherSource(w *world) {
	before := w.put(def("a", period, w.now))[0]
	w.wait(time.Second)
	rows, err := w.s.Put(w.ctx, w.now, "program", []claims.Put{def("a", period, w.now)})
	w.must(err)
	if j := rows[0]; j.Source != "program" || !j.Next.Equal(before.Next) || !j.Anchor.Equal(before.Anchor) {
		w.Errorf("row taken over: %+v", j)
	}
	w.remove("a", "never was") // by the source that has lost it
	if j := w.job("a"); !j.Removed.IsZero() {
		w.Errorf("removed by another source: %+v", j)
	}
	w.must(w.s.Remove(w.ctx, w.now, "program", []string{"a"}))
	if j := w.job("a"); j.Removed.IsZero() {
		w.Errorf("not removed by its own source: %+v", j)
	}
}

func removeAndAdd(w *world) {
	first := w.put(def("a", period, w.now))[0]
	f := w.final(w.start(alpha, "a"), claims.OK)
	f.Counts, f.Repeat = true, 1
	w.finalize(f, claims.Done)
	w.remove("a")
	gone := w.job("a")
	if !gone.Removed.Equal(w.now) || gone.Seq <= first.Seq+1 {
		w.Errorf("removed job: %+v", gone)
	}
	item := w.item(first)
	w.claimed(alpha, item, claims.Stale)
	if err := w.s.Request(w.ctx, w.now, claims.Request{Kind: claims.Trigger, Job: "a", ID: "x"}); !errors.Is(err, claims.ErrNoJob) {
		w.Errorf("trigger of a removed job: %v", err)
	}
	w.remove("a") // once more
	w.wait(time.Minute)
	j := w.put(def("a", period, w.now))[0]
	if !j.Removed.IsZero() || !j.Anchor.Equal(w.now) || !j.Next.Equal(w.now.Add(time.Minute)) || j.Repeats != 0 || j.Done || j.Seq < gone.Seq {
		w.Errorf("job that was added again: %+v", j)
	}
	w.finish(w.start(alpha, "a"), claims.OK)
	w.verdict("a", map[claims.Verdict]int64{"ok": 2})
}

func removePending(w *world) {
	w.minutely("a", "b")
	w.trigger("a", "one")
	w.trigger("b", "two")
	f := w.final(w.start(alpha, "a"), claims.Failed)
	f.Retry = w.now.Add(time.Minute)
	w.finalize(f, claims.Done)
	retry := w.pending(3)[2]
	w.remove("a")
	w.pending(1)
	w.claimed(alpha, w.pendingItem(retry), claims.Stale)
	rows, err := w.s.Slots(w.ctx, claims.SlotQuery{Job: "a"})
	w.must(err)
	if len(rows) != 2 {
		w.Fatalf("slots of a removed job: %+v", rows)
	}
	for _, r := range rows {
		if r.Verdict != claims.Skipped && r.Verdict != "failed" || r.Slot.Kind == claims.Manual && (r.Verdict != claims.Skipped || r.Reason == "") {
			w.Errorf("slot of a removed job: %+v", r)
		}
	}
}
