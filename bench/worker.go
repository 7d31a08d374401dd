package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/wcron/wcron/host"
)

// workerEnv carries the order of a worker. A program (or test) that measures several host processes starts itself again with it.
const workerEnv = "WCRON_BENCH_WORKER"

// readyLine is what a worker prints once all its jobs can run.
const readyLine = "ready"

// order is what a worker is to do.
type order struct {
	Root        string        `json:"root"`     // of the folder
	Instance    string        `json:"instance"` // id under which it owns its claims
	Crew        string        `json:"crew"`     // which jobs: see crew
	Jobs        int           `json:"jobs"`
	OrphanGrace time.Duration `json:"orphan_grace"`
}

// crew makes the jobs of a worker; all workers of one order have the same.
func crew(o order) ([]host.Job, error) {
	switch o.Crew {
	case "greeters":
		return greeters(o.Jobs), nil
	case "mortals":
		return mortals(), nil
	}
	return nil, fmt.Errorf("no crew %q", o.Crew)
}

// Work makes this process a host if it was started as one by [TwoHosts] or [Killed], and returns when that host has ended. It
// reports whether it was; a main function calls it first, and exits if so, with 1 on an error.
func Work(ctx context.Context) (bool, error) {
	text := os.Getenv(workerEnv)
	if text == "" {
		return false, nil
	}
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return true, fmt.Errorf("worker: read its order: %w", err)
	}
	if err := work(ctx, o, os.Stdin, os.Stdout); err != nil {
		return true, fmt.Errorf("worker %s: %w", o.Instance, err)
	}
	return true, nil
}

// work runs a host until in ends, so that a worker does not outlive the process that started it.
func work(ctx context.Context, o order, in io.Reader, out io.Writer) error {
	dir := folder{root: o.Root}
	jobs, err := crew(o)
	if err != nil {
		return err
	}
	store, err := dir.open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	cfg := dir.config(store, jobs)
	cfg.Instance, cfg.OrphanGrace = o.Instance, o.OrphanGrace
	r, err := launch(cfg)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer cancel()
		_, _ = io.Copy(io.Discard, in) // an error ends it as well
	}()
	err = r.ready(ctx, len(jobs))
	if err == nil {
		fmt.Fprintln(out, readyLine)
		<-ended
	} else if ctx.Err() != nil {
		err = nil // it was to end before it was ready
	}
	troubles, stop := r.wait()
	for _, t := range troubles {
		fmt.Fprintln(out, t)
	}
	return errors.Join(err, stop)
}

// process is a worker, as the process that started it sees it.
type process struct {
	order  order
	cmd    *exec.Cmd
	stdin  io.Closer
	stderr bytes.Buffer
	ready  chan struct{} // closed once it is
	lines  chan []string // what it printed besides, when its output has ended
}

// spawn starts this program again as a worker.
func spawn(o order) (*process, error) {
	if os.Getenv(workerEnv) != "" { // or each worker would start workers
		return nil, errors.New("start a worker: this process is one, and did not call Work")
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	text, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	p := &process{order: o, cmd: exec.Command(self), ready: make(chan struct{}), lines: make(chan []string, 1)}
	p.cmd.Env = append(os.Environ(), workerEnv+"="+string(text))
	p.cmd.Stderr = &p.stderr
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	go p.read(out)
	return p, nil
}

func (p *process) read(out io.Reader) {
	var rest []string
	isReady := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if text := lines.Text(); text == readyLine && !isReady {
			isReady = true
			close(p.ready)
		} else {
			rest = append(rest, text)
		}
	}
	p.lines <- rest
}

// awaitReady waits until the worker's jobs can run.
func (p *process) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	select {
	case <-p.ready:
		return nil
	case rest := <-p.lines:
		p.lines <- rest
		return fmt.Errorf("worker %s ended before it was ready: %s", p.order.Instance, strings.TrimSpace(p.stderr.String()))
	case <-ctx.Done():
		return fmt.Errorf("wait for worker %s to be ready: %w", p.order.Instance, ctx.Err())
	}
}

// end lets the worker end in order, and returns what troubled it. Each process is waited for once, by end or by kill.
func (p *process) end() ([]string, error) {
	p.stdin.Close()
	rest := <-p.lines
	if err := p.cmd.Wait(); err != nil {
		return rest, fmt.Errorf("worker %s: %w: %s", p.order.Instance, err, strings.TrimSpace(p.stderr.String()))
	}
	return rest, nil
}

// kill ends the worker at once, and returns when it is gone.
func (p *process) kill() error {
	err := p.cmd.Process.Kill()
	<-p.lines
	var exit *exec.ExitError
	if waited := p.cmd.Wait(); waited != nil && !errors.As(waited, &exit) {
		err = errors.Join(err, waited)
	}
	p.stdin.Close()
	if err != nil {
		return fmt.Errorf("kill worker %s: %w", p.order.Instance, err)
	}
	return nil
}
