package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/wcron/wcron/capability"
	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/config"
	"github.com/wcron/wcron/host"
	"github.com/wcron/wcron/plugins"
	"github.com/wcron/wcron/schedule"
)

// place is where a configuration keeps things: all of it below the state folder.
type place struct {
	state   string // the ledger
	spool   string // output of runs in flight
	cache   string // compiled modules
	modules string // bytes of accepted modules, by digest
	owners  string // locks and sockets of hosts
}

func placeOf(f *config.File) place {
	return place{
		state:   f.State,
		spool:   filepath.Join(f.State, "spool"),
		cache:   filepath.Join(f.State, "cache"),
		modules: filepath.Join(f.State, "modules"),
		owners:  filepath.Join(f.State, "owners"),
	}
}

// openSource opens the jobs that the host file at path defines. Nothing is followed until its Run is called. Errors are those of
// the configuration, and of the state folder.
func openSource(path string, now time.Time) (*plugins.Source, error) {
	f, err := config.Load(path)
	if err != nil {
		return nil, broken(path, err)
	}
	s, err := plugins.Open(plugins.Config{File: path, Content: placeOf(f).modules, Opened: now})
	var refused *config.Error
	if errors.As(err, &refused) {
		return nil, broken(path, err)
	}
	if err != nil {
		return nil, unreachable(fmt.Errorf("%w; let the state folder %s be one that wcron may write to", err, f.State))
	}
	return s, nil
}

// broken says of a configuration that it cannot be used.
func broken(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return usage("the host file %s is not there; make one with wcron init DIR, or name one with -c", path)
	}
	return exitError{exitUsage, err}
}

// jobSource is a plugins.Source as the host wants it.
type jobSource struct {
	*plugins.Source
	changed chan struct{}
}

func newJobSource(s *plugins.Source) *jobSource {
	return &jobSource{Source: s, changed: make(chan struct{}, 1)}
}

// Jobs implements host.JobSource.
func (s *jobSource) Jobs() []host.Job { return hostJobs(s.Snapshot()) }

// Changed implements host.JobSource.
func (s *jobSource) Changed() <-chan struct{} { return s.changed }

// follow passes the source's changes on and shows each new set to see, until ctx ends.
func (s *jobSource) follow(ctx context.Context, see func(*plugins.Set)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.Source.Changed():
		}
		see(s.Snapshot())
		select {
		case s.changed <- struct{}{}:
		default: // the host has not looked since the last one
		}
	}
}

// hostJobs are the jobs of a set as the host wants them.
func hostJobs(set *plugins.Set) []host.Job {
	jobs := make([]host.Job, 0, len(set.Jobs))
	for _, j := range set.Jobs {
		jobs = append(jobs, hostJob(j))
	}
	return jobs
}

func hostJob(j plugins.Job) host.Job {
	s := j.Settings
	out := host.Job{
		Name:         j.Name,
		Module:       host.Module{Digest: j.Digest, Load: j.Load},
		Schedule:     j.ScheduleText,
		Timezone:     j.Timezone,
		DST:          schedule.DST(s.DST),
		Timeout:      s.Timeout,
		StartTimeout: s.StartTimeout,
		Memory:       s.Memory,
		Fuel:         s.Fuel,
		Output:       s.Output,
		State:        s.StateSize,
		Entry:        s.Entry,
		Args:         s.Args,
		Env:          s.Env,
		Input:        s.Input,
		NotBefore:    j.NotBefore,
		NotAfter:     j.NotAfter,
		Missed:       claims.MissedPolicy(s.Missed),
		MissedLimit:  s.MissedLimit,
		MissedWindow: s.MissedWindow,
		Grace:        s.Grace,
		Jitter:       s.Jitter,
		PauseAfter:   int64(s.PauseAfter),
		Retry:        claims.RetryPolicy{Retries: s.Retries, Min: s.Backoff.Min, Max: s.Backoff.Max, On: s.RetryOn},
		Overlap:      claims.Overlap{Policy: claims.OverlapPolicy(s.Overlap), QueueLimit: s.QueueLimit, MaxConcurrent: s.MaxConcurrent},
		Repeat:       int64(s.Repeat),
		HistoryRuns:  int64(s.HistoryRuns),
		HistoryBytes: s.HistoryBytes,
		Grants:       capabilities(j),

		StartingDeadline: s.StartingDeadline,
	}
	if s.Timeout == 0 {
		out.Timeout = host.Unlimited
	}
	if granted := j.Access.Allowed.State; granted > int64(config.DefaultState) { // up to that nobody has to ask
		out.State = max(out.State, granted)
	}
	switch j.State {
	case plugins.Broken, plugins.Pending, plugins.Denied:
		out.Broken = advice(j.Reason, j.Remedy)
		out.Withheld = map[plugins.State]host.JobState{plugins.Pending: host.Pending, plugins.Denied: host.Denied}[j.State]
	case plugins.Waiting:
		out.Unready = j.Reason
	default:
		out.Note = advice(j.Reason, j.Remedy)
	}
	return out
}

// capabilities is what a job's runs may do, as the host wants it.
func capabilities(j plugins.Job) capability.Grants {
	a := j.Access.Allowed
	g := capability.Grants{Emit: a.Emit, Config: j.Settings.Config}
	if len(j.Access.Denied) > 0 {
		g.Denied = plugins.Words(j.Access.Denied)
	}
	for _, r := range a.HTTP {
		g.HTTP = append(g.HTTP, capability.HTTPRule{Host: r.Host, Schemes: r.Schemes, Methods: r.Methods, Paths: r.Paths, Networks: r.Networks})
	}
	for _, s := range a.Secrets {
		g.Secrets = append(g.Secrets, capability.Secret{
			Name: s.Name, Header: s.Header, Host: s.Host, Format: s.Format, Source: secretSourceText(s.Source), Value: secretValue(s.Source),
		})
	}
	for _, d := range a.Dirs {
		g.Dirs = append(g.Dirs, capability.Dir{Guest: d.Guest, Host: d.Host, Write: d.Mode == config.ModeWrite, Quota: int64(d.Quota)})
	}
	return g
}

// advice joins what is wrong with what to do about it.
func advice(reason, remedy string) string {
	switch {
	case reason == "" || remedy == "":
		return reason + remedy
	default:
		return fmt.Sprintf("%s; %s", reason, remedy)
	}
}
