package claimstest

import (
	"slices"
	"strings"
	"time"

	"github.com/wcron/wcron/claims"
)

// line lets a due slot of a job that queues or replaces go ahead of what waits, wait itself, or pass.
func (m *Model) line(now time.Time, owner string, j *row, c claims.Claim, holder string) claims.Claimed {
	if m.recorded(c.Slot) {
		return claims.Claimed{Status: claims.Passing}
	}
	busy := holder != "" || c.RunID == ""
	var gone []claims.Pending
	if c.Overlap == claims.OverlapQueue {
		waiting := m.queued(j.Name)
		if busy = busy || len(waiting) > 0; busy && len(waiting) >= c.Queue {
			m.slot(c.Slot, claims.Skipped, c.IfBusy, "")
			return claims.Claimed{Status: claims.Busy, Holder: holder}
		}
	} else {
		gone = m.skipOlder(c)
	}
	if !busy {
		a := m.take(now, owner, j, c, claims.Pending{})
		a.Replaced = gone
		return a
	}
	m.slot(c.Slot, "", "", "")
	m.pending = append(m.pending, claims.Pending{Slot: c.Slot, Attempt: 1, Due: c.Slot.At, StandsFor: c.StandsFor, Rev: m.rev})
	if c.Overlap == claims.OverlapReplace {
		m.cancelAll(now, c.Slot)
	}
	return claims.Claimed{Status: claims.Queued, Holder: holder, Replaced: gone}
}

// queued are the slots of a job that wait for their first attempt, oldest first.
func (m *Model) queued(job string) (slots []claims.Slot) {
	for _, p := range m.pending {
		if p.Slot.Job == job && p.Slot.Kind == claims.Scheduled && p.Attempt == 1 {
			slots = append(slots, p.Slot)
		}
	}
	slices.SortFunc(slots, func(x, y claims.Slot) int { return x.At.Compare(y.At) })
	return slots
}

// drop takes pending work out, and gives its slot up.
func (m *Model) drop(reason string, which func(p claims.Pending) bool) (gone []claims.Pending) {
	m.pending = slices.DeleteFunc(m.pending, func(p claims.Pending) bool {
		if !which(p) {
			return false
		}
		m.slot(p.Slot, claims.Skipped, reason, "")
		gone = append(gone, p)
		return true
	})
	slices.SortFunc(gone, func(x, y claims.Pending) int { return x.Slot.At.Compare(y.Slot.At) })
	return gone
}

func (m *Model) skipOlder(c claims.Claim) []claims.Pending {
	return m.drop(c.IfReplaced, func(p claims.Pending) bool {
		return p.Slot.Job == c.Slot.Job && p.Slot.Kind == claims.Scheduled && p.Slot.At.Before(c.Slot.At)
	})
}

func (m *Model) dropQueue(job string) {
	m.drop("no repeats are left", func(p claims.Pending) bool {
		return p.Slot.Job == job && p.Slot.Kind == claims.Scheduled && !m.counted(p.Slot)
	})
}

func (m *Model) cancelAll(now time.Time, slot claims.Slot) {
	for _, o := range m.open {
		if o.Job == slot.Job && o.Cancel.IsZero() {
			o.Cancel, o.CancelBy, o.CancelFor = now, slot.ID, claims.Replaced
		}
	}
}

// held tells whether pending work has to wait for something else than a lane.
func (m *Model) held(j *row, c claims.Claim) bool {
	scheduled := c.Slot.Kind == claims.Scheduled
	if scheduled && j.Paused || m.usedUp(j, c) {
		return true
	}
	waiting := m.queued(j.Name)
	switch {
	case j.Paused || len(waiting) == 0:
		return false
	case c.Overlap == claims.OverlapReplace:
		return waiting[len(waiting)-1].ID != c.Slot.ID
	case c.Overlap == claims.OverlapQueue:
		return scheduled && c.Attempt == 1 && waiting[0].ID != c.Slot.ID
	}
	return false
}

// counted tells whether a slot has counted toward its job's repeats.
func (m *Model) counted(s claims.Slot) bool {
	return slices.ContainsFunc(m.runs, func(r *claims.Run) bool { return r.Slot.ID == s.ID && r.Counted != nil && *r.Counted })
}

// usedUp tells whether the slots that have begun and have not counted yet may use up the job's repeats.
func (m *Model) usedUp(j *row, c claims.Claim) bool {
	if c.Repeat == 0 || c.Slot.Kind != claims.Scheduled || c.Attempt > 1 {
		return false
	}
	n := int64(0)
	for _, o := range m.open {
		if o.Job == j.Name && o.Slot.Kind == claims.Scheduled && o.life == j.life && !m.counted(o.Slot) {
			n++
		}
	}
	for _, p := range m.pending {
		if p.Slot.Job == j.Name && p.Slot.Kind == claims.Scheduled && p.Attempt > 1 && !m.counted(p.Slot) && c.Overlap != claims.OverlapReplace {
			n++
		}
	}
	return n > 0 && j.Repeats+n >= c.Repeat
}

// conflict says which key that a run used was changed after it saw the state.
func (m *Model) conflict(j *row, o *flight, f claims.Final) string {
	if f.Outcome != claims.OK || o.life != j.life {
		return ""
	}
	saw := max(o.stateRev, f.StateRev)
	changed := func(key string) bool { return j.touched[key] > saw }
	for _, w := range f.State {
		if changed(w.Key) {
			return "key " + w.Key + " was changed"
		}
	}
	for _, u := range f.Used {
		for key := range j.touched {
			if changed(key) && (key == u.Key || u.Prefix && strings.HasPrefix(key, u.Key)) {
				return "key " + u.Key + " was changed"
			}
		}
	}
	return ""
}
