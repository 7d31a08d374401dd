package claimstest

import (
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
