package host

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/claims/sqlitestore"
)

// rig is a host on a real embedded store, with what it told and what the ledger says.
type rig struct {
	t      *testing.T
	store  claims.Store
	jobs   *Jobs
	host   *Host
	stop   context.CancelFunc
	done   chan error
	mu     sync.Mutex // guards events
	events []Event

	lastRuns  []claims.Run // all runs, as of close
	lastSlots []claims.SlotRow
	closed    bool
}

// privateDir makes a folder that only its owner may enter.
func privateDir(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "state")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func openStore(t *testing.T, dir string) claims.Store {
	t.Helper()
	s, err := sqlitestore.Open(t.Context(), sqlitestore.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// launch starts a host over the jobs; change may alter its configuration.
func launch(t *testing.T, dir string, change func(*Config), jobs ...Job) *rig {
	t.Helper()
	return launchIn(t, dir, nil, change, jobs...)
}

// even is a world without chance: waits before retries are as long as their jobs say.
type even struct{ world }

func (even) random() float64 { return 0 }

// launchEven starts a host whose trace depends on nothing but its jobs. It looks at the ledger each ten minutes, so that days of
// virtual time are short: see Host.Poll.
func launchEven(t *testing.T, dir string, change func(*Config), jobs ...Job) *rig {
	t.Helper()
	slow := func(c *Config) {
		c.rhythm = rhythm{wait: time.Hour, poll: 10 * time.Minute, renew: time.Hour, recover: 10 * time.Minute}
		if change != nil {
			change(c)
		}
	}
	return launchIn(t, dir, func(w world) world { return even{w} }, slow, jobs...)
}

// launchIn starts a host whose world is another one than it would be; nil: it is not.
func launchIn(t *testing.T, dir string, around func(world) world, change func(*Config), jobs ...Job) *rig {
	t.Helper()
	return launchOn(t, openStore(t, dir), around, change, jobs...)
}

// launchOn starts a host on a store, which is closed with it.
func launchOn(t *testing.T, store claims.Store, around func(world) world, change func(*Config), jobs ...Job) *rig {
	t.Helper()
	r := &rig{t: t, store: store, jobs: NewJobs(jobs...), done: make(chan error, 1)}
	cfg := Config{Store: r.store, Jobs: r.jobs, OnEvent: func(e Event) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.events = append(r.events, e)
	}}
	if change != nil {
		change(&cfg)
	}
	h, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r.host = h
	if around != nil {
		h.world = around(h.world)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	go func() { r.done <- h.Run(ctx) }()
	t.Cleanup(func() { // after a Fatal
		if cancel(); !r.closed {
			<-r.done
			r.store.Close()
		}
	})
	return r
}

// close ends the host, and audits the ledger unless the test has damaged it on purpose.
func (r *rig) close() {
	r.t.Helper()
	r.stop()
	r.closed = true
	if err := <-r.done; err != nil {
		r.t.Errorf("Run: %v", err)
	}
	r.lastRuns, r.lastSlots = r.runs(""), r.slots("")
	r.audit()
	if err := r.store.Close(); err != nil {
		r.t.Errorf("close store: %v", err)
	}
}

func (r *rig) audit() {
	r.t.Helper()
	findings, err := claims.Audit(r.t.Context(), r.store, claims.AuditOptions{Now: r.host.now(), Occurrences: Occurrences, CheckOutput: true})
	if err != nil {
		r.t.Errorf("audit: %v", err)
	}
	for _, f := range findings {
		r.t.Errorf("audit: %s: job %s slot %s run %s: %s", f.Code, f.Job, f.Slot, f.RunID, f.What)
	}
}

func (r *rig) runs(job string) []claims.Run {
	r.t.Helper()
	runs, err := r.store.Runs(r.t.Context(), claims.RunQuery{Job: job, Limit: -1})
	if err != nil {
		r.t.Fatal(err)
	}
	return runs
}

func (r *rig) slots(job string) []claims.SlotRow {
	r.t.Helper()
	slots, err := r.store.Slots(r.t.Context(), claims.SlotQuery{Job: job, Limit: -1})
	if err != nil {
		r.t.Fatal(err)
	}
	return slots
}

// told counts the events of a kind for a job.
func (r *rig) told(kind EventKind, job string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, e := range r.events {
		if e.Kind == kind && e.Job == job {
			n++
		}
	}
	return n
}

// await turns virtual or real time until ok holds.
func (r *rig) await(what string, ok func() bool) {
	r.t.Helper()
	for range 600 {
		if ok() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.t.Fatalf("waited a minute for %s; events: %s", what, r.story())
}

func (r *rig) story() string {
	var b strings.Builder
	for _, e := range r.events {
		fmt.Fprintf(&b, "\n%s %s %s %s %s %s %v", e.Time.Format("15:04:05.000"), e.Kind, e.Job, e.Slot.ID, e.Outcome, e.Reason, e.Err)
	}
	return b.String()
}

func outcomes(runs []claims.Run) string {
	var s []string
	for i := len(runs) - 1; i >= 0; i-- {
		text := string(runs[i].Outcome)
		if runs[i].Cause != "" {
			text += "/" + string(runs[i].Cause)
		}
		s = append(s, text)
	}
	return strings.Join(s, " ")
}

func verdicts(slots []claims.SlotRow) string {
	var s []string
	for i := len(slots) - 1; i >= 0; i-- {
		text := string(slots[i].Verdict)
		if slots[i].Count > 1 {
			text += fmt.Sprintf("x%d", slots[i].Count)
		}
		s = append(s, text)
	}
	return strings.Join(s, " ")
}

// inBubble runs a test on virtual time.
func inBubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

func (r *rig) request(q claims.Request) {
	r.t.Helper()
	if err := r.store.Request(r.t.Context(), r.host.now(), q); err != nil {
		r.t.Fatal(err)
	}
}
