package main

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/config"
)

func TestSecretValue(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Setenv("TEST_SECRET", "from-env")
	t.Setenv("TEST_EMPTY", "")
	shell := func(script string) config.SecretGrant {
		return config.SecretGrant{Command: []string{"/bin/sh", "-c", script}}
	}
	tests := []struct {
		name       string
		grant      config.SecretGrant
		want, says string
		unix       bool
	}{
		{"file", config.SecretGrant{File: file("a", "s3cret-value\n", 0o600)}, "s3cret-value", "", false},
		{"file of Windows", config.SecretGrant{File: file("b", "s3cret-value\r\n", 0o600)}, "s3cret-value", "", false},
		{"no file", config.SecretGrant{File: filepath.Join(dir, "none")}, "", "its file", false},
		{"folder", config.SecretGrant{File: dir}, "", "not a plain file", false},
		{"empty file", config.SecretGrant{File: file("c", "\n", 0o600)}, "", "is empty", false},
		{"large file", config.SecretGrant{File: file("d", strings.Repeat("s3cret-value", 10_000), 0o600)}, "", "more than 64.0 KiB", false},
		{"open file", config.SecretGrant{File: file("e", "s3cret-value", 0o602)}, "", "chmod o-w", true},
		{"variable", config.SecretGrant{Env: "TEST_SECRET"}, "from-env", "", false},
		{"empty variable", config.SecretGrant{Env: "TEST_EMPTY"}, "", "no variable TEST_EMPTY", false},
		{"no variable", config.SecretGrant{Env: "TEST_NONE"}, "", "no variable TEST_NONE", false},
		{"command", shell("echo s3cret-value"), "s3cret-value", "", true},
		{"command that fails", shell("echo s3cret-value; echo s3cret-value >&2; exit 3"), "", "the command sh ended with exit status 3", true},
		{"command that prints much", shell("while :; do echo s3cret-value; done | head -c 100000"), "", "more than", true},
		{"no command", config.SecretGrant{Command: []string{filepath.Join(dir, "s3cret-value", "x")}}, "", "the command x cannot be run", false},
		{"nothing", config.SecretGrant{}, "", "nobody has said", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.unix && runtime.GOOS == "windows" {
				t.Skip("it needs a shell, or modes of files")
			}
			got, err := secretValue(tt.grant)(t.Context())
			if got != tt.want || (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%q, %v; want %q and an error that says %q", got, err, tt.want, tt.says)
			}
			if err != nil && strings.Contains(err.Error(), "s3cret-value") {
				t.Errorf("the error tells the secret: %v", err)
			}
		})
	}
}

// A command that does not end is left behind when the run that needs it is over.
func TestSecretCommandEndsWithTheRun(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("it needs a shell")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begun := time.Now()
	_, err := secretValue(config.SecretGrant{Command: []string{"/bin/sleep", "60"}})(ctx)
	if err == nil || !strings.Contains(err.Error(), "the command sleep did not end in time") || time.Since(begun) > 30*time.Second {
		t.Errorf("%v after %v", err, time.Since(begun))
	}
}
