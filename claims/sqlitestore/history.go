package sqlitestore

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/ncruces/go-sqlite3"
	"github.com/wcron/wcron/claims"
)

const (
	queryRev            = `SELECT rev FROM meta WHERE id = 1`
	queryChangedJobs    = `SELECT ` + jobColumns + ` FROM jobs WHERE rev > ? ORDER BY rev`
	queryChangedPending = `SELECT ` + pendingColumns + ` FROM pending JOIN slots USING (slot_id) WHERE pending.rev > ? ORDER BY pending.rev`
	queryCancels        = `SELECT ` + openColumns + ` FROM claims WHERE owner = ? AND cancel_at > 0`
	queryForeign        = `SELECT ` + openColumns + ` FROM claims WHERE owner < ?1 UNION ALL
	SELECT ` + openColumns + ` FROM claims WHERE owner > ?1`
	pendingColumns = `slot_id, at, kind, pending.job, attempt, due, input, by, pending.rev, stands_for`
)

// Changes tells what is new since a revision (0: everything, removed jobs too). When nothing is, it reads no row of a job.
func (s *Store) Changes(ctx context.Context, owner string, since int64) (claims.Changes, error) {
	var ch claims.Changes
	err := s.read(ctx, "read changes", func(c *conn) (err error) {
		if ch.Rev, err = c.number(queryRev); err != nil {
			return err
		}
		version, err := c.number("PRAGMA user_version")
		if err != nil {
			return err
		}
		ch.Schema = int(version)
		if ch.Cancels, err = c.opens(queryCancels, owner); err != nil {
			return err
		}
		if ch.Foreign, err = c.opens(queryForeign, owner); err != nil {
			return err
		}
		if ch.Rev <= since {
			return nil
		}
		if ch.Jobs, err = c.jobs(queryChangedJobs, since); err != nil {
			return err
		}
		ch.Pending, err = c.pending(queryChangedPending, since)
		return err
	})
	return ch, err
}

func (c *conn) jobs(query string, args ...any) (all []claims.Job, err error) {
	err = c.each(func(st *sqlite3.Stmt) error {
		row := scanJob(st)
		all = append(all, row.Job)
		return nil
	}, query, args...)
	return all, err
}

func (c *conn) pending(query string, args ...any) (all []claims.Pending, err error) {
	err = c.each(func(st *sqlite3.Stmt) error {
		all = append(all, claims.Pending{
			Slot:      scanSlot(st, 0, 3),
			Attempt:   st.ColumnInt(4),
			Due:       instant(st.ColumnInt64(5)),
			Input:     blob(st, 6),
			By:        st.ColumnText(7),
			Rev:       st.ColumnInt64(8),
			StandsFor: st.ColumnInt64(9),
		})
		return nil
	}, query, args...)
	return all, err
}

func (c *conn) opens(query string, args ...any) (all []claims.Open, err error) {
	err = c.each(func(st *sqlite3.Stmt) error {
		all = append(all, scanOpen(st))
		return nil
	}, query, args...)
	return all, err
}

// Jobs lists all jobs by name, removed ones included.
func (s *Store) Jobs(ctx context.Context) (all []claims.Job, err error) {
	err = s.read(ctx, "list jobs", func(c *conn) error {
		all, err = c.jobs(`SELECT ` + jobColumns + ` FROM jobs ORDER BY name`)
		return err
	})
	return all, err
}

// Job reads one job, also one that was removed. ErrNoJob: there never was one of that name.
func (s *Store) Job(ctx context.Context, name string) (job claims.Job, err error) {
	err = s.read(ctx, fmt.Sprintf("read job %q", name), func(c *conn) error {
		row, err := c.job(name)
		if err == nil && row.Name == "" {
			err = claims.ErrNoJob
		}
		job = row.Job
		return err
	})
	return job, err
}

// Open lists all claims in flight, oldest first.
func (s *Store) Open(ctx context.Context) (all []claims.Open, err error) {
	err = s.read(ctx, "list open claims", func(c *conn) error {
		all, err = c.opens(`SELECT ` + openColumns + ` FROM claims ORDER BY claimed_at, run_id`)
		return err
	})
	return all, err
}

const queryAllPending = `SELECT ` + pendingColumns + ` FROM pending JOIN slots USING (slot_id) ORDER BY due`

// Pending lists pending work by due time.
func (s *Store) Pending(ctx context.Context) (all []claims.Pending, err error) {
	err = s.read(ctx, "list pending work", func(c *conn) error {
		all, err = c.pending(queryAllPending)
		return err
	})
	return all, err
}

const minPrefix = 4

var errAmbiguous = errors.New("several runs begin so: give more of the id")

// Runs selects runs, newest first. None that fits is no error.
func (s *Store) Runs(ctx context.Context, q claims.RunQuery) (all []claims.Run, err error) {
	err = s.read(ctx, "list runs", func(c *conn) error {
		if q.RunID != "" {
			if q.RunID, err = c.whole(q.RunID); q.RunID == "" || err != nil {
				return err
			}
		}
		query, args := q2sql(q)
		return c.each(func(st *sqlite3.Stmt) error {
			all = append(all, scanRun(st))
			return nil
		}, query, args...)
	})
	return all, err
}

const queryPrefix = `SELECT run_id FROM runs WHERE run_id >= ? AND run_id < ? ORDER BY run_id LIMIT 2`

// whole finds the run that a prefix means; empty: none.
func (c *conn) whole(prefix string) (string, error) {
	if _, found, err := c.run(prefix); found || err != nil || len(prefix) < minPrefix {
		if !found {
			prefix = ""
		}
		return prefix, err
	}
	var ids []string
	err := c.each(func(st *sqlite3.Stmt) error {
		ids = append(ids, st.ColumnText(0))
		return nil
	}, queryPrefix, prefix, prefix+"\U0010FFFF")
	switch {
	case err != nil || len(ids) == 0:
		return "", err
	case len(ids) > 1:
		return "", fmt.Errorf("run %s: %w", prefix, errAmbiguous)
	}
	return ids[0], nil
}

// q2sql writes the query of a selection. Each of the forms has an index that gives its order or its few rows.
func q2sql(q claims.RunQuery) (string, []any) {
	var where []string
	var args []any
	add := func(clause string, arg any) {
		where = append(where, clause)
		args = append(args, arg)
	}
	if q.RunID != "" {
		add("run_id = ?", q.RunID)
	}
	if q.Job != "" {
		add("job = ?", q.Job)
	}
	if q.Slot != "" {
		add("slot_id = ?", q.Slot)
	}
	if !q.Before.IsZero() {
		add("claimed_at < ?", q.Before)
	}
	return selection(`SELECT `+runColumns+` FROM runs`, where, ` ORDER BY claimed_at DESC, id DESC LIMIT ?`), append(args, limit(q.Limit))
}

func selection(from string, where []string, tail string) string {
	if len(where) > 0 {
		from += ` WHERE ` + strings.Join(where, ` AND `)
	}
	return from + tail
}

func limit(n int) int64 {
	switch {
	case n == 0:
		return 100
	case n < 0:
		return math.MaxInt64
	}
	return int64(n)
}

const querySlotRuns = `SELECT run_id FROM runs WHERE slot_id = ? ORDER BY attempt, id`

// Slots selects slot rows, newest first. Since compares with the last slot that a row stands for, Before with the first.
func (s *Store) Slots(ctx context.Context, q claims.SlotQuery) (all []claims.SlotRow, err error) {
	err = s.read(ctx, "list slots", func(c *conn) error {
		query, args := slotQuery(q)
		err := c.each(func(st *sqlite3.Stmt) error {
			all = append(all, claims.SlotRow{
				Slot:    scanSlot(st, 0, 3),
				Verdict: claims.Verdict(st.ColumnText(4)),
				Reason:  st.ColumnText(5),
				Count:   st.ColumnInt64(6),
				Until:   instant(st.ColumnInt64(7)),
			})
			return nil
		}, query, args...)
		if err != nil {
			return err
		}
		for i := range all {
			err := c.each(func(st *sqlite3.Stmt) error {
				all[i].RunIDs = append(all[i].RunIDs, st.ColumnText(0))
				return nil
			}, querySlotRuns, all[i].Slot.ID)
			if err != nil {
				return err
			}
		}
		return nil
	})
	return all, err
}

func slotQuery(q claims.SlotQuery) (string, []any) {
	var where []string
	var args []any
	add := func(clause string, arg any) {
		where = append(where, clause)
		args = append(args, arg)
	}
	if q.Job != "" {
		add("job = ?", q.Job)
	}
	if !q.Before.IsZero() {
		add("at < ?", q.Before)
	}
	if !q.Since.IsZero() {
		add("until >= ?", q.Since)
	}
	return selection(`SELECT slot_id, at, kind, job, verdict, reason, count, until FROM slots`, where,
		` ORDER BY at DESC, id DESC LIMIT ?`), append(args, limit(q.Limit))
}
