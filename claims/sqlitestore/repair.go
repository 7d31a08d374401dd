package sqlitestore

import (
	"context"
	"fmt"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/wcron/wcron/claims"
)

var _ claims.Repairer = (*Store)(nil)

// Repair mends what it safely can: see claims.Repairer.
func (s *Store) Repair(ctx context.Context, now time.Time, found []claims.Finding) ([]claims.Repaired, error) {
	out := make([]claims.Repaired, len(found))
	op := fmt.Sprintf("repair %d findings", len(found))
	err := s.write(ctx, op, 0, func(t *tx) error {
		for i, f := range found {
			did, err := t.repair(now, f)
			if err != nil {
				return fmt.Errorf("%s of job %q: %w", f.Code, f.Job, err)
			}
			out[i] = claims.Repaired{Finding: f, Did: did}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

const (
	dropEndedClaim = `DELETE FROM claims WHERE run_id = ?1 AND EXISTS (SELECT 1 FROM runs WHERE runs.run_id = ?1 AND outcome <> 'running')`
	dropLeftState  = `DELETE FROM state WHERE job = ?1 AND NOT EXISTS (SELECT 1 FROM jobs WHERE name = ?1 AND removed_at = 0)`
	endLostRun     = `UPDATE runs SET outcome = 'orphaned', ended_at = ?2, reason = ?3, counted = 0 WHERE run_id = ?1 AND outcome = 'running'
	AND NOT EXISTS (SELECT 1 FROM claims WHERE claims.run_id = ?1)`
	closeSlot = `UPDATE slots SET verdict = ?2, reason = ?3, input = NULL WHERE slot_id = ?1 AND verdict = '' AND count = 1
	AND NOT EXISTS (SELECT 1 FROM claims WHERE claims.slot_id = ?1) AND NOT EXISTS (SELECT 1 FROM pending WHERE pending.slot_id = ?1)`
	queryLastAttempt = `SELECT run_id, outcome FROM runs WHERE slot_id = ? ORDER BY attempt DESC, seq DESC LIMIT 1`
)

const (
	reasonLostRun  = "repaired: it was recorded as running and no claim owned it, so nobody could commit it any more"
	reasonLostSlot = "repaired: the slot had no verdict and nothing that could give it one"
)

func (t *tx) repair(now time.Time, f claims.Finding) (did string, err error) {
	var n int64
	switch f.Code {
	case "claim-without-run":
		// The run has its outcome already; a claim beside it can only change that, and holds up the job.
		if n, err = t.exec(dropEndedClaim, f.RunID); n > 0 {
			did = "dropped the claim of a run that has ended"
		}
	case "run-without-claim":
		return t.endLost(now, f)
	case "slot-open":
		return t.closeOpen(f.Slot)
	case "state-not-ok":
		if n, err = t.exec(dropLeftState, f.Job); n > 0 {
			did = "dropped the state of a job that does not exist"
		}
	}
	return did, err
}

// endLost closes a run that nobody can commit any more. What its owner may bring later is refused and noted, as after a recovery.
func (t *tx) endLost(now time.Time, f claims.Finding) (string, error) {
	run, found, err := t.run(f.RunID)
	if err != nil || !found {
		return "", err
	}
	n, err := t.exec(endLostRun, f.RunID, now, reasonLostRun)
	if err != nil || n == 0 {
		return "", err
	}
	if _, err := t.exec(closeSlot, run.Slot.ID, string(claims.Orphaned), reasonLostRun); err != nil {
		return "", err
	}
	job, err := t.job(run.Job)
	if err == nil && job.exists() && job.Born < run.Seq {
		err = t.account(now, &job, &claims.Final{Token: run.Token, Outcome: claims.Orphaned, EndedAt: now})
	}
	return "closed the run as orphaned: no claim owned it, so nobody could commit it", err
}

// closeOpen gives a slot the verdict of its last attempt, or missed if none is in history.
func (t *tx) closeOpen(slot string) (string, error) {
	verdict := string(claims.Missed)
	_, err := t.one(func(st *sqlite3.Stmt) { verdict = st.ColumnText(1) }, queryLastAttempt, slot)
	if err != nil || verdict == string(claims.Running) {
		return "", err
	}
	n, err := t.exec(closeSlot, slot, verdict, reasonLostSlot)
	if err != nil || n == 0 {
		return "", err
	}
	return "gave the slot the verdict " + verdict, nil
}
