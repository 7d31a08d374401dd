package host

import (
	"testing"
	"time"

	"github.com/wcron/wcron/claims/memstore"
	"github.com/wcron/wcron/internal/guest"
)

func repeating(n int64, nap time.Duration) Job {
	return Job{Name: "job", Module: Bytes(guest.Sleep(nap)), Timeout: time.Hour, Schedule: "0 * * * *", Repeat: n}
}

// A job that is done goes on when its limit is raised, from then on: while its host runs, or between two hosts. The same limit again
// changes nothing, and a lower one ends it.
func TestRaisedRepeatGoesOn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := memstore.New(memstore.Config{})
		first := launchOn(t, store, nil, unhurried, repeating(2, time.Second))
		until(5*time.Hour + 30*time.Minute)
		first.jobs.Put(repeating(3, time.Second))
		until(7*time.Hour + 30*time.Minute)
		if got := verdicts(first.slots("job")); got != "ok ok ok" {
			t.Errorf("slots with a limit of 2, and then of 3: %s", got)
		}
		first.close()
		second := launchOn(t, store.Again(), nil, unhurried, repeating(3, time.Second))
		until(9*time.Hour + 30*time.Minute)
		second.close()
		third := launchOn(t, store.Again(), nil, unhurried, repeating(5, time.Second))
		until(10*time.Hour + 30*time.Minute)
		third.jobs.Put(repeating(4, time.Second))
		until(12*time.Hour + 30*time.Minute)
		if got := verdicts(third.slots("job")); got != "ok ok ok ok" {
			t.Errorf("slots with a limit of 5, and then of 4: %s", got)
		}
		third.close()
	})
}

// The limit is raised while the last run of the earlier one is under way, whose end takes the job for done.
func TestRepeatRaisedDuringTheLastRun(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := launchOn(t, memstore.New(memstore.Config{}), nil, unhurried, repeating(1, 30*time.Minute))
		until(time.Hour + 10*time.Minute)
		r.jobs.Put(repeating(2, 30*time.Minute))
		until(5 * time.Hour)
		if got := verdicts(r.slots("job")); got != "ok ok" {
			t.Errorf("slots: %s", got)
		}
		r.close()
	})
}
