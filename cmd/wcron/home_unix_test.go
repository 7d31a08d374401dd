//go:build unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/claims/sqlitestore"
	"github.com/wcron/wcron/host"
	"github.com/wcron/wcron/internal/guest"
)

// home is a folder with a configuration, for hosts in processes of their own.
type home struct {
	t   *testing.T
	dir string
}

func newHome(t *testing.T, hostFile string) home {
	t.Helper()
	h := home{t, t.TempDir()}
	if err := os.Mkdir(h.path("plugins"), 0o755); err != nil {
		t.Fatal(err)
	}
	h.configure(hostFile)
	return h
}

func (h home) path(name ...string) string { return filepath.Join(append([]string{h.dir}, name...)...) }

func (h home) file() string { return h.path("wcron.toml") }

// replace puts a file into place as a whole.
func (h home) replace(path string, content []byte) {
	h.t.Helper()
	temp := filepath.Join(h.dir, "new")
	if err := os.WriteFile(temp, content, 0o644); err != nil {
		h.t.Fatal(err)
	}
	if err := os.Rename(temp, path); err != nil {
		h.t.Fatal(err)
	}
}

func (h home) configure(text string) { h.t.Helper(); h.replace(h.file(), []byte(text)) }

// drop makes or replaces a plugin.
func (h home) drop(name string, wasm []byte, manifest string) {
	h.t.Helper()
	h.replace(h.path("plugins", name+".wasm"), guest.WithManifest(wasm, manifest))
}

// store opens the ledger for reading, which exists once a host has started.
func (h home) store() *sqlitestore.Store {
	h.t.Helper()
	s, err := sqlitestore.Open(context.Background(), sqlitestore.Config{Dir: h.path("state"), ReadOnly: true})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { s.Close() })
	return s
}

func (h home) runs(s *sqlitestore.Store, job string) []claims.Run {
	h.t.Helper()
	runs, err := s.Runs(context.Background(), claims.RunQuery{Job: job, Limit: -1})
	if err != nil {
		h.t.Fatal(err)
	}
	return runs
}

// awaitRun waits for a run of a job of which ok is true, and returns it.
func (h home) awaitRun(s *sqlitestore.Store, job, what string, ok func(claims.Run) bool) (found claims.Run) {
	h.t.Helper()
	h.await(fmt.Sprintf("a run of %s %s", job, what), func() bool {
		for _, r := range h.runs(s, job) {
			if ok(r) {
				found = r
				return true
			}
		}
		return false
	})
	return found
}

func (h home) await(what string, ok func() bool) {
	h.t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			h.t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// output is what a run wrote.
func (h home) output(s *sqlitestore.Store, r claims.Run) string {
	h.t.Helper()
	rc, err := s.Output(context.Background(), r.RunID)
	if err != nil {
		h.t.Fatal(err)
	}
	defer rc.Close()
	b, err := io.ReadAll(rc)
	if err != nil {
		h.t.Fatal(err)
	}
	return string(b)
}

// audit fails the test for everything that the audit finds.
func (h home) audit(s *sqlitestore.Store) {
	h.t.Helper()
	found, err := claims.Audit(context.Background(), s, claims.AuditOptions{Now: time.Now(), Occurrences: host.Occurrences, CheckOutput: true})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, f := range found {
		h.t.Errorf("audit: %s: %s %s: %s", f.Code, f.Job, f.Slot, f.What)
	}
}

// wcron runs a command to its end and returns what it printed and its exit code.
func (h home) wcron(args ...string) (out string, code int) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "wcron", args...)
	b, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		h.t.Fatalf("wcron %s: %v", strings.Join(args, " "), err)
	}
	return string(b), cmd.ProcessState.ExitCode()
}

// process is a wcron serve in a process of its own.
type process struct {
	home
	cmd   *exec.Cmd
	ended chan struct{}

	mu  sync.Mutex
	log bytes.Buffer
}

// Write gathers the log.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

func (p *process) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// logs reports whether a line of the log holds all of these.
func (p *process) logs(parts ...string) bool {
lines:
	for line := range strings.Lines(p.text()) {
		for _, part := range parts {
			if !strings.Contains(line, part) {
				continue lines
			}
		}
		return true
	}
	return false
}

func (p *process) awaitLog(parts ...string) {
	p.t.Helper()
	p.await(fmt.Sprintf("a line of the log with %q; it is\n%s", parts, p.text()), func() bool { return p.logs(parts...) })
}

// serve starts a host, and waits until it runs.
func (h home) serve(flags ...string) *process {
	h.t.Helper()
	p := &process{home: h, cmd: exec.Command("wcron", append([]string{"serve", "-c", h.file()}, flags...)...), ended: make(chan struct{})}
	p.cmd.Stderr, p.cmd.Stdout = p, p
	if err := p.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	go func() {
		p.cmd.Wait()
		close(p.ended)
	}()
	h.t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.ended
		if h.t.Failed() {
			h.t.Logf("log of pid %d:\n%s", p.cmd.Process.Pid, p.text())
		}
	})
	p.awaitLog("msg=host_started")
	return p
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// exit waits for the end and returns the exit code.
func (p *process) exit() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatalf("the host has not ended within %s", patience)
	}
	return p.cmd.ProcessState.ExitCode()
}

// stop ends a host in order.
func (p *process) stop() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	if code := p.exit(); code != 0 {
		p.t.Errorf("exit code %d after SIGTERM", code)
	}
}
