package claims

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// schedule compares the slots on record with the job's schedule: next-off-schedule, slot-missing, slot-extra.
//
// The next due time is advanced with each slot that is recorded. So each time of the schedule later than the anchor and earlier
// than the next due time is on record once, whether the job was paused, disabled or removed meanwhile; and no other time is.
// Without a next due time (the schedule is exhausted, or its repeats are used up) this holds up to the latest slot. Times before
// the anchor belong to an earlier schedule, which is not known any more, and so may those up to what was settled when the clock was
// behind it.
func (a *auditor) schedule(ctx context.Context, r reading) ([]Finding, error) {
	j := r.job
	if j.Name == "" {
		return nil, nil
	}
	off := func(format string, args ...any) []Finding {
		f := Finding{Code: "next-off-schedule", Job: r.name, What: fmt.Sprintf(format, args...),
			Remedy: "have the job registered with a changed schedule, and then with its own again: both set the next due time anew"}
		if !j.Next.IsZero() {
			f.Slot = ScheduledSlot(j.Name, j.Next).ID
		}
		return []Finding{f}
	}
	if j.Schedule == "" {
		if j.Next.IsZero() || !j.Removed.IsZero() {
			return nil, nil
		}
		return off("the job has no schedule, and a next due time of %s", stamp(j.Next)), nil
	}
	if a.opt.Occurrences == nil {
		return nil, nil
	}
	next, err := a.opt.Occurrences(j)
	if err != nil {
		return off("the schedule %q cannot be read: %v", j.Schedule, err), nil
	}
	w := newWalk(ctx, r, next, a.opt.Walk)
	var f []Finding
	if j.Removed.IsZero() {
		switch t := next(j.Next.Add(-time.Millisecond)); {
		case j.Next.IsZero():
			if t = next(w.latest()); !t.IsZero() && !j.Done {
				f = off("the job has no next due time, and its schedule has %s", stamp(t))
			}
		case !t.Equal(j.Next) || !j.Next.After(j.Anchor):
			f = off("the next due time %s is not a time of the schedule %q", stamp(j.Next), j.Schedule)
		}
	}
	w.run()
	return append(f, w.found...), w.err
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999Z07:00") }

// span is a group of slot rows whose times overlap; mostly it is one row.
type span struct {
	id        string // of its first slot
	at, until time.Time
	count     int64
}

// walk goes along the schedule and along the recorded slots side by side.
type walk struct {
	ctx   context.Context
	job   Job
	next  func(time.Time) time.Time
	from  time.Time // slots up to here are not compared
	end   time.Time // nor slots from here on; zero: there is no end
	spans []span
	steps int64 // how many times of the schedule may be looked at
	t     time.Time
	found []Finding
	err   error
}

func newWalk(ctx context.Context, r reading, next func(time.Time) time.Time, steps int64) *walk {
	w := &walk{ctx: ctx, job: r.job, next: next, from: inForce(r.job), end: r.job.Next}
	rows := slices.DeleteFunc(slices.Clone(r.slots), func(row SlotRow) bool { return row.Slot.Kind != Scheduled })
	slices.SortFunc(rows, func(x, y SlotRow) int { return x.Slot.At.Compare(y.Slot.At) })
	var total int64
	for _, row := range rows {
		s := span{row.Slot.ID, row.Slot.At, row.Until, row.Count}
		if s.until.Before(s.at) {
			s.until = s.at
		}
		if !s.at.After(w.from) { // slots of an earlier schedule, perhaps folded with some of this one
			if s.until.After(w.from) {
				w.from = s.until
			}
			continue
		}
		total += s.count
		if n := len(w.spans); n > 0 && !s.at.After(w.spans[n-1].until) {
			last := &w.spans[n-1]
			last.count += s.count
			if s.until.After(last.until) {
				last.until = s.until
			}
			continue
		}
		w.spans = append(w.spans, s)
	}
	if w.from.IsZero() && len(w.spans) > 0 {
		w.from = w.spans[0].at.Add(-time.Millisecond)
	}
	for len(w.spans) > 0 && total > steps {
		total -= w.spans[0].count
		w.from = w.spans[0].until
		w.spans = w.spans[1:]
	}
	w.steps = steps + 1
	return w
}

// inForce is the time after which slots are those of the job's present schedule, and each of them is on record by its own name: a slot's
// id names its second, and so one more of the second up to which an earlier schedule had settled its slots counts as on record.
func inForce(j Job) time.Time {
	if !j.Settled.After(j.Anchor) {
		return j.Anchor
	}
	return j.Settled.Truncate(time.Second).Add(time.Second - time.Nanosecond)
}

// latest is the time of the newest slot on record, or the anchor.
func (w *walk) latest() time.Time {
	t := w.from
	for _, s := range w.spans {
		if s.until.After(t) {
			t = s.until
		}
	}
	return t
}

func (w *walk) run() {
	if w.from.IsZero() {
		return // neither an anchor nor a slot
	}
	w.t = w.next(w.from)
	for _, s := range w.spans {
		if !w.end.IsZero() && !s.at.Before(w.end) {
			w.extra(s, "the slot is on record, and the next due time, %s, is not later", stamp(w.end))
			continue
		}
		w.gap(s.at)
		if _, n := w.count(s.until.Add(1)); n < s.count {
			w.extra(s, "%d slots are on record from %s to %s, and the schedule has %d", s.count, stamp(s.at), stamp(s.until), n)
		} else if n > s.count {
			w.missing(s.id, "the schedule has %d slots from %s to %s, and %d are on record", n, stamp(s.at), stamp(s.until), s.count)
		}
		if w.steps <= 0 || w.err != nil {
			return
		}
	}
	if !w.end.IsZero() {
		w.gap(w.end)
	}
}

// gap reports the times of the schedule before the next recorded slot.
func (w *walk) gap(before time.Time) {
	first, n := w.count(before)
	if n == 0 || w.err != nil {
		return
	}
	more := ""
	if w.steps <= 0 {
		more = " and perhaps more"
	}
	w.missing(ScheduledSlot(w.job.Name, first).ID, "slots without any record: %d%s, from %s on, before %s", n, more,
		stamp(first), stamp(before))
}

// count moves on to the first time of the schedule that is not before the given one, and says how many it passed.
func (w *walk) count(before time.Time) (first time.Time, n int64) {
	first = w.t
	for ; !w.t.IsZero() && w.t.Before(before) && w.steps > 0; n++ {
		if w.steps--; w.steps%1024 == 0 && w.ctx.Err() != nil {
			w.err = w.ctx.Err()
			return first, n
		}
		w.t = w.next(w.t)
	}
	return first, n
}

func (w *walk) missing(slot, format string, args ...any) {
	w.found = append(w.found, Finding{Code: "slot-missing", Job: w.job.Name, Slot: slot, What: fmt.Sprintf(format, args...),
		Remedy: "these slots did not run and are not accounted for; trigger the job by hand if its work is still wanted. " + damaged})
}

func (w *walk) extra(s span, format string, args ...any) {
	w.found = append(w.found, Finding{Code: "slot-extra", Job: w.job.Name, Slot: s.id, What: fmt.Sprintf(format, args...),
		Remedy: "see whether the job ran at a time that it should not have. " + damaged})
}
