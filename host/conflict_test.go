package host

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/claims/memstore"
	"github.com/wcron/wcron/internal/guest"
)

// Of two runs that change one key, one commits; the other one's next attempt sees what that wrote.
func TestStateConflict(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := memstore.New(memstore.Config{})
		r := launchOn(t, store, nil, nil, Job{
			Name: "job", Module: Bytes(guest.Counter(90 * time.Second)), Timeout: time.Hour, Schedule: "* * * * *", Repeat: 4,
			Overlap: claims.Overlap{Policy: claims.OverlapAllow, MaxConcurrent: 2},
			Retry:   claims.RetryPolicy{Retries: 5, Min: time.Second, Max: time.Second, On: []string{"failed"}},
		})
		until(30 * time.Minute)
		if j, err := store.Job(t.Context(), "job"); err != nil || !j.Done || j.Repeats != 4 {
			t.Errorf("job: %+v, %v", j, err)
		}
		conflicts, ok := 0, 0
		for _, run := range r.runs("job") {
			switch {
			case run.Outcome == claims.OK:
				ok++
			case run.Cause == claims.StateConflict && strings.Contains(run.Reason, "state"):
				conflicts++
			default:
				t.Errorf("run of %s: %s/%s %s", run.Slot.ID, run.Outcome, run.Cause, run.Reason)
			}
		}
		all, _, err := store.State(t.Context(), "job")
		if err != nil {
			t.Fatal(err)
		}
		values := map[string][]byte{}
		for _, e := range all {
			values[e.Key] = e.Value
		}
		if _, n, err := guest.ReadCount(values["by"], values["n"]); err != nil || n != ok || conflicts == 0 {
			t.Errorf("counted to %d in %d runs that were ok, with %d conflicts; %v: %v", n, ok, conflicts, err, fmt.Sprint(all))
		}
		r.close()
		told := 0
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, e := range r.events {
			if e.Kind == EndedRun && e.Cause == claims.StateConflict && e.Outcome == claims.Failed {
				told++
			}
		}
		if told != conflicts {
			t.Errorf("%d conflicts were told of %d", told, conflicts)
		}
	})
}

// A run that only read what another one has changed meanwhile does not commit either.
func TestStateConflictOfWhatWasRead(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := memstore.New(memstore.Config{})
		job := Job{
			Name: "job", Module: Bytes(guest.State(guest.ThenReturn, stateGet("x"), stateSet("y", "1"))), Schedule: "* * * * *",
			Overlap: claims.Overlap{Policy: claims.OverlapAllow},
		}
		r := launchOn(t, &between{store, func() {
			now := time.Now().UTC()
			row, err := store.Job(t.Context(), "job")
			if err != nil {
				t.Error(err)
			}
			if err := store.Request(t.Context(), now, claims.Request{Kind: claims.Trigger, Job: "job", ID: "x"}); err != nil {
				t.Error(err)
			}
			got, err := store.Claim(t.Context(), now, "another", []claims.Claim{{
				Slot: claims.ManualSlot("job", now, "x"), Attempt: 1, RunID: "01900000-0000-7000-8000-000000000003", Lanes: 2,
			}})
			if err != nil || got[0].Status != claims.Won {
				t.Errorf("%+v %v: %+v", got, err, row)
			}
			_, err = store.Finalize(t.Context(), now, []claims.Final{{
				Token: got[0].Token, Outcome: claims.OK, EndedAt: now, State: []claims.StateWrite{{Key: "x", Value: []byte("2")}},
			}})
			if err != nil {
				t.Error(err)
			}
		}}, nil, nil, job)
		until(90 * time.Second)
		runs := r.runs("job")
		if got := outcomes(runs); got != "ok failed/state_conflict" && got != "failed/state_conflict ok" {
			t.Errorf("runs: %s", got)
		}
		if got := r.state("job"); got != "x=2" {
			t.Errorf("state: %s", got)
		}
		r.close()
	})
}

// between does something right before the first commit.
type between struct {
	claims.Store
	do func()
}

func (s *between) Finalize(ctx context.Context, now time.Time, items []claims.Final) ([]claims.Finalized, error) {
	if do := s.do; do != nil {
		s.do = nil
		do()
	}
	return s.Store.Finalize(ctx, now, items)
}
