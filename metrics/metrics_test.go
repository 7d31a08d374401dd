package metrics

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/claims/sqlitestore"
	"github.com/wcron/wcron/host"
	"github.com/wcron/wcron/internal/guest"
)

func text(t *testing.T, m *Metrics) string {
	t.Helper()
	var b bytes.Buffer
	if err := m.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// values is what the text says, by name and labels in the order given.
func values(t *testing.T, m *Metrics, labels ...string) map[string]float64 {
	t.Helper()
	list, err := Read(strings.NewReader(text(t, m)))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, s := range list {
		key := s.Metric
		for _, l := range labels {
			if v := s.Labels[l]; v != "" {
				key += " " + v
			}
		}
		out[key] += s.Value
	}
	return out
}

// Each kind of event moves its metric, and no other.
func TestEvents(t *testing.T) {
	for _, c := range []struct {
		e    host.Event
		want map[string]float64
	}{
		{host.Event{Kind: host.Started, Job: "a", Lateness: 250 * time.Millisecond},
			map[string]float64{"wcron_runs_started_total a": 1, "wcron_run_lateness_seconds_count a": 1, "wcron_run_lateness_seconds_sum a": 0.25}},
		{host.Event{Kind: host.EndedRun, Job: "a", Outcome: claims.Killed, Cause: claims.Cancelled, Duration: 2 * time.Second},
			map[string]float64{"wcron_runs_total a killed cancelled": 1, "wcron_run_duration_seconds_count a": 1, "wcron_run_duration_seconds_sum a": 2}},
		{host.Event{Kind: host.EndedRun, Job: "a", Outcome: claims.OK}, // in less than a millisecond
			map[string]float64{"wcron_runs_total a ok": 1, "wcron_run_duration_seconds_count a": 1}},
		{host.Event{Kind: host.EndedRun, Job: "a", Outcome: claims.Failed, Cause: claims.HostFault}, // before its start
			map[string]float64{"wcron_runs_total a failed host_fault": 1}},
		{host.Event{Kind: host.EndedRun, Job: "a", Outcome: claims.Discarded}, map[string]float64{"wcron_runs_total a discarded": 1}},
		{host.Event{Kind: host.Recovered, Job: "a", Outcome: claims.Orphaned},
			map[string]float64{"wcron_runs_total a orphaned": 1, "wcron_runs_orphaned_total a": 1}},
		{host.Event{Kind: host.LateResult, Job: "a", Outcome: claims.OK}, map[string]float64{"wcron_commits_refused_total a": 1}},
		{host.Event{Kind: host.SlotMissed, Job: "a", Count: 7, Reason: "no host was running"}, map[string]float64{"wcron_slots_missed_total a no_host": 7}},
		{host.Event{Kind: host.SlotSkipped, Job: "a", Count: 1, Reason: "paused: for a while"}, map[string]float64{"wcron_slots_skipped_total a paused": 1}},
		{host.Event{Kind: host.SlotSkipped, Job: "a", Count: 3, Reason: "queue_limit = 10 slots waited already"}, map[string]float64{"wcron_slots_skipped_total a overlap": 3}},
		{host.Event{Kind: host.SlotSkipped, Job: "a", Count: 2, Reason: "something new"}, map[string]float64{"wcron_slots_skipped_total a other": 2}},
		{host.Event{Kind: host.SlotMissed, Job: "a", Count: 3, Reason: "it is older than missed_window = 2h", Policy: claims.ByMissedWindow},
			map[string]float64{"wcron_slots_missed_total a missed_window": 3, "wcron_policy_decisions_total a missed_window": 3}},
		{host.Event{Kind: host.JobPaused, Job: "a", Count: 10, Policy: claims.ByPauseAfter}, map[string]float64{"wcron_policy_decisions_total a pause_after": 1}},
		{host.Event{Kind: host.JobResumed, Job: "a", Policy: "of a later version"}, map[string]float64{"wcron_policy_decisions_total a other": 1}},
		{host.Event{Kind: host.JobDisabled, Job: "a"}, map[string]float64{"wcron_jobs_disabled_total a": 1}},
		{host.Event{Kind: host.TickFailed, Reason: "claim due jobs"}, map[string]float64{"wcron_ticks_failed_total claim_due_jobs": 1}},
		{host.Event{Kind: host.TickFailed, Job: "a", Reason: "commit a run; it is tried again"}, map[string]float64{"wcron_ticks_failed_total commit": 1}},
		{host.Event{Kind: host.TickFailed, Reason: "whatever"}, map[string]float64{"wcron_ticks_failed_total other": 1}},
		{host.Event{Kind: host.Stalled, Job: "a"}, map[string]float64{"wcron_owners_stalled_total": 1}},
		{host.Event{Kind: host.LockWait}, map[string]float64{"wcron_ledger_lock_long_waits_total": 1}},
		{host.Event{Kind: host.Lost, Count: 5}, map[string]float64{"wcron_events_lost_total": 5}},
		{host.Event{Kind: host.JobAdded, Job: "a"}, nil},
		{host.Event{Kind: "of a later version", Job: "a"}, nil},
	} {
		m := New()
		m.Observe(c.e)
		got := values(t, m, "job", "outcome", "cause", "reason", "operation", "policy")
		for key, v := range got {
			if v == 0 {
				delete(got, key)
			}
		}
		if len(got) != len(c.want) {
			t.Errorf("%+v: %v, want %v", c.e, got, c.want)
		}
		for key, v := range c.want {
			if math.Abs(got[key]-v) > 1e-9 {
				t.Errorf("%+v: %s is %v, want %v; all: %v", c.e, key, got[key], v, got)
			}
		}
	}
}

// However many jobs come, whatever they are called and whatever reasons there are, the number of series is bounded; the series of a
// job go with it.
func TestSeriesAreBounded(t *testing.T) {
	m := New()
	flood := func(from, to int) {
		for i := from; i < to; i++ {
			job, odd := fmt.Sprintf("job-%d", i), fmt.Sprintf("odd \"%d\"\n", i)
			for _, k := range []host.EventKind{host.Started, host.EndedRun, host.SlotMissed, host.SlotSkipped, host.LateResult, host.TickFailed, host.Recovered} {
				m.Observe(host.Event{Kind: k, Job: job, Outcome: claims.Outcome(odd), Cause: claims.Cause(odd), Reason: odd, Duration: time.Second})
			}
		}
	}
	flood(0, MaxJobs+500)
	lines := strings.Count(text(t, m), "\n")
	if got := values(t, m, "job")["wcron_runs_started_total _other"]; got != 500 {
		t.Errorf("%v runs are those of the other jobs", got)
	}
	flood(MaxJobs+500, MaxJobs+2500)
	if now := strings.Count(text(t, m), "\n"); now != lines || lines > MaxJobs*40 {
		t.Errorf("%d lines, and then %d", lines, now)
	}
	for i := range MaxJobs {
		m.Observe(host.Event{Kind: host.JobRemoved, Job: fmt.Sprintf("job-%d", i)})
	}
	if left := text(t, m); strings.Contains(left, `"job-`) {
		t.Error("series of jobs that were removed are left")
	}
	m.Observe(host.Event{Kind: host.Started, Job: "later"})
	if got := values(t, m, "job")["wcron_runs_started_total later"]; got != 1 {
		t.Error("there is no room for later jobs")
	}
}

// What a host counts agrees with what its ledger has, by job, outcome, cause and reason.
func TestAgreesWithTheLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := sqlitestore.Open(t.Context(), sqlitestore.Config{Dir: t.TempDir() + "/state"})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		m := New()
		job := func(name string, wasm []byte) host.Job {
			return host.Job{Name: name, Module: host.Bytes(wasm), Schedule: "@every 10s"}
		}
		quitter := job("quitter", guest.Exit(78))
		h, err := host.New(host.Config{Store: s, OnEvent: m.Observe, Jobs: host.NewJobs(job("good", guest.Hello()), job("bad", guest.Exit(3)),
			job("trap", guest.Trap()), job("long", guest.Sleep(25*time.Second)), job("held", guest.Hello()), job("resting", guest.Hello()), quitter)})
		if err != nil {
			t.Fatal(err)
		}
		m.Watch(h)
		unlock, err := s.LockJob(t.Context(), "held", 0)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- h.Run(ctx) }()
		time.Sleep(35 * time.Second)
		if err := s.Request(t.Context(), time.Now().UTC(), claims.Request{Kind: claims.Pause, Job: "resting"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		now := values(t, m)
		if now["wcron_up"] != 1 || now["wcron_ready"] != 1 || now["wcron_jobs"] != 7 || now["wcron_runs_running"] > 1 {
			t.Errorf("at present: %v", now)
		}
		unlock()
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if now := values(t, m); now["wcron_up"] != 0 || now["wcron_ready"] != 0 {
			t.Errorf("after its end the host is up %v, ready %v", now["wcron_up"], now["wcron_ready"])
		}
		compare(t, s, m)
	})
}

func compare(t *testing.T, s claims.Store, m *Metrics) {
	t.Helper()
	runs, err := s.Runs(t.Context(), claims.RunQuery{Limit: -1})
	if err != nil {
		t.Fatal(err)
	}
	slots, err := s.Slots(t.Context(), claims.SlotQuery{Limit: -1})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{}
	for _, r := range runs {
		key := fmt.Sprintf("wcron_runs_total %s %s", r.Job, r.Outcome)
		if r.Cause != "" {
			key += " " + string(r.Cause)
		}
		want[key]++
	}
	for _, r := range slots {
		if r.Verdict == claims.Missed || r.Verdict == claims.Skipped {
			want[fmt.Sprintf("wcron_slots_%s_total %s %s", r.Verdict, r.Slot.Job, reason(r.Reason))] += float64(r.Count)
		}
	}
	got := values(t, m, "job", "outcome", "cause", "reason")
	for key, n := range want {
		if got[key] != n {
			t.Errorf("%s: %v are counted, and the ledger has %v", key, got[key], n)
		}
	}
	for key, n := range got {
		if strings.HasPrefix(key, "wcron_runs_total") && n != want[key] {
			t.Errorf("%s: %v are counted, and the ledger has %v", key, n, want[key])
		}
	}
	for _, key := range []string{"wcron_slots_skipped_total held locked", "wcron_slots_skipped_total long overlap",
		"wcron_slots_skipped_total resting paused", "wcron_slots_skipped_total quitter disabled"} {
		if want[key] == 0 {
			t.Errorf("the ledger has no %s: %v", key, want)
		}
	}
}
