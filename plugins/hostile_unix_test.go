//go:build unix

package plugins

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// hostilesHere are the kinds of files that only Unix has.
func hostilesHere(t *testing.T) []hostile {
	link := func(target string) func(world, string) {
		return func(w world, path string) { w.must(os.Symlink(target, path)) }
	}
	list := []hostile{
		{"fifo.wasm", func(w world, path string) { w.must(syscall.Mkfifo(path, 0o600)) }, []string{"FIFO"}, "broken"},
		{"socket.wasm", socket, []string{"socket"}, "broken"},
		{"loop.wasm", link("loop.wasm"), []string{"back to itself"}, "broken"},
		{"dangling.wasm", link("nowhere/at/all"), []string{"nowhere/at/all", "does not exist"}, "broken"},
		{"zero.wasm", link("/dev/zero"), []string{"device"}, "broken"},
	}
	if runtime.GOOS == "linux" { // elsewhere file names have to be text
		list = append(list, hostile{"caf\xe9.wasm", content(good()), []string{"name", "rename"}, ""})
	}
	return list
}

// socket makes one under a short path, since the length of a socket's path is bounded, and moves it into place.
func socket(w world, path string) {
	dir, err := os.MkdirTemp("", "s")
	w.must(err)
	defer os.RemoveAll(dir)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "s"), Net: "unix"})
	w.must(err)
	l.SetUnlinkOnClose(false)
	w.must(os.Rename(filepath.Join(dir, "s"), path))
	w.must(l.Close())
}

func TestWorldWritableFolderIsRefused(t *testing.T) {
	w := newWorld(t, "[jobs.mine]\nplugin = \"a.wasm\"\n"+daily)
	w.write("plugins/a.wasm", good())
	w.write("plugins/b.wasm", good())
	w.must(os.Chmod(w.plugins, 0o777))
	set := w.check()
	if names(set) != "mine:broken" {
		t.Errorf("jobs %s", names(set))
	}
	w.wantProblem(set, "plugins", "every user", "chmod o-w")
	w.must(os.Chmod(w.plugins, 0o755))
	s := w.open()
	if got := names(s.Snapshot()); got != "a:active b:active mine:active" {
		t.Fatalf("jobs %s", got)
	}
	w.must(os.Chmod(w.plugins, 0o1777))
	w.write("plugins/c.wasm", good())
	set = s.step()
	if got := names(set); got != "a:active b:active mine:active" {
		t.Errorf("the last good set does not go on: %s", got)
	}
	w.wantProblem(set, "plugins", "every user", "chmod o-w")
	w.must(os.Chmod(w.plugins, 0o700))
	if got := names(s.step()); got != "a:active b:active c:active mine:active" {
		t.Errorf("after the remedy: %s", got)
	}
}

func TestWorldWritableHostFileIsRefused(t *testing.T) {
	w := newWorld(t, "")
	w.must(os.Chmod(w.host, 0o666))
	_, problems, err := Check(w.config())
	if len(problems) != 1 || err != nil {
		t.Errorf("Check: %v, %v", problems, err)
	}
	if _, err := Open(w.config()); err == nil {
		t.Error("Open took a host file that everybody can change")
	}
}

func TestFolderThatGoesAwayKeepsItsJobs(t *testing.T) {
	w := newWorld(t, "")
	w.write("plugins/a.wasm", good())
	s := w.open()
	w.must(os.Rename(w.plugins, w.path("elsewhere")))
	set := s.step()
	if names(set) != "a:active" {
		t.Errorf("jobs %s", names(set))
	}
	w.wantProblem(set, "plugins", "does not exist", "mkdir")
	if b, err := w.job(set, "a").Load(); err != nil || len(b) == 0 {
		t.Errorf("Load: %v", err)
	}
}

func TestLinksAreFollowed(t *testing.T) {
	w := newWorld(t, "")
	w.write("store/v1.wasm", good())
	w.write("real/inner.wasm", good())
	w.must(os.Remove(w.plugins))
	w.must(os.Symlink("real", w.plugins))
	w.must(os.Symlink("inner.wasm", w.path("real/inside.wasm")))
	w.must(os.Symlink("../store/v1.wasm", w.path("real/outside.wasm")))
	set := w.check()
	if got := names(set); got != "inner:active inside:active outside:active" || len(set.Problems) > 0 {
		t.Errorf("got:\n%s", dump(set))
	}
}

// A ConfigMap of Kubernetes is swapped by renaming one hidden link, over which all visible ones lead.
func TestSwappedLinksAreSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	put := func(version, description string) {
		w.text("plugins/.."+version+"/job.toml", daily+"description = \""+description+"\"\n")
		w.write("plugins/.."+version+"/job.wasm", good())
		w.must(os.Symlink(".."+version, w.path("plugins/..data_tmp")))
		w.must(os.Rename(w.path("plugins/..data_tmp"), w.path("plugins/..data")))
	}
	put("2026_1", "first")
	w.must(os.Symlink("..data/job.wasm", w.path("plugins/job.wasm")))
	w.must(os.Symlink("..data/job.toml", w.path("plugins/job.toml")))
	s := w.run(w.config())
	is := func(description string) func(*Set) bool {
		return func(set *Set) bool {
			j, ok := set.Job("job")
			return ok && j.Settings.Description == description
		}
	}
	w.until(s, "the first version", is("first"))
	put("2026_2", "second")
	w.until(s, "the second version", is("second"))
}

// A plugin folder that is replaced by another one is followed to the new one.
func TestReplacedFolderIsWatched(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.write("plugins/a.wasm", good())
	s := w.run(w.config())
	w.write("next/b.wasm", good())
	w.must(os.Rename(w.plugins, w.path("old")))
	w.must(os.Rename(w.path("next"), w.plugins))
	w.until(s, "the jobs of the new folder", func(set *Set) bool { return names(set) == "b:active" })
	w.write("plugins/c.wasm", good())
	w.until(s, "a plugin that is dropped there", func(set *Set) bool { return names(set) == "b:active c:active" })
}
