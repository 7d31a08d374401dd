package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/wcron/wcron/config"
	"github.com/wcron/wcron/plugins"
	"github.com/wcron/wcron/schedule"
)

// jobKeys are the keys of a job that add and edit set. Their names and meaning are those of the configuration.
type jobKeys struct {
	Plugin        *string           `placeholder:"FILE" help:"The module in the plugin folder."`
	Schedule      []string          `sep:"none" placeholder:"EXPR" help:"When it runs, such as \"0 9 * * MON-FRI\", \"@daily\" or \"@every 90s\"; give it once for each of several."`
	Timezone      *string           `placeholder:"ZONE" help:"The zone that the schedule is read in, such as Europe/Berlin."`
	DST           *string           `name:"dst" placeholder:"once|skip|both" help:"What fixed times do when the clock changes."`
	Timeout       *config.Duration  `placeholder:"TIME" help:"How long a run may take; 0: no limit."`
	StartTimeout  *config.Duration  `placeholder:"TIME" help:"How long a due run may wait for its start."`
	Memory        *config.Size      `placeholder:"SIZE" help:"The most memory of a run, such as 64MiB."`
	Fuel          *int64            `placeholder:"N" help:"How much a run may compute, about one for each simple instruction; 0: no limit."`
	Output        *config.Size      `placeholder:"SIZE" help:"The most output kept of a run."`
	StateSize     *config.Size      `placeholder:"SIZE" help:"The most that the job's own state may hold."`
	Entry         *string           `placeholder:"NAME" help:"The exported function to call."`
	Arg           []string          `sep:"none" placeholder:"TEXT" help:"An argument of the guest; give it once for each."`
	Env           map[string]string `mapsep:"none" placeholder:"NAME=TEXT" help:"A variable of the guest; give it once for each."`
	ConfigValue   map[string]string `mapsep:"none" placeholder:"NAME=TEXT" help:"A value that the guest is answered when it asks for its configuration (the key config); give it once for each."`
	Grant         string            `placeholder:"FILE" help:"What the job is granted: TOML with the table [grant], or what wcron grants export prints. It takes the place of what wcron approve has recorded."`
	Input         string            `placeholder:"FILE" help:"JSON for the event's input; - reads stdin."`
	NotBefore     *config.Moment    `placeholder:"TIME" help:"The schedule has no times before this one, such as 2026-12-24T18:00:00 in the job's zone."`
	NotAfter      *config.Moment    `placeholder:"TIME" help:"Nor after this one."`
	Missed        *string           `placeholder:"once|skip|all" help:"What becomes of slots that no host was there for."`
	MissedLimit   *int              `placeholder:"N" help:"With --missed all: how many of them have their run, the newest."`
	MissedWindow  *config.Duration  `placeholder:"TIME" help:"Slots that are older are missed; 0: none are too old."`
	Grace         *config.Duration  `placeholder:"TIME" help:"How late a slot may start and not be called late."`
	Jitter        *config.Duration  `placeholder:"TIME" help:"Each slot starts later by less than this; 0: on time."`
	PauseAfter    *int              `placeholder:"N" help:"Failures in a row after which the job is paused; 0: never."`
	Retries       *int              `placeholder:"N" help:"Further attempts after a failed one."`
	Backoff       *config.Backoff   `placeholder:"TIME..TIME" help:"The wait before a retry, from the first to the longest."`
	RetryOn       []string          `placeholder:"OUTCOME,…" help:"Outcomes that are retried: failed, timeout, trapped, shutdown, orphaned."`
	Overlap       *string           `placeholder:"skip|queue|replace|allow" help:"What becomes of a slot that is due while the job runs."`
	QueueLimit    *int              `placeholder:"N" help:"Slots that may wait, with --overlap queue."`
	MaxConcurrent *int              `placeholder:"N" help:"Runs at once, with --overlap allow."`
	Repeat        *int              `placeholder:"N" help:"Slots after which the job is done; 0: no limit."`
	HistoryRuns   *int              `placeholder:"N" help:"Runs that are kept."`
	HistoryBytes  *config.Size      `placeholder:"SIZE" help:"Output of them that is kept."`
	Description   *string           `placeholder:"TEXT" help:"One line for people."`

	StartingDeadline *config.Duration `placeholder:"TIME" help:"A slot that is later is missed; 0: it starts however late."`
}

// job is the flags as a layer of configuration.
func (k *jobKeys) job(a *app, f *config.File, name string) (config.Job, error) {
	j := config.Job{
		Plugin: k.Plugin, Timezone: k.Timezone, DST: k.DST, Timeout: k.Timeout, StartTimeout: k.StartTimeout, Memory: k.Memory,
		Fuel: k.Fuel, Output: k.Output, StateSize: k.StateSize, Entry: k.Entry, Args: k.Arg, Env: k.Env, Config: k.ConfigValue, Missed: k.Missed,
		NotBefore: k.NotBefore, NotAfter: k.NotAfter, MissedLimit: k.MissedLimit, MissedWindow: k.MissedWindow, Grace: k.Grace, Jitter: k.Jitter,
		PauseAfter: k.PauseAfter, StartingDeadline: k.StartingDeadline, Retries: k.Retries, Backoff: k.Backoff,
		RetryOn: k.RetryOn, Overlap: k.Overlap, QueueLimit: k.QueueLimit, MaxConcurrent: k.MaxConcurrent, Repeat: k.Repeat, HistoryRuns: k.HistoryRuns, HistoryBytes: k.HistoryBytes, Description: k.Description,
	}
	if len(k.Schedule) > 0 {
		j.Schedule = new(strings.Join(k.Schedule, "\n"))
	}
	if j.Plugin != nil {
		j.Plugin = new(inFolder(f.Plugins, *j.Plugin))
	}
	if k.Grant != "" {
		src, err := readAtMost(k.Grant, maxGrant)
		if err != nil {
			return j, err
		}
		if j.Grant, err = config.ParseGrant(k.Grant, src, name); err != nil {
			return j, refusedText(a, err)
		}
	}
	if k.Input != "" {
		b, err := (&runCmd{Input: k.Input}).input(a)
		if err != nil {
			return j, err
		}
		j.Input = b
	}
	return j, nil
}

const maxGrant = 256 << 10

// refusedText tells what is wrong with a file that a flag names.
func refusedText(a *app, err error) error {
	var refused *config.Error
	if !errors.As(err, &refused) {
		return exitError{exitUsage, err}
	}
	for _, p := range refused.Problems {
		fmt.Fprintln(a.stderr, printable(p.String()))
	}
	return usage("nothing is changed; mend what is listed above")
}

// inFolder is the name of a module in the plugin folder, given as such, without its ending, or as a path that leads there.
func inFolder(folder, given string) string {
	if abs, err := filepath.Abs(given); err == nil {
		if _, err := os.Stat(abs); err == nil {
			if rel, err := filepath.Rel(folder, abs); err == nil && filepath.IsLocal(rel) {
				return filepath.ToSlash(rel)
			}
		}
	}
	given = filepath.ToSlash(given)
	if filepath.Ext(given) == "" {
		given += ".wasm"
	}
	return given
}

type addCmd struct {
	Name string `arg:"" help:"The job's name."`
	jobKeys
}

const editCodes = "Exit codes: 0 done, 1 refused because of what is there (the job exists, or does not, or somebody else changed it), 2 usage or configuration."

// Help implements kong.HelpProvider.
func (*addCmd) Help() string {
	return "Writes jobs.d/NAME.toml beside the host file, in one step; a running host takes it over within two seconds. " +
		"Without --plugin the module is NAME.wasm.\n\n" + editCodes
}

// edited is the answer for programs.
type edited struct {
	Job    string     `json:"job"`
	Action string     `json:"action"` // added, changed, unchanged or removed
	File   string     `json:"file"`
	NextAt *time.Time `json:"next_at"`
}

// Run adds the job.
func (c *addCmd) Run(ctx context.Context, a *app) error {
	f, err := a.load()
	if err != nil {
		return err
	}
	if err := config.ValidName(c.Name); err != nil {
		return usage("%w", err)
	}
	j, err := c.job(a, f, c.Name)
	if err != nil {
		return err
	}
	next, err := sound(a, f, c.Name, &j, true)
	if err != nil {
		return err
	}
	if err := plugins.WriteJob(f.Path, c.Name, j, plugins.Create, ""); err != nil {
		return editError(f, c.Name, err)
	}
	return told(ctx, a, f, c.Name, "added", next)
}

// editError gives an error of jobs.d its exit code.
func editError(f *config.File, name string, err error) error {
	var refused *config.Error
	switch {
	case errors.As(err, &refused):
		return exitError{exitUsage, err}
	case errors.Is(err, plugins.ErrExists):
		return exitError{exitBad, fmt.Errorf("%w; change it with wcron edit %s", err, name)}
	case errors.Is(err, plugins.ErrNoFile):
		if e, ok := f.Jobs[name]; ok && e.Pos.File == f.Path {
			return exitError{exitBad, fmt.Errorf("job %s is defined at %s; change it there", name, e.Pos)}
		}
		return exitError{exitBad, fmt.Errorf("%w; define it with wcron add %s", err, name)}
	}
	return exitError{exitBad, err}
}

// told says what was done.
func told(ctx context.Context, a *app, f *config.File, name, action string, next time.Time) error {
	a.takeOver(ctx, f)
	out := edited{Job: name, Action: action, File: filepath.Join(f.JobsDir, name+".toml")}
	if !next.IsZero() {
		out.NextAt = new(next)
	}
	if a.json {
		return a.emit(out)
	}
	fmt.Fprintf(a.stdout, "job %s %s: %s\n", name, action, out.File)
	if set, _, _, err := look(ctx, f.Path); err == nil && set != nil {
		if j, ok := set.Job(name); ok {
			if what, remedy := undecided(j); what != "" {
				fmt.Fprintf(a.stderr, "note: %s\n", printable(advice(what, remedy)))
			}
		}
	}
	if out.NextAt != nil {
		fmt.Fprintf(a.stdout, "next at %s, %s\n", stamp(next, next.Location()), relative(next, a.now()))
	} else if action != "removed" {
		fmt.Fprintf(a.stdout, "it has no time ahead; wcron run %s runs it now\n", name)
	}
	return nil
}

// sound refuses a job that would be broken, and returns when it is due next; zero: never. A schedule that is new must be due some
// time; one that was there before may be over. What counts from now is written as the time that it comes to.
func sound(a *app, f *config.File, name string, j *config.Job, fresh bool) (next time.Time, err error) {
	if _, err := config.EncodeJob(*j, config.KindJobFile); err != nil {
		return next, refusedKeys(err)
	}
	source, err := openSource(f.Path, time.Time{})
	if err != nil {
		return next, err
	}
	set := source.Snapshot()
	module := name + ".wasm"
	if j.Plugin != nil {
		module = *j.Plugin
	}
	p, err := moduleIn(set, f, module)
	if err != nil {
		return next, err
	}
	// What the module says of itself counts where the flags say nothing; what the operator says of another job does not.
	text, zone, asked := own(p, "schedule", p.ScheduleText), own(p, "timezone", p.Timezone), false
	if j.Schedule != nil {
		text = *j.Schedule
	}
	if j.Timezone != nil {
		zone, asked = *j.Timezone, true
	}
	loc := set.Zone.Location
	if zone != "" {
		if loc, err = time.LoadLocation(zone); err != nil {
			return next, usage("timezone %s: %w", zone, err)
		}
	}
	if text == "" {
		return next, nil
	}
	now := a.now().Truncate(time.Second)
	opt := schedule.Options{Location: loc, LocationSet: asked, Name: name, Anchor: now, DST: schedule.DST(own(p, "dst", p.Settings.DST))}
	if j.DST != nil {
		opt.DST = schedule.DST(*j.DST)
	}
	if fresh {
		opt.Now = now
	}
	spec, err := schedule.Parse(text, opt)
	if err != nil {
		return next, usage("schedule %q: %w; see wcron next --help", text, err)
	}
	for _, w := range spec.Warnings() {
		fmt.Fprintf(a.stderr, "note: %s\n", w)
	}
	next = spec.Next(now)
	first := plugins.MomentIn(j.NotBefore, spec.Location())
	if first.After(next) {
		next = spec.Next(first.Add(-time.Nanosecond))
	}
	if last := plugins.MomentIn(j.NotAfter, spec.Location()); !last.IsZero() && next.After(last) {
		next = time.Time{}
	}
	if next.IsZero() && fresh && !spec.Reboot() {
		return next, usage("schedule %q: it is never due", text)
	}
	if j.Schedule != nil {
		j.Schedule = new(dated(text, opt))
	}
	return next, nil
}

// dated is the text of some schedules with the time of each that counts from now.
func dated(text string, opt schedule.Options) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if !strings.HasPrefix(strings.TrimSpace(line), "@in") {
			continue
		}
		if one, err := schedule.Parse(line, opt); err == nil && one.Kind() == schedule.At {
			lines[i] = "@at " + one.Next(opt.Anchor).Format(time.RFC3339)
		}
	}
	return strings.Join(lines, "\n")
}

// own is a value that a module says of itself, in its manifest or sidecar.
func own(p plugins.Job, key, value string) string {
	if from := p.Origin[key]; strings.HasPrefix(from, "manifest") || strings.HasPrefix(from, "sidecar") {
		return value
	}
	return ""
}

// moduleIn finds a job that is made of a module, and so knows whether the module can be used.
func moduleIn(set *plugins.Set, f *config.File, module string) (plugins.Job, error) {
	for _, j := range set.Jobs {
		if j.Settings.Plugin != module {
			continue
		}
		if j.Digest == "" {
			return j, usage("plugin %s: %s", module, advice(j.Reason, j.Remedy))
		}
		return j, nil
	}
	path := filepath.Join(f.Plugins, filepath.FromSlash(module))
	for _, p := range set.Problems {
		if filepath.Clean(filepath.FromSlash(p.File)) == path {
			return plugins.Job{}, usage("plugin %s: %s", module, advice(p.What, p.Remedy))
		}
	}
	return plugins.Job{}, usage("plugin %s: there is no such file in %s; put it there first", module, f.Plugins)
}

// refusedKeys words what the configuration says of a key as a matter of the command line: there is no file yet.
func refusedKeys(err error) error {
	var refused *config.Error
	if !errors.As(err, &refused) {
		return exitError{exitUsage, err}
	}
	var lines []string
	for _, p := range refused.Problems {
		lines = append(lines, advice(p.What, p.Remedy))
	}
	return usage("%s", strings.Join(lines, "; "))
}
