package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/wcron/wcron/config"
	"github.com/wcron/wcron/plugins"
	"github.com/wcron/wcron/sandbox/meter"
	"github.com/wcron/wcron/schedule"
)

type packCmd struct {
	Manifest string `short:"m" required:"" placeholder:"FILE" help:"The manifest: TOML with the keys of a job and its requests."`
	Module   string `arg:"" help:"The module."`
	Out      string `short:"o" placeholder:"FILE" help:"Write the module with its manifest here. Default: over MODULE, in one step."`
}

// Help implements kong.HelpProvider.
func (*packCmd) Help() string {
	return "The manifest goes into the custom section wcron.manifest; one that is there already is replaced, and everything else of the module stays byte for byte. " +
		"A manifest that wcron would refuse is refused here, and so is a file that is no module.\n\n" +
		"Exit codes: 0 written; 1 the manifest or the module is refused; 2 a file cannot be read or written, or the command line is wrong."
}

// packed is the answer for programs.
type packed struct {
	File     string        `json:"file"`
	Digest   string        `json:"digest"`
	Bytes    int64         `json:"bytes"`
	Requests []plugins.Ask `json:"requests"`
}

// Run writes the section.
func (c *packCmd) Run(_ context.Context, a *app) error {
	text, err := readAtMost(c.Manifest, maxManifest)
	if err != nil {
		return err
	}
	job, err := config.ParseJob(c.Manifest, text, config.KindManifest)
	var refused *config.Error
	if errors.As(err, &refused) {
		for _, p := range refused.Problems {
			fmt.Fprintln(a.stderr, printable(p.String()))
		}
		return exitError{exitBad, fmt.Errorf("the manifest %s is refused; mend what is listed above", c.Manifest)}
	}
	if err != nil {
		return err
	}
	if err := c.scheduled(text, job); err != nil {
		return err
	}
	wasm, err := readAtMost(c.Module, config.MaxModuleSize)
	if err != nil {
		return err
	}
	out, err := meter.SetCustom(wasm, plugins.ManifestSection, text)
	if err == nil {
		_, err = meter.Check(out, meter.Limits{})
	}
	if err != nil && !strings.Contains(err.Error(), "; raise limits.") { // how large a module may be is for the operator to say
		return exitError{exitBad, fmt.Errorf("%s is no module that a manifest can be put into: %w; build it for wasip1", c.Module, err)}
	}
	to := c.Out
	if to == "" {
		to = c.Module
	}
	if err := c.mayWrite(to); err != nil {
		return err
	}
	if err := plugins.Overwrite(to, out, c.Module); err != nil {
		return usage("write %s: %w", to, err)
	}
	answer := packed{File: to, Digest: plugins.Digest(out), Bytes: int64(len(out)), Requests: []plugins.Ask{}}
	if job.Request != nil {
		answer.Requests = plugins.Asks(*job.Request)
	}
	if a.json {
		return a.emit(answer)
	}
	fmt.Fprintf(a.stdout, "%s has the manifest %s; %s, version %.12s\n", printable(to), printable(c.Manifest), bytesText(answer.Bytes), answer.Digest)
	if len(answer.Requests) > 0 {
		fmt.Fprintln(a.stdout, "it asks for, and so waits for wcron approve:")
		showAsks(a, "  ", answer.Requests)
	}
	return nil
}

// scheduled refuses a schedule that no host could read.
func (c *packCmd) scheduled(text []byte, job config.Job) error {
	if job.Schedule == nil || *job.Schedule == "" {
		return nil
	}
	opt := schedule.Options{Name: "job"}
	if job.Timezone != nil {
		loc, err := time.LoadLocation(*job.Timezone)
		if err != nil {
			return exitError{exitBad, fmt.Errorf("%s: timezone %q: %w", c.Manifest, *job.Timezone, err)}
		}
		opt.Location, opt.LocationSet = loc, true
	}
	if _, err := schedule.Parse(*job.Schedule, opt); err != nil {
		at := config.Place(c.Manifest, text, "schedule")
		return exitError{exitBad, fmt.Errorf("%s: schedule %q: %w; see wcron next --help", at, *job.Schedule, err)}
	}
	return nil
}

// mayWrite refuses to put a module in place of what is no module's file: a device, a pipe, a folder, the manifest itself.
func (c *packCmd) mayWrite(to string) error {
	info, err := os.Stat(to)
	if err != nil {
		return nil //nolint:nilerr // nothing is there, or the write will tell
	}
	if !info.Mode().IsRegular() {
		return usage("write %s: it is there and is not a plain file; give another name with -o", to)
	}
	if manifest, err := os.Stat(c.Manifest); err == nil && os.SameFile(info, manifest) {
		return usage("write %s: it is the manifest; give another name with -o", to)
	}
	return nil
}

const maxManifest = 64 << 10

// readAtMost reads a file of a bounded size.
func readAtMost(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a plain file")
	}
	if err != nil {
		return nil, usage("read %s: %w", path, err)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, usage("read %s: %w", path, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, usage("read %s: %w", path, err)
	}
	if int64(len(b)) > most {
		return nil, exitError{exitBad, fmt.Errorf("%s is larger than %s", filepath.Base(path), bytesText(most))}
	}
	return b, nil
}
