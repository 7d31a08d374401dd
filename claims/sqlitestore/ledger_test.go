package sqlitestore

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
)

func TestPut(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	one := claims.Put{Name: "a", Definition: "d1", Schedule: "* * * * *", Timezone: "UTC", First: at(time.Minute)}
	set := func(now time.Time, source string, p claims.Put) claims.Job {
		t.Helper()
		rows, err := s.Put(t.Context(), now, source, []claims.Put{p})
		if err != nil {
			t.Fatal(err)
		}
		return rows[0]
	}
	j := set(t0, "folder", one)
	if !j.Anchor.Equal(t0) || !j.Next.Equal(one.First) || j.Rev == 0 {
		t.Fatalf("new: %+v", j)
	}
	before := s.commits.Load()
	same := one
	same.First = at(time.Hour)
	if again := set(at(time.Second), "folder", same); again != j {
		t.Fatalf("unchanged: %+v, want %+v", again, j)
	}
	if n := s.commits.Load() - before; n != 0 {
		t.Fatalf("an unchanged job took %d transactions", n)
	}
	other := one
	other.Schedule, other.First = "5 * * * *", at(5*time.Minute)
	j = set(at(2*time.Minute), "folder", other)
	if !j.Anchor.Equal(at(2*time.Minute)) || !j.Next.Equal(other.First) {
		t.Fatalf("another schedule: %+v", j)
	}
	if rows := slots(t, s, "a"); len(rows) != 1 || rows[0].Verdict != claims.Missed || !rows[0].Slot.At.Equal(at(time.Minute)) {
		t.Fatalf("the due time that had passed: %+v", rows)
	}
	taken := set(at(2*time.Minute), "host file", other)
	if taken.Source != "host file" || taken.Rev <= j.Rev {
		t.Fatalf("taken over: %+v", taken)
	}
	if err := s.Remove(t.Context(), t0, "folder", []string{"a", "no such"}); err != nil {
		t.Fatal(err)
	}
	if left, err := s.Job(t.Context(), "a"); err != nil || !left.Removed.IsZero() {
		t.Fatalf("removed by another source: %+v %v", left, err)
	}
}

func TestDisabledUntilTheDefinitionChanges(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	put(t, s, "a")
	a := claim(t, s, t0, due("a", "run-0001", 0))[0]
	f := final(a.Token, claims.Failed, at(time.Second))
	f.Disable = "exit 78"
	finalize(t, s, at(time.Second), f)
	if got := claim(t, s, at(time.Minute), due("a", "run-0002", time.Minute))[0]; got.Status != claims.Stale || got.Job.Disabled != "exit 78" {
		t.Fatalf("claim of a disabled job: %+v", got)
	}
	rows, err := s.Put(t.Context(), at(time.Minute), "test", []claims.Put{{Name: "a", Definition: "d2", Schedule: "* * * * *", Timezone: "UTC"}})
	if err != nil || rows[0].Disabled != "" || !rows[0].Next.Equal(at(time.Minute)) {
		t.Fatalf("another definition: %+v %v", rows, err)
	}
	if got := claim(t, s, at(time.Minute), due("a", "run-0002", time.Minute))[0]; got.Status != claims.Won {
		t.Fatalf("claim of the enabled job: %+v", got)
	}
}

func TestClaimHoldsOnlyWhile(t *testing.T) {
	request := func(k claims.RequestKind) func(*testing.T, *Store) {
		return func(t *testing.T, s *Store) {
			if err := s.Request(t.Context(), t0, claims.Request{Kind: k, Job: "a", Reason: "by hand"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, tc := range []struct {
		name   string
		before func(*testing.T, *Store)
		item   claims.Claim
		want   claims.ClaimStatus
	}{
		{"due", nil, due("a", "run-0001", 0), claims.Won},
		{"another due time", nil, due("a", "run-0001", time.Minute), claims.Stale},
		{"no such job", nil, due("b", "run-0001", 0), claims.Stale},
		{"paused", request(claims.Pause), due("a", "run-0001", 0), claims.Stale},
		{"paused, to be passed over", request(claims.Pause), due("a", "", 0), claims.Passing},
		{"removed", func(t *testing.T, s *Store) {
			if err := s.Remove(t.Context(), t0, "test", []string{"a"}); err != nil {
				t.Fatal(err)
			}
		}, due("a", "run-0001", 0), claims.Stale},
		{"no pending row", nil, claims.Claim{Slot: claims.ScheduledSlot("a", t0), Attempt: 2, RunID: "run-0001"}, claims.Stale},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := open(t, t.TempDir()+"/state")
			put(t, s, "a")
			if tc.before != nil {
				tc.before(t, s)
			}
			if got := claim(t, s, t0, tc.item)[0]; got.Status != tc.want {
				t.Fatalf("%+v, want %s", got, tc.want)
			}
		})
	}
}

func TestOverlap(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	put(t, s, "a")
	claim(t, s, t0, due("a", "run-0001", 0))
	busy := claim(t, s, at(time.Minute), due("a", "run-0002", time.Minute))[0]
	if busy.Status != claims.Busy || busy.Holder != "run-0001" || !busy.Job.Next.Equal(at(2*time.Minute)) {
		t.Fatalf("second claim: %+v", busy)
	}
	waits := due("a", "run-0002", 2*time.Minute)
	waits.IfBusy = ""
	if got := claim(t, s, at(2*time.Minute), waits)[0]; got.Status != claims.Busy || !got.Job.Next.Equal(at(2*time.Minute)) {
		t.Fatalf("a slot that may wait: %+v", got)
	}
	waits.Lanes = 2
	if got := claim(t, s, at(2*time.Minute), waits)[0]; got.Status != claims.Won {
		t.Fatalf("with two lanes: %+v", got)
	}
	rows := slots(t, s, "a")
	if len(rows) != 3 || rows[1].Verdict != claims.Skipped || rows[1].Reason != "still running" {
		t.Fatalf("slots: %+v", rows)
	}
}

func TestPassedSlotsShareARow(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	put(t, s, "a")
	pass := func(from time.Duration, n int, v claims.Verdict, reason string) {
		t.Helper()
		last := from + time.Duration(n-1)*time.Minute
		c := claims.Claim{Slot: claims.Slot{Job: "a", Kind: claims.Scheduled}, Attempt: 1, From: at(from), Next: at(last + time.Minute),
			Passed: []claims.Passed{{Verdict: v, Reason: reason, First: at(from), Last: at(last), Count: int64(n)}}}
		if got := claim(t, s, at(last), c)[0]; got.Status != claims.Passing {
			t.Fatalf("%+v", got)
		}
	}
	pass(0, 3, claims.Missed, "no host was running")
	pass(3*time.Minute, 2, claims.Missed, "no host was running")
	pass(5*time.Minute, 1, claims.Missed, "asleep")
	pass(6*time.Minute, 1, claims.Skipped, "asleep")
	claim(t, s, at(7*time.Minute), due("a", "run-0001", 7*time.Minute))
	pass(8*time.Minute, 1, claims.Skipped, "asleep")
	want := "[skipped 1 @8 →8] [ 1 @7 →7] [skipped 1 @6 →6] [missed 1 @5 →5] [missed 5 @0 →4] "
	got := ""
	for _, r := range slots(t, s, "a") {
		got += fmt.Sprintf("[%s %d @%.0f →%.0f] ", r.Verdict, r.Count, r.Slot.At.Sub(t0).Minutes(), r.Until.Sub(t0).Minutes())
	}
	if got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
}

func TestSlotRunsOnceThoughTheScheduleComesBack(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	put(t, s, "a")
	a := claim(t, s, t0, due("a", "run-0001", 0))[0]
	finalize(t, s, at(time.Second), final(a.Token, claims.OK, at(time.Second)))
	for _, schedule := range []string{"5 * * * *", "* * * * *"} { // there and back, by a clock that was set back
		_, err := s.Put(t.Context(), at(-time.Minute), "test", []claims.Put{{Name: "a", Definition: "d1", Schedule: schedule, Timezone: "UTC", First: t0}})
		if err != nil {
			t.Fatal(err)
		}
	}
	got := claim(t, s, t0, due("a", "run-0002", 0))[0]
	if got.Status != claims.Passing || !got.Job.Next.Equal(at(time.Minute)) {
		t.Fatalf("the slot again: %+v", got)
	}
	if n := len(runs(t, s, claims.RunQuery{Job: "a"})); n != 1 {
		t.Fatalf("%d runs of one slot", n)
	}
}

func TestRetryOfAManualRun(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	put(t, s, "a")
	trigger := claims.Request{Kind: claims.Trigger, Job: "a", ID: "x1", By: "ann", Input: []byte(`{"n":1}`)}
	for range 2 { // the same request twice is one run
		if err := s.Request(t.Context(), t0, trigger); err != nil {
			t.Fatal(err)
		}
	}
	for attempt := 1; attempt <= 2; attempt++ {
		p, err := s.Pending(t.Context())
		if err != nil || len(p) != 1 || p[0].Attempt != attempt || p[0].By != "ann" || !bytes.Equal(p[0].Input, trigger.Input) {
			t.Fatalf("pending: %+v %v", p, err)
		}
		c := claims.Claim{Slot: p[0].Slot, Attempt: attempt, RunID: fmt.Sprintf("run-000%d", attempt)}
		got := claim(t, s, at(time.Minute), c, c)
		if got[0].Status != claims.Won || !bytes.Equal(got[0].Input, trigger.Input) || got[0].By != "ann" {
			t.Fatalf("claim: %+v", got[0])
		}
		if got[1].Status != claims.Won || got[1].Token != got[0].Token || !bytes.Equal(got[1].Input, trigger.Input) {
			t.Fatalf("the same claim again: %+v", got[1])
		}
		f := final(got[0].Token, claims.Failed, at(time.Minute))
		if attempt == 1 {
			f.Retry = at(2 * time.Minute)
		}
		finalize(t, s, at(time.Minute), f)
	}
	rows := slots(t, s, "a")
	if len(rows) != 1 || rows[0].Verdict != "failed" || len(rows[0].RunIDs) != 2 || rows[0].Slot.Kind != claims.Manual {
		t.Fatalf("slots: %+v", rows)
	}
	if j, _ := s.Job(t.Context(), "a"); !j.Next.Equal(t0) {
		t.Fatalf("a manual run moved the schedule to %v", j.Next)
	}
}

func TestBusyPendingWorkWaits(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	put(t, s, "a")
	claim(t, s, t0, due("a", "run-0001", 0))
	if err := s.Request(t.Context(), t0, claims.Request{Kind: claims.Trigger, Job: "a", ID: "x"}); err != nil {
		t.Fatal(err)
	}
	slot := claims.ManualSlot("a", t0, "x")
	if got := claim(t, s, t0, claims.Claim{Slot: slot, Attempt: 1, RunID: "run-0002"})[0]; got.Status != claims.Busy || got.Holder != "run-0001" {
		t.Fatalf("%+v", got)
	}
	if p, err := s.Pending(t.Context()); err != nil || len(p) != 1 || p[0].Input != nil {
		t.Fatalf("pending: %+v %v", p, err)
	}
}

func TestRepeatLimit(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	put(t, s, "a")
	for i := range 2 {
		d := time.Duration(i) * time.Minute
		a := claim(t, s, at(d), due("a", fmt.Sprintf("run-000%d", i), d))[0]
		f := final(a.Token, claims.OK, at(d))
		f.Counts, f.Repeat = true, 2
		if j := finalize(t, s, at(d), f)[0].Job; j.Done != (i == 1) || j.Next.IsZero() != (i == 1) || j.Repeats != int64(i+1) {
			t.Fatalf("after %d: %+v", i, j)
		}
	}
}

func TestSlotWithinARowIsRecorded(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	put(t, s, "a")
	c := due("a", "", 0)
	c.Passed = []claims.Passed{{Verdict: claims.Missed, Reason: "no host was running", First: t0, Last: at(9 * time.Minute), Count: 10}}
	c.Next = at(10 * time.Minute)
	claim(t, s, at(10*time.Minute), c)
	for _, schedule := range []string{"5 * * * *", "* * * * *"} { // there and back, by a clock that was set back
		_, err := s.Put(t.Context(), at(4*time.Minute), "test", []claims.Put{{Name: "a", Definition: "d1", Schedule: schedule, Timezone: "UTC",
			First: at(5 * time.Minute)}})
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := claim(t, s, at(5*time.Minute), due("a", "run-0001", 5*time.Minute))[0]; got.Status != claims.Passing {
		t.Fatalf("a slot that was missed already: %+v", got)
	}
}

func TestRequests(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	put(t, s, "a")
	a := claim(t, s, t0, due("a", "run-0001", 0))[0]
	for _, tc := range []struct {
		r    claims.Request
		want error
	}{
		{claims.Request{Kind: claims.Pause, Job: "a", Reason: "r1"}, nil},
		{claims.Request{Kind: claims.Pause, Job: "a", Reason: "r2"}, nil},
		{claims.Request{Kind: claims.Pause, Job: "b"}, claims.ErrNoJob},
		{claims.Request{Kind: claims.Trigger, Job: "b"}, claims.ErrNoJob},
		{claims.Request{Kind: claims.Cancel, RunID: "run-0009"}, claims.ErrNoRun},
		{claims.Request{Kind: claims.Cancel, RunID: "run-0001", By: "ann"}, nil},
		{claims.Request{Kind: claims.Cancel, RunID: "run-0001", By: "bob"}, nil},
	} {
		if err := s.Request(t.Context(), t0, tc.r); !errors.Is(err, tc.want) {
			t.Errorf("%+v: %v, want %v", tc.r, err, tc.want)
		}
	}
	if err := s.Request(t.Context(), t0, claims.Request{Kind: "jump", Job: "a"}); err == nil {
		t.Error("an unknown request was carried out")
	}
	ch, err := s.Changes(t.Context(), "owner-1", 0)
	if err != nil || len(ch.Cancels) != 1 || ch.Cancels[0].CancelBy != "ann" || len(ch.Foreign) != 0 {
		t.Fatalf("changes: %+v %v", ch, err)
	}
	if ch, err = s.Changes(t.Context(), "owner-2", ch.Rev); err != nil || len(ch.Foreign) != 1 || len(ch.Cancels)+len(ch.Jobs) != 0 {
		t.Fatalf("changes for another: %+v %v", ch, err)
	}
	if j, _ := s.Job(t.Context(), "a"); !j.Paused || j.Reason != "r1" {
		t.Fatalf("paused: %+v", j)
	}
	if err := s.Request(t.Context(), at(time.Hour), claims.Request{Kind: claims.Resume, Job: "a"}); err != nil {
		t.Fatal(err)
	}
	if j, _ := s.Job(t.Context(), "a"); j.Paused || !j.ResumedAt.Equal(at(time.Hour)) || !j.PausedAt.Equal(t0) {
		t.Fatalf("resumed: %+v", j)
	}
	finalize(t, s, t0, final(a.Token, claims.Killed, t0))
	if err := s.Request(t.Context(), t0, claims.Request{Kind: claims.Cancel, RunID: "run-0001"}); !errors.Is(err, claims.ErrNotOpen) {
		t.Fatalf("cancel of an ended run: %v", err)
	}
}

func TestRunsByPrefix(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	put(t, s, "a", "b")
	claim(t, s, t0, due("a", "0199aaaa-1", 0), due("b", "0199bbbb-1", 0))
	for prefix, want := range map[string]int{"0199a": 1, "0199bbbb-1": 1, "019": 0, "0200": 0} {
		if got := runs(t, s, claims.RunQuery{RunID: prefix}); len(got) != want {
			t.Errorf("%s: %d runs, want %d", prefix, len(got), want)
		}
	}
	if _, err := s.Runs(t.Context(), claims.RunQuery{RunID: "0199"}); !errors.Is(err, errAmbiguous) {
		t.Errorf("a prefix of two runs: %v", err)
	}
	if all := runs(t, s, claims.RunQuery{Limit: 1}); len(all) != 1 || all[0].RunID != "0199bbbb-1" {
		t.Errorf("newest: %+v", all)
	}
	if none := runs(t, s, claims.RunQuery{Before: t0}); len(none) != 0 {
		t.Errorf("before the first: %+v", none)
	}
}
