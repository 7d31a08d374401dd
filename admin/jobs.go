package admin

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/host"
)

// Jobs implements API. What only a running host knows is left out: whether a module compiles, and why a due slot waits.
func (d *Direct) Jobs(ctx context.Context) ([]Job, error) {
	rows, running, err := d.rows(ctx)
	if err != nil {
		return nil, err
	}
	var out []Job
	mine := map[string]bool{}
	for _, def := range d.cfg.Jobs() {
		if mine[def.Name] {
			continue
		}
		mine[def.Name] = true
		s := d.jobStatus(def, rows[def.Name])
		out = append(out, d.view(s, d.cfg.Source, running))
	}
	return d.withQueue(ctx, d.withOthers(out, mine, rows, running))
}

// rows reads the ledger's side of the jobs: the rows that exist by name, and the runs in flight by job.
func (d *Direct) rows(ctx context.Context) (map[string]claims.Job, map[string][]string, error) {
	all, err := d.cfg.Store.Jobs(ctx)
	if err != nil {
		return nil, nil, err
	}
	rows := map[string]claims.Job{}
	for _, row := range all {
		if row.Removed.IsZero() {
			rows[row.Name] = row
		}
	}
	open, err := d.cfg.Store.Open(ctx)
	if err != nil {
		return nil, nil, err
	}
	running := map[string][]string{}
	for _, o := range open {
		running[o.Job] = append(running[o.Job], o.RunID)
	}
	return rows, running, nil
}

// withOthers adds the jobs of other sets on the same ledger, and sorts by name.
func (d *Direct) withOthers(out []Job, mine map[string]bool, rows map[string]claims.Job, running map[string][]string) []Job {
	for name, row := range rows {
		if mine[name] || row.Source == d.cfg.Source {
			continue
		}
		// The ledger's text names the zone that it is read in, which the view shows beside it.
		def := host.Job{Name: name, Schedule: strings.ReplaceAll("\n"+row.Schedule, "\nCRON_TZ="+row.Timezone+" ", "\n")[1:], Timezone: row.Timezone}
		s := d.jobStatus(def, row)
		s.Next = row.Next
		if s.State == host.Active || s.State == host.OnDemand {
			s.Reason = "it belongs to the jobs of " + row.Source
		}
		out = append(out, d.view(s, row.Source, running))
	}
	slices.SortFunc(out, func(a, b Job) int { return strings.Compare(a.Job, b.Job) })
	return out
}

// jobStatus is what a host would say of a job, as far as the definition and the ledger tell.
func (d *Direct) jobStatus(def host.Job, row claims.Job) host.JobStatus {
	s := host.JobStatus{Job: def, Row: row, State: host.Active, Digest: def.Module.Digest}
	next, err := d.next(def, row)
	s.Next = next
	if next.Equal(row.Next) {
		s.Starts = def.StartOf(row)
	}
	switch {
	case row.Disabled != "":
		s.State, s.Reason = host.Disabled, row.Disabled
	case def.Broken != "":
		if s.State, s.Reason = host.Broken, def.Broken; def.Withheld != "" {
			s.State = def.Withheld
		}
	case err != nil:
		s.State, s.Reason = host.Broken, err.Error()
	case row.Paused:
		s.State, s.Reason = host.Paused, row.Reason
	case row.Done:
		s.State, s.Reason = host.Finished, "its repeat limit is reached"
	case def.Schedule == "":
		s.State, s.Reason = host.OnDemand, def.Note
		if def.Note == "" {
			s.Reason = "it has no schedule; it runs when asked for"
		}
	case next.IsZero() && def.RunsAtStart():
		s.Reason = host.AtStartNote
	case next.IsZero():
		s.State, s.Reason = host.Finished, "its schedule has no further time"
	}
	return s
}

// next is the job's next due time: the ledger's, unless the schedule has become another one since, or the job is not in the ledger
// yet. Then it is the time that it will have once a host has taken it over.
func (d *Direct) next(def host.Job, row claims.Job) (time.Time, error) {
	if def.Schedule == "" || row.Done {
		return time.Time{}, nil
	}
	now := d.now()
	put, err := def.Registration(now)
	if err != nil {
		return time.Time{}, err
	}
	as := claims.Job{Name: def.Name, Schedule: put.Schedule, Timezone: put.Timezone, Anchor: row.Anchor, NotBefore: put.NotBefore, NotAfter: put.NotAfter}
	if row.Name != "" && row.Schedule != "" && row.NotBefore.Equal(put.NotBefore) && row.NotAfter.Equal(put.NotAfter) {
		times, err := host.Occurrences(as)
		if err != nil {
			return time.Time{}, err
		}
		if row.Next.IsZero() || times(row.Next.Add(-time.Millisecond)).Equal(row.Next) {
			return row.Next, nil
		}
	}
	return put.First, nil
}

// view makes the view of a job.
func (d *Direct) view(s host.JobStatus, source string, running map[string][]string) Job {
	v := Job{
		Job: s.Job.Name, Plugin: word(d.cfg.Plugin(s.Job.Name)), Digest: s.Digest, State: string(s.State), Schedule: word(strings.ReplaceAll(s.Job.Schedule, "\n", "; ")),
		Timezone: s.Job.Timezone, NextAt: instant(s.Next), LastOutcome: word(s.Row.Last), LastRunID: word(s.Row.LastRun), Reason: word(s.Reason),
		Running: running[s.Job.Name], WaitingSince: instant(s.Waiting), Note: word(s.Job.Note), LastEndedAt: instant(s.Row.LastEnded), Source: source,
		Progress: progressOf(s),
	}
	if v.DST = string(s.Job.DST); v.DST == "" {
		v.DST = "once"
	}
	if v.Warnings = s.Job.Warnings(); v.Warnings == nil {
		v.Warnings = []string{}
	}
	if source == d.cfg.Source {
		row := s.Row
		if put, err := s.Job.Registration(d.now()); row.Name == "" && err == nil { // as it will be registered
			row = claims.Job{Name: put.Name, Schedule: put.Schedule, Timezone: put.Timezone, NotBefore: put.NotBefore, NotAfter: put.NotAfter, Anchor: d.now(), Next: put.First}
		}
		v.Policies = policies(s.Job, row)
	}
	if v.StartsAt = instant(s.Starts); v.StartsAt == nil {
		v.StartsAt = v.NextAt
	}
	if at := s.Row.SkipAt; !at.IsZero() && !s.Next.IsZero() && !at.Before(s.Next) {
		v.SkipAt, v.SkipReason = instant(at), word(s.Row.SkipReason)
	}
	if v.Timezone == "" {
		v.Timezone = "UTC"
	}
	if v.Running == nil {
		v.Running = []string{}
	}
	if s.Reason == s.Job.Note && s.State == host.Active {
		v.Reason = nil
	}
	access, remedy := d.cfg.Access(s.Job.Name)
	if source != d.cfg.Source {
		return v // another set's job of that name
	}
	v.Access, v.Remedy = access, word(remedy)
	return v
}

// progressOf is what the runs of a job have told.
func progressOf(s host.JobStatus) []Progress {
	list := []Progress{}
	for _, id := range s.Running {
		p, ok := s.Progress[id]
		if !ok {
			continue
		}
		v := Progress{RunID: id, Text: p.Text, At: p.At}
		if p.Percent >= 0 {
			v.Percent = &p.Percent
		}
		list = append(list, v)
	}
	return list
}

// find is the definition of a job of the present set.
func (d *Direct) find(name string) (host.Job, bool) {
	for _, def := range d.cfg.Jobs() {
		if def.Name == name {
			return def, true
		}
	}
	return host.Job{}, false
}
