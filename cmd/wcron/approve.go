package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wcron/wcron/admin"
	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/config"
	"github.com/wcron/wcron/plugins"
	"github.com/wcron/wcron/sandbox/meter"
)

type approveCmd struct {
	Job string `arg:"" help:"The job."`
	terms
	Yes bool `short:"y" help:"Do not ask."`
}

// Help implements kong.HelpProvider.
func (*approveCmd) Help() string {
	return "Shows what the version that is in the plugin folder asks for, and of an update what is new in it, asks whether to grant that, and records the answer in the " +
		"ledger for this version alone. Another version that asks for no more takes its place without asking again, unless on_update is \"ask\". " +
		"What was granted before stays for an update: secrets, folders and networks need not be named again.\n\n" +
		"A job whose grant stands in the configuration is granted there. It works with and without a running host.\n\n" +
		"Exit codes: 0 approved; 1 there is no such job, it cannot be approved, or the answer was no; 2 usage or configuration, also when something is missing for " +
		"the grant; 3 the ledger could not be reached."
}

// decided is the answer for programs.
type decided struct {
	Job      string        `json:"job"`
	Digest   string        `json:"digest"`
	Decision string        `json:"decision"`
	Granted  *config.Grant `json:"granted"`
	Denied   []plugins.Ask `json:"denied"` // asked for and not granted
}

// Run approves.
func (c *approveCmd) Run(ctx context.Context, a *app) error {
	if a.json && !c.Yes {
		return usage("approve --json asks nothing: give --yes, after a look with wcron inspect %s --json", c.Job)
	}
	return a.withOperator(ctx, func(o *operator) error {
		source, j, err := o.undecided(c.Job)
		if err != nil {
			return err
		}
		r := *j.Access.Version
		before, err := o.grantedBefore(ctx, r)
		if err != nil {
			return err
		}
		if !a.json {
			showVersion(a, source, j)
		}
		r.Granted, err = c.grant(r.Requested, before)
		if err != nil {
			return err
		}
		for _, d := range plugins.Meet(r.Requested, r.Granted, config.Caps{}).Dirs {
			if why := plugins.Reserved(source.Snapshot().File, d); why != "" {
				return usage("--dir %s=%s: %s; name another folder", d.Guest, d.Host, why)
			}
		}
		denied := plugins.Refused(r.Requested, r.Granted, source.Snapshot().File.Caps)
		if !a.json {
			showDenied(a, denied)
			showPlaces(a, r.Granted)
		}
		if !c.Yes && !a.confirm("approve?") {
			return exitError{exitBad, fmt.Errorf("nothing is changed; job %s stays as it was", c.Job)}
		}
		r.Approved, r.By = true, caller()
		if err := o.decide(ctx, a.now(), r); err != nil {
			return err
		}
		if a.json {
			return a.emit(decided{c.Job, r.Digest, string(claims.Approved), &r.Granted, denied})
		}
		fmt.Fprintf(a.stdout, "job %s is approved, version %.12s\n", c.Job, r.Digest)
		return nil
	})
}

// undecided is a job as the files make it now, of which a version can be decided about.
func (o *operator) undecided(name string) (*plugins.Source, plugins.Job, error) {
	source, err := o.present()
	if err != nil {
		return nil, plugins.Job{}, err
	}
	set := source.Snapshot()
	j, ok := set.Job(name)
	if !ok {
		return source, j, fmt.Errorf("job %q: %w", name, claims.ErrNoJob)
	}
	if g := set.File.Jobs[name]; g.Grant != nil {
		return source, j, exitError{exitBad, fmt.Errorf("the grant of job %s stands at %s; change it there", name, g.Pos)}
	}
	if j.Access.Version == nil {
		return source, j, exitError{exitBad, fmt.Errorf("job %s is %s: %s", name, j.State, advice(j.Reason, j.Remedy))}
	}
	return source, j, nil
}

// present has the set that the files and the ledger make now, whether or not a host answers.
func (o *operator) present() (*plugins.Source, error) {
	source, err := openSource(o.file.Path, time.Time{})
	if err != nil {
		return nil, err
	}
	source.Records(recordsOf(o.store))
	return source, nil
}

// grantedBefore is the latest grant of the job's plugin.
func (o *operator) grantedBefore(ctx context.Context, r plugins.Record) (config.Grant, error) {
	list, _, err := o.store.Grants(ctx, 0)
	if err != nil {
		return config.Grant{}, err
	}
	for _, g := range slices.Backward(list) {
		if g.Job == r.Job && g.Plugin == r.Plugin && g.Decision == claims.Approved {
			old, err := recordOf(g)
			return old.Granted, err
		}
	}
	return config.Grant{}, nil
}

// decide records decisions and tells the host, if there is one.
func (o *operator) decide(ctx context.Context, now time.Time, list ...plugins.Record) error {
	if err := record(ctx, o.store, now, list...); err != nil {
		return err
	}
	client, ok := o.API.(*admin.Client)
	if !ok {
		return nil
	}
	if err := client.Reload(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("it is recorded, and the host takes it over within two seconds: %w", err)
	}
	return nil
}

// showVersion prints what the version in the folder asks for, and how that differs from the version in use.
func showVersion(a *app, source *plugins.Source, j plugins.Job) {
	req := j.Access.Version.Requested
	fmt.Fprintf(a.stdout, "job %s, plugin %s, version %.12s\n", j.Name, printable(j.Settings.Plugin), j.Access.Version.Digest)
	if names := importsOf(source, j.Access.Version.Digest); names != "" {
		fmt.Fprintf(a.stdout, "it imports %s\n", names)
	}
	up := j.Access.Update
	if up == nil {
		fmt.Fprintln(a.stdout, "it asks for:")
		showAsks(a, "  ", plugins.Asks(req))
		return
	}
	other := ""
	if j.Digest == up.Digest {
		other = " with another sidecar"
	}
	fmt.Fprintf(a.stdout, "the version in use is %.12s%s, by the word of %s; against it, this one asks for:\n", j.Digest, other, printable(j.Access.From))
	if len(up.More)+len(up.Less) == 0 {
		fmt.Fprintln(a.stdout, "  the same")
	}
	showAsks(a, "  + ", up.More)
	showAsks(a, "  - ", up.Less)
	fmt.Fprintln(a.stdout, "in all it asks for:")
	showAsks(a, "  ", plugins.Asks(req))
}

func showAsks(a *app, before string, list []plugins.Ask) {
	if len(list) == 0 && before == "  " {
		fmt.Fprintln(a.stdout, "  nothing")
	}
	for _, x := range list {
		line := before + x.What
		if x.Reason != "" {
			line += " (" + fmt.Sprintf("%q", strings.Join(strings.Fields(x.Reason), " ")) + ")" // blanks could fill a line
		}
		fmt.Fprintln(a.stdout, printable(line))
	}
}

func showDenied(a *app, list []plugins.Ask) {
	if len(list) > 0 {
		fmt.Fprintln(a.stdout, "of that it is not given:")
		showAsks(a, "  ", list)
	}
}

func showPlaces(a *app, g config.Grant) {
	if list := places(g); len(list) > 0 {
		fmt.Fprintln(a.stdout, "in that:")
		for _, line := range list {
			fmt.Fprintln(a.stdout, "  "+printable(line))
		}
	}
}

// importsOf names the functions of wcron that a version imports.
func importsOf(source *plugins.Source, digest string) string {
	wasm, err := source.Load(digest)
	if err != nil {
		return ""
	}
	info, err := meter.Check(wasm, meter.Limits{})
	if err != nil {
		return ""
	}
	var names []string
	for _, i := range info.Imports {
		if i.Module != wasi {
			names = append(names, printable(i.Name))
		}
	}
	return strings.Join(names, ", ")
}

// confirm asks a question of which only y and yes mean yes.
func (a *app) confirm(question string) bool {
	fmt.Fprintf(a.stdout, "%s [y/N] ", question)
	line, _ := bufio.NewReader(a.stdin).ReadString('\n') // no answer is a no
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes"
}

type denyCmd struct {
	Job string `arg:"" help:"The job."`
	All bool   `help:"Not only the version that is in the plugin folder, but also the one in use, where that is an earlier one."`
}

// Help implements kong.HelpProvider.
func (*denyCmd) Help() string {
	return "Records for the version that is in the plugin folder that it is not to run. Where that is an update, the version before goes on; " +
		"--all keeps that from running, too; it takes back all that was approved of the job, also while its plugin is refused or away. wcron approve takes it back.\n\n" + pauseCodes
}

// Run denies.
func (c *denyCmd) Run(ctx context.Context, a *app) error {
	return a.withOperator(ctx, func(o *operator) error {
		list, next, err := c.versions(ctx, o)
		if err != nil {
			return err
		}
		if err := o.decide(ctx, a.now(), list...); err != nil {
			return err
		}
		for i, r := range list {
			if i > 0 && list[i-1].Digest == r.Digest { // with another sidecar
				continue
			}
			if a.json {
				if err := a.emit(decided{c.Job, r.Digest, string(claims.Denied), nil, plugins.Asks(r.Requested)}); err != nil {
					return err
				}
				continue
			}
			fmt.Fprintf(a.stdout, "job %s: version %.12s is denied\n", c.Job, r.Digest)
		}
		if next != "" && !a.json {
			fmt.Fprintf(a.stdout, "version %.12s goes on; wcron deny --all %s keeps it from running, too\n", next, c.Job)
		}
		return nil
	})
}

// versions are those that are to be denied: the one that is there, and with --all what was approved before, also where there is none
// that could be decided about. next is the digest of one that goes on all the same.
func (c *denyCmd) versions(ctx context.Context, o *operator) (list []plugins.Record, next string, err error) {
	_, j, refused := o.undecided(c.Job)
	rows, _, err := o.store.Grants(ctx, 0)
	if err != nil {
		return nil, "", err
	}
	if o.file.Jobs[c.Job].Grant != nil {
		return nil, "", refused
	}
	if refused == nil {
		list = append(list, *j.Access.Version)
	}
	earlier := false
	for _, g := range rows {
		if g.Job != c.Job || g.Decision != claims.Approved || refused == nil && j.Access.Version.Digest+j.Access.Version.Sidecar == g.Digest+g.Sidecar {
			continue
		}
		if earlier = true; c.All {
			list = append(list, plugins.Record{Job: g.Job, Plugin: g.Plugin, Digest: g.Digest, Sidecar: g.Sidecar})
		}
	}
	switch {
	case refused != nil && earlier && !c.All:
		return nil, "", exitError{exitBad, fmt.Errorf("%w; wcron deny --all %s takes back what was approved before", refused, c.Job)}
	case len(list) == 0:
		return nil, "", refused
	}
	for i := range list {
		list[i].By = caller()
	}
	if refused == nil && j.Access.Update != nil && !c.All {
		next = j.Digest
	}
	return list, next, nil
}
