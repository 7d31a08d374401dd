//go:build unix

package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/ncruces/go-sqlite3/driver"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/claims/sqlitestore"
	"github.com/wcron/wcron/internal/guest"
)

// clocks is the first and the last time that a run of guest.ThenClock has written.
func clocks(t *testing.T, output string) (first, last time.Time) {
	t.Helper()
	for line := range strings.Lines(output) {
		at, ok := guest.ReadClock(strings.TrimSuffix(line, "\n"))
		switch {
		case !ok:
		case first.IsZero():
			first, last = at, at
		case at.Before(last):
			t.Errorf("the clock goes back from %s to %s", last, at)
		default:
			last = at
		}
	}
	if first.IsZero() || time.Since(first) > time.Hour || time.Since(first) < 0 {
		t.Fatalf("no clock in an output of %d bytes:\n%s", len(output), output)
	}
	return first, last
}

// stopWithinRun stops a host in the middle of a run and returns that: next waits for one that came after another. A slow machine may not
// manage it at once.
func (h home) stopWithinRun(s *sqlitestore.Store, job string, next func(after int64) (claims.Run, *process)) claims.Run {
	h.t.Helper()
	var after int64
	for range 5 {
		run, p := next(after)
		p.signal(syscall.SIGSTOP)
		if r := h.runs(s, job)[0]; r.RunID == run.RunID && r.Outcome == claims.Running {
			return run
		}
		p.signal(syscall.SIGCONT)
		after = run.Seq
	}
	h.t.Fatal("five times a run was over before its host was stopped: the machine is too slow for this test")
	return claims.Run{}
}

// A host that is stopped beyond the deadline of its run loses it to another one. Continued, it commits nothing, its guest's writes
// are nowhere, the log says so once, and its guest and the next one of the job never act at the same time: by their own clocks.
func TestStoppedHostNeverActsBesideTheNextRun(t *testing.T) {
	t.Parallel()
	h := newHome(t, "commit_grace = \"100ms\"\n")
	set := `{"op":"set","key":"by","value":"eA=="}`
	h.drop("clock", guest.State(guest.ThenClock, set), eachSecond+"timeout = \"2s\"\nstart_timeout = \"300ms\"\n")
	p := h.serve()
	s := h.store()
	run := h.stopWithinRun(s, "clock", func(after int64) (claims.Run, *process) {
		var run claims.Run
		h.await("the guest's first acts are in its spool", func() bool {
			run = h.awaitRun(s, "clock", "in flight", func(r claims.Run) bool { return r.Seq > after && r.Outcome == claims.Running })
			files, err := filepath.Glob(h.path("state", "spool", run.RunID+"*"))
			if err != nil || len(files) == 0 {
				return false
			}
			info, err := os.Stat(files[0])
			return err == nil && info.Size() > 64
		})
		return run, p
	})
	before := len(h.runs(s, "clock"))
	q := h.serve()
	orphan := h.awaitRun(s, "clock", "that is recovered", ended(claims.Orphaned))
	if orphan.RunID != run.RunID || !strings.Contains(orphan.Reason, "the deadline passed") || !strings.Contains(orphan.Evidence, "lock is held") {
		t.Errorf("recovered %+v", orphan)
	}
	h.await("a slot is skipped for the stopped host's sake", func() bool {
		slots, err := s.Slots(context.Background(), claims.SlotQuery{Job: "clock", Limit: -1})
		if err != nil {
			t.Fatal(err)
		}
		for _, slot := range slots {
			if slot.Verdict == claims.Skipped && strings.Contains(slot.Reason, "an earlier process may still act") {
				return true
			}
		}
		return false
	})
	if runs := h.runs(s, "clock"); len(runs) != before {
		t.Errorf("%d runs while the stopped host holds the job", len(runs)-before)
	}
	continued := time.Now()
	p.signal(syscall.SIGCONT)
	next := h.awaitRun(s, "clock", "after that", func(r claims.Run) bool { return r.Seq > run.Seq && r.Outcome == claims.Timeout })
	late := h.awaitRun(s, "clock", "with its note", func(r claims.Run) bool { return r.RunID == run.RunID && !r.LateAt.IsZero() })
	if late.Outcome != claims.Orphaned || late.Late != claims.Timeout {
		t.Errorf("the late run is %+v", late)
	}
	if state, _, err := s.State(context.Background(), "clock"); err != nil || len(state) > 0 {
		t.Errorf("state %+v %v", state, err)
	}
	p.stop()
	q.stop()
	_, last := clocks(t, h.output(s, late))
	first, _ := clocks(t, h.output(s, next))
	if !last.Before(first) {
		t.Errorf("the stopped guest acted at %s, and the next one from %s on", last, first)
	}
	t.Logf("the stopped guest's last act was %s after it was continued, the next guest's first %s", last.Sub(continued), first.Sub(continued))
	if n := strings.Count(p.text(), "msg=late_result"); n != 1 {
		t.Errorf("the log tells of the late result %d times:\n%s", n, p.text())
	}
	h.audit(s)
}

// A backup is made while a host works, a restore waits for nobody: it refuses while one runs.
func TestBackupBesideAHost(t *testing.T) {
	t.Parallel()
	h := newHome(t, "")
	h.drop("count", guest.State(guest.ThenReturn, `{"op":"set","key":"by","value":"eA=="}`), eachSecond)
	contains(t, h.at(exitUnreachable, "backup", h.path("none.tar")), "there is no ledger", "nothing to back up")
	p := h.serve()
	s := h.store()
	h.awaitRun(s, "count", "that is ok", ended(claims.OK))
	file := h.path("backup.tar")
	contains(t, h.at(0, "backup", file), "has the ledger of", "wcron restore")
	contains(t, h.at(exitUnreachable, "backup", file), "choose another one")
	contains(t, h.at(exitUnreachable, "restore", file, "--replace"), "stop every host first")
	if err := os.Mkdir(h.path("closed"), 0o500); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() != 0 {
		h.at(exitUnreachable, "backup", h.path("closed", "backup.tar"))
	}
	p.stop()
	contains(t, h.at(exitUnreachable, "restore", file), "--replace")
	contains(t, h.at(exitBad, "restore", h.file(), "--replace"), "use another one")
	contains(t, h.at(0, "restore", file, "--replace"), "the ledger that was there is in", "is restored")
	restoredRuns := h.store()
	if state, _, err := restoredRuns.State(context.Background(), "count"); err != nil || len(state) != 1 {
		t.Errorf("state %+v %v", state, err)
	}
	h.at(0, "audit")
	p = h.serve()
	h.awaitRun(restoredRuns, "count", "after the restore", func(r claims.Run) bool {
		return r.Outcome == claims.OK && r.ClaimedAt.After(time.Now().Add(-2*time.Second))
	})
	p.stop()
	h.audit(restoredRuns)
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	h := newHome(t, "")
	contains(t, h.at(0, "doctor", "--self-identity"), "this process", "the child process after its end", "alive (right)", "dead (right)", `"version":1`)
	var verdicts []string
	for line := range strings.Lines(h.at(0, "doctor", "--json")) {
		var i identity
		if err := json.Unmarshal([]byte(line), &i); err != nil {
			t.Fatal(err)
		}
		verdicts = append(verdicts, string(i.Verdict))
	}
	if fmt.Sprint(verdicts) != "[alive alive dead]" {
		t.Errorf("verdicts %v", verdicts)
	}
}

// What is safe to mend is mended, said, and gone; what is not stays a finding.
func TestAuditRepairs(t *testing.T) {
	t.Parallel()
	h := newHome(t, "")
	h.drop("lost", guest.Hello(), "")
	ctx, then := context.Background(), time.Now().Add(-10*time.Minute).UTC().Truncate(time.Millisecond)
	s, err := sqlitestore.Open(ctx, sqlitestore.Config{Dir: h.path("state")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(ctx, then, h.file(), []claims.Put{{Name: "lost"}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Request(ctx, then, claims.Request{Kind: claims.Trigger, Job: "lost", ID: "x"}); err != nil {
		t.Fatal(err)
	}
	const id = "0198c3d2-7f3a-7b21-8000-000000000001"
	won, err := s.Claim(ctx, then, "host-dead", []claims.Claim{{Slot: claims.ManualSlot("lost", then, "x"), Attempt: 1, RunID: id}})
	if err != nil || won[0].Status != claims.Won {
		t.Fatalf("got %+v, %v", won, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	damage(t, filepath.Join(h.path("state"), "ledger.db"), "DELETE FROM claims")
	contains(t, h.at(exitBad, "audit"), "run-without-claim", id)
	contains(t, h.at(0, "audit", "--repair"), "repaired", "closed the run as orphaned", "ok: ")
	contains(t, h.at(0, "history", "lost"), "orphaned")
	h.at(0, "audit")
	damage(t, filepath.Join(h.path("state"), "ledger.db"), "UPDATE slots SET verdict = 'ok'")
	out := h.at(exitBad, "audit", "--repair", "--json")
	var a audited
	if err := json.Unmarshal([]byte(out), &a); err != nil || a.OK || len(a.Repaired) != 0 || len(a.Findings) != 1 || a.Findings[0].Code != "slot-verdict" {
		t.Errorf("%s %v", out, err)
	}
}

// damage changes a ledger behind the program's back.
func damage(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite3", (&url.URL{Scheme: "file", OmitHost: true, Path: path}).String())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
}
