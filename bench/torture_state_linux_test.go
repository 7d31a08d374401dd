package bench

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/internal/guest"
)

// stateWorld is a made-up history of one job: what its runs have said, and what the ledger has.
type stateWorld struct {
	lines []string
	ledger
}

func runNumber(n int) string { return fmt.Sprintf("01234567-89ab-7def-8123-4567890000%xf", n) }

// run adds a run that has read what another one (0: none) has written, and counts on from there.
func (w *stateWorld) run(n int, o claims.Outcome, by, count int) {
	id, from := runNumber(n), nobody
	if by > 0 {
		from = tail(runNumber(by))
	}
	w.say("enter "+id, fmt.Sprintf("by %s %s", id, from), fmt.Sprintf("count %s %07d", id, count), fmt.Sprintf("wrote %s %07d", id, count+1), "leave "+id)
	w.runs["job"] = append(w.runs["job"], claims.Run{Token: claims.Token{Job: "job", Seq: int64(n), RunID: id},
		Slot: claims.Slot{ID: fmt.Sprintf("job@%d", n), Job: "job"}, Attempt: 1, Outcome: o})
	w.jobs[0].Seq = int64(n)
}

func (w *stateWorld) say(lines ...string) {
	for _, line := range lines {
		w.lines = append(w.lines, fmt.Sprintf("%d %s", 100+len(w.lines), line))
	}
}

// removal adds what a host says before it removes the job; the number of it is one that no run has.
func (w *stateWorld) removal() { w.say("removing job") }

// keep makes the state that the ledger has at the end.
func (w *stateWorld) keep(by, count int) {
	id := runNumber(by)
	for key, text := range map[string]string{guest.CountBy: strings.ReplaceAll(id, "-", ""), guest.CountN: fmt.Sprintf("%08d", count)} {
		value, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			panic(err)
		}
		w.state["job"] = append(w.state["job"], claims.StateEntry{Token: claims.Token{Job: "job", RunID: id}, Key: key, Value: value})
	}
}

// TestTortureCheckerFindsState shows each way in which a state can be wrong, and histories in which it is not.
func TestTortureCheckerFindsState(t *testing.T) {
	const ok, failed, orphaned, discarded = claims.OK, claims.Failed, claims.Orphaned, claims.Discarded
	for _, c := range []struct {
		name string
		tell func(w *stateWorld)
		want string // "1 lost", "1 leaked", "1 other"; empty: nothing
	}{
		{name: "sound", tell: func(w *stateWorld) {
			w.run(1, ok, 0, 0)
			w.run(2, failed, 1, 1)
			w.run(3, orphaned, 1, 1)
			w.run(4, ok, 1, 1)
			w.keep(4, 2)
		}},
		{name: "removed in between", tell: func(w *stateWorld) {
			w.run(1, ok, 0, 0)
			w.run(2, discarded, 1, 1)
			w.removal()
			w.run(4, ok, 0, 0)
			w.keep(4, 1)
		}},
		{name: "removed before it read", tell: func(w *stateWorld) {
			w.run(1, ok, 0, 0)
			w.removal()
			w.run(2, discarded, 0, 0)
			w.run(4, ok, 0, 0)
			w.keep(4, 1)
		}},
		{name: "removed at the end", tell: func(w *stateWorld) {
			w.run(1, ok, 0, 0)
			w.removal()
			w.jobs[0].Seq++
		}},
		{name: "update lost", want: "1 lost", tell: func(w *stateWorld) {
			w.run(1, ok, 0, 0)
			w.run(2, ok, 1, 1)
			w.run(3, orphaned, 1, 1)
			w.keep(2, 2)
		}},
		{name: "all state lost", want: "1 lost", tell: func(w *stateWorld) {
			w.run(1, ok, 0, 0)
			w.run(2, failed, 0, 0)
			w.keep(1, 1)
		}},
		{name: "two runs write the same count", want: "2 lost", tell: func(w *stateWorld) { // it has read, and written, too little
			w.run(1, ok, 0, 0)
			w.run(2, ok, 1, 1)
			w.run(3, ok, 1, 1)
			w.keep(3, 3)
		}},
		{name: "lost at the end", want: "1 lost", tell: func(w *stateWorld) {
			w.run(1, ok, 0, 0)
			w.run(2, ok, 1, 1)
			w.keep(1, 1)
		}},
		{name: "none at the end", want: "1 lost", tell: func(w *stateWorld) { w.run(1, ok, 0, 0) }},
		{name: "failed run leaves a trace", want: "1 leaked", tell: func(w *stateWorld) {
			w.run(1, ok, 0, 0)
			w.run(2, failed, 1, 1)
			w.run(3, orphaned, 2, 2)
			w.keep(1, 1)
		}},
		{name: "orphan leaves a trace at the end", want: "1 leaked", tell: func(w *stateWorld) {
			w.run(1, ok, 0, 0)
			w.run(2, orphaned, 1, 1)
			w.keep(2, 2)
		}},
		{name: "discarded run leaves a trace", want: "1 leaked", tell: func(w *stateWorld) {
			w.run(1, discarded, 0, 0)
			w.removal()
			w.jobs[0].Seq++
			w.keep(1, 1)
		}},
		{name: "state outlives its job", want: "1 leaked", tell: func(w *stateWorld) {
			w.run(1, ok, 0, 0)
			w.removal()
			w.run(3, failed, 1, 1)
		}},
		{name: "state of a later run", want: "1 leaked", tell: func(w *stateWorld) {
			w.run(1, ok, 0, 0)
			w.run(2, failed, 3, 2)
			w.run(3, ok, 1, 1)
			w.keep(3, 2)
		}},
		{name: "state of nobody", want: "1 leaked", tell: func(w *stateWorld) { w.run(1, failed, 9, 1) }},
		{name: "half of a run", want: "1 leaked", tell: func(w *stateWorld) {
			w.run(1, ok, 0, 0)
			w.keep(1, 1)
			w.state["job"] = w.state["job"][:1]
			w.run(2, failed, 1, 1)
			w.jobs[0].Seq++ // removed: what is left is one key
			w.removal()
		}},
		{name: "a removal that nobody began", want: "1 other", tell: func(w *stateWorld) {
			w.run(1, ok, 0, 0)
			w.run(3, failed, 0, 0)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := &stateWorld{ledger: ledger{jobs: []claims.Job{{Name: "job"}}, runs: map[string][]claims.Run{}, state: map[string][]claims.StateEntry{}}}
			c.tell(w)
			path := filepath.Join(t.TempDir(), "witness")
			if err := os.WriteFile(path, []byte(strings.Join(w.lines, "\n")+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			f := &TortureFigures{}
			if err := f.read(&w.ledger, path); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, part := range []struct {
				what string
				of   []string
			}{{"lost", f.StateLost}, {"leaked", f.StateLeak}, {"other", f.Lost}} {
				if len(part.of) > 0 {
					got = append(got, fmt.Sprintf("%d %s", len(part.of), part.what))
				}
			}
			failures := strings.Join(f.Failures, "\n")
			if said := strings.Join(got, ", "); said != c.want || (c.want != "") != strings.Contains(failures, "the first: ") {
				t.Errorf("found %q, want %q:\n%s\n%s", said, c.want, failures, strings.Join(w.lines, "\n"))
			}
		})
	}
}
