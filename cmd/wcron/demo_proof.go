package main

import (
	"context"
	"fmt"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/host"
)

// proof is what the ledger says of the demo.
type proof struct {
	Holds      bool             `json:"proof"`
	Seconds    int              `json:"seconds"` // slots of the greeter that were due
	Ran        int              `json:"ran"`     // of these, ran and were ok
	Stuck      int              `json:"stuck"`   // of these, due while a wedged run was stuck
	WedgedRuns int              `json:"wedged_runs"`
	LatestMS   int64            `json:"latest_ms"` // the most that a run of the greeter started after its time
	Findings   []claims.Finding `json:"findings"`  // of the audit
	Why        *string          `json:"why"`       // it does not hold
}

// String is the sentence for people.
func (p proof) String() string {
	s := fmt.Sprintf("greeter ran in %d of %d seconds while wedged was stuck for %d of them", p.Ran, p.Seconds, p.Stuck)
	if p.Holds {
		return fmt.Sprintf("proof: greeter ran in each of %d seconds while wedged was stuck for %d of them; audit clean", p.Seconds, p.Stuck)
	}
	return "no proof: " + s + ": " + *p.Why
}

// prove reads the ledger of a demo whose host claimed slots until end.
func prove(ctx context.Context, h claims.Audited, end time.Time) (proof, error) {
	p := proof{Findings: []claims.Finding{}}
	row, err := h.Job(ctx, "greeter")
	if err != nil {
		return p, unreachable(err)
	}
	slots, err := h.Slots(ctx, claims.SlotQuery{Job: "greeter", Limit: -1})
	if err != nil {
		return p, unreachable(err)
	}
	greetings, err := h.Runs(ctx, claims.RunQuery{Job: "greeter", Limit: -1})
	if err != nil {
		return p, unreachable(err)
	}
	wedged, err := h.Runs(ctx, claims.RunQuery{Job: "wedged", Limit: -1})
	if err != nil {
		return p, unreachable(err)
	}
	next, err := host.Occurrences(row)
	if err != nil {
		return p, fmt.Errorf("read the schedule of greeter: %w", err)
	}
	// A slot of the last second may have come after the host stopped claiming.
	first := p.count(dueTimes(next, row.Anchor, end.Add(-time.Second)), slots, wedged)
	for _, r := range greetings {
		p.LatestMS = max(p.LatestMS, milliseconds(r.StartedAt.Sub(r.Slot.At)))
	}
	p.WedgedRuns = len(wedged)
	found, err := claims.Audit(ctx, h, claims.AuditOptions{Now: end, Occurrences: host.Occurrences, CheckOutput: true})
	if err != nil {
		return p, unreachable(err)
	}
	p.Findings = append(p.Findings, found...)
	p.conclude(first, wedged)
	return p, nil
}

// dueTimes are the times of a schedule in (after, through].
func dueTimes(next func(time.Time) time.Time, after, through time.Time) []time.Time {
	var all []time.Time
	for at := next(after); !at.IsZero() && !at.After(through); at = next(at) {
		all = append(all, at)
	}
	return all
}

// count compares the due times with the slots on record, and returns what became of the first one that was not ok.
func (p *proof) count(due []time.Time, slots []claims.SlotRow, wedged []claims.Run) (first string) {
	verdicts := map[int64]claims.SlotRow{}
	for _, s := range slots {
		if s.Slot.Kind == claims.Scheduled && s.Count == 1 {
			verdicts[s.Slot.At.UnixNano()] = s
		}
	}
	for _, at := range due {
		p.Seconds++
		s, there := verdicts[at.UnixNano()]
		switch {
		case there && s.Verdict == claims.Verdict(claims.OK):
			p.Ran++
		case first != "":
		case !there:
			first = fmt.Sprintf("nothing is on record for %s", at.Format(time.RFC3339))
		default:
			first = fmt.Sprintf("the slot of %s is %q %s", at.Format(time.RFC3339), s.Verdict, s.Reason)
		}
		for _, r := range wedged {
			if !r.StartedAt.IsZero() && !at.Before(r.StartedAt) && at.Before(r.EndedAt) {
				p.Stuck++
				break
			}
		}
	}
	return first
}

// conclude says whether the proof holds.
func (p *proof) conclude(first string, wedged []claims.Run) {
	why := ""
	for _, r := range wedged {
		if r.Outcome != claims.Timeout {
			why = fmt.Sprintf("the wedged run %s ended as %s, not at its deadline", r.RunID, r.Outcome)
		}
	}
	switch {
	case len(p.Findings) > 0:
		why = fmt.Sprintf("the audit found %s: %s", plural(int64(len(p.Findings)), "fault"), p.Findings[0].What)
	case p.Seconds == 0:
		why = "no slot of greeter was due"
	case p.Ran < p.Seconds:
		why = first
	case p.Stuck == 0:
		why = "wedged was never stuck"
	}
	if why != "" {
		p.Why = &why
		return
	}
	p.Holds = true
}
