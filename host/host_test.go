package host

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/internal/guest"
)

func TestRunsCarryOutputAndHistory(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		dir := privateDir(t)
		r := launch(t, dir, nil, Job{Name: "greet", Module: Bytes(guest.Greet("hello")), Schedule: "@every 1s"})
		time.Sleep(10*time.Second + 500*time.Millisecond)
		runs := r.runs("greet")
		if got, want := outcomes(runs), strings.TrimSpace(strings.Repeat("ok ", len(runs))); got != want || len(runs) < 9 || len(runs) > 10 {
			t.Errorf("runs: %s", got)
		}
		for _, run := range runs {
			if late := run.StartedAt.Sub(run.Slot.At); late != 0 {
				t.Errorf("run of %s started %s late on a virtual clock", run.Slot.ID, late)
			}
			out, err := r.store.Output(t.Context(), run.RunID)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(out)
			out.Close()
			if err != nil || string(text) != "hello\n" {
				t.Errorf("output %q, %v", text, err)
			}
		}
		r.close()
	})
}

func TestWedgedJobDelaysNobody(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := launch(t, privateDir(t), nil,
			Job{Name: "greet", Module: Bytes(guest.Greet("hello")), Schedule: "@every 1s"},
			Job{Name: "wedged", Module: Bytes(guest.Sleep(time.Hour)), Schedule: "@every 1s", Timeout: 3 * time.Second},
		)
		time.Sleep(9*time.Second + 500*time.Millisecond)
		if got := outcomes(r.runs("greet")); strings.Count(got, "ok") < 8 || strings.Contains(got, "failed") {
			t.Errorf("greet: %s", got)
		}
		wedged := r.runs("wedged")
		if got := outcomes(wedged); !strings.HasPrefix(got, "timeout/deadline timeout/deadline") {
			t.Errorf("wedged: %s", got)
		}
		for _, run := range wedged {
			if run.Outcome == claims.Timeout && run.EndedAt.Sub(run.StartedAt) != 3*time.Second {
				t.Errorf("killed after %s", run.EndedAt.Sub(run.StartedAt))
			}
		}
		if got := verdicts(r.slots("wedged")); !strings.HasPrefix(got, "timeout skippedx") {
			t.Errorf("slots of wedged: %s", got)
		}
		for _, s := range r.slots("wedged") {
			if s.Verdict == claims.Skipped && !strings.Contains(s.Reason, "still running") {
				t.Errorf("skipped without a reason that helps: %q", s.Reason)
			}
		}
		r.close()
	})
}

func TestRetries(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := launch(t, privateDir(t), nil, Job{
			Name: "flaky", Module: Bytes(guest.FailUntil(3)), Schedule: "@every 1m",
			Retry: claims.RetryPolicy{Retries: 2, Min: 2 * time.Second, Max: 4 * time.Second, On: []string{"failed"}},
		})
		time.Sleep(80 * time.Second)
		runs := r.runs("flaky")
		if got := outcomes(runs); got != "failed/exit failed/exit ok" {
			t.Errorf("attempts: %s", got)
		}
		if got := verdicts(r.slots("flaky")); got != "ok" {
			t.Errorf("slots: %s", got)
		}
		for _, run := range runs {
			if run.Slot.ID != runs[0].Slot.ID {
				t.Errorf("attempt of another slot: %s", run.Slot.ID)
			}
		}
		r.close()
	})
}

func TestBacklogCollapsesIntoOneRun(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		dir := privateDir(t)
		job := Job{Name: "hourly", Module: Bytes(guest.Echo()), Schedule: "0 * * * *"}
		r := launch(t, dir, nil, job)
		time.Sleep(90 * time.Minute)
		r.close()
		time.Sleep(24 * time.Hour)
		r = launch(t, dir, nil, job)
		time.Sleep(5 * time.Second)
		runs := r.runs("hourly")
		if got := outcomes(runs); got != "ok ok" {
			t.Fatalf("runs: %s", got)
		}
		if runs[0].StandsFor != 23 {
			t.Errorf("stands for %d slots, want 23", runs[0].StandsFor)
		}
		if got := verdicts(r.slots("hourly")); got != "ok missedx23 ok" {
			t.Errorf("slots: %s", got)
		}
		out, err := r.store.Output(t.Context(), runs[0].RunID)
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		if event, _ := io.ReadAll(out); !bytes.Contains(event, []byte(`"missed":23`)) {
			t.Errorf("the guest was not told: %s", event)
		}
		r.close()
	})
}

func TestMaxRunsStartsInDueOrder(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		slow := Bytes(guest.Sleep(10 * time.Second))
		r := launch(t, privateDir(t), func(c *Config) { c.MaxRuns = 2 },
			Job{Name: "a", Module: slow, Schedule: "0 10 * * * *"},
			Job{Name: "b", Module: slow, Schedule: "1 10 * * * *"},
			Job{Name: "c", Module: slow, Schedule: "2 10 * * * *"},
			Job{Name: "d", Module: slow, Schedule: "3 10 * * * *"},
		)
		time.Sleep(10*time.Minute + 30*time.Second)
		r.close()
		start := map[string]time.Time{}
		for _, run := range r.lastRuns {
			start[run.Job] = run.StartedAt
			if run.Outcome != claims.OK {
				t.Errorf("%s: %s", run.Job, run.Outcome)
			}
		}
		if len(start) != 4 {
			t.Fatalf("%d jobs ran", len(start))
		}
		if c := start["c"].Sub(start["a"]); c != 10*time.Second {
			t.Errorf("c started %s after a: not when a's slot was free", c)
		}
		if d := start["d"].Sub(start["b"]); d != 10*time.Second {
			t.Errorf("d started %s after b", d)
		}
	})
}

func TestRemovedWhileRunningIsDiscarded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := launch(t, privateDir(t), nil, Job{Name: "slow", Module: Bytes(guest.Sleep(10 * time.Second)), Schedule: "@every 5s"})
		r.await("the start", func() bool { return r.told(Started, "slow") == 1 })
		r.jobs.Remove("slow")
		time.Sleep(time.Minute)
		if got := outcomes(r.runs("slow")); got != "discarded" {
			t.Errorf("runs: %s", got)
		}
		r.close()
	})
}

func TestPauseAndResume(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := launch(t, privateDir(t), nil, Job{Name: "greet", Module: Bytes(guest.Greet("x")), Schedule: "@every 1m"})
		time.Sleep(150 * time.Second)
		r.request(claims.Request{Kind: claims.Pause, Job: "greet", Reason: "holiday"})
		time.Sleep(10 * time.Minute)
		r.request(claims.Request{Kind: claims.Trigger, Job: "greet", ID: "one"})
		time.Sleep(2 * time.Second)
		r.request(claims.Request{Kind: claims.Resume, Job: "greet"})
		time.Sleep(2 * time.Minute)
		var manual int
		for _, run := range r.runs("greet") {
			if run.Slot.Kind == claims.Manual {
				manual++
			}
		}
		if manual != 1 {
			t.Errorf("%d manual runs of a paused job, want 1", manual)
		}
		if got := verdicts(r.slots("greet")); got != "ok ok skippedx10 ok ok ok" && got != "ok ok ok skippedx10 ok ok" {
			t.Errorf("slots: %s", got)
		}
		r.close()
	})
}

func TestManualTriggerIsNotLostWhenBusy(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		slow := Bytes(guest.Sleep(20 * time.Second))
		r := launch(t, privateDir(t), func(c *Config) { c.MaxRuns = 1 },
			Job{Name: "slow", Module: slow}, Job{Name: "other", Module: slow})
		r.await("registration", func() bool { return r.told(JobAdded, "slow") == 1 && r.told(JobAdded, "other") == 1 })
		r.request(claims.Request{Kind: claims.Trigger, Job: "slow", ID: "1"})
		r.request(claims.Request{Kind: claims.Trigger, Job: "slow", ID: "2"})
		r.request(claims.Request{Kind: claims.Trigger, Job: "other", ID: "3"})
		time.Sleep(70 * time.Second)
		if a, b := outcomes(r.runs("slow")), outcomes(r.runs("other")); a != "ok ok" || b != "ok" {
			t.Errorf("slow: %s; other: %s", a, b)
		}
		r.close()
	})
}

func TestCancel(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := launch(t, privateDir(t), nil, Job{Name: "slow", Module: Bytes(guest.Sleep(time.Hour)), Schedule: "@every 10s", Timeout: Unlimited})
		r.await("the start", func() bool { return r.told(Started, "slow") == 1 })
		asked := time.Now()
		r.request(claims.Request{Kind: claims.Cancel, RunID: r.runs("slow")[0].RunID, By: "test"})
		r.await("the end", func() bool { return r.told(EndedRun, "slow") == 1 })
		if took := time.Since(asked); took > time.Second {
			t.Errorf("the owner acted after %s", took)
		}
		if runs := r.runs("slow"); runs[len(runs)-1].Cause != claims.Cancelled {
			t.Errorf("runs: %s", outcomes(runs))
		}
		r.close()
	})
}

func TestDrainWaitsThenKills(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := launch(t, privateDir(t), func(c *Config) { c.DrainTimeout = 10 * time.Second },
			Job{Name: "short", Module: Bytes(guest.Sleep(5 * time.Second)), Schedule: "@every 20s"},
			Job{Name: "long", Module: Bytes(guest.Sleep(time.Hour)), Schedule: "@every 20s", Timeout: 2 * time.Hour},
		)
		r.await("both", func() bool { return r.told(Started, "short") == 1 && r.told(Started, "long") == 1 })
		begun := time.Now()
		r.close()
		if took := time.Since(begun); took < 9*time.Second || took > 11*time.Second {
			t.Errorf("the drain took %s", took)
		}
		if got := outcomes(r.lastRuns); !strings.Contains(got, "ok") || !strings.Contains(got, "killed/shutdown") {
			t.Errorf("runs: %s", got)
		}
	})
}

func TestExit78DisablesUntilChanged(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := launch(t, privateDir(t), nil, Job{Name: "conf", Module: Bytes(guest.Exit(78)), Schedule: "@every 1m"})
		time.Sleep(5 * time.Minute)
		if got := outcomes(r.runs("conf")); got != "failed/exit" {
			t.Errorf("runs: %s", got)
		}
		if got := verdicts(r.slots("conf")); got != "failed skippedx4" && got != "failed skippedx3" {
			t.Errorf("slots: %s", got)
		}
		status, err := r.host.Status(t.Context())
		if err != nil || len(status) != 1 || status[0].State != Disabled {
			t.Errorf("status %+v, %v", status, err)
		}
		r.jobs.Put(Job{Name: "conf", Module: Bytes(guest.Exit(0)), Schedule: "@every 1m"})
		time.Sleep(3 * time.Minute)
		if got := outcomes(r.runs("conf")); !strings.HasPrefix(got, "failed/exit ok ok") {
			t.Errorf("runs: %s", got)
		}
		r.close()
	})
}

func TestRepeatClosesTheJob(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := launch(t, privateDir(t), nil, Job{Name: "thrice", Module: Bytes(guest.Exit(1)), Schedule: "@every 1m", Repeat: 3})
		time.Sleep(10 * time.Minute)
		if got := outcomes(r.runs("thrice")); got != "failed/exit failed/exit failed/exit" {
			t.Errorf("runs: %s", got)
		}
		r.close()
	})
}

func TestBrokenJobsStarveNobody(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := launch(t, privateDir(t), nil,
			Job{Name: "bytes", Module: Bytes([]byte("no module")), Schedule: "@every 1s"},
			Job{Name: "entry", Module: Bytes(guest.NoEntry()), Schedule: "@every 1s"},
			Job{Name: "imports", Module: Bytes(guest.ImportUnknown()), Schedule: "@every 1s"},
			Job{Name: "load", Module: Module{Digest: "x", Load: func() ([]byte, error) { return nil, errors.New("gone") }}, Schedule: "@every 1s"},
			Job{Name: "panics", Module: Module{Digest: "y", Load: func() ([]byte, error) { panic("at the disk") }}, Schedule: "@every 1s"},
			Job{Name: "schedule", Module: Bytes(guest.Greet("x")), Schedule: "never ever"},
			Job{Name: "zone", Module: Bytes(guest.Greet("x")), Schedule: "@hourly", Timezone: "Mars/Olympus"},
			Job{Name: "greedy", Module: Bytes(guest.MemoryMin(2000)), Schedule: "@every 1s"},
			Job{Name: "said", Module: Bytes(guest.Greet("x")), Schedule: "@every 1s", Broken: "its source says so"},
			Job{Name: "fine", Module: Bytes(guest.Greet("x")), Schedule: "@every 1s"},
		)
		time.Sleep(5*time.Second + 500*time.Millisecond)
		if got := outcomes(r.runs("fine")); strings.Count(got, "ok") < 4 {
			t.Errorf("fine: %s", got)
		}
		status, err := r.host.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range status {
			if s.Job.Name != "fine" && (s.State != Broken || s.Reason == "") {
				t.Errorf("%s: %s (%s)", s.Job.Name, s.State, s.Reason)
			}
		}
		r.close()
	})
}

// What nobody has let run is not broken, and is told as what it is.
func TestJobsThatNobodyLetsRun(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		hello := Bytes(guest.Greet("x"))
		r := launch(t, privateDir(t), nil,
			Job{Name: "waits", Module: hello, Schedule: "@every 1s", Broken: "it waits for approval; run wcron approve waits", Withheld: Pending},
			Job{Name: "denied", Module: hello, Schedule: "@every 1s", Broken: "it was denied by ann", Withheld: Denied},
			Job{Name: "unfit", Module: hello, Schedule: "never ever", Withheld: Pending},
		)
		time.Sleep(2500 * time.Millisecond)
		if r.told(JobPending, "waits") != 1 || r.told(JobDenied, "denied") != 1 || r.told(JobBroken, "waits")+r.told(JobBroken, "denied") != 0 || r.told(JobBroken, "unfit") != 1 {
			t.Errorf("events: %d pending, %d denied, %d broken", r.told(JobPending, "waits"), r.told(JobDenied, "denied"), r.told(JobBroken, "unfit"))
		}
		status, err := r.host.Status(t.Context())
		if err != nil || status[0].State != Denied || status[1].State != Broken || status[2].State != Pending || status[2].Reason != "it waits for approval; run wcron approve waits" {
			t.Errorf("%+v %v", status, err)
		}
		if r.told(SlotSkipped, "waits") == 0 || r.told(Started, "waits") != 0 {
			t.Error("its slots are not skipped")
		}
		r.jobs.Put(Job{Name: "waits", Module: hello, Schedule: "@every 1s"}) // the operator has approved it
		time.Sleep(3 * time.Second)
		if r.told(Started, "waits") == 0 {
			t.Error("it does not run once it is let")
		}
		r.close()
	})
}

func TestReplacedModuleServesFromTheNextRun(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		dir := privateDir(t)
		r := launch(t, dir, nil, Job{Name: "job", Module: Bytes(guest.Sleep(5 * time.Second)), Schedule: "@every 10s"})
		r.await("the first start", func() bool { return r.told(Started, "job") == 1 })
		r.jobs.Put(Job{Name: "job", Module: Bytes(guest.Exit(3)), Schedule: "@every 10s"})
		time.Sleep(15 * time.Second)
		if got := outcomes(r.runs("job")); !strings.HasPrefix(got, "ok failed/exit") {
			t.Errorf("runs: %s", got)
		}
		r.jobs.Put(Job{Name: "job", Module: Bytes([]byte("broken update")), Schedule: "@every 10s"})
		time.Sleep(10 * time.Second)
		status, err := r.host.Status(t.Context())
		if err != nil || status[0].State != Active || !strings.Contains(status[0].Reason, "earlier module") {
			t.Errorf("status %+v, %v", status, err)
		}
		r.close()
	})
}

// A year of daily slots in Toronto is at 09:00 on each of its days.
func TestNineInTorontoForAYear(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		toronto, err := time.LoadLocation("America/Toronto")
		if err != nil {
			t.Fatal(err)
		}
		slow := func(c *Config) {
			c.rhythm = rhythm{wait: time.Hour, poll: time.Hour, renew: time.Hour, recover: time.Hour}
		}
		r := launch(t, privateDir(t), slow,
			Job{Name: "daily", Module: Bytes(guest.Exit(0)), Schedule: "0 9 * * *", Timezone: "America/Toronto"})
		time.Sleep(366 * 24 * time.Hour)
		runs := r.runs("daily")
		if len(runs) != 366 {
			t.Errorf("%d runs in the 366 days of that year", len(runs))
		}
		for _, run := range runs {
			if local := run.StartedAt.In(toronto); local.Hour() != 9 || local.Minute() != 0 {
				t.Errorf("ran at %s", local)
			}
		}
		r.close()
	})
}

// An output that is too long to travel with the commit is a file: it is there, whole, when the outcome is.
func TestLongOutput(t *testing.T) {
	line := strings.Repeat("long ", 800) + "\n"
	for _, spooled := range []bool{true, false} {
		t.Run(fmt.Sprintf("spooled %t", spooled), func(t *testing.T) {
			spool := ""
			if spooled {
				spool = privateDir(t)
			}
			r := launch(t, privateDir(t), func(c *Config) { c.Spool = spool },
				Job{Name: "flood", Module: Bytes(guest.FloodOf(line)), Schedule: "@every 1s", Timeout: 50 * time.Millisecond, Output: 300 << 10})
			r.await("two runs", func() bool { return r.told(EndedRun, "flood") >= 2 })
			r.close() // its audit reads every output back
			for _, run := range r.lastRuns {
				if run.Outcome != claims.Timeout || run.Output.Bytes < 200<<10 || run.Output.Bytes > 300<<10 || run.Output.Cut == 0 {
					t.Errorf("%s/%s %s: %+v", run.Outcome, run.Cause, run.Reason, run.Output)
				}
			}
			if spooled {
				if left, err := os.ReadDir(spool); err != nil || len(left) > 0 {
					t.Errorf("left in the spool: %v %v", left, err)
				}
			}
		})
	}
}
