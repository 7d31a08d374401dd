package admin_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/admin"
	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/claims/sqlitestore"
	"github.com/wcron/wcron/host"
)

// alone is the API on a ledger that no host has seen.
func alone(t *testing.T) (*admin.Direct, *sqlitestore.Store) {
	store := openStore(t, filepath.Join(t.TempDir(), "state"))
	return admin.NewDirect(admin.Config{Store: store, Jobs: jobs, Source: "test"}), store
}

func TestWithoutAHost(t *testing.T) {
	api, store := alone(t)
	s, err := api.Status(t.Context())
	if err != nil || len(s.Hosts) != 0 || s.Hosts == nil || s.LastSeenAt != nil || s.Instance != nil {
		t.Fatalf("got %+v, %v", s, err)
	}
	j := job(t, api, "yearly")
	if j.State != "active" || j.NextAt == nil || !j.NextAt.After(time.Now()) {
		t.Errorf("got %+v", j)
	}
	if rows, err := store.Jobs(t.Context()); err != nil || len(rows) != 0 {
		t.Errorf("looking has put %+v into the ledger, %v", rows, err)
	}
	if _, err := api.Do(t.Context(), admin.Request{Kind: claims.Pause, Job: "yearly"}); err != nil {
		t.Fatal(err)
	}
	if j := job(t, api, "yearly"); j.State != "paused" {
		t.Errorf("got %+v", j)
	}
	row, err := store.Job(t.Context(), "yearly")
	if err != nil || row.Source != "test" || !row.Next.IsZero() {
		t.Errorf("got %+v, %v", row, err)
	}
}

// TestOneRun is what `wcron run` does where no host runs.
func TestOneRun(t *testing.T) {
	api, store := alone(t)
	a, err := api.Do(t.Context(), admin.Request{Kind: claims.Trigger, Job: "hello"})
	if err != nil {
		t.Fatal(err)
	}
	instance := admin.OneRunInstance(host.NewInstance())
	h, err := host.New(host.Config{Store: store, Jobs: host.NewJobs(jobs()...), Source: "test", Only: *a.Slot, Instance: instance})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, runs := verdict(t, api, a)
	if got != "ok" || len(runs) != 1 || runs[0].Owner != instance {
		t.Errorf("verdict %s, runs %+v", got, runs)
	}
	if s, err := api.Status(t.Context()); err != nil || len(s.Hosts) != 0 || s.LastSeenAt != nil {
		t.Errorf("one run is no host: %+v, %v", s, err)
	}
	if j := job(t, api, "hello"); str(j.LastOutcome) != "ok" || str(j.LastRunID) != runs[0].RunID || j.LastEndedAt == nil {
		t.Errorf("got %+v", j)
	}
}

// TestHostsThatEnded tells a dead host from a living one that does not answer.
func TestHostsThatEnded(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	mine := openStore(t, dir)
	other, err := sqlitestore.Open(t.Context(), sqlitestore.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	seen := time.Now().Add(-time.Minute).UTC().Truncate(time.Millisecond)
	o, err := claims.Self("host-1", 1)
	if err != nil {
		t.Fatal(err)
	}
	o.Started, o.Socket = seen, filepath.Join(dir, "no-socket")
	if _, err := other.Join(t.Context(), seen, o); err != nil {
		t.Fatal(err)
	}
	hosts, last, err := admin.Hosts(t.Context(), mine)
	if err != nil || len(hosts) != 1 || hosts[0].Answers || !strings.Contains(str(hosts[0].Reason), "lock is held") || !last.IsZero() {
		t.Fatalf("got %+v, %s, %v", hosts, last, err)
	}
	if err := other.Close(); err != nil { // its locks go, as at a death; it does not leave
		t.Fatal(err)
	}
	for range 2 { // the look itself changes nothing
		hosts, last, err = admin.Hosts(t.Context(), mine)
		if err != nil || len(hosts) != 0 || !last.Equal(seen) {
			t.Fatalf("got %+v, %s, %v; want none since %s", hosts, last, err, seen)
		}
	}
}

// stuck makes a run whose owner lives and does nothing.
func stuck(t *testing.T, store claims.Store) claims.Claimed {
	t.Helper()
	now := time.Now().UTC().Truncate(time.Millisecond)
	o, err := claims.Self("host-stuck", 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Join(t.Context(), now, o); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Put(t.Context(), now, "test", []claims.Put{{Name: "hello"}}); err != nil {
		t.Fatal(err)
	}
	if err := store.Request(t.Context(), now, claims.Request{Kind: claims.Trigger, Job: "hello", ID: "x"}); err != nil {
		t.Fatal(err)
	}
	got, err := store.Claim(t.Context(), now, o.ID, []claims.Claim{{
		Slot: claims.ManualSlot("hello", now, "x"), Attempt: 1, RunID: "0198c3d2-7f3a-7b21-8000-000000000001",
	}})
	if err != nil || got[0].Status != claims.Won {
		t.Fatalf("got %+v, %v", got, err)
	}
	return got[0]
}

func TestForce(t *testing.T) {
	api, store := alone(t)
	claim := stuck(t, store)
	if _, err := api.Do(t.Context(), admin.Request{Kind: claims.Cancel, RunID: claim.Token.RunID}); err != nil {
		t.Fatal(err)
	}
	if runs, err := api.Runs(t.Context(), claims.RunQuery{}); err != nil || runs[0].Outcome != "running" {
		t.Fatalf("a plain cancel has closed the run: %+v, %v", runs, err)
	}
	a, err := api.Do(t.Context(), admin.Request{Kind: claims.Cancel, RunID: claim.Token.RunID, Force: true})
	if err != nil || !strings.Contains(str(a.Note), "host-stuck") {
		t.Fatalf("got %+v, %v", a, err)
	}
	runs, err := api.Runs(t.Context(), claims.RunQuery{})
	if err != nil || runs[0].Outcome != "killed" || str(runs[0].Cause) != "cancelled" || str(runs[0].Reason) != "fenced by operator" {
		t.Fatalf("got %+v, %v", runs, err)
	}
	late := claims.Final{Token: claim.Token, Outcome: claims.OK, EndedAt: time.Now()}
	done, err := store.Finalize(t.Context(), time.Now(), []claims.Final{late})
	if err != nil || done[0].Status != claims.Fenced {
		t.Errorf("the owner came late: %+v, %v", done, err)
	}
}

// TestFollowEnds ends a follower by its context.
func TestFollowEnds(t *testing.T) {
	api, store := alone(t)
	claim := stuck(t, store)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := api.Output(ctx, claim.Token.RunID, true, &strings.Builder{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if got := outputOf(t, api, claim.Token.RunID, false); got != "" {
		t.Errorf("got %q", got)
	}
}
