package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/wcron/wcron/admin"
	"github.com/wcron/wcron/claims"
)

type historyCmd struct {
	Job   string `arg:"" optional:"" help:"Only of this job."`
	Slots bool   `help:"Show slots instead of runs: what became of each time that was due."`
	N     int    `name:"count" short:"n" default:"20" help:"How many, newest first; 0 for all."`
}

// Help implements kong.HelpProvider.
func (*historyCmd) Help() string {
	return "Outcomes: ok, failed, timeout, trapped, killed, orphaned (its owner died), discarded (its job was removed); running while it is open. " +
		"A slot's verdict is that of its last run, or missed or skipped with the reason.\n\n" +
		"Exit codes: 0 done, 1 there is no such job, 2 usage or configuration, 3 the ledger or the host could not be reached."
}

// Run shows runs or slots.
func (c *historyCmd) Run(ctx context.Context, a *app) error {
	if c.N < 0 {
		return usage("-n %d: give a number of 0 or more", c.N)
	}
	if c.N == 0 {
		c.N = -1
	}
	return a.withOperator(ctx, func(o *operator) error {
		if c.Slots {
			return c.slots(ctx, a, o)
		}
		return c.runs(ctx, a, o)
	})
}

// known makes sure of a job without history.
func (c *historyCmd) known(ctx context.Context, a *app, o *operator, what string) error {
	if c.Job != "" {
		jobs, err := o.Jobs(ctx)
		if err != nil {
			return err
		}
		found := false
		for _, j := range jobs {
			found = found || j.Job == c.Job
		}
		if !found {
			return fmt.Errorf("job %q: %w", c.Job, claims.ErrNoJob)
		}
	}
	if !a.json {
		fmt.Fprintf(a.stdout, "no %s yet\n", what)
	}
	return nil
}

func (c *historyCmd) runs(ctx context.Context, a *app, o *operator) error {
	runs, err := o.Runs(ctx, claims.RunQuery{Job: c.Job, Limit: c.N})
	if err != nil {
		return err
	}
	if len(runs) == 0 {
		return c.known(ctx, a, o, "runs")
	}
	if a.json {
		return emitAll(a, runs)
	}
	now := a.now().In(o.zone())
	t := table{heads: []string{"WHEN", "JOB", "RUN", "OUTCOME", "TOOK", "FUEL", "NOTE"}}
	for _, r := range runs {
		took := took(r.DurationMS)
		if r.EndedAt == nil {
			took = span(now.Sub(r.ClaimedAt)) + " so far"
		}
		t.row(relative(r.ClaimedAt, now), r.Job, shownID(r.RunID), cell{outcomeText(r), outcomeColour(r.Outcome)}, took, fuelText(r.Fuel), runNote(r, now))
	}
	a.write(t)
	return nil
}

// outcomeText is the outcome with what tells it from others of its name.
func outcomeText(r admin.Run) string {
	switch cause := text(r.Cause); {
	case r.ExitCode != nil && r.Outcome == string(claims.Failed):
		return fmt.Sprintf("failed (exit %d)", *r.ExitCode)
	case cause != "" && cause != string(claims.Deadline) && cause != string(claims.Trap): // those two say no more than the outcome
		return fmt.Sprintf("%s (%s)", r.Outcome, strings.ReplaceAll(cause, "_", " "))
	}
	return r.Outcome
}

// reasonOf is the reason, unless outcomeText says the same.
func reasonOf(r admin.Run) string {
	if r.ExitCode != nil && text(r.Reason) == fmt.Sprintf("exit code %d", *r.ExitCode) {
		return ""
	}
	return text(r.Reason)
}

// fuelText is a count in three digits.
func fuelText(fuel *int64) string {
	if fuel == nil {
		return ""
	}
	n, unit := float64(*fuel), ""
	for _, u := range []string{"k", "M", "G", "T", "P", "E"} {
		if n < 999.5 {
			break
		}
		n, unit = n/1000, u
	}
	digits := 0
	if unit != "" && n < 99.95 {
		digits = 1
	}
	return strconv.FormatFloat(n, 'f', digits, 64) + unit
}

// lateEnough is how late a start has to be to be worth a word.
const lateEnough = 2000

// runNote is what else there is to say of a run.
func runNote(r admin.Run, now time.Time) string {
	var notes []string
	add := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if r.Attempt > 1 {
		add("attempt %d", r.Attempt)
	}
	switch {
	case r.AtStart:
		add("at the start of a host (@reboot)")
	case r.Manual:
		add("by hand")
	case r.Backfill:
		add("backfill")
	case r.LatenessMS != nil && *r.LatenessMS >= lateEnough:
		add("started %s late", took(r.LatenessMS))
	}
	evidence := text(r.Evidence)
	if _, of, ok := strings.Cut(evidence, ": "); ok { // behind the verdict, which the reason says as well
		evidence = of
	}
	if why := strings.TrimSuffix(reasonOf(r), ": "+evidence); why != "" {
		add("%s", why)
	}
	if evidence != "" {
		add("evidence: %s", evidence)
	}
	if r.LateAt != nil {
		add("a late result (%s) came %s and was not committed", text(r.LateOutcome), relative(*r.LateAt, now))
	}
	if r.Partial {
		add("output is partial")
	}
	if r.OutputCutBytes > 0 {
		add("%s of output cut", bytesText(r.OutputCutBytes))
	}
	return strings.Join(notes, "; ")
}

func (c *historyCmd) slots(ctx context.Context, a *app, o *operator) error {
	slots, err := o.Slots(ctx, claims.SlotQuery{Job: c.Job, Limit: c.N})
	if err != nil {
		return err
	}
	if len(slots) == 0 {
		return c.known(ctx, a, o, "slots")
	}
	if a.json {
		return emitAll(a, slots)
	}
	now := a.now().In(o.zone())
	t := table{heads: []string{"SCHEDULED", "WHEN", "JOB", "VERDICT", "RUNS", "REASON"}}
	for _, s := range slots {
		verdict := text(s.Verdict)
		if verdict == "" {
			verdict = "open"
		}
		reason := text(s.Reason)
		shown := cell{verdict, outcomeColour(verdict)}
		if s.Count > 1 {
			shown.text = fmt.Sprintf("%s x %d", verdict, s.Count)
			reason = strings.TrimPrefix(reason+"; the last one at "+stamp(s.Until, o.zone()), "; ")
		}
		ids := make([]string, len(s.RunIDs))
		for i, id := range s.RunIDs {
			ids[i] = shownID(id)
		}
		t.row(stamp(s.ScheduledAt, o.zone()), relative(s.ScheduledAt, now), s.Job, shown, strings.Join(ids, " "), reason)
	}
	a.write(t)
	return nil
}
