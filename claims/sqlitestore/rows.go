package sqlitestore

import (
	"github.com/ncruces/go-sqlite3"
	"github.com/wcron/wcron/claims"
)

const jobColumns = `name, source, seq, definition, schedule, timezone, anchor, next_at, paused, paused_at, resumed_at, reason,
	disabled, repeats, done, last_run, last_outcome, last_ended, removed_at, rev, born, lanes, state_rev,
	not_before, not_after, skip_at, skip_reason, failures, settled`

// jobRow is a job as it is stored.
type jobRow struct {
	claims.Job
	stateRev int64 // of its state; it outlives a removal, so that no revision comes twice
}

func (j *jobRow) exists() bool { return j.Name != "" && j.Removed.IsZero() }

func scanJob(st *sqlite3.Stmt) jobRow {
	return jobRow{
		Job: claims.Job{
			Name:       st.ColumnText(0),
			Source:     st.ColumnText(1),
			Seq:        st.ColumnInt64(2),
			Definition: st.ColumnText(3),
			Schedule:   st.ColumnText(4),
			Timezone:   st.ColumnText(5),
			Anchor:     instant(st.ColumnInt64(6)),
			Next:       instant(st.ColumnInt64(7)),
			Paused:     st.ColumnBool(8),
			PausedAt:   instant(st.ColumnInt64(9)),
			ResumedAt:  instant(st.ColumnInt64(10)),
			Reason:     st.ColumnText(11),
			Disabled:   st.ColumnText(12),
			Repeats:    st.ColumnInt64(13),
			Done:       st.ColumnBool(14),
			LastRun:    st.ColumnText(15),
			Last:       claims.Outcome(st.ColumnText(16)),
			LastEnded:  instant(st.ColumnInt64(17)),
			Removed:    instant(st.ColumnInt64(18)),
			Rev:        st.ColumnInt64(19),
			Born:       st.ColumnInt64(20),
			Lanes:      st.ColumnInt(21),
			NotBefore:  instant(st.ColumnInt64(23)),
			NotAfter:   instant(st.ColumnInt64(24)),
			SkipAt:     instant(st.ColumnInt64(25)),
			SkipReason: st.ColumnText(26),
			Failures:   st.ColumnInt64(27),
			Settled:    instant(st.ColumnInt64(28)),
		},
		stateRev: st.ColumnInt64(22),
	}
}

const queryJob = `SELECT ` + jobColumns + ` FROM jobs WHERE name = ?`

// job reads a row; one with an empty name when there is none.
func (c *conn) job(name string) (jobRow, error) {
	var j jobRow
	_, err := c.one(func(st *sqlite3.Stmt) { j = scanJob(st) }, queryJob, name)
	return j, err
}

const (
	insertJob = `INSERT INTO jobs (` + jobColumns + `) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`
	updateJob = `UPDATE jobs SET source = ?2, seq = ?3, definition = ?4, schedule = ?5, timezone = ?6, anchor = ?7, next_at = ?8,
	paused = ?9, paused_at = ?10, resumed_at = ?11, reason = ?12, disabled = ?13, repeats = ?14, done = ?15, last_run = ?16,
	last_outcome = ?17, last_ended = ?18, removed_at = ?19, rev = ?20, born = ?21,
	lanes = ?22, state_rev = ?23, not_before = ?24, not_after = ?25, skip_at = ?26, skip_reason = ?27, failures = ?28, settled = ?29 WHERE name = ?1`
)

// saveJob writes the whole row with this transaction's revision.
func (t *tx) saveJob(j *jobRow, query string) error {
	j.Rev = t.rev()
	_, err := t.exec(query, j.Name, j.Source, j.Seq, j.Definition, j.Schedule, j.Timezone, j.Anchor, j.Next, j.Paused, j.PausedAt,
		j.ResumedAt, j.Reason, j.Disabled, j.Repeats, j.Done, j.LastRun, string(j.Last), j.LastEnded, j.Removed, j.Rev, j.Born, j.Lanes,
		j.stateRev, j.NotBefore, j.NotAfter, j.SkipAt, j.SkipReason, j.Failures, j.Settled)
	if err == nil {
		j.Anchor, j.Next = instant(millis(j.Anchor)), instant(millis(j.Next)) // as they will be read
		j.PausedAt, j.ResumedAt = instant(millis(j.PausedAt)), instant(millis(j.ResumedAt))
		j.NotBefore, j.NotAfter, j.SkipAt = instant(millis(j.NotBefore)), instant(millis(j.NotAfter)), instant(millis(j.SkipAt))
		j.Settled = instant(millis(j.Settled))
		j.LastEnded, j.Removed = instant(millis(j.LastEnded)), instant(millis(j.Removed))
	}
	return err
}

const openColumns = `run_id, job, seq, slot_id, slot_at, slot_kind, attempt, owner, claimed_at, deadline, cancel_at, cancel_by, lane,
	cancel_cause, lanes, state_rev`

func scanOpen(st *sqlite3.Stmt) claims.Open {
	o := claims.Open{
		Token:     claims.Token{RunID: st.ColumnText(0), Job: st.ColumnText(1), Seq: st.ColumnInt64(2)},
		Slot:      scanSlot(st, 3, 1),
		Attempt:   st.ColumnInt(6),
		Owner:     st.ColumnText(7),
		ClaimedAt: instant(st.ColumnInt64(8)),
		Deadline:  instant(st.ColumnInt64(9)),
		Cancel:    instant(st.ColumnInt64(10)),
		CancelBy:  st.ColumnText(11),
		CancelFor: claims.Cause(st.ColumnText(13)),
		Lanes:     st.ColumnInt(14),
	}
	if !o.Cancel.IsZero() && o.CancelFor == "" {
		o.CancelFor = claims.Cancelled
	}
	return o
}

// openStateRev is the column of openColumns that is no part of a claims.Open.
const openStateRev = 15

// scanSlot reads a slot whose id, time and kind are the columns from first on.
func scanSlot(st *sqlite3.Stmt, first, job int) claims.Slot {
	return claims.Slot{
		ID:   st.ColumnText(first),
		Job:  st.ColumnText(job),
		At:   instant(st.ColumnInt64(first + 1)),
		Kind: claims.Kind(st.ColumnText(first + 2)),
	}
}

const runColumns = `run_id, job, seq, slot_id, slot_at, slot_kind, attempt, owner, digest, claimed_at, started_at, ended_at, deadline,
	outcome, cause, exit_code, reason, evidence, stands_for, memory, out_file, out_bytes, out_cut, out_digest, out_part, late_at, late, fuel,
	counted`

func scanRun(st *sqlite3.Stmt) claims.Run {
	r := claims.Run{
		Token:     claims.Token{RunID: st.ColumnText(0), Job: st.ColumnText(1), Seq: st.ColumnInt64(2)},
		Slot:      scanSlot(st, 3, 1),
		Attempt:   st.ColumnInt(6),
		Owner:     st.ColumnText(7),
		Digest:    st.ColumnText(8),
		ClaimedAt: instant(st.ColumnInt64(9)),
		StartedAt: instant(st.ColumnInt64(10)),
		EndedAt:   instant(st.ColumnInt64(11)),
		Deadline:  instant(st.ColumnInt64(12)),
		Outcome:   claims.Outcome(st.ColumnText(13)),
		Cause:     claims.Cause(st.ColumnText(14)),
		Reason:    st.ColumnText(16),
		Evidence:  st.ColumnText(17),
		StandsFor: st.ColumnInt64(18),
		Memory:    st.ColumnInt64(19),
		Output: claims.Output{
			File:    st.ColumnText(20),
			Bytes:   st.ColumnInt64(21),
			Cut:     st.ColumnInt64(22),
			Digest:  st.ColumnText(23),
			Partial: st.ColumnBool(24),
		},
		LateAt: instant(st.ColumnInt64(25)),
		Late:   claims.Outcome(st.ColumnText(26)),
		Fuel:   st.ColumnInt64(27),
	}
	if n := st.ColumnInt64(28); n >= 0 && r.Outcome != claims.Running {
		counted := n > 0
		r.Counted = &counted
	}
	if st.ColumnType(15) != sqlite3.NULL {
		code := st.ColumnInt64(15)
		r.ExitCode = &code
	}
	return r
}

const queryRun = `SELECT ` + runColumns + ` FROM runs WHERE run_id = ?`

func (c *conn) run(id string) (r claims.Run, found bool, err error) {
	found, err = c.one(func(st *sqlite3.Stmt) { r = scanRun(st) }, queryRun, id)
	return r, found, err
}
