package main

import (
	"context"
	"fmt"

	"github.com/wcron/wcron/admin"
	"github.com/wcron/wcron/claims"
)

type skipCmd struct {
	Job    string `arg:"" help:"The job."`
	Next   bool   `help:"Pass over the next slot of its schedule."`
	Undo   bool   `help:"Let the slot run after all that was to be passed over."`
	Reason string `placeholder:"TEXT" help:"Why, for those who look at the list and the history."`
}

// Help implements kong.HelpProvider.
func (*skipCmd) Help() string {
	return "The slot is recorded as skipped, with the reason, when its time has come; the schedule goes on after it. Asking twice skips one slot. " +
		"Until its time wcron list shows it, and --undo takes it back. A slot that is due already is not the next one: see wcron cancel. " +
		"To keep a job from running for longer, see wcron pause.\n\n" +
		"Exit codes: 0 done, 1 there is no such job, 2 usage or configuration, or the job has no further slot, 3 the ledger or the host could not be reached."
}

// Run marks the next slot, or takes the mark back.
func (c *skipCmd) Run(ctx context.Context, a *app) error {
	if c.Next == c.Undo {
		return usage("wcron skip %s: give --next, or --undo to take it back", c.Job)
	}
	if c.Undo {
		return ask(ctx, a, admin.Request{Kind: claims.Unskip, Job: c.Job, By: caller()}, "runs its next slot")
	}
	return a.withOperator(ctx, func(o *operator) error {
		asked, err := o.Do(ctx, admin.Request{Kind: claims.Skip, Job: c.Job, Reason: c.Reason, By: caller()})
		if err != nil {
			return err
		}
		if a.json {
			return a.emit(asked)
		}
		fmt.Fprintf(a.stdout, "job %s skips its slot of %s (%s); take it back with: wcron skip %s --undo\n", c.Job,
			stamp(asked.ScheduledAt, o.zone()), relative(asked.ScheduledAt, a.now()), c.Job)
		return nil
	})
}
