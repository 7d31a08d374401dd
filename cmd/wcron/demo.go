package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/claims/sqlitestore"
	"github.com/wcron/wcron/config"
	"github.com/wcron/wcron/host"
	"github.com/wcron/wcron/internal/guest"
)

type demoCmd struct {
	Dir      string          `placeholder:"DIR" help:"Make the demo's folder here, and keep it. Default: a temporary one."`
	Keep     bool            `help:"Keep the folder, and say what to try with it."`
	Duration config.Duration `default:"15s" placeholder:"SPAN" help:"How long to run; 15s if it is not given."`
}

// Help implements kong.HelpProvider.
func (*demoCmd) Help() string {
	return "Makes a folder with three jobs and runs a real host on it: greeter prints a line each second, wedged loops for ever and is ended at its deadline, " +
		"flaky fails twice before it comes through. Then it proves from the ledger that the greeter was never held up.\n\n" +
		"Exit codes: 0 the proof holds; 1 it does not; 2 the command line is wrong or the folder cannot be made; 3 the ledger cannot be used; " +
		"130 interrupted."
}

// The jobs of the demo. The wedged one has a deadline well below its period, and all three are asked for once at the start, so that
// there is something to see at once.
const (
	greeterManifest = "description = \"Greets each second\"\nschedule = \"@every 1s\"\ntimeout = \"5s\"\n"
	wedgedManifest  = "description = \"Loops for ever\"\nschedule = \"@every 5s\"\ntimeout = \"3s\"\n"
	flakyManifest   = "description = \"Fails twice, then succeeds\"\nschedule = \"@every 6s\"\ntimeout = \"5s\"\nretries = 2\nbackoff = \"500ms..1s\"\n"

	demoHostFile = "# The folder of wcron demo.\ndrain_timeout = \"10s\"\n"
)

const leastDemo = 3 * time.Second

func (c *demoCmd) Run(ctx context.Context, a *app) (err error) {
	if time.Duration(c.Duration) < leastDemo {
		return usage("--duration %s is too short to see anything; use %s or more", c.Duration, config.Duration(leastDemo))
	}
	dir, err := c.folder()
	if err != nil {
		return exitError{exitUsage, err}
	}
	keep := c.Keep || c.Dir != ""
	if !keep {
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	d := &demo{app: a, dir: dir, file: filepath.Join(dir, "wcron.toml")}
	if err := d.furnish(); err != nil {
		return exitError{exitUsage, err}
	}
	p, err := d.run(ctx, time.Duration(c.Duration))
	if err != nil {
		return err
	}
	if keep {
		d.next()
	}
	return d.judge(p)
}

// folder makes the demo's folder. One that is there already must be empty.
func (c *demoCmd) folder() (string, error) {
	if c.Dir == "" {
		return os.MkdirTemp("", "wcron-demo-")
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if there, err := os.ReadDir(dir); err != nil || len(there) > 0 {
		return "", errors.Join(err, fmt.Errorf("the folder %s is not empty; name another one", dir))
	}
	return dir, nil
}

// demo is one run of the demo.
type demo struct {
	app   *app
	dir   string
	file  string
	store *sqlitestore.Store
	live  live
}

// furnish writes the configuration and the plugins.
func (d *demo) furnish() error {
	folder := filepath.Join(d.dir, "plugins")
	if err := os.Mkdir(folder, 0o755); err != nil {
		return err
	}
	for name, wasm := range map[string][]byte{
		"greeter": guest.WithManifest(guest.Hello(), greeterManifest),
		"wedged":  guest.WithManifest(guest.Spin(), wedgedManifest),
		"flaky":   guest.WithManifest(guest.FailUntil(3), flakyManifest),
	} {
		if err := create(filepath.Join(folder, name+".wasm"), wasm); err != nil {
			return err
		}
	}
	return create(d.file, []byte(demoHostFile))
}

// run lets a host work on the folder and gathers the proof.
func (d *demo) run(ctx context.Context, length time.Duration) (p proof, err error) {
	source, err := openSource(d.file, time.Time{}) // nobody else writes here, so nothing can be half written
	if err != nil {
		return p, err
	}
	set := source.Snapshot()
	if len(set.Problems) > 0 && len(set.Jobs) != 3 {
		return p, fmt.Errorf("set up the demo: %s", set.Problems[0])
	}
	where := placeOf(set.File)
	if d.store, err = sqlitestore.Open(ctx, sqlitestore.Config{Dir: where.state}); err != nil {
		return p, unreachable(err)
	}
	defer func() { err = errors.Join(err, d.store.Close()) }()

	cfg := d.app.hostConfig(set.File, where)
	cfg.Store, cfg.Jobs, cfg.Version = d.store, host.NewJobs(hostJobs(set)...), thisBuild().Version
	d.live = live{app: d.app, began: d.app.now()}
	added := make(chan string, len(set.Jobs))
	cfg.OnEvent = func(e host.Event) {
		if e.Kind == host.JobAdded {
			added <- e.Job
		}
		d.live.show(e)
	}
	h, err := host.New(cfg)
	if err != nil {
		return p, unreachable(err)
	}
	d.live.title(d.dir, length)
	running, stop := context.WithTimeout(ctx, length)
	defer stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	wg.Go(func() { d.ask(running, h, added) })
	defer context.AfterFunc(ctx, h.Abort)() // who interrupts does not want to wait for the wedged job
	began := d.app.now()
	if err := h.Run(running); err != nil {
		return p, unreachable(err)
	}
	if ctx.Err() != nil {
		return p, ctx.Err()
	}
	return prove(context.WithoutCancel(ctx), d.store, began.Add(length))
}

// ask requests a run of the wedged and the flaky job as soon as they are there: their schedules would come seconds later.
func (d *demo) ask(ctx context.Context, h *host.Host, added <-chan string) {
	for {
		var job string
		select {
		case <-ctx.Done():
			return
		case job = <-added:
		}
		if job == "greeter" {
			continue
		}
		req := claims.Request{Kind: claims.Trigger, Job: job, ID: "demo", By: "wcron demo"}
		if err := d.store.Request(ctx, d.app.now(), req); err != nil && ctx.Err() == nil {
			fmt.Fprintf(d.app.stderr, "wcron: ask for a run of %s: %v; it runs on its schedule\n", job, err)
		}
		h.Poll()
	}
}

// judge prints the proof and chooses the exit code.
func (d *demo) judge(p proof) error {
	if d.app.json {
		if err := d.app.emit(p); err != nil {
			return err
		}
	}
	if p.Holds {
		if !d.app.json {
			fmt.Fprintf(d.app.stdout, "\n%s\n", d.app.paint(green, p.String()))
		}
		return nil
	}
	return exitError{exitBad, errors.New(p.String())}
}

// next says what to try with the folder.
func (d *demo) next() {
	if d.app.json {
		return
	}
	file := quoted(d.file)
	fmt.Fprintf(d.app.stdout, `
the folder is %s; try:
  wcron history -c %s wedged
  wcron history -c %s greeter --slots
  wcron logs    -c %s flaky
  wcron audit   -c %s
  wcron serve   -c %s
`, d.dir, file, file, file, file, file)
}
