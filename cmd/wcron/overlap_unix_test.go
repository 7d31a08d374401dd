//go:build unix

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/claims/sqlitestore"
	"github.com/wcron/wcron/internal/guest"
)

func (h home) queued(s *sqlitestore.Store, job string) (slots []claims.Slot) {
	h.t.Helper()
	all, err := s.Pending(context.Background())
	if err != nil {
		h.t.Fatal(err)
	}
	for _, p := range all {
		if p.Slot.Job == job && p.Queued() {
			slots = append(slots, p.Slot)
		}
	}
	return slots
}

// listed is what wcron list says of the one job that there is.
func (h home) listed() (job struct {
	Queued   int
	Policies struct {
		Overlap       string
		QueueLimit    int `json:"queue_limit"`
		MaxConcurrent int `json:"max_concurrent"`
	}
}) {
	h.t.Helper()
	out, code := h.wcron("list", "-c", h.file(), "--json")
	if err := json.Unmarshal([]byte(out), &job); err != nil || code != 0 {
		h.t.Fatalf("list: code %d, %v: %s", code, err, out)
	}
	return job
}

// Slots wait while a run is open; their host is killed; another process recovers the run and starts what waited, in order and once.
func TestQueueOutlivesItsHost(t *testing.T) {
	t.Parallel()
	h := newHome(t, "orphan_grace = \"1s\"\n")
	policy := eachSecond + "overlap = \"queue\"\nqueue_limit = 3\n"
	h.drop("slow", guest.Sleep(50*time.Second), policy)
	p := h.serve()
	s := h.store()
	h.await("three slots wait, and more were skipped", func() bool {
		slots, err := s.Slots(context.Background(), claims.SlotQuery{Job: "slow", Limit: 1})
		return err == nil && len(h.queued(s, "slow")) == 3 && slots[0].Verdict == claims.Skipped && strings.Contains(slots[0].Reason, "queue_limit = 3")
	})
	waiting := h.queued(s, "slow")
	if j := h.listed(); j.Queued != 3 || j.Policies.Overlap != "queue" || j.Policies.QueueLimit != 3 || j.Policies.MaxConcurrent != 2 {
		t.Errorf("listed: %+v", j)
	}
	p.signal(syscall.SIGKILL)
	p.exit()
	if j := h.listed(); j.Queued != 3 {
		t.Errorf("listed without a host: %+v", j)
	}
	h.drop("slow", guest.Exit(0), policy)
	q := h.serve()
	for _, slot := range waiting {
		h.awaitRun(s, "slow", "of "+slot.ID, func(r claims.Run) bool { return r.Slot.ID == slot.ID && r.Outcome == claims.OK })
	}
	q.stop()
	runs := h.runs(s, "slow")
	slices.SortFunc(runs, func(a, b claims.Run) int { return cmp.Compare(a.Seq, b.Seq) })
	if runs[0].Outcome != claims.Orphaned {
		t.Errorf("the first run is %+v", runs[0])
	}
	for i, r := range runs[1:] {
		if r.Slot.Kind != claims.Scheduled || r.Attempt != 1 || !r.Slot.At.After(runs[i].Slot.At) || i < 3 && r.Slot.ID != waiting[i].ID {
			t.Errorf("run %d is of %s, attempt %d, after %s; %v waited", i+1, r.Slot.ID, r.Attempt, runs[i].Slot.ID, waiting)
		}
	}
	h.audit(s)
}

// A slot replaces the run of another process, through the ledger. Then the process whose run is to be replaced is stopped in the middle
// of it, and continued after it was given up. The guests' own clocks show that none of them ever acted beside another, and the slot that
// is the newest by then starts once the stopped process has let go.
func TestReplaceAcrossProcesses(t *testing.T) {
	t.Parallel()
	h := newHome(t, "commit_grace = \"100ms\"\n")
	h.drop("clock", guest.State(guest.ThenClock), eachSecond+"overlap = \"replace\"\ntimeout = \"5s\"\nstart_timeout = \"500ms\"\n")
	asked := make(chan struct{})
	go func() { // the command is itself the owner where no host runs
		defer close(asked)
		h.wcron("run", "-c", h.file(), "clock", "--wait")
	}()
	h.await("the command is at work", func() bool { return sqlitestore.Exists(h.path("state")) })
	s := h.store()
	manual := h.awaitRun(s, "clock", "in flight", ended(claims.Running))
	p := h.serve()
	h.awaitRun(s, "clock", "that was replaced", func(r claims.Run) bool { return r.RunID == manual.RunID && r.Cause == claims.Replaced })
	<-asked
	q := h.serve()
	run := h.stopWithinRun(s, "clock", func(after int64) (claims.Run, *process) {
		run := h.awaitRun(s, "clock", "of a guest that acts", func(r claims.Run) bool {
			age := time.Since(r.ClaimedAt)
			return r.Seq > after && r.Outcome == claims.Running && age > 200*time.Millisecond && age < 800*time.Millisecond
		})
		if !p.logs(run.Owner) {
			p, q = q, p
		}
		return run, p
	})
	h.awaitRun(s, "clock", "that is recovered", func(r claims.Run) bool { return r.RunID == run.RunID && r.Outcome == claims.Orphaned })
	h.await("newer slots take the place of older ones", func() bool {
		slots, err := s.Slots(context.Background(), claims.SlotQuery{Job: "clock", Limit: 3})
		return err == nil && slices.ContainsFunc(slots, func(r claims.SlotRow) bool {
			return r.Verdict == claims.Skipped && r.Count > 2 && strings.Contains(r.Reason, "a newer slot")
		})
	})
	if n := len(h.queued(s, "clock")); n != 1 {
		t.Errorf("%d slots wait", n)
	}
	if r := h.runs(s, "clock")[0]; r.RunID != run.RunID {
		t.Errorf("run %s of %s began beside a process that is stopped", r.RunID, r.Slot.ID)
	}
	p.signal(syscall.SIGCONT)
	h.awaitRun(s, "clock", "after that", func(r claims.Run) bool { return r.Seq > run.Seq && r.Cause == claims.Replaced })
	h.awaitRun(s, "clock", "with its note", func(r claims.Run) bool { return r.RunID == run.RunID && !r.LateAt.IsZero() })
	p.stop()
	q.stop()
	h.audit(s)
	neverTogether(t, h, s, "clock")
}

// neverTogether compares what the guests of a job's runs wrote of the time.
func neverTogether(t *testing.T, h home, s *sqlitestore.Store, job string) {
	t.Helper()
	var before time.Time
	runs, compared := h.runs(s, job), 0
	for _, r := range slices.Backward(runs) {
		out := h.output(s, r)
		if out == "" {
			continue
		}
		first, last := clocks(t, out)
		if !first.After(before) {
			t.Errorf("run %s of %s acted from %s on, and an earlier one until %s", r.RunID, r.Slot.ID, first, before)
		}
		before = last
		compared++
	}
	if compared < 3 {
		t.Errorf("only %d of %d runs said when they acted", compared, len(runs))
	}
}
