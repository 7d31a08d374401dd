package sqlitestore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/wcron/wcron/claims"
)

const (
	pruneBatch  = 500 // runs per transaction
	vacuumPages = 4096
	opPrune     = "prune history"
)

// victim is a run that Prune drops.
type victim struct {
	run  string
	at   int64
	job  string
	kind string
	size int64
	seq  int64 // of its claim
	file string
}

// Prune drops the oldest ended runs of each job beyond the limits, and folds neighbouring slots of the same verdict whose runs are
// gone into one row. What is to go is found by reading; the writes are short, so that others get between them.
func (s *Store) Prune(ctx context.Context, now time.Time, limits []claims.Retain) (claims.Pruned, error) {
	var sum claims.Pruned
	var victims []victim
	err := s.read(ctx, opPrune, func(c *conn) error {
		for _, l := range limits {
			v, err := c.victims(l)
			if err != nil {
				return fmt.Errorf("job %q: %w", l.Job, err)
			}
			victims = append(victims, v...)
		}
		return nil
	})
	if err != nil {
		return sum, err
	}
	for len(victims) > 0 {
		n := min(pruneBatch, len(victims))
		part := victims[:n]
		victims = victims[n:]
		done, err := s.drop(ctx, part)
		sum.Runs += done.Runs
		sum.Bytes += done.Bytes
		if err != nil {
			return sum, err
		}
	}
	if err := s.forget(ctx, now); err != nil {
		return sum, err
	}
	if sum.Runs > 0 {
		if err := s.shrink(ctx); err != nil {
			return sum, err
		}
	}
	return sum, s.sweep(ctx, now)
}

const queryEnded = `SELECT run_id, slot_at, out_bytes, out_file, slot_kind, seq FROM runs WHERE job = ? AND outcome <> 'running'`

// victims finds a job's runs beyond the limits, oldest first, so that what is left has no gap whenever the process ends. They are in
// the order of their claims, and not of the clock, which may have gone back.
func (c *conn) victims(l claims.Retain) ([]victim, error) {
	var all []victim
	err := c.each(func(st *sqlite3.Stmt) error {
		all = append(all, victim{run: st.ColumnText(0), at: st.ColumnInt64(1), size: st.ColumnInt64(2), file: st.ColumnText(3),
			kind: st.ColumnText(4), seq: st.ColumnInt64(5), job: l.Job})
		return nil
	}, queryEnded, l.Job)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(x, y victim) int { return cmp.Compare(x.seq, y.seq) })
	var runs, bytes int64
	n := len(all)
	for ; n > 0; n-- {
		runs++
		bytes += all[n-1].size
		if l.Runs > 0 && runs > l.Runs || l.Bytes > 0 && bytes > l.Bytes {
			break
		}
	}
	return all[:n], nil
}

const deleteRun = `DELETE FROM runs WHERE run_id = ? AND outcome <> 'running'`

// drop deletes runs in one transaction, folds their slots, and removes the files afterwards.
func (s *Store) drop(ctx context.Context, part []victim) (claims.Pruned, error) {
	var sum claims.Pruned
	var files []string
	err := s.write(ctx, opPrune, 0, func(t *tx) error {
		sum, files = claims.Pruned{}, nil
		spans := make(map[string]span)
		for _, v := range part {
			n, err := t.exec(deleteRun, v.run)
			if err != nil {
				return err
			}
			if n == 0 {
				continue
			}
			if _, err := t.exec(deleteOutput, v.run); err != nil {
				return err
			}
			if v.file != "" {
				files = append(files, v.file)
			}
			sum.Runs++
			sum.Bytes += v.size
			spans[v.job+"\x00"+v.kind] = spans[v.job+"\x00"+v.kind].with(v)
		}
		for _, sp := range spans {
			if err := t.fold(sp); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return claims.Pruned{}, err
	}
	for _, f := range files {
		err := os.Remove(filepath.Join(s.dir, "output", filepath.FromSlash(f)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return sum, fmt.Errorf("%s: %w", opPrune, err)
		}
	}
	return sum, nil
}

// span is the time that the pruned slots of a job lie in.
type span struct {
	job, kind   string
	first, last int64
}

func (s span) with(v victim) span {
	if s.job == "" {
		return span{job: v.job, kind: v.kind, first: v.at, last: v.at}
	}
	s.first, s.last = min(s.first, v.at), max(s.last, v.at)
	return s
}

const (
	querySpan = `SELECT id, verdict, reason, count, until, EXISTS (SELECT 1 FROM runs WHERE runs.slot_id = slots.slot_id)
	FROM slots WHERE job = ?1 AND kind = ?2 AND at >= coalesce(
		(SELECT max(at) FROM slots WHERE job = ?1 AND kind = ?2 AND at < ?3), ?3)
	AND at <= coalesce((SELECT min(at) FROM slots WHERE job = ?1 AND kind = ?2 AND at > ?4), ?4) ORDER BY at, id`
	deleteSlot = `DELETE FROM slots WHERE id = ?`
)

// fold joins neighbours of the same verdict whose runs are gone into one row with a count. The reason of a slot that had no run is
// all that tells about it: those are joined only when it is the same. The reasons of runs go with the runs.
func (t *tx) fold(sp span) error {
	var rows []bareSlot
	err := t.each(func(st *sqlite3.Stmt) error {
		rows = append(rows, bareSlot{id: st.ColumnInt64(0), verdict: claims.Verdict(st.ColumnText(1)), reason: st.ColumnText(2),
			count: st.ColumnInt64(3), until: st.ColumnInt64(4), bare: !st.ColumnBool(5)})
		return nil
	}, querySpan, sp.job, sp.kind, sp.first, sp.last)
	if err != nil || len(rows) == 0 {
		return err
	}
	head, more := rows[0], false
	for _, r := range rows[1:] {
		if head.joins(r) {
			if _, err := t.exec(deleteSlot, r.id); err != nil {
				return err
			}
			if head.reason != r.reason {
				head.reason = ""
			}
			head.count += r.count
			head.until = max(head.until, r.until)
			more = true
			continue
		}
		if err := t.saveFolded(head, more); err != nil {
			return err
		}
		head, more = r, false
	}
	return t.saveFolded(head, more)
}

// bareSlot is what folding needs of a slot row. It is bare when no run of it is in history any more.
type bareSlot struct {
	id, count, until int64
	verdict          claims.Verdict
	reason           string
	bare             bool
}

func (s bareSlot) joins(next bareSlot) bool {
	if !s.bare || !next.bare || s.verdict == "" || s.verdict != next.verdict {
		return false
	}
	return s.reason == next.reason || s.verdict != claims.Missed && s.verdict != claims.Skipped
}

func (t *tx) saveFolded(s bareSlot, changed bool) error {
	if !changed {
		return nil
	}
	_, err := t.exec(`UPDATE slots SET count = ?2, until = ?3, reason = ?4 WHERE id = ?1`, s.id, s.count, s.until, s.reason)
	return err
}

// shrink gives the freed pages back to the disk, a bounded number at a time.
func (s *Store) shrink(ctx context.Context) error {
	for {
		var before, left int64
		err := s.writeThen(ctx, opPrune, 0, func(t *tx) (err error) {
			if before, err = t.number("PRAGMA freelist_count"); before == 0 || err != nil {
				return err
			}
			nothing := func(*sqlite3.Stmt) error { return nil }
			if err = t.each(nothing, fmt.Sprintf("PRAGMA incremental_vacuum(%d)", vacuumPages)); err != nil {
				return err
			}
			left, err = t.number("PRAGMA freelist_count")
			return err
		}, func(c *conn) error {
			// The file gets shorter when the log is copied into it. A reader that is in the way is not waited for.
			_, _, err := c.db.WALCheckpoint("main", sqlite3.CHECKPOINT_PASSIVE)
			if errors.Is(err, sqlite3.BUSY) {
				err = nil
			}
			return err
		})
		if err != nil || left == 0 || left >= before {
			return err
		}
	}
}
