package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/wcron/wcron/internal/guest"
)

type initCmd struct {
	Dir string `arg:"" help:"The folder. It is made if it is not there."`
}

// Help implements kong.HelpProvider.
func (*initCmd) Help() string {
	return "Makes DIR/wcron.toml, the folders plugins, jobs.d and state, and plugins/hello.wasm, a job that prints a line every ten seconds. " +
		"Nothing that is there already is changed.\n\n" +
		"Exit codes: 0 made; 1 DIR has a wcron.toml already; 2 the folder cannot be made or written, or the command line is wrong."
}

// hostFile is the configuration of a new folder. Each key that is commented out shows its default.
const hostFile = `# The configuration of wcron. Every key may be left out; those behind a # show what holds without them.
# Check it with "wcron check". A running host reads it again when it changes, and keeps the last good one if it is broken.

plugins = "plugins"           # the plugin folder: each NAME.wasm in it is the job NAME
state = "state"               # the ledger, locks and caches; only wcron touches it

#max_runs = 0                 # how many runs may be in flight at once; 0: no limit of its own
#memory_budget = "50%"        # of RAM or of the cgroup's limit: what all guests may have together
#drain_timeout = "30s"        # how long a host that is asked to stop waits for its runs
#compile_timeout = "3m"       # how long a module may take to compile, in a process of its own
#compile_memory = "2GiB"      # and how much memory
#timezone = "Europe/Berlin"   # of schedules that name none; without it the machine's

[dashboard]                   # pages for a browser on this machine, which show and change nothing; off unless listen is there
#listen = "127.0.0.1:8080"

[defaults]                    # for jobs that do not say
#timeout = "1m"
#memory = "64MiB"
#output = "1MiB"
#retries = 0

[caps]                        # the most that a plugin may ask for in its own manifest or sidecar
#timeout = "1h"
#memory = "1GiB"

# hello.wasm says in its manifest that it runs every 10 seconds. What stands here wins:
#
#[jobs.hello]
#schedule = "*/5 * * * *"     # minute, hour, day of month, month, day of week
#env = { GREETING = "hi" }
#
# More jobs: here, or each in a file of its own, jobs.d/NAME.toml, as "wcron add" writes them.
`

const helloManifest = `name = "hello"
version = "1.0.0"
description = "Prints a line every ten seconds"
schedule = "@every 10s"
timeout = "10s"
`

// made is the answer of init.
type made struct {
	File    string   `json:"file"`
	Plugins string   `json:"plugins"`
	State   string   `json:"state"`
	Jobs    []string `json:"jobs"`
}

func (c *initCmd) Run(_ context.Context, a *app) error {
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return usage("find the folder %s: %w", c.Dir, err)
	}
	m := made{
		File: filepath.Join(dir, "wcron.toml"), Plugins: filepath.Join(dir, "plugins"), State: filepath.Join(dir, "state"), Jobs: []string{"hello"},
	}
	if _, err := os.Lstat(m.File); err == nil {
		return exitError{exitBad, fmt.Errorf("%s is there already; choose another folder, or run: wcron serve -c %s", m.File, quoted(m.File))}
	}
	if err := scaffold(dir, m); err != nil {
		return exitError{exitUsage, fmt.Errorf("%w; choose a folder that you may write to", err)}
	}
	if a.json {
		return a.emit(m)
	}
	file := quoted(m.File)
	fmt.Fprintf(a.stdout, `made %s with one job, hello

next:
  wcron check -c %s    says what is wrong, without running anything
  wcron serve -c %s    runs the jobs until you press ctrl-C
  wcron list  -c %s    what there is, and when it runs next
  wcron logs  -c %s hello -f

Then drop a .wasm file into %s: it is a job within two seconds.
`, dir, file, file, file, file, m.Plugins)
	return nil
}

// scaffold makes everything. The host file comes last: a folder that has one is whole.
func scaffold(dir string, m made) error {
	for _, d := range []struct {
		path string
		mode fs.FileMode
	}{{dir, 0o755}, {m.Plugins, 0o755}, {filepath.Join(dir, "jobs.d"), 0o755}, {m.State, 0o700}} {
		if err := os.MkdirAll(d.path, d.mode); err != nil {
			return err
		}
	}
	if err := os.Chmod(m.State, 0o700); err != nil { // it may have been there
		return err
	}
	hello := filepath.Join(m.Plugins, "hello.wasm")
	if err := create(hello, guest.WithManifest(guest.Hello(), helloManifest)); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return create(m.File, []byte(hostFile))
}

// create writes a file that must not be there yet.
func create(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}
