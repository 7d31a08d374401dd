package memstore

import (
	"cmp"
	"slices"
	"time"

	"github.com/wcron/wcron/claims"
)

// slots are the slots of one job.
type slots struct {
	rows      []*slot          // in the order in which they came
	own       map[string]*slot // rows that stand for one slot, by its id
	latest    time.Time        // the last scheduled time on record
	forgotten time.Time        // the last scheduled time that Config.Keep has dropped
}

// slot is a row.
type slot struct {
	claims.SlotRow
	n int64
}

func newSlots() slots { return slots{own: map[string]*slot{}} }

// recorded tells whether a slot of the schedule is on record, by itself or within a row that stands for several.
func (s *slots) recorded(of claims.Slot) bool {
	if of.At.After(s.latest) {
		return s.own[of.ID] != nil
	}
	return !of.At.After(s.forgotten) || slices.ContainsFunc(s.rows, func(r *slot) bool {
		return r.Slot.Kind == of.Kind && (r.Slot.ID == of.ID || !of.At.Before(r.Slot.At) && !of.At.After(r.Until))
	})
}

// settled is the last scheduled time on record if it is later than now; zero: it is not.
func (s *slots) settled(now time.Time) time.Time {
	if s.latest.After(now) {
		return s.latest
	}
	return time.Time{}
}

func (s *slots) add(r *slot) {
	s.rows = append(s.rows, r)
	if r.Slot.Kind == claims.Scheduled && r.Until.After(s.latest) {
		s.latest = r.Until
	}
	if r.Count == 1 && s.own[r.Slot.ID] == nil {
		s.own[r.Slot.ID] = r
	}
}

// row is a slot's own row, which is made where there is none.
func (l *ledger) row(j *job, of claims.Slot) *slot {
	r := j.slots.own[of.ID]
	if r == nil {
		r = &slot{SlotRow: claims.SlotRow{Slot: of, Count: 1, Until: of.At}, n: l.next()}
		j.slots.add(r)
	}
	return r
}

// settle writes a slot's verdict.
func (l *ledger) settle(j *job, of claims.Slot, v claims.Verdict, reason string) {
	r := l.row(j, of)
	r.Verdict, r.Reason = v, reason
	l.forgetSlots(j)
}

// pass records slots that had no run.
func (l *ledger) pass(j *job, p claims.Passed) {
	of := claims.ScheduledSlot(j.Name, p.First)
	if j.slots.recorded(of) {
		last := claims.ScheduledSlot(j.Name, p.Last)
		if j.slots.recorded(last) {
			return
		}
		of.ID = last.ID
	}
	j.slots.add(&slot{n: l.next(), SlotRow: claims.SlotRow{
		Slot: of, Verdict: p.Verdict, Reason: p.Reason, Count: p.Count, Until: p.Last,
	}})
	l.forgetSlots(j)
}

// forgetSlots drops the oldest rows beyond twice Config.Keep, but none that still waits for its verdict.
func (l *ledger) forgetSlots(j *job) {
	s := &j.slots
	if l.cfg.Keep <= 0 || len(s.rows) <= 2*l.cfg.Keep {
		return
	}
	drop := len(s.rows) - l.cfg.Keep
	kept := s.rows[:0]
	for i, r := range s.rows {
		if i >= drop || r.Verdict == "" {
			kept = append(kept, r)
			continue
		}
		if s.own[r.Slot.ID] == r {
			delete(s.own, r.Slot.ID)
		}
		if r.Slot.Kind == claims.Scheduled && r.Until.After(s.forgotten) {
			s.forgotten = r.Until
		}
	}
	clear(s.rows[len(kept):])
	s.rows = kept
}

// fold joins neighbours of the schedule that came to the same verdict and have no runs any more.
func (s *slots) fold() {
	slices.SortStableFunc(s.rows, func(a, b *slot) int {
		return cmp.Or(cmp.Compare(a.Slot.Kind, b.Slot.Kind), a.Slot.At.Compare(b.Slot.At))
	})
	rows := s.rows[:0]
	for _, r := range s.rows {
		if n := len(rows); n > 0 && rows[n-1].joins(r) {
			last := rows[n-1]
			for _, one := range []*slot{last, r} {
				if s.own[one.Slot.ID] == one {
					delete(s.own, one.Slot.ID)
				}
			}
			last.Count, last.Until = last.Count+r.Count, r.Until
			continue
		}
		rows = append(rows, r)
	}
	clear(s.rows[len(rows):])
	s.rows = rows
}

// joins tells whether a later row can be counted within this one.
func (r *slot) joins(later *slot) bool {
	return r.Slot.Kind == claims.Scheduled && later.Slot.Kind == claims.Scheduled && r.Verdict != "" && r.Verdict == later.Verdict &&
		r.Reason == later.Reason && len(r.RunIDs) == 0 && len(later.RunIDs) == 0
}
