package sqlitestore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/fingerprint"
)

// older makes a store of an earlier version from its fixture.
func older(t *testing.T, fixture string) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "state")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	sql, err := os.ReadFile(filepath.Join("testdata", fixture))
	if err != nil {
		t.Fatal(err)
	}
	db, err := sqlite3.Open(filepath.Join(dir, "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Exec("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL"), db.Exec(string(sql)), db.Close()); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A store of version 1 is brought up to date with all that is in it, its run in flight is recovered, and its jobs have state from then on.
func TestStoreOfVersion1(t *testing.T) {
	dir := older(t, "version1.sql")
	if _, err := Open(t.Context(), Config{Dir: dir, ReadOnly: true}); err == nil || errors.Is(err, claims.ErrCorrupt) || !strings.Contains(err.Error(), "start the host once") {
		t.Fatalf("read only: %v", err)
	}
	s := open(t, dir)
	now := time.Date(2026, 3, 1, 0, 2, 10, 0, time.UTC)
	audit := func() {
		t.Helper()
		found, err := claims.Audit(t.Context(), s, claims.AuditOptions{Now: now, CheckOutput: true})
		if err != nil || len(found) > 0 {
			t.Fatalf("audit: %+v %v", found, err)
		}
	}
	audit()
	runs, err := s.Runs(t.Context(), claims.RunQuery{Job: "backup", Limit: -1})
	if err != nil || len(runs) != 2 || runs[1].Outcome != claims.OK || runs[1].Counted != nil {
		t.Fatalf("runs: %+v %v", runs, err)
	}
	open, err := s.Open(t.Context())
	if err != nil || len(open) != 1 {
		t.Fatalf("open: %+v %v", open, err)
	}
	f := final(open[0].Token, claims.OK, now)
	f.State = []claims.StateWrite{{Key: "cursor", Value: []byte("7")}}
	if got := finalize(t, s, now, f)[0]; got.Status != claims.Done {
		t.Fatalf("%+v", got)
	}
	if state, _, err := s.State(t.Context(), "backup"); err != nil || len(state) != 1 || string(state[0].Value) != "7" {
		t.Fatalf("state: %+v %v", state, err)
	}
	audit()
}

// A store of version 5 goes on as it was: what ran ends, what waits starts, and a job that is done takes a higher limit.
func TestStoreOfVersion5(t *testing.T) {
	s := open(t, older(t, "version5.sql"))
	begun := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	now := begun.Add(6*time.Minute + 30*time.Second)
	audit := func() {
		t.Helper()
		found, err := claims.Audit(t.Context(), s, claims.AuditOptions{Now: now, Occurrences: func(claims.Job) (func(time.Time) time.Time, error) {
			return func(after time.Time) time.Time { return after.Truncate(time.Minute).Add(time.Minute) }, nil
		}})
		if err != nil || len(found) > 0 {
			t.Fatalf("audit: %+v %v", found, err)
		}
	}
	audit()
	rows, err := s.Jobs(t.Context())
	if err != nil || len(rows) != 2 || !rows[0].Settled.IsZero() || !rows[0].Next.Equal(begun.Add(7*time.Minute)) || rows[0].Lanes != 2 || !rows[1].Done {
		t.Fatalf("jobs: %+v %v", rows, err)
	}
	open, err := s.Open(t.Context())
	if err != nil || len(open) != 1 {
		t.Fatalf("open: %+v %v", open, err)
	}
	f := final(open[0].Token, claims.OK, now)
	f.State, f.Counts = []claims.StateWrite{{Key: "cursor", Value: []byte("8")}}, true
	if got := finalize(t, s, now, f)[0]; got.Status != claims.Done || got.Job.Repeats != 3 {
		t.Fatalf("%+v", got)
	}
	waits, err := s.Pending(t.Context())
	if err != nil || len(waits) != 2 {
		t.Fatalf("pending: %+v %v", waits, err)
	}
	for i, p := range waits {
		id := fmt.Sprintf("run-1%d", i)
		got := claim(t, s, now, claims.Claim{Slot: p.Slot, Attempt: p.Attempt, RunID: id})[0]
		if got.Status != claims.Won || p.Slot.Kind == claims.Manual && string(got.Input) != `{"n":1}` {
			t.Fatalf("%+v", got)
		}
		finalize(t, s, now, final(got.Token, claims.OK, now))
	}
	put := claims.Put{Name: "thrice", Definition: "def-2", Schedule: "* * * * *", Timezone: "UTC", Repeat: 3, First: begun.Add(7 * time.Minute)}
	if rows, err := s.Put(t.Context(), now, "folder", []claims.Put{put}); err != nil || rows[0].Done || !rows[0].Next.Equal(put.First) {
		t.Fatalf("%+v %v", rows, err)
	}
	audit()
}

// Every later version is reached from a store without tables by the steps alone.
func TestStepsMakeTheSchema(t *testing.T) {
	texts := func(dir string) (all string) {
		db, err := sqlite3.OpenFlags(filepath.Join(dir, "ledger.db"), sqlite3.OPEN_READWRITE)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		st, _, err := db.Prepare("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name")
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		for st.Step() {
			all += st.ColumnText(0) + " " + st.ColumnText(1) + ": " + strings.Join(strings.Fields(st.ColumnText(2)), " ") + "\n"
		}
		return all
	}
	fresh := filepath.Join(t.TempDir(), "state")
	open(t, fresh)
	for _, fixture := range []string{"version1.sql", "version5.sql"} {
		grown := older(t, fixture)
		open(t, grown)
		if a, b := texts(fresh), texts(grown); a != b || !strings.Contains(a, "table state") {
			t.Errorf("a new store has\n%s\none made from %s\n%s", a, fixture, b)
		}
	}
}

// Owner records of older shapes and damaged ones are judged safely: dead only by a pid that nobody has, and never by a guess.
func TestOwnersOfOlderShapes(t *testing.T) {
	s := open(t, older(t, "version1.sql"))
	owners, err := s.Owners(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]struct {
		verdict fingerprint.Verdict
		why     string
	}{
		"4000001-a":         {fingerprint.Dead, "no process has its pid"}, // above the largest pid that Linux gives
		"1-a":               {fingerprint.Unknown, "a process has the pid 1"},
		"owner-null":        {fingerprint.Unknown, "malformed owner record"},
		"owner-malformed":   {fingerprint.Unknown, "malformed owner record"},
		"owner-unversioned": {fingerprint.Unknown, "malformed owner record"},
		"owner-to-come":     {fingerprint.Unknown, "version 999"},
	}
	if len(owners) != len(want) {
		t.Fatalf("%d owners, want %d", len(owners), len(want))
	}
	for _, o := range owners {
		p, err := s.Probe(t.Context(), o.ID)
		if err != nil {
			t.Fatal(err)
		}
		p.Release()
		verdict, why := claims.JudgeOwner(o, p)
		if w := want[o.ID]; verdict != w.verdict || !strings.Contains(why, w.why) {
			t.Errorf("owner %s: %s, %q; want %s, %q", o.ID, verdict, why, w.verdict, w.why)
		}
		// What is not proved dead waits for the deadline of its claim, and for its lease where there is none.
		claim := claims.Open{ClaimedAt: t0, Deadline: t0.Add(time.Hour)}
		for at, past := range map[time.Time]bool{t0.Add(59 * time.Minute): false, t0.Add(61 * time.Minute): true} {
			ok, _ := claims.Recoverable(claim, verdict, why, t0, t0, at, claims.Graces{OrphanGrace: time.Second, Lease: time.Second})
			if ok != (past || verdict == fingerprint.Dead) {
				t.Errorf("owner %s, past its deadline %v: recovered %v", o.ID, past, ok)
			}
		}
	}
}

// A store that a newer program has brought up to date takes nothing new from this one, and lets it end what it has begun, unless the
// newer version says otherwise.
func TestNewerStoreLetsRunsEnd(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s := open(t, dir)
	put(t, s, "a")
	var claimed []claims.Claimed
	for _, id := range []string{"one", "two"} {
		name := "job-" + id
		put(t, s, name)
		if err := s.Request(t.Context(), t0, claims.Request{Kind: claims.Trigger, Job: name, ID: id}); err != nil {
			t.Fatal(err)
		}
		got, err := s.Claim(t.Context(), t0, "owner-1", []claims.Claim{{Slot: claims.ManualSlot(name, t0, id), Attempt: 1, RunID: "run-" + id}})
		if err != nil || got[0].Status != claims.Won {
			t.Fatalf("%+v %v", got, err)
		}
		claimed = append(claimed, got...)
	}
	leave, err := s.Join(t.Context(), t0, claims.Owner{ID: "owner-1"})
	if err != nil {
		t.Fatal(err)
	}
	change(t, dir, "PRAGMA user_version = 99")
	if err := s.Request(t.Context(), t0, claims.Request{Kind: claims.Trigger, Job: "a", ID: "x"}); !errors.Is(err, claims.ErrNewer) {
		t.Errorf("a request: %v", err)
	}
	if err := s.Renew(t.Context(), t0, "owner-1"); !errors.Is(err, claims.ErrNewer) || !strings.Contains(err.Error(), "update this program") {
		t.Errorf("a renewal: %v", err)
	}
	f := final(claimed[0].Token, claims.OK, t0)
	f.State = []claims.StateWrite{{Key: "k", Value: []byte("v")}}
	if got := finalize(t, s, t0, f)[0]; got.Status != claims.Done {
		t.Errorf("%+v", got)
	}
	change(t, dir, "UPDATE meta SET oldest = 99")
	if _, err := s.Finalize(t.Context(), t0, []claims.Final{final(claimed[1].Token, claims.OK, t0)}); !errors.Is(err, claims.ErrNewer) {
		t.Errorf("a commit that the newer version has forbidden: %v", err)
	}
	change(t, dir, "UPDATE meta SET oldest = 2")
	if err := leave(t.Context(), t0); err != nil {
		t.Errorf("an owner that leaves: %v", err)
	}
}
