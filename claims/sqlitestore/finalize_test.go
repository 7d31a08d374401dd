package sqlitestore

import (
	"fmt"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
)

func TestFenced(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	put(t, s, "a")
	a := claim(t, s, t0, due("a", "run-0001", 0))[0]
	rec := final(a.Token, claims.Orphaned, at(time.Minute))
	rec.Retry, rec.Evidence = at(2*time.Minute), "lock free"
	finalize(t, s, at(time.Minute), rec)
	late := final(a.Token, claims.OK, at(time.Minute+time.Second))
	late.Output = claims.Output{Inline: []byte("late"), Bytes: 4, Digest: "0123456789"}
	late.Disable = "must not land"
	for range 2 {
		got := finalize(t, s, at(2*time.Minute), late)[0]
		if got.Status != claims.Fenced || got.Job.Disabled != "" {
			t.Fatalf("%+v", got)
		}
	}
	wrong := rec
	wrong.Seq++
	if got := finalize(t, s, at(3*time.Minute), wrong)[0]; got.Status != claims.Fenced {
		t.Fatalf("another seq: %+v", got)
	}
	r := runs(t, s, claims.RunQuery{RunID: "run-0001"})[0]
	if r.Outcome != claims.Orphaned || r.Late != claims.OK || !r.LateAt.Equal(at(2*time.Minute)) || r.Output.Bytes != 4 || r.Evidence != "lock free" {
		t.Fatalf("run: %+v", r)
	}
	if rows := slots(t, s, "a"); rows[0].Verdict != "" {
		t.Fatalf("slot: %+v", rows)
	}
}

func TestTokenOfAnotherClaimClosesNothing(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	put(t, s, "a", "b")
	tok := claim(t, s, t0, due("a", "run-0001", 0))[0].Token
	for _, wrong := range []claims.Token{
		{Job: "a", Seq: tok.Seq + 1, RunID: tok.RunID}, {Job: "b", Seq: tok.Seq, RunID: tok.RunID}, {Job: "a", Seq: tok.Seq, RunID: "run-0002"},
	} {
		if got := finalize(t, s, t0, final(wrong, claims.OK, t0))[0]; got.Status != claims.Fenced {
			t.Errorf("%+v: %+v", wrong, got)
		}
	}
	if all, err := s.Open(t.Context()); err != nil || len(all) != 1 {
		t.Fatalf("open: %+v %v", all, err)
	}
	if r := runs(t, s, claims.RunQuery{RunID: "run-0001"})[0]; r.Outcome != claims.Running || !r.LateAt.IsZero() {
		t.Fatalf("run: %+v", r)
	}
}

func TestRemovedWhileItRan(t *testing.T) {
	for _, again := range []bool{false, true} {
		t.Run(fmt.Sprintf("added again %v", again), func(t *testing.T) {
			s := open(t, t.TempDir()+"/state")
			put(t, s, "a")
			a := claim(t, s, t0, due("a", "run-0001", 0))[0]
			if err := s.Request(t.Context(), t0, claims.Request{Kind: claims.Trigger, Job: "a", ID: "x"}); err != nil {
				t.Fatal(err)
			}
			if err := s.Remove(t.Context(), at(time.Second), "test", []string{"a"}); err != nil {
				t.Fatal(err)
			}
			if again {
				put(t, s, "a")
			}
			f := final(a.Token, claims.Failed, at(2*time.Second))
			f.Retry = at(time.Minute)
			for range 2 {
				if got := finalize(t, s, at(2*time.Second), f)[0]; got.Status != claims.Dropped || got.Job.LastRun != "" {
					t.Fatalf("%+v", got)
				}
			}
			if p, err := s.Pending(t.Context()); err != nil || len(p) != 0 {
				t.Fatalf("pending: %+v %v", p, err)
			}
			for _, row := range slots(t, s, "a") {
				want := claims.Verdict(claims.Discarded)
				if row.Slot.Kind == claims.Manual {
					want = claims.Skipped
				}
				if row.Verdict != want {
					t.Errorf("slot %s: %q, want %q", row.Slot.ID, row.Verdict, want)
				}
			}
		})
	}
}
