package claimstest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/wcron/wcron/claims"
)

func pruneScenarios() []scenario {
	return []scenario{
		{"KeepsNewestAndOpen", pruneRuns},
		{"KeepsTheLatestClaimsWhateverTheClockSays", pruneClockBack},
		{"ByBytes", pruneBytes},
		{"KeepsUnfinishedSlots", pruneUnfinished},
		{"NothingToDo", pruneNothing},
	}
}

func (w *world) prune(limits ...claims.Retain) claims.Pruned {
	w.Helper()
	p, err := w.s.Prune(w.ctx, w.now, limits)
	w.must(err)
	return p
}

// mixed runs a job n times with changing outcomes and outputs of 100 bytes, and some slots without a run between.
func (w *world) mixed(name string, n int) (toks []claims.Token) {
	outcomes := []claims.Outcome{claims.OK, claims.OK, claims.OK, claims.Failed, claims.OK, claims.Timeout}
	for i := range n {
		tok := w.start(alpha, name)
		if i%4 == 1 {
			w.claimed(beta, w.due(name), claims.Busy)
		}
		f := w.final(tok, outcomes[i%len(outcomes)])
		f.Output = inline(fmt.Sprintf("%-100d", i))
		w.finalize(f, claims.Done)
		toks = append(toks, tok)
	}
	return toks
}

func pruneRuns(w *world) {
	w.minutely("a", "b")
	toks := w.mixed("a", 25)
	w.mixed("b", 5)
	open := w.start(alpha, "a")
	before := w.verdicts("a")
	if p := w.prune(claims.Retain{Job: "a", Runs: 4}); p.Runs != 21 || p.Bytes != 2100 {
		w.Errorf("pruned: %+v", p)
	}
	runs := w.runs(claims.RunQuery{Job: "a"})
	if len(runs) != 5 || runs[0].RunID != open.RunID || runs[4].RunID != toks[21].RunID {
		w.Errorf("runs left: %+v", runs)
	}
	if got := w.verdicts("a"); fmt.Sprint(got) != fmt.Sprint(before) {
		w.Errorf("verdicts %v, before %v", got, before)
	}
	if runs = w.runs(claims.RunQuery{Job: "b"}); len(runs) != 5 {
		w.Errorf("runs of another job: %d", len(runs))
	}
	if _, err := w.s.Output(w.ctx, toks[0].RunID); !errors.Is(err, claims.ErrNoRun) {
		w.Errorf("output of a pruned run: %v", err)
	}
	if got := w.read(toks[24].RunID); len(got) != 100 {
		w.Errorf("output of a run that is kept: %q", got)
	}
	w.audit()
	w.finish(open, claims.OK)
	w.mixed("a", 10)
	before = w.verdicts("a")
	w.prune(claims.Retain{Job: "a", Runs: 1}, claims.Retain{Job: "b", Runs: 2})
	if got := w.verdicts("a"); fmt.Sprint(got) != fmt.Sprint(before) {
		w.Errorf("verdicts %v, before %v", got, before)
	}
	rows, err := w.s.Slots(w.ctx, claims.SlotQuery{Job: "a", Limit: -1})
	w.must(err)
	var slots int64
	for _, n := range before {
		slots += n
	}
	if int64(len(rows)) >= slots {
		w.Errorf("%d rows for %d slots: nothing was folded", len(rows), slots)
	}
	if p := w.prune(claims.Retain{Job: "a", Runs: 1}, claims.Retain{Job: "b", Runs: 2}); p != (claims.Pruned{}) {
		w.Errorf("pruned twice: %+v", p)
	}
}

// The newest runs are those that were claimed last, also by a clock that was set back between.
func pruneClockBack(w *world) {
	w.minutely("a")
	w.wait(time.Hour)
	var last claims.Token
	for i := range 4 {
		if i == 2 {
			w.wait(-30 * time.Minute)
		}
		w.trigger("a", fmt.Sprint(i))
		last = w.claimed(alpha, w.pendingItem(w.pending(1)[0]), claims.Won).Token
		f := w.final(last, claims.OK)
		f.State = []claims.StateWrite{setKey("n", fmt.Sprint(i))}
		w.finalize(f, claims.Done)
		w.wait(time.Second)
	}
	w.prune(claims.Retain{Job: "a", Runs: 1})
	if runs := w.runs(claims.RunQuery{Job: "a"}); len(runs) != 1 || runs[0].RunID != last.RunID {
		w.Errorf("kept %+v, the last one is %s", runs, last.RunID)
	}
	w.audit()
}

func pruneBytes(w *world) {
	w.minutely("a")
	toks := w.mixed("a", 10)
	f := w.final(w.start(alpha, "a"), claims.OK)
	f.Output = w.spool(strings.Repeat("x", 1000))
	w.finalize(f, claims.Done)
	w.prune(claims.Retain{Job: "a", Bytes: 1350})
	runs := w.runs(claims.RunQuery{Job: "a"})
	if len(runs) != 4 || runs[0].RunID != f.RunID || runs[3].RunID != toks[7].RunID {
		w.Errorf("%d runs within 1350 bytes: %+v", len(runs), runs)
	}
	if got := w.read(f.RunID); len(got) != 1000 {
		w.Errorf("output file: %d bytes", len(got))
	}
}

func pruneUnfinished(w *world) {
	w.minutely("a")
	f := w.final(w.start(alpha, "a"), claims.Failed)
	f.Retry = w.now.Add(24 * time.Hour)
	w.finalize(f, claims.Done)
	slot := w.pending(1)[0]
	w.mixed("a", 10)
	w.prune(claims.Retain{Job: "a", Runs: 1})
	w.audit()
	w.finish(w.claimed(alpha, w.pendingItem(slot), claims.Won).Token, claims.OK)
	if runs := w.runs(claims.RunQuery{Slot: slot.Slot.ID}); len(runs) != 1 || runs[0].Attempt != 2 {
		w.Errorf("runs of the slot: %+v", runs)
	}
	w.audit()
	w.mixed("a", 2)
	before := w.verdicts("a")
	w.prune(claims.Retain{Job: "a", Runs: 1}) // the slot is folded with later ones, which were before it
	if got := w.verdicts("a"); fmt.Sprint(got) != fmt.Sprint(before) {
		w.Errorf("verdicts %v, before %v", got, before)
	}
}

func pruneNothing(w *world) {
	w.minutely("a")
	w.mixed("a", 3)
	before := dump(w.T, w.s)
	for _, limits := range [][]claims.Retain{nil, {{Job: "a"}}, {{Job: "nobody", Runs: 1}}, {{Job: "a", Runs: 3, Bytes: 300}}} {
		if p := w.prune(limits...); p != (claims.Pruned{}) {
			w.Errorf("prune %+v: %+v", limits, p)
		}
	}
	if diff := difference(before, dump(w.T, w.s)); diff != "" {
		w.Errorf("changed\n%s", diff)
	}
}
