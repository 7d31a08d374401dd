package main

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/wcron/wcron/claims/memstore"
	"github.com/wcron/wcron/config"
	"github.com/wcron/wcron/host"
	"github.com/wcron/wcron/plugins"
)

type simulateCmd struct {
	From     string        `placeholder:"TIME" help:"When the host starts: 2026-03-08, 2026-03-08T02:30 or RFC 3339. Default: this minute."`
	To       string        `placeholder:"TIME" help:"The end, itself included. Default: a year after the start."`
	Jobs     []string      `placeholder:"JOB,..." help:"Only these jobs."`
	Duration []string      `placeholder:"[JOB=]TIME" help:"How long runs take, of one job or of all that have no history: 5s, backup=10m. Default: 5s."`
	History  string        `enum:"median,p95,max,none" default:"median" help:"Which of the durations on record a job's runs take: median, p95, max or none."`
	Fail     []string      `placeholder:"[JOB=]RATE" help:"How many attempts exit with code 1, of one job or of all: 10%, backup=2.5%."`
	Seed     uint64        `default:"1" help:"What decides which attempts fail, and all else that is left to chance."`
	MaxRuns  int           `placeholder:"N" default:"-1" help:"Runs at a time, instead of max_runs of the host file; 0: no limit."`
	Down     []string      `placeholder:"FROM/TO" help:"A time at which no host runs; may be given more than once."`
	MaxWait  time.Duration `placeholder:"TIME" help:"Count a run that starts later than this after its time as a finding."`
	Events   bool          `help:"Print each event instead of the summary."`
	Speed    float64       `placeholder:"N" help:"Play it live, N times as fast as real time, and print each event: 3600 is an hour in a second."`
}

// Help implements kong.HelpProvider.
func (*simulateCmd) Help() string {
	return "Plays the jobs on a virtual clock through the very loop, rules and schedules of wcron serve; the guests alone are left out: they take the time that " +
		"their jobs took before, or that --duration says. Nothing is run, claimed or written. The seed decides what is left to chance: the same " +
		"command tells the same. A plugin that waits for approval is played as if it had it, one that is denied only where --jobs names it.\n\n" +
		"Findings are slots that would be skipped or missed, runs that would be ended at their timeout, and with --max-wait runs that would start too late.\n\n" +
		"Exit codes: 0 no finding; 1 at least one; 2 usage or configuration; 3 the ledger could not be read."
}

// defaultDuration is how long runs take of which nothing is known.
const defaultDuration = 5 * time.Second

// Run plays the jobs.
func (c *simulateCmd) Run(ctx context.Context, a *app) error {
	path, err := a.locate()
	if err != nil {
		return err
	}
	set, _, unread, err := look(ctx, path)
	if err != nil {
		return usage("%w", err)
	}
	if unread != nil {
		return unreachable(unread)
	}
	if set == nil {
		if _, err := config.Load(path); err != nil {
			return exitError{exitUsage, err}
		}
		return usage("the host file %s cannot be used; see wcron check", path)
	}
	jobs, err := c.choose(a, set)
	if err != nil {
		return err
	}
	sim, err := c.simulation(a, set, jobs)
	if err != nil {
		return err
	}
	cast, err := c.cast(ctx, a, set.File, jobs)
	if err != nil {
		return err
	}
	sim.Guest = cast.play
	return c.play(ctx, a, sim, cast, set.Zone.Location)
}

// choose takes the jobs that can be simulated: those with a schedule, whatever else is wrong with them.
func (c *simulateCmd) choose(a *app, set *plugins.Set) ([]host.Job, error) {
	wanted := map[string]bool{}
	for _, name := range c.Jobs {
		wanted[name] = true
	}
	var jobs []host.Job
	var manual, reasons, pending, denied, updates []string
	broken := map[string][]string{} // by reason
	for _, j := range set.Jobs {
		if len(c.Jobs) > 0 && !wanted[j.Name] {
			continue
		}
		delete(wanted, j.Name)
		if j.ScheduleText == "" {
			manual = append(manual, j.Name)
			continue
		}
		played := hostJob(j)
		if _, err := played.Registration(a.now()); err != nil {
			return nil, usage("job %s cannot be simulated: %w", j.Name, err)
		}
		switch {
		case j.State == plugins.Denied && len(c.Jobs) == 0:
			denied = append(denied, j.Name)
			continue
		case j.State == plugins.Pending || j.State == plugins.Denied:
			pending, played.Broken = append(pending, j.Name), ""
		case j.Access.Update != nil:
			updates = append(updates, j.Name)
		}
		if why := played.Broken + played.Unready; why != "" {
			if len(broken[why]) == 0 {
				reasons = append(reasons, why)
			}
			broken[why] = append(broken[why], j.Name)
		}
		played.Broken, played.Unready = "", ""
		jobs = append(jobs, played)
	}
	for name := range wanted {
		return nil, exitError{exitUsage, fmt.Errorf("--jobs %s: there is no such job; see wcron list", name)}
	}
	for _, note := range []struct {
		jobs       []string
		what, then string
	}{
		{manual, "left out, because without a schedule", ""},
		{denied, "left out, because somebody has denied them", "; wcron approve takes that back"},
		{pending, "simulated as if they were approved", "; see wcron list"},
		{updates, "simulated with the version in use, because an update waits", "; see wcron list"},
	} {
		if len(note.jobs) > 0 {
			fmt.Fprintf(a.stderr, "note: %s: %s%s\n", note.what, listed(note.jobs, 8), note.then)
		}
	}
	for _, why := range reasons {
		fmt.Fprintf(a.stderr, "note: simulated as if it could run: %s; it cannot now: %s\n", listed(broken[why], 8), printable(why))
	}
	if len(jobs) == 0 {
		return nil, usage("there is nothing to simulate: no job has a schedule")
	}
	return jobs, nil
}

// simulation is what the flags and the host file make of it.
func (c *simulateCmd) simulation(a *app, set *plugins.Set, jobs []host.Job) (host.Simulation, error) {
	sim := host.Simulation{Jobs: jobs, Store: memstore.New(memstore.Config{Keep: 16}), Seed: c.Seed, MaxRuns: set.File.MaxRuns, DrainTimeout: set.File.DrainTimeout}
	if sim.DrainTimeout == 0 { // the zero value means the default
		sim.DrainTimeout = -1
	}
	if sim.CatchUp = set.File.CatchUp; sim.CatchUp == 0 {
		sim.CatchUp = -1
	}
	if c.MaxRuns >= 0 {
		sim.MaxRuns = c.MaxRuns
	}
	zone := set.Zone.Location
	if zone == nil {
		zone = time.UTC
	}
	sim.From = a.now().Truncate(time.Minute)
	var err error
	if c.From != "" {
		if sim.From, err = moment("--from", c.From, zone); err != nil {
			return sim, err
		}
	}
	sim.To = sim.From.In(zone).AddDate(1, 0, 0)
	if c.To != "" {
		if sim.To, err = moment("--to", c.To, zone); err != nil {
			return sim, err
		}
	}
	at := sim.From
	if !sim.To.After(at) {
		return sim, usage("--to %s is not after the start at %s", sim.To.Format(time.RFC3339), at.In(zone).Format(time.RFC3339))
	}
	for _, text := range c.Down {
		from, to, ok := strings.Cut(text, "/")
		if !ok {
			return sim, usage("--down %q: write FROM/TO, for example 2026-03-08T02:00/2026-03-08T05:00", text)
		}
		var d host.Span
		if d.From, err = moment("--down", from, zone); err == nil {
			d.To, err = moment("--down", to, zone)
		}
		if err != nil {
			return sim, err
		}
		if !d.From.After(at) || !d.To.After(d.From) || !sim.To.After(d.To) {
			return sim, usage("--down %s: give times in order, within the simulation, and those of several in order as well", text)
		}
		sim.Down, at = append(sim.Down, d), d.To
	}
	if c.Speed < 0 || c.MaxWait < 0 {
		return sim, usage("--speed and --max-wait must not be negative")
	}
	return sim, nil
}

// moment reads a time as a person writes it; without an offset it is in the zone.
func moment(flag, text string, zone *time.Location) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	for _, layout := range []string{"2006-01-02", "2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02 15:04:05"} {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usage("%s %q: write 2026-03-08, 2026-03-08T02:30 or 2026-03-08T02:30:00+01:00", flag, text)
}

// play runs the simulation and tells of it.
func (c *simulateCmd) play(ctx context.Context, a *app, sim host.Simulation, cast *cast, zone *time.Location) error {
	sum := newTally(sim, cast, c.MaxWait)
	show := newShower(a, c, sim, zone)
	var wrong error
	sim.OnEvent = func(e host.Event) {
		sum.add(e)
		if wrong == nil && (c.Events || c.Speed > 0) {
			wrong = show.event(e)
		}
	}
	sim.Pace = func(ctx context.Context, to time.Time) error {
		if wrong != nil { // stdout is gone
			return wrong
		}
		return show.pace(ctx, to)
	}
	// Little is kept and much is made: a heap of some megabytes need not be collected thousands of times.
	defer debug.SetGCPercent(debug.SetGCPercent(800))
	err := host.Simulate(ctx, sim)
	show.done()
	if err != nil {
		if errors.Is(err, context.Canceled) {
			return context.Canceled
		}
		return err
	}
	result := sum.result()
	if !c.Events {
		if err := result.print(a, zone); err != nil {
			return err
		}
	}
	if result.Findings > 0 {
		return exitError{code: exitBad}
	}
	return nil
}
