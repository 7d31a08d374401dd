package host

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/internal/guest"
	"github.com/wcron/wcron/output"
)

// deadOwner leaves a claim behind as a process does that was killed after it: no commit, its lock given up, its record still there.
func deadOwner(t *testing.T, dir, job string, now time.Time, deadline time.Time) claims.Token {
	t.Helper()
	s := openStore(t, dir)
	owner, err := claims.Self("dead-one", os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	owner.Started, owner.Seen = now, now
	if _, err := s.Join(t.Context(), now, owner); err != nil {
		t.Fatal(err)
	}
	rows, err := s.Put(t.Context(), now, "default", []claims.Put{{Name: job, Schedule: "@every 1m", Timezone: "UTC", First: now}})
	if err != nil {
		t.Fatal(err)
	}
	answers, err := s.Claim(t.Context(), now, owner.ID, []claims.Claim{{
		Slot: claims.ScheduledSlot(job, now), Attempt: 1, RunID: "01900000-0000-7000-8000-000000000001", From: rows[0].Next,
		Next: now.Add(time.Minute), Deadline: deadline,
	}})
	if err != nil || answers[0].Status != claims.Won {
		t.Fatalf("claim: %+v, %v", answers, err)
	}
	if err := s.Close(); err != nil { // gives the lock up, as the kernel does
		t.Fatal(err)
	}
	return answers[0].Token
}

func TestDeadOwnersRunIsRecoveredAfterTheGrace(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		dir, spool := privateDir(t), filepath.Join(t.TempDir(), "spool")
		if err := os.MkdirAll(spool, 0o700); err != nil {
			t.Fatal(err)
		}
		begun := time.Now().UTC()
		token := deadOwner(t, dir, "job", begun, begun.Add(time.Hour))
		rec := output.New(token.RunID, output.Config{Dir: spool, Inline: 1, After: time.Millisecond})
		rec.Begin()
		if _, err := rec.Write([]byte("half a li")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)

		r := launch(t, dir, func(c *Config) { c.Spool = spool }, Job{Name: "job", Module: Bytes(guest.Greet("x")), Schedule: "@every 1m"})
		r.await("recovery", func() bool { return r.told(Recovered, "job") == 1 })
		if took := time.Since(begun); took < DefaultOrphanGrace || took > DefaultOrphanGrace+1500*time.Millisecond {
			t.Errorf("recovered after %s", took)
		}
		run := r.runs("job")[0]
		if run.Outcome != claims.Orphaned || run.Evidence == "" || !strings.Contains(run.Reason, "dead") {
			t.Errorf("%+v", run)
		}
		if !run.Output.Partial || run.Output.Bytes == 0 {
			t.Errorf("what it had written is not kept: %+v", run.Output)
		}
		time.Sleep(2 * time.Minute)
		if got := outcomes(r.runs("job")); got != "orphaned ok ok" {
			t.Errorf("runs: %s", got)
		}
		r.close()
	})
}

func TestOrphanIsRetriedOnlyWhenAsked(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		dir := privateDir(t)
		now := time.Now().UTC()
		deadOwner(t, dir, "job", now, now.Add(time.Hour))
		r := launch(t, dir, nil, Job{
			Name: "job", Module: Bytes(guest.FailUntil(2)), Schedule: "@every 1m",
			Retry: claims.RetryPolicy{Retries: 1, Min: time.Second, Max: time.Second, On: []string{"orphaned"}},
		})
		time.Sleep(30 * time.Second)
		runs := r.runs("job")
		if got := outcomes(runs); got != "orphaned ok" || runs[0].Attempt != 2 || runs[0].Slot.ID != runs[1].Slot.ID {
			t.Errorf("runs: %s, %+v", got, runs)
		}
		r.close()
	})
}

// An owner that lives is never recovered within its deadline, however silent it is; past it, its late commit is refused and noted.
func TestLiveOwnerKeepsItsRunUntilTheDeadline(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		dir := privateDir(t)
		other := openStore(t, dir)
		defer other.Close()
		now := time.Now().UTC()
		owner, err := claims.Self("stopped-one", os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		owner.Seen = now
		leave, err := other.Join(t.Context(), now, owner)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := other.Put(t.Context(), now, "default", []claims.Put{{Name: "job", Schedule: "@every 1m", Timezone: "UTC", First: now}})
		if err != nil {
			t.Fatal(err)
		}
		deadline := now.Add(10 * time.Minute)
		answers, err := other.Claim(t.Context(), now, owner.ID, []claims.Claim{{
			Slot: claims.ScheduledSlot("job", now), Attempt: 1, RunID: "01900000-0000-7000-8000-000000000002", From: rows[0].Next,
			Next: now.Add(time.Minute), Deadline: deadline,
		}})
		if err != nil || answers[0].Status != claims.Won {
			t.Fatalf("%+v %v", answers, err)
		}
		r := launch(t, dir, nil, Job{Name: "job", Module: Bytes(guest.Greet("x")), Schedule: "@every 1m"})
		time.Sleep(9*time.Minute + 30*time.Second)
		if n := r.told(Recovered, "job"); n != 0 {
			t.Fatal("a live owner's run was recovered within its deadline")
		}
		if got := verdicts(r.slots("job")); got != " skippedx9" && got != " skippedx8" {
			t.Errorf("slots while the other host's run is open: %q", got)
		}
		r.await("recovery", func() bool { return r.told(Recovered, "job") == 1 })
		done, err := other.Finalize(t.Context(), time.Now().UTC(), []claims.Final{{
			Token: answers[0].Token, Outcome: claims.OK, StartedAt: now, EndedAt: time.Now().UTC(),
		}})
		if err != nil || done[0].Status != claims.Fenced {
			t.Errorf("late commit: %+v, %v", done, err)
		}
		runs := r.runs("job")
		if first := runs[len(runs)-1]; first.Outcome != claims.Orphaned || first.Late != claims.OK {
			t.Errorf("%+v", first)
		}
		if err := leave(t.Context(), time.Now().UTC()); err != nil {
			t.Error(err)
		}
		r.close()
	})
}

// A job's lock that is held although no run is recorded belongs to an earlier process that may still act: no run starts beside it.
func TestHeldJobLockSkipsTheSlot(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		dir := privateDir(t)
		other := openStore(t, dir)
		defer other.Close()
		unlock, err := other.LockJob(t.Context(), "job", 0)
		if err != nil {
			t.Fatal(err)
		}
		r := launch(t, dir, nil, Job{Name: "job", Module: Bytes(guest.Greet("x")), Schedule: "@every 1m"})
		time.Sleep(3 * time.Minute)
		if n := len(r.runs("job")); n != 0 {
			t.Errorf("%d runs beside an earlier process", n)
		}
		slots := r.slots("job")
		if len(slots) == 0 || slots[0].Verdict != claims.Skipped || !strings.Contains(slots[0].Reason, "earlier process") {
			t.Errorf("slots: %+v", slots)
		}
		unlock()
		time.Sleep(2 * time.Minute)
		if got := outcomes(r.runs("job")); !strings.HasPrefix(got, "ok") {
			t.Errorf("runs: %s", got)
		}
		r.close()
	})
}

func TestTwoHostsOnOneStore(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		dir := privateDir(t)
		var jobs []Job
		for _, name := range []string{"a", "b", "c", "d"} {
			jobs = append(jobs, Job{Name: name, Module: Bytes(guest.Greet(name)), Schedule: "* * * * * *"})
		}
		one := launch(t, dir, nil, jobs...)
		two := launch(t, dir, nil, jobs...)
		time.Sleep(20*time.Second + 500*time.Millisecond)
		seen := map[string]bool{}
		for _, run := range one.runs("") {
			if seen[run.Slot.ID] {
				t.Errorf("slot %s has two runs", run.Slot.ID)
			}
			seen[run.Slot.ID] = true
			if run.Outcome != claims.OK {
				t.Errorf("%s: %s %s", run.Slot.ID, run.Outcome, run.Reason)
			}
		}
		if len(seen) < 4*19 {
			t.Errorf("%d slots ran", len(seen))
		}
		for _, s := range one.slots("") {
			if s.Verdict != "ok" {
				t.Errorf("slot %s: %s %s", s.Slot.ID, s.Verdict, s.Reason)
			}
		}
		one.close()
		two.close()
	})
}

func TestOnlyRunsOnePendingSlot(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		dir := privateDir(t)
		s := openStore(t, dir)
		now := time.Now().UTC()
		if _, err := s.Put(t.Context(), now, "default", []claims.Put{{Name: "job"}, {Name: "other", Schedule: "@every 1s", Timezone: "UTC", First: now}}); err != nil {
			t.Fatal(err)
		}
		if err := s.Request(t.Context(), now, claims.Request{Kind: claims.Trigger, Job: "job", ID: "x", Input: []byte(`{"a":1}`)}); err != nil {
			t.Fatal(err)
		}
		h, err := New(Config{Store: s, Only: claims.ManualSlot("job", now, "x").ID, Jobs: NewJobs(
			Job{Name: "job", Module: Bytes(guest.Echo())}, Job{Name: "other", Module: Bytes(guest.Echo()), Schedule: "@every 1s"})})
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		runs, err := s.Runs(t.Context(), claims.RunQuery{})
		if err != nil || len(runs) != 1 || runs[0].Job != "job" || runs[0].Outcome != claims.OK {
			t.Errorf("runs %+v, %v", runs, err)
		}
		s.Close()
	})
}

func TestOnlyEndsWhenItsJobCannotRunOrAnotherHostTookIt(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := openStore(t, privateDir(t))
		defer s.Close()
		now := time.Now().UTC()
		if _, err := s.Put(t.Context(), now, "default", []claims.Put{{Name: "bad"}, {Name: "good"}}); err != nil {
			t.Fatal(err)
		}
		bad := Job{Name: "bad", Module: Bytes([]byte("no module"))}
		good := Job{Name: "good", Module: Bytes(guest.Sleep(10 * time.Second))}
		only := func(job Job) error {
			t.Helper()
			if err := s.Request(t.Context(), now, claims.Request{Kind: claims.Trigger, Job: job.Name, ID: "x"}); err != nil {
				t.Fatal(err)
			}
			h, err := New(Config{Store: s, Only: claims.ManualSlot(job.Name, now, "x").ID, Jobs: NewJobs(job)})
			if err != nil {
				t.Fatal(err)
			}
			return h.Run(context.Background())
		}
		if err := only(bad); err == nil || !strings.Contains(err.Error(), "cannot run") {
			t.Errorf("a job that cannot run: %v", err)
		}
		unlock, err := s.LockJob(t.Context(), "good", 0) // so that this host loses the race
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			time.Sleep(3 * time.Second)
			_, err := s.Claim(context.Background(), time.Now().UTC(), "another", []claims.Claim{{
				Slot: claims.ManualSlot("good", now, "x"), Attempt: 1, RunID: "01900000-0000-7000-8000-000000000003",
			}})
			if err != nil {
				t.Error(err)
			}
		}()
		if err := only(good); err != nil {
			t.Errorf("a slot that another host took: %v", err)
		}
		unlock()
	})
}
