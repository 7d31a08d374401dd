package host

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/internal/guest"
)

// TestRebootRunsOnceForEachStart: a start of a host is one run; a reload, a change of the job and a new job are none.
func TestRebootRunsOnceForEachStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := privateDir(t)
		hello := Bytes(guest.Hello())
		jobs := []Job{
			{Name: "boot", Module: hello, Schedule: "@reboot"},
			{Name: "both", Module: hello, Schedule: "@reboot\n@every 1h"},
			{Name: "broken", Module: hello, Schedule: "@reboot", Broken: "its file is gone"},
			{Name: "resting", Module: hello, Schedule: "@reboot"},
			{Name: "hourly", Module: hello, Schedule: "@every 1h"},
		}
		for start := 1; start <= 3; start++ {
			r := launch(t, dir, nil, jobs...)
			time.Sleep(30 * time.Second)
			if start == 1 {
				if err := r.store.Request(t.Context(), r.host.now(), claims.Request{Kind: claims.Pause, Job: "resting", Reason: "holidays"}); err != nil {
					t.Fatal(err)
				}
			}
			changed := jobs[0]
			changed.Args = []string{"changed"}
			r.jobs.Put(changed)
			r.jobs.Put(Job{Name: "late", Module: hello, Schedule: "@reboot"})
			time.Sleep(30 * time.Second)
			r.jobs.Remove("late")
			time.Sleep(30 * time.Second)
			for job, want := range map[string]int{"boot": start, "both": start, "broken": 0, "resting": 1, "late": 0, "hourly": 0} {
				if runs := r.runs(job); len(runs) != want {
					t.Errorf("start %d: job %s has %d runs, want %d", start, job, len(runs), want)
				} else if want > 0 && (runs[0].Slot.Kind != claims.AtStart || runs[0].Outcome != claims.OK) {
					t.Errorf("start %d: job %s: %+v", start, job, runs[0])
				}
			}
			status, err := r.host.Status(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range status {
				if s.Job.Name == "boot" && (s.State != Active || s.Reason != AtStartNote || !s.Next.IsZero()) {
					t.Errorf("start %d: %s is %s: %s, next %s", start, s.Job.Name, s.State, s.Reason, s.Next)
				}
			}
			skipped := 0
			for _, s := range append(r.slots("resting"), r.slots("broken")...) {
				if s.Verdict == claims.Skipped && (strings.Contains(s.Reason, "holidays") || strings.Contains(s.Reason, "its file is gone")) {
					skipped++
				}
			}
			if want := start + start - 1; skipped != want {
				t.Errorf("start %d: %d starts are recorded as skipped, want %d", start, skipped, want)
			}
			r.close()
		}
	})
}
