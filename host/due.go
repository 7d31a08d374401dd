package host

import (
	"container/heap"
	"slices"
	"time"

	"github.com/wcron/wcron/claims"
)

// dueItem is one thing that becomes due: a job's next slot, or a pending attempt.
type dueItem struct {
	at        time.Time
	slot      time.Time // of the job's next slot: its time, which at may be later than
	job       string
	pending   *claims.Pending // nil: the job's next slot
	index     int             // in the heap; -1: not in it
	polls     int64           // pending: how many polls had begun when it was added
	dead      bool            // replaced by a later item of the same job, or done
	retryAt   time.Time       // by instant: not to be looked at before; zero: something has to come in first
	seen      time.Time       // when its time was first seen to have come
	late      bool            // it was late already by then
	lockSince time.Time       // by instant: since when the job's lock is busy
	held      bool            // the job's lock was busy for so long that the slot is passed over
	why       string          // why it has not started although it is due
}

// dueHeap is the index of next due times: what is due is found in O(due).
type dueHeap []*dueItem

func (d dueHeap) Len() int           { return len(d) }
func (d dueHeap) Less(i, j int) bool { return d[i].before(d[j]) }
func (d dueHeap) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].index, d[j].index = i, j
}

// Push implements heap.Interface.
func (d *dueHeap) Push(x any) {
	it := x.(*dueItem)
	it.index = len(*d)
	*d = append(*d, it)
}

// Pop implements heap.Interface.
func (d *dueHeap) Pop() any {
	old := *d
	it := old[len(old)-1]
	old[len(old)-1] = nil
	*d = old[:len(old)-1]
	it.index = -1
	return it
}

func (it *dueItem) before(other *dueItem) bool {
	switch {
	case !it.at.Equal(other.at):
		return it.at.Before(other.at)
	case it.job != other.job:
		return it.job < other.job
	case it.pending != nil && other.pending != nil: // of one backfill
		return it.pending.Slot.At.Before(other.pending.Slot.At)
	}
	return false
}

// dueBy tells whether it is due and may be looked at.
func (it *dueItem) dueBy(now, instant time.Time) bool {
	return it != nil && !it.dead && !it.at.After(now) && !it.retryAt.After(instant)
}

// schedule puts an item into the index.
func (l *loop) schedule(it *dueItem) {
	it.dead = false
	heap.Push(&l.due, it)
}

// drop takes an item out of wherever it is.
func (l *loop) drop(it *dueItem) {
	if it == nil {
		return
	}
	it.dead = true
	if it.index >= 0 {
		heap.Remove(&l.due, it.index)
	}
}

// collect moves what has become due into waiting and reports whether there was any.
func (l *loop) collect(now time.Time) bool {
	any := false
	for len(l.due) > 0 && !l.due[0].at.After(now) {
		it := heap.Pop(&l.due).(*dueItem)
		it.seen, it.late = now, now.Sub(it.at) > lateAfter
		l.waiting = append(l.waiting, it)
		any = true
	}
	l.waiting = slices.DeleteFunc(l.waiting, func(it *dueItem) bool { return it.dead })
	if !slices.IsSortedFunc(l.waiting, dueOrder) { // new ones, and those whose claim has failed
		slices.SortStableFunc(l.waiting, dueOrder)
	}
	return any
}

func dueOrder(a, b *dueItem) int {
	switch {
	case a.before(b):
		return -1
	case b.before(a):
		return 1
	}
	return 0
}
