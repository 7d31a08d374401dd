//go:build unix

package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/wcron/wcron/config"
)

// What a command for a secret has started goes with it when it is ended: otherwise each run would leave one more behind.
func TestSecretCommandLeavesNothingBehind(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "mark")
	script := `(while :; do echo x >> "` + mark + `"; sleep 0.01; done) & wait`
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	size := func() int64 {
		info, err := os.Stat(mark)
		if err != nil {
			return 0
		}
		return info.Size()
	}
	go func() {
		for size() == 0 && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	if _, err := secretValue(config.SecretGrant{Command: []string{"/bin/sh", "-c", script}})(ctx); err == nil || size() == 0 {
		t.Fatalf("%v; it has written %d bytes", err, size())
	}
	for i, was := 0, size(); ; i++ { // it is on its way out
		time.Sleep(100 * time.Millisecond)
		if now := size(); now == was {
			return
		} else if was = now; i == 20 {
			t.Fatal("what the command has started goes on")
		}
	}
}

// A command that leaves something running has given its secret all the same.
func TestSecretCommandWithAnAgent(t *testing.T) {
	got, err := secretValue(config.SecretGrant{Command: []string{"/bin/sh", "-c", "echo s3cret-value; sleep 3 &"}})(t.Context())
	if got != "s3cret-value" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}
