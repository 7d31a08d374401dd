package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/wcron/wcron/config"
	"github.com/wcron/wcron/plugins"
	"github.com/wcron/wcron/sandbox/meter"
)

type inspectCmd struct {
	What string `arg:"" name:"module|job" help:"A module, or the name of a job."`
}

// Help implements kong.HelpProvider.
func (*inspectCmd) Help() string {
	return "Shows the module's digest, size and imports, each setting with where it comes from, what it asks for and why, what of that it is not given, and when it is due next. " +
		"A module in the plugin folder of the configuration is shown as the job that it is; any other one as it would be with the defaults. Nothing is compiled, run or written.\n\n" +
		"Exit codes: 0 shown; 1 it is broken, or there is no such job; 2 usage or configuration, or there is no such file; 3 the ledger could not be reached."
}

// inspected is what is known of a module.
type inspected struct {
	Job         string           `json:"job"`
	File        string           `json:"file"`
	Digest      string           `json:"digest"`
	Bytes       int64            `json:"bytes"`
	State       string           `json:"state"`
	Reason      *string          `json:"reason"`
	Remedy      *string          `json:"remedy"`
	Settings    []setting        `json:"settings"`
	Imports     []plugins.Import `json:"imports"`
	Requests    []plugins.Ask    `json:"requests"`
	NotGranted  []plugins.Ask    `json:"not_granted"` // of the requests, as things stand
	NeverGiven  []plugins.Ask    `json:"never_given"` // of the requests, because of [caps]
	Unused      []string         `json:"unused"`      // requests that the module has no use for
	Update      *plugins.Update  `json:"update"`      // the version in the folder, where an earlier one is in use
	Next        []time.Time      `json:"next"`
	Timezone    string           `json:"timezone"`
	Description string           `json:"description"`
	job         plugins.Job
}

// setting is one effective value of a job and where it comes from.
type setting struct {
	Key  string `json:"key"`
	Text string `json:"value"` // as TOML
	From string `json:"from"`
}

const fireTimes = 5

// Run shows a module.
func (c *inspectCmd) Run(ctx context.Context, a *app) (err error) {
	set, j, done, err := c.find(ctx, a)
	if done != nil {
		defer done()
	}
	if err != nil {
		return err
	}
	v, err := inspection(set, j, a.now())
	if err != nil {
		return err
	}
	if a.json {
		err = a.emit(v)
	} else {
		v.print(a, set)
	}
	if err == nil && j.State == plugins.Broken {
		return exitError{code: exitBad}
	}
	return err
}

// find makes the set that has the module as a job. done gives back what that holds, and may be nil.
func (c *inspectCmd) find(ctx context.Context, a *app) (set *plugins.Set, j plugins.Job, done func(), err error) {
	hostFile, located := config.Locate(a.config)
	path, _ := filepath.Abs(c.What)
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
		limits := config.DefaultLimits()
		if located == nil {
			if f, err := config.Load(hostFile); err == nil {
				limits = f.Limits
				if within(path, f.Plugins) {
					rel, _ := filepath.Rel(f.Plugins, path) // within has made sure of it
					return c.known(ctx, a, func(j plugins.Job) bool { return j.Settings.Plugin == filepath.ToSlash(rel) })
				}
			}
		}
		return c.alone(path, limits)
	}
	if strings.HasSuffix(c.What, ".wasm") {
		return nil, j, nil, usage("inspect %s: there is no such file", c.What)
	}
	return c.known(ctx, a, func(j plugins.Job) bool { return j.Name == c.What })
}

// known finds a job of the configuration, with what the ledger says of its plugin.
func (c *inspectCmd) known(ctx context.Context, a *app, is func(plugins.Job) bool) (set *plugins.Set, j plugins.Job, done func(), err error) {
	f, err := a.load()
	if err != nil {
		return nil, j, nil, err
	}
	set, problems, unread, err := look(ctx, f.Path)
	if unread != nil {
		return nil, j, nil, unreachable(unread)
	}
	if set == nil && err == nil {
		err = &config.Error{Problems: problems}
	}
	if err != nil {
		return nil, j, nil, broken(f.Path, err)
	}
	for _, j := range set.Jobs {
		if is(j) {
			return set, j, done, nil
		}
	}
	return set, j, done, exitError{exitBad, fmt.Errorf("%s: there is no such job; see wcron list, or wcron check", c.What)}
}

// alone makes a plugin folder of the module and its sidecar.
func (c *inspectCmd) alone(path string, limits config.Limits) (set *plugins.Set, j plugins.Job, done func(), err error) {
	dir, err := os.MkdirTemp("", "wcron-inspect-")
	if err != nil {
		return nil, j, nil, usage("make a folder to look at %s in: %w", path, err)
	}
	done = func() { _ = os.RemoveAll(dir) } // the system's temporary folder
	hostFile, err := folderOfOne(dir, path, limits)
	if err != nil {
		return nil, j, done, usage("inspect %s: %w", path, err)
	}
	source, err := plugins.Open(plugins.Config{File: hostFile})
	if err != nil {
		return nil, j, done, usage("inspect %s: %w", path, err)
	}
	set = source.Snapshot()
	if len(set.Jobs) != 1 {
		for _, p := range set.Problems {
			return nil, j, done, exitError{exitBad, fmt.Errorf("%s: %s", path, advice(p.What, p.Remedy))}
		}
		return nil, j, done, exitError{exitBad, fmt.Errorf("%s is no plugin; see wcron check", path)}
	}
	j = set.Jobs[0]
	j.Plugin = path
	real := strings.NewReplacer(filepath.Join(dir, "plugins"), filepath.Dir(path), dir, filepath.Dir(path))
	j.Reason, j.Remedy = real.Replace(j.Reason), real.Replace(j.Remedy)
	return set, j, done, nil
}

// inspection is what a job tells of its module.
func inspection(set *plugins.Set, j plugins.Job, now time.Time) (*inspected, error) {
	v := &inspected{
		Job: j.Name, File: j.Plugin, Digest: j.Digest, State: j.State.String(), Settings: []setting{}, Imports: []plugins.Import{},
		Requests: plugins.Asks(j.Access.Request), NotGranted: j.Access.Denied, NeverGiven: plugins.Capped(j.Access.Request, set.File.Caps),
		Unused: j.Unused, Update: j.Access.Update, Next: []time.Time{}, Timezone: j.Timezone, Description: j.Settings.Description, job: j,
	}
	if j.State != plugins.Active && j.State != plugins.Manual {
		v.NotGranted = plugins.Refused(j.Access.Request, config.Grant{}, set.File.Caps)
	} else if v.NotGranted == nil {
		v.NotGranted = []plugins.Ask{}
	}
	if v.Unused == nil {
		v.Unused = []string{}
	}
	if j.Reason != "" {
		v.Reason = &j.Reason
	}
	if j.Remedy != "" {
		v.Remedy = &j.Remedy
	}
	for _, k := range j.Merged.Keys() {
		if k.Key != "request" {
			v.Settings = append(v.Settings, setting{k.Key, k.Text, j.Origin[k.Key]})
		}
	}
	if j.Schedule != nil {
		for at := j.Schedule.Next(now); len(v.Next) < fireTimes && !at.IsZero(); at = j.Schedule.Next(at) {
			v.Next = append(v.Next, at)
		}
	}
	if j.Digest == "" {
		return v, nil
	}
	wasm, err := j.Load()
	if err != nil {
		return nil, unreachable(err)
	}
	info, err := meter.Check(wasm, plugins.Limits(set.File.Limits))
	if err != nil {
		return nil, exitError{exitBad, fmt.Errorf("%s: %w", j.Plugin, err)}
	}
	v.Bytes, v.Imports = info.Size, plugins.Imports(info.Imports)
	return v, nil
}

// print shows it to people.
func (v *inspected) print(a *app, set *plugins.Set) {
	fmt.Fprintf(a.stdout, "%s, %s\nversion %s\njob %s is %s", printable(v.File), bytesText(v.Bytes), v.Digest, v.Job, v.State)
	if v.Reason != nil {
		fmt.Fprintf(a.stdout, ": %s", printable(advice(*v.Reason, text(v.Remedy))))
	}
	fmt.Fprint(a.stdout, "\n\n")
	t := table{heads: []string{"SETTING", "VALUE", "FROM"}}
	for _, s := range v.Settings {
		t.row(s.Key, s.Text, s.From)
	}
	a.write(t)
	fmt.Fprintln(a.stdout, "\nit imports:")
	v.printImports(a)
	fmt.Fprintln(a.stdout, "\nit asks for:")
	showAsks(a, "  ", v.Requests)
	section := func(head string, list []plugins.Ask) {
		if len(list) > 0 {
			fmt.Fprintln(a.stdout, "\n"+head)
			showAsks(a, "  ", list)
		}
	}
	section("of that it is not granted now:", v.NotGranted)
	section("of that nobody can grant it, because of [caps]:", v.NeverGiven)
	for _, u := range v.Unused {
		fmt.Fprintln(a.stdout, a.paint(yellow, "warning: "+u))
	}
	if up := v.Update; up != nil {
		fmt.Fprintf(a.stdout, "\nversion %s is in the folder and not in use: %s\n", up.Digest, printable(up.Reason))
		showAsks(a, "  + ", up.More)
		showAsks(a, "  - ", up.Less)
	}
	if len(v.Next) > 0 {
		fmt.Fprintln(a.stdout, "\nnext:")
	}
	for _, at := range v.Next {
		fmt.Fprintf(a.stdout, "  %s, %s\n", at.Format("Mon 2006-01-02 15:04:05 MST"), relative(at, a.now().In(at.Location())))
	}
}

// printImports shows the imports from one module on a line.
func (v *inspected) printImports(a *app) {
	if len(v.Imports) == 0 {
		fmt.Fprintln(a.stdout, "  nothing")
	}
	var modules []string
	names := map[string][]string{}
	for _, i := range v.Imports {
		if names[i.Module] == nil {
			modules = append(modules, i.Module)
		}
		name := i.Name
		if i.Needs != "" {
			name += " (needs request." + i.Needs + ")"
		}
		if !slices.Contains(names[i.Module], name) { // linkers import some twice
			names[i.Module] = append(names[i.Module], name)
		}
	}
	for _, from := range modules {
		fmt.Fprintf(a.stdout, "  %s: %s\n", printable(from), printable(strings.Join(names[from], ", ")))
	}
}
