package memstore

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/wcron/wcron/claims"
)

// Claim implements claims.Ledger.
func (s *Store) Claim(ctx context.Context, now time.Time, owner string, items []claims.Claim) ([]claims.Claimed, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	if o := s.owners[owner]; o != nil && !o.Left.IsZero() {
		return nil, fmt.Errorf("owner %s has left: %w", owner, claims.ErrFenced)
	}
	got := make([]claims.Claimed, len(items))
	for i, c := range items {
		got[i] = s.claim(now, owner, c)
		if j := s.jobs[c.Slot.Job]; j != nil {
			got[i].Job = j.Job
		}
	}
	return got, nil
}

func (l *ledger) claim(now time.Time, owner string, c claims.Claim) claims.Claimed {
	stale := claims.Claimed{Status: claims.Stale}
	if r := l.runs[c.RunID]; r != nil {
		o := l.flightOf(r)
		if o == nil || o.Owner != owner {
			return stale
		}
		return claims.Claimed{Status: claims.Won, Token: o.Token, Input: slices.Clone(o.input), By: o.by} // our own earlier try landed
	}
	j := l.exists(c.Slot.Job)
	if j == nil {
		return stale
	}
	if !c.From.IsZero() || c.RunID == "" && !c.GivesUp() {
		return l.claimDue(now, owner, j, c)
	}
	p := l.pending[c.Slot.ID]
	if p == nil || p.Attempt != c.Attempt || p.Slot.Job != j.Name {
		return stale
	}
	if c.GivesUp() {
		delete(l.pending, c.Slot.ID)
		l.rev++
		l.settle(j, c.Slot, c.Passed[0].Verdict, c.Passed[0].Reason)
		return claims.Claimed{Status: claims.Passing}
	}
	if l.held(j, c) {
		return claims.Claimed{Status: claims.Busy}
	}
	replaces := c.Overlap == claims.OverlapReplace && c.Slot.Kind == claims.Scheduled
	if holder := j.holder(c.Lanes); holder != "" {
		if replaces {
			l.replace(now, j, c.Slot)
		}
		return claims.Claimed{Status: claims.Busy, Holder: holder}
	}
	delete(l.pending, c.Slot.ID)
	var gone []claims.Pending
	if replaces {
		gone = l.skipOlder(j, c)
	}
	a := l.take(now, owner, j, c, p.Input, p.By)
	a.Replaced = gone
	return a
}

func (l *ledger) claimDue(now time.Time, owner string, j *job, c claims.Claim) claims.Claimed {
	waits := c.Overlap.Waits()
	held := j.Paused || j.Disabled != "" || !j.SkipAt.IsZero() && j.SkipAt.Equal(c.Slot.At)
	if c.From.IsZero() || !j.Next.Equal(c.From) || j.Done || held && (c.RunID != "" || waits) {
		return claims.Claimed{Status: claims.Stale}
	}
	holder := j.holder(c.Lanes)
	if c.RunID != "" && (holder != "" && c.IfBusy == "" && !waits || holder == "" && l.usedUp(j, c)) {
		return claims.Claimed{Status: claims.Busy, Holder: holder}
	}
	known := j.slots.recorded(c.Slot)
	for _, p := range c.Passed {
		l.pass(j, p)
	}
	j.Next = c.Next
	l.changed(j)
	switch {
	case waits && known:
		return claims.Claimed{Status: claims.Passing}
	case waits:
		return l.line(now, owner, j, c, holder)
	case c.RunID == "":
		return claims.Claimed{Status: claims.Passing}
	case known: // the clock went back, and the schedule was changed: the slot has had its turn
		return claims.Claimed{Status: claims.Passing}
	case holder != "":
		l.settle(j, c.Slot, claims.Skipped, c.IfBusy)
		return claims.Claimed{Status: claims.Busy, Holder: holder}
	}
	return l.take(now, owner, j, c, nil, "")
}

// holder is the run of an open claim when the job has as many as it may.
func (j *job) holder(lanes int) string {
	if len(j.open) < max(lanes, 1) {
		return ""
	}
	return j.open[len(j.open)-1].RunID
}

func (l *ledger) take(now time.Time, owner string, j *job, c claims.Claim, input []byte, by string) claims.Claimed {
	j.Seq++
	lanes := max(c.Lanes, 1)
	j.Lanes = max(j.Lanes, lanes)
	l.changed(j)
	tok := claims.Token{Job: j.Name, Seq: j.Seq, RunID: c.RunID}
	r := &run{n: l.next(), Run: claims.Run{
		Token: tok, Slot: c.Slot, Attempt: c.Attempt, Owner: owner, Digest: c.Digest, ClaimedAt: now, Deadline: c.Deadline,
		Outcome: claims.Running, StandsFor: c.StandsFor,
	}}
	o := &flight{job: j, run: r, life: j.life, stateRev: j.stateRev, input: input, by: by, Open: claims.Open{
		Token: tok, Slot: c.Slot, Attempt: c.Attempt, Owner: owner, ClaimedAt: now, Deadline: c.Deadline, Lanes: lanes,
	}}
	l.open, j.open = append(l.open, o), append(j.open, o)
	l.runs[c.RunID] = r
	j.runs = append(j.runs, r)
	row := l.row(j, c.Slot)
	row.Verdict, row.Reason, row.RunIDs = "", "", append(row.RunIDs, c.RunID)
	return claims.Claimed{Status: claims.Won, Token: tok, Input: slices.Clone(input), By: by}
}

// flightOf is the open claim of a run; nil: it has ended.
func (l *ledger) flightOf(r *run) *flight {
	if r.Outcome != claims.Running {
		return nil
	}
	for _, o := range l.jobs[r.Job].open {
		if o.run == r {
			return o
		}
	}
	return nil
}

// land takes a claim out of those that are open.
func (l *ledger) land(o *flight) {
	is := func(other *flight) bool { return other == o }
	l.open = slices.DeleteFunc(l.open, is)
	o.job.open = slices.DeleteFunc(o.job.open, is)
}
