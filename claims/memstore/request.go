package memstore

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/wcron/wcron/claims"
)

// Request implements claims.Ledger.
func (s *Store) Request(ctx context.Context, now time.Time, r claims.Request) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if r.Kind == claims.Cancel {
		return s.cancel(now, r)
	}
	j := s.exists(r.Job)
	if j == nil {
		return fmt.Errorf("%s job %q: %w", r.Kind, r.Job, claims.ErrNoJob)
	}
	switch r.Kind {
	case claims.Pause:
		if !j.Paused {
			j.Paused, j.PausedAt, j.Reason = true, now, r.Reason
			s.changed(j)
		}
	case claims.Resume:
		if j.Paused {
			j.Paused, j.ResumedAt, j.Reason, j.Failures = false, now, "", 0
			s.changed(j)
		}
	case claims.Trigger:
		s.ask(j, claims.ManualSlot(r.Job, now, r.ID), now, r)
	case claims.Start:
		of := claims.StartSlot(r.Job, now, r.ID)
		if why := claims.StartRefusal(j.Job, r); why == "" {
			s.ask(j, of, now, r)
		} else if j.slots.own[of.ID] == nil {
			s.settle(j, of, claims.Skipped, why)
		}
	case claims.Fill:
		for _, at := range r.Times {
			s.ask(j, claims.BackfillSlot(r.Job, at, r.ID), now, claims.Request{By: r.By})
		}
	case claims.Unfill:
		s.unfill(j, r.Reason)
	case claims.Skip:
		j.SkipAt, j.SkipReason = r.At, r.Reason
		s.changed(j)
	case claims.Unskip:
		if !j.SkipAt.IsZero() {
			j.SkipAt, j.SkipReason = time.Time{}, ""
			s.changed(j)
		}
	default:
		return fmt.Errorf("request %q of job %q: unknown", r.Kind, r.Job)
	}
	return nil
}

// ask records a slot that somebody asked for, once.
func (l *ledger) ask(j *job, of claims.Slot, now time.Time, r claims.Request) {
	if j.slots.own[of.ID] != nil {
		return
	}
	l.row(j, of)
	l.rev++
	l.pending[of.ID] = &claims.Pending{Slot: of, Attempt: 1, Due: now, Input: slices.Clone(r.Input), By: r.By, Rev: l.rev}
}

// asked is how many runs of a job wait that were asked for.
func (l *ledger) asked(job string) (n int) {
	for _, p := range l.pending {
		if p.Slot.Job == job && p.Slot.Kind == claims.Manual {
			n++
		}
	}
	return n
}

// unfill skips what waits of a job's backfills.
func (l *ledger) unfill(j *job, reason string) {
	for id, p := range l.pending {
		if p.Slot.Job == j.Name && p.Slot.Kind == claims.Backfill {
			delete(l.pending, id)
			l.settle(j, p.Slot, claims.Skipped, reason)
			l.rev++
		}
	}
}

func (l *ledger) cancel(now time.Time, r claims.Request) error {
	run := l.runs[r.RunID]
	if run == nil {
		return fmt.Errorf("cancel run %s: %w", r.RunID, claims.ErrNoRun)
	}
	o := l.flightOf(run)
	if o == nil {
		return fmt.Errorf("cancel run %s: %w", r.RunID, claims.ErrNotOpen)
	}
	if o.Cancel.IsZero() {
		o.Cancel, o.CancelBy, o.CancelFor = now, r.By, claims.Cancelled
		l.rev++
	}
	return nil
}
