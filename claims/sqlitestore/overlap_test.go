package sqlitestore

import (
	"fmt"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
)

// Beside a claim of a program that looks for no conflicts there is no other one, whatever the policy says by now.
func TestClaimOfAnOlderVersionIsAlone(t *testing.T) {
	s := open(t, older(t, "version1.sql"))
	open, err := s.Open(t.Context())
	if err != nil || len(open) != 1 || open[0].Lanes != 1 {
		t.Fatalf("%+v %v", open, err)
	}
	job := open[0].Job
	now := time.Date(2026, 3, 1, 0, 2, 10, 0, time.UTC)
	manual := func(id string) claims.ClaimStatus {
		t.Helper()
		if err := s.Request(t.Context(), now, claims.Request{Kind: claims.Trigger, Job: job, ID: id}); err != nil {
			t.Fatal(err)
		}
		return claim(t, s, now, claims.Claim{Slot: claims.ManualSlot(job, now, id), Attempt: 1, RunID: "run-" + id, Lanes: 3})[0].Status
	}
	if got := manual("0001"); got != claims.Busy {
		t.Errorf("beside it: %s", got)
	}
	finalize(t, s, now, final(open[0].Token, claims.OK, now))
	for _, id := range []string{"0002", "0003"} {
		if got := manual(id); got != claims.Won {
			t.Errorf("after it: %s", got)
		}
	}
}

// However many slots a newer one replaces, the ledger grows by one row.
func TestReplacedSlotsTakeOneRow(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	put(t, s, "a")
	claim(t, s, t0, due("a", "run-0001", 0))
	const storm = 200
	for i := 1; i <= storm; i++ {
		c := due("a", fmt.Sprintf("run-%04d", i+1), time.Duration(i)*time.Minute)
		c.Overlap, c.IfReplaced = claims.OverlapReplace, "a newer one came"
		if got := claim(t, s, c.From, c)[0]; got.Status != claims.Queued {
			t.Fatalf("slot %d: %+v", i, got)
		}
	}
	rows, err := s.Slots(t.Context(), claims.SlotQuery{Job: "a", Limit: -1})
	if err != nil || len(rows) != 3 || rows[1].Count != storm-1 || rows[1].Verdict != claims.Skipped {
		t.Errorf("%d rows: %+v, %v", len(rows), rows, err)
	}
	pending, err := s.Pending(t.Context())
	if err != nil || len(pending) != 1 || pending[0].Slot.ID != rows[0].Slot.ID {
		t.Errorf("%+v, %v", pending, err)
	}
}

// A deleted key leaves its trace for as long as a run is open that may have used it, and no longer.
func TestDeletedKeysAreForgotten(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	put(t, s, "a")
	next := 0
	start := func() claims.Token {
		t.Helper()
		c := due("a", fmt.Sprintf("run-%04d", next+1), time.Duration(next)*time.Minute)
		c.Lanes = 3
		next++
		return claim(t, s, c.From, c)[0].Token
	}
	end := func(tok claims.Token, writes ...claims.StateWrite) {
		t.Helper()
		f := final(tok, claims.OK, t0)
		f.State = writes
		if got := finalize(t, s, t0, f)[0]; got.Status != claims.Done {
			t.Fatalf("%+v", got)
		}
	}
	traces := func(want int64) {
		t.Helper()
		err := s.read(t.Context(), "count", func(c *conn) error {
			n, err := c.number("SELECT count(*) FROM state_gone")
			if n != want {
				t.Errorf("%d traces of deleted keys, want %d", n, want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	end(start(), claims.StateWrite{Key: "x", Value: []byte("1")}, claims.StateWrite{Key: "y", Value: []byte("1")})
	end(start(), claims.StateWrite{Key: "x", Delete: true})
	traces(0) // nobody else was there
	old := start()
	end(start(), claims.StateWrite{Key: "y", Delete: true}, claims.StateWrite{Key: "never", Delete: true})
	traces(1)
	young := start()
	traces(1)
	end(old)
	traces(0)
	end(young)
}
