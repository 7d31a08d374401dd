package sqlitestore

import (
	"slices"
	"time"

	"github.com/wcron/wcron/claims"
)

const (
	queryWaiting  = `SELECT ` + pendingColumns + ` FROM pending JOIN slots USING (slot_id) WHERE pending.job = ? AND kind = 'schedule'`
	insertQueued  = `INSERT INTO pending (slot_id, job, attempt, due, rev, stands_for) VALUES (?,?,1,?,?,?)`
	cancelOpen    = `UPDATE claims SET cancel_at = ?2, cancel_by = ?3, cancel_cause = 'replaced' WHERE job = ?1 AND cancel_at = 0`
	queryMayCount = `SELECT count(*) FROM claims WHERE job = ? AND seq > ? AND slot_kind = 'schedule'
	AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.slot_id = claims.slot_id AND counted = 1)`
	queryWillCount = `SELECT count(*) FROM pending JOIN slots USING (slot_id) WHERE pending.job = ? AND kind = 'schedule' AND attempt > 1
	AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.slot_id = pending.slot_id AND counted = 1)`
	reasonDone = "its repeat limit was reached before it ran"
)

func scheduled(it *claims.Claim) bool { return it.Slot.Kind == claims.Scheduled }

// line lets a slot that is due go ahead of those that wait or wait itself, by the claim's policy. Won: it is on record, and may start.
func (t *tx) line(now time.Time, it *claims.Claim, job *jobRow, busy bool, a *claims.Claimed) error {
	there, err := t.recorded(job, it.Slot)
	if there || err != nil {
		a.Status = claims.Passing // it has had its turn
		return err
	}
	if it.Overlap == claims.OverlapQueue {
		waiting, err := t.queued(job.Name)
		if err != nil {
			return err
		}
		busy = busy || len(waiting) > 0
		if busy && len(waiting) >= it.Queue {
			a.Status = claims.Busy
			return t.pass(job, skip(it.Slot.At, it.IfBusy))
		}
	} else if a.Replaced, err = t.skipWaiting(it); err != nil {
		return err
	}
	fresh, err := t.open(it.Slot, nil, "")
	if a.Status = claims.Won; !fresh || err != nil {
		a.Status = claims.Passing
		return err
	}
	if !busy {
		return nil
	}
	a.Status = claims.Queued
	if _, err := t.exec(insertQueued, it.Slot.ID, job.Name, it.Slot.At, t.rev(), it.StandsFor); err != nil {
		return err
	}
	if it.Overlap == claims.OverlapReplace {
		return t.cancelAll(now, it.Slot)
	}
	return nil
}

// waiting lists the pending work of a job's schedule, oldest slot first.
func (t *tx) waiting(job string) ([]claims.Pending, error) {
	all, err := t.pending(queryWaiting, job)
	slices.SortFunc(all, func(x, y claims.Pending) int { return x.Slot.At.Compare(y.Slot.At) })
	return all, err
}

// queued lists the slots of a job that wait for their first attempt, oldest first.
func (t *tx) queued(job string) (slots []claims.Pending, err error) {
	all, err := t.waiting(job)
	for _, p := range all {
		if p.Queued() {
			slots = append(slots, p)
		}
	}
	return slots, err
}

// skipWaiting gives up what waits of the schedule and is older than the claim's slot.
func (t *tx) skipWaiting(it *claims.Claim) (gone []claims.Pending, err error) {
	all, err := t.waiting(it.Slot.Job)
	if err != nil {
		return nil, err
	}
	for _, p := range all {
		if !p.Slot.At.Before(it.Slot.At) {
			continue
		}
		if err := t.skipPending(p, it.IfReplaced); err != nil {
			return nil, err
		}
		gone = append(gone, p)
	}
	return gone, nil
}

// skipPending gives up pending work. A slot without a run lengthens the row directly before it when that says the same and has no
// run either, so that a long sequence of them takes one row.
func (t *tx) skipPending(p claims.Pending, reason string) error {
	if _, err := t.exec(deletePending, p.Slot.ID); err != nil {
		return err
	}
	t.rev()
	if p.Queued() {
		m, found, err := t.slotBefore(p.Slot.Job, millis(p.Slot.At)-1)
		if err != nil {
			return err
		}
		ran, err := t.number(queryRan, m.slot)
		if err != nil {
			return err
		}
		if found && ran == 0 && m.verdict == claims.Skipped && m.reason == reason && m.until < millis(p.Slot.At) {
			if _, err := t.exec(deleteSlotByID, p.Slot.ID); err != nil {
				return err
			}
			_, err := t.exec(extendSlot, m.id, 1, p.Slot.At)
			return err
		}
	}
	_, err := t.exec(setVerdict, p.Slot.ID, string(claims.Skipped), reason)
	return err
}

const (
	deleteSlotByID = `DELETE FROM slots WHERE slot_id = ?`
	queryRan       = `SELECT 1 FROM runs WHERE slot_id = ? LIMIT 1`
)

// dropQueue gives up what waits of a job that is done: its slots, and attempts of slots that have not counted.
func (t *tx) dropQueue(job string) error {
	waiting, err := t.waiting(job)
	for _, p := range waiting {
		if err != nil {
			break
		}
		counted := int64(0)
		if !p.Queued() {
			counted, err = t.number(queryCounted, p.Slot.ID)
		}
		if counted == 0 && err == nil {
			err = t.skipPending(p, reasonDone)
		}
	}
	return err
}

// cancelAll asks the owners of a job's open claims to end them in favour of a slot.
func (t *tx) cancelAll(now time.Time, slot claims.Slot) error {
	_, err := t.exec(cancelOpen, slot.Job, now, slot.ID)
	return err
}

// held tells whether pending work has to wait although a lane may be free.
func (t *tx) held(it *claims.Claim, job *jobRow) (bool, error) {
	if scheduled(it) && job.Paused {
		return true, nil
	}
	if used, err := t.usedUp(it, job); used || err != nil {
		return used, err
	}
	if !it.Overlap.Waits() || job.Paused {
		return false, nil
	}
	waiting, err := t.queued(job.Name)
	if len(waiting) == 0 || err != nil {
		return false, err
	}
	if it.Overlap == claims.OverlapReplace {
		return waiting[len(waiting)-1].Slot.ID != it.Slot.ID, nil
	}
	return scheduled(it) && it.Attempt <= 1 && waiting[0].Slot.ID != it.Slot.ID, nil
}

// usedUp tells whether the slots of a job's schedule that have begun, and may each count once, may reach its repeat limit: then no
// other slot of the schedule may begin. A slot whose guest has not started yet has begun, too, while an attempt of it waits, unless
// the claim takes the place of what waits.
func (t *tx) usedUp(it *claims.Claim, job *jobRow) (bool, error) {
	if it.Repeat <= 0 || !scheduled(it) || it.Attempt > 1 {
		return false, nil
	}
	open, err := t.number(queryMayCount, job.Name, job.Born)
	if err == nil && it.Overlap != claims.OverlapReplace {
		var waiting int64
		waiting, err = t.number(queryWillCount, job.Name)
		open += waiting
	}
	return open > 0 && job.Repeats+open >= it.Repeat, err
}
