package claims

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// plans calls Plan until nothing more is due, as a host does whose runs take no time, and tells each call.
func plans(d Due) string {
	var calls []string
	for range 1000 {
		p := Plan(d)
		if p.At.IsZero() && len(p.Passed) == 0 {
			break
		}
		calls = append(calls, describe(p))
		if d.Job.Next = p.Next; d.Job.Next.IsZero() || d.Job.Next.After(d.Now) {
			break
		}
	}
	return strings.Join(calls, "\n")
}

func TestPlanMissedAll(t *testing.T) {
	minute := every(time.Minute)
	at := func(m int) time.Time { return t0.Add(time.Duration(m) * time.Minute) }
	tests := []struct {
		name string
		due  Due
		want string
	}{
		{"on time", Due{Job: Job{Next: at(0)}, Now: at(0)}, "run 0 stands 0 next 1 passed"},
		{"each, oldest first", Due{Job: Job{Next: at(0)}, Now: at(2)},
			"run 0 stands 0 next 1 passed\nrun 1 stands 0 next 2 passed\nrun 2 stands 0 next 3 passed"},
		{"the newest of them", Due{Job: Job{Next: at(0)}, Now: at(9), MissedLimit: 2},
			"run 8 stands 0 next 9 passed [missed 0-7 x8 more than missed_limit = 2 slots were missed]\nrun 9 stands 0 next 10 passed"},
		{"not those that are too old", Due{Job: Job{Next: at(0)}, Now: at(9), Window: 90 * time.Second},
			"run 8 stands 0 next 9 passed [missed 0-7 x8 it is older than missed_window = 1m30s]\nrun 9 stands 0 next 10 passed"},
		{"paused ones count for nothing", Due{Job: Job{Next: at(0), PausedAt: at(1), ResumedAt: at(6)}, Now: at(8), MissedLimit: 3},
			"run 0 stands 0 next 1 passed\nrun 7 stands 0 next 8 passed [skipped 1-6 x6 paused]\nrun 8 stands 0 next 9 passed"},
		{"all are paused", Due{Job: Job{Next: at(0), Paused: true}, Now: at(3)}, "run - stands 0 next 4 passed [skipped 0-3 x4 paused]"},
		{"refused", Due{Job: Job{Next: at(0)}, Now: at(3), Refuse: "broken"}, "run - stands 0 next 4 passed [skipped 0-3 x4 broken]"},
		{"more than can be looked at", Due{Job: Job{Next: at(0)}, Now: at(9), Limit: 4, MissedLimit: 2},
			"run - stands 0 next 2 passed [missed 0-1 x2 more than missed_limit = 2 slots were missed]\n" +
				"run - stands 0 next 4 passed [missed 2-3 x2 more than missed_limit = 2 slots were missed]\n" +
				"run - stands 0 next 6 passed [missed 4-5 x2 more than missed_limit = 2 slots were missed]\n" +
				"run - stands 0 next 8 passed [missed 6-7 x2 more than missed_limit = 2 slots were missed]\n" +
				"run 8 stands 0 next 9 passed\nrun 9 stands 0 next 10 passed"},
		{"more than can be looked at, and the first one waits", Due{Job: Job{Next: at(0), PausedAt: at(1), ResumedAt: at(20)}, Now: at(9), Limit: 4, MissedLimit: 3},
			"run 0 stands 0 next 1 passed\nrun - stands 0 next 5 passed [skipped 1-4 x4 paused]\nrun - stands 0 next 9 passed [skipped 5-8 x4 paused]\n" +
				"run - stands 0 next 10 passed [skipped 9-9 x1 paused]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.due.Next, tt.due.Policy = minute, MissedAll
			if got := plans(tt.due); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestPlanBounds(t *testing.T) {
	minute := every(time.Minute)
	at := func(m int) time.Time { return t0.Add(time.Duration(m) * time.Minute) }
	late := func(time.Time, time.Time) time.Duration { return 30 * time.Second }
	tests := []struct {
		name string
		due  Due
		want string
	}{
		{"the run stands for what is in the window", Due{Job: Job{Next: at(0)}, Now: at(9), Since: at(9), Window: 3 * time.Minute},
			"run 9 stands 3 next 10 passed [missed 0-5 x6 it is older than missed_window = 3m] [missed 6-8 x3 no host was running]"},
		{"too late to start", Due{Job: Job{Next: at(0)}, Now: at(1).Add(-time.Second), Deadline: 30 * time.Second},
			"run - stands 0 next 1 passed [missed 0-0 x1 it could not start within starting_deadline = 30s]"},
		{"just not too late", Due{Job: Job{Next: at(0)}, Now: at(0).Add(30 * time.Second), Deadline: 30 * time.Second},
			"run 0 stands 0 next 1 passed"},
		{"the operator's skip", Due{Job: Job{Next: at(0), SkipAt: at(1), SkipReason: "by ann: holiday"}, Now: at(2), Since: at(2)},
			"run 2 stands 1 next 3 passed [missed 0-0 x1 no host was running] [skipped 1-1 x1 by ann: holiday]"},
		{"its delay is not over", Due{Job: Job{Next: at(0)}, Now: at(0).Add(29 * time.Second), Delay: late}, "run - stands 0 next 0 passed"},
		{"its delay is over", Due{Job: Job{Next: at(0)}, Now: at(0).Add(30 * time.Second), Delay: late}, "run 0 stands 0 next 1 passed"},
		{"lateness counts from the end of the delay", Due{Job: Job{Next: at(0)}, Now: at(1), Delay: late, Deadline: 30 * time.Second},
			"run 0 stands 0 next 1 passed"},
		{"the latest one is still delayed", Due{Job: Job{Next: at(0)}, Now: at(3), Since: at(3), Delay: late},
			"run 2 stands 2 next 3 passed [missed 0-1 x2 no host was running]"},
		{"its own grace", Due{Job: Job{Next: at(0)}, Now: at(0).Add(11 * time.Second), Policy: MissedSkip, Grace: 10 * time.Second, Since: at(1)},
			"run - stands 0 next 1 passed [missed 0-0 x1 no host was running]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.due.Next = minute
			if got := describe(Plan(tt.due)); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestJitter(t *testing.T) {
	hour := every(time.Hour)
	seen := map[time.Duration]int{}
	slot := t0
	for range 1000 {
		next := hour(slot)
		d := Jitter("report", slot, next, 10*time.Minute)
		if d < 0 || d >= 10*time.Minute || d != Jitter("report", slot, next, 10*time.Minute) {
			t.Fatalf("slot %s: %s", slot, d)
		}
		seen[d/time.Minute]++
		if short := Jitter("report", slot, next, 24*time.Hour); short >= time.Hour {
			t.Fatalf("slot %s passes the next one: %s", slot, short)
		}
		slot = next
	}
	for minute := range time.Duration(10) { // 100 each, if it were even
		if n := seen[minute]; n < 60 || n > 140 {
			t.Errorf("minute %d: %d of 1000 delays", minute, n)
		}
	}
	names := map[time.Duration]bool{}
	for i := range 100 {
		names[Jitter(fmt.Sprint("job-", i), t0, hour(t0), time.Hour)] = true
	}
	if len(names) < 99 {
		t.Errorf("100 jobs of one time start at %d times", len(names))
	}
	if Jitter("a", t0, time.Time{}, 0) != 0 || Jitter("a", t0, t0, time.Hour) != 0 {
		t.Error("no room, and a delay")
	}
}

func TestStrikes(t *testing.T) {
	tests := []struct {
		outcome Outcome
		cause   Cause
		want    Strike
	}{
		{OK, "", StrikeReset}, {Failed, Exit, StrikeOut}, {Failed, HostFault, StrikeOut}, {Timeout, Deadline, StrikeOut}, {Trapped, Trap, StrikeOut},
		{Orphaned, "", StrikeOut}, {Killed, Fuel, StrikeOut}, {Killed, MemoryBudget, StrikeOut}, {Killed, Cancelled, ""}, {Killed, Replaced, ""},
		{Killed, Shutdown, ""}, {Discarded, "", ""},
	}
	for _, tt := range tests {
		if got := Strikes(tt.outcome, tt.cause); got != tt.want {
			t.Errorf("%s %s: %q, want %q", tt.outcome, tt.cause, got, tt.want)
		}
	}
}

func TestAbandoned(t *testing.T) {
	at := func(m int) time.Time { return t0.Add(time.Duration(m) * time.Minute) }
	j := Job{Next: at(0), PausedAt: at(2), ResumedAt: at(4)}
	got := describe(Planned{Passed: Abandoned(j, every(time.Minute), at(6), "changed", 100)})
	if want := "run - stands 0 next - passed [missed 0-1 x2 changed] [skipped 2-4 x3 paused] [missed 5-6 x2 changed]"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := Abandoned(j, every(time.Minute), at(6), "changed", 1); len(got) != 1 || got[0].Count != 1 {
		t.Errorf("limited: %+v", got)
	}
}
