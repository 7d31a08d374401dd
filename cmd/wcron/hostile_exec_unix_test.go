//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corpus "github.com/wcron/wcron/internal/guest/hostile"
)

// few are the shapes that are run on the command line where the long form of the test is not asked for.
const few = 12

// TestExecHostileCorpus runs each hostile shape as a user does, from a file and with a deadline of 50 ms: it ends soon, with the exit
// code that says what it came to. All shapes with WCRON_CI=1, else some of them.
func TestExecHostileCorpus(t *testing.T) {
	t.Parallel()
	shapes := corpus.All()
	dir := t.TempDir()
	for i, s := range shapes {
		if os.Getenv("WCRON_CI") != "1" && i%(len(shapes)/few) != 0 {
			continue
		}
		path := filepath.Join(dir, s.Name+".wasm")
		if err := os.WriteFile(path, s.Wasm(), 0o644); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		code, told := execShape(t, path, s)
		took := time.Since(begun)
		t.Logf("%-22s exit code %d in %v, compiling included", s.Name, code, took.Round(time.Millisecond))
		if want := exitCodeOf(s); code != want {
			t.Errorf("%s: exit code %d, want %d: %s", s.Name, code, want, told)
		}
		if took > patience {
			t.Errorf("%s: it took %v", s.Name, took)
		}
		if !strings.Contains(told, s.Refused) {
			t.Errorf("%s: stderr does not tell of %q: %s", s.Name, s.Refused, told)
		}
	}
}

// exitCodeOf is what wcron exec promises in its help.
func exitCodeOf(s corpus.Shape) int {
	switch {
	case s.Refused != "":
		return exitUsage
	case s.Outcome == "timeout":
		return exitDeadline
	case s.Outcome == "trapped":
		return exitTrapped
	}
	return int(min(s.Exit, 255))
}

// execShape runs a shape with the streams that it asks for.
func execShape(t *testing.T, path string, s corpus.Shape) (code int, told string) {
	t.Helper()
	timeout := "50ms"
	if s.Cause != "deadline" {
		timeout = "10s" // which a busy machine may take to get to its own end
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "wcron", "exec", path, "--timeout", timeout)
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.Discard, &stderr
	switch s.Stdin {
	case corpus.Endless:
		cmd.Args = append(cmd.Args, "--input", "/dev/zero")
	case corpus.Stuck:
		cmd.Args = append(cmd.Args, "--input", "-")
		silent, feed, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer silent.Close()
		defer feed.Close()
		cmd.Stdin = silent
	case corpus.Nothing:
	}
	if s.Stdout == corpus.Stuck {
		unread, full, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer unread.Close()
		defer full.Close()
		cmd.Stdout = full
	}
	err := cmd.Run()
	if ee := (*exec.ExitError)(nil); err != nil && !errors.As(err, &ee) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), stderr.String()
}
