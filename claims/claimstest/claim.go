package claimstest

import (
	"fmt"
	"sync"
	"time"

	"github.com/wcron/wcron/claims"
)

func claimScenarios() []scenario {
	return []scenario{
		{"Records", claimRecords},
		{"OnceOnly", claimOnce},
		{"TwoTicksAtOnce", claimAtOnce},
		{"TwoStoresAtOnce", claimAtOnceInTwo},
		{"StaleNext", claimStale},
		{"Paused", claimPaused},
		{"Done", claimDone},
		{"RepeatIsEdited", claimRepeatEdited},
		{"BusySkips", claimBusy},
		{"BusyAfterAddedAgain", claimBusyAddedAgain},
		{"Lanes", claimLanes},
		{"PassedSlots", claimPassed},
		{"PassedWhileRunning", claimPassedWhileRunning},
		{"MixedBatch", claimMixed},
		{"SameTryAgain", claimAgain},
		{"OneShot", claimOneShot},
		{"ClockGoesBack", claimClockBack},
		{"ClocksDiffer", claimClocksDiffer},
		{"RecordedAlready", claimRecorded},
		{"RecordedWithinSeveral", claimRecordedWithin},
	}
}

func claimRecords(w *world) {
	w.minutely("a")
	item := w.due("a")
	item.StandsFor = 3
	got := w.claimed(alpha, item, claims.Won)
	if !got.Job.Next.Equal(item.Next) || got.Job.Seq != got.Token.Seq {
		w.Errorf("job after the claim: %+v, token %+v", got.Job, got.Token)
	}
	o := w.open(1)[0]
	if o.Token != got.Token || o.Slot.ID != item.Slot.ID || !o.Slot.At.Equal(item.From) || o.Slot.Kind != claims.Scheduled || o.Slot.Job != "a" ||
		o.Attempt != 1 || o.Owner != alpha || !o.ClaimedAt.Equal(w.now) || !o.Deadline.Equal(item.Deadline) || !o.Cancel.IsZero() {
		w.Errorf("open claim: %+v", o)
	}
	r := w.outcome(got.Token, claims.Running)
	if r.Token != got.Token || r.Slot.ID != item.Slot.ID || r.Attempt != 1 || r.Owner != alpha || r.Digest != "digest" || r.StandsFor != 3 ||
		!r.ClaimedAt.Equal(w.now) || !r.Deadline.Equal(item.Deadline) || !r.EndedAt.IsZero() {
		w.Errorf("run: %+v", r)
	}
	w.verdict("a", map[claims.Verdict]int64{"": 1})
	w.finish(got.Token, claims.OK)
	item = w.due("a")
	item.Deadline = time.Time{}
	tok := w.claimed(beta, item, claims.Won).Token
	if tok.Seq <= got.Token.Seq {
		w.Errorf("seq %d after %d", tok.Seq, got.Token.Seq)
	}
	if o := w.open(1)[0]; !o.Deadline.IsZero() || o.Owner != beta {
		w.Errorf("unlimited claim: %+v", o)
	}
}

func claimOnce(w *world) {
	w.minutely("a")
	item := w.due("a")
	w.claimed(alpha, item, claims.Won)
	item.RunID = w.id()
	if got := w.claimed(beta, item, claims.Stale); got.Token.RunID != "" || !got.Job.Next.Equal(item.Next) {
		w.Errorf("second claim: %+v", got)
	}
	w.open(1)
	w.verdict("a", map[claims.Verdict]int64{"": 1})
}

// race lets several owners claim the same slots at once and expects one of them to get all of them.
func (w *world) race(stores ...claims.Store) {
	const jobs = 20
	var names []string
	for i := range jobs {
		names = append(names, fmt.Sprintf("job-%02d", i))
	}
	w.minutely(names...)
	w.due(names[0])
	items := make([][]claims.Claim, len(stores))
	for i := range stores {
		for _, name := range names {
			items[i] = append(items[i], w.item(w.job(name)))
		}
	}
	won := make([]int, len(stores))
	var group sync.WaitGroup
	for i, s := range stores {
		group.Go(func() {
			got, err := s.Claim(w.ctx, w.now, []string{alpha, beta}[i%2], items[i])
			if err != nil {
				w.Errorf("claimant %d: %v", i, err)
			}
			for _, c := range got {
				if c.Status == claims.Won {
					won[i]++
				} else if c.Status != claims.Stale {
					w.Errorf("claimant %d: %+v", i, c)
				}
			}
		})
	}
	group.Wait()
	sum := 0
	for i, n := range won {
		if sum += n; n != 0 && n != jobs {
			w.Errorf("claimant %d of %v won a part", i, won)
		}
	}
	if sum != jobs {
		w.Errorf("claims won: %v, want one with %d", won, jobs)
	}
	w.open(jobs)
}

func claimAtOnce(w *world) { w.race(w.s, w.s, w.s, w.s) }

func claimAtOnceInTwo(w *world) {
	other := w.again()
	w.race(w.s, other, w.s, other)
}

func claimStale(w *world) {
	w.minutely("a")
	for _, change := range []func(*claims.Claim){
		func(c *claims.Claim) { c.From = c.From.Add(-time.Minute) },
		func(c *claims.Claim) { c.From = c.From.Add(time.Millisecond) },
		func(c *claims.Claim) { c.From = time.Time{} },
		func(c *claims.Claim) { c.RunID, c.From = "", c.From.Add(time.Minute) },
	} {
		item := w.due("a")
		item.Passed = []claims.Passed{{Verdict: claims.Missed, Reason: "x", First: w.now, Last: w.now, Count: 1}}
		change(&item)
		if got := w.claimed(alpha, item, claims.Stale); got.Job.Name != "a" {
			w.Errorf("job of a stale claim: %+v", got.Job)
		}
	}
	item := w.due("a")
	item.Slot.Job = "nobody"
	if got := w.claimed(alpha, item, claims.Stale); got.Job.Name != "" {
		w.Errorf("job that does not exist: %+v", got.Job)
	}
	w.claimed(alpha, w.pendingItem(claims.Pending{Slot: claims.ManualSlot("a", w.now, "x"), Attempt: 1}), claims.Stale)
	w.claimed(alpha, w.pendingItem(claims.Pending{Slot: w.item(w.job("a")).Slot, Attempt: 2}), claims.Stale)
	w.open(0)
	w.verdict("a", map[claims.Verdict]int64{})
}

func claimPaused(w *world) {
	w.minutely("a")
	w.request(claims.Request{Kind: claims.Pause, Job: "a", Reason: "holidays"})
	item := w.due("a")
	w.claimed(alpha, item, claims.Stale)
	item.RunID = ""
	item.Passed = []claims.Passed{{Verdict: claims.Skipped, Reason: "paused", First: item.From, Last: item.From, Count: 1}}
	if got := w.claimed(alpha, item, claims.Passing); !got.Job.Next.Equal(item.Next) || !got.Job.Paused {
		w.Errorf("job after a slot in its pause: %+v", got.Job)
	}
	w.verdict("a", map[claims.Verdict]int64{claims.Skipped: 1})
	w.request(claims.Request{Kind: claims.Resume, Job: "a"})
	w.finish(w.start(alpha, "a"), claims.OK)
	w.verdict("a", map[claims.Verdict]int64{claims.Skipped: 1, "ok": 1})
}

func claimDone(w *world) {
	w.minutely("a")
	for n := int64(1); n <= 2; n++ {
		f := w.final(w.start(alpha, "a"), claims.Failed)
		f.Counts, f.Repeat = true, 2
		if j := w.finalize(f, claims.Done); j.Repeats != n || j.Done != (n == 2) || j.Next.IsZero() != (n == 2) {
			w.Errorf("job after %d of 2: %+v", n, j)
		}
	}
	item := w.item(w.job("a"))
	item.Slot = claims.ScheduledSlot("a", w.now.Add(time.Minute))
	w.claimed(alpha, item, claims.Stale)
	p := def("a", period, w.now)
	p.Repeat = 2
	if j := w.put(p)[0]; !j.Done || !j.Next.IsZero() {
		w.Errorf("the same put revived a job that is done: %+v", j)
	}
}

// A job that is done goes on when its limit is raised or taken away, from then on; one that has had as many as a lower limit is done.
func claimRepeatEdited(w *world) {
	w.minutely("a", "b")
	put := func(name string, repeat int64) claims.Job {
		p := def(name, period, w.now)
		p.Repeat = repeat
		return w.put(p)[0]
	}
	once := func(limit int64) claims.Job {
		f := w.final(w.start(alpha, "a"), claims.OK)
		f.Counts, f.Repeat = true, limit
		return w.finalize(f, claims.Done)
	}
	if j := once(1); !j.Done {
		w.Fatalf("job: %+v", j)
	}
	w.wait(time.Hour + time.Second)
	j := put("a", 2)
	if j.Done || !j.Anchor.Equal(w.now) || !j.Next.Equal(w.now.Add(time.Minute)) || j.Repeats != 1 {
		w.Errorf("raised: %+v", j)
	}
	if j = once(2); !j.Done || j.Repeats != 2 {
		w.Errorf("after the second: %+v", j)
	}
	if j = put("a", 0); j.Done || j.Next.IsZero() {
		w.Errorf("without a limit: %+v", j)
	}
	once(0)
	tok := w.claimed(alpha, w.queueing("a"), claims.Won).Token
	w.claimed(alpha, w.queueing("a"), claims.Queued)
	if j = put("a", 3); !j.Done || !j.Next.IsZero() {
		w.Errorf("lowered: %+v", j)
	}
	w.pending(0)
	f := w.final(tok, claims.Failed) // what runs ends as it would
	f.Counts, f.Repeat, f.Retry = true, 3, w.now
	w.finalize(f, claims.Done)
	w.finish(w.claimed(alpha, w.pendingItem(w.pending(1)[0]), claims.Won).Token, claims.OK)
	if j = put("b", 1); j.Done || j.Next.IsZero() {
		w.Errorf("job with a limit that it has not reached: %+v", j)
	}
	w.verdict("a", map[claims.Verdict]int64{"ok": 4, claims.Skipped: 1})
}

func claimBusy(w *world) {
	w.minutely("a")
	tok := w.start(alpha, "a")
	w.wait(3 * time.Minute)
	j := w.job("a")
	item := w.item(j)
	item.Passed = []claims.Passed{{Verdict: claims.Missed, Reason: "late", First: j.Next, Last: next(j, j.Next), Count: 2}}
	item.Slot = claims.ScheduledSlot("a", next(j, next(j, j.Next)))
	item.Next = next(j, item.Slot.At)
	got := w.claimed(beta, item, claims.Busy)
	if got.Holder != tok.RunID || !got.Job.Next.Equal(item.Next) {
		w.Errorf("busy: %+v", got)
	}
	w.verdict("a", map[claims.Verdict]int64{"": 1, claims.Missed: 2, claims.Skipped: 1})
	rows, err := w.s.Slots(w.ctx, claims.SlotQuery{Job: "a", Limit: 1})
	w.must(err)
	if len(rows) != 1 || rows[0].Slot.ID != item.Slot.ID || rows[0].Reason != item.IfBusy {
		w.Errorf("skipped slot: %+v", rows)
	}
	if o := w.open(1)[0]; o.Token != tok {
		w.Errorf("open: %+v", o)
	}
	w.finish(tok, claims.OK)
	w.finish(w.start(beta, "a"), claims.OK)
}

// A removed job's run still acts: its namesake waits for it.
func claimBusyAddedAgain(w *world) {
	w.minutely("a")
	tok := w.start(alpha, "a")
	w.remove("a")
	w.minutely("a")
	if got := w.claimed(beta, w.due("a"), claims.Busy); got.Holder != tok.RunID {
		w.Errorf("busy: %+v", got)
	}
	w.finalize(w.final(tok, claims.OK), claims.Dropped)
	w.start(beta, "a")
}

func claimLanes(w *world) {
	w.minutely("a")
	var toks []claims.Token
	for i := range 3 {
		item := w.due("a")
		item.Lanes = 2
		want := claims.Won
		if i == 2 {
			want = claims.Busy
		}
		toks = append(toks, w.claimed(alpha, item, want).Token)
	}
	w.open(2)
	w.finish(toks[1], claims.OK) // the later one first
	item := w.due("a")
	item.Lanes = 2
	w.claimed(alpha, item, claims.Won)
	w.finish(toks[0], claims.OK)
	w.verdict("a", map[claims.Verdict]int64{"": 1, "ok": 2, claims.Skipped: 1})
}

// One item that does not hold spoils no other.
func claimMixed(w *world) {
	w.minutely("a", "b", "c", "d")
	running := w.start(alpha, "b")
	w.request(claims.Request{Kind: claims.Pause, Job: "c"})
	a, b, c, d := w.due("a"), w.due("b"), w.due("c"), w.due("d")
	got := w.claim(beta, c, a, b, d, a)
	want := []claims.ClaimStatus{claims.Stale, claims.Won, claims.Busy, claims.Won}
	for i, s := range want {
		if got[i].Status != s {
			w.Errorf("item %d: %s, want %s", i, got[i].Status, s)
		}
	}
	w.open(3)
	w.finish(running, claims.OK)
}

// A claim whose answer was lost is made again with the same run id, and has the same answer.
func claimAgain(w *world) {
	w.minutely("a")
	item := w.due("a")
	first := w.claimed(alpha, item, claims.Won)
	if again := w.claimed(alpha, item, claims.Won); again.Token != first.Token {
		w.Errorf("again: %+v, first %+v", again.Token, first.Token)
	}
	w.claimed(beta, item, claims.Stale) // the run id is not its own
	w.open(1)
	w.finish(first.Token, claims.OK)
	w.claimed(alpha, item, claims.Stale) // it is over: nothing starts once more
	w.open(0)
	w.trigger("a", "x")
	item = w.pendingItem(w.pending(1)[0])
	first = w.claimed(alpha, item, claims.Won)
	again := w.claimed(alpha, item, claims.Won)
	if again.Token != first.Token || string(again.Input) != string(first.Input) || again.By != first.By {
		w.Errorf("again: %+v, first %+v", again, first)
	}
	w.verdict("a", map[claims.Verdict]int64{"": 1, "ok": 1})
}

func claimOneShot(w *world) {
	at := w.now.Add(time.Hour)
	w.put(def("a", "at "+at.Format(time.RFC3339), w.now))
	got := w.claimed(alpha, w.due("a"), claims.Won)
	if !got.Job.Next.IsZero() {
		w.Errorf("next of a one-shot that runs: %v", got.Job.Next)
	}
	f := w.final(got.Token, claims.Orphaned)
	f.Counts, f.Repeat = true, 1
	if j := w.finalize(f, claims.Done); !j.Done || !j.Next.IsZero() || !j.Removed.IsZero() {
		w.Errorf("one-shot without attempts left: %+v", j)
	}
	w.verdict("a", map[claims.Verdict]int64{"orphaned": 1})
}

// A clock that goes back between two calls wedges nothing.
func claimClockBack(w *world) {
	w.minutely("a")
	tok := w.start(alpha, "a")
	w.wait(-2 * time.Hour)
	w.must(w.s.Renew(w.ctx, w.now, alpha))
	w.finish(tok, claims.OK)
	w.claimed(alpha, w.item(w.job("a")), claims.Won) // the host decides what is due, not the engine
	tok = w.open(1)[0].Token
	w.wait(-time.Hour)
	f := w.final(tok, claims.Orphaned)
	f.Retry = w.now
	w.finalize(f, claims.Done)
	w.trigger("a", "x")
	for _, p := range w.pending(2) {
		w.finish(w.claimed(beta, w.pendingItem(p), claims.Won).Token, claims.OK)
	}
	w.now = w.job("a").Next
	w.finish(w.start(beta, "a"), claims.OK)
	w.open(0)
	w.pending(0)
	runs, err := w.s.Runs(w.ctx, claims.RunQuery{Job: "a"})
	w.must(err)
	if len(runs) != 5 {
		w.Errorf("%d runs: %+v", len(runs), runs)
	}
}
