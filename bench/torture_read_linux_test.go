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
	good := []string{"100 claim rb " + slot.ID + " 1",
		"110 enter rb", "112 by rb 0000000", "113 count rb 0000000", "114 wrote rb 0000001", "120 beat rb", "130 leave rb", "140 commit rb ok", "150 notify rb ok"}
	orphan := []string{"10 claim ra " + slot.ID + " 1",
		"20 enter ra", "22 by ra 0000000", "23 count ra 0000000", "24 wrote ra 0000001", "30 beat ra", "90 commit ra orphaned"}
	runOf := func(id string, attempt int, o claims.Outcome) claims.Run {
		return claims.Run{Token: claims.Token{RunID: id, Job: "short-0", Seq: int64(attempt)}, Slot: slot, Attempt: attempt, Outcome: o}
	}
	early := runOf("ra", 1, claims.Orphaned) // long before the word of its guest
	early.EndedAt, early.Deadline = time.Unix(1000, 0), time.Unix(2000, 0)
	both := []claims.Run{runOf("ra", 1, claims.Orphaned), runOf("rb", 2, claims.OK)}
	second := append([]string{"100 claim rb " + slot.ID + " 2"}, good[1:]...)
	failing := strings.Split(strings.ReplaceAll(strings.Join(second, "\n"), "rb", "r3"), "\n") // by its id it ends with 1
	for _, c := range []struct {
		name  string
		lines []string
		runs  []claims.Run
		open  []claims.Open
		want  string // in the failures; empty: none
	}{
		{name: "sound", lines: slices.Concat(orphan, second), runs: both},
		{name: "overlap", lines: append(slices.Concat(orphan, second), "115 beat ra"), runs: both, want: "1 overlaps"},
		{name: "one attempt twice", lines: slices.Concat(orphan, good), want: "double slots",
			runs: []claims.Run{runOf("ra", 1, claims.Orphaned), runOf("rb", 1, claims.OK)}},
		{name: "one run twice", lines: append(slices.Concat(orphan, second), "125 enter rb"), runs: both, want: "double slots"},
		{name: "commit lost", lines: slices.Concat(orphan, second), want: "acknowledged as ok, and the ledger has running",
			runs: []claims.Run{both[0], runOf("rb", 2, claims.Running)}},
		{name: "commit overwritten", lines: slices.Concat(orphan, second), want: "acknowledged as orphaned, and the ledger has ok",
			runs: []claims.Run{runOf("ra", 1, claims.OK), both[1]}},
		{name: "claim lost", lines: slices.Concat(orphan, second), runs: both[:1], want: "not in the ledger"},
		{name: "refused and announced", lines: append(slices.Concat(orphan, second), "160 notify ra ok"), runs: both, want: "announced as ok"},
		{name: "ok without its end", lines: append(slices.Concat(orphan, second[:6]), "140 commit rb ok"), runs: both, want: "did not enter and leave once"},
		{name: "failed run is ok", lines: slices.Concat(orphan, failing), runs: []claims.Run{both[0], runOf("r3", 2, claims.OK)}, want: "its guest has failed"},
		{name: "live run recovered", lines: slices.Concat(orphan, second), runs: []claims.Run{early, both[1]}, want: "live runs recovered"},
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
