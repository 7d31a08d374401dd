package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/config"
	"github.com/wcron/wcron/plugins"
)

type grantsCmd struct {
	List   grantsListCmd   `cmd:"" default:"1" help:"Show every decision that counts: of the ledger, and of the configuration."`
	Export grantsExportCmd `cmd:"" help:"Print what the ledger grants as tables for the host file."`
}

type grantsListCmd struct{}

// decision is a line of grants for programs.
type decision struct {
	Job      string       `json:"job"`
	Plugin   string       `json:"plugin"`
	Digest   *string      `json:"digest"` // null: the grant of the configuration holds for every version
	Decision string       `json:"decision"`
	Granted  config.Grant `json:"granted"`
	By       string       `json:"by"`
	At       *time.Time   `json:"at"`
}

// Run shows the decisions.
func (*grantsListCmd) Run(ctx context.Context, a *app) error {
	return a.withOperator(ctx, func(o *operator) error {
		list, err := o.decisions(ctx)
		if err != nil {
			return err
		}
		if a.json {
			return emitAll(a, list)
		}
		if len(list) == 0 {
			fmt.Fprintln(a.stdout, "nothing was decided yet; see wcron approve --help")
			return nil
		}
		t := table{heads: []string{"JOB", "VERSION", "DECISION", "WHEN", "BY", "GRANTED"}}
		for _, d := range list {
			version, when := "every one", ""
			if d.Digest != nil {
				version = (*d.Digest)[:min(len(*d.Digest), 12)]
			}
			if d.At != nil {
				when = relative(*d.At, a.now())
			}
			t.row(d.Job, version, cell{d.Decision, outcomeColour(d.Decision)}, when, d.By, strings.Join(append(plugins.Words(plugins.Given(d.Granted)), nearby(d.Granted)...), "; "))
		}
		a.write(t)
		return nil
	})
}

// decisions are those of the ledger and of the configuration, by job.
func (o *operator) decisions(ctx context.Context) ([]decision, error) {
	rows, _, err := o.store.Grants(ctx, 0)
	if err != nil {
		return nil, err
	}
	var list []decision
	for _, g := range rows {
		r, err := recordOf(g)
		if err != nil {
			return nil, err
		}
		if o.file.Jobs[r.Job].Grant == nil {
			list = append(list, decision{r.Job, r.Plugin, &r.Digest, string(g.Decision), r.Granted, r.By, &r.At})
		}
	}
	for name, e := range o.file.Jobs {
		if e.Grant == nil {
			continue
		}
		d := decision{Job: name, Plugin: name + ".wasm", Decision: string(claims.Approved), Granted: *e.Grant, By: e.Pos.String()}
		if e.Plugin != nil {
			d.Plugin = *e.Plugin
		}
		if e.Grant.Digest != "" {
			d.Digest = &e.Grant.Digest
		}
		list = append(list, d)
	}
	slices.SortStableFunc(list, func(x, y decision) int { return strings.Compare(x.Job, y.Job) })
	return list, nil
}

type grantsExportCmd struct {
	Jobs []string `arg:"" optional:"" name:"job" help:"The jobs. Default: all that were granted something."`
}

// Help implements kong.HelpProvider.
func (*grantsExportCmd) Help() string {
	return "Prints a table [jobs.NAME.grant] for each job, pinned to its version with digest. In the host file it takes the place of what the ledger says. " +
		"Without names, jobs that have such a table already are left out, and so are those of jobs.d: of one of these, named alone, it prints the table [grant] for its " +
		"own file. With --json everything is printed.\n\n" + pauseCodes
}

// Run prints the tables.
func (c *grantsExportCmd) Run(ctx context.Context, a *app) error {
	return a.withOperator(ctx, func(o *operator) error {
		last, err := o.approvals(ctx, c.Jobs)
		if err != nil {
			return err
		}
		names := slices.Sorted(maps.Keys(last))
		if len(c.Jobs) > 0 {
			names = slices.Compact(slices.Sorted(slices.Values(c.Jobs)))
		}
		for _, name := range names {
			r, ok := last[name]
			if !ok {
				return exitError{exitBad, fmt.Errorf("job %s: the ledger has no approval of it; see wcron grants", name)}
			}
			r.Granted.Digest = r.Digest
			if a.json {
				if err := a.emit(decision{r.Job, r.Plugin, &r.Digest, string(claims.Approved), r.Granted, r.By, &r.At}); err != nil {
					return err
				}
				continue
			}
			table, err := c.table(o, name)
			if err != nil {
				return err
			}
			if why := o.noPlace(name); why != "" && len(c.Jobs) == 0 {
				fmt.Fprintf(a.stderr, "wcron: job %s is left out: %s\n", name, why)
				continue
			}
			fmt.Fprintf(a.stdout, "# approved by %s at %s\n%s\n", printable(r.By), r.At.UTC().Format(time.RFC3339), config.EncodeGrant(table, r.Granted))
		}
		return nil
	})
}

// table is under which job's name a grant is printed: under none where the job has a file of its own.
func (c *grantsExportCmd) table(o *operator, name string) (string, error) {
	switch {
	case len(c.Jobs) == 0 || !o.ownFile(name):
		return name, nil
	case len(c.Jobs) > 1:
		return "", usage("job %s stands in %s, where its table has another name; name it alone", name, o.file.Jobs[name].Pos.File)
	}
	return "", nil
}

// ownFile says whether a job is defined in jobs.d.
func (o *operator) ownFile(job string) bool {
	e, ok := o.file.Jobs[job]
	return ok && e.Pos.File != o.file.Path
}

// noPlace says why the grant of a job cannot be appended to the host file.
func (o *operator) noPlace(job string) string {
	e := o.file.Jobs[job]
	switch {
	case e.Grant != nil:
		return "its grant stands at " + e.Pos.String()
	case o.ownFile(job):
		return fmt.Sprintf("it stands in %s; run wcron grants export %s, and append that to it", e.Pos.File, job)
	}
	source, err := o.present()
	if err != nil {
		return err.Error()
	}
	if _, ok := source.Snapshot().Job(job); !ok {
		return "there is no such job any more"
	}
	return ""
}

// approvals are the last of each job: of those that are named, and of all that grant something.
func (o *operator) approvals(ctx context.Context, named []string) (map[string]plugins.Record, error) {
	rows, _, err := o.store.Grants(ctx, 0)
	if err != nil {
		return nil, err
	}
	last := map[string]plugins.Record{}
	for _, g := range rows {
		r, err := recordOf(g)
		if err != nil {
			return nil, err
		}
		if r.Approved && (len(plugins.Given(r.Granted)) > 0 || slices.Contains(named, r.Job)) {
			last[r.Job] = r
		}
	}
	return last, nil
}
