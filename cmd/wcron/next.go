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
	N    int    `name:"count" short:"n" default:"20" help:"How many times."`
	TZ   string `name:"tz" placeholder:"ZONE" help:"Show times in this zone, and read a schedule that names none in it. Default: the job's zone, or the machine's."`
	DST  string `name:"dst" default:"once" enum:"once,skip,both" help:"What fixed times of a schedule do when the clock changes: once, skip or both. A job has its own."`
	From string `placeholder:"TIME" help:"Times after this one, itself excluded: 2026-03-08, 2026-03-08T02:30 or RFC 3339. Default: now."`
}

// Help implements kong.HelpProvider.
func (*nextCmd) Help() string {
	return "A schedule is anything that the key schedule takes, several with semicolons between them; it needs no configuration. " +
		"A note says where a change of the clock moved, dropped or doubled a time, and why; a time that does not run has a line of its own, which does not count.\n\n" +
		"Exit codes: 0 done, 1 there is no such job, 2 usage, configuration or a schedule that cannot be read, 3 the ledger could not be reached."
}

// occurrence is one time at which something is due.
type occurrence struct {
	At   time.Time `json:"at"` // in the zone of --tz, of the job, or of the schedule
	UTC  time.Time `json:"utc"`
	Note *string   `json:"note"` // null: a time like any other
	Job  *string   `json:"job"`  // null: the schedule on the command line
}

// times is a schedule with what is to be said of its times.
type times struct {
	job  string
	spec *schedule.Spec
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
		if _, bad := schedule.Parse(c.What, schedule.Options{Now: a.now().Truncate(time.Second)}); bad == nil {
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
	spec, err := schedule.Parse(c.What, schedule.Options{Location: loc, Now: a.now().Truncate(time.Second), DST: schedule.DST(c.DST)})
	if err != nil {
		return usage("%q is neither a job nor a schedule: %w", c.What, err)
	}
	t := times{spec: spec, loc: loc}
	if c.TZ == "" {
		t.loc = spec.Location()
	}
	warn(a, "", spec)
	return c.show(a, from, []times{t}, false)
}

// warn tells what may not be meant.
func warn(a *app, job string, spec *schedule.Spec) {
	if job != "" {
		job = "job " + job + ": "
	}
	for _, w := range spec.Warnings() {
		fmt.Fprintf(a.stderr, "note: %s%s\n", job, w)
	}
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
	if row.Anchor.IsZero() || row.Schedule == "" {
		row.Anchor = a.now()
	}
	// The schedule as it is defined now; the ledger may still have an earlier one.
	def := host.Job{Name: j.Job, Schedule: *j.Schedule, Timezone: j.Timezone, DST: schedule.DST(j.DST)}
	put, err := def.Registration(row.Anchor)
	if err != nil {
		return times{}, exitError{exitUsage, err}
	}
	spec, err := host.ScheduleOf(claims.Job{Name: j.Job, Schedule: put.Schedule, Timezone: put.Timezone, Anchor: row.Anchor})
	if err != nil {
		return times{}, exitError{exitUsage, err}
	}
	if c.What != "" {
		for _, w := range j.Warnings {
			fmt.Fprintf(a.stderr, "note: job %s: %s\n", j.Job, w)
		}
	}
	zone := j.Timezone
	if c.TZ != "" {
		zone = c.TZ
	}
	loc, err := time.LoadLocation(zone)
	if err != nil {
		loc = time.UTC
	}
	t := times{job: j.Job, spec: spec, loc: loc}
	if j.State != "active" {
		t.note = "the job is " + j.State
	}
	return t, nil
}

// show merges the times of all schedules and prints the first of them.
func (c *nextCmd) show(a *app, from time.Time, all []times, named bool) error {
	due, before := make([]time.Time, len(all)), make([]time.Time, len(all))
	for i, s := range all {
		due[i], before[i] = s.spec.Next(from), from
	}
	p := &timetable{app: a, named: named, now: a.now(), table: table{heads: []string{"LOCAL", "UTC", "WHEN", "JOB", "NOTE"}}}
	shown := 0
	for ; shown < c.N; shown++ {
		i := earliest(due)
		if i < 0 {
			break
		}
		if err := p.add(all[i], before[i], due[i]); err != nil {
			return err
		}
		before[i], due[i] = due[i], all[i].spec.Next(due[i])
	}
	if a.json {
		return nil
	}
	if shown > 0 {
		a.write(p.table)
	}
	if shown < c.N {
		if slices.ContainsFunc(all, func(t times) bool { return t.spec.Reboot() }) {
			fmt.Fprintln(a.stdout, "with @reboot it runs when a host starts")
		}
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
