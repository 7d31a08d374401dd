package sqlitestore

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
)

// history gives each of the first jobs some ended runs, straight into the tables.
func history(t testing.TB, s *Store, jobs, each int) {
	t.Helper()
	for k := range each {
		at := millis(t0.Add(-time.Duration(each-k) * time.Minute))
		err := s.write(t.Context(), "history", 0, func(tx *tx) error {
			_, err := tx.exec(`INSERT INTO slots (slot_id, job, at, kind, verdict, reason, count, until)
				WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?1 - 1)
				SELECT printf('job-%06d@%d', i, ?2), printf('job-%06d', i), ?2, ?3, 'ok', '', 1, ?2 FROM n`,
				int64(jobs), at, string(claims.Scheduled))
			if err != nil {
				return err
			}
			_, err = tx.exec(`INSERT INTO runs (run_id, job, seq, slot_id, slot_at, slot_kind, attempt, owner, digest, claimed_at, started_at,
					ended_at, deadline, outcome, exit_code, memory, fuel)
				WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?1 - 1)
				SELECT printf('%012x-7%03x-8000-%012x', ?2, i % 4096, i), printf('job-%06d', i), ?3, printf('job-%06d@%d', i, ?2), ?2, ?4, 1,
					'host-1', printf('%064d', i % 100), ?2, ?2, ?2 + 100, ?2 + 90000, 'ok', 0, 1114112, 12345 FROM n`,
				int64(jobs), at, int64(k+1), string(claims.Scheduled))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func median(of []time.Duration) time.Duration {
	slices.Sort(of)
	return of[len(of)/2]
}

// timed is the median time of some calls.
func timed(t testing.TB, n int, call func(i int) error) time.Duration {
	t.Helper()
	var took []time.Duration
	for i := range n {
		begin := time.Now()
		if err := call(i); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(begin))
	}
	return median(took)
}

// TestLargeStore has 100,000 jobs and 1,000,000 runs. On a quiet machine a store of that size opens within 1 s (all jobs read, so that a host knows them), an empty tick takes
// less than 1 ms and a claim of 100 due jobs less than 20 ms; here each may take four times as long. It writes several hundred
// megabytes, so it runs only where WCRON_CI is 1.
func TestLargeStore(t *testing.T) {
	if os.Getenv("WCRON_CI") != "1" {
		t.Skip("1,000,000 rows; set WCRON_CI=1")
	}
	const jobs, each = 100_000, 10
	dir := t.TempDir() + "/state"
	s := open(t, dir)
	fill(t, s, jobs, 0)
	history(t, s, jobs, each)
	opening := timed(t, 5, func(int) error {
		if err := s.Close(); err != nil {
			return err
		}
		begin := time.Now()
		var err error
		if s, err = Open(t.Context(), Config{Dir: dir}); err != nil {
			return err
		}
		took := time.Since(begin)
		ch, err := s.Changes(t.Context(), "owner-1", 0)
		if err == nil && len(ch.Jobs) != jobs {
			err = fmt.Errorf("%d jobs", len(ch.Jobs))
		}
		t.Logf("opened after %s, all jobs read after %s", took, time.Since(begin))
		return err
	})
	t.Cleanup(func() { _ = s.Close() })
	ch, err := s.Changes(t.Context(), "owner-1", 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	tick := timed(t, 101, func(int) error {
		_, err := s.Changes(t.Context(), "owner-1", ch.Rev)
		return err
	})
	claiming := timed(t, 15, func(turn int) error {
		var items []claims.Claim
		for i := range 100 {
			items = append(items, due(fmt.Sprintf("job-%06d", turn*100+i), fmt.Sprintf("run-%d-%d", turn, i), 0))
		}
		got, err := s.Claim(t.Context(), t0, "owner-1", items)
		for _, a := range got {
			if a.Status != claims.Won {
				return fmt.Errorf("%+v", a)
			}
		}
		return err
	})
	info, err := os.Stat(s.path())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("medians: close, open and read all jobs %s, empty tick %s, claim of 100 due %s; the file has %d MB", opening, tick, claiming, info.Size()/1_000_000)
	for _, bound := range []struct {
		what      string
		got, want time.Duration
	}{{"open", opening, time.Second}, {"an empty tick", tick, time.Millisecond}, {"a claim of 100 due", claiming, 20 * time.Millisecond}} {
		if bound.got > 4*bound.want {
			t.Errorf("%s takes %s, and on a quiet machine less than %s", bound.what, bound.got, bound.want)
		}
	}
}
