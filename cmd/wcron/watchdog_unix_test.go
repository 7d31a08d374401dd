//go:build unix

package main

import (
	"net"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/internal/guest"
)

// child is the pid of the host that a watchdog started last.
func (p *process) child() int {
	p.t.Helper()
	found := regexp.MustCompile(`msg=watching pid=(\d+)`).FindAllStringSubmatch(p.text(), -1)
	pid, err := strconv.Atoi(found[len(found)-1][1])
	if err != nil {
		p.t.Fatal(err)
	}
	return pid
}

// gone reports whether no process has that pid.
func gone(pid int) bool { return syscall.Kill(pid, 0) == syscall.ESRCH }

// TestWatchdog: a host that is frozen as a whole is killed from outside, the next one recovers its runs, and signals reach the host.
func TestWatchdog(t *testing.T) {
	t.Parallel()
	h := newHome(t, "orphan_grace = \"1s\"\n")
	h.drop("long", guest.Sleep(time.Hour), eachSecond+"timeout = \"1h\"\n")
	p := h.serve("--watchdog", "2s")
	s := h.store()
	run := h.awaitRun(s, "long", "in flight", ended(claims.Running))
	first := p.child()
	time.Sleep(3 * time.Second) // longer than the watchdog: a host that lives is left alone
	if got := p.child(); got != first || p.logs("msg=host_frozen") {
		t.Fatalf("a host that lives was replaced:\n%s", p.text())
	}

	if err := syscall.Kill(first, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	p.awaitLog("msg=host_frozen", "pid="+strconv.Itoa(first))
	got := h.awaitRun(s, "long", "that is recovered", func(r claims.Run) bool { return r.RunID == run.RunID && r.Outcome != claims.Running })
	if got.Outcome != claims.Orphaned || got.Evidence == "" {
		t.Errorf("%s, evidence %q", got.Outcome, got.Evidence)
	}
	second := p.child()
	if second == first || !gone(first) {
		t.Errorf("pids %d and %d", first, second)
	}

	// What a signal ended is started again, too.
	if err := syscall.Kill(second, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	p.awaitLog("msg=host_died", "pid="+strconv.Itoa(second))
	h.await("a third host", func() bool { return p.child() != second })
	third := p.child()
	h.await("that runs", func() bool { return strings.Count(p.text(), "msg=host_started") == 3 })
	h.awaitRun(s, "long", "of the third host, so that its drain lasts", func(r claims.Run) bool {
		return r.Outcome == claims.Running && strings.HasSuffix(r.Owner, "-"+strconv.Itoa(third))
	})

	p.signal(syscall.SIGHUP)
	p.awaitLog("msg=reloaded")
	p.signal(syscall.SIGTERM)
	p.awaitLog("msg=host_draining")
	p.signal(syscall.SIGTERM)
	if code := p.exit(); code != 0 || !gone(third) {
		t.Errorf("exit code %d; the host is gone: %t", code, gone(third))
	}
	h.audit(s)
}

// TestWatchdogPassesTheExitCode: a host that cannot run is not started again and again.
func TestWatchdogPassesTheExitCode(t *testing.T) {
	t.Parallel()
	h := newHome(t, "max_runs = \"many\"\n")
	if out, code := h.wcron("serve", "-c", h.file(), "--watchdog", "2s"); code != 2 || strings.Count(out, "msg=watching") != 1 || !strings.Contains(out, "max_runs") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	if out, code := h.wcron("serve", "-c", h.file(), "--watchdog", "100ms"); code != 2 || !strings.Contains(out, "too short") {
		t.Errorf("exit code %d\n%s", code, out)
	}
}

// TestServiceManagerIsTold: the protocol of systemd's Type=notify and WatchdogSec.
func TestServiceManagerIsTold(t *testing.T) {
	h := newHome(t, "")
	address := filepath.Join(t.TempDir(), "n")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	t.Setenv("NOTIFY_SOCKET", address)
	t.Setenv("WATCHDOG_USEC", "600000")
	p := h.serve()
	await := func(state string) {
		t.Helper()
		b := make([]byte, 100)
		if err := socket.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		for {
			n, err := socket.Read(b)
			if err != nil {
				t.Fatalf("%s: %v", state, err)
			}
			if string(b[:n]) == state {
				return
			}
		}
	}
	await("READY=1")
	for range 4 {
		await("WATCHDOG=1")
	}
	p.signal(syscall.SIGTERM)
	await("STOPPING=1")
	if code := p.exit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
