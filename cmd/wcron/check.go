package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/wcron/wcron/config"
	"github.com/wcron/wcron/plugins"
)

type checkCmd struct {
	Files []string `arg:"" optional:"" name:"file" help:"A host file, a module, or the TOML beside a module or in jobs.d. Default: the host file with all that belongs to it."`
}

// Help implements kong.HelpProvider.
func (*checkCmd) Help() string {
	return "Reads the host file, jobs.d, and every module and sidecar in the plugin folder, and prints each problem as file:line:col: what; what to do. " +
		"Nothing is compiled, run or written. What is legal but probably not meant is marked \"warning:\" and does not change the exit code; so is a plugin " +
		"that waits for approval or is denied, as far as a ledger says. A module that imports what it does not request is a problem.\n\n" +
		"Exit codes: 0 no problem; 1 at least one; 2 the command line is wrong, or there is no such file."
}

// finding is one thing that check says.
type finding struct {
	File     string `json:"file"`
	Line     *int   `json:"line"`
	Col      *int   `json:"col"`
	What     string `json:"what"`
	Remedy   string `json:"remedy"`
	Severity string `json:"severity"` // "error" or "warning"
}

func fault(p config.Problem) finding {
	f := finding{File: p.File, What: p.What, Remedy: p.Remedy, Severity: "error"}
	if p.Line > 0 {
		f.Line, f.Col = &p.Line, &p.Col
	}
	return f
}

func (f finding) String() string {
	p := config.Problem{File: f.File, What: f.What, Remedy: f.Remedy}
	if f.Line != nil {
		p.Line, p.Col = *f.Line, *f.Col
	}
	if f.Severity == "warning" {
		p.What = "warning: " + p.What
	}
	return printable(p.String())
}

// checked is what was looked at, and what was found.
type checked struct {
	found []finding
	jobs  int

	pending, denied int             // of the jobs
	files           map[string]bool // modules
}

func (c *checkCmd) Run(ctx context.Context, a *app) error {
	all := checked{files: map[string]bool{}}
	if len(c.Files) == 0 {
		path, err := a.locate()
		if err != nil {
			return err
		}
		if err := all.host(ctx, path, a.now(), nil); err != nil {
			return err
		}
	}
	for _, name := range c.Files {
		path, err := filepath.Abs(name)
		if err == nil {
			_, err = os.Lstat(path)
		}
		if err != nil {
			return usage("check %s: %w; name a host file, a module, or the TOML of a job", name, err)
		}
		if err := all.file(ctx, a, path); err != nil {
			return err
		}
	}
	return all.report(a)
}

// file checks one file as what it is.
func (c *checked) file(ctx context.Context, a *app, path string) error {
	module := strings.TrimSuffix(path, ".toml") + ".wasm"
	switch {
	case strings.HasSuffix(path, ".wasm"):
		return c.module(ctx, a, path)
	case filepath.Base(path) == "wcron.toml" || !strings.HasSuffix(path, ".toml"):
		return c.host(ctx, path, a.now(), nil)
	case filepath.Base(filepath.Dir(path)) == "jobs.d":
		return c.jobFile(ctx, path, a.now())
	}
	if _, err := os.Lstat(module); err == nil {
		return c.module(ctx, a, module)
	}
	return c.host(ctx, path, a.now(), nil)
}

// host checks a configuration. With only, no more than what concerns that file or the jobs made of it is kept.
func (c *checked) host(ctx context.Context, path string, now time.Time, only func(file string) bool) error {
	set, problems, _, err := look(ctx, path)
	if err != nil {
		return usage("%w", err)
	}
	for _, p := range problems {
		if only != nil && !only(p.File) {
			continue
		}
		f := fault(p)
		if noZone(set, p) || p.File == plugins.LedgerProblem {
			f.Severity = "warning"
		}
		c.found = append(c.found, f)
	}
	if set == nil {
		return nil
	}
	if only == nil && openMetrics(set.File) {
		c.found = append(c.found, finding{File: set.File.Path, What: "metrics: " + openReason, Remedy: openRemedy, Severity: "warning"})
	}
	for _, j := range set.Jobs {
		if only != nil && !only(j.Plugin) && !only(filepath.Join(set.File.JobsDir, j.Name+".toml")) {
			continue
		}
		c.jobs++
		if !c.files[j.Plugin] || j.Settings.Entry != "" {
			c.found = append(c.found, shape(j, plugins.Limits(set.File.Limits))...)
		}
		c.files[j.Plugin] = true
		c.decided(j)
		c.found = append(c.found, warnings(set, j, now)...)
	}
	return nil
}

// decided says what waits for a word of the operator, or has it. That is nothing that is wrong with the files.
func (c *checked) decided(j plugins.Job) {
	switch j.State {
	case plugins.Pending:
		c.pending++
	case plugins.Denied:
		c.denied++
	}
	if what, remedy := undecided(j); what != "" {
		c.found = append(c.found, finding{File: j.Plugin, What: "job " + j.Name + ": " + what, Remedy: remedy, Severity: "warning"})
	}
}

// noZone reports whether a problem is only that the machine does not tell its zone: schedules are read in UTC then, which is
// right on most machines that tell none.
func noZone(set *plugins.Set, p config.Problem) bool {
	return set != nil && set.Zone.From == "fallback UTC" && strings.HasPrefix(p.What, "the time zone of this machine")
}

// jobFile checks a file of jobs.d with the host file that it belongs to, or for itself where there is none.
func (c *checked) jobFile(ctx context.Context, path string, now time.Time) error {
	hostFile := filepath.Join(filepath.Dir(filepath.Dir(path)), "wcron.toml")
	if _, err := os.Stat(hostFile); err == nil {
		return c.host(ctx, hostFile, now, func(file string) bool { return file == path })
	}
	src, err := os.ReadFile(path)
	if err != nil {
		return usage("%w", err)
	}
	c.jobs++
	_, err = config.ParseJob(path, src, config.KindJobFile)
	var refused *config.Error
	if errors.As(err, &refused) {
		for _, p := range refused.Problems {
			c.found = append(c.found, fault(p))
		}
		return nil
	}
	return err
}

// module checks a module with its sidecar: under the configuration in whose plugin folder it lies, else under one that has its limits
// and says nothing else.
func (c *checked) module(ctx context.Context, a *app, path string) error {
	only := func(file string) bool {
		file = strings.TrimSuffix(file, " (manifest)")
		return file == path || file == strings.TrimSuffix(path, ".wasm")+".toml"
	}
	limits := config.DefaultLimits()
	if hostFile, err := config.Locate(a.config); err == nil {
		if f, err := config.Load(hostFile); err == nil {
			if within(path, f.Plugins) {
				return c.host(ctx, hostFile, a.now(), only)
			}
			limits = f.Limits
		}
	} else if !errors.Is(err, config.ErrNotFound) || a.config != "" {
		return usage("%w", err)
	}
	return c.alone(ctx, path, limits, a.now())
}

func within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

// alone checks a module through a plugin folder of its own, which holds nothing else.
func (c *checked) alone(ctx context.Context, path string, limits config.Limits, now time.Time) (err error) {
	dir, err := os.MkdirTemp("", "wcron-check-")
	if err != nil {
		return usage("make a folder to check %s in: %w", path, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	folder := filepath.Join(dir, "plugins")
	hostFile, err := folderOfOne(dir, path, limits)
	if err != nil {
		return usage("check %s: %w", path, err)
	}
	one := checked{files: c.files}
	if err := one.host(ctx, hostFile, now, nil); err != nil {
		return err
	}
	real := strings.NewReplacer(folder, filepath.Dir(path))
	for _, f := range one.found {
		f.File, f.What, f.Remedy = real.Replace(f.File), real.Replace(f.What), real.Replace(f.Remedy)
		if !strings.HasPrefix(f.File, dir) { // what is said of the host file is not this module's
			c.found = append(c.found, f)
		}
	}
	c.jobs, c.pending, c.denied = c.jobs+one.jobs, c.pending+one.pending, c.denied+one.denied
	return nil
}

// folderOfOne makes a host file in dir whose plugin folder has a module and its sidecar alone.
func folderOfOne(dir, path string, limits config.Limits) (hostFile string, err error) {
	folder, hostFile := filepath.Join(dir, "plugins"), filepath.Join(dir, "wcron.toml")
	err = errors.Join(os.Mkdir(folder, 0o700), os.WriteFile(hostFile, config.EncodeLimits(limits), 0o600), stand(path, folder))
	sidecar := strings.TrimSuffix(path, ".wasm") + ".toml"
	if _, e := os.Stat(sidecar); e == nil {
		err = errors.Join(err, stand(sidecar, folder))
	}
	return hostFile, err
}

// stand puts a link to a file into a folder, or a copy where links are not to be had.
func stand(path, folder string) error {
	to := filepath.Join(folder, filepath.Base(path))
	if err := os.Symlink(path, to); err == nil {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return &fs.PathError{Op: "copy", Path: path, Err: errors.New("it is not a plain file")}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o600)
}

// report prints what was found and chooses the exit code.
func (c *checked) report(a *app) error {
	bad := 0
	for _, f := range c.found {
		if f.Severity == "error" {
			bad++
		}
		if a.json {
			if err := a.emit(f); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintln(a.stdout, f)
	}
	if bad > 0 {
		if !a.json {
			fmt.Fprintf(a.stderr, "wcron: %s found; mend what is listed\n", plural(int64(bad), "problem"))
		}
		return exitError{code: exitBad}
	}
	if !a.json {
		fmt.Fprintf(a.stdout, "ok: %s, %s%s\n", plural(int64(c.jobs), "job"), plural(int64(len(c.files)), "plugin"), held(c.pending, c.denied))
	}
	return nil
}
