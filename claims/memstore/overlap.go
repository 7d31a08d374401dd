package memstore

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/wcron/wcron/claims"
)

// line lets a due slot of a job that queues or replaces start before what waits, wait itself, or pass.
func (l *ledger) line(now time.Time, owner string, j *job, c claims.Claim, holder string) claims.Claimed {
	busy := holder != "" || c.RunID == ""
	var gone []claims.Pending
	if c.Overlap == claims.OverlapQueue {
		waiting := l.queued(j)
		if busy = busy || len(waiting) > 0; busy && len(waiting) >= c.Queue {
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
		j.cancelAll(now, c.Slot)
	}
	return claims.Claimed{Status: claims.Queued, Holder: holder, Replaced: gone}
}

// waiting is the pending work of a job that is wanted, oldest slot first.
func (l *ledger) waiting(j *job, want func(p claims.Pending) bool) (rows []claims.Pending) {
	for _, p := range l.pending {
		if p.Slot.Job == j.Name && want(*p) {
			rows = append(rows, *p)
		}
	}
	slices.SortFunc(rows, func(a, b claims.Pending) int { return a.Slot.At.Compare(b.Slot.At) })
	return rows
}

func (l *ledger) queued(j *job) []claims.Pending { return l.waiting(j, claims.Pending.Queued) }

// drop gives pending work up.
func (l *ledger) drop(j *job, reason string, which func(p claims.Pending) bool) []claims.Pending {
	gone := l.waiting(j, which)
	for _, p := range gone {
		delete(l.pending, p.Slot.ID)
		l.rev++
		l.settle(j, p.Slot, claims.Skipped, reason)
	}
	return gone
}

// skipOlder gives up what waits of the schedule and is older than the claim's slot.
func (l *ledger) skipOlder(j *job, c claims.Claim) []claims.Pending {
	return l.drop(j, c.IfReplaced, func(p claims.Pending) bool {
		return p.Slot.Kind == claims.Scheduled && p.Slot.At.Before(c.Slot.At)
	})
}

// cancelAll asks the owners of the job's open claims to end them in favour of a slot.
func (j *job) cancelAll(now time.Time, slot claims.Slot) {
	for _, o := range j.open {
		if o.Cancel.IsZero() {
			o.Cancel, o.CancelBy, o.CancelFor = now, slot.ID, claims.Replaced
		}
	}
}

// held tells whether pending work has to wait although a lane may be free.
func (l *ledger) held(j *job, c claims.Claim) bool {
	scheduled := c.Slot.Kind == claims.Scheduled
	if scheduled && j.Paused || j.usedUp(c) {
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
		return waiting[len(waiting)-1].Slot.ID != c.Slot.ID
	}
	return scheduled && c.Attempt <= 1 && waiting[0].Slot.ID != c.Slot.ID
}

// usedUp tells whether the open first attempts of a job may reach its repeat limit, so that no other slot of the schedule may begin.
func (j *job) usedUp(c claims.Claim) bool {
	if c.Repeat <= 0 || c.Slot.Kind != claims.Scheduled || c.Attempt > 1 {
		return false
	}
	var open int64
	for _, o := range j.open {
		if o.Attempt == 1 && o.life == j.life {
			open++
		}
	}
	return open > 0 && j.Repeats+open >= c.Repeat
}

// touch notes a change of a key, and forgets those that no open claim is older than.
func (j *job) touch(key, run string) {
	if j.Lanes <= 1 {
		return // nobody overlaps with anybody
	}
	if j.touched == nil {
		j.touched = map[string]change{}
	}
	oldest := j.stateRev
	for _, o := range j.open {
		oldest = min(oldest, o.stateRev)
	}
	for k, c := range j.touched {
		if c.rev <= oldest {
			delete(j.touched, k)
		}
	}
	j.touched[key] = change{j.stateRev, run}
}

// conflict says which key that a run used was changed after it saw the state; nothing when none was.
func (o *flight) conflict(f claims.Final) string {
	if f.Outcome != claims.OK || o.life != o.job.life {
		return ""
	}
	saw := max(o.stateRev, f.StateRev)
	for _, key := range slices.Sorted(maps.Keys(o.job.touched)) {
		c := o.job.touched[key]
		used := slices.ContainsFunc(f.State, func(w claims.StateWrite) bool { return w.Key == key }) ||
			slices.ContainsFunc(f.Used, func(u claims.StateUse) bool { return u.Key == key || u.Prefix && strings.HasPrefix(key, u.Key) })
		if c.rev > saw && used {
			return fmt.Sprintf("run %s has changed key %.80q of the state since this run saw it; its state is dropped", c.run, key)
		}
	}
	return ""
}
