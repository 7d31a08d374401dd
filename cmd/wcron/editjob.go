package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/wcron/wcron/config"
	"github.com/wcron/wcron/plugins"
)

type editCmd struct {
	Name string `arg:"" help:"The job's name."`
	jobKeys
	Unset []string `placeholder:"KEY,…" help:"Take these keys out, such as timeout or retry_on; env takes out all variables, env.NAME one, and so does config."`
}

// Help implements kong.HelpProvider.
func (*editCmd) Help() string {
	return "Changes only the keys that are given, in jobs.d/NAME.toml. If somebody else changes the file meanwhile, nothing of either is lost.\n\n" + editCodes
}

// Run changes the job. A file that changed between the look and the write is looked at again.
func (c *editCmd) Run(ctx context.Context, a *app) error {
	f, err := a.load()
	if err != nil {
		return err
	}
	given, err := c.job(a, f, c.Name)
	if err != nil {
		return err
	}
	const tries = 5
	for n := 1; ; n++ {
		old, digest, err := plugins.ReadJob(f.Path, c.Name)
		if err != nil {
			return editError(f, c.Name, err)
		}
		j, err := c.apply(given, old)
		if err != nil {
			return err
		}
		next, err := sound(a, f, c.Name, &j, given.Schedule != nil || given.Timezone != nil || given.DST != nil)
		if err != nil {
			return err
		}
		err = plugins.WriteJob(f.Path, c.Name, j, plugins.Replace, digest)
		if err == nil {
			return told(ctx, a, f, c.Name, "changed", next)
		}
		if !errors.Is(err, plugins.ErrEdited) || n == tries {
			return editError(f, c.Name, err)
		}
	}
}

// apply puts the given keys over the old ones, without those that are to go.
func (c *editCmd) apply(given, old config.Job) (config.Job, error) {
	for _, key := range c.Unset {
		if done, err := unsetName(&old, key); done || err != nil {
			if err != nil {
				return old, err
			}
			continue
		}
		clear := unsetters()[strings.ReplaceAll(key, "-", "_")]
		if clear == nil {
			return old, usage("--unset %s: there is no such key; there are %s", key, strings.Join(unsetKeys(), ", "))
		}
		clear(&old)
	}
	return given.Over(old), nil
}

// unsetName takes env.NAME or config.NAME out, if key is one of these.
func unsetName(old *config.Job, key string) (done bool, err error) {
	for prefix, m := range map[string]*map[string]string{"env.": &old.Env, "config.": &old.Config} {
		name, ok := strings.CutPrefix(key, prefix)
		if !ok {
			continue
		}
		if _, there := (*m)[name]; !there {
			return false, usage("--unset %s: the job does not set it", key)
		}
		*m = maps.Clone(*m)
		delete(*m, name)
		return true, nil
	}
	return false, nil
}

// unsetters take a key out of a job, by the key's name in the configuration.
func unsetters() map[string]func(*config.Job) {
	return map[string]func(*config.Job){
		"plugin":            func(j *config.Job) { j.Plugin = nil },
		"schedule":          func(j *config.Job) { j.Schedule = nil },
		"timezone":          func(j *config.Job) { j.Timezone = nil },
		"dst":               func(j *config.Job) { j.DST = nil },
		"timeout":           func(j *config.Job) { j.Timeout = nil },
		"start_timeout":     func(j *config.Job) { j.StartTimeout = nil },
		"memory":            func(j *config.Job) { j.Memory = nil },
		"fuel":              func(j *config.Job) { j.Fuel = nil },
		"output":            func(j *config.Job) { j.Output = nil },
		"state_size":        func(j *config.Job) { j.StateSize = nil },
		"entry":             func(j *config.Job) { j.Entry = nil },
		"args":              func(j *config.Job) { j.Args = nil },
		"env":               func(j *config.Job) { j.Env = nil },
		"input":             func(j *config.Job) { j.Input = nil },
		"not_before":        func(j *config.Job) { j.NotBefore = nil },
		"not_after":         func(j *config.Job) { j.NotAfter = nil },
		"missed":            func(j *config.Job) { j.Missed = nil },
		"missed_limit":      func(j *config.Job) { j.MissedLimit = nil },
		"missed_window":     func(j *config.Job) { j.MissedWindow = nil },
		"grace":             func(j *config.Job) { j.Grace = nil },
		"jitter":            func(j *config.Job) { j.Jitter = nil },
		"pause_after":       func(j *config.Job) { j.PauseAfter = nil },
		"retries":           func(j *config.Job) { j.Retries = nil },
		"backoff":           func(j *config.Job) { j.Backoff = nil },
		"retry_on":          func(j *config.Job) { j.RetryOn = nil },
		"overlap":           func(j *config.Job) { j.Overlap = nil },
		"queue_limit":       func(j *config.Job) { j.QueueLimit = nil },
		"max_concurrent":    func(j *config.Job) { j.MaxConcurrent = nil },
		"repeat":            func(j *config.Job) { j.Repeat = nil },
		"history_runs":      func(j *config.Job) { j.HistoryRuns = nil },
		"history_bytes":     func(j *config.Job) { j.HistoryBytes = nil },
		"starting_deadline": func(j *config.Job) { j.StartingDeadline = nil },
		"description":       func(j *config.Job) { j.Description = nil },
		"config":            func(j *config.Job) { j.Config = nil },
		"grant":             func(j *config.Job) { j.Grant = nil },
	}
}

func unsetKeys() []string {
	var keys []string
	for k := range unsetters() {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

type rmCmd struct {
	Name string `arg:"" help:"The job's name."`
}

// Help implements kong.HelpProvider.
func (*rmCmd) Help() string {
	return "Removes jobs.d/NAME.toml. The module stays; one called NAME.wasm is a job of that name again, as it says itself. " +
		"A run in flight goes on, and its result is discarded.\n\n" + editCodes
}

// Run removes the job's file.
func (c *rmCmd) Run(ctx context.Context, a *app) error {
	path, err := a.locate()
	if err != nil {
		return err
	}
	f, loaded := config.Load(path)
	if loaded != nil { // it may be the very file that is to go
		f = config.Default(filepath.Dir(path))
	}
	_, digest, err := plugins.ReadJob(path, c.Name)
	if err != nil && digest == "" {
		if errors.Is(err, config.ErrName) {
			return usage("%w", err)
		}
		if _, ok := f.Jobs[c.Name]; !ok && errors.Is(err, plugins.ErrNoFile) {
			return exitError{exitBad, fmt.Errorf("%w; a job that is made of a plugin alone goes with its file in %s", err, f.Plugins)}
		}
		return editError(f, c.Name, err)
	}
	if err := plugins.RemoveJob(path, c.Name, digest); err != nil {
		return editError(f, c.Name, err)
	}
	return told(ctx, a, f, c.Name, "removed", time.Time{})
}
