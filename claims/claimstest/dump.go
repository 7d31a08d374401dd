package claimstest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
)

// dump writes all that a ledger says in lines that two engines which keep to the contract have in common. What the contract
// leaves open is left out: revisions, how slots without a run are grouped, and the row of a manual request that waits.
func dump(t testing.TB, s claims.History) []string {
	t.Helper()
	ctx := context.Background()
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	fail := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	jobs, err := s.Jobs(ctx)
	fail(err)
	for _, j := range jobs {
		lines = append(lines, jobLine(j))
		state, _, err := s.State(ctx, j.Name)
		fail(err)
		for _, e := range state {
			add("state of %s: %q = %q by run %s seq %d of %s", j.Name, e.Key, e.Value, e.RunID, e.Seq-j.Born, e.Job)
		}
	}
	open, err := s.Open(ctx)
	fail(err)
	for _, o := range open {
		add("open %s %s attempt %d by %s at %s until %s cancel %s by %q for %s, of %d lanes", o.RunID, o.Slot.ID, o.Attempt, o.Owner, at(o.ClaimedAt), at(o.Deadline), at(o.Cancel), o.CancelBy,
			o.CancelFor, o.Lanes)
	}
	pending, err := s.Pending(ctx)
	fail(err)
	for _, p := range pending {
		add("pending %s attempt %d at %s due %s input %s by %q stands for %d", p.Slot.ID, p.Attempt, at(p.Slot.At), at(p.Due), p.Input, p.By, p.StandsFor)
	}
	runs, err := s.Runs(ctx, claims.RunQuery{Limit: -1})
	fail(err)
	last := map[string]claims.Run{}
	for _, r := range runs {
		if r.Outcome == claims.Discarded {
			r.Cause, r.Reason = "", ""
		}
		if r.Cause == claims.StateConflict {
			r.Reason = ""
		}
		add("run %s %s attempt %d by %s digest %s from %s to %s: %s %s %q stands for %d, %d bytes %s, late %s %s", r.RunID, r.Slot.ID, r.Attempt,
			r.Owner, r.Digest, at(r.ClaimedAt), at(r.EndedAt), r.Outcome, r.Cause, r.Reason, r.StandsFor, r.Output.Bytes, r.Output.Digest, at(r.LateAt), r.Late)
		if r.Attempt > last[r.Slot.ID].Attempt {
			last[r.Slot.ID] = r
		}
	}
	slots, err := s.Slots(ctx, claims.SlotQuery{Limit: -1})
	fail(err)
	counts := map[string]int64{}
	for _, row := range slots {
		v := row.Verdict
		r, ran := last[row.Slot.ID]
		switch {
		case ran && row.Count == 1:
			if v == claims.Skipped { // the next attempt was given up: the contract allows either verdict
				v = claims.Verdict(r.Outcome)
			}
			add("slot %s %s %s of %d runs", row.Slot.ID, row.Slot.Kind, v, len(row.RunIDs))
		case v != "":
			counts[fmt.Sprintf("%s %s %s", row.Slot.Job, row.Slot.Kind, v)] += row.Count
		}
	}
	for key, n := range counts {
		add("slots %s: %d", key, n)
	}
	slices.Sort(lines)
	return lines
}

func jobLine(j claims.Job) string {
	if j.Name == "" {
		return "no job"
	}
	if !j.Removed.IsZero() {
		return fmt.Sprintf("job %s of %s removed %s", j.Name, j.Source, at(j.Removed))
	}
	reason := ""
	if j.Paused {
		reason = j.Reason
	}
	return fmt.Sprintf("job %s of %s %s %q %s anchor %s next %s paused %v %s %q resumed %s disabled %q repeats %d failures %d done %v last %s %s %s skip %s %q within %s %s settled %s", j.Name, j.Source,
		j.Definition, j.Schedule, j.Timezone, at(j.Anchor), at(j.Next), j.Paused, at(j.PausedAt), reason, at(j.ResumedAt), j.Disabled, j.Repeats,
		j.Failures, j.Done, j.LastRun, j.Last, at(j.LastEnded), at(j.SkipAt), j.SkipReason, at(j.NotBefore), at(j.NotAfter), at(j.Settled))
}

func at(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("01-02T15:04:05.000")
}

// difference lists the lines that only one of two dumps has.
func difference(before, after []string) string {
	var b strings.Builder
	for _, line := range before {
		if !slices.Contains(after, line) {
			fmt.Fprintf(&b, "- %s\n", line)
		}
	}
	for _, line := range after {
		if !slices.Contains(before, line) {
			fmt.Fprintf(&b, "+ %s\n", line)
		}
	}
	return b.String()
}
