package host

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/internal/guest"
)

var errNoCode = errors.New("its code is gone")

func (r *rig) open() []claims.Open {
	r.t.Helper()
	open, err := r.store.Open(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return open
}

// A backfill's runs go one after the other, each for the time that it makes up for; the schedule goes first and is not touched.
func TestTraceBackfill(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		job := Job{Name: "daily", Module: Bytes(guest.Echo()), Schedule: "0 12 * * *"}
		slow := Job{Name: "hourly", Module: Bytes(guest.Sleep(25 * time.Minute)), Schedule: "0 * * * *", Timeout: time.Hour}
		r := launchEven(t, privateDir(t), nil, job, slow)
		time.Sleep(30*time.Hour + 10*time.Minute)
		past := time.Date(1999, 12, 29, 12, 0, 0, 0, time.UTC)
		r.request(claims.Request{Kind: claims.Fill, Job: "daily", ID: "00000001", By: "ann", Times: []time.Time{past, past.AddDate(0, 0, 1), past.AddDate(0, 0, 2)}})
		r.request(claims.Request{Kind: claims.Fill, Job: "hourly", ID: "00000002", By: "ann", Times: []time.Time{past, past.Add(time.Hour), past.Add(2 * time.Hour), past.Add(3 * time.Hour)}})
		r.host.Poll()
		time.Sleep(2 * time.Hour)
		r.request(claims.Request{Kind: claims.Unfill, Job: "hourly", Reason: "taken back by ann"})
		r.host.Poll()
		time.Sleep(3 * time.Hour)
		runs := r.runs("daily")
		out, err := r.store.Output(t.Context(), runs[2].RunID)
		if err != nil {
			t.Fatal(err)
		}
		event, _ := io.ReadAll(out)
		out.Close()
		for _, want := range []string{`"slot":"daily@1999-12-29T12:00:00Z#00000001"`, `"scheduled_at":"1999-12-29T12:00:00Z"`, `"backfill":true`, `"manual":false`} {
			if !bytes.Contains(event, []byte(want)) {
				t.Errorf("the guest was not told %s: %s", want, event)
			}
		}
		r.close()
		r.drop(func(e Event) bool { return e.Time.Before(vtime(30, 0)) && e.Job == "hourly" })
		golden(t, "backfill", r)
	})
}

// The slot that an operator does not want is skipped when its time has come, with the reason; taken back, it runs.
func TestTraceSkip(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		dir := privateDir(t)
		job := Job{Name: "report", Module: Bytes(guest.Exit(0)), Schedule: "0 */8 * * *"}
		first := launchEven(t, dir, nil, job)
		skip := func(r *rig, hours int) {
			r.request(claims.Request{Kind: claims.Skip, Job: "report", At: vtime(hours, 0), Reason: "skipped on demand of ann: closing day"})
			r.host.Poll()
		}
		time.Sleep(time.Hour)
		skip(first, 8)
		time.Sleep(8 * time.Hour)
		skip(first, 16)
		time.Sleep(time.Minute)
		first.request(claims.Request{Kind: claims.Unskip, Job: "report"})
		first.host.Poll()
		time.Sleep(8 * time.Hour)
		skip(first, 24)
		first.close() // the wish outlives the host
		time.Sleep(10 * time.Hour)
		second := launchEven(t, dir, nil, job)
		time.Sleep(8 * time.Hour)
		second.close()
		golden(t, "skip", first, second)
	})
}

// Another schedule is in force at once. What the old one had due is accounted for, to the last slot; the past of the new one is not fired.
func TestTraceScheduleChange(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		dir := privateDir(t)
		job := Job{Name: "job", Module: Bytes(guest.Exit(0)), Schedule: "0 */2 * * *"}
		paused := Job{Name: "paused", Module: Bytes(guest.Exit(0)), Schedule: "0 */2 * * *"}
		busy := Job{Name: "busy", Module: Bytes(guest.Sleep(3 * time.Hour)), Schedule: "0 */2 * * *", Timeout: Unlimited}
		first := launchEven(t, dir, nil, job, paused, busy)
		time.Sleep(5 * time.Hour)
		first.request(claims.Request{Kind: claims.Pause, Job: "paused", Reason: "holidays"})
		first.host.Poll()
		job.Schedule = "30 */2 * * *"
		first.jobs.Put(job)
		busy.Schedule = "45 * * * *" // while its run of 04:00 goes on, and since the slot of 06:00 will be no more
		first.jobs.Put(busy)
		time.Sleep(3*time.Hour + 5*time.Minute)
		first.close()
		time.Sleep(24 * time.Hour)
		job.Schedule, paused.Schedule, busy.Schedule = "@every 3h", "15 * * * *", "0 0 1 1 *"
		second := launchEven(t, dir, nil, job, paused, busy)
		time.Sleep(7 * time.Hour)
		second.close()
		golden(t, "schedule-change", first, second)
		var missed int64
		for _, s := range second.slotsOf("job") {
			if s.Verdict == claims.Missed {
				missed += s.Count
			}
		}
		if missed != 12 { // each even hour and a half of the day without a host
			t.Errorf("%d slots of the schedule that was given up are on record, want 12", missed)
		}
	})
}

// slotsOf are the slots of a job as of close.
func (r *rig) slotsOf(job string) (of []claims.SlotRow) {
	for _, s := range r.lastSlots {
		if s.Slot.Job == job {
			of = append(of, s)
		}
	}
	return of
}

// After a day without a host forty jobs do not start in one second, and in the order in which they had become due; what is on time
// does not wait for them.
func TestD7CatchUpIsStaggered(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var jobs []Job
		for i := range 40 {
			jobs = append(jobs, Job{Name: fmt.Sprintf("job-%02d", i), Module: Bytes(guest.Exit(0)), Schedule: fmt.Sprintf("%d * * * *", (i*7)%60)})
		}
		jobs = append(jobs, Job{Name: "punctual", Module: Bytes(guest.Exit(0)), Schedule: "3 30 1 * * *"})
		jobs = append(jobs, Job{Name: "often", Module: Bytes(guest.Exit(0)), Schedule: "2,9 * * * * *"})
		dir := privateDir(t)
		first := launchEven(t, dir, nil, jobs...)
		time.Sleep(time.Minute)
		first.close()
		time.Sleep(25*time.Hour + 29*time.Minute) // it is 01:30
		second := launchEven(t, dir, nil, jobs...)
		time.Sleep(20 * time.Second)
		second.close()
		for _, r := range []*rig{first, second} {
			r.drop(func(e Event) bool { return e.Kind == JobAdded || e.Kind == SlotMissed || e.Kind == EndedRun })
		}
		golden(t, "catch-up", first, second)
		last := time.Time{}
		for _, e := range second.events {
			if e.Kind != Started || e.Policy != claims.ByCatchUp {
				continue
			}
			if gap := e.Time.Sub(last); gap < DefaultCatchUp {
				t.Errorf("%s started %s after the one before it", e.Job, gap)
			}
			last = e.Time
		}
	})
}

// A hundred jobs that are late, and room for four: they start in the order in which they were due, as runs end.
func TestCatchUpInDueOrder(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var jobs []Job
		for i := range 100 {
			jobs = append(jobs, Job{
				Name: fmt.Sprintf("job-%03d", (i*37)%100), Module: Bytes(guest.Sleep(time.Duration(1+i%7) * time.Second)), Schedule: fmt.Sprintf("%d %d %d * * *", i%60, i/60, 1),
			})
		}
		dir := privateDir(t)
		four := func(c *Config) { c.MaxRuns = 4 }
		first := launchEven(t, dir, four, jobs...)
		time.Sleep(time.Minute)
		first.close()
		time.Sleep(24 * time.Hour)
		second := launchEven(t, dir, four, jobs...)
		most := 0
		for range 600 {
			time.Sleep(time.Second)
			load, err := second.host.Load(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			most = max(most, load.Running)
		}
		second.close()
		var starts []string
		last := Event{}
		for _, e := range second.events {
			if e.Kind != Started {
				continue
			}
			starts = append(starts, fmt.Sprintf("%s %s", since(e.Time), e.Slot.ID))
			if e.Slot.At.Before(last.Slot.At) && e.Time.After(last.Time) {
				t.Errorf("%s, due %s, started after %s, due %s", e.Job, since(e.Slot.At), last.Job, since(last.Slot.At))
			}
			last = e
		}
		if len(starts) != 100 || most != 4 {
			t.Errorf("%d starts, %d runs at a time:\n%s", len(starts), most, strings.Join(starts, "\n"))
		}
	})
}
