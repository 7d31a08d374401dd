package jobtest

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/claims/sqlitestore"
	"github.com/wcron/wcron/host"
	"github.com/wcron/wcron/plugins"
)

// patience is how long a compilation and a run may take before a test gives up; both end by themselves long before.
const patience = 5 * time.Minute

// Host is a running host.
type Host struct {
	t        testing.TB
	store    claims.Store
	host     *host.Host
	requests int
	news     chan struct{} // has a value after events grew
	mu       sync.Mutex    // guards events
	events   []host.Event
}

// Start starts a host on the plugin folder, which it keeps as it is; settings is further text of the host file. The host ends
// with the test, and the ledger must then pass its audit.
func Start(t testing.TB, folder, settings string) *Host {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "wcron.toml")
	if err := os.WriteFile(file, fmt.Appendf(nil, "plugins = '%s'\n%s", folder, settings), 0o600); err != nil {
		t.Fatal(err)
	}
	source, err := plugins.Open(plugins.Config{File: file, Content: filepath.Join(dir, "modules")})
	if err != nil {
		t.Fatal(err)
	}
	store, err := sqlitestore.Open(t.Context(), sqlitestore.Config{Dir: filepath.Join(dir, "state")})
	if err != nil {
		t.Fatal(err)
	}
	h := &Host{t: t, store: store, news: make(chan struct{}, 1)}
	h.host, err = host.New(host.Config{Store: store, Jobs: jobs{source}, OnEvent: h.told})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { h.check(source.Run(ctx)) })
	running.Go(func() { h.check(h.host.Run(ctx)) })
	t.Cleanup(func() {
		stop()
		running.Wait()
		h.audit()
		h.check(store.Close())
	})
	return h
}

// Run makes one run of a job, with this JSON in place of its input unless that is empty, and returns the event of its end. The
// event's output is all that the ledger keeps of it.
func (h *Host) Run(job, input string) host.Event {
	h.t.Helper()
	h.await("registration of "+job, func(e host.Event) bool { return e.Kind == host.JobAdded && e.Job == job })
	h.requests++
	id := fmt.Sprintf("test-%d", h.requests)
	request := claims.Request{Kind: claims.Trigger, Job: job, ID: id, By: "test"}
	if input != "" {
		request.Input = []byte(input)
	}
	if err := h.store.Request(h.t.Context(), time.Now().UTC().Truncate(time.Millisecond), request); err != nil {
		h.t.Fatal(err)
	}
	h.host.Poll()
	end := h.await("the run of "+job, func(e host.Event) bool {
		return strings.HasSuffix(e.Slot.ID, "#"+id) && (e.Kind == host.EndedRun || e.Kind == host.SlotSkipped)
	})
	if end.Kind == host.SlotSkipped {
		h.t.Fatalf("the run of %s is skipped: %s", job, end.Reason)
	}
	end.Output = h.output(end.RunID)
	return end
}

// Broken waits until the host says of a job that it cannot run, and returns the reason.
func (h *Host) Broken(job string) string {
	h.t.Helper()
	return h.await(job+" to be refused", func(e host.Event) bool { return e.Kind == host.JobBroken && e.Job == job }).Reason
}

// Disabled waits until a job has disabled itself, and returns the reason.
func (h *Host) Disabled(job string) string {
	h.t.Helper()
	return h.await(job+" to disable itself", func(e host.Event) bool { return e.Kind == host.JobDisabled && e.Job == job }).Reason
}

func (h *Host) output(runID string) []byte {
	h.t.Helper()
	r, err := h.store.Output(h.t.Context(), runID)
	if err != nil {
		h.t.Fatal(err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		h.t.Fatal(err)
	}
	return text
}

// told takes an event.
func (h *Host) told(e host.Event) {
	h.mu.Lock()
	h.events = append(h.events, e)
	h.mu.Unlock()
	select {
	case h.news <- struct{}{}:
	default:
	}
}

// await returns the first event that is wanted, of those before or to come.
func (h *Host) await(what string, wanted func(host.Event) bool) host.Event {
	h.t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for seen := 0; ; {
		h.mu.Lock()
		events := h.events[seen:]
		h.mu.Unlock()
		for _, e := range events {
			if wanted(e) {
				return e
			}
		}
		seen += len(events)
		select {
		case <-h.news:
		case <-limit.C:
			h.t.Fatalf("waited %s for %s; events:%s", patience, what, h.story())
		}
	}
}

func (h *Host) story() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var b strings.Builder
	for _, e := range h.events {
		fmt.Fprintf(&b, "\n%s %s %s %s %s %v", e.Kind, e.Job, e.Slot.ID, e.Outcome, e.Reason, e.Err)
	}
	return b.String()
}

func (h *Host) audit() {
	findings, err := claims.Audit(context.Background(), h.store, claims.AuditOptions{
		Now: time.Now(), Occurrences: host.Occurrences, CheckOutput: true,
	})
	h.check(err)
	for _, f := range findings {
		h.t.Errorf("audit: %s: job %s slot %s run %s: %s", f.Code, f.Job, f.Slot, f.RunID, f.What)
	}
}

func (h *Host) check(err error) {
	if err != nil {
		h.t.Error(err)
	}
}
