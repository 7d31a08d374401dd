package claims

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/fingerprint"
)

var t0 = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func every(d time.Duration) func(time.Time) time.Time {
	return func(t time.Time) time.Time { return t.Truncate(d).Add(d) }
}

func TestPlan(t *testing.T) {
	minute := every(time.Minute)
	at := func(m int) time.Time { return t0.Add(time.Duration(m) * time.Minute) }
	tests := []struct {
		name string
		due  Due
		want string
	}{
		{"not due", Due{Job: Job{Next: at(1)}, Now: at(0)}, "run - stands 0 next 1 passed"},
		{"on time", Due{Job: Job{Next: at(0)}, Now: at(0)}, "run 0 stands 0 next 1 passed"},
		{"late within the period", Due{Job: Job{Next: at(0)}, Now: at(0).Add(50 * time.Second)}, "run 0 stands 0 next 1 passed"},
		{"no next", Due{Job: Job{}, Now: at(0)}, "run - stands 0 next - passed"},
		{"backlog of a stop", Due{Job: Job{Next: at(0)}, Now: at(9), Since: at(9)},
			"run 9 stands 9 next 10 passed [missed 0-8 x9 no host was running]"},
		{"backlog across the start", Due{Job: Job{Next: at(0)}, Now: at(4), Since: at(2)},
			"run 4 stands 4 next 5 passed [missed 0-1 x2 no host was running] [missed 2-3 x2 the host was asleep, or no run slot was free]"},
		{"skip: within grace", Due{Job: Job{Next: at(0)}, Now: at(1).Add(-time.Second), Policy: MissedSkip}, "run 0 stands 0 next 1 passed"},
		{"skip: backlog", Due{Job: Job{Next: at(0)}, Now: at(3), Policy: MissedSkip, Since: at(0)},
			"run 3 stands 0 next 4 passed [missed 0-2 x3 the host was asleep, or no run slot was free]"},
		{"refused", Due{Job: Job{Next: at(0)}, Now: at(2), Refuse: "broken"}, "run - stands 0 next 3 passed [skipped 0-2 x3 broken]"},
		{"paused", Due{Job: Job{Next: at(0), Paused: true, PausedAt: at(1), Reason: "holiday"}, Now: at(2)},
			"run - stands 0 next 3 passed [skipped 0-2 x3 paused: holiday]"},
		{"a pause that is over", Due{Job: Job{Next: at(0), PausedAt: at(2), ResumedAt: at(4)}, Now: at(6), Since: at(6)},
			"run 6 stands 3 next 7 passed [missed 0-1 x2 no host was running] [skipped 2-4 x3 paused] [missed 5-5 x1 no host was running]"},
		{"limit", Due{Job: Job{Next: at(0)}, Now: at(9), Since: at(9), Limit: 4},
			"run - stands 0 next 4 passed [missed 0-3 x4 no host was running]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.due.Next = minute
			if got := describe(Plan(tt.due)); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func describe(p Planned) string {
	minute := func(t time.Time) string {
		if t.IsZero() {
			return "-"
		}
		return fmt.Sprint(int(t.Sub(t0).Minutes()))
	}
	s := fmt.Sprintf("run %s stands %d next %s passed", minute(p.At), p.StandsFor, minute(p.Next))
	for _, r := range p.Passed {
		s += fmt.Sprintf(" [%s %s-%s x%d %s]", r.Verdict, minute(r.First), minute(r.Last), r.Count, r.Reason)
	}
	return s
}

func TestPlanSkipPolicyDropsALateSlot(t *testing.T) {
	day := every(24 * time.Hour)
	next := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	for late, run := range map[time.Duration]bool{time.Hour: true, 2 * time.Hour: true, 3 * time.Hour: false} {
		p := Plan(Due{Job: Job{Next: next}, Next: day, Now: next.Add(late), Policy: MissedSkip})
		if run != !p.At.IsZero() {
			t.Errorf("%s late: planned %s", late, describe(p))
		}
	}
}

// Whatever happens, each due slot is either the one that runs or in one passed record, in order.
func TestPlanAccountsForEverySlot(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 2000 {
		d := Due{
			Job: Job{Next: t0, Paused: r.IntN(5) == 0}, Next: every(time.Minute), Now: t0.Add(time.Duration(r.IntN(3600)) * time.Second),
			Since: t0.Add(time.Duration(r.IntN(3600)) * time.Second), Limit: 1 + r.IntN(70),
		}
		if r.IntN(3) == 0 {
			d.Job.PausedAt = t0.Add(time.Duration(r.IntN(1800)) * time.Second)
			d.Job.ResumedAt = d.Job.PausedAt.Add(time.Duration(r.IntN(1800)) * time.Second)
		}
		d.Policy = []MissedPolicy{MissedOnce, MissedSkip, MissedAll}[r.IntN(3)]
		d.MissedLimit = 1 + r.IntN(d.Limit)
		if d.Policy == MissedAll {
			d.Limit++
		}
		if r.IntN(4) == 0 {
			d.Window = time.Duration(r.IntN(3600)) * time.Second
		}
		if r.IntN(4) == 0 {
			d.Deadline = time.Duration(r.IntN(3600)) * time.Second
		}
		if r.IntN(4) == 0 {
			d.Job.SkipAt = t0.Add(time.Duration(r.IntN(60)) * time.Minute)
		}
		if r.IntN(3) == 0 {
			d.Delay = func(slot, next time.Time) time.Duration { return Jitter("a", slot, next, 5*time.Minute) }
		}
		p := Plan(d)
		var passed int64
		last := t0.Add(-time.Minute)
		for _, rec := range p.Passed {
			if !rec.First.After(last) || rec.Last.Before(rec.First) || rec.Count != int64(rec.Last.Sub(rec.First).Minutes())+1 {
				t.Fatalf("seed %d: %+v: record out of order or count: %s", seed, d, describe(p))
			}
			passed += rec.Count
			last = rec.Last
		}
		if !p.At.IsZero() {
			passed++
			if !p.At.After(last) {
				t.Fatalf("seed %d: the run is not the latest: %s", seed, describe(p))
			}
		}
		if !p.Next.After(d.Now) && passed == 0 && d.Delay == nil {
			t.Fatalf("seed %d: %+v: what is due stays so, and nothing is done about it: %s", seed, d, describe(p))
		}
		if want := int64(p.Next.Sub(t0).Minutes()); passed != want {
			t.Fatalf("seed %d: %+v: %d slots up to next, %d accounted for: %s", seed, d, want, passed, describe(p))
		}
	}
}

func TestRetry(t *testing.T) {
	code := func(c int64) *int64 { return &c }
	p := RetryPolicy{Retries: 3, Min: 10 * time.Second, Max: 35 * time.Second, On: []string{"failed", "timeout", "shutdown"}}
	slot := ScheduledSlot("a", t0)
	tests := []struct {
		name string
		e    Ended
		want time.Duration // 0: none
	}{
		{"first", Ended{Outcome: Failed, Cause: Exit, Attempt: 1}, 10 * time.Second},
		{"doubles", Ended{Outcome: Timeout, Attempt: 2}, 20 * time.Second},
		{"up to the longest", Ended{Outcome: Timeout, Attempt: 3}, 35 * time.Second},
		{"no attempt left", Ended{Outcome: Failed, Attempt: 4}, 0},
		{"ok", Ended{Outcome: OK, Attempt: 1}, 0},
		{"not asked for", Ended{Outcome: Trapped, Attempt: 1}, 0},
		{"orphaned is not asked for", Ended{Outcome: Orphaned, Attempt: 1}, 0},
		{"shutdown", Ended{Outcome: Killed, Cause: Shutdown, Attempt: 1}, 10 * time.Second},
		{"cancelled", Ended{Outcome: Killed, Cause: Cancelled, Attempt: 1}, 0},
		{"exit 78", Ended{Outcome: Failed, Cause: Exit, ExitCode: code(78), Attempt: 1}, 0},
		{"gives way to the next slot", Ended{Outcome: Failed, Attempt: 1, Next: t0.Add(10 * time.Second)}, 0},
		{"waits beside a slot that was due before it ended", Ended{Outcome: Failed, Attempt: 1, Next: t0}, 10 * time.Second},
		{"just before the next slot", Ended{Outcome: Failed, Attempt: 1, Next: t0.Add(10*time.Second + 1)}, 10 * time.Second},
		{"jitter shortens", Ended{Outcome: Failed, Attempt: 1, Jitter: 0.5}, 9 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.e.At, tt.e.Slot = t0, slot
			due, why := p.Retry(tt.e)
			if due.IsZero() != (tt.want == 0) || !due.IsZero() && due.Sub(t0) != tt.want {
				t.Errorf("got %s (%s), want %s", due, why, tt.want)
			}
			if gave := strings.Contains(tt.name, "gives way"); gave != (why != "") {
				t.Errorf("reason %q", why)
			}
		})
	}
	never := RetryPolicy{Retries: 1, Min: time.Second, Max: time.Second}
	if due, _ := never.Retry(Ended{Outcome: Failed, Cause: Exit, ExitCode: code(75), Attempt: 1, At: t0, Slot: slot}); due.IsZero() {
		t.Error("exit 75 is to be retried whatever On says")
	}
	if due, _ := never.Retry(Ended{Outcome: Failed, Cause: Exit, ExitCode: code(75), Attempt: 2, At: t0, Slot: slot}); !due.IsZero() {
		t.Error("exit 75 is not to be retried beyond Retries")
	}
	if due, _ := p.Retry(Ended{Outcome: Failed, Attempt: 1, At: t0, Slot: ManualSlot("a", t0, "1"), Next: t0.Add(time.Second)}); due.IsZero() {
		t.Error("a manual run does not give way to the schedule")
	}
}

func TestJudge(t *testing.T) {
	for _, lock := range []LockState{LockFree, LockHeld, LockMissing} {
		for _, process := range []fingerprint.Verdict{fingerprint.Dead, fingerprint.Alive, fingerprint.Unknown} {
			want := process
			switch lock {
			case LockFree:
				want = fingerprint.Dead
			case LockHeld:
				want = fingerprint.Alive
			}
			got, why := Judge(Witness{Lock: lock, Process: process, Note: "note"})
			if got != want || why == "" {
				t.Errorf("lock %s, process %s: %s (%s), want %s", lock, process, got, why, want)
			}
		}
	}
}

func TestRecoverable(t *testing.T) {
	g := Graces{OrphanGrace: 5 * time.Second, Lease: time.Minute}
	limited := Open{ClaimedAt: t0, Deadline: t0.Add(2 * time.Minute)}
	unlimited := Open{ClaimedAt: t0}
	future := Open{ClaimedAt: t0.Add(time.Hour), Deadline: t0.Add(time.Hour + 2*time.Minute)}
	forever := Open{ClaimedAt: t0.Add(time.Hour)}
	tests := []struct {
		name    string
		open    Open
		verdict fingerprint.Verdict
		now     time.Duration
		want    bool
	}{
		{"dead, before the grace", limited, fingerprint.Dead, 4 * time.Second, false},
		{"dead, after the grace", limited, fingerprint.Dead, 5 * time.Second, true},
		{"dead, unlimited", unlimited, fingerprint.Dead, 5 * time.Second, true},
		{"dead, claimed in the future, just seen", future, fingerprint.Dead, 4 * time.Second, false},
		{"dead, claimed in the future", future, fingerprint.Dead, 5 * time.Second, true},
		{"alive, claimed in the future, within its time", future, fingerprint.Alive, 2 * time.Minute, false},
		{"alive, claimed in the future, past its time", future, fingerprint.Alive, 2*time.Minute + time.Millisecond, true},
		{"unknown, claimed in the future, within its time", future, fingerprint.Unknown, 2 * time.Minute, false},
		{"unknown, claimed in the future, past its time", future, fingerprint.Unknown, 2*time.Minute + time.Millisecond, true},
		{"unknown, unlimited, claimed in the future, within the lease", forever, fingerprint.Unknown, time.Minute, false},
		{"unknown, unlimited, claimed in the future, silent", forever, fingerprint.Unknown, time.Minute + time.Second, true},
		{"alive, within the deadline", limited, fingerprint.Alive, 2 * time.Minute, false},
		{"alive, past the deadline", limited, fingerprint.Alive, 2*time.Minute + time.Millisecond, true},
		{"alive, unlimited, silent", unlimited, fingerprint.Alive, 24 * time.Hour, false},
		{"unknown, within the deadline, silent", limited, fingerprint.Unknown, 2 * time.Minute, false},
		{"unknown, past the deadline", limited, fingerprint.Unknown, 3 * time.Minute, true},
		{"unknown, unlimited, within the lease", unlimited, fingerprint.Unknown, time.Minute, false},
		{"unknown, unlimited, silent", unlimited, fingerprint.Unknown, time.Minute + time.Second, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, reason := Recoverable(tt.open, tt.verdict, "because", t0, t0, t0.Add(tt.now), g)
			if got != tt.want || got && reason == "" {
				t.Errorf("got %t (%s), want %t", got, reason, tt.want)
			}
			if tt.verdict == fingerprint.Unknown { // without any record of it the claim is the sign of life
				if got, _ := Recoverable(tt.open, tt.verdict, "because", time.Time{}, t0, t0.Add(tt.now), g); got != tt.want {
					t.Errorf("without a record: got %t, want %t", got, tt.want)
				}
			}
		})
	}
}
