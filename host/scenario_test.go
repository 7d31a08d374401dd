package host

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/internal/guest"
)

// robbed lets a recoverer take each claim away before its owner has the answer.
type robbed struct{ claims.Store }

func (s *robbed) Claim(ctx context.Context, now time.Time, owner string, items []claims.Claim) ([]claims.Claimed, error) {
	got, err := s.Store.Claim(ctx, now, owner, items)
	for _, g := range got {
		if g.Status == claims.Won {
			if _, err := s.Store.Finalize(ctx, now, []claims.Final{{Token: g.Token, Outcome: claims.Orphaned, Reason: "taken away", EndedAt: now}}); err != nil {
				return nil, err
			}
		}
	}
	return got, err
}

// A run that was lost between its claim and its start never starts, and changes nothing of what the recoverer has recorded.
func TestOwnershipLostBeforeTheStart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := launch(t, privateDir(t), func(c *Config) { c.Store = &robbed{c.Store} },
			Job{Name: "job", Module: Bytes(guest.State(guest.ThenReturn, stateSet("k", "v"))), Schedule: "@every 1m"})
		time.Sleep(2*time.Minute + 10*time.Second)
		r.close()
		if n := r.told(Started, "job"); n != 0 {
			t.Errorf("%d guests started", n)
		}
		if got := outcomes(r.lastRuns); got != "orphaned orphaned" {
			t.Errorf("runs: %s", got)
		}
		for _, run := range r.lastRuns {
			if run.Reason != "taken away" || !run.StartedAt.IsZero() {
				t.Errorf("%+v", run)
			}
		}
		if n := r.told(LateResult, "job"); n != 2 {
			t.Errorf("told of %d late results", n)
		}
	})
}

// What waits for a run slot is not claimed: it may wait for longer than its whole deadline, and then has all of it.
func TestQueuedSlotIsNotClaimed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := launch(t, privateDir(t), func(c *Config) { c.MaxRuns = 1; c.CommitGrace = time.Second },
			Job{Name: "first", Module: Bytes(guest.Sleep(30 * time.Minute)), Schedule: "0 10 * * * *", Timeout: time.Hour},
			Job{Name: "second", Module: Bytes(guest.Sleep(8 * time.Second)), Schedule: "1 10 * * * *", Timeout: 10 * time.Second, StartTimeout: time.Second})
		time.Sleep(30 * time.Minute)
		open, err := r.store.Open(t.Context())
		if err != nil || len(open) != 1 || open[0].Job != "first" {
			t.Errorf("open claims: %+v, %v", open, err)
		}
		status, err := r.host.Status(t.Context())
		if err != nil || status[1].Waiting.IsZero() || !strings.Contains(status[1].Reason, "all 1 run slots are taken") {
			t.Errorf("%+v, %v", status[1], err)
		}
		time.Sleep(20 * time.Minute)
		runs := r.runs("second")
		if got := outcomes(runs); got != "ok" || runs[0].ClaimedAt.Sub(runs[0].Slot.At) < 29*time.Minute {
			t.Errorf("runs: %s, %+v", got, runs)
		}
		r.close()
	})
}

// A manual run of a paused job, asked for while every run slot is taken: it waits, runs once, and the job stays paused.
func TestTriggerOfAPausedJobWhileAllSlotsAreTaken(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := launch(t, privateDir(t), func(c *Config) { c.MaxRuns = 1 },
			Job{Name: "hog", Module: Bytes(guest.Sleep(5 * time.Minute)), Schedule: "0 0 1 * * *", Timeout: 10 * time.Minute},
			Job{Name: "held", Module: Bytes(guest.Greet("x")), Schedule: "0 * * * * *"})
		time.Sleep(30 * time.Second)
		r.request(claims.Request{Kind: claims.Pause, Job: "held"})
		time.Sleep(time.Hour)
		r.request(claims.Request{Kind: claims.Trigger, Job: "held", ID: "x"})
		time.Sleep(time.Minute)
		if runs := r.runs("held"); len(runs) != 0 {
			t.Fatalf("it ran although no run slot was free: %+v", runs)
		}
		time.Sleep(10 * time.Minute)
		runs := r.runs("held")
		row, err := r.store.Job(t.Context(), "held")
		if err != nil || !row.Paused || len(runs) != 1 || runs[0].Outcome != claims.OK || runs[0].Slot.Kind != claims.Manual {
			t.Errorf("paused %v, %v, runs %+v", row.Paused, err, runs)
		}
		r.close()
	})
}

// A live run is never recovered, however long it takes: neither one whose timeout is many times the usual one, nor one without any.
func TestLongRunIsLeftAlone(t *testing.T) {
	for name, timeout := range map[string]time.Duration{"a long timeout": 15 * time.Minute, "no timeout": Unlimited} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				dir := privateDir(t)
				hasty := func(c *Config) { c.OrphanGrace, c.CommitGrace, c.Lease = time.Second, time.Second, 30*time.Second }
				job := Job{Name: "long", Module: Bytes(guest.Sleep(12 * time.Minute)), Schedule: "0 10 * * * *", Timeout: timeout}
				one, two := launch(t, dir, hasty, job), launch(t, dir, hasty, job)
				time.Sleep(25 * time.Minute)
				runs := one.runs("long")
				if len(runs) != 1 || runs[0].Outcome != claims.OK || runs[0].EndedAt.Sub(runs[0].StartedAt) < 12*time.Minute {
					t.Errorf("runs: %+v", runs)
				}
				if n := one.told(Recovered, "long") + two.told(Recovered, "long"); n != 0 {
					t.Errorf("recovered %d times", n)
				}
				one.close()
				two.close()
			})
		})
	}
}

// A recovered run is a failed attempt that counts: a job of one slot is over, and its history stays.
func TestRecoveryCountsTowardRepeat(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		dir := privateDir(t)
		now := time.Now().UTC()
		deadOwner(t, dir, "job", now, now.Add(time.Hour))
		r := launch(t, dir, nil, Job{Name: "job", Module: Bytes(guest.Greet("x")), Schedule: "@every 1m", Repeat: 1})
		time.Sleep(10 * time.Minute)
		row, err := r.store.Job(t.Context(), "job")
		if err != nil || !row.Done || !row.Next.IsZero() || row.Repeats != 1 || !row.Removed.IsZero() {
			t.Errorf("%+v, %v", row, err)
		}
		if runs := r.runs("job"); outcomes(runs) != "orphaned" || runs[0].Evidence == "" {
			t.Errorf("runs: %+v", runs)
		}
		status, err := r.host.Status(t.Context())
		if err != nil || len(status) != 1 || status[0].State != Finished {
			t.Errorf("%+v, %v", status, err)
		}
		r.close()
	})
}

// Two jobs that are due at once run at once; one that is due again while it runs does not, and each such slot has its line and reason.
func TestDueJobsOverlapAndOneDoesNot(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		slow := Bytes(guest.Sleep(25 * time.Second))
		r := launch(t, privateDir(t), nil, Job{Name: "a", Module: slow, Schedule: "*/10 * * * * *"}, Job{Name: "b", Module: slow, Schedule: "*/10 * * * * *"})
		time.Sleep(59 * time.Second)
		a, b := r.runs("a"), r.runs("b")
		first, other := a[len(a)-1], b[len(b)-1]
		if !first.Slot.At.Equal(other.Slot.At) || !first.StartedAt.Before(other.EndedAt) || !other.StartedAt.Before(first.EndedAt) {
			t.Errorf("a ran from %s to %s, b from %s to %s", first.StartedAt, first.EndedAt, other.StartedAt, other.EndedAt)
		}
		for _, slot := range r.slots("a") {
			if slot.Verdict == claims.Skipped && !strings.Contains(slot.Reason, "was still running") {
				t.Errorf("skipped since %q", slot.Reason)
			}
		}
		if got := verdicts(r.slots("a")); !strings.Contains(got, "skippedx2") {
			t.Errorf("slots of a: %s", got)
		}
		if n := r.told(SlotSkipped, "a"); n < 2 {
			t.Errorf("told of %d skipped slots", n)
		}
		r.close()
	})
}
