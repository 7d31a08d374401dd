//go:build unix

package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// watched runs the host in a child process and waits for its beats, as a service manager would, by the same protocol. A child that
// sends none for too long is frozen: it is killed, and another one is started, which recovers its runs. So is one that a signal
// ended. The parent runs no guest and no job, so nothing that freezes the child freezes it.
type watched struct {
	log    *slog.Logger
	args   []string
	limit  time.Duration // between two beats
	first  time.Duration // until the first one
	again  time.Duration // before the next start
	socket *net.UnixConn
	beats  chan struct{}
}

// startLimit is how long a child may take to its first beat, at least.
const startLimit = 2 * time.Minute

func (c *serveCmd) watched(a *app) error {
	runtime.LockOSThread() // the child is told when the thread that started it ends
	dir, err := os.MkdirTemp("", "wcron-watchdog-")
	if err != nil {
		return unreachable(err)
	}
	defer os.RemoveAll(dir)
	w := &watched{
		log: c.logger(a), args: []string{"serve", "--log", c.Log}, limit: time.Duration(*c.Watchdog), again: time.Second,
		beats: make(chan struct{}, 1),
	}
	w.first = max(startLimit, w.limit)
	if a.config != "" {
		w.args = append(w.args, "--config", a.config)
	}
	if a.json {
		w.args = append(w.args, "--json")
	}
	address := filepath.Join(dir, "notify")
	if w.socket, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"}); err != nil {
		return unreachable(fmt.Errorf("listen for beats: %w", err))
	}
	defer func() { _ = w.socket.Close() }()
	go w.listen()
	come := make(chan os.Signal, 16)
	signal.Notify(come, append(endingSignals(), reloadSignals()...)...)
	defer signal.Stop(come)
	return w.run(a, address, come)
}

// listen passes the child's beats on: to run, and to a service manager above.
func (w *watched) listen() {
	message := make([]byte, 4096)
	for {
		n, err := w.socket.Read(message)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(w.limit / 10)
			continue
		}
		state := string(message[:n])
		if _, err := daemon.SdNotify(false, state); err != nil {
			w.log.Warn("service_manager", "error", err)
		}
		if strings.Contains(state, daemon.SdNotifyWatchdog) {
			select {
			case w.beats <- struct{}{}:
			default:
			}
		}
	}
}

// run starts children until one ends by itself.
func (w *watched) run(a *app, address string, come <-chan os.Signal) error {
	for {
		cmd, err := w.start(a, address)
		if err != nil {
			return unreachable(fmt.Errorf("start the host: %w", err))
		}
		w.log.Info("watching", "pid", cmd.Process.Pid, "watchdog", w.limit)
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		ending, frozen, err := w.watch(cmd, ended, come)
		var exit *exec.ExitError
		switch {
		case err != nil && !errors.As(err, &exit):
			return unreachable(fmt.Errorf("wait for the host: %w", err))
		case frozen && ending:
			return unreachable(errors.New("the host was frozen while it ended, and was killed"))
		case err == nil:
			return nil
		case exit.ExitCode() >= 0:
			return exitError{code: exit.ExitCode()} // it has said why
		case ending:
			return unreachable(fmt.Errorf("the host was ended by a signal: %w", err))
		case !frozen:
			w.log.Error("host_died", "pid", cmd.Process.Pid, "error", err, "next", "another one is started")
		}
		select {
		case <-come:
			return nil
		case <-time.After(w.again):
		}
	}
}

func (w *watched) start(a *app, address string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	select {
	case <-w.beats: // of the one before
	default:
	}
	cmd := exec.Command(self, w.args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = a.stdin, a.stdout, a.stderr
	cmd.SysProcAttr = childAttributes()
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); name != "NOTIFY_SOCKET" && name != "WATCHDOG_USEC" && name != "WATCHDOG_PID" {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+address, fmt.Sprintf("WATCHDOG_USEC=%d", w.limit.Microseconds()))
	return cmd, cmd.Start()
}

// watch waits for the end of a child, passes signals on to it, and kills it when it is frozen.
func (w *watched) watch(cmd *exec.Cmd, ended <-chan error, come <-chan os.Signal) (ending, frozen bool, err error) {
	silence := time.NewTimer(w.first)
	defer silence.Stop()
	for {
		select {
		case err := <-ended:
			return ending, frozen, err
		case <-w.beats:
			silence.Reset(w.limit)
		case sig := <-come:
			ending = ending || sig != syscall.SIGHUP
			if err := cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
				w.log.Error("pass_signal", "signal", sig.String(), "error", err)
			}
		case <-silence.C:
			frozen = true
			w.log.Error("host_frozen", "pid", cmd.Process.Pid, "watchdog", w.limit, "next", "it is killed; the next host recovers its runs")
			if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
				w.log.Error("kill", "error", err)
			}
		}
	}
}
