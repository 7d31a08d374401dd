package memstore_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/claims/claimstest"
	"github.com/wcron/wcron/claims/memstore"
)

func TestConformance(t *testing.T) {
	claimstest.Harness{
		Open:     func(*testing.T) claims.Store { return memstore.New(memstore.Config{}) },
		Again:    func(_ *testing.T, s claims.Store) claims.Store { return s.(*memstore.Store).Again() },
		NoGrants: true, // what simulations play is granted already
	}.Run(t)
}

// ledger is a store with one job of many runs, whose slots come to nothing in turns.
func ledger(t testing.TB, cfg memstore.Config, slots int) (*memstore.Store, time.Time) {
	t.Helper()
	s, ctx, now := memstore.New(cfg), context.Background(), time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	if _, err := s.Join(ctx, now, claims.Owner{ID: "me", Started: now, Seen: now}); err != nil {
		t.Fatal(err)
	}
	rows, err := s.Put(ctx, now, "set", []claims.Put{{Name: "a", Schedule: "* * * * *", Timezone: "UTC", First: now.Add(time.Minute)}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range slots {
		now = rows[0].Next
		c := claims.Claim{Slot: claims.ScheduledSlot("a", now), Attempt: 1, RunID: fmt.Sprintf("run-%06d", i), From: now, Next: now.Add(time.Minute)}
		if i%2 == 1 {
			c.RunID = ""
			c.Passed = []claims.Passed{{Verdict: claims.Skipped, Reason: fmt.Sprint("reason ", i), First: now, Last: now, Count: 1}}
		}
		got, err := s.Claim(ctx, now, "me", []claims.Claim{c})
		if err != nil {
			t.Fatal(err)
		}
		rows[0] = got[0].Job
		if got[0].Status == claims.Won {
			f := claims.Final{Token: got[0].Token, Outcome: claims.OK, StartedAt: now, EndedAt: now, Output: claims.Output{Inline: []byte("x"), Bytes: 1}}
			if _, err := s.Finalize(ctx, now, []claims.Final{f}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return s, now
}

func TestKeepBoundsTheHistory(t *testing.T) {
	const keep = 10
	for _, slots := range []int{5, 19, 21, 1000} {
		s, _ := ledger(t, memstore.Config{Keep: keep}, slots)
		runs, err := s.Runs(t.Context(), claims.RunQuery{Limit: -1})
		if err != nil {
			t.Fatal(err)
		}
		rows, err := s.Slots(t.Context(), claims.SlotQuery{Limit: -1})
		if err != nil {
			t.Fatal(err)
		}
		if made := (slots + 1) / 2; len(runs) < min(made, keep) || len(runs) > 2*keep || runs[0].RunID != fmt.Sprintf("run-%06d", 2*(made-1)) {
			t.Errorf("%d of %d runs, the newest is %s", len(runs), made, runs[0].RunID)
		}
		if len(rows) < min(slots, keep) || len(rows) > 2*keep {
			t.Errorf("%d rows of %d slots", len(rows), slots)
		}
		if job, err := s.Job(t.Context(), "a"); err != nil || job.Seq != int64((slots+1)/2) {
			t.Errorf("job %+v: %v", job, err)
		}
	}
}

// What is forgotten counts as recorded: a clock that goes back brings no second run of it.
func TestKeepNeverRunsASlotAgain(t *testing.T) {
	s, now := ledger(t, memstore.Config{Keep: 10}, 1000)
	for _, back := range []time.Duration{time.Minute, 5 * time.Minute, 900 * time.Minute} {
		at := now.Add(-back)
		rows, err := s.Put(t.Context(), at, "set", []claims.Put{{Name: "a", Schedule: fmt.Sprint(back), First: at}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Claim(t.Context(), at, "me", []claims.Claim{{Slot: claims.ScheduledSlot("a", at), Attempt: 1, RunID: fmt.Sprint("again ", back), From: rows[0].Next, Next: now}})
		if err != nil || got[0].Status != claims.Passing {
			t.Errorf("claim of the slot %s before: %+v, %v", back, got[0], err)
		}
	}
}

func BenchmarkClaimAndFinalize(b *testing.B) {
	b.ReportAllocs()
	ledger(b, memstore.Config{Keep: 10}, 2*b.N) // every other slot runs
}
