package main

import (
	"context"
	"fmt"
	"time"

	"github.com/wcron/wcron/admin"
	"github.com/wcron/wcron/claims"
)

type cancelCmd struct {
	RunID string `arg:"" name:"run" help:"The run's id, or enough of its begin to tell it from others."`
	Force bool   `help:"Close the run in the ledger if its owner does not end it within two seconds."`
}

// Help implements kong.HelpProvider.
func (*cancelCmd) Help() string {
	return "The run's owner ends it within a second: killed, with the cause cancelled. " +
		"An owner that is stopped or wedged does not; --force then closes the run without it, with the reason \"fenced by operator\". " +
		"Whatever that owner does when it wakes up, it can commit nothing of the run any more; " +
		"and a new run of the job starts only once the old guest is really gone.\n\n" +
		"Exit codes: 0 the run has ended, or its owner is asked to end it; 1 there is no such run, or it has ended before; " +
		"2 usage or configuration; 3 the ledger or the host could not be reached."
}

// cancelPatience is how long the command waits to tell how the run ended.
const cancelPatience = 1500 * time.Millisecond

// Run asks for the end of a run, and waits a little for it.
func (c *cancelCmd) Run(ctx context.Context, a *app) error {
	return a.withOperator(ctx, func(o *operator) error {
		defer a.slow("waiting for the run's owner")()
		asked, err := o.Do(ctx, admin.Request{Kind: claims.Cancel, RunID: c.RunID, By: caller(), Force: c.Force})
		if err != nil {
			return err
		}
		run, err := c.ended(ctx, o, *asked.RunID, asked.Note == nil)
		if err != nil {
			return err
		}
		if asked.Note != nil {
			fmt.Fprintf(a.stderr, "note: %s\n", printable(*asked.Note))
		}
		if a.json {
			return a.emit(run)
		}
		if run.EndedAt == nil {
			fmt.Fprintf(a.stdout, "run %s of %s is asked to end, and has not yet; wcron cancel --force %s closes it without its owner\n",
				run.RunID, run.Job, shownID(run.RunID))
			return nil
		}
		fmt.Fprintln(a.stdout, summary(run))
		return nil
	})
}

// ended is the run as it is at its end, or when patience is over.
func (c *cancelCmd) ended(ctx context.Context, o *operator, id string, patient bool) (admin.Run, error) {
	begun := time.Now()
	tick := time.NewTicker(pollEvery / 2)
	defer tick.Stop()
	for {
		runs, err := o.Runs(ctx, claims.RunQuery{RunID: id})
		if err == nil && len(runs) == 0 {
			err = fmt.Errorf("run %s: %w", id, claims.ErrNoRun)
		}
		if err != nil {
			return admin.Run{}, err
		}
		if runs[0].EndedAt != nil || !patient || time.Since(begun) > cancelPatience {
			return runs[0], nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return admin.Run{}, ctx.Err()
		}
	}
}
