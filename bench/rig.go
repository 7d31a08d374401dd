package bench

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
	"github.com/wcron/wcron/host"
	"github.com/wcron/wcron/sandbox"
)

// everySecond is the schedule of most jobs: all of them become due at the same instant.
const everySecond = "* * * * * *"

// readyTimeout bounds the wait until all jobs are registered and compiled.
const readyTimeout = 2 * time.Minute

// keepAll is a history limit that no measurement reaches: figures are read from the ledger, so nothing may be pruned.
const keepAll = 1 << 40

// folder is what a measurement keeps on disk. The spool lies beside the store, on the same file system, so that a long output is
// taken over by a rename.
type folder struct{ root string }

// newFolder makes a folder that nobody else may enter; remove deletes it.
func newFolder() (f folder, remove func(), err error) {
	root, err := os.MkdirTemp("", "wcron-bench-")
	if err != nil {
		return folder{}, nil, fmt.Errorf("make a state folder: %w", err)
	}
	f = folder{root: root}
	remove = func() { os.RemoveAll(root) }
	for _, dir := range []string{f.state(), f.spool(), f.cache()} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			remove()
			return folder{}, nil, fmt.Errorf("make a state folder: %w", err)
		}
	}
	return f, remove, nil
}

func (f folder) state() string { return filepath.Join(f.root, "state") }
func (f folder) spool() string { return filepath.Join(f.root, "spool") }
func (f folder) cache() string { return filepath.Join(f.root, "cache") }

func (f folder) open(ctx context.Context) (*sqlitestore.Store, error) {
	return sqlitestore.Open(ctx, sqlitestore.Config{Dir: f.state()})
}

// config is a host's configuration on this folder.
func (f folder) config(store claims.Store, jobs []host.Job) host.Config {
	for i := range jobs {
		jobs[i].HistoryRuns, jobs[i].HistoryBytes = keepAll, keepAll
	}
	return host.Config{
		Store: store, Jobs: host.NewJobs(jobs...), Source: "bench", Spool: f.spool(), Sandbox: sandbox.Config{CacheDir: f.cache()},
	}
}

// running is a host at work.
type running struct {
	host *host.Host
	stop context.CancelFunc
	done chan error

	mu       sync.Mutex // guards troubles
	troubles []string   // what the host could not do at once
}

// launch starts a host, which runs until wait. A host that ends earlier says why at wait.
func launch(cfg host.Config) (*running, error) {
	r := &running{done: make(chan error, 1)}
	cfg.OnEvent = r.note
	h, err := host.New(cfg)
	if err != nil {
		return nil, err
	}
	r.host = h
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	go func() { r.done <- h.Run(ctx) }()
	return r, nil
}

func (r *running) note(e host.Event) {
	if e.Kind != host.TickFailed && e.Kind != host.JobBroken && e.Kind != host.LateResult {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	text := fmt.Sprintf("%s: %s %s", e.Kind, e.Job, e.Reason)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	r.troubles = append(r.troubles, text)
}

// ready waits until every job is registered and its module compiled.
func (r *running) ready(ctx context.Context, jobs int) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	every := time.NewTicker(50 * time.Millisecond)
	defer every.Stop()
	for {
		status, err := r.host.Status(ctx)
		if err != nil {
			return fmt.Errorf("wait for the host to be ready: %w", err)
		}
		active := 0
		for _, s := range status {
			if s.State == host.Active && s.Row.Name != "" {
				active++
			}
		}
		if active == jobs {
			return nil
		}
		select {
		case <-every.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for the host to be ready: %d of %d jobs are: %w", active, jobs, ctx.Err())
		}
	}
}

// wait ends the host in order and returns what troubled it.
func (r *running) wait() ([]string, error) {
	r.stop()
	err := <-r.done
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.troubles, err
}

// window is the stretch of slots that is judged, both ends included.
type window struct{ first, last time.Time }

// nextWindow begins after a whole second of warming up and holds one slot for each second of d.
func nextWindow(now time.Time, d time.Duration) window {
	first := now.UTC().Truncate(time.Second).Add(2 * time.Second)
	return window{first: first, last: first.Add(d.Truncate(time.Second) - time.Second)}
}

// pass waits until the last slot of the window had ample time to start and to end.
func (w window) pass(ctx context.Context) error {
	select {
	case <-time.After(time.Until(w.last.Add(1500 * time.Millisecond))):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func checkSize(jobs, least int, d time.Duration) error {
	if jobs < least {
		return fmt.Errorf("%d jobs are too few: at least %d", jobs, least)
	}
	if d < time.Second {
		return errors.New("the time to measure is too short: at least 1s")
	}
	return nil
}
