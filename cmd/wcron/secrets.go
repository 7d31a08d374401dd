package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/wcron/wcron/config"
)

const (
	secretTime = 10 * time.Second // for a command that prints one
	maxSecret  = 64 << 10
)

// secretValue reads a secret from where the operator says it is, each time anew. No error holds anything of what was read.
func secretValue(g config.SecretGrant) func(ctx context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		switch {
		case g.File != "":
			return secretFile(g.File)
		case g.Env != "":
			text, ok := os.LookupEnv(g.Env)
			if !ok || text == "" {
				return "", fmt.Errorf("the host has no variable %s; set it where wcron serve is started", g.Env)
			}
			return text, nil
		case len(g.Command) > 0:
			return secretCommand(ctx, g.Command)
		}
		return "", errors.New("nobody has said where it is; see wcron approve --help")
	}
}

// secretSourceText says where a secret is.
func secretSourceText(g config.SecretGrant) string {
	return fmt.Sprintf("file %q, env %q, command %q", g.File, g.Env, g.Command)
}

// secretFile reads a file that not everybody may write.
func secretFile(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("its file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("its file %s is not a plain file", path)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o002 != 0 {
		return "", fmt.Errorf("its file is writable by everybody; run chmod o-w %s", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("its file: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", fmt.Errorf("its file: %w", err)
	}
	return oneSecret(b, "its file "+path)
}

// secretCommand runs a program of the operator's. What it writes to stderr goes nowhere: it may hold the secret.
func secretCommand(ctx context.Context, argv []string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, secretTime)
	defer cancel()
	var out limited
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdout, cmd.WaitDelay = &out, time.Second
	together(cmd)
	name := "the command " + filepath.Base(argv[0])
	if err := cmd.Run(); err != nil && !errors.Is(err, exec.ErrWaitDelay) { // which says that it has left something running
		var exit *exec.ExitError
		switch {
		case ctx.Err() != nil:
			return "", fmt.Errorf("%s did not end in time: %w", name, ctx.Err())
		case errors.As(err, &exit):
			return "", fmt.Errorf("%s ended with %s; try it as the user that the host runs as", name, exit.ProcessState)
		}
		return "", fmt.Errorf("%s cannot be run; name it with its full path, and let the host's user run it", name)
	}
	return oneSecret(out.Bytes(), "what "+name+" prints")
}

// limited keeps a little more than a secret may have.
type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if room := maxSecret + 1 - l.Len(); room > 0 {
		l.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// oneSecret is the text without one newline at its end.
func oneSecret(b []byte, what string) (string, error) {
	if len(b) > maxSecret {
		return "", fmt.Errorf("%s has more than %s", what, bytesText(maxSecret))
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	if text == "" {
		return "", fmt.Errorf("%s is empty", what)
	}
	return text, nil
}
