package sqlitestore

import (
	"context"
	"fmt"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/wcron/wcron/claims"
)

// Claim tries each item for the owner, all in one transaction, and answers item by item.
func (s *Store) Claim(ctx context.Context, now time.Time, owner string, items []claims.Claim) ([]claims.Claimed, error) {
	if len(items) == 0 {
		return nil, nil
	}
	op := fmt.Sprintf("claim %d slots", len(items))
	if len(items) == 1 {
		op = fmt.Sprintf("claim job %q at %s", items[0].Slot.Job, items[0].Slot.At.UTC().Format(time.RFC3339))
	}
	for _, it := range items {
		if it.RunID != "" && !plain(it.RunID) {
			return nil, fmt.Errorf("%s: run id %q has characters that a file name must not have", op, it.RunID)
		}
	}
	answers := make([]claims.Claimed, len(items))
	err := s.write(ctx, op, 0, func(t *tx) error {
		if gone, err := t.number(queryOwnerLeft, owner); err != nil {
			return err
		} else if gone > 0 {
			return fmt.Errorf("owner %s has left, or was given up: %w", owner, claims.ErrFenced)
		}
		for i := range items {
			a, err := t.claim(now, owner, &items[i])
			if err != nil {
				return fmt.Errorf("slot %s: %w", items[i].Slot.ID, err)
			}
			answers[i] = a
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return answers, nil
}

const queryOwnerLeft = `SELECT 1 FROM owners WHERE id = ? AND left_at > 0`

func (t *tx) claim(now time.Time, owner string, it *claims.Claim) (claims.Claimed, error) {
	job, err := t.job(it.Slot.Job)
	if err != nil {
		return claims.Claimed{}, err
	}
	if it.GivesUp() {
		return t.giveUp(it, &job)
	}
	if it.RunID == "" {
		return t.claimDue(now, owner, it, &job)
	}
	if a, known, err := t.claimedBefore(owner, it); known || err != nil {
		a.Job = job.Job
		return a, err
	}
	if !it.From.IsZero() {
		return t.claimDue(now, owner, it, &job)
	}
	return t.claimPending(now, owner, it, &job)
}

// giveUp gives a slot that waits its verdict.
func (t *tx) giveUp(it *claims.Claim, job *jobRow) (claims.Claimed, error) {
	a := claims.Claimed{Status: claims.Stale, Job: job.Job}
	n, err := t.number(queryWaits, it.Slot.ID, it.Slot.Job, it.Attempt)
	if n == 0 || err != nil || !job.exists() {
		return a, err
	}
	if _, err := t.exec(deletePending, it.Slot.ID); err != nil {
		return a, err
	}
	t.rev() // others look for pending work that is gone
	a.Status = claims.Passing
	_, err = t.exec(setVerdict, it.Slot.ID, string(it.Passed[0].Verdict), it.Passed[0].Reason)
	return a, err
}

const queryWaits = `SELECT 1 FROM pending WHERE slot_id = ? AND job = ? AND attempt = ?`

// claimDue takes a slot of the schedule, lets it wait, or passes over what the caller says.
func (t *tx) claimDue(now time.Time, owner string, it *claims.Claim, job *jobRow) (a claims.Claimed, err error) {
	a.Status, a.Job = claims.Stale, job.Job
	wanted := it.RunID != "" || it.Overlap.Waits()
	if !job.exists() || it.From.IsZero() || !same(job.Next, it.From) || job.Done || wanted && job.forbids(it.Slot.At) {
		return a, nil
	}
	lane := -1
	if it.RunID != "" {
		if lane, a.Holder, err = t.lane(job.Name, it.Lanes); err != nil {
			return a, err
		}
		used := false
		if lane >= 0 {
			used, err = t.usedUp(it, job)
		}
		if used || err != nil || lane < 0 && it.IfBusy == "" && !it.Overlap.Waits() {
			a.Status = claims.Busy // nothing changes: the slot is due still
			return a, err
		}
	}
	for _, p := range it.Passed {
		if err := t.pass(job, p); err != nil {
			return a, err
		}
	}
	job.Next = it.Next
	switch {
	case !wanted:
		a.Status = claims.Passing
	case it.Overlap.Waits():
		if err = t.line(now, it, job, lane < 0, &a); a.Status == claims.Won && err == nil {
			return t.win(now, owner, it, job, lane, a)
		}
	default:
		if a.Status, err = t.take(it, job, lane); a.Status == claims.Won {
			return t.win(now, owner, it, job, lane, a)
		}
	}
	if err == nil {
		err = t.saveJob(job, updateJob)
	}
	a.Job = job.Job
	return a, err
}

// forbids tells whether no run of the job is to start for a slot of its schedule.
func (j *jobRow) forbids(slot time.Time) bool {
	return j.Paused || j.Disabled != "" || !j.SkipAt.IsZero() && same(j.SkipAt, slot)
}

// take records a due slot: it is Won, or skipped as Busy without a lane. It is Passing when it is recorded already: the clock went
// back, and the schedule was changed to one with a time that has had its turn.
func (t *tx) take(it *claims.Claim, job *jobRow, lane int) (claims.ClaimStatus, error) {
	if there, err := t.recorded(job, it.Slot); there || err != nil {
		return claims.Passing, err
	}
	if lane < 0 {
		return claims.Busy, t.pass(job, skip(it.Slot.At, it.IfBusy))
	}
	fresh, err := t.open(it.Slot, nil, "")
	if !fresh || err != nil {
		return claims.Passing, err
	}
	return claims.Won, nil
}

const (
	queryPending  = `SELECT input, by FROM pending JOIN slots USING (slot_id) WHERE pending.slot_id = ? AND pending.job = ? AND attempt = ?`
	deletePending = `DELETE FROM pending WHERE slot_id = ?`
)

// claimPending takes work that is due apart from the schedule.
func (t *tx) claimPending(now time.Time, owner string, it *claims.Claim, job *jobRow) (a claims.Claimed, err error) {
	var input []byte
	var by string
	found, err := t.one(func(st *sqlite3.Stmt) { input, by = blob(st, 0), st.ColumnText(1) },
		queryPending, it.Slot.ID, it.Slot.Job, it.Attempt)
	if err != nil {
		return a, err
	}
	if !found || !job.exists() {
		return claims.Claimed{Status: claims.Stale, Job: job.Job}, nil
	}
	a = claims.Claimed{Status: claims.Busy, Job: job.Job, Input: input, By: by}
	if held, err := t.held(it, job); held || err != nil {
		return a, err
	}
	lane, holder, err := t.lane(job.Name, it.Lanes)
	if err != nil {
		return a, err
	}
	if lane < 0 {
		a.Holder = holder
		if it.Overlap == claims.OverlapReplace && scheduled(it) {
			err = t.cancelAll(now, it.Slot)
		}
		return a, err
	}
	if it.Overlap == claims.OverlapReplace && scheduled(it) {
		if a.Replaced, err = t.skipWaiting(it); err != nil {
			return a, err
		}
	}
	if _, err := t.exec(deletePending, it.Slot.ID); err != nil {
		return a, err
	}
	return t.win(now, owner, it, job, lane, a)
}

const (
	queryLanes  = `SELECT lane, run_id, state_rev FROM claims WHERE job = ? ORDER BY lane`
	insertClaim = `INSERT INTO claims (` + openColumns + `) VALUES (?,?,?,?,?,?,?,?,?,?,0,'',?,'',?,?)`
	insertRun   = `INSERT INTO runs (run_id, job, seq, slot_id, slot_at, slot_kind, attempt, owner, digest, claimed_at, deadline, outcome,
	stands_for) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)`
)

// lane answers the lowest free lane of a job; -1 when as many claims as allowed are open, with the run of the lowest one. A claim of
// a program that knew nothing of other lanes is alone.
func (t *tx) lane(job string, lanes int) (free int, holder string, err error) {
	open := 0
	alone := false
	err = t.each(func(st *sqlite3.Stmt) error {
		if holder == "" {
			holder = st.ColumnText(1)
		}
		if st.ColumnInt(0) == free {
			free++
		}
		alone = alone || st.ColumnInt64(2) < 0
		open++
		return nil
	}, queryLanes, job)
	if alone || open >= max(lanes, 1) {
		free = -1
	}
	return free, holder, err
}

// win writes the claim, the run and the job, and completes the answer.
func (t *tx) win(now time.Time, owner string, it *claims.Claim, job *jobRow, lane int, a claims.Claimed) (claims.Claimed, error) {
	job.Seq++
	lanes := max(it.Lanes, 1)
	job.Lanes = max(job.Lanes, lanes)
	slot, kind := it.Slot, string(it.Slot.Kind)
	_, err := t.exec(insertClaim, it.RunID, job.Name, job.Seq, slot.ID, slot.At, kind, it.Attempt, owner, now, it.Deadline, lane, lanes,
		job.stateRev)
	if err != nil {
		return claims.Claimed{}, err
	}
	_, err = t.exec(insertRun, it.RunID, job.Name, job.Seq, slot.ID, slot.At, kind, it.Attempt, owner, it.Digest, now, it.Deadline,
		string(claims.Running), it.StandsFor)
	if err != nil {
		return claims.Claimed{}, err
	}
	if err := t.saveJob(job, updateJob); err != nil {
		return claims.Claimed{}, err
	}
	a.Status, a.Job, a.Holder = claims.Won, job.Job, ""
	a.Token = claims.Token{Job: job.Name, Seq: job.Seq, RunID: it.RunID}
	return a, nil
}

const (
	queryClaim     = `SELECT ` + openColumns + ` FROM claims WHERE run_id = ?`
	queryRunExists = `SELECT 1 FROM runs WHERE run_id = ?`
	querySlotInput = `SELECT input, by FROM slots WHERE slot_id = ?`
)

// claimedBefore answers a claim whose run id is known already: it is our own that has landed with the answer lost, and then it is
// won, or it is an old one and stale.
func (t *tx) claimedBefore(owner string, it *claims.Claim) (a claims.Claimed, known bool, err error) {
	n, err := t.number(queryRunExists, it.RunID)
	if n == 0 || err != nil {
		return a, false, err
	}
	a.Status = claims.Stale
	var have claims.Open
	found, err := t.one(func(st *sqlite3.Stmt) { have = scanOpen(st) }, queryClaim, it.RunID)
	if err != nil || !found || have.Owner != owner || have.Slot.ID != it.Slot.ID || have.Attempt != it.Attempt {
		return a, true, err
	}
	a.Status, a.Token = claims.Won, have.Token
	_, err = t.one(func(st *sqlite3.Stmt) { a.Input, a.By = blob(st, 0), st.ColumnText(1) }, querySlotInput, it.Slot.ID)
	return a, true, err
}

// blob reads a column that may be NULL.
func blob(st *sqlite3.Stmt, col int) []byte {
	if st.ColumnType(col) == sqlite3.NULL {
		return nil
	}
	return st.ColumnBlob(col, []byte{})
}

// plain tells whether an id may be part of a file name.
func plain(id string) bool {
	if id == "" || len(id) > 128 {
		return false
	}
	for _, r := range id {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' {
			return false
		}
	}
	return true
}
