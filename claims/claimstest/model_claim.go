package claimstest

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/wcron/wcron/claims"
)

// Claim implements claims.Ledger.
func (m *Model) Claim(ctx context.Context, now time.Time, owner string, items []claims.Claim) ([]claims.Claimed, error) {
	leave, err := m.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	if m.gone(owner) {
		return nil, fmt.Errorf("owner %s has left: %w", owner, claims.ErrFenced)
	}
	var got []claims.Claimed
	for _, c := range items {
		a := m.claim(now, owner, c)
		if j := m.jobs[c.Slot.Job]; j != nil {
			a.Job = j.Job
		}
		got = append(got, a)
	}
	return got, nil
}

// gone tells whether an owner has left and not come back.
func (m *Model) gone(owner string) bool {
	left := false
	for _, o := range m.owners {
		if o.ID == owner {
			left = !o.Left.IsZero()
		}
	}
	return left
}

func (m *Model) claim(now time.Time, owner string, c claims.Claim) claims.Claimed {
	stale := claims.Claimed{Status: claims.Stale}
	for _, o := range m.open {
		if c.RunID != "" && o.RunID == c.RunID && o.Owner == owner { // our own earlier try landed
			return claims.Claimed{Status: claims.Won, Token: o.Token, Input: o.input, By: o.by}
		}
	}
	j := m.jobs[c.Slot.Job]
	if j == nil || !j.Removed.IsZero() || m.findRun(c.RunID) != nil {
		return stale
	}
	if !c.From.IsZero() || c.RunID == "" && !c.GivesUp() {
		return m.claimDue(now, owner, j, c)
	}
	at := slices.IndexFunc(m.pending, func(p claims.Pending) bool { return p.Slot.ID == c.Slot.ID && p.Attempt == c.Attempt })
	if at < 0 {
		return stale
	}
	if c.GivesUp() {
		m.pending = slices.Delete(m.pending, at, at+1)
		m.slot(c.Slot, c.Passed[0].Verdict, c.Passed[0].Reason, "")
		m.rev++
		return claims.Claimed{Status: claims.Passing}
	}
	if m.held(j, c) {
		return claims.Claimed{Status: claims.Busy}
	}
	replaces := c.Overlap == claims.OverlapReplace && c.Slot.Kind == claims.Scheduled
	if holder := m.holder(c); holder != "" {
		if replaces {
			m.cancelAll(now, c.Slot)
		}
		return claims.Claimed{Status: claims.Busy, Holder: holder}
	}
	p := m.pending[at]
	m.pending = slices.Delete(m.pending, at, at+1)
	var gone []claims.Pending
	if replaces {
		gone = m.skipOlder(c)
	}
	a := m.take(now, owner, j, c, p)
	a.Replaced = gone
	return a
}

func (m *Model) claimDue(now time.Time, owner string, j *row, c claims.Claim) claims.Claimed {
	held := j.Paused || j.Disabled != "" || !j.SkipAt.IsZero() && j.SkipAt.Equal(c.Slot.At)
	waits := c.Overlap == claims.OverlapQueue || c.Overlap == claims.OverlapReplace
	if c.From.IsZero() || !j.Next.Equal(c.From) || j.Done || held && (c.RunID != "" || waits) {
		return claims.Claimed{Status: claims.Stale}
	}
	holder := m.holder(c)
	if c.RunID != "" && holder != "" && c.IfBusy == "" && !waits || c.RunID != "" && holder == "" && m.usedUp(j, c) {
		return claims.Claimed{Status: claims.Busy, Holder: holder}
	}
	for _, p := range c.Passed {
		m.pass(j.Name, p)
	}
	j.Next = c.Next
	m.changed(j)
	switch {
	case waits:
		return m.line(now, owner, j, c, holder)
	case c.RunID == "":
		return claims.Claimed{Status: claims.Passing}
	case m.recorded(c.Slot): // the clock went back, and the schedule was changed: the slot has had its turn
		return claims.Claimed{Status: claims.Passing}
	case holder != "":
		m.slot(c.Slot, claims.Skipped, c.IfBusy, "")
		return claims.Claimed{Status: claims.Busy, Holder: holder}
	}
	return m.take(now, owner, j, c, claims.Pending{})
}

// recorded tells whether a slot of the schedule is on record, by itself or within a row that stands for several.
func (m *Model) recorded(s claims.Slot) bool {
	return slices.ContainsFunc(m.slots, func(r claims.SlotRow) bool {
		return r.Slot.Job == s.Job && r.Slot.Kind == s.Kind && (r.Slot.ID == s.ID || !s.At.Before(r.Slot.At) && !s.At.After(r.Until))
	})
}

// holder is the run of an open claim when the job has as many as it may.
func (m *Model) holder(c claims.Claim) string {
	n, holder := 0, ""
	for _, o := range m.open {
		if o.Job == c.Slot.Job {
			n, holder = n+1, o.RunID
		}
	}
	if n < max(c.Lanes, 1) {
		return ""
	}
	return holder
}

func (m *Model) take(now time.Time, owner string, j *row, c claims.Claim, p claims.Pending) claims.Claimed {
	j.Seq++
	lanes := max(c.Lanes, 1)
	j.Lanes = max(j.Lanes, lanes)
	m.changed(j)
	tok := claims.Token{Job: j.Name, Seq: j.Seq, RunID: c.RunID}
	m.open = append(m.open, &flight{life: j.life, stateRev: j.stateRev, input: p.Input, by: p.By, Open: claims.Open{Token: tok, Slot: c.Slot,
		Attempt: c.Attempt, Owner: owner, ClaimedAt: now, Deadline: c.Deadline, Lanes: lanes}})
	m.runs = append(m.runs, &claims.Run{Token: tok, Slot: c.Slot, Attempt: c.Attempt, Owner: owner, Digest: c.Digest, ClaimedAt: now,
		Deadline: c.Deadline, Outcome: claims.Running, StandsFor: c.StandsFor})
	m.slot(c.Slot, "", "", c.RunID)
	return claims.Claimed{Status: claims.Won, Token: tok, Input: p.Input, By: p.By}
}

// Finalize implements claims.Ledger.
func (m *Model) Finalize(ctx context.Context, now time.Time, items []claims.Final) ([]claims.Finalized, error) {
	leave, err := m.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	var got []claims.Finalized
	for _, f := range items {
		a, err := m.finalize(now, f)
		if err != nil {
			return nil, err
		}
		if j := m.jobs[f.Job]; j != nil {
			a.Job = j.Job
		}
		got = append(got, a)
	}
	return got, nil
}

func (m *Model) finalize(now time.Time, f claims.Final) (claims.Finalized, error) {
	is := func(s claims.FinalStatus) claims.Finalized { return claims.Finalized{Status: s} }
	run := m.findRun(f.RunID)
	if run == nil || run.Token != f.Token {
		return is(claims.Fenced), nil
	}
	if run.Outcome != claims.Running {
		same := run.EndedAt.Equal(f.EndedAt)
		switch {
		case same && run.Outcome == f.Outcome:
			return is(claims.AlreadyFinal), nil
		case same && run.Outcome == claims.Discarded:
			return is(claims.Dropped), nil
		case same && run.Cause == claims.StateConflict && f.Outcome == claims.OK:
			return claims.Finalized{Status: claims.Conflicted, Reason: run.Reason}, nil
		case run.LateAt.IsZero():
			run.LateAt, run.Late = now, f.Outcome
			return is(claims.Fenced), m.keep(run, f.Output)
		}
		return is(claims.Fenced), nil
	}
	at := slices.IndexFunc(m.open, func(o *flight) bool { return o.RunID == f.RunID })
	o, j := m.open[at], m.jobs[f.Job]
	if err := m.keep(run, f.Output); err != nil {
		return claims.Finalized{}, err
	}
	m.open = slices.Delete(m.open, at, at+1)
	answer := is(claims.Done)
	if why := m.conflict(j, o, f); why != "" {
		answer = claims.Finalized{Status: claims.Conflicted, Reason: why}
		f.Outcome, f.Cause, f.Reason, f.Retry = claims.Failed, claims.StateConflict, why, f.Again
		f.Strike = f.Strike.Conflicted()
	}
	run.Outcome, run.Cause, run.ExitCode, run.Reason, run.Evidence = f.Outcome, f.Cause, f.ExitCode, f.Reason, f.Evidence
	run.StartedAt, run.EndedAt, run.Memory, run.Fuel = f.StartedAt, f.EndedAt, f.Memory, f.Fuel
	counted := f.Counts && o.life == j.life && !slices.ContainsFunc(m.runs, func(r *claims.Run) bool {
		return r.Slot.ID == o.Slot.ID && r.Counted != nil && *r.Counted
	})
	f.Counts = counted
	run.Counted = &counted
	if o.life != j.life {
		run.Outcome = claims.Discarded
		m.slot(o.Slot, claims.Verdict(claims.Discarded), f.Reason, "")
		return is(claims.Dropped), nil
	}
	m.close(now, j, o, f)
	if f.Outcome == claims.OK {
		for _, e := range f.Emit {
			to, job, waiting := m.jobs[e.Job], claims.Job{}, 0
			if to != nil {
				job = to.Job
			}
			for _, p := range m.pending {
				if p.Slot.Job == e.Job && p.Slot.Kind == claims.Manual {
					waiting++
				}
			}
			if why := e.Refusal(job, to != nil && to.Removed.IsZero(), waiting); why != "" {
				answer.Unsent = append(answer.Unsent, claims.Unsent{Emit: e, Why: why})
			} else {
				m.ask(claims.ManualSlot(e.Job, now, e.ID), now, e.Input, e.By)
			}
		}
	}
	return answer, nil
}

// close records what an attempt of a job that still exists came to.
func (m *Model) close(now time.Time, j *row, o *flight, f claims.Final) {
	j.LastRun, j.Last, j.LastEnded = f.RunID, f.Outcome, f.EndedAt
	if f.Counts {
		j.Repeats++
		if f.Repeat > 0 && j.Repeats >= f.Repeat {
			j.Done, j.Next = true, time.Time{}
			m.dropQueue(j.Name)
		}
	}
	if f.Disable != "" {
		j.Disabled = f.Disable
	}
	switch {
	case !f.Retry.IsZero():
	case f.Strike == claims.StrikeReset:
		j.Failures = 0
	case f.Strike == claims.StrikeOut:
		if j.Failures++; f.PauseAfter > 0 && j.Failures >= f.PauseAfter && !j.Paused {
			j.Paused, j.PausedAt, j.Reason = true, now, f.PauseReason
		}
	}
	if f.Outcome == claims.OK {
		m.write(j, f)
	}
	m.changed(j)
	if f.Retry.IsZero() {
		m.slot(o.Slot, claims.Verdict(f.Outcome), f.Reason, "")
		return
	}
	m.pending = append(m.pending, claims.Pending{Slot: o.Slot, Attempt: o.Attempt + 1, Due: f.Retry, Input: o.input, By: o.by, Rev: m.rev})
}

// write keeps the state that a run which is ok has written.
func (m *Model) write(j *row, f claims.Final) {
	if len(f.State) > 0 {
		j.stateRev++
	}
	for _, w := range f.State {
		if _, there := m.state[f.Job][w.Key]; there || !w.Delete {
			j.touched[w.Key] = j.stateRev
		}
		if m.state[f.Job] == nil {
			m.state[f.Job] = map[string]claims.StateEntry{}
		}
		if delete(m.state[f.Job], w.Key); !w.Delete {
			m.state[f.Job][w.Key] = claims.StateEntry{Token: f.Token, Key: w.Key, Value: slices.Clone(w.Value)}
		}
	}
}

// keep stores what a run wrote, where nothing of it is stored yet.
func (m *Model) keep(run *claims.Run, out claims.Output) error {
	if out.Bytes == 0 || run.Output.Bytes != 0 {
		return nil
	}
	text := slices.Clone(out.Inline)
	if out.File != "" {
		var err error
		if text, err = os.ReadFile(out.File); err != nil {
			return err
		}
	}
	out.Inline, out.File = nil, ""
	run.Output = out
	m.outputs[run.RunID] = text
	return nil
}
