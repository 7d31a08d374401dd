package memstore

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wcron/wcron/claims"
)

// line lets a due slot of a job that queues or replaces go ahead of what waits, wait itself, or pass. holder is a run that is in its
// way; empty: there is none.
func (l *ledger) line(now time.Time, owner string, j *job, c claims.Claim, holder string) claims.Claimed {
	busy := holder != "" || c.RunID == ""
	var gone []claims.Pending
	if c.Overlap == claims.OverlapQueue {
		n := len(l.queued(j))
		if busy = busy || n > 0; busy && n >= c.Queue {
			l.settle(j, c.Slot, claims.Skipped, c.IfBusy)
			return claims.Claimed{Status: claims.Busy, Holder: holder}
		}
	} else {
		gone = l.skipOlder(j, c)
	}
	if !busy {
		a := l.take(now, owner, j, c, nil, "")
		a.Replaced = gone
		return a
	}
	l.row(j, c.Slot)
	l.pending[c.Slot.ID] = &claims.Pending{Slot: c.Slot, Attempt: 1, Due: c.Slot.At, StandsFor: c.StandsFor, Rev: l.rev}
	if c.Overlap == claims.OverlapReplace {
		l.replace(now, j, c.Slot)
	}
	return claims.Claimed{Status: claims.Queued, Holder: holder, Replaced: gone}
}

// queued are the slots of a job that wait for their first attempt, oldest first.
func (l *ledger) queued(j *job) (waiting []claims.Slot) {
	for _, p := range l.pending {
		if p.Slot.Job == j.Name && p.Queued() {
			waiting = append(waiting, p.Slot)
		}
	}
	slices.SortFunc(waiting, func(a, b claims.Slot) int { return a.At.Compare(b.At) })
	return waiting
}

// drop takes pending work of a job out, gives its slots up, and returns it in the order of the slots.
func (l *ledger) drop(j *job, reason string, which func(p *claims.Pending) bool) (gone []claims.Pending) {
	for id, p := range l.pending {
		if p.Slot.Job == j.Name && which(p) {
			delete(l.pending, id)
			gone = append(gone, *p)
		}
	}
	slices.SortFunc(gone, func(a, b claims.Pending) int { return a.Slot.At.Compare(b.Slot.At) })
	for _, p := range gone {
		l.settle(j, p.Slot, claims.Skipped, reason)
	}
	return gone
}

// skipOlder drops what waits of the schedule before a slot that replaces it.
func (l *ledger) skipOlder(j *job, c claims.Claim) []claims.Pending {
	return l.drop(j, c.IfReplaced, func(p *claims.Pending) bool {
		return p.Slot.Kind == claims.Scheduled && p.Slot.At.Before(c.Slot.At)
	})
}

// replace asks for the end of all runs of a job in favour of a slot.
func (l *ledger) replace(now time.Time, j *job, slot claims.Slot) {
	for _, o := range j.open {
		if o.Cancel.IsZero() {
			o.Cancel, o.CancelBy, o.CancelFor = now, slot.ID, claims.Replaced
		}
	}
}

// held tells whether pending work has to wait for something else than a lane.
func (l *ledger) held(j *job, c claims.Claim) bool {
	scheduled := c.Slot.Kind == claims.Scheduled
	if scheduled && j.Paused || l.usedUp(j, c) {
		return true
	}
	if j.Paused || !c.Overlap.Waits() {
		return false
	}
	waiting := l.queued(j)
	switch {
	case len(waiting) == 0:
		return false
	case c.Overlap == claims.OverlapReplace:
		return waiting[len(waiting)-1].ID != c.Slot.ID
	}
	return scheduled && c.Attempt <= 1 && waiting[0].ID != c.Slot.ID
}

// dropQueue gives up what waits of a job that is done: its slots, and attempts of slots that have not counted.
func (l *ledger) dropQueue(j *job) {
	l.drop(j, "no repeats are left", func(p *claims.Pending) bool { return p.Slot.Kind == claims.Scheduled && !j.counted(p.Slot) })
}

// counted tells whether a slot has counted toward the job's repeats.
func (j *job) counted(s claims.Slot) bool {
	return slices.ContainsFunc(j.runs, func(r *run) bool { return r.Slot.ID == s.ID && r.Counted != nil && *r.Counted })
}

// usedUp tells whether the slots that have begun and have not counted yet may use up the job's repeats. What waits has begun when a
// run of it has ended before its guest started, unless the claim takes its place.
func (l *ledger) usedUp(j *job, c claims.Claim) bool {
	if c.Repeat == 0 || c.Slot.Kind != claims.Scheduled || c.Attempt > 1 {
		return false
	}
	n := int64(0)
	for _, o := range j.open {
		if o.Slot.Kind == claims.Scheduled && o.life == j.life && !j.counted(o.Slot) {
			n++
		}
	}
	if c.Overlap != claims.OverlapReplace {
		for _, p := range l.pending {
			if p.Slot.Job == j.Name && p.Slot.Kind == claims.Scheduled && p.Attempt > 1 && !j.counted(p.Slot) {
				n++
			}
		}
	}
	return n > 0 && j.Repeats+n >= c.Repeat
}

// conflict says which key that a run used another one has changed since; empty: none.
func (j *job) conflict(o *flight, f claims.Final) string {
	if f.Outcome != claims.OK || o.life != j.life {
		return ""
	}
	saw := max(o.stateRev, f.StateRev)
	for _, w := range f.State {
		if j.touched[w.Key] > saw {
			return changedKey(w.Key)
		}
	}
	for _, u := range f.Used {
		if !u.Prefix {
			if j.touched[u.Key] > saw {
				return changedKey(u.Key)
			}
			continue
		}
		for key, rev := range j.touched {
			if rev > saw && strings.HasPrefix(key, u.Key) {
				return changedKey(u.Key)
			}
		}
	}
	return ""
}

func changedKey(key string) string {
	return fmt.Sprintf("key %q of the job's state was changed by another run since this one saw it", key)
}
