package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wcron/wcron/config"
	"github.com/wcron/wcron/internal/crontab"
	"github.com/wcron/wcron/schedule"
)

type importCmd struct {
	File   string `arg:"" help:"A crontab: a user's, /etc/crontab, a file of /etc/cron.d, or one of supercronic; - reads stdin."`
	System bool   `xor:"columns" help:"The entries have a column of users, as in /etc/crontab. Default: they do if they name users such as root."`
	User   bool   `xor:"columns" help:"They have none."`
	TZ     string `name:"tz" placeholder:"ZONE" help:"The zone of the machine that the crontab comes from, where no CRON_TZ says another."`
	Output string `short:"o" placeholder:"FILE" help:"Write into this file, which must not be there yet. Default: stdout."`
}

// Help implements kong.HelpProvider.
func (*importCmd) Help() string {
	return "Writes a [jobs.NAME] table for each entry, to be put into the host file. It carries the schedules over, and their zone; what a job runs is a module that " +
		"somebody has to write: each table says above it what the line was, and all else that could not be carried over.\n\n" +
		"Exit codes: 0 done; 1 some lines could not be carried over, which are listed as file:line:column; 2 usage, or the file cannot be read or written."
}

// imported is a job made of a line.
type imported struct {
	Job        string   `json:"job"`
	Schedule   string   `json:"schedule"`
	Timezone   *string  `json:"timezone"`
	Line       int      `json:"line"`
	Original   string   `json:"original"`
	Command    string   `json:"command"`
	NotCarried []string `json:"not_carried_over"`
	Notes      []string `json:"notes"`

	body []byte
}

// mostImported bounds a crontab; cron itself takes far less.
const mostImported = 4 << 20

// Run converts the file.
func (c *importCmd) Run(_ context.Context, a *app) error {
	if c.TZ != "" {
		if _, err := time.LoadLocation(c.TZ); err != nil || c.TZ == "Local" {
			return usage("--tz %s: no such zone; give a name such as Europe/Berlin", c.TZ)
		}
	}
	name, text, err := c.read(a)
	if err != nil {
		return err
	}
	columns := crontab.Guess
	switch {
	case c.System:
		columns = crontab.System
	case c.User:
		columns = crontab.User
	}
	table := crontab.Parse(text, columns)
	jobs, bad := c.convert(name, table)
	if err := c.write(a, name, table, jobs); err != nil {
		return err
	}
	for _, p := range bad {
		fmt.Fprintln(a.stderr, p)
	}
	if len(bad) > 0 {
		return exitError{exitBad, fmt.Errorf("%s of %s could not be carried over", plural(int64(len(bad)), "line"), name)}
	}
	return nil
}

func (c *importCmd) read(a *app) (name, text string, err error) {
	name, in := "stdin", a.stdin
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return "", "", usage("%w", err)
		}
		defer f.Close()
		name, in = c.File, f
	}
	b, err := io.ReadAll(io.LimitReader(in, mostImported+1))
	if err != nil {
		return "", "", usage("read %s: %w", name, err)
	}
	if len(b) > mostImported {
		return "", "", usage("%s is longer than %d bytes; no crontab is", name, mostImported)
	}
	return name, strings.ToValidUTF8(string(b), "\ufffd"), nil
}

// convert makes jobs of the entries, and problems of those of which none can be made.
func (c *importCmd) convert(name string, table crontab.File) (jobs []imported, bad []config.Problem) {
	for _, p := range table.Problems {
		bad = append(bad, config.Problem{File: name, Line: p.Line, Col: p.Col, What: p.What, Remedy: p.Remedy})
	}
	taken := map[string]bool{}
	for _, e := range table.Entries {
		job, p := c.job(e)
		if p != nil {
			p.File, p.Line = name, e.Line
			bad = append(bad, *p)
			continue
		}
		job.Job = free(taken, crontab.Name(e.Command))
		jobs = append(jobs, job)
	}
	slices.SortStableFunc(bad, func(a, b config.Problem) int { return a.Line - b.Line })
	return jobs, bad
}

// free is a name that nobody has, and then somebody has.
func free(taken map[string]bool, name string) string {
	out := name
	for n := 2; taken[out]; n++ {
		out = fmt.Sprintf("%s-%d", name, n)
	}
	taken[out] = true
	return out
}

// job makes a job of an entry, without its name.
func (c *importCmd) job(e crontab.Entry) (imported, *config.Problem) {
	text, notes := e.Schedule()
	job := imported{Schedule: text, Line: e.Line, Original: e.Text, Command: e.Command, Notes: append([]string{}, notes...), NotCarried: []string{"the command"}}
	opt := schedule.Options{Name: "job", Anchor: time.Unix(0, 0), Now: time.Unix(0, 0)}
	zone := e.Zone
	if zone == "" {
		zone = c.TZ
	}
	if zone != "" {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			return job, &config.Problem{Col: e.Fields[0].Col, What: fmt.Sprintf("CRON_TZ is %q, which is no zone", zone), Remedy: "give it a name such as Europe/Berlin"}
		}
		job.Timezone, opt.Location = &zone, loc
	}
	spec, err := schedule.Parse(text, opt)
	if err != nil {
		return job, &config.Problem{Col: columnOf(e, err), What: err.Error(), Remedy: "mend the line, or write the job by hand"}
	}
	job.Notes = append(job.Notes, spec.Warnings()...)
	if e.User != "" {
		job.NotCarried = append(job.NotCarried, "the user "+e.User)
	}
	if e.HasInput {
		job.NotCarried = append(job.NotCarried, "what the command reads, behind the percent sign: the key input gives a job something to read")
	}
	jitter, ok := jitterOf(e.Delay)
	if !ok {
		job.NotCarried = append(job.NotCarried, "RANDOM_DELAY="+e.Delay)
	} else if jitter != nil {
		job.Notes = append(job.Notes, "jitter is its RANDOM_DELAY, with another delay for each slot, always less than the distance to the next one")
	}
	if e.Quiet {
		job.NotCarried = append(job.NotCarried, "the hyphen that keeps cron from logging it")
	}
	job.body, err = config.EncodeJob(config.Job{Schedule: &job.Schedule, Timezone: job.Timezone, Jitter: jitter}, config.KindJobFile)
	if err != nil {
		return job, &config.Problem{Col: e.Fields[0].Col, What: err.Error(), Remedy: "write the job by hand"}
	}
	return job, nil
}

// jitterOf is what the minutes of a RANDOM_DELAY are as the key jitter; nil: none. It is not ok where that cannot be said.
func jitterOf(minutes string) (jitter *config.Duration, ok bool) {
	if minutes == "" {
		return nil, true
	}
	n, err := strconv.Atoi(minutes)
	if err != nil || n < 0 || n > 24*60 {
		return nil, false
	}
	if n > 0 {
		jitter = new(config.Duration(time.Duration(n) * time.Minute))
	}
	return jitter, true
}

// columnOf is where the part of an entry stands that is at fault.
func columnOf(e crontab.Entry, err error) int {
	var wrong *schedule.Error
	if errors.As(err, &wrong) && wrong.Value != "" {
		for _, f := range e.Fields {
			if f.Text == wrong.Value {
				return f.Col
			}
		}
		at := map[string]int{"minute": 0, "hour": 1, "day of month": 2, "month": 3, "day of week": 4}
		if i, ok := at[wrong.Field]; ok {
			if len(e.Fields) == 7 {
				i++
			}
			if i < len(e.Fields) {
				return e.Fields[i].Col
			}
		}
	}
	return e.Fields[0].Col
}

// write prints the jobs, or writes them into a new file.
func (c *importCmd) write(a *app, name string, table crontab.File, jobs []imported) error {
	if a.json {
		return emitAll(a, jobs)
	}
	text := tables(name, table, jobs)
	if c.Output == "" {
		_, err := io.WriteString(a.stdout, text)
		return err
	}
	f, err := os.OpenFile(c.Output, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return usage("%s is there already, and is not written over; name another file", c.Output)
	}
	if err != nil {
		return usage("%w", err)
	}
	_, err = io.WriteString(f, text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return usage("write %s: %w", c.Output, err)
	}
	fmt.Fprintf(a.stderr, "%s written into %s\n", plural(int64(len(jobs)), "job"), c.Output)
	return nil
}

// tables is the text of all jobs, with what else there is to say as comments.
func tables(name string, table crontab.File, jobs []imported) string {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, "# %s\n", printable(fmt.Sprintf(format, args...))) }
	say("From %s, by wcron import: the schedules alone.", name)
	say("Each job runs the module NAME.wasm of the plugin folder, or the one that its key plugin names.")
	if table.System {
		say("The entries are read with a column of users.")
	}
	for _, s := range table.Settings {
		if s.Name != "CRON_TZ" && s.Name != "RANDOM_DELAY" {
			say("Not carried over, line %d: %s=%s", s.Line, s.Name, s.Value)
		}
	}
	for _, j := range jobs {
		fmt.Fprintf(&b, "\n")
		say("line %d: %s", j.Line, j.Original)
		say("not carried over: %s", strings.Join(j.NotCarried, "; "))
		for _, n := range j.Notes {
			say("note: %s", n)
		}
		fmt.Fprintf(&b, "[jobs.%s]\n%s", j.Job, j.body)
	}
	return b.String()
}
