package sqlitestore

import (
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/wcron/wcron/claims"
)

const (
	// The newest row of the schedule at or before a time. Rows of one job do not overlap.
	querySlotBefore = `SELECT id, slot_id, verdict, reason, until FROM slots
	WHERE job = ? AND kind = 'schedule' AND at <= ? ORDER BY at DESC, id DESC LIMIT 1`
	insertSlot = `INSERT INTO slots (slot_id, job, at, kind, verdict, reason, count, until, input, by) VALUES (?,?,?,?,?,?,?,?,?,?)
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
func (c *conn) recorded(slot claims.Slot) (bool, error) {
	m, found, err := c.slotBefore(slot.Job, millis(slot.At))
	return found && (m.slot == slot.ID || m.until >= millis(slot.At)), err
}

// pass records slots that had no run. They lengthen the row directly before them when that says the same.
func (t *tx) pass(job string, p claims.Passed) error {
	p.Count = max(p.Count, 1)
	if p.Last.Before(p.First) {
		p.Last = p.First
	}
	m, found, err := t.slotBefore(job, endOfTime)
	if err != nil {
		return err
	}
	if found && m.verdict == p.Verdict && m.reason == p.Reason && m.until < millis(p.First) {
		_, err := t.exec(extendSlot, m.id, p.Count, p.Last)
		return err
	}
	slot := claims.ScheduledSlot(job, p.First)
	_, err = t.exec(insertSlot, slot.ID, job, p.First, string(slot.Kind), string(p.Verdict), p.Reason, p.Count, p.Last, []byte(nil), "")
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
