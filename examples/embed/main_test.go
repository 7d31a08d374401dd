package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wcron/wcron/host"
)

// TestRun runs the whole program, on a clock that does not wait.
func TestRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	var told []string
	ran := map[string]int{} // by job and input
	synctest.Test(t, func(t *testing.T) {
		err := run(t.Context(), dir, func(e host.Event) {
			told = append(told, string(e.Kind)+" "+e.Job)
			if e.Kind != host.EndedRun {
				return
			}
			var event struct{ Job, Input string }
			if err := json.Unmarshal(e.Output, &event); err != nil || e.Outcome != "ok" || event.Job != e.Job {
				t.Errorf("run of %s: %s %s, output %q (%v)", e.Job, e.Outcome, e.Reason, e.Output, err)
			}
			ran[e.Job+" "+event.Input]++
		})
		if err != nil {
			t.Error(err)
		}
	})
	for _, want := range []string{"host_started ", "job_added tick", "job_added tock", "job_removed tick", "host_stopped "} {
		if !slices.Contains(told, want) {
			t.Errorf("no event %q among %q", want, told)
		}
	}
	for job, want := range map[string]int{"tick first": 2, "tick changed": 3, "tock added": 4} {
		// The grid of a schedule begins with the second in which its job is registered.
		if got := ran[job]; got < want-1 || got > want {
			t.Errorf("%s: %d runs, want %d or one less", job, got, want)
		}
	}
	if len(ran) != 3 {
		t.Errorf("runs: %v", ran)
	}
	if last := told[len(told)-1]; last != "host_stopped " {
		t.Errorf("the last event is %q", last)
	}
	if i, j := slices.Index(told, "job_removed tick"), lastIndex(told, "ended tick"); j > i {
		t.Errorf("tick ran after it was removed: %q", told)
	}
}

func lastIndex(all []string, s string) int {
	for i := len(all) - 1; i >= 0; i-- {
		if all[i] == s {
			return i
		}
	}
	return -1
}

// TestRunTellsErrors makes sure that what goes wrong comes back as a value.
func TestRunTellsErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := run(t.Context(), file, func(host.Event) { t.Error("an event without a store") })
	if err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a file in the place of the store's folder: %v", err)
	}
}
