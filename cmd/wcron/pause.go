package main

import (
	"context"
	"fmt"

	"github.com/wcron/wcron/admin"
	"github.com/wcron/wcron/claims"
)

type pauseCmd struct {
	Job    string `arg:"" help:"The job."`
	Reason string `placeholder:"TEXT" help:"Why, for those who look at the list."`
}

// Help implements kong.HelpProvider.
func (*pauseCmd) Help() string {
	return "Slots that come due while a job is paused are recorded as skipped, and a retry that is due waits. A run in flight goes on, and wcron run still runs the job. " +
		"Pausing a paused job changes nothing.\n\n" + pauseCodes
}

const pauseCodes = "Exit codes: 0 done, 1 there is no such job, 2 usage or configuration, 3 the ledger or the host could not be reached."

// Run pauses.
func (c *pauseCmd) Run(ctx context.Context, a *app) error {
	return ask(ctx, a, admin.Request{Kind: claims.Pause, Job: c.Job, Reason: c.Reason, By: caller()}, "is paused; go on with: wcron resume "+c.Job)
}

type resumeCmd struct {
	Job string `arg:"" help:"The job."`
}

// Help implements kong.HelpProvider.
func (*resumeCmd) Help() string {
	return "The job goes on with its next slot. Resuming a job that is not paused changes nothing.\n\n" + pauseCodes
}

// Run resumes.
func (c *resumeCmd) Run(ctx context.Context, a *app) error {
	return ask(ctx, a, admin.Request{Kind: claims.Resume, Job: c.Job, By: caller()}, "goes on")
}

// ask makes a request that has no more to show than that it was made.
func ask(ctx context.Context, a *app, r admin.Request, done string) error {
	return a.withOperator(ctx, func(o *operator) error {
		asked, err := o.Do(ctx, r)
		if err != nil {
			return err
		}
		if a.json {
			return a.emit(asked)
		}
		fmt.Fprintf(a.stdout, "job %s %s\n", r.Job, done)
		return nil
	})
}
