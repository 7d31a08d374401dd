package sqlitestore

import (
	"context"
	"fmt"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/wcron/wcron/claims"
)

// Request carries out an operator's request. Errors: ErrNoJob, ErrNoRun, ErrNotOpen.
func (s *Store) Request(ctx context.Context, now time.Time, r claims.Request) error {
	op := fmt.Sprintf("%s job %q", r.Kind, r.Job)
	if r.Kind == claims.Cancel {
		op = "cancel run " + r.RunID
	}
	return s.write(ctx, op, 0, func(t *tx) error {
		if r.Kind == claims.Cancel {
			return t.cancel(now, r)
		}
		job, err := t.job(r.Job)
		if err != nil {
			return err
		}
		if !job.exists() {
			return claims.ErrNoJob
		}
		switch r.Kind {
		case claims.Pause:
			if job.Paused {
				return nil
			}
			job.Paused, job.PausedAt, job.Reason = true, now, r.Reason
		case claims.Resume:
			if !job.Paused {
				return nil
			}
			job.Paused, job.ResumedAt, job.Reason, job.Failures = false, now, "", 0
		case claims.Trigger:
			return t.trigger(now, claims.ManualSlot(r.Job, now, r.ID), r)
		case claims.Start:
			slot := claims.StartSlot(r.Job, now, r.ID)
			if why := claims.StartRefusal(job.Job, r); why != "" {
				return t.skipStart(slot, why, r.By)
			}
			return t.trigger(now, slot, r)
		case claims.Fill:
			return t.fill(now, r)
		case claims.Unfill:
			return t.unfill(r)
		case claims.Skip:
			job.SkipAt, job.SkipReason = r.At, r.Reason
		case claims.Unskip:
			if job.SkipAt.IsZero() {
				return nil
			}
			job.SkipAt, job.SkipReason = time.Time{}, ""
		default:
			return fmt.Errorf("there is no request %q", r.Kind)
		}
		return t.saveJob(&job, updateJob)
	})
}

// skipStart records that a host's start had no run of a job.
func (t *tx) skipStart(slot claims.Slot, why, by string) error {
	fresh, err := t.open(slot, nil, by)
	if fresh && err == nil {
		_, err = t.exec(setVerdict, slot.ID, string(claims.Skipped), why)
	}
	return err
}

// trigger records the slot with its pending row. The same request made twice is one slot.
func (t *tx) trigger(now time.Time, slot claims.Slot, r claims.Request) error {
	fresh, err := t.open(slot, r.Input, r.By)
	if !fresh || err != nil {
		return err
	}
	_, err = t.exec(insertPending, slot.ID, r.Job, 1, now, t.rev())
	return err
}

// fill records a slot with its pending row for each time. The same request made twice is one.
func (t *tx) fill(now time.Time, r claims.Request) error {
	for _, at := range r.Times {
		slot := claims.BackfillSlot(r.Job, at, r.ID)
		fresh, err := t.open(slot, nil, r.By)
		if err == nil && fresh {
			_, err = t.exec(insertPending, slot.ID, r.Job, 1, now, t.rev())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

const queryFill = `SELECT pending.slot_id FROM pending JOIN slots USING (slot_id) WHERE pending.job = ? AND kind = 'backfill'`

// unfill skips what waits of a job's backfills.
func (t *tx) unfill(r claims.Request) error {
	var slots []string
	err := t.each(func(st *sqlite3.Stmt) error {
		slots = append(slots, st.ColumnText(0))
		return nil
	}, queryFill, r.Job)
	if err != nil {
		return err
	}
	for _, id := range slots {
		if _, err := t.exec(setVerdict, id, string(claims.Skipped), r.Reason); err != nil {
			return err
		}
		if _, err := t.exec(deletePending, id); err != nil {
			return err
		}
		t.rev() // others look for pending work that is gone
	}
	return nil
}

const setCancel = `UPDATE claims SET cancel_at = ?2, cancel_by = ?3, cancel_cause = 'cancelled' WHERE run_id = ?1 AND cancel_at = 0`

func (t *tx) cancel(now time.Time, r claims.Request) error {
	var open bool
	_, err := t.one(func(*sqlite3.Stmt) { open = true }, queryClaim, r.RunID)
	if err != nil {
		return err
	}
	if open {
		_, err := t.exec(setCancel, r.RunID, now, r.By)
		return err
	}
	_, found, err := t.run(r.RunID)
	if err == nil && found {
		err = claims.ErrNotOpen
	} else if err == nil {
		err = claims.ErrNoRun
	}
	return err
}
