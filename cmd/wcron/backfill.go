package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/wcron/wcron/admin"
	"github.com/wcron/wcron/claims"
)

type backfillCmd struct {
	Job  string `arg:"" help:"The job."`
	From string `placeholder:"TIME" help:"The earliest time that is made up for: 2026-03-08, 2026-03-08T02:30 or 2026-03-08T02:30:00+01:00; without an offset in the job's zone."`
	To   string `placeholder:"TIME" help:"The latest one. Default: now."`
	Yes  bool   `short:"y" help:"Do not ask."`
	Stop bool   `help:"Take back what of the job's backfills has not started."`
}

// Help implements kong.HelpProvider.
func (*backfillCmd) Help() string {
	return "Runs the job once for each time of its schedule in the range that has no run which is ok: that was missed, skipped, failed, or was before the job " +
		"existed. The runs go one after the other, oldest first, each a slot of its own with the scheduled time that it makes up for; the schedule goes on " +
		"meanwhile, and its slots go first. A paused job's backfill waits. It shows what would run and asks; where nobody can be asked it does no more " +
		"than that, unless --yes is given. At most " + fmt.Sprint(admin.MaxBackfill) + " runs can be asked for at once.\n\n" +
		"Where no host is running, this command makes the runs itself; what is left when it is ended is for the next host.\n\n" +
		"Exit codes: 0 asked for, or made and all ok, or nothing to do, or only shown; 1 there is no such job, it cannot run, or a run that this command made " +
		"is not ok; 2 usage or configuration; 3 the ledger or the host could not be reached; 130 the answer was no."
}

// Run shows what would run, asks, and asks for it.
func (c *backfillCmd) Run(ctx context.Context, a *app) error {
	if c.Stop {
		return ask(ctx, a, admin.Request{Kind: claims.Unfill, Job: c.Job, By: caller(), Reason: "the backfill was taken back by " + caller()},
			"makes up for nothing any more; what runs goes on")
	}
	if c.From == "" {
		return usage("wcron backfill %s: give --from", c.Job)
	}
	return a.withOperator(ctx, func(o *operator) error {
		r := admin.Request{Kind: claims.Fill, Job: c.Job, By: caller(), Dry: true}
		zone, err := c.zone(ctx, o)
		if err != nil {
			return err
		}
		if r.From, err = timeOf("--from", c.From, zone); err == nil && c.To != "" {
			r.To, err = timeOf("--to", c.To, zone)
		}
		if err != nil {
			return err
		}
		plan, err := o.Do(ctx, r)
		if err != nil {
			return err
		}
		if !a.json {
			c.show(a, plan, zone)
		}
		if len(plan.Times) == 0 || !c.Yes && !c.agreed(a) {
			return c.nothing(a, plan)
		}
		alone, err := (&runCmd{Job: c.Job}).ownRun(ctx, a, o)
		if err != nil {
			return err
		}
		r.Dry = false
		asked, err := o.Do(ctx, r)
		if err != nil {
			return err
		}
		if a.json && !alone {
			return a.emit(asked)
		}
		if alone {
			return c.alone(ctx, a, o, asked)
		}
		fmt.Fprintf(a.stdout, "asked for %s; see wcron history %s, and wcron backfill %s --stop\n", plural(int64(len(asked.Times)), "run"), c.Job, c.Job)
		return nil
	})
}

// zone is the one in which the job's times are meant.
func (c *backfillCmd) zone(ctx context.Context, o *operator) (*time.Location, error) {
	jobs, err := o.Jobs(ctx)
	if err != nil {
		return nil, err
	}
	for _, j := range jobs {
		if j.Job == c.Job {
			if loc, err := time.LoadLocation(j.Timezone); err == nil {
				return loc, nil
			}
		}
	}
	return o.zone(), nil
}

// timeOf reads a time as it stands on a command line.
func timeOf(flag, text string, loc *time.Location) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	for _, layout := range []string{"2006-01-02", "2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02 15:04:05"} {
		if t, err := time.ParseInLocation(layout, text, loc); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usage("%s %q: write 2026-03-08, 2026-03-08T02:30 or 2026-03-08T02:30:00+01:00", flag, text)
}

// show lists what would run.
func (c *backfillCmd) show(a *app, plan admin.Answer, zone *time.Location) {
	const most = 10
	for i, t := range plan.Times {
		if i == most && len(plan.Times) > most+1 {
			fmt.Fprintf(a.stdout, "  and %d more, the last at %s\n", len(plan.Times)-i, stamp(plan.Times[len(plan.Times)-1], zone))
			return
		}
		fmt.Fprintf(a.stdout, "  %s\n", stamp(t, zone))
	}
}

// agreed asks the person at the terminal. Nobody there has not agreed.
func (c *backfillCmd) agreed(a *app) bool {
	in, ok := file(a.stdin)
	if !ok || !terminal(in) || a.json {
		return false
	}
	fmt.Fprintf(a.stderr, "run job %s for these times, one after the other? [y/N] ", c.Job)
	line, _ := bufio.NewReader(in).ReadString('\n') // an end of the input is no
	line = strings.ToLower(strings.TrimSpace(line))
	return line == "y" || line == "yes"
}

// nothing ends a command that asked for nothing.
func (c *backfillCmd) nothing(a *app, plan admin.Answer) error {
	switch in, ok := file(a.stdin); {
	case a.json:
		return a.emit(plan)
	case len(plan.Times) == 0:
		fmt.Fprintf(a.stdout, "every time of job %s in that range has a good run, or one that is to come\n", c.Job)
	case ok && terminal(in):
		return exitError{exitInterrupted, errors.New("nothing was asked for")}
	default:
		fmt.Fprintf(a.stdout, "%s would be made; nothing was asked for: add --yes\n", plural(int64(len(plan.Times)), "run"))
	}
	return nil
}

// alone makes the runs in this process, one after the other.
func (c *backfillCmd) alone(ctx context.Context, a *app, o *operator, asked admin.Answer) error {
	var bad error
	for i, id := range asked.Slots {
		one := admin.Answer{Job: c.Job, Slot: &id, ScheduledAt: asked.Times[i]}
		err := (&runCmd{Job: c.Job}).alone(ctx, a, o, &waiter{a: a, o: o, ledger: o.ledger(), asked: one})
		var e exitError
		switch {
		case err == nil:
		case errors.As(err, &e) && e.code == exitBad:
			bad = errors.Join(bad, err)
		default:
			fmt.Fprintf(a.stderr, "wcron: %s left to the next host; wcron backfill %s --stop takes them back\n", plural(int64(len(asked.Slots)-i), "run"), c.Job)
			return err
		}
	}
	if bad != nil {
		return exitError{exitBad, nil}
	}
	return nil
}
