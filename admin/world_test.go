package admin_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/admin"
	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/claims/sqlitestore"
	"github.com/wcron/wcron/host"
	"github.com/wcron/wcron/internal/guest"
)

// patience bounds every wait of the tests; none takes that long.
const patience = 20 * time.Second

func openStore(t testing.TB, dir string) *sqlitestore.Store {
	t.Helper()
	s, err := sqlitestore.Open(t.Context(), sqlitestore.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// shortDir is a folder whose sockets have short paths.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "wc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func jobs() []host.Job {
	return []host.Job{
		{Name: "broken", Module: host.Bytes(guest.Hello()), Broken: "its plugin is missing"},
		{Name: "echo", Module: host.Bytes(guest.Echo())},
		{Name: "hello", Module: host.Bytes(guest.Hello()), Note: "a note"},
		{Name: "sleeper", Module: host.Bytes(guest.Sleep(time.Hour)), Timeout: host.Unlimited},
		{Name: "yearly", Module: host.Bytes(guest.Hello()), Schedule: "0 0 1 1 *", Timezone: "Europe/Berlin"},
	}
}

// world is a ledger with a host on it, and the API in three ways.
type world struct {
	dir   string
	store *sqlitestore.Store
	host  *host.Host
	apis  map[string]admin.API
}

// newWorld starts a host with an operator's socket; both end with the test.
func newWorld(t *testing.T) *world {
	t.Helper()
	dir := shortDir(t)
	w := &world{dir: dir, store: openStore(t, filepath.Join(dir, "state"))}
	socket := filepath.Join(dir, "sockets", "s")
	cfg := admin.Config{
		Store: w.store, Jobs: jobs, Plugin: func(job string) string { return job + ".wasm" }, Source: "test", Zone: func() string { return "Europe/Berlin" },
		Spool: filepath.Join(dir, "state", "spool"),
	}
	h, err := host.New(host.Config{
		Store: w.store, Jobs: host.NewJobs(jobs()...), Source: "test", Spool: cfg.Spool, Socket: socket, Version: "v1", MaxRuns: 8,
		DrainTimeout: -1,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.host = h
	served := admin.NewServed(cfg, h)
	l, err := admin.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran, spoke := make(chan error, 1), make(chan error, 1)
	go func() { ran <- h.Run(ctx) }()
	go func() { spoke <- admin.Serve(ctx, l, admin.Handler(served)) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ran, <-spoke); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(socket); !os.IsNotExist(err) {
			t.Errorf("the socket is still there: %v", err)
		}
	})
	w.apis = map[string]admin.API{"Direct": admin.NewDirect(cfg), "Served": served, "Client": admin.NewClient(socket)}
	w.ready(t)
	return w
}

// ready waits until the host has compiled and registered all.
func (w *world) ready(t *testing.T) {
	t.Helper()
	eventually(t, "all jobs are compiled and registered", func() bool {
		list, err := w.host.Status(t.Context())
		if err != nil {
			return false
		}
		for _, s := range list {
			if s.State == host.Compiling || (s.Row.Name == "" && s.State != host.Broken) {
				return false
			}
		}
		return len(list) == len(jobs())
	})
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("did not come: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// verdict waits for a slot's verdict and returns its runs, newest first.
func verdict(t *testing.T, api admin.API, a admin.Answer) (string, []admin.Run) {
	t.Helper()
	var got string
	eventually(t, "the slot "+*a.Slot+" has a verdict", func() bool {
		list, err := api.Slots(t.Context(), claims.SlotQuery{Job: a.Job, Since: a.ScheduledAt})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range list {
			if s.Slot == *a.Slot && s.Verdict != nil {
				got = *s.Verdict
			}
		}
		return got != ""
	})
	runs, err := api.Runs(t.Context(), claims.RunQuery{Slot: *a.Slot})
	if err != nil {
		t.Fatal(err)
	}
	return got, runs
}

func job(t *testing.T, api admin.API, name string) admin.Job {
	t.Helper()
	list, err := api.Jobs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range list {
		if j.Job == name {
			return j
		}
	}
	t.Fatalf("there is no job %s in %+v", name, list)
	return admin.Job{}
}

func outputOf(t *testing.T, api admin.API, id string, follow bool) string {
	t.Helper()
	var b strings.Builder
	if err := api.Output(t.Context(), id, follow, &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func str(p *string) string {
	if p == nil {
		return "<nil>"
	}
	return *p
}
