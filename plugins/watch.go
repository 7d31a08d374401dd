package plugins

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/fsnotify/fsnotify"

	"github.com/wcron/wcron/config"
)

// watch tells early that something may have changed. It is a hint only: each scan decides by itself what is new, and scans come
// without hints too. It belongs to one goroutine.
type watch struct {
	w       *fsnotify.Watcher // nil: not to be had
	err     error             // why
	folders map[string]folderID
}

// folderID is which folder stood at a path: a watch follows the folder, not the path.
type folderID struct{ dev, ino uint64 }

func newWatch(open func() (*fsnotify.Watcher, error)) *watch {
	w, err := open()
	return &watch{w: w, err: err, folders: map[string]folderID{}}
}

func (w *watch) close() {
	if w.w != nil {
		_ = w.w.Close() // what it could say is that it is closed already
	}
}

// lost says that nothing more will come.
func (w *watch) lost() {
	w.close()
	w.w, w.err = nil, fsnotify.ErrClosed
}

// events and errors never yield anything if there is no watcher.
func (w *watch) events() <-chan fsnotify.Event {
	if w.w == nil {
		return nil
	}
	return w.w.Events
}

func (w *watch) errors() <-chan error {
	if w.w == nil {
		return nil
	}
	return w.w.Errors
}

// cover makes these the folders that are watched. A folder that is not there is watched once it is.
func (w *watch) cover(dirs []string) {
	if w.w == nil {
		return
	}
	want := map[string]folderID{}
	for _, dir := range dirs {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			var id folderID
			id.dev, id.ino = identity(info)
			want[dir] = id
		}
	}
	for dir, id := range w.folders {
		if now, ok := want[dir]; !ok || now != id {
			_ = w.w.Remove(dir) // a folder that is gone took its watch with it
			delete(w.folders, dir)
		}
	}
	w.err = nil
	for _, dir := range slices.Sorted(maps.Keys(want)) {
		if _, ok := w.folders[dir]; ok {
			continue
		}
		if err := w.w.Add(dir); err != nil {
			w.err = fmt.Errorf("watch %s: %w", readable(dir), err)
			continue
		}
		w.folders[dir] = want[dir]
	}
}

// problems says when there are no hints.
func (w *watch) problems(dir string, rescan fmt.Stringer) []config.Problem {
	if w.err == nil {
		return nil
	}
	return []config.Problem{{
		File:   readable(dir),
		What:   fmt.Sprintf("changes are not announced by the system (%v), so they are looked for every %v", w.err, rescan),
		Remedy: "raise the limits fs.inotify.max_user_watches and max_user_instances, or leave it so",
	}}
}

// ours tells whether an event can be about a file that a scan would look at. In the folder of the host file others may be busy;
// in the plugin folder every name counts, since links may lead over any of them.
func ours(event fsnotify.Event, hostFile, jobsDir string) bool {
	if filepath.Dir(event.Name) != filepath.Dir(hostFile) {
		return true
	}
	base := filepath.Base(event.Name)
	return base == filepath.Base(hostFile) || base == filepath.Base(jobsDir) || (len(base) > 2 && base[:2] == "..")
}
