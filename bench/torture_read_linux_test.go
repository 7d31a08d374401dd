package bench

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
)

// TestTortureCheckerFinds shows for each figure a witness file and a ledger that disagree in that one way.
func TestTortureCheckerFinds(t *testing.T) {
	slot := claims.ScheduledSlot("short-0", time.Date(2026, 3, 8, 2, 30, 0, 0, time.UTC))
	good := []string{"100 claim r1 " + slot.ID + " 1", "110 enter r1", "120 beat r1", "130 leave r1", "140 commit r1 ok", "150 notify r1 ok"}
	orphan := []string{"10 claim r0 " + slot.ID + " 1", "20 enter r0", "30 beat r0", "90 commit r0 orphaned"}
	runOf := func(id string, attempt int, o claims.Outcome) claims.Run {
		return claims.Run{Token: claims.Token{RunID: id, Job: "short-0"}, Slot: slot, Attempt: attempt, Outcome: o}
	}
	both := []claims.Run{runOf("r0", 1, claims.Orphaned), runOf("r1", 2, claims.OK)}
	second := append([]string{"100 claim r1 " + slot.ID + " 2"}, good[1:]...)
	for _, c := range []struct {
		name  string
		lines []string
		runs  []claims.Run
		open  []claims.Open
		want  string // in the failures; empty: none
	}{
		{name: "sound", lines: slices.Concat(orphan, second), runs: both},
		{name: "overlap", lines: append(slices.Concat(orphan, second), "115 beat r0"), runs: both, want: "1 overlaps"},
		{name: "one attempt twice", lines: slices.Concat(orphan, good), want: "double slots",
			runs: []claims.Run{runOf("r0", 1, claims.Orphaned), runOf("r1", 1, claims.OK)}},
		{name: "one run twice", lines: append(slices.Concat(orphan, second), "125 enter r1"), runs: both, want: "double slots"},
		{name: "commit lost", lines: slices.Concat(orphan, second), want: "acknowledged as ok, and the ledger has running",
			runs: []claims.Run{both[0], runOf("r1", 2, claims.Running)}},
		{name: "commit overwritten", lines: slices.Concat(orphan, second), want: "acknowledged as orphaned, and the ledger has ok",
			runs: []claims.Run{runOf("r0", 1, claims.OK), both[1]}},
		{name: "claim lost", lines: slices.Concat(orphan, second), runs: both[:1], want: "not in the ledger"},
		{name: "refused and announced", lines: append(slices.Concat(orphan, second), "160 notify r0 ok"), runs: both, want: "announced as ok"},
		{name: "ok without its end", lines: append(slices.Concat(orphan, second[:3]), "140 commit r1 ok"), runs: both, want: "did not enter and leave once"},
		{name: "open claim", lines: slices.Concat(orphan, second), runs: both, open: []claims.Open{{Token: claims.Token{Job: "short-0"}, Owner: "dead"}},
			want: "open claims of dead owners"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "witness")
			if err := os.WriteFile(path, []byte(strings.Join(c.lines, "\n")+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			f := &TortureFigures{}
			if err := f.read(&ledger{runs: map[string][]claims.Run{"short-0": c.runs}, open: c.open}, path); err != nil {
				t.Fatal(err)
			}
			said := strings.Join(f.Failures, "\n")
			if c.want == "" && strings.Contains(said, "first:") || !strings.Contains(said, c.want) {
				t.Errorf("want %q, failures:\n%s", c.want, said)
			}
		})
	}
}
