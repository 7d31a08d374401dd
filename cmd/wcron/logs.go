package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/wcron/wcron/admin"
	"github.com/wcron/wcron/claims"
)

type logsCmd struct {
	What   string `arg:"" optional:"" name:"run|job" help:"A run's id or its begin, or a job: its newest run. Default: the newest run of all."`
	Follow bool   `short:"f" help:"Go on until the run ends; of a job, go on with its next runs until a signal."`
}

// Help implements kong.HelpProvider.
func (*logsCmd) Help() string {
	return "Standard output and standard error of the run, in the order in which it wrote them. Which run it is and how it ended goes to stderr.\n\n" +
		"With --json each line is an object: run_id, job, text.\n\n" +
		"Exit codes: 0 done, 1 there is no such run, 2 usage or configuration, 3 the ledger or the host could not be reached."
}

// Run prints the output.
func (c *logsCmd) Run(ctx context.Context, a *app) error {
	return a.withOperator(ctx, func(o *operator) error {
		ledger := o.ledger() // whoever follows a job goes on when its host is started anew
		run, job, err := c.pick(ctx, o, ledger)
		if err != nil {
			return err
		}
		if run == nil && job == "" {
			return exitError{exitBad, errors.New("no run yet; see wcron list")}
		}
		if run == nil && !c.Follow {
			return exitError{exitBad, fmt.Errorf("job %s has not run yet; see wcron list", job)}
		}
		if run != nil {
			if err := c.print(ctx, a, ledger, *run); err != nil {
				return err
			}
		}
		if c.Follow && job != "" {
			return c.more(ctx, a, ledger, job, run)
		}
		return nil
	})
}

// pick finds the run that is meant; job is set when it is meant as the newest one of that job. nil: there is none yet.
func (c *logsCmd) pick(ctx context.Context, o *operator, ledger admin.API) (run *admin.Run, job string, err error) {
	runs, err := ledger.Runs(ctx, claims.RunQuery{Job: c.What, Limit: 1})
	if err != nil {
		return nil, "", err
	}
	if len(runs) > 0 {
		return &runs[0], c.What, nil
	}
	if c.What == "" {
		return nil, "", nil
	}
	jobs, err := o.Jobs(ctx)
	if err != nil {
		return nil, "", err
	}
	if slices.ContainsFunc(jobs, func(j admin.Job) bool { return j.Job == c.What }) {
		return nil, c.What, nil
	}
	runs, err = ledger.Runs(ctx, claims.RunQuery{RunID: c.What, Limit: 1})
	if err != nil {
		return nil, "", err
	}
	if len(runs) == 0 {
		return nil, "", fmt.Errorf("neither a job nor a run is called %q: %w", c.What, claims.ErrNoRun)
	}
	return &runs[0], "", nil
}

// print writes one run's output, between a line that says which run it is and, if it is followed, one that says how it ended.
func (c *logsCmd) print(ctx context.Context, a *app, ledger admin.API, r admin.Run) error {
	if !a.json {
		what := outcomeText(r)
		if r.EndedAt != nil {
			what += " " + relative(*r.EndedAt, a.now())
		}
		fmt.Fprintf(a.stderr, "run %s of %s, %s\n", r.RunID, r.Job, what)
	}
	out, end := c.writer(a, r)
	err := ledger.Output(ctx, r.RunID, c.Follow, out)
	if err = errors.Join(err, end()); err != nil {
		if ctx.Err() != nil {
			return exitError{exitInterrupted, nil}
		}
		return err
	}
	if !c.Follow || r.EndedAt != nil || a.json {
		return nil
	}
	runs, err := ledger.Runs(ctx, claims.RunQuery{RunID: r.RunID})
	if err == nil && len(runs) == 1 {
		fmt.Fprintln(a.stderr, summary(runs[0]))
	}
	return err
}

func (c *logsCmd) writer(a *app, r admin.Run) (w io.Writer, end func() error) {
	if !a.json {
		return a.forPeople()
	}
	l := &jsonLines{a: a, run: r}
	return l, l.end
}

// more goes on with the runs after the last one, until ctx ends.
func (c *logsCmd) more(ctx context.Context, a *app, ledger admin.API, job string, last *admin.Run) error {
	tick := time.NewTicker(3 * pollEvery)
	defer tick.Stop()
	seen := map[string]bool{}
	if last != nil {
		seen[last.RunID] = true
	}
	for {
		runs, err := ledger.Runs(ctx, claims.RunQuery{Job: job, Limit: 50})
		if err != nil && ctx.Err() == nil {
			return err
		}
		slices.Reverse(runs)
		for _, r := range runs {
			if seen[r.RunID] || (last != nil && r.ClaimedAt.Before(last.ClaimedAt)) {
				continue
			}
			seen[r.RunID] = true
			if err := c.print(ctx, a, ledger, r); err != nil {
				return err
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return exitError{exitInterrupted, nil}
		}
	}
}

// jsonLines turns what is written into one object a line.
type jsonLines struct {
	a    *app
	run  admin.Run
	rest []byte
}

func (l *jsonLines) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		line, rest, ok := bytes.Cut(l.rest, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		l.rest = rest
		if err := l.emit(line); err != nil {
			return 0, err
		}
	}
}

func (l *jsonLines) emit(line []byte) error {
	return l.a.emit(struct {
		RunID string `json:"run_id"`
		Job   string `json:"job"`
		Text  string `json:"text"`
	}{l.run.RunID, l.run.Job, strings.ToValidUTF8(string(line), "\uFFFD")})
}

// end gives out a last line that has no end of its own.
func (l *jsonLines) end() error {
	if len(l.rest) == 0 {
		return nil
	}
	return l.emit(l.rest)
}
