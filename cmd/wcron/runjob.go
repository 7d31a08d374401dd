package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/wcron/wcron/admin"
	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/host"
	"github.com/wcron/wcron/sandbox"
)

type runCmd struct {
	Job   string `arg:"" help:"The job."`
	Input string `placeholder:"FILE" help:"JSON for the event's input, in place of the job's own; - reads stdin."`
	Wait  bool   `help:"Print what the run writes, and end with its outcome. Always so where no host is running."`
}

// Help implements kong.HelpProvider.
func (*runCmd) Help() string {
	return "The run is a slot of its own: the schedule goes on as it would, and a paused job stays paused. " +
		"Where no host is running, this command makes the run itself; if it is killed, the next host recovers the run.\n\n" +
		"With --json each run is one object, after its end, without its output.\n\n" +
		"Exit codes: 0 asked for, or with --wait the run is ok; 1 there is no such job, it cannot run, or the run is not ok; " +
		"2 usage or configuration; 3 the ledger or the host could not be reached."
}

// Run asks for a run and, if that is wanted or nobody else does it, sees it through.
func (c *runCmd) Run(ctx context.Context, a *app) error {
	input, err := c.input(a)
	if err != nil {
		return err
	}
	return a.withOperator(ctx, func(o *operator) error {
		alone, err := c.ownRun(ctx, a, o)
		if err != nil {
			return err
		}
		asked, err := o.Do(ctx, admin.Request{Kind: claims.Trigger, Job: c.Job, Input: input, By: caller()})
		if err != nil {
			return err
		}
		if !alone && !c.Wait {
			if a.json {
				return a.emit(asked)
			}
			fmt.Fprintf(a.stdout, "asked for a run of %s, slot %s; see wcron logs -f %s\n", c.Job, *asked.Slot, c.Job)
			return nil
		}
		w := &waiter{a: a, o: o, ledger: o.ledger(), asked: asked}
		if !alone {
			return w.wait(ctx)
		}
		return c.alone(ctx, a, o, w)
	})
}

// ownRun decides whether this process has to make the run, and makes sure that it can. A job of another configuration is left to
// the hosts of that one.
func (c *runCmd) ownRun(ctx context.Context, a *app, o *operator) (bool, error) {
	if o.hosted {
		return false, nil
	}
	if _, ours := o.set.Job(c.Job); ours {
		return true, compiles(ctx, a, o, c.Job)
	}
	if len(o.status.Hosts) == 0 {
		return false, fmt.Errorf("job %q: %w in the configuration", c.Job, claims.ErrNoJob)
	}
	return false, nil
}

// input reads and checks the JSON.
func (c *runCmd) input(a *app) (json.RawMessage, error) {
	if c.Input == "" {
		return nil, nil
	}
	b, err := readInput(a, c.Input)
	if err != nil {
		return nil, usage("--input: %w", err)
	}
	if !json.Valid(b) {
		return nil, usage("--input %s: it is not JSON", c.Input)
	}
	return bytes.TrimSpace(b), nil
}

// readInput reads a file, or stdin for "-", up to what an input may have.
func readInput(a *app, name string) ([]byte, error) {
	from := a.stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		from = f
	}
	b, err := io.ReadAll(io.LimitReader(from, admin.MaxInput+1))
	if err == nil && len(b) > admin.MaxInput {
		err = fmt.Errorf("%s has more than %d bytes", name, admin.MaxInput)
	}
	return b, err
}

// compiles makes sure that a run will start, before it is asked for: nobody else would take the request back. What it compiles is
// in the cache then.
func compiles(ctx context.Context, a *app, o *operator, name string) error {
	j, ok := o.set.Job(name)
	if !ok || j.Digest == "" {
		return nil // the API says what is wrong
	}
	wasm, err := j.Load()
	if err != nil {
		return exitError{exitBad, err}
	}
	e, err := sandbox.New(ctx, a.sandboxConfig(o.file, o.place.cache))
	if err != nil {
		return unreachable(err)
	}
	defer func() { _ = e.Close(context.WithoutCancel(ctx)) }()
	m, err := e.Compile(ctx, wasm)
	if err != nil {
		return exitError{blame(err, exitBad), fmt.Errorf("job %s: %s: %w", name, j.Plugin, err)}
	}
	defer func() { _ = m.Close(context.WithoutCancel(ctx)) }()
	if err := m.CheckEntry(j.Settings.Entry); err != nil {
		return exitError{exitBad, fmt.Errorf("job %s: %s: %w", name, j.Plugin, err)}
	}
	return nil
}

// alone makes the run in this process, as an owner with its own lock.
func (c *runCmd) alone(ctx context.Context, a *app, o *operator, w *waiter) error {
	var job host.Job
	for _, j := range hostJobs(o.set) {
		if j.Name == c.Job {
			job = j
		}
	}
	cfg := a.hostConfig(o.file, o.place)
	cfg.Store, cfg.Jobs, cfg.Only, cfg.DrainTimeout = o.store, host.NewJobs(job), *w.asked.Slot, -1
	cfg.Instance, cfg.Version = admin.OneRunInstance(host.NewInstance()), thisBuild().Version
	h, err := host.New(cfg)
	if err != nil {
		return unreachable(err)
	}
	w.own = h
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- h.Run(running) }()
	// The host ends by itself at the verdict, unless another host that has started meanwhile takes the slot: then wait sees that.
	waited := w.wait(ctx)
	stop()
	if err := <-ended; err != nil {
		return errors.Join(waited, unreachable(err))
	}
	return waited
}

// waiter follows a slot to its verdict.
type waiter struct {
	a      *app
	o      *operator
	ledger admin.API // so that it outlives the host
	asked  admin.Answer
	own    *host.Host // this process's own; nil: the host that answers
	seen   map[string]bool
	told   string // the last reason that was printed
}

const pollEvery = 100 * time.Millisecond

// wait prints what the slot's runs write, and ends with the outcome of the last one.
func (w *waiter) wait(ctx context.Context) error {
	w.seen = map[string]bool{}
	begun := time.Now()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		// The verdict is read first: what is there then has all runs.
		verdict, err := w.verdict(ctx)
		if err != nil {
			return w.interrupted(ctx, err)
		}
		last, err := w.newRuns(ctx)
		if err != nil {
			return w.interrupted(ctx, err)
		}
		if verdict != nil {
			return w.end(*verdict, last)
		}
		if time.Since(begun) > 2*time.Second && len(w.seen) == 0 {
			if err := w.progress(ctx); err != nil {
				return err
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return w.interrupted(ctx, ctx.Err())
		}
	}
}

// interrupted says what becomes of the run when the wait is broken off.
func (w *waiter) interrupted(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	if w.own == nil {
		fmt.Fprintf(w.a.stderr, "wcron: no longer waiting; the run goes on, and wcron cancel RUN ends it\n")
	}
	return exitError{exitInterrupted, nil}
}

func (w *waiter) verdict(ctx context.Context) (*string, error) {
	slots, err := w.ledger.Slots(ctx, claims.SlotQuery{Job: w.asked.Job, Since: w.asked.ScheduledAt, Limit: -1})
	for _, s := range slots {
		if s.Slot == *w.asked.Slot {
			return s.Verdict, err
		}
	}
	return nil, err
}

// newRuns prints the output of the runs that are new, each to its end, and returns the last one of all.
func (w *waiter) newRuns(ctx context.Context) (last *admin.Run, err error) {
	runs, err := w.ledger.Runs(ctx, claims.RunQuery{Slot: *w.asked.Slot})
	if err != nil || len(runs) == 0 {
		return nil, err
	}
	for i := len(runs) - 1; i >= 0; i-- { // oldest first
		if id := runs[i].RunID; !w.seen[id] {
			w.seen[id] = true
			if err := w.follow(ctx, id); err != nil {
				return nil, err
			}
		}
	}
	return &runs[0], nil
}

func (w *waiter) follow(ctx context.Context, id string) error {
	out, end := w.a.forPeople()
	if w.a.json {
		out = io.Discard
	}
	if err := errors.Join(w.ledger.Output(ctx, id, true, out), end()); err != nil {
		return err
	}
	runs, err := w.ledger.Runs(ctx, claims.RunQuery{RunID: id})
	if err != nil || len(runs) == 0 {
		return err
	}
	if w.a.json {
		return w.a.emit(runs[0])
	}
	fmt.Fprintf(w.a.stderr, "%s\n", summary(runs[0]))
	return nil
}

// summary is a run in one line.
func summary(r admin.Run) string {
	s := fmt.Sprintf("run %s of %s: %s", r.RunID, r.Job, outcomeText(r))
	if r.DurationMS != nil {
		s += " after " + took(r.DurationMS)
	}
	if why := reasonOf(r); why != "" {
		s += "; " + printable(why)
	}
	return s
}

// progress says why nothing has happened yet. A job that this process cannot run is given up.
func (w *waiter) progress(ctx context.Context) error {
	why := ""
	if w.own == nil {
		jobs, err := w.o.Jobs(ctx)
		if err != nil {
			why = err.Error()
		}
		for _, j := range jobs {
			if j.Job == w.asked.Job {
				why = text(j.Reason)
			}
		}
	} else {
		list, err := w.own.Status(ctx)
		for _, s := range list {
			if err == nil && (s.State == host.Broken || s.State == host.Pending || s.State == host.Denied) {
				return exitError{exitBad, fmt.Errorf("job %s cannot run: %s; the request stays, and a host runs it once that is mended", s.Job.Name, s.Reason)}
			}
			why = s.Reason
		}
	}
	if why != "" && why != w.told {
		w.told = why
		fmt.Fprintf(w.a.stderr, "waiting: %s\n", printable(why))
	}
	return nil
}

// end turns the verdict into the exit code.
func (w *waiter) end(verdict string, last *admin.Run) error {
	if verdict == string(claims.OK) {
		return nil
	}
	if last == nil { // nothing has run, so nothing was said yet
		return exitError{exitBad, fmt.Errorf("slot %s: %s; see wcron history --slots %s", *w.asked.Slot, verdict, w.asked.Job)}
	}
	return exitError{exitBad, nil}
}
