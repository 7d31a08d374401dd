package admin_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/wcron/wcron/admin"
	"github.com/wcron/wcron/claims"
)

// TestAPI asks the same of all three ways to the same host and ledger.
func TestAPI(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"Direct", "Served", "Client"} {
		api := w.apis[name]
		t.Run(name, func(t *testing.T) {
			t.Run("Status", func(t *testing.T) { testStatus(t, w, api) })
			t.Run("Jobs", func(t *testing.T) { testJobs(t, api) })
			t.Run("Trigger", func(t *testing.T) { testTrigger(t, api) })
			t.Run("Pause", func(t *testing.T) { testPause(t, api) })
			t.Run("Cancel", func(t *testing.T) { testCancel(t, api) })
			t.Run("Refusals", func(t *testing.T) { testRefusals(t, api) })
		})
	}
}

func testStatus(t *testing.T, w *world, api admin.API) {
	s, err := api.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Hosts) != 1 || s.LastSeenAt != nil || s.Source != "test" || s.Timezone != "Europe/Berlin" {
		t.Fatalf("got %+v", s)
	}
	h := s.Hosts[0]
	if h.Instance != w.host.Instance() || h.PID != os.Getpid() || !h.Answers || h.Version != "v1" || h.StartedAt.IsZero() || h.Socket == nil {
		t.Errorf("got host %+v", h)
	}
	_, direct := api.(*admin.Direct)
	if direct != (s.Load == nil) || direct != (s.Instance == nil) {
		t.Errorf("load %+v, instance %s", s.Load, str(s.Instance))
	}
	if s.Load != nil && (s.Load.MaxRuns != 8 || s.Load.Holders == nil) {
		t.Errorf("load %+v", s.Load)
	}
}

func testJobs(t *testing.T, api admin.API) {
	list, err := api.Jobs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, j := range list {
		names = append(names, j.Job)
	}
	if got := strings.Join(names, " "); got != "broken echo hello sleeper yearly" {
		t.Errorf("got jobs %s", got)
	}
	if j := job(t, api, "broken"); j.State != "broken" || str(j.Reason) != "its plugin is missing" || j.NextAt != nil {
		t.Errorf("got %+v", j)
	}
	if j := job(t, api, "hello"); j.State != "manual" || str(j.Note) != "a note" || j.Schedule != nil || str(j.Plugin) != "hello.wasm" {
		t.Errorf("got %+v", j)
	}
	j := job(t, api, "yearly")
	if j.State != "active" || j.Reason != nil || j.NextAt == nil || str(j.Schedule) != "0 0 1 1 *" || j.Source != "test" || len(j.Digest) != 64 {
		t.Fatalf("got %+v", j)
	}
	if at := j.NextAt.UTC(); at.Hour() != 23 || at.Day() != 31 || at.Month() != 12 {
		t.Errorf("next at %s", at)
	}
}

func testTrigger(t *testing.T, api admin.API) {
	a, err := api.Do(t.Context(), admin.Request{Kind: claims.Trigger, Job: "echo", Input: json.RawMessage(`{"n":[1,2]}`), By: "tester"})
	if err != nil {
		t.Fatal(err)
	}
	if a.Slot == nil || !strings.HasPrefix(*a.Slot, "echo@") || a.Job != "echo" {
		t.Fatalf("got %+v", a)
	}
	got, runs := verdict(t, api, a)
	if got != "ok" || len(runs) != 1 {
		t.Fatalf("verdict %s, runs %+v", got, runs)
	}
	r := runs[0]
	if r.Outcome != "ok" || r.ExitCode == nil || *r.ExitCode != 0 || r.StartedAt == nil || r.DurationMS == nil || r.Attempt != 1 || !r.Manual {
		t.Errorf("got run %+v", r)
	}
	var event struct {
		Input json.RawMessage
		Slot  string
	}
	out := outputOf(t, api, r.RunID, false)
	if err := json.Unmarshal([]byte(out), &event); err != nil || string(event.Input) != `{"n":[1,2]}` || event.Slot != r.Slot {
		t.Errorf("output %q: %v", out, err)
	}
	if again := outputOf(t, api, r.RunID[:len(r.RunID)-1], true); again != out {
		t.Errorf("by prefix: %q", again)
	}
	newest, err := api.Runs(t.Context(), claims.RunQuery{Limit: 1})
	if err != nil || len(newest) != 1 || newest[0].RunID != r.RunID {
		t.Errorf("newest %+v, %v", newest, err)
	}
}

func testPause(t *testing.T, api admin.API) {
	for range 2 { // twice is once
		if _, err := api.Do(t.Context(), admin.Request{Kind: claims.Pause, Job: "yearly", Reason: "holidays"}); err != nil {
			t.Fatal(err)
		}
		if j := job(t, api, "yearly"); j.State != "paused" || str(j.Reason) != "holidays" {
			t.Errorf("got %+v", j)
		}
	}
	for range 2 {
		if _, err := api.Do(t.Context(), admin.Request{Kind: claims.Resume, Job: "yearly"}); err != nil {
			t.Fatal(err)
		}
		if j := job(t, api, "yearly"); j.State != "active" || j.Reason != nil {
			t.Errorf("got %+v", j)
		}
	}
}

// await starts the sleeper and waits for its run.
func await(t *testing.T, api admin.API) admin.Run {
	t.Helper()
	a, err := api.Do(t.Context(), admin.Request{Kind: claims.Trigger, Job: "sleeper"})
	if err != nil {
		t.Fatal(err)
	}
	var run admin.Run
	eventually(t, "the sleeper runs", func() bool {
		runs, err := api.Runs(t.Context(), claims.RunQuery{Slot: *a.Slot})
		if err != nil {
			t.Fatal(err)
		}
		if len(runs) == 1 {
			run = runs[0]
		}
		return len(runs) == 1
	})
	return run
}

// lines is a writer that tells when the first line is there.
type lines struct {
	mu    sync.Mutex
	text  string
	first chan struct{}
	once  sync.Once
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text += string(p)
	if strings.Contains(l.text, "\n") {
		l.once.Do(func() { close(l.first) })
	}
	return len(p), nil
}

func testCancel(t *testing.T, api admin.API) {
	run := await(t, api)
	if run.Outcome != "running" || run.EndedAt != nil || run.DurationMS != nil {
		t.Errorf("got %+v", run)
	}
	if j := job(t, api, "sleeper"); len(j.Running) != 1 || j.Running[0] != run.RunID {
		t.Errorf("running %v", j.Running)
	}
	out := &lines{first: make(chan struct{})}
	followed := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	go func() { followed <- api.Output(ctx, run.RunID, true, out) }()
	select {
	case <-out.first: // while it runs
	case err := <-followed:
		t.Fatalf("the output ended early: %v", err)
	}
	if _, err := api.Do(ctx, admin.Request{Kind: claims.Cancel, RunID: run.RunID, By: "tester"}); err != nil {
		t.Fatal(err)
	}
	if err := <-followed; err != nil || out.text != "sleeping 1h0m0s\n" {
		t.Errorf("followed %q: %v", out.text, err)
	}
	runs, err := api.Runs(ctx, claims.RunQuery{RunID: run.RunID})
	if err != nil || len(runs) != 1 || runs[0].Outcome != "killed" || str(runs[0].Cause) != "cancelled" {
		t.Errorf("got %+v, %v", runs, err)
	}
	if _, err := api.Do(ctx, admin.Request{Kind: claims.Cancel, RunID: run.RunID}); !errors.Is(err, claims.ErrNotOpen) {
		t.Errorf("cancel again: %v", err)
	}
}

func testRefusals(t *testing.T, api admin.API) {
	tests := []struct {
		req  admin.Request
		want error
	}{
		{admin.Request{Kind: claims.Trigger, Job: "nobody"}, claims.ErrNoJob},
		{admin.Request{Kind: claims.Pause, Job: "nobody"}, claims.ErrNoJob},
		{admin.Request{Kind: claims.Trigger, Job: "broken"}, admin.ErrCannotRun},
		{admin.Request{Kind: claims.Trigger, Job: "hello", Input: json.RawMessage("{")}, admin.ErrInput},
		{admin.Request{Kind: claims.Trigger, Job: "hello", Input: json.RawMessage(`"` + strings.Repeat("x", admin.MaxInput) + `"`)}, admin.ErrInput},
		{admin.Request{Kind: claims.Trigger}, admin.ErrInput},
		{admin.Request{Kind: claims.Trigger, Job: "a\x00b"}, admin.ErrInput},
		{admin.Request{Kind: "explode", Job: "hello"}, admin.ErrInput},
		{admin.Request{}, admin.ErrInput},
		{admin.Request{Kind: claims.Cancel, RunID: "abc"}, admin.ErrInput},
		{admin.Request{Kind: claims.Cancel, RunID: "abcd-no-such-run"}, claims.ErrNoRun},
	}
	for _, test := range tests {
		if _, err := api.Do(t.Context(), test.req); !errors.Is(err, test.want) {
			t.Errorf("%+.60v: got %v, want %v", test.req, err, test.want)
		}
	}
	if err := api.Output(t.Context(), "abcd-no-such-run", false, &strings.Builder{}); !errors.Is(err, claims.ErrNoRun) {
		t.Errorf("output: %v", err)
	}
	if runs, err := api.Runs(t.Context(), claims.RunQuery{RunID: "abcd-no-such-run"}); err != nil || len(runs) != 0 {
		t.Errorf("runs %+v, %v", runs, err)
	}
	all, err := api.Runs(t.Context(), claims.RunQuery{Limit: -1})
	if err != nil || len(all) < 2 {
		t.Fatalf("runs %+v, %v", all, err)
	}
	if _, err := api.Runs(t.Context(), claims.RunQuery{RunID: all[0].RunID[:4]}); !errors.Is(err, admin.ErrInput) {
		t.Errorf("a prefix of several: %v", err)
	}
}
