package sqlitestore

import (
	"context"
	"fmt"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/wcron/wcron/claims"
)

const (
	reasonRemoved = "job removed"
	reasonChanged = "the schedule changed before it ran"
)

// Put registers the jobs of one source: see claims.Put. Jobs that are registered as asked already are found by reading alone, so
// that a reload that changes nothing writes nothing.
func (s *Store) Put(ctx context.Context, now time.Time, source string, jobs []claims.Put) ([]claims.Job, error) {
	op := fmt.Sprintf("put %d jobs of %s", len(jobs), source)
	rows := make([]claims.Job, len(jobs))
	var changed []int
	err := s.read(ctx, op, func(c *conn) error {
		for i, p := range jobs {
			row, err := c.job(p.Name)
			if err != nil {
				return err
			}
			rows[i] = row.Job
			if !row.exists() || row.put(now, source, p) {
				changed = append(changed, i)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(changed) == 0 {
		return rows, nil
	}
	fresh := make([]claims.Job, len(changed))
	err = s.write(ctx, op, 0, func(t *tx) error {
		for k, i := range changed {
			row, err := t.put(now, source, jobs[i])
			if err != nil {
				return fmt.Errorf("job %q: %w", jobs[i].Name, err)
			}
			fresh[k] = row.Job
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for k, i := range changed {
		rows[i] = fresh[k]
	}
	return rows, nil
}

func (t *tx) put(now time.Time, source string, p claims.Put) (jobRow, error) {
	row, err := t.job(p.Name)
	if err != nil {
		return row, err
	}
	settled, err := t.settled(p.Name, now)
	if err != nil {
		return row, err
	}
	if !row.exists() {
		query, seq := updateJob, row.Seq
		if row.Name == "" {
			query = insertJob
		}
		row = jobRow{Job: claims.Job{Name: p.Name, Source: source, Seq: seq, Born: seq, Definition: p.Definition,
			Schedule: p.Schedule, Timezone: p.Timezone, NotBefore: p.NotBefore, NotAfter: p.NotAfter, Anchor: now, Settled: settled, Next: p.First,
			Lanes: max(row.Lanes, 1)}, stateRev: row.stateRev}
		return row, t.saveJob(&row, query)
	}
	due, changed, done := row.Next, row.other(p), row.Done
	if !row.put(now, source, p) {
		return row, nil
	}
	if changed || done && !row.Done {
		row.Settled = settled
	}
	if changed && !due.IsZero() && !due.After(now) {
		passed := p.Passed
		if len(passed) == 0 || !same(passed[0].First, due) {
			passed = []claims.Passed{{Verdict: claims.Missed, Reason: reasonChanged, First: due, Last: due, Count: 1}}
		}
		for _, r := range passed {
			if err := t.pass(&row, r); err != nil {
				return row, err
			}
		}
	}
	if row.Done && !done {
		if err := t.dropQueue(p.Name); err != nil {
			return row, err
		}
	}
	return row, t.saveJob(&row, updateJob)
}

// settled is the latest slot of a job's schedule on record that is later than now; zero: there is none.
func (t *tx) settled(job string, now time.Time) (time.Time, error) {
	ms, err := t.number(querySettled, job, now)
	return instant(ms), err
}

// other tells whether p has other times than the job.
func (j *jobRow) other(p claims.Put) bool {
	return j.Schedule != p.Schedule || j.Timezone != p.Timezone || !same(j.NotBefore, p.NotBefore) || !same(j.NotAfter, p.NotAfter)
}

// put applies p to an existing job, and tells whether it changes anything.
func (j *jobRow) put(now time.Time, source string, p claims.Put) bool {
	before := j.Job
	j.Source = source
	done := p.Repeat > 0 && j.Repeats >= p.Repeat
	if j.other(p) || j.Done && !done {
		j.Schedule, j.Timezone, j.Anchor, j.Next = p.Schedule, p.Timezone, now, p.First
		j.NotBefore, j.NotAfter = p.NotBefore, p.NotAfter
	}
	if j.Done = done; done {
		j.Next = time.Time{}
	}
	if j.Definition != p.Definition {
		j.Definition, j.Disabled = p.Definition, ""
	}
	return j.Job != before
}

// Remove removes jobs of a source. Pending work is skipped with the reason.
func (s *Store) Remove(ctx context.Context, now time.Time, source string, names []string) error {
	if len(names) == 0 {
		return nil
	}
	op := fmt.Sprintf("remove %d jobs of %s", len(names), source)
	return s.write(ctx, op, 0, func(t *tx) error {
		for _, name := range names {
			row, err := t.job(name)
			if err != nil {
				return err
			}
			if !row.exists() || row.Source != source {
				continue
			}
			if err := t.remove(now, &row); err != nil {
				return fmt.Errorf("job %q: %w", name, err)
			}
		}
		return nil
	})
}

const (
	queryPendingOfJob = `SELECT slot_id FROM pending WHERE job = ?`
	deletePendingJob  = `DELETE FROM pending WHERE job = ?`
	setVerdict        = `UPDATE slots SET verdict = ?2, reason = ?3, input = NULL WHERE slot_id = ?1`
)

func (t *tx) remove(now time.Time, row *jobRow) error {
	var slots []string
	err := t.each(func(st *sqlite3.Stmt) error {
		slots = append(slots, st.ColumnText(0))
		return nil
	}, queryPendingOfJob, row.Name)
	if err != nil {
		return err
	}
	for _, id := range slots {
		if _, err := t.exec(setVerdict, id, string(claims.Skipped), reasonRemoved); err != nil {
			return err
		}
	}
	if _, err := t.exec(deletePendingJob, row.Name); err != nil {
		return err
	}
	for _, query := range []string{deleteState, deleteGone} {
		if _, err := t.exec(query, row.Name); err != nil {
			return err
		}
	}
	row.Removed = now
	row.Seq++
	return t.saveJob(row, updateJob)
}
