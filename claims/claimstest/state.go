package claimstest

import (
	"fmt"
	"strings"
	"sync"

	"github.com/wcron/wcron/claims"
)

func stateScenarios() []scenario {
	return []scenario{
		{"KeptWithOk", stateOK},
		{"KeptWithNothingElse", stateNotOK},
		{"NotByALateOwner", stateLate},
		{"NotByATokenThatIsWrong", stateWrongToken},
		{"GoesWithTheJob", stateRemoved},
		{"CommittedOnce", stateOnce},
		{"AllOrNothing", stateLarge},
		{"OfManyJobsAtOnce", stateMany},
		{"SeenByAnotherOpening", stateAgain},
		{"Conflict", conflictWays},
		{"ConflictIsRecorded", conflictRecord},
		{"ConflictOfWhatLooksTheSame", conflictABA},
		{"NoConflictWithWhatWasSeen", conflictSeen},
		{"NoConflictUnlessOk", conflictOnlyOK},
		{"ConflictOfThree", conflictThree},
	}
}

func setKey(key, value string) claims.StateWrite {
	return claims.StateWrite{Key: key, Value: []byte(value)}
}

// state expects what a job has: "key=value" by key.
func (w *world) state(job string, want ...string) []claims.StateEntry {
	w.Helper()
	all, _, err := w.s.State(w.ctx, job)
	w.must(err)
	var got []string
	for _, e := range all {
		if e.Job != job {
			w.Errorf("state of %q: key %q is of job %q", job, e.Key, e.Job)
		}
		got = append(got, e.Key+"="+string(e.Value))
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		w.Fatalf("state of %q: %q, want %q", job, got, want)
	}
	return all
}

// wrote ends the job's next run with these writes.
func (w *world) wrote(job string, o claims.Outcome, writes ...claims.StateWrite) claims.Token {
	w.Helper()
	f := w.final(w.start(alpha, job), o)
	f.State = writes
	w.finalize(f, claims.Done)
	return f.Token
}

func stateOK(w *world) {
	w.minutely("a", "b")
	w.state("a")
	w.state("nobody")
	first := w.wrote("a", claims.OK, setKey("x", "1"), setKey("y", "2"), setKey("empty", ""))
	w.wrote("b", claims.OK, setKey("x", "of b"))
	second := w.wrote("a", claims.OK, setKey("y", "3"), setKey("z", "\x00\xff"), claims.StateWrite{Key: "x", Delete: true}, claims.StateWrite{Key: "none", Delete: true})
	all := w.state("a", "empty=", "y=3", "z=\x00\xff")
	if all[0].Token != first || all[1].Token != second {
		w.Errorf("written by %+v and %+v, want %+v and %+v", all[0].Token, all[1].Token, first, second)
	}
	w.state("b", "x=of b")
	w.wrote("a", claims.OK)
	w.state("a", "empty=", "y=3", "z=\x00\xff")
}

func stateNotOK(w *world) {
	w.minutely("a")
	w.wrote("a", claims.OK, setKey("x", "1"), setKey("y", "2"))
	for _, o := range []claims.Outcome{claims.Failed, claims.Timeout, claims.Trapped, claims.Killed, claims.Orphaned} {
		w.wrote("a", o, setKey("x", string(o)), setKey(string(o), "1"), claims.StateWrite{Key: "y", Delete: true})
		w.state("a", "x=1", "y=2")
	}
}

func stateLate(w *world) {
	w.minutely("a")
	tok := w.start(alpha, "a")
	w.finish(tok, claims.Orphaned)
	w.wrote("a", claims.OK, setKey("x", "new"))
	f := w.final(tok, claims.OK)
	f.State = []claims.StateWrite{setKey("x", "late"), setKey("y", "late")}
	w.finalize(f, claims.Fenced)
	w.state("a", "x=new")
}

func stateWrongToken(w *world) {
	w.minutely("a", "b")
	tok := w.start(alpha, "a")
	for _, wrong := range []claims.Token{{Job: "a", Seq: tok.Seq + 1, RunID: tok.RunID}, {Job: "b", Seq: tok.Seq, RunID: tok.RunID}, {Job: "a", Seq: tok.Seq, RunID: w.id()}} {
		f := w.final(wrong, claims.OK)
		f.State = []claims.StateWrite{setKey("x", "1")}
		w.finalize(f, claims.Fenced)
	}
	w.state("a")
	w.state("b")
	w.finish(tok, claims.OK)
}

func stateRemoved(w *world) {
	w.minutely("a")
	w.wrote("a", claims.OK, setKey("x", "1"))
	f := w.final(w.start(alpha, "a"), claims.OK)
	f.State = []claims.StateWrite{setKey("x", "2")}
	w.remove("a")
	w.state("a")
	w.finalize(f, claims.Dropped)
	w.state("a")
	w.minutely("a")
	w.state("a") // another job of that name
	f = w.final(w.start(alpha, "a"), claims.OK)
	f.State = []claims.StateWrite{setKey("x", "3")}
	w.remove("a")
	w.minutely("a")
	w.finalize(f, claims.Dropped)
	w.state("a")
}

func stateOnce(w *world) {
	w.minutely("a")
	f := w.final(w.start(alpha, "a"), claims.OK)
	f.State = []claims.StateWrite{setKey("x", "1")}
	w.finalize(f, claims.Done)
	w.wrote("a", claims.OK, setKey("x", "2"))
	w.finalize(f, claims.AlreadyFinal) // the answer was lost, and the call made again
	w.state("a", "x=2")
}

func stateLarge(w *world) {
	w.minutely("a")
	var writes []claims.StateWrite
	var want []string
	for i := range 100 {
		value := strings.Repeat(fmt.Sprint(i%10), 10_000)
		writes = append(writes, setKey(fmt.Sprintf("%03d", i), value))
		want = append(want, fmt.Sprintf("%03d=%s", i, value))
	}
	w.wrote("a", claims.Failed, writes...)
	w.state("a")
	w.wrote("a", claims.OK, writes...)
	w.state("a", want...)
}

func stateMany(w *world) {
	var names []string
	for i := range 20 {
		names = append(names, fmt.Sprintf("job-%02d", i))
	}
	w.minutely(names...)
	var finals []claims.Final
	for _, name := range names {
		f := w.final(w.start(alpha, name), claims.OK)
		f.State = []claims.StateWrite{setKey("me", name)}
		finals = append(finals, f)
	}
	var wg sync.WaitGroup
	for _, f := range finals {
		wg.Go(func() {
			if got, err := w.s.Finalize(w.ctx, w.now, []claims.Final{f}); err != nil || got[0].Status != claims.Done {
				w.Errorf("finalize: %+v %v", got, err)
			}
		})
	}
	wg.Wait()
	for _, name := range names {
		w.state(name, "me="+name)
	}
}

func stateAgain(w *world) {
	other := w.again()
	w.minutely("a")
	w.wrote("a", claims.OK, setKey("x", "1"))
	all, _, err := other.State(w.ctx, "a")
	w.must(err)
	if len(all) != 1 || string(all[0].Value) != "1" {
		w.Errorf("%+v", all)
	}
}
