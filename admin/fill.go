package admin

import (
	"context"
	"fmt"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/host"
)

// MaxBackfill is how many runs one backfill may ask for.
const MaxBackfill = 1000

// times is the schedule of a job as it is in force: the ledger's, or the definition's where the ledger has none yet.
func (d *Direct) times(ctx context.Context, name string) (claims.Job, func(time.Time) time.Time, error) {
	row, err := d.cfg.Store.Job(ctx, name)
	if err != nil {
		return row, nil, fmt.Errorf("job %q: %w", name, err)
	}
	as := row
	if def, ok := d.find(name); ok && as.Schedule == "" {
		as.Schedule, as.Timezone, as.NotBefore, as.NotAfter, as.Anchor = def.Schedule, def.Timezone, def.NotBefore, def.NotAfter, d.now()
	}
	if as.Schedule == "" {
		return row, nil, fmt.Errorf("%w: job %s has no schedule", ErrInput, name)
	}
	next, err := host.Occurrences(as)
	if err != nil {
		return row, nil, fmt.Errorf("%w: %w", ErrInput, err)
	}
	return row, next, nil
}

// backfill asks for a run of each time of the schedule from r.From to r.To that has none which is ok, or under way, or waiting.
func (d *Direct) backfill(ctx context.Context, r Request) (Answer, error) {
	now := d.now()
	from, to := r.From.UTC(), r.To.UTC()
	if to.IsZero() || to.After(now) {
		to = now
	}
	if from.IsZero() || to.Before(from) {
		return Answer{}, fmt.Errorf("%w: backfill: the range begins at %s and ends at %s; give a begin that is earlier, and has passed", ErrInput,
			from.Format(time.RFC3339), to.Format(time.RFC3339))
	}
	if err := d.mayRun(ctx, r.Job); err != nil {
		return Answer{}, err
	}
	_, next, err := d.times(ctx, r.Job)
	if err != nil {
		return Answer{}, err
	}
	rows, err := d.cfg.Store.Slots(ctx, claims.SlotQuery{Job: r.Job, Before: to.Add(time.Millisecond), Limit: -1})
	if err != nil {
		return Answer{}, err
	}
	a := Answer{Job: r.Job, ScheduledAt: now, Dry: r.Dry, Times: []time.Time{}, Slots: []string{}}
	done := covered(rows, from, next)
	for t := next(from.Add(-time.Nanosecond)); !t.IsZero() && !t.After(to); t = next(t) {
		if done(t) {
			continue
		}
		if len(a.Times) == MaxBackfill {
			return Answer{}, fmt.Errorf("%w: backfill: there are more than %d times without a good run from %s to %s; give a shorter range", ErrInput,
				MaxBackfill, from.Format(time.RFC3339), to.Format(time.RFC3339))
		}
		a.Times = append(a.Times, t.UTC())
	}
	id := shortID()
	for _, t := range a.Times {
		a.Slots = append(a.Slots, claims.BackfillSlot(r.Job, t, id).ID)
	}
	if r.Dry || len(a.Times) == 0 {
		return a, nil
	}
	return a, d.cfg.Store.Request(ctx, now, claims.Request{Kind: claims.Fill, Job: r.Job, ID: id, Times: a.Times, By: r.By})
}

// covered tells which times need no run. A row that stands for several slots covers its times if there are no more than it counts.
func covered(rows []claims.SlotRow, from time.Time, next func(time.Time) time.Time) func(time.Time) bool {
	exact := map[int64]bool{}
	var spans []claims.SlotRow
	for _, row := range rows {
		if row.Verdict != claims.Verdict(claims.OK) && row.Verdict != "" || row.Slot.Kind == claims.Manual || row.Until.Before(from) {
			continue
		}
		if row.Count <= 1 {
			exact[row.Slot.At.UnixMilli()] = true
			continue
		}
		n := int64(0)
		for t := next(row.Slot.At.Add(-time.Nanosecond)); !t.IsZero() && !t.After(row.Until) && n <= row.Count; t = next(t) {
			n++
		}
		if n <= row.Count {
			spans = append(spans, row)
		}
	}
	return func(t time.Time) bool {
		if exact[t.UnixMilli()] {
			return true
		}
		for _, s := range spans {
			if !t.Before(s.Slot.At) && !t.After(s.Until) {
				return true
			}
		}
		return false
	}
}

// skip marks the next slot of a job, which has not begun to start.
func (d *Direct) skip(ctx context.Context, r Request) (Answer, error) {
	now := d.now()
	row, next, err := d.times(ctx, r.Job)
	if err != nil {
		return Answer{}, err
	}
	if row.Schedule == "" {
		return Answer{}, fmt.Errorf("%w: no host has taken over job %s yet: start one, and ask again", ErrInput, r.Job)
	}
	at := row.Next
	def, _ := d.find(r.Job)
	if !at.IsZero() && !def.StartOf(row).After(now) { // that one is due: it is starting, or waits for something
		at = next(now)
	}
	if at.IsZero() || row.Done {
		return Answer{}, fmt.Errorf("%w: job %s has no further slot", ErrInput, r.Job)
	}
	reason := "skipped on demand"
	if r.By != "" {
		reason += " of " + r.By
	}
	if r.Reason != "" {
		reason += ": " + r.Reason
	}
	at = at.UTC()
	a := Answer{Job: r.Job, ScheduledAt: at, Slot: new(claims.ScheduledSlot(r.Job, at).ID)}
	return a, d.cfg.Store.Request(ctx, now, claims.Request{Kind: claims.Skip, Job: r.Job, At: at, By: r.By, Reason: reason})
}
