package claimstest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
)

// playDeaths lets an owner die at the n-th of its writes, for each n, before and after the write lands. Whatever it was at,
// another owner finds it dead, closes what it has left, and brings every slot to its one verdict; what comes of the dead one
// afterwards changes nothing.
func playDeaths(t *testing.T, h Harness) {
	if h.Again == nil {
		t.Skip("needs a second opening of the store")
	}
	for at := 1; ; at++ {
		for _, after := range []bool{false, true} {
			died := false
			t.Run(fmt.Sprintf("write %d, landed %v", at, after), func(t *testing.T) { died = death(t, h, at, after) })
			if !died {
				if at < 10 {
					t.Errorf("the life of the owner has only %d writes", at)
				}
				return
			}
		}
	}
}

const doomed = "owner-doomed"

// death is one life and what others make of its end. It is false when the owner did not come to its death.
func death(t *testing.T, h Harness, at int, after bool) bool {
	w := newWorld(t, h)
	w.minutely("a", "b", "c")
	theirs := w.again()
	w.join(theirs, doomed)
	d := &dying{world: w, s: &Faulty{Store: theirs, At: at, After: after, Dies: true}}
	err := d.live()
	if err != nil && !errors.Is(err, ErrInjected) {
		t.Fatal(err)
	}
	w.must(theirs.Close())
	if err == nil {
		return false
	}
	probe := w.probe(w.s, doomed, claims.LockFree)
	d.recover()
	probe.Release()
	before := dump(t, w.s)
	for _, f := range d.tried { // it was only stopped, and goes on
		f.Outcome, f.Reason, f.EndedAt, f.Output = claims.OK, "late", w.now.Add(time.Hour), inline("late")
		f.Retry = time.Time{}
		w.finalize(f, claims.Fenced)
	}
	if got, want := verdictLines(w), d.settled(); !slices.Equal(got, want) {
		t.Errorf("slots %q, want %q; before the late commits:\n%q", got, want, before)
	}
	w.open(0)
	w.pending(0)
	w.audit()
	return true
}

// dying is an owner and what it did.
type dying struct {
	*world
	s     *Faulty
	tried []claims.Final // results of all its runs, committed or not
}

// begin claims a slot, or pending work.
func (d *dying) begin(item claims.Claim) (claims.Final, error) {
	got, err := d.s.Claim(d.ctx, d.now, doomed, []claims.Claim{item})
	if err != nil {
		return claims.Final{}, err
	}
	if got[0].Status != claims.Won {
		return claims.Final{}, fmt.Errorf("claim of %s: %s", item.Slot.ID, got[0].Status)
	}
	f := d.final(got[0].Token, claims.OK)
	d.tried = append(d.tried, f)
	return f, nil
}

func (d *dying) end(f claims.Final) error {
	d.wait(time.Second)
	_, err := d.s.Finalize(d.ctx, d.now, []claims.Final{f})
	return err
}

// live is two rounds of two jobs, one of which needs a second attempt, and a manual run.
func (d *dying) live() error {
	for range 2 {
		a, err := d.begin(d.due("a"))
		if err != nil {
			return err
		}
		b, err := d.begin(d.due("b"))
		if err != nil {
			return err
		}
		a.Output = inline("what a says")
		if err := d.end(a); err != nil {
			return err
		}
		b.Outcome, b.Reason, b.Retry = claims.Failed, "it went wrong", d.now
		if err := d.end(b); err != nil {
			return err
		}
		if err := d.s.Renew(d.ctx, d.now, doomed); err != nil {
			return err
		}
		if err := d.s.Request(d.ctx, d.now, claims.Request{Kind: claims.Trigger, Job: "c", ID: d.id()[:8], By: "ann"}); err != nil {
			return err
		}
		for _, p := range d.pending(2) {
			f, err := d.begin(d.pendingItem(p))
			if err == nil {
				err = d.end(f)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// recover is what another host does: orphans get another attempt, and what is pending is run.
func (d *dying) recover() {
	for _, o := range d.open(len(d.openOf())) {
		f := d.final(o.Token, claims.Orphaned)
		f.Reason, f.Evidence = "the owner is dead", "its lock was free"
		if o.Attempt == 1 {
			f.Retry = d.now
		}
		d.finalize(f, claims.Done)
		if !slices.ContainsFunc(d.tried, func(t claims.Final) bool { return t.RunID == o.RunID }) {
			d.tried = append(d.tried, claims.Final{Token: o.Token}) // the answer was lost
		}
	}
	rows, err := d.world.s.Pending(d.ctx)
	d.must(err)
	for _, p := range rows {
		d.finish(d.claimed(alpha, d.pendingItem(p), claims.Won).Token, claims.OK)
	}
}

func (d *dying) openOf() []claims.Open {
	rows, err := d.world.s.Open(d.ctx)
	d.must(err)
	for _, o := range rows {
		if o.Owner != doomed {
			d.Errorf("run %s is of owner %s", o.RunID, o.Owner)
		}
	}
	return rows
}

// verdictLines has each slot on record with its verdict and the outcomes of its attempts.
func verdictLines(w *world) []string {
	w.Helper()
	rows, err := w.s.Slots(w.ctx, claims.SlotQuery{Limit: -1})
	w.must(err)
	var lines []string
	for _, r := range rows {
		lines = append(lines, fmt.Sprintf("%s %s", r.Slot.ID, r.Verdict))
	}
	slices.Sort(lines)
	return lines
}

// settled is what the slots must have come to: each that was ever claimed is ok at last, at the second attempt of two at most, but
// for one whose second attempt was the orphan.
func (d *dying) settled() []string {
	rows, err := d.world.s.Runs(d.ctx, claims.RunQuery{Limit: -1})
	d.must(err)
	last := map[string]claims.Run{}
	for _, r := range rows {
		if r.Attempt > 2 {
			d.Errorf("attempt %d of %s", r.Attempt, r.Slot.ID)
		}
		if have, ok := last[r.Slot.ID]; !ok || have.Attempt < r.Attempt {
			last[r.Slot.ID] = r
		}
	}
	var lines []string
	for id, r := range last {
		want := claims.OK
		if r.Outcome == claims.Orphaned && r.Attempt == 2 {
			want = claims.Orphaned
		}
		lines = append(lines, fmt.Sprintf("%s %s", id, want))
	}
	slices.Sort(lines)
	return lines
}
