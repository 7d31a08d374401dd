//go:build unix

package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/wcron/wcron/internal/guest"
)

func execOf(t *testing.T, wasm []byte, args ...string) *exec.Cmd {
	t.Helper()
	path := filepath.Join(t.TempDir(), "guest.wasm")
	if err := os.WriteFile(path, wasm, 0o644); err != nil {
		t.Fatal(err)
	}
	return exec.Command("wcron", append([]string{"exec", path}, args...)...)
}

// TestExecInterrupted: ctrl-C kills the guest.
func TestExecInterrupted(t *testing.T) {
	t.Parallel()
	cmd := execOf(t, guest.Sleep(time.Hour), "--timeout", "0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	if _, err := out.Read(make([]byte, 1)); err != nil { // it runs
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, out)
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitKilled {
		t.Errorf("exit code %d, want %d", code, exitKilled)
	}
}

// TestExecDeadlineOfBlockedStreams: the deadline holds also for a guest whose stdout nobody reads, and whose stdin never comes.
func TestExecDeadlineOfBlockedStreams(t *testing.T) {
	t.Parallel()
	for name, wasm := range map[string][]byte{"stdout": guest.Flood(), "stdin": guest.Echo()} {
		cmd := execOf(t, wasm, "--timeout", "300ms", "--input", "-")
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		stop := time.AfterFunc(patience, func() { cmd.Process.Kill() })
		state, err := cmd.Process.Wait() // unlike cmd.Wait it leaves the pipes as they are
		stop.Stop()
		if err != nil {
			t.Fatal(err)
		}
		if state.ExitCode() != exitDeadline {
			t.Errorf("%s: exit code %d, want %d", name, state.ExitCode(), exitDeadline)
		}
		in.Close()
		out.Close()
	}
}
