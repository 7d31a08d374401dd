package main

import (
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wcron/wcron/host"
)

// TestRun runs the whole program, on a clock that does not wait.
func TestRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	outputs, refusals := map[string]string{}, 0
	synctest.Test(t, func(t *testing.T) {
		if err := run(t.Context(), dir, func(e host.Event) {
			switch e.Kind {
			case host.EndedRun:
				if outputs[e.Job] = string(e.Output); e.Outcome != "ok" {
					t.Errorf("%s: %s %s", e.Job, e.Outcome, e.Reason)
				}
			case host.GuestRefused:
				refusals++
				if e.Job != "stranger" || !strings.Contains(e.Reason, "price_of is not granted") {
					t.Errorf("%s: %s", e.Job, e.Reason)
				}
			}
		}); err != nil {
			t.Error(err)
		}
	})
	if outputs["buyer"] != "19.90" || !strings.Contains(outputs["stranger"], `"code":"not_granted"`) || refusals == 0 {
		t.Errorf("outputs %q, %d refusals", outputs, refusals)
	}
}
