//go:build unix

package main

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/internal/guest"
)

// A stopped host with a run that has no deadline: it lives, so nothing takes its run away; but that it is silent for longer than the
// lease is said once, with the way out. Continued, it goes on as if nothing had been.
func TestSilentHostIsReported(t *testing.T) {
	t.Parallel()
	h := newHome(t, "lease = \"1s\"\norphan_grace = 0\ndrain_timeout = \"100ms\"\n[caps]\ntimeout = 0\n")
	h.drop("endless", guest.Sleep(time.Hour), "schedule = \"@every 1s\"\ntimeout = 0\n")
	p := h.serve()
	s := h.store()
	run := h.awaitRun(s, "endless", "in flight", ended(claims.Running))
	p.awaitLog("msg=started", run.RunID)
	p.signal(syscall.SIGSTOP)
	q := h.serve()
	q.awaitLog("msg=stalled", run.RunID, "wcron cancel --force "+run.RunID, "its lock is held")
	time.Sleep(3 * time.Second) // several times the lease and the grace for dead owners
	if r := h.runs(s, "endless"); len(r) != 1 || r[0].Outcome != claims.Running {
		t.Errorf("%d runs, the last %s: %s", len(r), r[0].Outcome, r[0].Reason)
	}
	p.signal(syscall.SIGCONT)
	p.stop()
	q.stop()
	if n := strings.Count(q.text(), "msg=stalled"); n != 1 {
		t.Errorf("the log tells of it %d times", n)
	}
	if r := h.runs(s, "endless"); r[len(r)-1].Outcome != claims.Killed || r[len(r)-1].RunID != run.RunID {
		t.Errorf("the run came to %s", r[len(r)-1].Outcome)
	}
	h.audit(s)
}

// A job that is only a file so far can be paused where no host has ever been: the first host finds it paused. What is no job says so.
func TestPauseBeforeTheFirstHost(t *testing.T) {
	t.Parallel()
	h := newHome(t, "")
	h.drop("job", guest.Hello(), eachSecond)
	contains(t, h.at(0, "pause", "job", "--reason", "not yet"), "job job is paused; go on with: wcron resume job")
	contains(t, h.at(exitBad, "pause", "nobody"), "no such job", "see wcron list")
	if err := os.WriteFile(h.path("plugins", "bad.wasm"), []byte("no module"), 0o644); err != nil {
		t.Fatal(err)
	}
	contains(t, h.at(0, "pause", "bad"), "job bad is paused")
	contains(t, h.at(0, "list"), "paused", "not yet")
	p := h.serve()
	s := h.store()
	h.await("slots are skipped", func() bool { return strings.Contains(h.at(0, "history", "--slots", "job"), "paused: not yet") })
	if n := len(h.runs(s, "job")); n != 0 {
		t.Errorf("%d runs of a paused job", n)
	}
	h.at(0, "resume", "job")
	h.awaitRun(s, "job", "that is ok", ended(claims.OK))
	p.stop()
	h.audit(s)
}
