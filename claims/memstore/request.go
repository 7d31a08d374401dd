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
			j.Paused, j.ResumedAt, j.Reason = false, now, ""
			s.changed(j)
		}
	case claims.Trigger:
		s.trigger(now, j, r)
	default:
		return fmt.Errorf("request %q of job %q: unknown", r.Kind, r.Job)
	}
	return nil
}

// trigger records the slot with its pending row. The same request made twice is one slot.
func (l *ledger) trigger(now time.Time, j *job, r claims.Request) {
	of := claims.ManualSlot(r.Job, now, r.ID)
	if j.slots.own[of.ID] == nil {
		l.row(j, of)
		l.rev++
		l.pending[of.ID] = &claims.Pending{Slot: of, Attempt: 1, Due: now, Input: slices.Clone(r.Input), By: r.By, Rev: l.rev}
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
