package host

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/wcron/wcron/claims"
)

// reasonReplaced is why a slot that waited, or a further attempt of one, did not start.
const reasonReplaced = "a newer slot took its place before it started"

const earlierWaits = "an earlier slot waits"

// occupied says why no slot of a job may start now that is due; nothing when one may.
func (l *loop) occupied(j *job, it *dueItem) string {
	over := j.def.Overlap
	switch {
	case len(j.running) >= over.Lanes():
		if over.Lanes() > 1 {
			return fmt.Sprintf("%d runs were still running, and max_concurrent allows no more", over.Lanes())
		}
		return fmt.Sprintf("run %s was still running", j.anyRun())
	case over.Policy.Waits() && len(l.queues[j.def.Name]) > 0:
		return earlierWaits
	case it.held && l.foreign[j.def.Name] != "":
		return fmt.Sprintf("run %s of another host was still running", l.foreign[j.def.Name])
	case it.held:
		return "an earlier process may still act: the job's lock is held and no run is recorded"
	}
	return ""
}

// anyRun is one of the runs in flight of a job.
func (j *job) anyRun() string {
	ids := slices.Sorted(maps.Keys(j.running))
	if len(ids) == 0 {
		return ""
	}
	return ids[0]
}

// overlapping puts the job's policy into a claim.
func (j *job) overlapping(c claims.Claim) claims.Claim {
	over := j.def.Overlap.Decided()
	c.Overlap, c.Lanes, c.Repeat = over.Policy, over.Lanes(), j.def.Repeat
	switch over.Policy {
	case claims.OverlapQueue:
		c.Queue = over.QueueLimit
		c.IfBusy = fmt.Sprintf("queue_limit = %d slots waited already", c.Queue)
	case claims.OverlapReplace:
		c.IfReplaced = reasonReplaced
	case claims.OverlapAllow:
		c.IfBusy = fmt.Sprintf("%d runs were still running, and max_concurrent allows no more", c.Lanes)
	default:
		c.IfBusy = "a run of another host was still running"
	}
	return c
}

// behind says what pending work of a job has to wait for: the runs in flight, and what is to go before it.
func (l *loop) behind(j *job, p *claims.Pending, now time.Time) string {
	over := j.def.Overlap
	waiting := l.queues[j.def.Name]
	if over.Policy == claims.OverlapReplace && p.Queued() && j.item.dueBy(now, l.h.instant()) {
		return "a newer slot is due"
	}
	if over.Policy == claims.OverlapReplace && len(waiting) > 0 && !j.row.Paused {
		newest := waiting[len(waiting)-1].pending.Slot
		if newest.ID != p.Slot.ID {
			return fmt.Sprintf("the slot of %s goes first", newest.At.Format(time.RFC3339))
		}
		l.replace(j, newest)
	}
	if over.Policy == claims.OverlapQueue && p.Queued() && len(waiting) > 0 && waiting[0].pending.Slot.ID != p.Slot.ID {
		return fmt.Sprintf("the slot of %s goes first", waiting[0].pending.Slot.At.Format(time.RFC3339))
	}
	if len(j.running) >= over.Lanes() {
		return fmt.Sprintf("run %s is running", j.anyRun())
	}
	return ""
}

// replace ends the runs of a job that this host has in flight, in favour of a slot that waits. Runs of this slot or a newer one go on:
// where the clock was set back, the slot that waits may be the older one.
func (l *loop) replace(j *job, slot claims.Slot) {
	for _, r := range j.running {
		if r.slot.Kind != claims.Scheduled || r.slot.At.Before(slot.At) {
			r.kill(errReplaced)
		}
	}
}

// enqueue adds a slot that waits to its job's queue, oldest first.
func (l *loop) enqueue(it *dueItem) {
	if !it.pending.Queued() {
		return
	}
	queue := l.queues[it.job]
	at, _ := slices.BinarySearchFunc(queue, it, func(a, b *dueItem) int { return a.pending.Slot.At.Compare(b.pending.Slot.At) })
	l.queues[it.job] = slices.Insert(queue, at, it)
}

// dequeue takes it out again.
func (l *loop) dequeue(it *dueItem) {
	queue := slices.DeleteFunc(l.queues[it.job], func(other *dueItem) bool { return other == it })
	if l.queues[it.job] = queue; len(queue) == 0 {
		delete(l.queues, it.job)
	}
}

// lined applies what an answer of the ledger says of the job's queue.
func (l *loop) lined(t *attempt, a claims.Claimed) {
	for _, p := range a.Replaced {
		if it := l.pending[p.Slot.ID]; it != nil {
			l.forgetPending(it)
		}
		e := Event{Kind: SlotSkipped, Job: t.def.Name, Slot: p.Slot, Count: 1, Until: p.Slot.At, Reason: t.claim.IfReplaced, Policy: claims.ByOverlap}
		if p.Attempt > 1 {
			e.Attempt = p.Attempt
		}
		l.h.emit(e)
	}
	if a.Status != claims.Queued {
		return
	}
	l.addPending(claims.Pending{Slot: t.claim.Slot, Attempt: 1, Due: t.claim.Slot.At, StandsFor: t.claim.StandsFor})
	l.h.emit(Event{
		Kind: SlotQueued, Job: t.def.Name, Slot: t.claim.Slot, Count: int64(len(l.queues[t.def.Name])),
		Reason: firstOf(t.busy, holding(a)), Policy: claims.ByOverlap,
	})
	if j := l.jobs[t.item.job]; j != nil && t.claim.Overlap == claims.OverlapReplace {
		l.replace(j, t.claim.Slot)
	}
}

// holding says what made a slot wait that this host thought free to start.
func holding(a claims.Claimed) string {
	if a.Holder == "" {
		return earlierWaits
	}
	return fmt.Sprintf("run %s of another host was still running", a.Holder)
}

// lockLane takes one of the job's lane locks. Where its policy was a wider one before, those locks count that the policy of now has
// no use for: their holders may still act.
func (l *loop) lockLane(ctx context.Context, t *attempt) (unlock func(), err error) {
	lanes := max(t.claim.Lanes, 1)
	all := max(lanes, t.lanes)
	held := 0
	var busy error
	for lane := range all {
		free, err := l.h.cfg.Store.LockJob(ctx, t.def.Name, lane)
		switch {
		case errors.Is(err, claims.ErrBusy):
			held, busy = held+1, err
		case err != nil:
			if unlock != nil {
				unlock()
			}
			return nil, err
		case unlock == nil && lane < lanes:
			if unlock = free; all == lanes {
				return unlock, nil
			}
		default:
			free()
		}
	}
	if unlock != nil && held < lanes {
		return unlock, nil
	}
	if unlock != nil {
		unlock()
	}
	return nil, busy
}
