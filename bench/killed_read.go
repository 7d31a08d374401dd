//go:build unix

package bench

import (
	"fmt"
	"slices"
	"time"

	"github.com/wcron/wcron/claims"
)

func (f *KilledFigures) read(l *ledger) error {
	f.InFlight = len(f.flying)
	for _, job := range l.jobs {
		// Each time of the schedule after the anchor and before the next due time is to be on record.
		fates, err := l.fates(job, window{first: job.Anchor.Add(time.Millisecond), last: job.Next.Add(-time.Millisecond)})
		if err != nil {
			return err
		}
		for _, one := range fates {
			f.slot(job.Name, one)
		}
		for _, row := range l.slots[job.Name] {
			if row.Verdict == "" || row.Verdict == claims.Verdict(claims.Running) {
				f.NoVerdict = append(f.NoVerdict, row.Slot.ID)
			}
		}
		for _, run := range l.runs[job.Name] {
			f.run(run)
		}
	}
	f.Overlaps, f.Findings, f.OpenClaims = l.overlaps(f.died), findingTexts(l.findings), len(l.open)
	f.Failures = f.judge()
	return nil
}

// slot checks that a slot has one record, no more attempts than allowed, and each of them for a reason.
func (f *KilledFigures) slot(job string, one fate) {
	f.Slots.add(one)
	if len(one.rows) == 0 {
		f.NoVerdict = append(f.NoVerdict, claims.ScheduledSlot(job, one.at).ID)
	}
	double := len(one.rows) > 1 || len(one.runs) > attemptsAllowed(job)
	for i, run := range one.runs {
		double = double || run.Attempt != i+1 || (i > 0 && one.runs[i-1].Outcome != claims.Orphaned)
	}
	if double {
		f.Double = append(f.Double, fmt.Sprintf("%s: %d runs, %d records", claims.ScheduledSlot(job, one.at).ID, len(one.runs), len(one.rows)))
	}
	if len(one.runs) > 1 {
		f.Retried++
	}
}

// run checks that exactly the runs that were in flight at a kill are orphaned, each with evidence.
func (f *KilledFigures) run(run claims.Run) {
	orphaned := run.Outcome == claims.Orphaned
	switch {
	case f.flying[run.RunID] && !orphaned:
		f.Wrong = append(f.Wrong, fmt.Sprintf("run %s of %s was in flight at a kill and came to %s", run.RunID, run.Job, run.Outcome))
	case !f.flying[run.RunID] && orphaned:
		f.Wrong = append(f.Wrong, fmt.Sprintf("run %s of %s was not in flight at a kill and is orphaned: %s", run.RunID, run.Job, run.Reason))
	case orphaned && (run.Evidence == "" || run.Reason == ""):
		f.Wrong = append(f.Wrong, fmt.Sprintf("run %s of %s is orphaned without reason or evidence", run.RunID, run.Job))
	case orphaned:
		f.Orphaned++
		f.Recovery = max(f.Recovery, run.EndedAt.Sub(f.reborn[run.Owner]).Milliseconds())
	}
}

func (f *KilledFigures) judge() []string {
	var failed []string
	if f.Slots.Due == 0 || f.InFlight == 0 {
		failed = append(failed, "no run was in flight at any kill: nothing was measured")
	}
	for _, part := range []struct {
		what string
		of   []string
	}{{"slots without a verdict", f.NoVerdict}, {"double slots", f.Double}, {"wrong orphans", f.Wrong}} {
		if n := len(part.of); n > 0 {
			failed = append(failed, fmt.Sprintf("%d %s, the first: %s", n, part.what, part.of[0]))
		}
	}
	if f.Orphaned+len(f.Wrong) < f.InFlight {
		failed = append(failed, fmt.Sprintf("%d runs were in flight at a kill, and %d of them are in history as orphaned", f.InFlight, f.Orphaned))
	}
	return append(failed, sound(f.Overlaps, f.Findings, f.OpenClaims)...)
}

// Failed implements Figures.
func (f *KilledFigures) Failed() []string { return f.Failures }

func (f *KilledFigures) rows() [][]string {
	rows := [][]string{{"killed", fmt.Sprintf("%d jobs, %d kills, seed %d", len(mortals()), f.Kills, f.Seed)}}
	rows = append(rows, f.Machine.rows()...)
	rows = append(rows,
		[]string{},
		[]string{"kills with runs in flight", fmt.Sprintf("%d of %d", f.Hitting, f.Kills)},
		[]string{"runs in flight at a kill", number(f.InFlight)},
		[]string{"  orphaned, with evidence", number(f.Orphaned)},
		[]string{"  wrong", number(len(f.Wrong))},
		[]string{"  latest recovery", fmt.Sprintf("%d ms after the next host was started (orphan_grace %s)", f.Recovery, killedGrace)},
		[]string{"slots due", number(f.Slots.Due)},
		[]string{"  with a run that ended", number(f.Slots.Started)},
		[]string{"  orphaned, no further attempt", number(f.Slots.NotStarted)},
		[]string{"  missed", number(f.Slots.Missed)},
		[]string{"  skipped", number(f.Slots.Skipped)},
		[]string{"  with a further attempt", number(f.Retried)},
		[]string{"  without a verdict", number(len(f.NoVerdict))},
		[]string{"  double", number(len(f.Double))},
		[]string{"reasons"},
	)
	rows = append(rows, reasonRows(f.Slots)...)
	rows = append(rows,
		[]string{"overlaps", number(len(f.Overlaps))},
		[]string{"audit findings", number(len(f.Findings))},
	)
	return slices.Concat(rows, troubleRows("ticks and commits tried again by the last host", f.Troubles))
}
