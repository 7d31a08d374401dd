package sqlitestore

import (
	"context"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
)

// t0 is the time at which the tests begin. Nothing here reads the clock for what it records.
var t0 = time.Date(2026, 3, 8, 2, 30, 0, 0, time.UTC)

func at(d time.Duration) time.Time { return t0.Add(d) }

// open opens a store that is closed with the test.
func open(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(t.Context(), Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// put registers a job that is due each minute from t0 on.
func put(t testing.TB, s *Store, names ...string) {
	t.Helper()
	var jobs []claims.Put
	for _, n := range names {
		jobs = append(jobs, claims.Put{Name: n, Definition: "d1", Schedule: "* * * * *", Timezone: "UTC", First: t0})
	}
	if _, err := s.Put(t.Context(), at(-time.Minute), "test", jobs); err != nil {
		t.Fatal(err)
	}
}

// due asks for the slot of a job at t0 + d.
func due(job, run string, d time.Duration) claims.Claim {
	return claims.Claim{Slot: claims.ScheduledSlot(job, at(d)), Attempt: 1, RunID: run, From: at(d), Next: at(d + time.Minute),
		Deadline: at(d + time.Hour), Digest: "p1", IfBusy: "still running"}
}

func claim(t testing.TB, s *Store, now time.Time, items ...claims.Claim) []claims.Claimed {
	t.Helper()
	a, err := s.Claim(t.Context(), now, "owner-1", items)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func finalize(t testing.TB, s *Store, now time.Time, items ...claims.Final) []claims.Finalized {
	t.Helper()
	a, err := s.Finalize(t.Context(), now, items)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func final(tok claims.Token, o claims.Outcome, end time.Time) claims.Final {
	return claims.Final{Token: tok, Outcome: o, StartedAt: end.Add(-time.Second), EndedAt: end}
}

func slots(t testing.TB, s *Store, job string) []claims.SlotRow {
	t.Helper()
	rows, err := s.Slots(t.Context(), claims.SlotQuery{Job: job, Limit: -1})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func runs(t testing.TB, s *Store, q claims.RunQuery) []claims.Run {
	t.Helper()
	rows, err := s.Runs(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestLifeOfASlot(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	put(t, s, "backup")
	a := claim(t, s, t0, due("backup", "run-0001", 0))[0]
	if a.Status != claims.Won || a.Token.Seq != 1 || !a.Job.Next.Equal(at(time.Minute)) {
		t.Fatalf("claim: %+v", a)
	}
	if again := claim(t, s, t0, due("backup", "run-0001", 0))[0]; again.Status != claims.Won || again.Token != a.Token {
		t.Fatalf("the same claim again: %+v", again)
	}
	if other := claim(t, s, t0, due("backup", "run-0002", 0))[0]; other.Status != claims.Stale {
		t.Fatalf("another claim of the slot: %+v", other)
	}
	f := final(a.Token, claims.OK, at(2*time.Second))
	f.Output = claims.Output{Inline: []byte("hello"), Bytes: 5, Digest: "2cf24dba5fb0"}
	for i, want := range []claims.FinalStatus{claims.Done, claims.AlreadyFinal} {
		if got := finalize(t, s, at(3*time.Second), f)[0].Status; got != want {
			t.Fatalf("finalize %d: %s, want %s", i, got, want)
		}
	}
	rows := slots(t, s, "backup")
	if len(rows) != 1 || rows[0].Verdict != "ok" || len(rows[0].RunIDs) != 1 {
		t.Fatalf("slots: %+v", rows)
	}
	ch, err := s.Changes(context.Background(), "owner-1", 0)
	if err != nil || len(ch.Jobs) != 1 || ch.Jobs[0].Last != claims.OK || ch.Schema != len(migrations()) {
		t.Fatalf("changes: %+v %v", ch, err)
	}
}
