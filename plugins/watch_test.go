package plugins

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/fsnotify/fsnotify"

	"github.com/wcron/wcron/internal/guest"
)

// noWatcher is a system that has no watches left.
func noWatcher() (*fsnotify.Watcher, error) { return nil, errors.New("no watches left") }

func TestOnlyOurEventsCount(t *testing.T) {
	for name, want := range map[string]bool{
		"/c/wcron.toml": true, "/c/jobs.d": true, "/c/..data": true, "/c/jobs.d/a.toml": true, "/c/plugins/..data": true,
		"/c/other.toml": false, "/c/.wcron.toml.swp": false, "/c/log": false, "/c/..": false,
	} {
		event := fsnotify.Event{Name: filepath.FromSlash(name)}
		if got := ours(event, filepath.FromSlash("/c/wcron.toml"), filepath.FromSlash("/c/jobs.d")); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

func TestOneShotsInFiles(t *testing.T) {
	w := newWorld(t, "")
	w.write("plugins/at.wasm", guest.WithManifest(guest.Greet("x"), "schedule = \"@at 2020-01-01T00:00:00Z\""))
	w.write("plugins/in.wasm", guest.WithManifest(guest.Greet("x"), "schedule = \"@in 20m\""))
	set := w.check()
	if got := names(set); got != "at:active in:broken" {
		t.Errorf("jobs %s", got)
	}
	w.wantProblem(set, "in.wasm", "@in", "@at")
}
