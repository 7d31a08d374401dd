//go:build unix

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/claims/sqlitestore"
)

// kept is a valid ledger of ten minutes, and what is in it.
type kept struct {
	t                            *testing.T
	s                            *sqlitestore.Store
	ok, retried, waits, c, flies claims.Run
	skipped, next                string // slots
	n                            int
}

// keep makes the ledger in a state folder. Its jobs are of another configuration: a host of this one lets them be.
func keep(t *testing.T, dir string) *kept {
	t.Helper()
	s, err := sqlitestore.Open(t.Context(), sqlitestore.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	k := &kept{t: t, s: s}
	begun := time.Now().Add(-10 * time.Minute).UTC().Truncate(time.Minute)
	k.must(s.Put(t.Context(), begun, "elsewhere", []claims.Put{{Name: "a", Schedule: "* * * * *", Timezone: "UTC", First: begun.Add(time.Minute)}, {Name: "c"}}))
	owner, err := claims.Self("host-dead", os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Join(t.Context(), begun, owner); err != nil { // it dies with the store
		t.Fatal(err)
	}
	slot := func(n int) time.Time { return begun.Add(time.Duration(n) * time.Minute) }
	ours := func(n int) claims.Claim {
		return claims.Claim{Slot: claims.ScheduledSlot("a", slot(n)), Attempt: 1, From: slot(n), Next: slot(n + 1), Deadline: time.Now().Add(time.Hour).UTC()}
	}
	out := claims.Output{Inline: []byte("hello\n"), Bytes: 6, Digest: "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"}

	k.ok = k.run(slot(1), ours(1))
	k.end(slot(1), k.ok, claims.Final{Outcome: claims.OK, Output: out, State: []claims.StateWrite{{Key: "k", Value: []byte("v")}}})
	k.retried = k.run(slot(2), ours(2))
	for attempt := 2; attempt <= 3; attempt++ {
		k.end(slot(2), k.retried, claims.Final{Outcome: claims.Failed, Retry: slot(2)})
		k.retried = k.run(slot(2), claims.Claim{Slot: k.retried.Slot, Attempt: attempt})
	}
	k.end(slot(2), k.retried, claims.Final{Outcome: claims.OK})
	pass := ours(3)
	pass.Passed = []claims.Passed{{Verdict: claims.Skipped, Reason: "paused", First: slot(3), Last: slot(3), Count: 1}}
	k.must(s.Claim(t.Context(), slot(3), "host-unknown", []claims.Claim{pass}))
	k.waits = k.run(slot(4), ours(4))
	k.end(slot(4), k.waits, claims.Final{Outcome: claims.Failed, Retry: time.Now().Add(time.Hour).UTC()})
	k.flies = k.run(slot(5), ours(5))
	if err := s.Request(t.Context(), slot(5), claims.Request{Kind: claims.Trigger, Job: "c", ID: "x"}); err != nil {
		t.Fatal(err)
	}
	k.c = k.run(slot(5), claims.Claim{Slot: claims.ManualSlot("c", slot(5), "x"), Attempt: 1})
	k.end(slot(5), k.c, claims.Final{Outcome: claims.Failed, Retry: time.Now().Add(time.Hour).UTC()})
	k.skipped, k.next = pass.Slot.ID, claims.ScheduledSlot("a", slot(6).Add(time.Second)).ID
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return k
}

func (k *kept) must(_ any, err error) {
	k.t.Helper()
	if err != nil {
		k.t.Fatal(err)
	}
}

func (k *kept) run(now time.Time, c claims.Claim) claims.Run {
	k.t.Helper()
	k.n++
	c.RunID = "0198c3d2-7f3a-7b21-8000-00000000000" + string(rune('0'+k.n))
	got, err := k.s.Claim(k.t.Context(), now, "host-unknown", []claims.Claim{c})
	if err != nil || got[0].Status != claims.Won {
		k.t.Fatalf("%+v %v", got, err)
	}
	return claims.Run{Token: got[0].Token, Slot: c.Slot}
}

func (k *kept) end(now time.Time, r claims.Run, f claims.Final) {
	k.t.Helper()
	f.Token, f.StartedAt, f.EndedAt = r.Token, now, now.Add(time.Second)
	got, err := k.s.Finalize(k.t.Context(), f.EndedAt, []claims.Final{f})
	if err != nil || got[0].Status != claims.Done {
		k.t.Fatalf("%+v %v", got, err)
	}
}

// Whatever is changed in the database behind the program's back, the command ends with 1 and names the invariant, the job, the slot and
// what to do, for people and for programs. Every invariant that package claims lists has its row.
func TestAuditNamesEveryDamage(t *testing.T) {
	t.Parallel()
	from := newHome(t, "")
	k := keep(t, from.path("state"))
	from.at(0, "audit")
	cases := []struct {
		code, job, slot, run, damage string
		hosted                       bool // only a host that runs makes it damage
	}{
		{"double-claim", "a", k.flies.Slot.ID, k.flies.RunID, `CREATE TEMP TABLE c AS SELECT * FROM claims WHERE run_id = ?;
			UPDATE c SET run_id = 'other', lane = lane + 9, seq = seq - 1, slot_id = 'a@other'; INSERT INTO claims SELECT * FROM c`, false},
		{"claim-without-run", "a", k.flies.Slot.ID, k.flies.RunID, `DELETE FROM runs WHERE run_id = ?`, false},
		{"run-without-claim", "a", k.flies.Slot.ID, k.flies.RunID, `DELETE FROM claims WHERE run_id = ?`, false},
		{"past-deadline", "a", k.flies.Slot.ID, k.flies.RunID, `UPDATE claims SET deadline = 1000 WHERE run_id = ?`, false},
		{"dead-owner", "a", k.flies.Slot.ID, k.flies.RunID, `UPDATE claims SET owner = 'host-dead' WHERE run_id = ?`, false},
		{"slot-open", "a", k.waits.Slot.ID, "", `DELETE FROM pending WHERE slot_id = ?`, false},
		{"slot-verdict", "a", k.ok.Slot.ID, "", `UPDATE slots SET verdict = 'failed' WHERE slot_id = ?`, false},
		{"run-without-slot", "a", k.retried.Slot.ID, k.retried.RunID, `DELETE FROM slots WHERE slot_id = (SELECT slot_id FROM runs WHERE run_id = ?)`, false},
		{"attempt-gap", "a", k.retried.Slot.ID, k.retried.RunID, `DELETE FROM runs WHERE attempt = 2 AND slot_id = (SELECT slot_id FROM runs WHERE run_id = ?)`, false},
		{"next-off-schedule", "a", k.next, "", `UPDATE jobs SET next_at = next_at + 1000 WHERE name = 'a' AND '' < ?`, false},
		{"slot-missing", "a", k.skipped, "", `DELETE FROM slots WHERE slot_id = ?`, false},
		{"slot-extra", "a", k.skipped, "", `UPDATE slots SET count = 2 WHERE slot_id = ?`, false},
		{"overdue", "c", k.c.Slot.ID, "", `UPDATE pending SET due = 1000 WHERE slot_id = ?`, true},
		{"counts", "a", "", "", `UPDATE jobs SET repeats = repeats + 1 WHERE name = 'a' AND '' = ?`, false},
		{"state-not-ok", "a", k.ok.Slot.ID, k.ok.RunID, `UPDATE state SET seq = seq + 1 WHERE run_id = ?`, false},
		{"output-missing", "a", k.ok.Slot.ID, k.ok.RunID, `DELETE FROM outputs WHERE run_id = ?`, false},
	}
	var codes []string
	for _, c := range cases {
		codes = append(codes, c.code)
		t.Run(c.code, func(t *testing.T) {
			t.Parallel()
			h := newHome(t, "")
			if out, err := exec.Command("cp", "-a", from.path("state"), h.path("state")).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if c.hosted {
				h.serve()
				h.at(0, "audit")
			}
			subject := c.run
			if subject == "" {
				subject = c.slot
			}
			if c.damage == "" || !strings.Contains(c.damage, "?") {
				t.Fatal("no damage")
			}
			damage(t, h.path("state", "ledger.db"), strings.ReplaceAll(c.damage, "?", "'"+subject+"'"))
			parts := []string{c.code, "in " + h.path("state")}
			for _, s := range []string{c.slot, c.run} {
				if s != "" {
					parts = append(parts, s)
				}
			}
			if c.slot == "" {
				parts = append(parts, "job "+c.job)
			}
			contains(t, h.at(exitBad, "audit"), parts...)
			var a audited
			if err := json.Unmarshal([]byte(h.at(exitBad, "audit", "--json")), &a); err != nil {
				t.Fatal(err)
			}
			if a.OK || !slices.ContainsFunc(a.Findings, func(f ledgerFinding) bool {
				return f.Code == c.code && f.Job == c.job && text(f.Slot) == c.slot && text(f.RunID) == c.run && f.What != "" && f.Remedy != ""
			}) {
				t.Errorf("got %+v", a)
			}
		})
	}
	doc, err := os.ReadFile("../../claims/doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, list, ok := strings.Cut(string(doc), "# Invariants")
	for _, m := range regexp.MustCompile(`(?m)^//\t([a-z]+(?:-[a-z]+)*) {2,}`).FindAllStringSubmatch(list, -1) {
		if !slices.Contains(codes, m[1]) {
			t.Errorf("the command is not shown to find %s", m[1])
		}
	}
	if !ok {
		t.Error("the list of invariants is not where it was")
	}
}
