package claimstest

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/wcron/wcron/claims"
)

func finalScenarios() []scenario {
	return []scenario{
		{"Records", finalRecords},
		{"WrongToken", finalWrongToken},
		{"AlreadyFinal", finalAlready},
		{"FencedAfterRecovery", finalFenced},
		{"LateNoteOnce", finalLateOnce},
		{"RecoveryAgainstCommit", finalRace},
		{"RemovedMeanwhile", finalRemoved},
		{"RemovedAndAddedMeanwhile", finalAddedAgain},
		{"SeveralAtOnce", finalAtOnce},
		{"MixedBatch", finalMixed},
		{"Emits", finalEmits},
		{"EmitsOfOthers", finalEmitsOfOthers},
		{"EmitsAreBounded", finalEmitsAreBounded},
	}
}

func finalRecords(w *world) {
	w.minutely("a")
	tok := w.start(alpha, "a")
	w.wait(time.Second)
	code := int64(3)
	f := w.final(tok, claims.Failed)
	f.Cause, f.ExitCode, f.Reason, f.Evidence, f.Memory, f.Fuel = claims.Exit, &code, "exit code 3", "none", 1<<20, 1<<40
	j := w.finalize(f, claims.Done)
	if j.LastRun != tok.RunID || j.Last != claims.Failed || !j.LastEnded.Equal(w.now) || j.Repeats != 0 {
		w.Errorf("job: %+v", j)
	}
	r := w.outcome(tok, claims.Failed)
	if r.Cause != f.Cause || r.ExitCode == nil || *r.ExitCode != 3 || r.Reason != f.Reason || r.Evidence != f.Evidence || r.Memory != f.Memory || r.Fuel != f.Fuel ||
		!r.StartedAt.Equal(f.StartedAt) || !r.EndedAt.Equal(f.EndedAt) || !r.LateAt.IsZero() || r.Late != "" {
		w.Errorf("run: %+v", r)
	}
	w.open(0)
	w.verdict("a", map[claims.Verdict]int64{"failed": 1})
	tok = w.start(alpha, "a")
	f = w.final(tok, claims.Killed)
	f.StartedAt = time.Time{}
	w.finalize(f, claims.Done)
	if r := w.run(tok.RunID); r.ExitCode != nil || !r.StartedAt.IsZero() {
		w.Errorf("run that never started: %+v", r)
	}
}

func finalWrongToken(w *world) {
	w.minutely("a", "b")
	tok := w.start(alpha, "a")
	before := dump(w.T, w.s)
	for _, wrong := range []claims.Token{
		{Job: "a", Seq: tok.Seq, RunID: w.id()},
		{Job: "a", Seq: tok.Seq + 1, RunID: tok.RunID},
		{Job: "a", Seq: tok.Seq - 1, RunID: tok.RunID},
		{Job: "b", Seq: tok.Seq, RunID: tok.RunID},
		{Job: "nobody", Seq: tok.Seq, RunID: tok.RunID},
		{},
	} {
		f := w.final(wrong, claims.OK)
		f.Counts, f.Repeat, f.Disable, f.Retry, f.Output = true, 1, "x", w.now, inline("text")
		w.finalize(f, claims.Fenced)
		if diff := difference(before, dump(w.T, w.s)); diff != "" {
			w.Fatalf("token %+v changed\n%s", wrong, diff)
		}
	}
	w.outcome(tok, claims.Running)
	w.finish(tok, claims.OK)
	w.open(0)
}

func finalAlready(w *world) {
	w.minutely("a")
	f := w.final(w.start(alpha, "a"), claims.Failed)
	f.Counts, f.Repeat, f.Retry, f.Output = true, 9, w.now.Add(time.Second), inline("text")
	w.finalize(f, claims.Done)
	before := dump(w.T, w.s)
	w.wait(time.Second)
	for range 2 {
		if j := w.finalize(f, claims.AlreadyFinal); j.Repeats != 1 {
			w.Errorf("job: %+v", j)
		}
	}
	p := w.pending(1)[0]
	if diff := difference(before, dump(w.T, w.s)); diff != "" {
		w.Errorf("the same commit again changed\n%s", diff)
	}
	w.claimed(alpha, w.pendingItem(p), claims.Won)
	w.finalize(f, claims.AlreadyFinal) // even with the next attempt under way
	w.open(1)
	w.pending(0)
}

// recovered claims the job's next slot and gives its claim up.
func (w *world) recovered(name string) claims.Token {
	w.Helper()
	tok := w.start(alpha, name)
	w.wait(10 * time.Second)
	f := w.final(tok, claims.Orphaned)
	f.Reason, f.Evidence, f.Counts = "the owner is dead", "its lock was free", true
	w.finalize(f, claims.Done)
	return tok
}

func finalFenced(w *world) {
	w.minutely("a")
	tok := w.recovered("a")
	w.verdict("a", map[claims.Verdict]int64{"orphaned": 1})
	second := w.start(beta, "a")
	w.wait(time.Second)
	f := w.final(tok, claims.OK)
	f.Counts, f.Repeat, f.Disable, f.Retry, f.Output = true, 1, "x", w.now, inline("late text")
	if j := w.finalize(f, claims.Fenced); j.Repeats != 1 || j.Disabled != "" || j.Done || j.Last != claims.Orphaned {
		w.Errorf("job after a late result: %+v", j)
	}
	r := w.outcome(tok, claims.Orphaned)
	if !r.LateAt.Equal(w.now) || r.Late != claims.OK || r.Evidence != "its lock was free" {
		w.Errorf("run after a late result: %+v", r)
	}
	if got := w.read(tok.RunID); got != "late text" {
		w.Errorf("output of a late result: %q", got)
	}
	w.pending(0)
	if o := w.open(1)[0]; o.Token != second {
		w.Errorf("open: %+v", o)
	}
	w.finish(second, claims.OK)
	w.verdict("a", map[claims.Verdict]int64{"orphaned": 1, "ok": 1})
}

func (w *world) read(runID string) string {
	w.Helper()
	in, err := w.s.Output(w.ctx, runID)
	w.must(err)
	text, err := io.ReadAll(in)
	w.must(err)
	w.must(in.Close())
	return string(text)
}

func finalLateOnce(w *world) {
	w.minutely("a")
	tok := w.recovered("a")
	w.wait(time.Second)
	late := w.now
	f := w.final(tok, claims.Failed)
	w.finalize(f, claims.Fenced)
	w.wait(time.Second)
	w.finalize(f, claims.Fenced)
	w.finalize(w.final(tok, claims.OK), claims.Fenced)
	if r := w.outcome(tok, claims.Orphaned); !r.LateAt.Equal(late) || r.Late != claims.Failed {
		w.Errorf("run after three late results: %+v", r)
	}
}

// A late owner and two recoverers race for each claim: exactly one wins.
func finalRace(w *world) {
	other := w.s
	if w.h.Again != nil {
		other = w.again()
	}
	const rounds = 15
	for i := range rounds {
		name := fmt.Sprintf("job-%d", i)
		w.minutely(name)
		tok := w.start(alpha, name)
		results := []claims.Final{w.final(tok, claims.OK), w.final(tok, claims.Orphaned), w.final(tok, claims.Orphaned)}
		results[2].EndedAt = w.now.Add(time.Millisecond)
		status := make([]claims.FinalStatus, len(results))
		var group sync.WaitGroup
		for n, f := range results {
			group.Go(func() {
				got, err := []claims.Store{w.s, other}[n%2].Finalize(w.ctx, w.now, []claims.Final{f})
				if err != nil || len(got) != 1 {
					w.Errorf("finalize: %+v, %v", got, err)
					return
				}
				status[n] = got[0].Status
			})
		}
		group.Wait()
		var won []int
		for n, s := range status {
			if s == claims.Done {
				won = append(won, n)
			} else if s != claims.Fenced {
				w.Errorf("loser %d: %s", n, s)
			}
		}
		if len(won) != 1 {
			w.Fatalf("answers %v, want one winner", status)
		}
		w.outcome(tok, results[won[0]].Outcome)
	}
	w.open(0)
}

func finalRemoved(w *world) {
	w.minutely("a")
	tok := w.start(alpha, "a")
	w.remove("a")
	f := w.final(tok, claims.OK)
	f.Counts, f.Repeat, f.Retry, f.Disable = true, 1, w.now, "x"
	j := w.finalize(f, claims.Dropped)
	if j.Removed.IsZero() || j.Repeats != 0 || j.Disabled != "" || j.Done {
		w.Errorf("removed job: %+v", j)
	}
	w.outcome(tok, claims.Discarded)
	w.verdict("a", map[claims.Verdict]int64{"discarded": 1})
	w.open(0)
	w.pending(0)
	if got, err := w.s.Finalize(w.ctx, w.now, []claims.Final{f}); err != nil || got[0].Status == claims.Done || got[0].Status == claims.Fenced {
		w.Errorf("the same commit again: %+v, %v", got, err)
	}
	if r := w.outcome(tok, claims.Discarded); !r.LateAt.IsZero() {
		w.Errorf("the same commit again left a note: %+v", r)
	}
}

func finalAddedAgain(w *world) {
	w.minutely("a")
	tok := w.start(alpha, "a")
	w.remove("a")
	w.wait(time.Second)
	before := w.put(def("a", period, w.now))[0]
	f := w.final(tok, claims.Failed)
	f.Counts, f.Repeat, f.Retry, f.Disable = true, 1, w.now, "x"
	w.finalize(f, claims.Dropped)
	w.outcome(tok, claims.Discarded)
	if j := w.job("a"); j.Repeats != 0 || j.Disabled != "" || j.Done || !j.Next.Equal(before.Next) || j.LastRun == tok.RunID {
		w.Errorf("namesake: %+v", j)
	}
	w.pending(0)
	w.finish(w.start(alpha, "a"), claims.OK)
	w.verdict("a", map[claims.Verdict]int64{"discarded": 1, "ok": 1})
}

func finalAtOnce(w *world) {
	const jobs = 32
	var toks []claims.Token
	for i := range jobs {
		w.minutely(fmt.Sprintf("job-%02d", i))
	}
	for i := range jobs {
		toks = append(toks, w.start(alpha, fmt.Sprintf("job-%02d", i)))
	}
	var group sync.WaitGroup
	for i, tok := range toks {
		group.Go(func() {
			f := w.final(tok, claims.OK)
			f.Output = inline(fmt.Sprintf("output %d", i))
			got, err := w.s.Finalize(w.ctx, w.now, []claims.Final{f})
			if err != nil || len(got) != 1 || got[0].Status != claims.Done || got[0].Job.Name != tok.Job {
				w.Errorf("finalize %s: %+v, %v", tok.Job, got, err)
			}
		})
	}
	group.Wait()
	w.open(0)
	for i, tok := range toks {
		w.outcome(tok, claims.OK)
		if got := w.read(tok.RunID); got != fmt.Sprintf("output %d", i) {
			w.Errorf("output of %s: %q", tok.Job, got)
		}
	}
}

// One item that is fenced spoils no other.
func finalMixed(w *world) {
	w.minutely("a", "b", "c")
	lost := w.recovered("a")
	b, c := w.start(alpha, "b"), w.start(alpha, "c")
	w.remove("c")
	already := w.final(lost, claims.Failed)
	got, err := w.s.Finalize(w.ctx, w.now, []claims.Final{w.final(claims.Token{Job: "x", RunID: w.id()}, claims.OK), w.final(b, claims.OK), already, w.final(c, claims.OK)})
	w.must(err)
	want := []claims.FinalStatus{claims.Fenced, claims.Done, claims.Fenced, claims.Dropped}
	for i, s := range want {
		if got[i].Status != s {
			w.Errorf("item %d: %s, want %s", i, got[i].Status, s)
		}
	}
	if got[0].Job.Name != "" {
		w.Errorf("job that does not exist: %+v", got[0].Job)
	}
	w.outcome(b, claims.OK)
	w.open(0)
}
