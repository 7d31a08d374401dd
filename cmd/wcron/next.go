package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wcron/wcron/admin"
	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/host"
	"github.com/wcron/wcron/schedule"
)

type nextCmd struct {
	What string `arg:"" optional:"" name:"job|expr" help:"A job, or a schedule such as \"0 9 * * MON-FRI\". Default: all jobs."`
	N    int    `name:"count" short:"n" default:"5" help:"How many times."`
	TZ   string `name:"tz" placeholder:"ZONE" help:"Read the schedule, and show times, in this zone."`
	From string `placeholder:"TIME" help:"Times after this one, itself excluded: 2026-03-08, 2026-03-08T02:30 or RFC 3339. Default: now."`
}

// Help implements kong.HelpProvider.
func (*nextCmd) Help() string {
	return "A schedule is anything that the key schedule takes; it needs no configuration.\n\n" +
		"Exit codes: 0 done, 1 there is no such job, 2 usage, configuration or a schedule that cannot be read, 3 the ledger could not be reached."
}

// occurrence is one time at which something is due.
type occurrence struct {
	At   time.Time `json:"at"` // in the zone of the schedule
	UTC  time.Time `json:"utc"`
	Note *string   `json:"note"`
	Job  *string   `json:"job"`
}

// source is a schedule with what is to be said of its times.
type times struct {
	job  string
	next func(time.Time) time.Time
	loc  *time.Location
	note string
}

// Run shows the times.
func (c *nextCmd) Run(ctx context.Context, a *app) error {
	if c.N < 1 || c.N > 100_000 {
		return usage("-n %d: give a number from 1 to 100000", c.N)
	}
	zone := time.Local
	if c.TZ != "" {
		loc, err := time.LoadLocation(c.TZ)
		if err != nil || c.TZ == "Local" {
			return usage("--tz %s: no such zone; give a name such as Europe/Berlin", c.TZ)
		}
		zone = loc
	}
	if strings.ContainsAny(c.What, " @") { // no job has such a name
		return c.expression(a, zone)
	}
	err := a.withOperator(ctx, func(o *operator) error { return c.jobs(ctx, a, o) })
	if c.What != "" && (errors.Is(err, claims.ErrNoJob) || exitCode(err) == exitUsage) && a.config == "" {
		if _, bad := schedule.Parse(c.What, schedule.Options{Now: a.now()}); bad == nil {
			return c.expression(a, zone)
		}
	}
	return err
}

func exitCode(err error) int {
	var e exitError
	if errors.As(err, &e) {
		return e.code
	}
	return exitBad
}

// start is the time after which times are asked for.
func (c *nextCmd) start(a *app, loc *time.Location) (time.Time, error) {
	if c.From == "" {
		return a.now().In(loc), nil
	}
	if t, err := time.Parse(time.RFC3339, c.From); err == nil {
		return t.In(loc), nil
	}
	for _, layout := range []string{"2006-01-02", "2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02 15:04:05"} {
		if t, err := time.ParseInLocation(layout, c.From, loc); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usage("--from %q: write 2026-03-08, 2026-03-08T02:30 or 2026-03-08T02:30:00+01:00", c.From)
}

// expression shows the times of a schedule that no job need have.
func (c *nextCmd) expression(a *app, loc *time.Location) error {
	from, err := c.start(a, loc)
	if err != nil {
		return err
	}
	spec, err := schedule.Parse(c.What, schedule.Options{Location: loc, LocationSet: c.TZ != "", Now: a.now().Truncate(time.Second)})
	if err != nil {
		return usage("%q is neither a job nor a schedule: %w", c.What, err)
	}
	for _, w := range spec.Warnings() {
		fmt.Fprintf(a.stderr, "note: %s\n", w)
	}
	return c.show(a, from, []times{{next: spec.Next, loc: spec.Location()}}, false)
}

// jobs shows the times of one job, or of all of them.
func (c *nextCmd) jobs(ctx context.Context, a *app, o *operator) error {
	list, err := o.Jobs(ctx)
	if err != nil {
		return err
	}
	var all []times
	for _, j := range list {
		if c.What != "" && j.Job != c.What {
			continue
		}
		if j.Schedule == nil {
			if c.What != "" {
				return exitError{exitBad, fmt.Errorf("job %s has no schedule: it runs when asked for, with wcron run %s", j.Job, j.Job)}
			}
			continue
		}
		t, err := c.timesOf(ctx, a, o, j)
		if err != nil {
			return err
		}
		all = append(all, t)
	}
	if c.What != "" && len(all) == 0 {
		return fmt.Errorf("job %q: %w", c.What, claims.ErrNoJob)
	}
	if len(all) == 0 {
		fmt.Fprintln(a.stderr, "no job has a schedule")
		return nil
	}
	from, err := c.start(a, o.zone())
	if err != nil {
		return err
	}
	return c.show(a, from, all, c.What == "")
}

// timesOf reads a job's schedule as the host does, anchored as it is in the ledger.
func (c *nextCmd) timesOf(ctx context.Context, a *app, o *operator, j admin.Job) (times, error) {
	row, err := o.store.Job(ctx, j.Job)
	if err != nil && !errors.Is(err, claims.ErrNoJob) {
		return times{}, err
	}
	zone := j.Timezone
	if c.TZ != "" {
		zone = c.TZ
	}
	if row.Anchor.IsZero() || row.Schedule == "" {
		row.Anchor = a.now()
	}
	next, err := host.Occurrences(claims.Job{Name: j.Job, Schedule: *j.Schedule, Timezone: zone, Anchor: row.Anchor})
	if err != nil {
		return times{}, exitError{exitUsage, err}
	}
	loc, err := time.LoadLocation(zone)
	if err != nil {
		loc = time.UTC
	}
	t := times{job: j.Job, next: next, loc: loc}
	if j.State != "active" {
		t.note = "the job is " + j.State
	}
	return t, nil
}

// show merges the times of all schedules and prints the first of them.
func (c *nextCmd) show(a *app, from time.Time, all []times, named bool) error {
	due := make([]time.Time, len(all))
	for i, s := range all {
		due[i] = s.next(from)
	}
	now := a.now()
	t := table{heads: []string{"LOCAL", "UTC", "WHEN", "JOB", "NOTE"}}
	shown := 0
	before := make([]time.Time, len(all))
	for ; shown < c.N; shown++ {
		i := earliest(due)
		if i < 0 {
			break
		}
		s := all[i]
		at := due[i].In(s.loc)
		if before[i].IsZero() {
			before[i] = from.In(s.loc)
		}
		line := occurrence{At: at, UTC: at.UTC(), Note: noteOf(s, before[i], at)}
		before[i] = at
		due[i] = s.next(due[i])
		if s.job != "" {
			line.Job = &s.job
		}
		if a.json {
			if err := a.emit(line); err != nil {
				return err
			}
			continue
		}
		job := ""
		if named {
			job = s.job
		}
		t.row(at.Format("Mon 2006-01-02 15:04:05 MST"), at.UTC().Format("2006-01-02 15:04:05"), relative(at, now.In(s.loc)), job, text(line.Note))
	}
	if a.json {
		return nil
	}
	if shown > 0 {
		a.write(t)
	}
	if shown < c.N {
		fmt.Fprintln(a.stdout, "it is never due after that")
	}
	return nil
}

func earliest(due []time.Time) int {
	best := -1
	for i, t := range due {
		if !t.IsZero() && (best < 0 || t.Before(due[best])) {
			best = i
		}
	}
	return best
}

// noteOf tells of a changed clock between two times, and what is to be said of all times of a schedule.
func noteOf(s times, before, at time.Time) *string {
	var notes []string
	if s.note != "" {
		notes = append(notes, s.note)
	}
	_, was := before.Zone()
	if _, is := at.Zone(); is != was {
		notes = append(notes, fmt.Sprintf("the clock has changed from UTC%s to UTC%s", before.Format("-07:00"), at.Format("-07:00")))
	}
	if len(notes) == 0 {
		return nil
	}
	return new(strings.Join(slices.Compact(notes), "; "))
}
