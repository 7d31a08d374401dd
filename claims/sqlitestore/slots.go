package sqlitestore

import (
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/wcron/wcron/claims"
)

const (
	// The newest row of the schedule at or before a time. Rows of one job overlap only where its schedule was changed while the clock was
	// behind them.
	querySlotBefore = `SELECT id, slot_id, verdict, reason, until FROM slots
	WHERE job = ? AND kind = 'schedule' AND at <= ? ORDER BY at DESC, id DESC LIMIT 1`
	queryOwnSlot = `SELECT 1 FROM slots WHERE slot_id = ?`
	queryCovered = `SELECT 1 FROM slots WHERE job = ?1 AND kind = 'schedule' AND at <= ?2 AND until >= ?2 LIMIT 1`
	querySettled = `SELECT max(until) FROM slots WHERE job = ?1 AND kind = 'schedule' AND until > ?2`
	insertSlot   = `INSERT INTO slots (slot_id, job, at, kind, verdict, reason, count, until, input, by) VALUES (?,?,?,?,?,?,?,?,?,?)
	ON CONFLICT (slot_id) DO NOTHING`
	extendSlot = `UPDATE slots SET count = count + ?2, until = ?3 WHERE id = ?1`
	endOfTime  = int64(1<<63 - 1)
)

// mark is what the rules need of a stored slot.
type mark struct {
	id      int64
	slot    string
	verdict claims.Verdict
	reason  string
	until   int64
}

func (c *conn) slotBefore(job string, at int64) (m mark, found bool, err error) {
	found, err = c.one(func(st *sqlite3.Stmt) {
		m = mark{id: st.ColumnInt64(0), slot: st.ColumnText(1), verdict: claims.Verdict(st.ColumnText(2)),
			reason: st.ColumnText(3), until: st.ColumnInt64(4)}
	}, querySlotBefore, job, at)
	return m, found, err
}

// recorded tells whether a slot of the schedule is there already, by itself or within a row that stands for several.
func (c *conn) recorded(job *jobRow, slot claims.Slot) (bool, error) {
	at := millis(slot.At)
	if !job.Settled.IsZero() {
		n, err := c.number(queryOwnSlot, slot.ID)
		if n == 0 && err == nil {
			n, err = c.number(queryCovered, job.Name, at)
		}
		return n > 0, err
	}
	m, found, err := c.slotBefore(job.Name, at)
	return found && (m.slot == slot.ID || m.until >= at), err
}

// pass records slots that had no run. They lengthen the row directly before them when that says the same.
func (t *tx) pass(job *jobRow, p claims.Passed) error {
	p.Count = max(p.Count, 1)
	if p.Last.Before(p.First) {
		p.Last = p.First
	}
	m, found, err := t.slotBefore(job.Name, endOfTime)
	if err != nil {
		return err
	}
	slot := claims.ScheduledSlot(job.Name, p.First)
	switch {
	case !found || m.until < millis(p.First):
		if found && m.verdict == p.Verdict && m.reason == p.Reason {
			_, err := t.exec(extendSlot, m.id, p.Count, p.Last)
			return err
		}
	default: // the clock was behind, and the schedule was changed
		if there, err := t.recorded(job, slot); err != nil {
			return err
		} else if there {
			slot.ID = claims.ScheduledSlot(job.Name, p.Last).ID
			if there, err = t.recorded(job, claims.ScheduledSlot(job.Name, p.Last)); there || err != nil {
				return err
			}
		}
	}
	_, err = t.exec(insertSlot, slot.ID, job.Name, p.First, string(slot.Kind), string(p.Verdict), p.Reason, p.Count, p.Last, []byte(nil), "")
	return err
}

// open records a slot that is claimed, or asked for. fresh is false when it was there already.
func (t *tx) open(slot claims.Slot, input []byte, by string) (fresh bool, err error) {
	n, err := t.exec(insertSlot, slot.ID, slot.Job, slot.At, string(slot.Kind), "", "", 1, slot.At, input, by)
	return n > 0, err
}

// skip is one slot that was passed over.
func skip(at time.Time, reason string) claims.Passed {
	return claims.Passed{Verdict: claims.Skipped, Reason: reason, First: at, Last: at, Count: 1}
}
