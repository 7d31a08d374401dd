package plugins

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// asNobody calls f on a thread that may read files only as a user without rights may.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		f()
		return
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := syscall.Setfsuid(65534)
		if err == nil {
			f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Skipf("privileges cannot be dropped here: %v", err)
	}
}

func TestUnreadableFilesAreReported(t *testing.T) {
	w := newWorld(t, "")
	w.write("plugins/secret.wasm", good())
	w.write("plugins/fine.wasm", good())
	for path, mode := range map[string]os.FileMode{filepath.Dir(w.dir): 0o755, w.dir: 0o755, w.plugins: 0o755, w.host: 0o644,
		w.path("plugins/fine.wasm"): 0o644, w.path("plugins/secret.wasm"): 0} {
		w.must(os.Chmod(path, mode))
	}
	var s *Source
	var err error
	asNobody(t, func() { s, err = Open(Config{File: w.host}) })
	w.must(err)
	set := s.Snapshot()
	if got := names(set); got != "fine:active secret:broken" {
		t.Errorf("jobs %s", got)
	}
	w.wantProblem(set, "secret.wasm", "permission", "chmod")
	// The right to read can come without the file changing: another group, an access list, a folder above it.
	var again *Set
	asNobody(t, func() { again = s.step() })
	if again != set {
		t.Error("the same fault made another set")
	}
	if os.Geteuid() != 0 {
		w.must(os.Chmod(w.path("plugins/secret.wasm"), 0o600))
	}
	if got := names(s.step()); got != "fine:active secret:active" {
		t.Errorf("once it can be read: %s", got)
	}
}
