package sqlitestore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/wcron/wcron/claims"
)

// Finalize closes each item's claim if its token still holds it, and answers item by item. An output file is taken over before the
// transaction: it is gone from where it was, whatever the answer is.
func (s *Store) Finalize(ctx context.Context, now time.Time, items []claims.Final) ([]claims.Finalized, error) {
	if len(items) == 0 {
		return nil, nil
	}
	op := fmt.Sprintf("finalize %d runs", len(items))
	if len(items) == 1 {
		op = "finalize run " + items[0].RunID
	}
	size := 0
	kept := make([]kept, len(items))
	for i := range items {
		k, err := s.takeOver(ctx, now, items[i].RunID, items[i].Output)
		if err != nil {
			return nil, s.explain(op, err)
		}
		kept[i] = k
		size += len(k.inline)
		for _, w := range items[i].State {
			size += len(w.Key) + len(w.Value)
		}
		for _, u := range items[i].Used {
			size += len(u.Key)
		}
		for _, e := range items[i].Emit {
			size += len(e.Input)
		}
	}
	answers := make([]claims.Finalized, len(items))
	err := s.writeEnd(ctx, op, size, func(t *tx) error {
		for i := range items {
			a, err := t.finalize(now, &items[i], &kept[i])
			if err != nil {
				return fmt.Errorf("run %s: %w", items[i].RunID, err)
			}
			answers[i] = a
		}
		return nil
	})
	if err != nil {
		s.makeRoom(ctx, err, items, kept)
		return nil, err
	}
	return answers, nil
}

// makeRoom gives up the output files of a commit that the disk had no room for. The outcome is worth more than they are: the caller
// commits it without them.
func (s *Store) makeRoom(ctx context.Context, err error, items []claims.Final, kept []kept) {
	if !errors.Is(err, syscall.ENOSPC) {
		return
	}
	_ = s.read(ctx, "make room", func(c *conn) error { // what is left is swept later
		for i, k := range kept {
			run, found, err := c.run(items[i].RunID)
			if err != nil {
				return err
			}
			if k.file != "" && found && run.Output.File != k.file { // else an earlier try has landed
				_ = os.Remove(filepath.Join(s.dir, "output", filepath.FromSlash(k.file)))
			}
		}
		return nil
	})
}

const (
	queryHeld   = `SELECT ` + openColumns + ` FROM claims WHERE run_id = ? AND job = ? AND seq = ?`
	deleteClaim = `DELETE FROM claims WHERE run_id = ? AND job = ? AND seq = ?`
	closeRun    = `UPDATE runs SET started_at = ?2, ended_at = ?3, outcome = ?4, cause = ?5, exit_code = ?6, reason = ?7, evidence = ?8,
	memory = ?9, fuel = ?10, counted = ?11 WHERE run_id = ?1`
	queryCounted  = `SELECT 1 FROM runs WHERE slot_id = ? AND counted = 1`
	insertPending = `INSERT INTO pending (slot_id, job, attempt, due, rev) VALUES (?,?,?,?,?)`
)

func (t *tx) finalize(now time.Time, f *claims.Final, k *kept) (a claims.Finalized, err error) {
	job, err := t.job(f.Job)
	if err != nil {
		return a, err
	}
	var held claims.Open
	var since int64
	found, err := t.one(func(st *sqlite3.Stmt) { held, since = scanOpen(st), st.ColumnInt64(openStateRev) }, queryHeld, f.RunID, f.Job, f.Seq)
	if err != nil {
		return a, err
	}
	if !found {
		a, err = t.lost(now, f, k)
		a.Job = job.Job
		return a, err
	}
	if _, err := t.exec(deleteClaim, f.RunID, f.Job, f.Seq); err != nil {
		return a, err
	}
	end := *f
	a.Status = claims.Done
	if !job.exists() || job.Born > f.Seq {
		a.Status = claims.Dropped
		end.Outcome, end.Cause, end.Retry = claims.Discarded, "", time.Time{}
		end.Reason = fmt.Sprintf("the job was removed while it ran; its result was %s", f.Outcome)
	} else if a.Reason, err = t.conflict(&job, max(since, f.StateRev), f); a.Reason != "" {
		a.Status = claims.Conflicted
		end.Outcome, end.Cause, end.Reason, end.Retry = claims.Failed, claims.StateConflict, a.Reason, f.Again
		end.Strike = f.Strike.Conflicted()
	}
	if err != nil {
		return a, err
	}
	if end.Counts = end.Counts && a.Status != claims.Dropped; end.Counts {
		if n, err := t.number(queryCounted, held.Slot.ID); err != nil {
			return a, err
		} else if n > 0 {
			end.Counts = false
		}
	}
	_, err = t.exec(closeRun, f.RunID, end.StartedAt, end.EndedAt, string(end.Outcome), string(end.Cause), end.ExitCode, end.Reason,
		end.Evidence, end.Memory, end.Fuel, end.Counts)
	if err != nil {
		return a, err
	}
	if err := t.keepOutput(f.RunID, k); err != nil {
		return a, err
	}
	if end.Retry.IsZero() {
		_, err = t.exec(setVerdict, held.Slot.ID, string(end.Outcome), end.Reason)
	} else {
		_, err = t.exec(insertPending, held.Slot.ID, f.Job, held.Attempt+1, end.Retry, t.rev())
	}
	if err == nil && a.Status != claims.Dropped {
		if end.Outcome == claims.OK {
			err = t.writeState(&job, f.Token, f.State)
		}
		if err == nil {
			err = t.account(now, &job, &end)
		}
		if err == nil && end.Outcome == claims.OK {
			a.Unsent, err = t.emit(now, f.Emit)
		}
	}
	if err == nil && job.Lanes > 1 {
		_, err = t.exec(forgetGone, f.Job)
	}
	a.Job = job.Job
	return a, err
}

// queryAsked counts the runs of a job that wait and were asked for.
const queryAsked = `SELECT count(*) FROM pending JOIN slots USING (slot_id) WHERE pending.job = ? AND kind = 'manual'`

// emit starts runs of other jobs, and tells which it has not started.
func (t *tx) emit(now time.Time, list []claims.Emit) (unsent []claims.Unsent, err error) {
	for _, e := range list {
		job, err := t.job(e.Job)
		if err != nil {
			return nil, err
		}
		waiting, err := t.number(queryAsked, e.Job)
		if err != nil {
			return nil, err
		}
		if why := e.Refusal(job.Job, job.exists(), int(waiting)); why != "" {
			unsent = append(unsent, claims.Unsent{Emit: e, Why: why})
			continue
		}
		r := claims.Request{Kind: claims.Trigger, Job: e.Job, ID: e.ID, Input: e.Input, By: e.By}
		if err := t.trigger(now, claims.ManualSlot(e.Job, now, e.ID), r); err != nil {
			return nil, err
		}
	}
	return unsent, nil
}

// account writes into the job what a finished run means for it.
func (t *tx) account(now time.Time, job *jobRow, f *claims.Final) error {
	// By the order of commits, not of times: the clock may have gone back since the last one.
	job.LastRun, job.Last, job.LastEnded = f.RunID, f.Outcome, f.EndedAt
	if f.Disable != "" {
		job.Disabled = f.Disable
	}
	if f.Counts {
		job.Repeats++
		if f.Repeat > 0 && job.Repeats >= f.Repeat {
			job.Done, job.Next = true, time.Time{}
			if err := t.dropQueue(job.Name); err != nil {
				return err
			}
		}
	}
	if f.Retry.IsZero() {
		job.strike(now, f)
	}
	return t.saveJob(job, updateJob)
}

// strike counts failures in a row, and pauses the job when there are too many.
func (j *jobRow) strike(now time.Time, f *claims.Final) {
	switch f.Strike {
	case claims.StrikeReset:
		j.Failures = 0
	case claims.StrikeOut:
		j.Failures++
		if f.PauseAfter > 0 && j.Failures >= f.PauseAfter && !j.Paused {
			j.Paused, j.PausedAt, j.Reason = true, now, f.PauseReason
		}
	}
}

const noteLate = `UPDATE runs SET late_at = ?2, late = ?3 WHERE run_id = ?1 AND late_at = 0`

// lost answers a finalize whose claim is gone: either our own earlier try has landed, or somebody else closed the run. Then the
// result leaves a note, and its output where the run has none or only a part of it.
func (t *tx) lost(now time.Time, f *claims.Final, k *kept) (claims.Finalized, error) {
	fenced := claims.Finalized{Status: claims.Fenced}
	run, found, err := t.run(f.RunID)
	if err != nil {
		return claims.Finalized{}, err
	}
	if !found || run.Job != f.Job || run.Seq != f.Seq {
		return fenced, nil
	}
	if same(run.EndedAt, f.EndedAt) {
		switch {
		case run.Outcome == f.Outcome:
			return claims.Finalized{Status: claims.AlreadyFinal}, nil
		case run.Outcome == claims.Discarded:
			return claims.Finalized{Status: claims.Dropped}, nil
		case f.Outcome == claims.OK && run.Cause == claims.StateConflict:
			return claims.Finalized{Status: claims.Conflicted, Reason: run.Reason}, nil
		}
	}
	n, err := t.exec(noteLate, f.RunID, now, string(f.Outcome))
	if err == nil && n > 0 && k.bytes > 0 && (run.Output.Bytes == 0 || run.Output.Partial) {
		err = t.keepOutput(f.RunID, k)
	}
	return fenced, err
}
