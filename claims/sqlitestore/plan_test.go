package sqlitestore

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/wcron/wcron/claims"
)

// fill registers jobs that are due at t0 plus d, straight into the table: this is about reading them.
func fill(t testing.TB, s *Store, n int, d time.Duration) {
	t.Helper()
	err := s.write(t.Context(), "fill", 0, func(tx *tx) error {
		_, err := tx.exec(`INSERT INTO jobs (name, source, seq, born, definition, schedule, timezone, anchor, next_at, rev)
			WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?1 - 1)
			SELECT printf('job-%06d', i), 'test', 0, 0, 'd1', '* * * * *', 'UTC', ?2, ?3, ?4 FROM n`,
			int64(n), at(-time.Minute), at(d), tx.rev())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// steps runs fn on a fresh connection and adds up what its statements did.
func steps(t *testing.T, s *Store, fn func(c *conn) error) (vm, scanned int) {
	t.Helper()
	c, err := openConn(s.path(), s.cfg, true)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if err := c.snapshot(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
	for _, st := range c.stmts {
		vm += st.Status(sqlite3.STMTSTATUS_VM_STEP, false)
		scanned += st.Status(sqlite3.STMTSTATUS_FULLSCAN_STEP, false)
	}
	return vm, scanned
}

func TestEmptyTickTouchesNoJob(t *testing.T) {
	const n = 100_000
	s := open(t, t.TempDir()+"/state")
	fill(t, s, n, time.Hour)
	ch, err := s.Changes(t.Context(), "owner-1", 0)
	if err != nil || len(ch.Jobs) != n {
		t.Fatalf("%d jobs: %v", len(ch.Jobs), err)
	}
	// The same reading through a store whose statements can be looked at.
	vm, scanned := steps(t, s, func(c *conn) error {
		pool := make(chan *conn, 1)
		pool <- c
		seen := &Store{cfg: s.cfg, dir: s.dir, pool: pool, closing: make(chan struct{})}
		if err := c.db.Exec("ROLLBACK"); err != nil { // Changes takes a snapshot of its own
			return err
		}
		again, err := seen.Changes(t.Context(), "owner-1", ch.Rev)
		if err != nil || again.Rev != ch.Rev || len(again.Jobs)+len(again.Pending)+len(again.Foreign)+len(again.Cancels) != 0 {
			return fmt.Errorf("changes: %+v %w", again, err)
		}
		_, err = c.exec("BEGIN")
		return err
	})
	if vm > 200 || scanned > 0 {
		t.Errorf("an empty tick over %d jobs took %d steps, %d of them in a scan", n, vm, scanned)
	}
}

func TestClaimOfOneTouchesOne(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	fill(t, s, 20_000, 0)
	work := func() (vm, scanned int) {
		for _, st := range s.w.stmts {
			vm += st.Status(sqlite3.STMTSTATUS_VM_STEP, true)
			scanned += st.Status(sqlite3.STMTSTATUS_FULLSCAN_STEP, true)
		}
		return vm, scanned
	}
	claim(t, s, t0, due("job-000007", "run-0001", 0))
	work()
	tok := claim(t, s, t0, due("job-010007", "run-0002", 0))[0].Token
	if vm, scanned := work(); vm > 2000 || scanned > 0 {
		t.Errorf("a claim took %d steps, %d of them in a scan", vm, scanned)
	}
	f := final(tok, claims.Failed, t0)
	f.Retry = at(time.Minute)
	finalize(t, s, t0, f)
	if vm, scanned := work(); vm > 2000 || scanned > 0 {
		t.Errorf("a finalize took %d steps, %d of them in a scan", vm, scanned)
	}
}

// No query that runs with each tick, claim or commit reads a table from end to end, or sorts.
func TestHotQueriesUseAnIndex(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	runs := func(q claims.RunQuery) string { query, _ := q2sql(q); return query }
	slots := func(q claims.SlotQuery) string { query, _ := slotQuery(q); return query }
	for _, query := range []string{
		queryJob, queryRun, queryRev, queryChangedJobs, queryChangedPending, queryCancels, queryForeign, querySlotBefore,
		queryPending, queryLanes, queryClaim, queryHeld, queryRunExists, querySlotInput, queryPendingOfJob, queryOwners,
		queryPrefix, querySlotRuns, queryEnded, querySpan, queryOutput, queryAllPending, queryWaiting, queryMayCount, queryWillCount, queryOwnSlot, queryCovered, querySettled, cancelOpen, deleteSlotByID, queryRan,
		queryState, queryStateRev, queryAsked, queryChanged, deleteStateKey, deleteState, deleteGone, forgetGone,
		updateJob, extendSlot, setVerdict, deletePending, deletePendingJob, deleteClaim, closeRun, noteLate, setCancel, setOutput,
		deleteOutput, deleteRun, deleteSlot, renewOwner, leaveOwner, countLeft, deleteLeft, queryGrants, newerGrants, replaceGrant,
		runs(claims.RunQuery{}), runs(claims.RunQuery{Job: "a"}), runs(claims.RunQuery{Job: "a", Before: t0}), runs(claims.RunQuery{Before: t0}),
		runs(claims.RunQuery{RunID: "a"}),
		slots(claims.SlotQuery{}), slots(claims.SlotQuery{Job: "a"}), slots(claims.SlotQuery{Job: "a", Since: t0, Before: t0}),
	} {
		plan := ""
		c, err := openConn(s.path(), s.cfg, true)
		if err != nil {
			t.Fatal(err)
		}
		st, _, err := c.db.Prepare("EXPLAIN QUERY PLAN " + query)
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		for st.Step() {
			plan += st.ColumnText(3) + "\n"
		}
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
		if err := c.close(); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(plan) {
			whole := strings.HasPrefix(line, "SCAN") && !strings.Contains(line, "USING INDEX") && !strings.Contains(line, "(subquery")
			if whole || strings.Contains(line, "TEMP B-TREE") || strings.Contains(line, "AUTOMATIC") {
				t.Errorf("%s\n%s", query, plan)
			}
		}
	}
}

// The database itself refuses a second claim of a lane or a slot, whatever goes wrong above it.
func TestDoubleClaimIsImpossible(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	put(t, s, "a")
	claim(t, s, t0, due("a", "run-0001", 0))
	for name, sql := range map[string]string{
		"lane": `INSERT INTO claims SELECT 'run-0002', job, lane, seq + 1, owner, 'other', slot_at, slot_kind, 1, 0, 0, 0, '', '', 2, 0 FROM claims`,
		"slot": `INSERT INTO claims SELECT 'run-0002', job, lane + 1, seq + 1, owner, slot_id, slot_at, slot_kind, 1, 0, 0, 0, '', '', 2, 0 FROM claims`,
	} {
		err := s.write(t.Context(), "insert", 0, func(t *tx) error {
			_, err := t.exec(sql)
			return err
		})
		if err == nil || !strings.Contains(err.Error(), "UNIQUE") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
