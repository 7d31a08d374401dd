package host

import (
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/internal/guest"
)

// begun lets a host make jobs known, which takes a second.
func begun(t *testing.T, dir string, jobs ...Job) {
	t.Helper()
	r := launchEven(t, dir, nil, jobs...)
	time.Sleep(time.Second)
	r.close()
}

// What is late within its grace starts now, and how late it was is told.
func TestD1LateWithinGraceStartsNow(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		dir := privateDir(t)
		job := hourly("job", guest.Exit(0))
		job.Missed = claims.MissedSkip
		begun(t, dir, job)
		time.Sleep(time.Hour + 20*time.Minute - time.Second)
		r := launchEven(t, dir, nil, job)
		time.Sleep(time.Minute)
		runs := r.runs("job")
		if len(runs) != 1 || runs[0].StartedAt.Sub(runs[0].Slot.At) != 20*time.Minute || runs[0].StandsFor != 0 {
			t.Fatalf("runs: %+v", runs)
		}
		r.close()
		for _, e := range r.events {
			if e.Kind == Started && (e.Lateness != 20*time.Minute || e.Late) {
				t.Errorf("lateness %s, late %t", e.Lateness, e.Late)
			}
		}
	})
}

// What is later goes by missed; and the next due time is to come, whatever the policy was.
func TestD2LaterGoesByMissed(t *testing.T) {
	for _, c := range []struct {
		policy claims.MissedPolicy
		limit  int
		want   string
	}{
		{claims.MissedOnce, 0, "missedx4 ok"},
		{claims.MissedSkip, 0, "missedx5"},
		{claims.MissedAll, 0, "ok ok ok ok ok"},
		{claims.MissedAll, 2, "missedx3 ok ok"},
	} {
		t.Run(string(c.policy)+" "+c.want, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				dir := privateDir(t)
				job := hourly("job", guest.Exit(0))
				job.Missed, job.MissedLimit = c.policy, c.limit
				begun(t, dir, job)
				time.Sleep(5*time.Hour + 45*time.Minute)
				r := launchEven(t, dir, nil, job)
				time.Sleep(time.Minute)
				if got := verdicts(r.slots("job")); got != c.want {
					t.Errorf("slots: %s, want %s", got, c.want)
				}
				if row, err := r.store.Job(t.Context(), "job"); err != nil || !row.Next.Equal(vtime(6, 0)) {
					t.Errorf("next at %s, %v", since(row.Next), err)
				}
				r.close()
			})
		})
	}
}

// A job that takes longer than its period runs as often as it can: a slot that comes due while it runs is skipped, and the next one
// after its end has its run.
func TestD3LongerThanItsPeriodIsNotPostponed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		job := hourly("job", guest.Sleep(100*time.Minute))
		job.Timeout = 3 * time.Hour
		r := launchEven(t, privateDir(t), nil, job)
		time.Sleep(13*time.Hour + 10*time.Minute)
		if got := verdicts(r.slots("job")); got != strings.TrimSpace(strings.Repeat("ok skipped ", 6))+" " {
			t.Errorf("slots: %q", got)
		}
		r.close()
	})
}

// A job that is malformed, in each way that there is, keeps no other one from running.
func TestD4MalformedJobStarvesNobody(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := launchEven(t, privateDir(t), nil,
			hourly("a-good", guest.Exit(0)),
			hourly("broken-module", []byte("not a module")),
			hourly("broken-import", guest.ImportUnknown()),
			Job{Name: "broken-schedule", Module: Bytes(guest.Exit(0)), Schedule: "61 * * * *"},
			Job{Name: "broken-zone", Module: Bytes(guest.Exit(0)), Schedule: "0 * * * *", Timezone: "Mars/Olympus"},
			Job{Name: "", Module: Bytes(guest.Exit(0)), Schedule: "0 * * * *"},
			hourly("z-good", guest.Exit(0)),
		)
		time.Sleep(3*time.Hour + time.Minute)
		for _, name := range []string{"a-good", "z-good"} {
			if got := outcomes(r.runs(name)); got != "ok ok ok" {
				t.Errorf("%s: %s", name, got)
			}
		}
		list, err := r.host.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range list {
			if broken := strings.HasPrefix(s.Job.Name, "broken"); broken != (s.State == Broken) || broken && s.Reason == "" {
				t.Errorf("%s is %s: %s", s.Job.Name, s.State, s.Reason)
			}
		}
		r.close()
	})
}

// A job whose next time cannot be computed is shown with the reason, is not disabled by that, and runs once it can be.
func TestD6HealsWhenItsNextTimeCanBeComputed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		job := hourly("job", guest.Exit(0))
		r := launchEven(t, privateDir(t), nil, job)
		time.Sleep(90 * time.Minute)
		bad := job
		bad.Schedule = "0 25 * * *"
		r.jobs.Put(bad)
		time.Sleep(2 * time.Hour)
		list, err := r.host.Status(t.Context())
		if err != nil || list[0].State != Broken || !strings.Contains(list[0].Reason, "25") || list[0].Row.Disabled != "" {
			t.Errorf("with a schedule that cannot be read: %+v %v", list, err)
		}
		r.jobs.Put(job)
		time.Sleep(2 * time.Hour)
		if got := verdicts(r.slots("job")); got != "ok skippedx2 ok ok" {
			t.Errorf("slots: %s", got)
		}
		r.close()
	})
}

// An orphan counts toward repeat, once, also when its slot has another attempt.
func TestOrphanCountsTowardRepeat(t *testing.T) {
	for _, retries := range []int{0, 1} {
		inBubble(t, func(t *testing.T) {
			dir := privateDir(t)
			now := time.Now().UTC()
			deadOwner(t, dir, "job", now, now.Add(time.Hour))
			r := launch(t, dir, nil, Job{
				Name: "job", Module: Bytes(guest.Exit(0)), Schedule: "@every 1m", Repeat: 2,
				Retry: claims.RetryPolicy{Retries: retries, Min: time.Second, Max: time.Second, On: []string{"orphaned"}},
			})
			time.Sleep(5 * time.Minute)
			want := "orphaned ok"
			if retries > 0 {
				want = "orphaned ok ok"
			}
			if got := outcomes(r.runs("job")); got != want {
				t.Errorf("%d retries: runs %s", retries, got)
			}
			row, err := r.store.Job(t.Context(), "job")
			if err != nil || row.Repeats != 2 || !row.Done || !row.Next.IsZero() {
				t.Errorf("%d retries: %+v %v", retries, row, err)
			}
			if got := r.slots("job"); len(got) != 2 {
				t.Errorf("%d retries: its history: %+v", retries, got)
			}
			r.close()
		})
	}
}

// A slot that missed = all makes up for waits for the run of another host, and is not skipped for it.
func TestBacklogWaitsForAnotherHostsRun(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		dir := privateDir(t)
		job := Job{Name: "job", Module: Bytes(guest.Sleep(20 * time.Second)), Schedule: "* * * * *", Missed: claims.MissedAll}
		begun(t, dir, job)
		time.Sleep(5*time.Minute + 5*time.Second)
		a := launch(t, dir, nil, job)
		time.Sleep(5 * time.Second)
		b := launch(t, dir, nil, job)
		time.Sleep(5 * time.Minute)
		for _, s := range a.slots("job") {
			if s.Slot.At.Before(vtime(0, 6)) && s.Verdict != "ok" {
				t.Errorf("slot %s: %s %s", since(s.Slot.At), s.Verdict, s.Reason)
			}
		}
		runs := a.runs("job")
		for i := range runs[1:] {
			if runs[i].ClaimedAt.Before(runs[i+1].EndedAt) {
				t.Errorf("runs of %s and %s overlap", runs[i].Slot.ID, runs[i+1].Slot.ID)
			}
		}
		a.close()
		b.close()
	})
}
