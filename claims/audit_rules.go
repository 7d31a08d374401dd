package claims

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/wcron/wcron/fingerprint"
)

// Remedies that several findings share.
const (
	damaged  = "the store was changed by something other than this program, or has a defect: keep a copy of it and report it"
	recovers = "a running host recovers it by itself: start one on this store, or see why the running one does not"
)

// claims checks the claims in flight: double-claim, claim-without-run, past-deadline, dead-owner.
func (a *auditor) claims(r reading) []Finding {
	var f []Finding
	runs := map[string]Run{}
	for _, run := range r.runs {
		runs[run.RunID] = run
	}
	open := slices.Clone(r.open)
	slices.SortFunc(open, func(x, y Open) int { return cmp.Compare(x.Seq, y.Seq) })
	slots := map[string]string{}
	for i, o := range open {
		add := func(code, remedy, format string, args ...any) {
			f = append(f, Finding{Code: code, Job: r.name, Slot: o.Slot.ID, RunID: o.RunID, What: fmt.Sprintf(format, args...), Remedy: remedy})
		}
		if other, twice := slots[o.Slot.ID]; twice {
			add("double-claim", damaged, "the slot is claimed by run %s as well", other)
		} else if lanes := a.lanes(r.job, o); i >= lanes {
			add("double-claim", damaged, "the job has %d open claims that are older, and might have %d with this one", i, lanes)
		}
		slots[o.Slot.ID] = o.RunID
		switch run, ok := runs[o.RunID]; {
		case !ok:
			add("claim-without-run", damaged, "the claim is open and its run is not in history")
		case run.Outcome != Running:
			add("claim-without-run", damaged, "the claim is open and its run has ended: %s", run.Outcome)
		case run.Token != o.Token || run.Slot.ID != o.Slot.ID:
			add("claim-without-run", damaged, "the claim is of seq %d and slot %s, its run of seq %d and slot %s", o.Seq, o.Slot.ID, run.Seq, run.Slot.ID)
		}
		if !o.Deadline.IsZero() && a.opt.Now.Sub(o.Deadline) > a.opt.Grace {
			add("past-deadline", recovers, "the deadline of the claim passed %s ago", ago(a.opt.Now.Sub(o.Deadline)))
		}
		if why, dead := a.dead(o); dead {
			add("dead-owner", recovers, "owner %s of the claim is dead: %s", o.Owner, why)
		}
	}
	return f
}

// lanes is how many claims of the job might be open with this one. Those that were open when it was made and still are, are the
// older ones: so a job whose policy has become a narrower one since is judged by what was allowed then.
func (a *auditor) lanes(j Job, o Open) int {
	if a.opt.Lanes != nil {
		return max(a.opt.Lanes(j), 1)
	}
	return max(o.Lanes, 1)
}

// dead asks about the owner of a claim that is older than the grace.
func (a *auditor) dead(o Open) (string, bool) {
	if a.opt.Alive == nil || a.opt.Now.Sub(o.ClaimedAt) <= a.opt.Grace {
		return "", false
	}
	owner, listed := a.owners[o.Owner]
	if !listed {
		owner.ID = o.Owner
	}
	if !owner.Left.IsZero() {
		return fmt.Sprintf("it left in order at %s", owner.Left.UTC().Format(time.RFC3339)), true
	}
	j, known := a.judged[o.Owner]
	if !known {
		j.verdict, j.why = a.opt.Alive(owner)
		a.judged[o.Owner] = j
	}
	return j.why, j.verdict == fingerprint.Dead
}

// attempts are the runs of one slot that are in history, first attempt first.
func attempts(runs []Run) map[string][]Run {
	by := map[string][]Run{}
	for _, run := range runs {
		by[run.Slot.ID] = append(by[run.Slot.ID], run)
	}
	for _, of := range by {
		slices.SortFunc(of, func(x, y Run) int {
			if x.Attempt != y.Attempt {
				return x.Attempt - y.Attempt
			}
			return cmp.Compare(x.Seq, y.Seq)
		})
	}
	return by
}

// slots checks the verdicts: slot-open, slot-verdict.
func (a *auditor) slots(r reading) []Finding {
	var f []Finding
	by := attempts(r.runs)
	claimed, waiting := map[string]bool{}, map[string]bool{}
	for _, o := range r.open {
		claimed[o.Slot.ID] = true
	}
	for _, p := range r.pending {
		waiting[p.Slot.ID] = true
	}
	for _, row := range r.slots {
		id := row.Slot.ID
		add := func(code, remedy, format string, args ...any) {
			f = append(f, Finding{Code: code, Job: r.name, Slot: id, What: fmt.Sprintf(format, args...), Remedy: remedy})
		}
		if row.Verdict == "" {
			if !claimed[id] && !waiting[id] {
				add("slot-open", damaged, "the slot has no verdict, and nothing is left that could give it one")
			}
			continue
		}
		if row.Verdict == Verdict(Running) {
			add("slot-verdict", damaged, "running is not a verdict")
			continue
		}
		if claimed[id] || waiting[id] {
			add("slot-verdict", damaged, "the verdict is %s, and an attempt is running or waits", row.Verdict)
			continue
		}
		if what := wrongVerdict(row, by[id]); what != "" {
			add("slot-verdict", damaged, "%s", what)
		}
	}
	return f
}

// wrongVerdict compares a final verdict with the attempts that are in history. Attempts may have been pruned: none are no
// contradiction, unless the row names them.
func wrongVerdict(row SlotRow, runs []Run) string {
	if row.Count != 1 {
		return ""
	}
	for _, id := range row.RunIDs {
		if !slices.ContainsFunc(runs, func(r Run) bool { return r.RunID == id }) {
			return fmt.Sprintf("the slot names run %s, which is not in history", id)
		}
	}
	if len(runs) == 0 {
		return ""
	}
	last := runs[len(runs)-1]
	if row.Verdict == Verdict(last.Outcome) {
		return ""
	}
	// The next attempt of a slot may be given up, with the reason, when its job is removed.
	if row.Verdict == Skipped && row.Reason != "" && last.Outcome != OK && last.Outcome != Running {
		return ""
	}
	return fmt.Sprintf("the verdict is %s, and the last attempt, run %s, came to %s", row.Verdict, last.RunID, last.Outcome)
}

// runs checks the attempts: run-without-claim, run-without-slot, attempt-gap.
func (a *auditor) runs(r reading) []Finding {
	var f []Finding
	add := func(run Run, code, format string, args ...any) {
		f = append(f, Finding{Code: code, Job: r.name, Slot: run.Slot.ID, RunID: run.RunID, What: fmt.Sprintf(format, args...), Remedy: damaged})
	}
	claimed := map[string]bool{}
	for _, o := range r.open {
		claimed[o.RunID] = true
	}
	recorded := map[string]bool{}
	for _, row := range r.slots {
		recorded[row.Slot.ID] = true
	}
	for _, run := range r.runs {
		if run.Outcome == Running && !claimed[run.RunID] {
			add(run, "run-without-claim", "the run is recorded as running and no claim owns it")
		}
		if !recorded[run.Slot.ID] && !folded(r.slots, run.Slot) {
			add(run, "run-without-slot", "the slot of the run is not recorded")
		}
	}
	for _, runs := range attempts(r.runs) {
		first := runs[0]
		if first.Attempt != 1 && !prunable(r.job, first, r.runs) {
			add(first, "attempt-gap", "the slot's first attempt in history is number %d, and older runs are there", first.Attempt)
		}
		for i, run := range runs[1:] {
			if run.Attempt != runs[i].Attempt+1 {
				add(run, "attempt-gap", "attempt %d of the slot follows attempt %d", run.Attempt, runs[i].Attempt)
			}
		}
		last := runs[len(runs)-1]
		for _, p := range r.pending {
			if p.Slot.ID == last.Slot.ID && p.Attempt != last.Attempt+1 {
				add(last, "attempt-gap", "attempt %d of the slot waits and attempt %d was the last", p.Attempt, last.Attempt)
			}
		}
	}
	slices.SortStableFunc(f, func(x, y Finding) int { return cmp.Compare(x.Slot, y.Slot) })
	return f
}

// folded tells whether a row that stands for several slots covers this one.
func folded(rows []SlotRow, s Slot) bool {
	return slices.ContainsFunc(rows, func(row SlotRow) bool {
		return row.Count > 1 && row.Slot.Kind == s.Kind && !s.At.Before(row.Slot.At) && !s.At.After(row.Until)
	})
}

// prunable tells whether the attempts before this one may have been pruned. The oldest claims go first: so they were not if a run is
// still there that was claimed and ended before them. Which that is cannot be told by the clock alone, which may have gone back, but
// slots of one schedule are claimed in the order of their times.
func prunable(j Job, first Run, runs []Run) bool {
	from := inForce(j)
	return first.Slot.Kind != Scheduled || !slices.ContainsFunc(runs, func(r Run) bool {
		return r.Outcome != Running && r.Attempt == 1 && r.Seq < first.Seq && r.EndedAt.Before(first.Slot.At) &&
			r.Slot.Kind == Scheduled && r.Slot.At.After(from) && r.Slot.At.Before(first.Slot.At)
	})
}

// overdue checks that due times do not pass without a record. A paused or disabled job is let be: its slots are accounted for
// when it goes on. So is one with an open claim, which the due time may have to wait for. What waits for a run or a pause to end
// is late from that end on, so that a job which works off its backlog is not accused between two runs.
func (a *auditor) overdue(r reading) []Finding {
	j := r.job
	if j.Name == "" || !j.Removed.IsZero() || j.Disabled != "" || len(r.open) > 0 {
		return nil
	}
	const remedy = "see that a host runs on this store, that it is ready, and that its run slots are not all taken for good"
	late := func(t time.Time) bool { return !t.IsZero() && a.opt.Now.Sub(t) > a.opt.Grace }
	held := func(t time.Time) bool { return a.opt.Now.Sub(t) <= a.opt.Grace }
	next := j.Next
	if a.opt.Starts != nil && !next.IsZero() {
		if t := a.opt.Starts(j); t.After(next) {
			next = t
		}
	}
	var f []Finding
	if late(next) && !held(j.LastEnded) && !j.Paused && !j.Done {
		f = append(f, Finding{Code: "overdue", Job: r.name, Slot: ScheduledSlot(j.Name, j.Next).ID, Remedy: remedy,
			What: fmt.Sprintf("the slot was due %s ago and nothing is recorded of it", ago(a.opt.Now.Sub(j.Next)))})
	}
	for _, p := range r.pending {
		if p.Slot.Kind != Manual && (j.Paused || held(j.ResumedAt)) || held(j.LastEnded) {
			continue
		}
		if late(p.Due) {
			f = append(f, Finding{Code: "overdue", Job: r.name, Slot: p.Slot.ID, Remedy: remedy,
				What: fmt.Sprintf("attempt %d of the slot was due %s ago and did not start", p.Attempt, ago(a.opt.Now.Sub(p.Due)))})
		}
	}
	return f
}

// outputs checks that what the runs wrote can be read back: output-missing.
func (a *auditor) outputs(ctx context.Context, r reading) ([]Finding, error) {
	if !a.opt.CheckOutput {
		return nil, nil
	}
	var f []Finding
	for _, run := range r.runs {
		if run.Outcome == Running || run.Output.Bytes == 0 {
			continue
		}
		what := a.output(ctx, run)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if what != "" {
			f = append(f, Finding{Code: "output-missing", Job: r.name, Slot: run.Slot.ID, RunID: run.RunID, What: what,
				Remedy: "the outcome stands, its output is lost: restore the output's file from a backup, or leave it to be pruned"})
		}
	}
	return f, nil
}

func (a *auditor) output(ctx context.Context, run Run) string {
	in, err := a.s.Output(ctx, run.RunID)
	if err != nil {
		return fmt.Sprintf("the output of %d bytes cannot be opened: %v", run.Output.Bytes, err)
	}
	sum := sha256.New()
	n, err := io.Copy(sum, in)
	if err = errors.Join(err, in.Close()); err != nil {
		return fmt.Sprintf("the output of %d bytes cannot be read: %v", run.Output.Bytes, err)
	}
	if n != run.Output.Bytes {
		return fmt.Sprintf("the output has %d bytes, and %d are recorded", n, run.Output.Bytes)
	}
	if hex.EncodeToString(sum.Sum(nil)) != run.Output.Digest {
		return "the output is not what was recorded: its digest differs"
	}
	return ""
}
