package claimstest

import (
	"time"

	"github.com/wcron/wcron/claims"
)

// beside claims a job's next slot in one of three lanes.
func (w *world) beside(job string) claims.Claim {
	w.Helper()
	c := w.due(job)
	c.Lanes = 3
	return c
}

// pair is two runs of one job that are open at once.
func (w *world) pair() (first, second claims.Token) {
	w.Helper()
	return w.claimed(alpha, w.beside("a"), claims.Won).Token, w.claimed(beta, w.beside("a"), claims.Won).Token
}

func (w *world) commit(tok claims.Token, want claims.FinalStatus, used []claims.StateUse, writes ...claims.StateWrite) claims.Final {
	w.Helper()
	f := w.final(tok, claims.OK)
	f.Used, f.State = used, writes
	w.finalize(f, want)
	return f
}

func uses(keys ...string) (used []claims.StateUse) {
	for _, k := range keys {
		used = append(used, claims.StateUse{Key: k})
	}
	return used
}

func drop(key string) claims.StateWrite { return claims.StateWrite{Key: key, Delete: true} }

// Each way in which two runs may meet at a key: what the first one commits, what the second one used, and whether it may commit.
func conflictWays(w *world) {
	ways := []struct {
		name   string
		first  []claims.StateWrite
		used   []claims.StateUse
		writes []claims.StateWrite
		want   claims.FinalStatus
	}{
		{"read and changed", []claims.StateWrite{setKey("x", "2")}, uses("x"), nil, claims.Conflicted},
		{"written by both", []claims.StateWrite{setKey("x", "2")}, nil, []claims.StateWrite{setKey("x", "3")}, claims.Conflicted},
		{"deleted and read", []claims.StateWrite{drop("x")}, uses("x"), []claims.StateWrite{setKey("z", "1")}, claims.Conflicted},
		{"deleted and written", []claims.StateWrite{drop("x")}, nil, []claims.StateWrite{setKey("x", "3")}, claims.Conflicted},
		{"changed and deleted", []claims.StateWrite{setKey("x", "2")}, nil, []claims.StateWrite{drop("x")}, claims.Conflicted},
		{"read while absent and added", []claims.StateWrite{setKey("new", "1")}, uses("new"), nil, claims.Conflicted},
		{"added by both", []claims.StateWrite{setKey("new", "1")}, nil, []claims.StateWrite{setKey("new", "1")}, claims.Conflicted},
		{"prefix with a new key", []claims.StateWrite{setKey("new/1", "1")}, []claims.StateUse{{Key: "new/", Prefix: true}}, nil, claims.Conflicted},
		{"prefix with a key less", []claims.StateWrite{drop("x")}, []claims.StateUse{{Key: "", Prefix: true}}, nil, claims.Conflicted},
		{"another prefix", []claims.StateWrite{setKey("new", "1")}, []claims.StateUse{{Key: "new/", Prefix: true}}, nil, claims.Done},
		{"a key that only begins like one", []claims.StateWrite{setKey("xx", "1")}, uses("x"), nil, claims.Done},
		{"other keys", []claims.StateWrite{setKey("y", "2"), drop("none")}, uses("x", "none"), []claims.StateWrite{setKey("x", "3")}, claims.Done},
		{"nothing used", []claims.StateWrite{setKey("x", "2")}, nil, nil, claims.Done},
		{"nothing changed", nil, uses("x", "y"), []claims.StateWrite{setKey("x", "3")}, claims.Done},
	}
	for _, way := range ways {
		w.Log(way.name)
		w.minutely("a")
		w.commit(w.claimed(alpha, w.beside("a"), claims.Won).Token, claims.Done, nil, setKey("x", "1"), setKey("y", "1"))
		first, second := w.pair()
		w.commit(first, claims.Done, nil, way.first...)
		before, _, err := w.s.State(w.ctx, "a")
		w.must(err)
		w.commit(second, way.want, way.used, way.writes...)
		if way.want == claims.Conflicted {
			after, _, err := w.s.State(w.ctx, "a")
			w.must(err)
			if len(before) != len(after) {
				w.Errorf("%s: the state was %+v and is %+v", way.name, before, after)
			}
		}
		w.remove("a")
	}
}

func conflictRecord(w *world) {
	w.minutely("a")
	first, second := w.pair()
	w.wait(time.Second)
	winner := w.commit(second, claims.Done, uses("x"), setKey("x", "second"))
	f := w.final(first, claims.OK)
	f.Output, f.Counts, f.Again = inline("what it said"), true, w.now.Add(time.Minute)
	f.Used, f.State = uses("x"), []claims.StateWrite{setKey("x", "first"), setKey("other", "1")}
	code := int64(0)
	f.ExitCode = &code
	for range 2 { // the answer was lost, and the call made again
		got, err := w.s.Finalize(w.ctx, w.now, []claims.Final{f})
		w.must(err)
		if a := got[0]; a.Status != claims.Conflicted || a.Reason == "" || a.Job.Last != claims.Failed || a.Job.LastRun != first.RunID || a.Job.Repeats != 1 {
			w.Errorf("answer: %+v", a)
		}
	}
	w.state("a", "x=second")
	r := w.outcome(first, claims.Failed)
	if r.Cause != claims.StateConflict || r.Reason == "" || r.Output.Bytes != f.Output.Bytes || r.Counted == nil || !*r.Counted || !r.LateAt.IsZero() {
		w.Errorf("run: %+v", r)
	}
	p := w.pending(1)[0]
	if p.Attempt != 2 || !p.Due.Equal(f.Again) || p.Slot.ID != r.Slot.ID {
		w.Errorf("next attempt: %+v", p)
	}
	again := w.claimed(alpha, w.pendingItem(p), claims.Won).Token
	w.commit(again, claims.Done, uses("x"), setKey("x", "first"), setKey("other", "1"))
	w.state("a", "other=1", "x=first")
	w.finalize(winner, claims.AlreadyFinal)
	w.verdict("a", map[claims.Verdict]int64{"ok": 2})
}

// A key that comes and goes, or goes and comes, has changed although it looks as before.
func conflictABA(w *world) {
	w.minutely("a")
	w.commit(w.claimed(alpha, w.beside("a"), claims.Won).Token, claims.Done, nil, setKey("x", "1"))
	for _, there := range []bool{true, false} {
		old := w.claimed(alpha, w.beside("a"), claims.Won).Token
		steps := [][]claims.StateWrite{{drop("x")}, {setKey("x", "1")}}
		if !there {
			w.commit(old, claims.Done, nil, drop("x"))
			old = w.claimed(alpha, w.beside("a"), claims.Won).Token
			steps[0], steps[1] = steps[1], steps[0]
		}
		for _, step := range steps {
			w.commit(w.claimed(beta, w.beside("a"), claims.Won).Token, claims.Done, uses("x"), step...)
		}
		f := w.final(old, claims.OK)
		f.Used = uses("x")
		w.finalize(f, claims.Conflicted)
	}
}

// A run that saw the state after another one's commit does not conflict with it, whenever it was claimed.
func conflictSeen(w *world) {
	w.minutely("a")
	first, second := w.pair()
	w.commit(first, claims.Done, nil, setKey("x", "1"))
	_, rev, err := w.s.State(w.ctx, "a")
	w.must(err)
	f := w.final(second, claims.OK)
	f.Used, f.StateRev, f.State = uses("x"), rev, []claims.StateWrite{setKey("x", "2")}
	w.finalize(f, claims.Done)
	w.state("a", "x=2")
	if _, later, err := w.s.State(w.ctx, "a"); err != nil || later <= rev {
		w.Errorf("revision %d after %d, %v", later, rev, err)
	}
	w.remove("a")
	w.minutely("a")
	if _, later, err := w.s.State(w.ctx, "a"); err != nil || later <= rev {
		w.Errorf("revision %d of another job of the name, and %d was that of the first; %v", later, rev, err)
	}
}

// Only what is ok can conflict, and only what is ok changes anything.
func conflictOnlyOK(w *world) {
	w.minutely("a")
	first, second := w.pair()
	for i, o := range []claims.Outcome{claims.Failed, claims.Timeout, claims.Trapped, claims.Killed, claims.Orphaned} {
		f := w.final(first, o)
		f.Used, f.State, f.Again = uses("x"), []claims.StateWrite{setKey("x", "lost")}, w.now
		w.finalize(f, claims.Done)
		if i < 4 {
			first = w.claimed(alpha, w.beside("a"), claims.Won).Token
		}
	}
	w.pending(0)
	w.commit(second, claims.Done, uses("x"), setKey("x", "1"))
	first, second = w.pair()
	w.commit(first, claims.Done, uses("x"), setKey("x", "2"))
	f := w.final(second, claims.Failed)
	f.Used, f.Again = uses("x"), w.now
	w.finalize(f, claims.Done)
	w.pending(0)
	w.state("a", "x=2")
}

// Three runs are open. Each commit of the same key lets one of them win.
func conflictThree(w *world) {
	w.minutely("a")
	first, second := w.pair()
	third := w.claimed(alpha, w.beside("a"), claims.Won).Token
	w.commit(second, claims.Done, uses("n"), setKey("n", "1"))
	w.commit(third, claims.Conflicted, uses("n"), setKey("n", "1"))
	w.commit(first, claims.Conflicted, uses("n"), setKey("n", "1"))
	w.state("a", "n=1")
	w.commit(w.claimed(alpha, w.beside("a"), claims.Won).Token, claims.Done, uses("n"), setKey("n", "2"))
	w.state("a", "n=2")
}
