package plugins

import (
	"errors"

	"github.com/fsnotify/fsnotify"
)

// noWatcher is a system that has no watches left.
func noWatcher() (*fsnotify.Watcher, error) { return nil, errors.New("no watches left") }
