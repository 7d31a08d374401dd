package host

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/internal/guest"
)

// A job that is changed while a claim of it is under way runs as it was when it was due: the module and the deadline that the
// ledger was told of, and neither is closed or mixed with the new ones.
func TestChangedWhileItIsClaimed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		old := Job{Name: "job", Module: Bytes(guest.Greet("old")), Schedule: "@every 10s", Timeout: time.Minute}
		r := launch(t, privateDir(t), func(c *Config) { c.Store = &slowClaims{c.Store, 4 * time.Second} }, old)
		time.Sleep(11 * time.Second) // the claim is under way until 14 s
		r.jobs.Put(Job{Name: "job", Module: Bytes(guest.Greet("new")), Schedule: "@every 10s", Timeout: time.Hour})
		time.Sleep(4 * time.Second)
		runs := r.runs("job")
		if len(runs) != 1 || runs[0].Outcome != claims.OK || runs[0].Digest != old.Module.Digest {
			t.Errorf("%+v", runs)
		}
		r.jobs.Put(Job{Name: "job", Module: Bytes(guest.Greet("third")), Schedule: "@every 10s"})
		time.Sleep(10 * time.Second)
		r.jobs.Remove("job")
		time.Sleep(10 * time.Second)
		for _, run := range r.runs("job") {
			if run.Outcome != claims.OK && run.Outcome != claims.Discarded {
				t.Errorf("%s: %s/%s %s", run.Slot.ID, run.Outcome, run.Cause, run.Reason)
			}
		}
		r.close()
	})
}

// A job that was removed and added again while it runs does not run beside itself, and its skipped slots say what was in the way.
func TestAddedAgainWhileItRuns(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		job := Job{Name: "slow", Module: Bytes(guest.Sleep(20 * time.Second)), Schedule: "@every 5s"}
		r := launch(t, privateDir(t), nil, job)
		r.await("the start", func() bool { return r.told(Started, "slow") == 1 })
		r.jobs.Remove("slow")
		r.await("the removal", func() bool { return r.told(JobRemoved, "slow") == 1 })
		r.jobs.Put(job)
		time.Sleep(30 * time.Second)
		runs := r.runs("slow")
		if len(runs) != 2 || runs[1].Outcome != claims.Discarded || runs[0].ClaimedAt.Before(runs[1].EndedAt) {
			t.Errorf("%+v", runs)
		}
		for _, s := range r.slots("slow") {
			if s.Verdict == claims.Skipped && !strings.Contains(s.Reason, runs[1].RunID) && !strings.Contains(s.Reason, runs[0].RunID) {
				t.Errorf("slot %s: %q", s.Slot.ID, s.Reason)
			}
		}
		r.close()
	})
}

// A registration that failed is not made up for once the job is gone.
func TestRemovedWhileTheLedgerFails(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var failing atomic.Bool
		r := launch(t, privateDir(t), func(c *Config) { c.Store = &failingPut{c.Store, &failing} })
		failing.Store(true)
		r.jobs.Put(Job{Name: "job", Module: Bytes(guest.Greet("x")), Schedule: "@every 1m"})
		time.Sleep(1500 * time.Millisecond)
		r.jobs.Remove("job")
		time.Sleep(100 * time.Millisecond)
		failing.Store(false)
		time.Sleep(10 * time.Second)
		if row, err := r.store.Job(t.Context(), "job"); err == nil && row.Removed.IsZero() {
			t.Errorf("the job is back: %+v", row)
		}
		r.close()
	})
}

type failingPut struct {
	claims.Store
	failing *atomic.Bool
}

func (s *failingPut) Put(ctx context.Context, now time.Time, source string, jobs []claims.Put) ([]claims.Job, error) {
	if s.failing.Load() {
		return nil, errors.New("no room")
	}
	return s.Store.Put(ctx, now, source, jobs)
}

// The due times of a stop are those of the schedule that was in force then, whatever the job's schedule is now.
func TestScheduleChangedDuringAStop(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		dir := privateDir(t)
		job := Job{Name: "job", Module: Bytes(guest.Exit(0)), Schedule: "0 3 * * *"}
		r := launch(t, dir, nil, job)
		r.await("registration", func() bool { return r.told(JobAdded, "job") == 1 })
		r.close()
		time.Sleep(28 * time.Hour)
		job.Schedule = "* * * * *"
		r = launch(t, dir, nil, job)
		time.Sleep(150 * time.Second)
		for _, s := range r.slots("job") {
			if s.Count > 2 {
				t.Errorf("slots that never were due: %+v", s)
			}
		}
		if got := outcomes(r.runs("job")); got != "ok ok" && got != "ok ok ok" {
			t.Errorf("runs: %s", got)
		}
		r.close()
	})
}

// A retry of a paused job waits until it goes on; a run that was asked for does not.
func TestRetryWaitsForTheEndOfAPause(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := launch(t, privateDir(t), nil, Job{
			Name: "job", Module: Bytes(guest.FailUntil(2)), Schedule: "0 0 * * * *",
			Retry: claims.RetryPolicy{Retries: 1, Min: 10 * time.Second, Max: 10 * time.Second, On: []string{"failed"}},
		})
		r.await("registration", func() bool { return r.told(JobAdded, "job") == 1 })
		time.Sleep(time.Hour)
		r.await("the first attempt", func() bool { return r.told(EndedRun, "job") == 1 })
		r.request(claims.Request{Kind: claims.Pause, Job: "job"})
		time.Sleep(5 * time.Minute)
		if got := outcomes(r.runs("job")); got != "failed/exit" {
			t.Errorf("runs of a paused job: %s", got)
		}
		r.request(claims.Request{Kind: claims.Resume, Job: "job"})
		time.Sleep(2 * time.Second)
		if got := outcomes(r.runs("job")); got != "failed/exit ok" {
			t.Errorf("runs: %s", got)
		}
		r.close()
	})
}

// Work that another host has done waits no more here, although this host has no free run slot to find that out with.
func TestPendingWorkOfAnotherHostIsForgotten(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		dir := privateDir(t)
		jobs := []Job{
			{Name: "long", Module: Bytes(guest.Sleep(time.Hour)), Timeout: Unlimited},
			{Name: "short", Module: Bytes(guest.Exit(0))},
		}
		one := launch(t, dir, func(c *Config) { c.MaxRuns = 1 }, jobs...)
		one.await("registration", func() bool { return one.told(JobAdded, "short") == 1 })
		one.request(claims.Request{Kind: claims.Trigger, Job: "long", ID: "1"})
		one.await("the long one", func() bool { return one.told(Started, "long") == 1 })
		one.request(claims.Request{Kind: claims.Trigger, Job: "short", ID: "2"})
		time.Sleep(2 * time.Second)
		waits := func() bool {
			status, err := one.host.Status(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return !status[1].Waiting.IsZero()
		}
		if !waits() {
			t.Error("the short one does not wait")
		}
		two := launch(t, dir, nil, jobs...)
		two.await("the short one", func() bool { return two.told(EndedRun, "short") == 1 })
		time.Sleep(2 * time.Second)
		if waits() {
			t.Error("it waits still")
		}
		one.host.Abort()
		one.close()
		two.close()
	})
}

// A module that cannot be read for a while is built when it can be, without anybody changing anything.
func TestModuleIsReadAgain(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		wasm := Bytes(guest.Greet("x"))
		begun := time.Now()
		var reads atomic.Int64
		r := launch(t, privateDir(t), nil, Job{Name: "job", Schedule: "@every 10s", Module: Module{
			Digest: wasm.Digest,
			Load: func() ([]byte, error) {
				if reads.Add(1); time.Since(begun) < 20*time.Second {
					return nil, fmt.Errorf("too many open files")
				}
				return wasm.Load()
			},
		}})
		time.Sleep(75 * time.Second)
		if got := outcomes(r.runs("job")); !strings.HasPrefix(got, "ok ok") {
			t.Errorf("runs: %s", got)
		}
		if n := reads.Load(); n > 10 {
			t.Errorf("read %d times", n)
		}
		if n := r.told(JobBroken, "job"); n != 1 {
			t.Errorf("told %d times", n)
		}
		r.close()
	})
}

// A job whose source cannot say yet what it is stays as the ledger knows it: nothing is removed, skipped or missed for that.
func TestUnreadyJobKeepsWhatTheLedgerKnows(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		dir := privateDir(t)
		hourly := Job{Name: "hourly", Module: Bytes(guest.Exit(0)), Schedule: "0 * * * *"}
		paused := Job{Name: "paused", Module: Bytes(guest.Exit(0)), Schedule: "0 * * * *"}
		r := launch(t, dir, nil, hourly, paused)
		r.await("registration", func() bool { return r.told(JobAdded, "paused") == 1 })
		r.request(claims.Request{Kind: claims.Pause, Job: "paused"})
		r.close()
		time.Sleep(5*time.Hour + 30*time.Minute)

		unready := Job{Unready: "its plugin is still being written"}
		one, two := unready, unready
		one.Name, two.Name = "hourly", "paused"
		r = launch(t, dir, nil, one, two)
		time.Sleep(10 * time.Second)
		if got := verdicts(r.slots("hourly")); got != "" {
			t.Errorf("slots of a job that is not known yet: %s", got)
		}
		r.jobs.Put(hourly)
		r.jobs.Put(paused)
		time.Sleep(10 * time.Second)
		if got := verdicts(r.slots("hourly")); got != "missedx4 ok" {
			t.Errorf("slots: %s", got)
		}
		status, err := r.host.Status(t.Context())
		if err != nil || status[1].State != Paused {
			t.Errorf("%+v %v", status, err)
		}
		r.close()
	})
}
