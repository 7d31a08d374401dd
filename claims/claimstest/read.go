package claimstest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/wcron/wcron/claims"
)

func readScenarios() []scenario {
	return []scenario{
		{"Runs", readRuns},
		{"Slots", readSlots},
		{"OpenOldestFirst", readOpen},
		{"PendingByDue", readPending},
	}
}

// history runs each job of the given names n times, in turns, a minute apart.
func (w *world) history(n int, names ...string) (toks []claims.Token) {
	w.minutely(names...)
	for range n {
		for _, name := range names {
			tok := w.start(alpha, name)
			w.wait(time.Second)
			w.finish(tok, claims.OK)
			toks = append(toks, tok)
		}
	}
	return toks
}

func (w *world) runs(q claims.RunQuery) []claims.Run {
	w.Helper()
	runs, err := w.s.Runs(w.ctx, q)
	w.must(err)
	return runs
}

func readRuns(w *world) {
	toks := w.history(60, "a", "b") // 120 runs
	newest := toks[len(toks)-1]
	if runs := w.runs(claims.RunQuery{}); len(runs) != 100 || runs[0].RunID != newest.RunID {
		w.Errorf("%d runs without a limit, newest %+v", len(runs), runs[0])
	}
	runs := w.runs(claims.RunQuery{Limit: -1})
	if len(runs) != 120 {
		w.Errorf("%d runs in all", len(runs))
	}
	for i, r := range runs {
		if r.RunID != toks[len(toks)-1-i].RunID {
			w.Fatalf("run %d, newest first: %+v, want %+v", i, r.Token, toks[len(toks)-1-i])
		}
	}
	if runs = w.runs(claims.RunQuery{Job: "a", Limit: 7}); len(runs) != 7 || runs[0].Job != "a" || runs[6].RunID != toks[len(toks)-14].RunID {
		w.Errorf("newest runs of a: %+v", runs)
	}
	if runs = w.runs(claims.RunQuery{Job: "nobody"}); len(runs) != 0 {
		w.Errorf("runs of no job: %+v", runs)
	}
	cut := w.run(toks[40].RunID).ClaimedAt // page on from here
	if runs = w.runs(claims.RunQuery{Before: cut, Limit: -1}); len(runs) == 0 || len(runs) > 40 || !runs[0].ClaimedAt.Before(cut) {
		w.Errorf("%d runs before the 41st", len(runs))
	}
	for _, q := range []string{toks[5].RunID, toks[5].RunID[:8], toks[5].RunID[:13]} {
		if runs = w.runs(claims.RunQuery{RunID: q}); len(runs) != 1 || runs[0].RunID != toks[5].RunID {
			w.Errorf("run by %q: %+v", q, runs)
		}
	}
	for _, q := range []string{"%", "____", "zzzzzzzz", "*", toks[5].RunID + "0"} {
		if runs, err := w.s.Runs(w.ctx, claims.RunQuery{RunID: q}); len(runs) != 0 {
			w.Errorf("run by %q: %+v, %v", q, runs, err)
		}
	}
	if runs = w.runs(claims.RunQuery{Slot: w.run(toks[5].RunID).Slot.ID}); len(runs) != 1 || runs[0].RunID != toks[5].RunID {
		w.Errorf("runs of a slot: %+v", runs)
	}
}

func readSlots(w *world) {
	begin := w.now
	w.history(110, "a")
	slots := func(q claims.SlotQuery) []claims.SlotRow {
		w.Helper()
		rows, err := w.s.Slots(w.ctx, q)
		w.must(err)
		for i := 1; i < len(rows); i++ {
			if rows[i].Slot.At.After(rows[i-1].Slot.At) {
				w.Errorf("slots %+v: row %d is newer", q, i)
			}
		}
		return rows
	}
	at := func(n int) time.Time { return begin.Add(time.Duration(n) * time.Minute) }
	if rows := slots(claims.SlotQuery{}); len(rows) != 100 || !rows[0].Slot.At.Equal(at(110)) {
		w.Errorf("%d slots without a limit", len(rows))
	}
	if rows := slots(claims.SlotQuery{Job: "a", Limit: -1}); len(rows) != 110 {
		w.Errorf("%d slots in all", len(rows))
	}
	if rows := slots(claims.SlotQuery{Job: "nobody", Limit: -1}); len(rows) != 0 {
		w.Errorf("slots of no job: %+v", rows)
	}
	if rows := slots(claims.SlotQuery{Job: "a", Since: at(11), Before: at(21)}); len(rows) != 10 || !rows[0].Slot.At.Equal(at(20)) ||
		!rows[9].Slot.At.Equal(at(11)) {
		w.Errorf("slots from the 11th on, before the 21st: %d", len(rows))
	}
	if rows := slots(claims.SlotQuery{Limit: 3}); len(rows) != 3 || rows[0].Count != 1 || len(rows[0].RunIDs) != 1 || !rows[0].Until.Equal(rows[0].Slot.At) {
		w.Errorf("newest slots: %+v", rows)
	}
}

func readOpen(w *world) {
	w.minutely("c", "a", "b")
	var want []claims.Token
	for _, name := range []string{"b", "c", "a"} {
		want = append(want, w.start(alpha, name))
		w.wait(time.Second)
	}
	for i, o := range w.open(3) {
		if o.Token != want[i] {
			w.Errorf("open claim %d: %+v, want %+v", i, o.Token, want[i])
		}
	}
}

func readPending(w *world) {
	w.minutely("a", "b")
	tok := w.start(alpha, "a")
	f := w.final(tok, claims.Failed)
	f.Retry = w.now.Add(time.Hour)
	w.finalize(f, claims.Done)
	w.trigger("b", "early")
	w.wait(2 * time.Hour)
	w.trigger("b", "late")
	rows := w.pending(3)
	for i := 1; i < len(rows); i++ {
		if rows[i].Due.Before(rows[i-1].Due) {
			w.Errorf("pending by due time: %+v", rows)
		}
	}
}

func outputScenarios() []scenario {
	return []scenario{
		{"None", outputNone},
		{"Inline", outputInline},
		{"File", outputFile},
		{"FileOfLostAnswer", outputFileAgain},
	}
}

func outputNone(w *world) {
	w.minutely("a")
	tok := w.start(alpha, "a")
	w.finish(tok, claims.OK)
	if got := w.read(tok.RunID); got != "" {
		w.Errorf("empty output: %q", got)
	}
	if r := w.run(tok.RunID); r.Output.Bytes != 0 || r.Output.Digest != "" {
		w.Errorf("run: %+v", r.Output)
	}
	if _, err := w.s.Output(w.ctx, w.id()); !errors.Is(err, claims.ErrNoRun) {
		w.Errorf("output of no run: %v", err)
	}
}

func outputInline(w *world) {
	w.minutely("a")
	for _, text := range []string{"hello\n", "\x00\xff binary \x00", strings.Repeat("64 KiB in the commit itself. ....", 2048)} {
		f := w.final(w.start(alpha, "a"), claims.OK)
		f.Output = inline(text)
		f.Output.Cut, f.Output.Partial = 7, true
		w.finalize(f, claims.Done)
		if got := w.read(f.RunID); got != text {
			w.Errorf("output of %d bytes: read back %d", len(text), len(got))
		}
		if o := w.run(f.RunID).Output; o.Bytes != int64(len(text)) || o.Digest != f.Output.Digest || o.Cut != 7 || !o.Partial || o.Inline != nil {
			w.Errorf("run's output: %+v", o)
		}
	}
}

// spool writes an output file, synced as the contract asks.
func (w *world) spool(text string) claims.Output {
	w.Helper()
	var dir string
	if w.h.Spool != nil {
		dir = w.h.Spool(w.T, w.s)
	} else {
		dir = w.TempDir()
	}
	path := filepath.Join(dir, "spool-"+w.id())
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	w.must(err)
	_, err = out.WriteString(text)
	w.must(errors.Join(err, out.Sync(), out.Close()))
	return claims.Output{File: path, Bytes: int64(len(text)), Digest: digest([]byte(text))}
}

func outputFile(w *world) {
	w.minutely("a")
	text := strings.Repeat("a line of a long output\n", 20_000)
	f := w.final(w.start(alpha, "a"), claims.OK)
	f.Output = w.spool(text)
	w.finalize(f, claims.Done)
	if got := w.read(f.RunID); got != text {
		w.Errorf("output of %d bytes: read back %d", len(text), len(got))
	}
	if o := w.run(f.RunID).Output; o.Bytes != int64(len(text)) || o.Digest != f.Output.Digest || o.Inline != nil {
		w.Errorf("run's output: %+v", o)
	}
}

// The engine has taken the file over, and is asked to once more.
func outputFileAgain(w *world) {
	w.minutely("a")
	text := strings.Repeat("x", 100_000)
	f := w.final(w.start(alpha, "a"), claims.OK)
	f.Output = w.spool(text)
	w.finalize(f, claims.Done)
	w.finalize(f, claims.AlreadyFinal)
	if got := w.read(f.RunID); got != text {
		w.Errorf("output of %d bytes: read back %d", len(text), len(got))
	}
}

func pruneScenarios() []scenario {
	return []scenario{
		{"KeepsNewestAndOpen", pruneRuns},
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
