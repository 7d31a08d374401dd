package host

import (
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/internal/guest"
)

// A run's fuel is in the ledger, and its limit ends it without a retry: it would end at the same place again.
func TestFuel(t *testing.T) {
	r := launch(t, privateDir(t), nil,
		Job{Name: "spin", Module: Bytes(guest.Spin()), Schedule: "@every 1s", Fuel: 1_000_000, Retry: claims.RetryPolicy{
			Retries: 3, Min: time.Millisecond, Max: time.Millisecond, On: []string{"failed", "timeout", "trapped"},
		}},
		Job{Name: "tree", Module: Bytes(guest.CallTree(10)), Schedule: "@every 1s"})
	time.Sleep(3500 * time.Millisecond)
	r.close()
	used := map[string]map[int64]int{"spin": {}, "tree": {}}
	for _, run := range r.lastRuns {
		used[run.Job][run.Fuel]++
		switch {
		case run.Job == "spin" && (run.Outcome != claims.Killed || run.Cause != claims.Fuel || run.Attempt != 1 || run.Fuel < 1_000_000):
			t.Errorf("%+v", run)
		case run.Job == "tree" && (run.Outcome != claims.OK || run.Fuel < 1<<10):
			t.Errorf("%+v", run)
		}
	}
	for job, fuel := range used {
		if len(fuel) != 1 {
			t.Errorf("%s used %v", job, fuel)
		}
	}
}
