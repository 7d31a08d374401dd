//go:build unix

package main

import (
	"context"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/internal/guest"
)

const eachSecond = "schedule = \"@every 1s\"\n"

func ended(o claims.Outcome) func(claims.Run) bool {
	return func(r claims.Run) bool { return r.Outcome == o }
}

// TestServeFollowsTheFiles holds the promise of a plugin folder: what is put there runs, what is replaced is replaced, what is
// removed is gone, and a broken configuration changes nothing.
func TestServeFollowsTheFiles(t *testing.T) {
	t.Parallel()
	h := newHome(t, "")
	p := h.serve()
	s := h.store()
	if !p.logs("msg=serving", "plugins="+h.path("plugins"), "jobs=0", "zone=", "zone_from=", "socket=") {
		t.Errorf("the first line does not say what is served:\n%s", p.text())
	}

	h.drop("greet", guest.Greet("first"), eachSecond)
	first := h.awaitRun(s, "greet", "that is ok", ended(claims.OK))
	if got := h.output(s, first); got != "first\n" {
		t.Errorf("output %q", got)
	}
	h.drop("greet", guest.Greet("second"), eachSecond)
	second := h.awaitRun(s, "greet", "of other bytes", func(r claims.Run) bool { return r.Outcome == claims.OK && r.Digest != first.Digest })
	if got := h.output(s, second); got != "second\n" {
		t.Errorf("output %q", got)
	}

	p.signal(syscall.SIGHUP)
	p.awaitLog("msg=reloaded", "jobs=1", "problems=0")

	h.configure("max_runs = \"many\"\n")
	p.awaitLog("level=WARN", "msg=problem", "wcron.toml", "line=1", "max_runs")
	seen := len(h.runs(s, "greet"))
	h.await("runs go on with the last good configuration", func() bool { return len(h.runs(s, "greet")) >= seen+2 })
	p.signal(syscall.SIGHUP)
	p.awaitLog("msg=reloaded", "problems=1")
	if n := strings.Count(p.text(), "msg=problem "); n != 1 {
		t.Errorf("the problem is logged %d times", n)
	}
	h.configure("max_runs = 7\ndrain_timeout = \"5s\"\n")
	p.awaitLog("msg=problem_gone", "max_runs")
	p.awaitLog("msg=restart_needed", "max_runs drain_timeout")

	if err := os.Remove(h.path("plugins", "greet.wasm")); err != nil {
		t.Fatal(err)
	}
	h.await("the job is removed", func() bool {
		j, err := s.Job(context.Background(), "greet")
		return err == nil && !j.Removed.IsZero()
	})
	p.stop()
	if !p.logs("msg=host_stopped") {
		t.Errorf("no orderly end:\n%s", p.text())
	}
	h.audit(s)
	if left, _ := os.ReadDir(h.path("state", "spool")); len(left) > 0 {
		t.Errorf("the spool is left: %v", left)
	}
}

// TestServeDrains: the first signal waits for the runs in flight, the second one does not.
func TestServeDrains(t *testing.T) {
	t.Parallel()
	h := newHome(t, "drain_timeout = \"10m\"\n")
	h.drop("short", guest.Sleep(1500_000_000), eachSecond)
	p := h.serve()
	s := h.store()
	run := h.awaitRun(s, "short", "in flight", ended(claims.Running))
	p.stop()
	if got := h.awaitRun(s, "short", "that ended", func(r claims.Run) bool { return r.RunID == run.RunID }); got.Outcome != claims.OK {
		t.Errorf("the run that was in flight is %s (%s)", got.Outcome, got.Reason)
	}

	h.drop("short", guest.Spin(), eachSecond+"timeout = \"1h\"\n")
	p = h.serve()
	run = h.awaitRun(s, "short", "that spins", ended(claims.Running))
	p.signal(syscall.SIGTERM)
	p.awaitLog("msg=host_draining")
	select {
	case <-p.ended:
		t.Fatal("the host did not wait for its run")
	default:
	}
	p.signal(syscall.SIGTERM)
	if code := p.exit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	got := h.awaitRun(s, "short", "that ended", func(r claims.Run) bool { return r.RunID == run.RunID })
	if got.Outcome != claims.Killed || got.Cause != claims.Shutdown {
		t.Errorf("the run that was in flight is %s, %s", got.Outcome, got.Cause)
	}
	h.audit(s)
}

// TestServeAfterKill: what a killed host had in flight is recovered with evidence, once, and the schedule goes on.
func TestServeAfterKill(t *testing.T) {
	t.Parallel()
	h := newHome(t, "orphan_grace = \"1s\"\n")
	for _, name := range []string{"one", "two"} {
		h.drop(name, guest.Sleep(3600_000_000_000), "schedule = \"@every 1s\"\ntimeout = \"1h\"\n")
	}
	h.drop("greet", guest.Greet("hi"), eachSecond)
	p := h.serve()
	s := h.store()
	var flying []claims.Run
	for _, name := range []string{"one", "two"} {
		flying = append(flying, h.awaitRun(s, name, "in flight", ended(claims.Running)))
	}
	h.awaitRun(s, "greet", "that is ok", ended(claims.OK))
	p.signal(syscall.SIGKILL)
	p.exit()

	before := len(h.runs(s, "greet"))
	p = h.serve()
	for _, run := range flying {
		got := h.awaitRun(s, run.Job, "that is recovered", func(r claims.Run) bool { return r.RunID == run.RunID && r.Outcome != claims.Running })
		if got.Outcome != claims.Orphaned || got.Evidence == "" || got.Reason == "" {
			t.Errorf("run of %s: %s, reason %q, evidence %q", run.Job, got.Outcome, got.Reason, got.Evidence)
		}
		h.awaitRun(s, run.Job, "of a later slot", func(r claims.Run) bool { return r.RunID != run.RunID })
	}
	h.await("the next slots run", func() bool { return len(h.runs(s, "greet")) >= before+2 })
	sockets := 0
	if files, err := os.ReadDir(h.path("state", "owners")); err == nil {
		for _, f := range files {
			if strings.HasSuffix(f.Name(), ".sock") {
				sockets++
			}
		}
	}
	if sockets > 1 {
		t.Errorf("%d sockets are left, and one host runs", sockets)
	}
	p.signal(syscall.SIGTERM)
	p.awaitLog("msg=host_draining")
	p.signal(syscall.SIGTERM)
	p.exit()
	h.audit(s)
}

// TestTwoServes: two hosts on one folder never run a slot twice.
func TestTwoServes(t *testing.T) {
	t.Parallel()
	h := newHome(t, "")
	names := []string{"a", "b", "c", "d"}
	for _, name := range names {
		h.drop(name, guest.Hello(), eachSecond)
	}
	p, q := h.serve(), h.serve()
	s := h.store()
	h.await("five runs of each job", func() bool {
		for _, name := range names {
			if len(h.runs(s, name)) < 5 {
				return false
			}
		}
		return true
	})
	p.stop()
	before := len(h.runs(s, "a"))
	h.await("the other host goes on alone", func() bool { return len(h.runs(s, "a")) >= before+2 })
	q.stop()
	slots, err := s.Slots(context.Background(), claims.SlotQuery{Limit: -1})
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, slot := range slots {
		switch {
		case slot.Verdict == claims.Missed && len(slot.RunIDs) == 0: // the machine was busy, and it is on record
		case slot.Verdict != claims.Verdict(claims.OK) || len(slot.RunIDs) != 1:
			t.Errorf("slot %s: verdict %q (%s), runs %v", slot.Slot.ID, slot.Verdict, slot.Reason, slot.RunIDs)
		default:
			ran++
		}
	}
	if ran < 5*len(names) {
		t.Errorf("%d slots ran", ran)
	}
	h.audit(s)
}
