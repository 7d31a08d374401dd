package memstore

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/wcron/wcron/claims"
)

// Finalize implements claims.Ledger. An Output.File is read, and removed once the call has succeeded.
func (s *Store) Finalize(ctx context.Context, now time.Time, items []claims.Final) ([]claims.Finalized, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	texts, err := s.texts(items)
	if err != nil {
		return nil, err
	}
	got := make([]claims.Finalized, len(items))
	for i, f := range items {
		var text []byte
		if texts != nil {
			text = texts[i]
		}
		got[i] = s.finalize(now, f, text)
		if j := s.jobs[f.Job]; j != nil {
			got[i].Job = j.Job
		}
	}
	for i, f := range items {
		if texts != nil && texts[i] != nil && f.Output.File != "" {
			_ = os.Remove(f.Output.File) // what stays behind is the caller's to tidy up
		}
	}
	return got, nil
}

// texts reads what the runs wrote before anything is changed: an error is then that of the whole call. nil: nothing was written.
func (l *ledger) texts(items []claims.Final) (texts [][]byte, err error) {
	for i, f := range items {
		r := l.runs[f.RunID]
		if f.Output.Bytes == 0 || r == nil || r.Token != f.Token || r.Output.Bytes != 0 || (r.Outcome != claims.Running && !r.late(f)) {
			continue
		}
		if texts == nil {
			texts = make([][]byte, len(items))
		}
		if f.Output.File == "" {
			texts[i] = slices.Clone(f.Output.Inline)
		} else if texts[i], err = os.ReadFile(f.Output.File); err != nil {
			return nil, fmt.Errorf("take over the output of run %s: %w", f.RunID, err)
		}
	}
	return texts, nil
}

// late tells whether a result of a run that has ended is noted as one that came late.
func (r *run) late(f claims.Final) bool {
	again := r.EndedAt.Equal(f.EndedAt) && (r.Outcome == f.Outcome || r.Outcome == claims.Discarded || r.conflicted(f))
	return !again && r.LateAt.IsZero()
}

// conflicted tells whether a result is that of a run which has ended with a state conflict, committed again.
func (r *run) conflicted(f claims.Final) bool {
	return r.Cause == claims.StateConflict && f.Outcome == claims.OK
}

func (l *ledger) finalize(now time.Time, f claims.Final, text []byte) claims.Finalized {
	r := l.runs[f.RunID]
	switch {
	case r == nil || r.Token != f.Token:
		return claims.Finalized{Status: claims.Fenced}
	case r.Outcome != claims.Running:
		return r.again(now, f, text)
	}
	o := l.flightOf(r)
	r.keep(f.Output, text)
	l.land(o)
	answer := claims.Finalized{Status: claims.Done}
	if why := o.job.conflict(o, f); why != "" {
		answer = claims.Finalized{Status: claims.Conflicted, Reason: why}
		f.Outcome, f.Cause, f.Reason, f.Retry = claims.Failed, claims.StateConflict, why, f.Again
		f.Strike = f.Strike.Conflicted()
	}
	r.Outcome, r.Cause, r.Reason, r.Evidence = f.Outcome, f.Cause, f.Reason, f.Evidence
	r.StartedAt, r.EndedAt, r.Memory, r.Fuel = f.StartedAt, f.EndedAt, f.Memory, f.Fuel
	if f.ExitCode != nil {
		code := *f.ExitCode
		r.ExitCode = &code
	}
	alive := o.life == o.job.life
	counted := f.Counts && alive && !slices.ContainsFunc(o.job.runs, func(other *run) bool {
		return other.Slot.ID == o.Slot.ID && other.Counted != nil && *other.Counted
	})
	r.Counted, f.Counts = &counted, counted
	defer l.forgetRuns(o.job)
	if !alive {
		r.Outcome = claims.Discarded
		l.settle(o.job, o.Slot, claims.Verdict(claims.Discarded), f.Reason)
		return claims.Finalized{Status: claims.Dropped}
	}
	l.close(now, o, f)
	if f.Outcome == claims.OK {
		for _, e := range f.Emit {
			to, job := l.exists(e.Job), claims.Job{}
			if to != nil {
				job = to.Job
			}
			if why := e.Refusal(job, to != nil, l.asked(e.Job)); why != "" {
				answer.Unsent = append(answer.Unsent, claims.Unsent{Emit: e, Why: why})
			} else {
				l.ask(to, claims.ManualSlot(e.Job, now, e.ID), now, claims.Request{Input: e.Input, By: e.By})
			}
		}
	}
	return answer
}

// again answers a result of a run that has ended.
func (r *run) again(now time.Time, f claims.Final, text []byte) claims.Finalized {
	switch {
	case r.late(f):
		r.LateAt, r.Late = now, f.Outcome
		r.keep(f.Output, text)
	case !r.EndedAt.Equal(f.EndedAt):
	case r.Outcome == f.Outcome:
		return claims.Finalized{Status: claims.AlreadyFinal}
	case r.Outcome == claims.Discarded:
		return claims.Finalized{Status: claims.Dropped}
	case r.conflicted(f):
		return claims.Finalized{Status: claims.Conflicted, Reason: r.Reason}
	}
	return claims.Finalized{Status: claims.Fenced}
}

// close records what an attempt of a job that still exists came to.
func (l *ledger) close(now time.Time, o *flight, f claims.Final) {
	j := o.job
	j.LastRun, j.Last, j.LastEnded = f.RunID, f.Outcome, f.EndedAt
	if f.Counts {
		j.Repeats++
		if f.Repeat > 0 && j.Repeats >= f.Repeat {
			j.Done, j.Next = true, time.Time{}
			l.dropQueue(j)
		}
	}
	if f.Disable != "" {
		j.Disabled = f.Disable
	}
	j.strike(now, f)
	if f.Outcome == claims.OK {
		j.write(f)
	}
	l.changed(j)
	if f.Retry.IsZero() {
		l.settle(j, o.Slot, claims.Verdict(f.Outcome), f.Reason)
		return
	}
	l.pending[o.Slot.ID] = &claims.Pending{Slot: o.Slot, Attempt: o.Attempt + 1, Due: f.Retry, Input: o.input, By: o.by, Rev: l.rev}
}

// strike counts failures in a row, and pauses the job when there are too many.
func (j *job) strike(now time.Time, f claims.Final) {
	switch {
	case !f.Retry.IsZero():
	case f.Strike == claims.StrikeReset:
		j.Failures = 0
	case f.Strike == claims.StrikeOut:
		if j.Failures++; f.PauseAfter > 0 && j.Failures >= f.PauseAfter && !j.Paused {
			j.Paused, j.PausedAt, j.Reason = true, now, f.PauseReason
		}
	}
}

// write keeps the state that a run which is ok has written.
func (j *job) write(f claims.Final) {
	if len(f.State) > 0 {
		j.stateRev++
	}
	for _, w := range f.State {
		if _, there := j.state[w.Key]; there || !w.Delete {
			if j.touched == nil {
				j.touched = map[string]int64{}
			}
			j.touched[w.Key] = j.stateRev
		}
		if w.Delete {
			delete(j.state, w.Key)
			continue
		}
		if j.state == nil {
			j.state = map[string]claims.StateEntry{}
		}
		j.state[w.Key] = claims.StateEntry{Token: f.Token, Key: w.Key, Value: slices.Clone(w.Value)}
	}
}

// keep stores what a run wrote, where nothing of it is stored yet.
func (r *run) keep(out claims.Output, text []byte) {
	if out.Bytes == 0 || r.Output.Bytes != 0 {
		if r.Output.Bytes == 0 {
			r.Output.Cut = out.Cut
		}
		return
	}
	out.Inline, out.File = nil, ""
	r.Output, r.text = out, text
}

// forgetRuns drops the oldest ended runs beyond twice Config.Keep.
func (l *ledger) forgetRuns(j *job) {
	if l.cfg.Keep <= 0 || len(j.runs) <= 2*l.cfg.Keep {
		return
	}
	drop := len(j.runs) - l.cfg.Keep
	kept := j.runs[:0]
	for i, r := range j.runs {
		if i >= drop || r.Outcome == claims.Running {
			kept = append(kept, r)
			continue
		}
		l.unlink(j, r)
	}
	clear(j.runs[len(kept):])
	j.runs = kept
}

// unlink drops a run from all but its job's list.
func (l *ledger) unlink(j *job, r *run) {
	delete(l.runs, r.RunID)
	if row := j.slots.own[r.Slot.ID]; row != nil {
		row.RunIDs = slices.DeleteFunc(row.RunIDs, func(id string) bool { return id == r.RunID })
	}
}

// Prune implements claims.Ledger.
func (s *Store) Prune(ctx context.Context, _ time.Time, limits []claims.Retain) (claims.Pruned, error) {
	if err := s.enter(ctx); err != nil {
		return claims.Pruned{}, err
	}
	defer s.mu.Unlock()
	var p claims.Pruned
	for _, limit := range limits {
		if j := s.jobs[limit.Job]; j != nil {
			s.prune(j, limit, &p)
		}
	}
	return p, nil
}

func (l *ledger) prune(j *job, limit claims.Retain, p *claims.Pruned) {
	var kept, size int64
	gone := 0
	for i, r := range slices.Backward(j.runs) {
		if r.Outcome == claims.Running {
			continue
		}
		kept, size = kept+1, size+r.Output.Bytes
		if limit.Runs > 0 && kept > limit.Runs || limit.Bytes > 0 && size > limit.Bytes {
			p.Runs, p.Bytes, gone = p.Runs+1, p.Bytes+r.Output.Bytes, gone+1
			l.unlink(j, r)
			j.runs[i] = nil
		}
	}
	if gone > 0 {
		j.runs = slices.DeleteFunc(j.runs, func(r *run) bool { return r == nil })
		j.slots.fold()
	}
}
