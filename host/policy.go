package host

import (
	"context"
	"fmt"
	"time"

	"github.com/wcron/wcron/claims"
)

// within bounds a schedule: no time of it is before notBefore or after notAfter. The zero time is no bound.
func within(next func(after time.Time) time.Time, notBefore, notAfter time.Time) func(after time.Time) time.Time {
	if notBefore.IsZero() && notAfter.IsZero() {
		return next
	}
	return func(after time.Time) time.Time {
		if after.Before(notBefore) { // the zero time is before every other
			after = notBefore.Add(-time.Nanosecond)
		}
		t := next(after)
		if !notAfter.IsZero() && t.After(notAfter) {
			return time.Time{}
		}
		return t
	}
}

// delay is how long after its time a slot of the job starts.
func (j Job) delay(slot, next time.Time) time.Duration {
	if j.Jitter <= 0 {
		return 0
	}
	return claims.Jitter(j.Name, slot, next, j.Jitter)
}

// grace is how late a slot may start and still not be called late.
func (j Job) grace(slot, next time.Time) time.Duration {
	if j.Grace > 0 {
		return j.Grace
	}
	return claims.Grace(slot, next)
}

// policies is what the policies of a job come to, as text: the same text means the same policies.
func (j Job) policies() string {
	r := j.Retry
	return fmt.Sprintf("%s %d %s %s %s %s %d %s %s %q %d %d %d %d", j.Missed, j.MissedLimit, j.MissedWindow, j.StartingDeadline, j.Grace, j.Jitter,
		r.Retries, r.Min, r.Max, r.On, j.Repeat, j.PauseAfter, millis(j.NotBefore), millis(j.NotAfter))
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// GraceOf is how late the job's next slot may start and still not be called late.
func (j Job) GraceOf(row claims.Job) time.Duration {
	if row.Next.IsZero() {
		return j.grace(row.Next, time.Time{})
	}
	next, err := Occurrences(row)
	if err != nil {
		return j.grace(row.Next, time.Time{})
	}
	return j.grace(row.Next, next(row.Next))
}

// judge adds what the job's policies make of an attempt that has ended: another one, a failure more in the row. It tells whether
// there would have been another attempt but for the next slot.
func (j Job) judge(f *claims.Final, e claims.Ended) (gaveWay bool) {
	due, why := j.Retry.Retry(e)
	f.Retry = due
	if why != "" {
		if f.Reason == "" {
			f.Reason = why
		} else {
			f.Reason += "; " + why
		}
	}
	if f.Outcome == claims.OK { // should its state turn out to be another's meanwhile
		e.Outcome, e.Cause = claims.Failed, claims.StateConflict
		f.Again, _ = j.Retry.Retry(e)
	}
	f.Strike = claims.Strikes(f.Outcome, f.Cause)
	if f.PauseAfter = j.PauseAfter; j.PauseAfter > 0 {
		f.PauseReason = fmt.Sprintf("pause_after = %d: it failed that often in a row, the last time in run %s; wcron resume %s",
			j.PauseAfter, f.RunID, j.Name)
	}
	return why != ""
}

const reasonChanged = "the schedule changed before it ran"

// account says of jobs that are about to get another schedule what becomes of the slots that are due by now. What cannot be read is
// left to the store, which knows of one due time.
func (h *Host) account(ctx context.Context, now time.Time, puts []claims.Put) {
	rows := map[string]claims.Job{}
	if len(puts) > 16 {
		all, err := h.cfg.Store.Jobs(ctx)
		if err != nil {
			return
		}
		for _, row := range all {
			rows[row.Name] = row
		}
	}
	for i, p := range puts {
		row, ok := rows[p.Name]
		if !ok && len(puts) <= 16 {
			row, _ = h.cfg.Store.Job(ctx, p.Name) // no such job: nothing is due
		}
		same := row.Schedule == p.Schedule && row.Timezone == p.Timezone && row.NotBefore.Equal(p.NotBefore) && row.NotAfter.Equal(p.NotAfter)
		if same || row.Schedule == "" || !row.Removed.IsZero() || row.Next.IsZero() || row.Next.After(now) {
			continue
		}
		if next, err := Occurrences(row); err == nil {
			puts[i].Passed = claims.Abandoned(row, next, now, reasonChanged, 100_000)
		}
	}
}

// tellPause tells that a job is paused, or goes on: by an operator, or since it failed too often.
func (l *loop) tellPause(j *job, row claims.Job) {
	if j.row.Name == "" || j.row.Paused == row.Paused {
		return
	}
	e := Event{Kind: JobResumed, Job: row.Name, Policy: claims.ByPause}
	if row.Paused {
		e.Kind, e.Reason = JobPaused, row.Reason
		if j.def.PauseAfter > 0 && row.Failures >= j.def.PauseAfter {
			e.Policy, e.Count = claims.ByPauseAfter, row.Failures
		}
	}
	l.h.emit(e)
}

// dueOf is what Plan is asked about.
func (l *loop) dueOf(j *job, now time.Time) claims.Due {
	return claims.Due{
		Job: j.row, Next: j.next, Now: now, Policy: j.def.Missed, Since: l.begun, MissedLimit: j.def.MissedLimit, Window: j.def.MissedWindow,
		Deadline: j.def.StartingDeadline, Grace: j.def.Grace, Delay: j.def.delay,
	}
}

// StartOf is when the next slot of a job is to start: its time, and later where the job has jitter. The zero time: it has none.
func (j Job) StartOf(row claims.Job) time.Time {
	if row.Next.IsZero() || j.Jitter <= 0 {
		return row.Next
	}
	next, err := Occurrences(row)
	if err != nil {
		return row.Next
	}
	return row.Next.Add(j.delay(row.Next, next(row.Next)))
}

// timed notes when a run was to start.
func (r *run) timed(t *attempt) {
	r.startAt, r.caughtUp = t.item.at, t.caughtUp
	if t.item.pending == nil {
		r.delayed, r.grace = r.def.delay(r.slot.At, t.claim.Next), r.def.grace(r.slot.At, t.claim.Next)
		r.startAt = r.slot.At.Add(r.delayed)
	}
}

// startEvent tells that a guest starts.
func (r *run) startEvent(at time.Time) Event {
	e := Event{
		Kind: Started, Time: at, Job: r.def.Name, RunID: r.token.RunID, Slot: r.slot, Attempt: r.attempt, Digest: r.mod.digest,
		Lateness: at.Sub(r.startAt), Jitter: r.delayed, Count: r.standsFor,
	}
	e.Late = r.grace > 0 && e.Lateness > r.grace
	switch {
	case r.caughtUp:
		e.Policy = claims.ByCatchUp
	case r.delayed > 0:
		e.Policy = claims.ByJitter
	}
	return e
}
