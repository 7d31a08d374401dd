package claimstest

import (
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/ncruces/go-sqlite3/driver"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/claims/sqlitestore"
	"github.com/wcron/wcron/fingerprint"
)

// damaged is a ledger in a folder, and what is in it.
type damaged struct {
	*world
	db                                 *sql.DB
	ok, skipped, retried, waits, flies string // slot ids of job a
	okRun, retriedRun, fliesRun        string // their (last) runs
	beside, besideRun, queued          string // of a slot that runs beside flies, and of one that waits
}

// ledger makes a valid ledger with one row of each kind.
func ledger(t *testing.T) *damaged {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "state")
	d := &damaged{}
	d.world = newWorld(t, Harness{Open: func(t *testing.T) claims.Store {
		s, err := sqlitestore.Open(t.Context(), sqlitestore.Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}})
	d.minutely("a")
	f := d.final(d.start(alpha, "a"), claims.OK)
	f.Output, f.State = inline("some text"), []claims.StateWrite{setKey("cursor", "7")}
	d.finalize(f, claims.Done)
	d.okRun, d.ok = f.RunID, d.run(f.RunID).Slot.ID
	f = d.final(d.start(alpha, "a"), claims.Failed)
	for range 2 {
		f.Retry = d.now
		d.finalize(f, claims.Done)
		f = d.final(d.claimed(beta, d.pendingItem(d.pending(1)[0]), claims.Won).Token, claims.OK)
	}
	busy := d.due("a")
	d.claimed(alpha, busy, claims.Busy)
	d.skipped = busy.Slot.ID
	d.finalize(f, claims.Done)
	d.retriedRun, d.retried = f.RunID, d.run(f.RunID).Slot.ID
	f = d.final(d.start(alpha, "a"), claims.Failed)
	f.Retry = d.now.Add(time.Hour)
	d.finalize(f, claims.Done)
	d.waits = d.pending(1)[0].Slot.ID
	d.fliesRun = d.start(alpha, "a").RunID
	d.flies = d.run(d.fliesRun).Slot.ID
	item := d.due("a")
	item.Lanes = 2
	d.besideRun, d.beside = d.claimed(alpha, item, claims.Won).Token.RunID, item.Slot.ID
	item = d.queueing("a")
	d.claimed(alpha, item, claims.Queued)
	d.queued = item.Slot.ID
	d.wait(5 * time.Second)
	db, err := sql.Open("sqlite3", (&url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(filepath.Join(dir, "ledger.db"))}).String())
	d.must(err)
	d.db = db
	d.Cleanup(func() { db.Close() })
	return d
}

func (d *damaged) options() claims.AuditOptions {
	return claims.AuditOptions{Now: d.now, Occurrences: occurrences, CheckOutput: true,
		Alive: func(claims.Owner) (fingerprint.Verdict, string) { return fingerprint.Alive, "its lock is held" }}
}

// Whatever is changed in the database behind the engine's back, audit names the invariant, the job and the slot.
func TestAuditFindsDamageInDatabase(t *testing.T) {
	tests := []struct {
		code   string
		victim func(d *damaged) (slot, run string)
		sql    string // ?1 is the slot, ?2 the run; empty: the options tell
		opt    func(o *claims.AuditOptions)
	}{
		{"double-claim", flies, `INSERT INTO claims SELECT 'other', job, lane + 9, seq - 1, owner, 'a@other', slot_at, slot_kind, attempt, claimed_at,
			deadline, cancel_at, cancel_by, '', lanes, 0 FROM claims WHERE ?1 > '' AND run_id = ?2`, nil},
		{"double-claim", beside, `UPDATE claims SET lanes = 1 WHERE ?1 > '' AND run_id = ?2`, nil},
		{"claim-without-run", flies, `DELETE FROM runs WHERE ?1 > '' AND run_id = ?2`, nil},
		{"claim-without-run", flies, `UPDATE runs SET outcome = 'ok' WHERE ?1 > '' AND run_id = ?2`, nil},
		{"run-without-claim", flies, `DELETE FROM claims WHERE ?1 > '' AND run_id = ?2`, nil},
		{"past-deadline", flies, `UPDATE claims SET deadline = 1 WHERE ?1 > '' AND run_id = ?2`, nil},
		{"dead-owner", flies, `UPDATE claims SET claimed_at = 1 WHERE ?1 > '' AND run_id = ?2`, func(o *claims.AuditOptions) {
			o.Alive = func(claims.Owner) (fingerprint.Verdict, string) { return fingerprint.Dead, "its lock is free" }
		}},
		{"slot-open", waits, `DELETE FROM pending WHERE slot_id = ?1 AND ?2 = ''`, nil},
		{"slot-open", queued, `DELETE FROM pending WHERE slot_id = ?1 AND ?2 = ''`, nil},
		{"slot-verdict", okSlot, `UPDATE slots SET verdict = 'failed' WHERE slot_id = ?1 AND ?2 = ''`, nil},
		{"slot-verdict", queued, `UPDATE slots SET verdict = 'skipped', reason = 'x' WHERE slot_id = ?1 AND ?2 = ''`, nil},
		{"slot-verdict", flies0, `UPDATE slots SET verdict = 'ok' WHERE slot_id = ?1 AND ?2 = ''`, nil},
		{"run-without-slot", retried, `DELETE FROM slots WHERE slot_id = ?1 AND ?2 > ''`, nil},
		{"attempt-gap", retried, `DELETE FROM runs WHERE slot_id = ?1 AND attempt = 2 AND ?2 > ''`, nil},
		{"next-off-schedule", nextSlot, `UPDATE jobs SET next_at = next_at + 1000 WHERE ?1 > '' AND ?2 = ''`, nil},
		{"slot-missing", skipped, `DELETE FROM slots WHERE slot_id = ?1 AND ?2 = ''`, nil},
		{"slot-extra", skipped, `UPDATE slots SET count = 2 WHERE slot_id = ?1 AND ?2 = ''`, nil},
		{"overdue", waits, `DELETE FROM claims WHERE ?1 > '' AND ?2 = ''`, func(o *claims.AuditOptions) { o.Now = o.Now.Add(2 * time.Hour) }},
		{"overdue", queued, `DELETE FROM claims WHERE ?1 > '' AND ?2 = ''`, func(o *claims.AuditOptions) { o.Now = o.Now.Add(2 * time.Hour) }},
		{"counts", noSlot, `UPDATE jobs SET repeats = repeats + 1 WHERE name = 'a' AND ?1 = ?2`, nil},
		{"counts", noSlot, `UPDATE runs SET counted = 1 WHERE job = 'a' AND ?1 = ?2`, nil},
		{"counts", retried, `UPDATE jobs SET last_outcome = 'trapped', last_run = ?2 WHERE ?1 > '' AND name = 'a'`, nil},
		{"counts", noSlot, `UPDATE jobs SET last_run = 'nobody' WHERE ?1 = ?2 AND name = 'a'`, nil},
		{"state-not-ok", okRun, `UPDATE runs SET outcome = 'failed' WHERE ?1 > '' AND run_id = ?2`, nil},
		{"state-not-ok", flies, `UPDATE state SET run_id = ?2, seq = (SELECT seq FROM runs WHERE run_id = ?2) WHERE ?1 > ''`, nil},
		{"state-not-ok", okRun, `UPDATE state SET seq = seq + 1 WHERE ?1 > '' AND run_id = ?2`, nil},
		{"state-not-ok", okRun, `UPDATE jobs SET removed_at = 1 WHERE ?1 > '' AND ?2 > ''`, nil},
		{"output-missing", okRun, `DELETE FROM outputs WHERE ?1 > '' AND run_id = ?2`, nil},
		{"output-missing", okRun, `UPDATE outputs SET body = 'other txt' WHERE ?1 > '' AND run_id = ?2`, nil},
	}
	for _, test := range tests {
		t.Run(test.code, func(t *testing.T) {
			d := ledger(t)
			opt := d.options()
			if found, err := claims.Audit(d.ctx, d.s, opt); err != nil || len(found) != 0 {
				t.Fatalf("before the damage: %+v, %v", found, err)
			}
			slot, run := test.victim(d)
			res, err := d.db.Exec(test.sql, slot, run)
			d.must(err)
			if n, err := res.RowsAffected(); n == 0 || err != nil {
				t.Fatalf("the damage changed %d rows, %v", n, err)
			}
			if test.opt != nil {
				test.opt(&opt)
			}
			found, err := claims.Audit(d.ctx, d.s, opt)
			d.must(err)
			if test.code == "next-off-schedule" {
				slot, _ = nextSlot(d)
			}
			if !slices.ContainsFunc(found, func(f claims.Finding) bool {
				return f.Code == test.code && f.Job == "a" && f.Slot == slot && f.RunID == run
			}) {
				t.Errorf("no finding of slot %q, run %q in %s", slot, run, lines(found))
			}
		})
	}
}

// A repair mends what is safe, says so, and leaves everything else as it is.
func TestRepair(t *testing.T) {
	tests := []struct {
		code   string
		victim func(d *damaged) (slot, run string)
		sql    string
		did    string // empty: nothing
	}{
		{"claim-without-run", flies, `UPDATE runs SET outcome = 'ok', ended_at = 5 WHERE ?1 > '' AND run_id = ?2`, "dropped the claim"},
		{"run-without-claim", flies, `DELETE FROM claims WHERE ?1 > '' AND run_id = ?2`, "closed the run as orphaned"},
		{"slot-open", waits, `DELETE FROM pending WHERE slot_id = ?1 AND ?2 = ''`, "the verdict failed"},
		{"slot-open", skipped, `UPDATE slots SET verdict = '' WHERE slot_id = ?1 AND ?2 = ''`, "the verdict missed"},
		{"state-not-ok", okRun, `UPDATE jobs SET removed_at = 1 WHERE ?1 > '' AND ?2 > ''`, "dropped the state"},

		{"claim-without-run", flies, `DELETE FROM runs WHERE ?1 > '' AND run_id = ?2`, ""},
		{"double-claim", flies, `INSERT INTO claims SELECT 'other', job, lane + 9, seq - 1, owner, 'a@other', slot_at, slot_kind, attempt, claimed_at,
			deadline, cancel_at, cancel_by, '', lanes, 0 FROM claims WHERE ?1 > '' AND run_id = ?2`, ""},
		{"slot-verdict", okSlot, `UPDATE slots SET verdict = 'failed' WHERE slot_id = ?1 AND ?2 = ''`, ""},
		{"slot-missing", skipped, `DELETE FROM slots WHERE slot_id = ?1 AND ?2 = ''`, ""},
		{"state-not-ok", okRun, `UPDATE state SET seq = seq + 1 WHERE ?1 > '' AND run_id = ?2`, ""},
		{"output-missing", okRun, `DELETE FROM outputs WHERE ?1 > '' AND run_id = ?2`, ""},
		{"past-deadline", flies, `UPDATE claims SET deadline = 1 WHERE ?1 > '' AND run_id = ?2`, ""},
	}
	for _, test := range tests {
		t.Run(test.code, func(t *testing.T) {
			d := ledger(t)
			slot, run := test.victim(d)
			_, err := d.db.Exec(test.sql, slot, run)
			d.must(err)
			found, err := claims.Audit(d.ctx, d.s, d.options())
			d.must(err)
			before := dump(d.T, d.s)
			did, err := d.s.(claims.Repairer).Repair(d.ctx, d.now, found)
			d.must(err)
			if len(did) != len(found) {
				t.Fatalf("%d answers to %d findings", len(did), len(found))
			}
			said := ""
			for i, r := range did {
				if r.Finding != found[i] {
					t.Errorf("answer %d is to %+v", i, r.Finding)
				}
				if r.Finding.Code == test.code {
					said += r.Did
				}
			}
			if test.did == "" {
				if diff := difference(before, dump(d.T, d.s)); diff != "" || said != "" {
					t.Errorf("did %q:\n%s", said, diff)
				}
				return
			}
			if !strings.Contains(said, test.did) {
				t.Errorf("did %q, want %q", said, test.did)
			}
			after, err := claims.Audit(d.ctx, d.s, d.options())
			d.must(err)
			for _, f := range after {
				if f.Code == test.code {
					t.Errorf("still there: %+v", f)
				}
			}
			again, err := d.s.(claims.Repairer).Repair(d.ctx, d.now, found)
			d.must(err)
			for _, r := range again {
				if r.Did != "" {
					t.Errorf("what is mended was mended again: %+v", r)
				}
			}
		})
	}
}

func lines(found []claims.Finding) (s string) {
	for _, f := range found {
		s += fmt.Sprintf("\n%s %s %s: %s", f.Code, f.Slot, f.RunID, f.What)
	}
	return s
}

func flies(d *damaged) (string, string)   { return d.flies, d.fliesRun }
func flies0(d *damaged) (string, string)  { return d.flies, "" }
func waits(d *damaged) (string, string)   { return d.waits, "" }
func okSlot(d *damaged) (string, string)  { return d.ok, "" }
func okRun(d *damaged) (string, string)   { return d.ok, d.okRun }
func skipped(d *damaged) (string, string) { return d.skipped, "" }
func retried(d *damaged) (string, string) { return d.retried, d.retriedRun }

func beside(d *damaged) (string, string) { return d.beside, d.besideRun }
func queued(d *damaged) (string, string) { return d.queued, "" }

func noSlot(*damaged) (string, string) { return "", "" }

func nextSlot(d *damaged) (string, string) {
	return claims.ScheduledSlot("a", d.job("a").Next).ID, ""
}

// Every invariant that package claims lists is damaged by a test here.
func TestEveryInvariantIsDamaged(t *testing.T) {
	doc, err := os.ReadFile("../doc.go")
	if err != nil {
		t.Fatal(err)
	}
	own, err := os.ReadFile("damage_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, list, ok := strings.Cut(string(doc), "# Invariants")
	codes := regexp.MustCompile(`(?m)^//\t([a-z]+(?:-[a-z]+)*) {2,}`).FindAllStringSubmatch(list, -1)
	if !ok || len(codes) < 16 {
		t.Fatalf("%d invariants are listed", len(codes))
	}
	for _, c := range codes {
		if !strings.Contains(string(own), `{"`+c[1]+`", `) {
			t.Errorf("no test damages a store so that %s is broken", c[1])
		}
	}
}
