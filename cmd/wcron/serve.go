package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wcron/wcron/admin"
	"github.com/wcron/wcron/claims/sqlitestore"
	"github.com/wcron/wcron/config"
	"github.com/wcron/wcron/host"
	"github.com/wcron/wcron/metrics"
	"github.com/wcron/wcron/plugins"
)

type serveCmd struct {
	Log string `enum:"text,json" default:"text" help:"The form of the log on stderr: text or json. --json stands for json."`

	Watchdog *config.Duration `placeholder:"SPAN" help:"Run the host in a child process, and kill it and start another one when it is frozen for that long, such as 30s."`
}

// Help implements kong.HelpProvider.
func (*serveCmd) Help() string {
	return "Follows the host file, jobs.d and the plugin folder, and runs what they define. SIGHUP makes it read them again at once. The first SIGTERM or " +
		"ctrl-C lets the runs in flight end, for drain_timeout at most; the second one ends them now. Several hosts may share a state folder: " +
		"each slot runs once.\n\n" +
		"A service manager that asks for it (systemd's Type=notify and WatchdogSec) is told when the host is up and that it lives. Where there is none, " +
		"--watchdog puts a small parent process in its place.\n\n" +
		"Exit codes: 0 it was asked to end; 2 the configuration or the plugin folder cannot be used, or the command line is wrong; " +
		"3 the ledger cannot be used."
}

func (c *serveCmd) Run(ctx context.Context, a *app) (err error) {
	if c.Watchdog != nil {
		if *c.Watchdog < config.Duration(time.Second) {
			return usage("--watchdog %s is too short for a busy machine; give 1s at least, better 30s", c.Watchdog)
		}
		return c.watched(a)
	}
	ending := make(chan os.Signal, 4) // the first one ends ctx
	signal.Notify(ending, endingSignals()...)
	defer signal.Stop(ending)
	path, err := a.locate()
	if err != nil {
		return err
	}
	source, err := openSource(path, a.now())
	if err != nil {
		return err
	}
	set := source.Snapshot()
	if err := usable(set); err != nil {
		return err
	}
	s := &server{app: a, log: c.logger(a), ending: ending, source: newJobSource(source), file: set.File, place: placeOf(set.File),
		metrics: metrics.New(), newSet: make(chan struct{}, 1)}
	s.store, err = sqlitestore.Open(ctx, sqlitestore.Config{Dir: s.place.state})
	if err != nil {
		return unreachable(err)
	}
	defer func() {
		if closing := s.store.Close(); err == nil && closing != nil {
			err = unreachable(closing)
		}
	}()
	source.Records(recordsOf(s.store))
	return s.serve(ctx)
}

func (c *serveCmd) logger(a *app) *slog.Logger {
	if c.Log == "json" || a.json {
		return slog.New(slog.NewJSONHandler(a.stderr, nil))
	}
	return slog.New(slog.NewTextHandler(a.stderr, nil))
}

// usable refuses to start on a plugin folder that cannot be read at all. Everything else that is wrong stops nothing.
func usable(set *plugins.Set) error {
	if _, err := os.ReadDir(set.File.Plugins); err != nil {
		return usage("the plugin folder cannot be read: %w; make it, or name another one with the key plugins in %s", err, set.File.Path)
	}
	for _, p := range set.Problems {
		if p.File == set.File.Plugins {
			return usage("%s", p)
		}
	}
	return nil
}

// server is one host with all that belongs to it.
type server struct {
	app    *app
	log    *slog.Logger
	source *jobSource
	file   *config.File // as of the start: what its values need a restart for
	place  place
	store  *sqlitestore.Store
	host   *host.Host
	ending chan os.Signal
	newSet chan struct{} // one value: there is a set that accept has not seen
	told   teller

	metrics *metrics.Metrics
}

// serve runs until ctx ends, which begins the drain, and the drain is over.
func (s *server) serve(ctx context.Context) error {
	if err := s.sweep(ctx); err != nil {
		s.log.Warn("spool_sweep", "error", err)
	}
	set := s.source.Snapshot()
	cfg := s.app.hostConfig(set.File, s.place)
	cfg.Store, cfg.Jobs, cfg.Logger = s.store, s.source, s.log
	cfg.Instance, cfg.Version = host.NewInstance(), thisBuild().Version
	if err := witnessed(&cfg); err != nil {
		return err
	}
	socket, listener, err := listen(s.place, cfg.Instance)
	if err != nil {
		s.log.Warn("no_socket", "error", err, "remedy", "commands go through the ledger instead, and logs -f reads the spool")
	}
	cfg.Socket, cfg.OnEvent = socket, s.metrics.Observe
	if s.host, err = host.New(cfg); err != nil {
		err = fmt.Errorf("make the host: %w", err)
		if listener != nil {
			err = errors.Join(err, listener.Close())
		}
		return unreachable(err)
	}
	s.log.Info("serving", "file", set.File.Path, "plugins", set.File.Plugins, "jobs", len(set.Jobs), "zone", set.Zone.Name, "zone_from", set.Zone.From,
		"state", s.place.state, "socket", socket, "memory_budget", cfg.MemoryBudget, "instance", cfg.Instance)
	s.metrics.Watch(s.host)
	s.metrics.Configuration(len(set.Problems), s.told.tell(s.log, set))

	around, stop := context.WithCancel(context.WithoutCancel(ctx)) // what goes on while the host drains
	defer stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	api := admin.NewServed(s.admin(), s.host)
	wg.Go(func() { s.probes(around, api) })
	wg.Go(func() { s.dashboard(around, api) })
	if listener != nil {
		wg.Go(func() {
			if err := admin.Serve(around, listener, admin.Handler(api)); err != nil {
				s.log.Error("socket", "error", err)
			}
		})
	}
	wg.Go(func() {
		if err := s.source.Run(around); err != nil {
			s.log.Error("follow_files", "error", err)
		}
	})
	wg.Go(func() { s.source.follow(around, s.changed) })
	wg.Go(func() { s.accept(around) })
	wg.Go(func() { s.signals(around, ctx) })
	wg.Go(func() { s.beats(around, ctx) })
	if err := s.host.Run(ctx); err != nil {
		return unreachable(err)
	}
	return nil
}

// hostConfig is what the host file says of the host itself.
func (a *app) hostConfig(f *config.File, p place) host.Config {
	cfg := host.Config{
		Source: f.Path, Spool: p.spool, Sandbox: a.sandboxConfig(f, p.cache),
		MaxRuns: f.MaxRuns, MemoryBudget: budget(f.MemoryBudget, machineMemory()),
		OrphanGrace: f.OrphanGrace, DrainTimeout: f.DrainTimeout, CommitGrace: f.CommitGrace, Lease: f.Lease,
	}
	if cfg.OrphanGrace == 0 { // a zero Config means the default
		cfg.OrphanGrace = time.Nanosecond
	}
	if cfg.DrainTimeout == 0 {
		cfg.DrainTimeout = -1
	}
	if cfg.CatchUp = f.CatchUp; cfg.CatchUp == 0 {
		cfg.CatchUp = -1
	}
	return cfg
}

// admin is what the operator's API works with.
func (s *server) admin() admin.Config {
	return admin.Config{
		Store: s.store, Jobs: s.source.Jobs, Source: s.file.Path, Zone: func() string { return s.source.Snapshot().Zone.Name }, Spool: s.place.spool,
		Reload: s.source.Reload, Metrics: s.metrics.Write,
		Plugin: func(name string) string {
			j, _ := s.source.Snapshot().Job(name)
			return j.Settings.Plugin
		},
		Access: func(name string) (*admin.Access, string) { return accessView(s.source.Snapshot(), name) },
	}
}

// signals makes SIGHUP a reload, and the second ending signal an end at once. ctx is what the first one ends.
func (s *server) signals(until, ctx context.Context) {
	reload := make(chan os.Signal, 1)
	if list := reloadSignals(); len(list) > 0 {
		signal.Notify(reload, list...)
		defer signal.Stop(reload)
	}
	came := 0
	drain := ctx.Done()
	for {
		select {
		case <-until.Done():
			return
		case <-reload:
			s.source.Reload()
			set := s.source.Snapshot()
			s.log.Info("reloaded", "jobs", len(set.Jobs), "problems", len(set.Problems))
		case <-drain:
			drain = nil
			s.log.Info("ending", "drain_timeout", s.file.DrainTimeout, "again", "a second signal ends the runs now")
		case <-s.ending:
			if came++; came == 2 {
				s.log.Warn("ending_now")
				s.host.Abort()
				signal.Stop(s.ending) // a third one ends the process
			}
		}
	}
}

// changed is told of each new set.
func (s *server) changed(set *plugins.Set) {
	s.metrics.Configuration(len(set.Problems), s.told.tell(s.log, set))
	select {
	case s.newSet <- struct{}{}:
	default:
	}
	if keys := restarts(s.file, set.File); !s.told.same("restart", keys) && len(keys) > 0 {
		s.log.Warn("restart_needed", "keys", strings.Join(keys, " "), "reason", "their new values hold once wcron serve is started again")
	}
}

// restarts are the keys that differ and of which a running host keeps the value that it was started with.
func restarts(old, now *config.File) []string {
	var keys []string
	for _, k := range []struct {
		name    string
		differs bool
	}{
		{"state", old.State != now.State},
		{"max_runs", old.MaxRuns != now.MaxRuns},
		{"memory_budget", old.MemoryBudget != now.MemoryBudget},
		{"orphan_grace", old.OrphanGrace != now.OrphanGrace},
		{"drain_timeout", old.DrainTimeout != now.DrainTimeout},
		{"commit_grace", old.CommitGrace != now.CommitGrace},
		{"lease", old.Lease != now.Lease},
		{"metrics", old.Metrics != now.Metrics},
		{"dashboard", old.Dashboard.Listen != now.Dashboard.Listen || !slices.Equal(old.Dashboard.Hosts, now.Dashboard.Hosts)},
		{"compile_timeout", old.CompileTimeout != now.CompileTimeout},
		{"compile_memory", old.CompileMemory != now.CompileMemory},
		{"limits", old.Limits != now.Limits},
	} {
		if k.differs {
			keys = append(keys, k.name)
		}
	}
	return keys
}
