//go:build unix

package main

import (
	"context"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/claims/sqlitestore"
	"github.com/wcron/wcron/internal/guest"
)

// TestKilledHostsRunsAreRecoveredByAnother: kill -9 of a host with three runs in flight, and a second host on the folder recovers
// all three once they are orphan_grace old, within a second or so, each once, with the evidence in history.
func TestKilledHostsRunsAreRecoveredByAnother(t *testing.T) {
	t.Parallel()
	const grace = 2 * time.Second
	const busy = 2 * time.Second                                          // what a machine that does other things may take besides
	h := newHome(t, "orphan_grace = \"2s\"\ndrain_timeout = \"100ms\"\n") // what runs then lasts an hour
	names := []string{"one", "two", "three"}
	for _, name := range names {
		h.drop(name, guest.Sleep(time.Hour), "schedule = \"@every 1s\"\ntimeout = \"2h\"\n")
	}
	p := h.serve()
	s := h.store()
	var flying []claims.Run
	for _, name := range names {
		flying = append(flying, h.awaitRun(s, name, "in flight", ended(claims.Running)))
	}
	q := h.serve()
	p.signal(syscall.SIGKILL)
	p.exit()
	killed := time.Now()
	for _, run := range flying {
		got := h.awaitRun(s, run.Job, "that is recovered", func(r claims.Run) bool { return r.RunID == run.RunID && r.Outcome != claims.Running })
		if got.Outcome != claims.Orphaned || !strings.Contains(got.Evidence, "lock was free") || !strings.Contains(got.Reason, "dead") {
			t.Errorf("run of %s: %s, reason %q, evidence %q", run.Job, got.Outcome, got.Reason, got.Evidence)
		}
		ripe := run.ClaimedAt.Add(grace)
		if ripe.Before(killed) {
			ripe = killed
		}
		late := got.EndedAt.Sub(ripe)
		t.Logf("%s was recovered %s after its grace", run.Job, late.Round(time.Millisecond))
		if got.EndedAt.Before(run.ClaimedAt.Add(grace)) || late > time.Second+busy {
			t.Errorf("run of %s: claimed at %s, owner killed at %s, recovered at %s", run.Job, run.ClaimedAt, killed, got.EndedAt)
		}
	}
	for _, name := range names {
		n := 0
		for _, r := range h.runs(s, name) {
			if r.Outcome == claims.Orphaned {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d orphans of %s", n, name)
		}
		out := squeeze(h.at(0, "history", name))
		if n := strings.Count(out, "orphaned"); n != 1 {
			t.Errorf("history tells of %d orphans:\n%s", n, out)
		}
		contains(t, out, "the owner is dead", "evidence: ", "lock was free")
	}
	h.await("three lines of the log", func() bool { return strings.Count(q.text(), "msg=recovered") == 3 })
	q.stop()
	if n := strings.Count(q.text(), "msg=recovered"); n != 3 {
		t.Errorf("%d lines tell of a recovery", n)
	}
	h.audit(s)
}

// counted is the state that guest.Counter keeps for a job: which run wrote it, and how many have.
func (h home) counted(s *sqlitestore.Store, job string) (run string, n int) {
	h.t.Helper()
	entries, _, err := s.State(context.Background(), job)
	if err != nil {
		h.t.Fatal(err)
	}
	values := map[string][]byte{}
	for _, e := range entries {
		values[e.Key] = e.Value
	}
	if run, n, err = guest.ReadCount(values[guest.CountBy], values[guest.CountN]); err != nil {
		h.t.Fatal(err)
	}
	return run, n
}

// TestStoppedHostCommitsNothing: a host that is stopped past its run's deadline loses the run to another host. When it goes on, its
// commit is refused, nothing of the record or of the state changes, the log says so once, and no other run of the job acted
// meanwhile. The next run reads the state that the run before the lost one has left.
func TestStoppedHostCommitsNothing(t *testing.T) {
	t.Parallel()
	h := newHome(t, "commit_grace = \"500ms\"\norphan_grace = \"500ms\"\n")
	h.drop("slow", guest.Counter(1500*time.Millisecond), "schedule = \"@every 3s\"\ntimeout = \"2s\"\nstart_timeout = \"1s\"\n")
	p := h.serve()
	s := h.store()
	first := h.awaitRun(s, "slow", "that is ok", ended(claims.OK))
	run := h.awaitRun(s, "slow", "in flight", ended(claims.Running))
	p.awaitLog("msg=started", run.RunID) // the claim is behind it, so it does not hold the short lock
	p.signal(syscall.SIGSTOP)
	q := h.serve()
	got := h.awaitRun(s, "slow", "that is recovered", func(r claims.Run) bool { return r.RunID == run.RunID && r.Outcome != claims.Running })
	if got.Outcome != claims.Orphaned || !strings.Contains(got.Reason, "deadline") || got.EndedAt.Before(run.Deadline) {
		t.Fatalf("run %s: %s at %s, deadline %s, reason %q", run.RunID, got.Outcome, got.EndedAt, run.Deadline, got.Reason)
	}
	// The job's lock is the stopped host's: the next slots do not run.
	q.awaitLog("msg=skipped", "an earlier process may still act")
	if n := len(h.runs(s, "slow")); n != 2 {
		t.Errorf("%d runs of the job while the guest of its second one may still act", n)
	}
	if by, n := h.counted(s, "slow"); by != first.RunID || n != 1 {
		t.Errorf("before the stopped host goes on the state is %d by %s, want 1 by %s", n, by, first.RunID)
	}
	p.signal(syscall.SIGCONT)
	p.awaitLog("msg=late_result", run.RunID)
	after := h.awaitRun(s, "slow", "with its note", func(r claims.Run) bool { return r.RunID == run.RunID && !r.LateAt.IsZero() })
	if after.Outcome != claims.Orphaned || !after.EndedAt.Equal(got.EndedAt) || after.Reason != got.Reason {
		t.Errorf("the late commit changed the record: %+v, before: %+v", after, got)
	}
	by, n := h.counted(s, "slow")
	if runs := h.runs(s, "slow"); len(runs) == 2 && (by != first.RunID || n != 1) { // no other run was claimed meanwhile
		t.Errorf("after the late commit the state is %d by %s, want 1 by %s", n, by, first.RunID)
	}
	later := h.awaitRun(s, "slow", "of a later slot that is ok", func(r claims.Run) bool { return r.Seq > run.Seq && r.Outcome == claims.OK })
	if by, n = h.counted(s, "slow"); by != later.RunID || n != 2 { // the one after it takes 1.5 s and more
		t.Errorf("the next run left %d by %s, want 2 by %s", n, by, later.RunID)
	}
	contains(t, h.at(0, "history", "slow"), "orphaned", "the deadline passed", "a late result (", "was not committed")
	p.stop()
	q.stop()
	if n := strings.Count(p.text()+q.text(), "msg=late_result"); n != 1 {
		t.Errorf("%d lines tell of the late result", n)
	}
	h.audit(s)
}
