package plugins

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/internal/guest"

	"github.com/wcron/wcron/config"
)

// scanAt scans as if it were now.
func (s *Source) scanAt(now time.Time) *Set {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scan(now)
	return s.Snapshot()
}

// changedAt is when a file last changed.
func (w world) changedAt(name string) time.Time {
	w.Helper()
	st, _, err := look(w.path(name))
	w.must(err)
	return st.changed
}

func (w world) append(name string, b []byte) {
	w.Helper()
	f, err := os.OpenFile(w.path(name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	w.must(err)
	_, err = f.Write(b)
	w.must(err)
	w.must(f.Close())
}

const settle = DefaultSettle

func TestFileIsTakenOnceItHasSettled(t *testing.T) {
	w := newWorld(t, "")
	s := w.open()
	wasm := good()
	w.append("plugins/slow.wasm", wasm[:20])
	at := w.changedAt("plugins/slow.wasm")
	for _, after := range []time.Duration{0, settle / 2, settle - 1} {
		if set := s.scanAt(at.Add(after)); len(set.Jobs) > 0 || len(set.Problems) > 0 {
			t.Errorf("%v after the first bytes:\n%s", after, dump(set))
		}
	}
	if set := s.scanAt(at.Add(settle)); names(set) != "slow:broken" {
		t.Errorf("a copy that pauses: %s", names(set))
	} else {
		w.wantProblem(set, "slow.wasm", "written to its end")
	}
	w.append("plugins/slow.wasm", wasm[20:])
	at = w.changedAt("plugins/slow.wasm")
	if set := s.scanAt(at.Add(settle - 1)); names(set) != "slow:broken" {
		t.Errorf("just written to its end: %s", names(set))
	}
	if set := s.scanAt(at.Add(settle)); names(set) != "slow:active" || len(set.Problems) > 0 {
		t.Errorf("settled:\n%s", dump(set))
	}
}

func TestGoodVersionGoesOnWhileAnotherIsWritten(t *testing.T) {
	w := newWorld(t, "")
	w.write("plugins/a.wasm", good())
	s := w.open()
	before := w.job(s.Snapshot(), "a")
	w.must(os.Truncate(w.path("plugins/a.wasm"), 20))
	at := w.changedAt("plugins/a.wasm")
	if j := w.job(s.scanAt(at.Add(settle/2)), "a"); j.Digest != before.Digest || j.Reason != "" {
		t.Errorf("while it changes: %q", j.Reason)
	}
	if j := w.job(s.scanAt(at.Add(settle)), "a"); j.Digest != before.Digest || j.State != Active || !strings.Contains(j.Reason, "goes on") {
		t.Errorf("settled and cut: %v %q", j.State, j.Reason)
	}
	if b, err := before.Load(); err != nil || digestOf(b) != before.Digest {
		t.Errorf("Load: %v", err)
	}
}

func TestRemovalSettlesToo(t *testing.T) {
	w := newWorld(t, "")
	w.write("plugins/a.wasm", good())
	w.text("plugins/a.toml", "timeout = \"7s\"\n")
	s := w.open()
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	w.remove("plugins/a.wasm")
	for _, after := range []time.Duration{0, settle - 1} {
		if set := s.scanAt(now.Add(after)); names(set) != "a:active" {
			t.Errorf("%v after the removal: %s", after, names(set))
		}
	}
	set := s.scanAt(now.Add(settle))
	if len(set.Jobs) > 0 {
		t.Errorf("still there: %s", names(set))
	}
	w.wantProblem(set, "a.toml", "a.wasm")
	w.remove("plugins/a.toml")
	s.scanAt(now.Add(2 * settle))
	if set := s.scanAt(now.Add(3 * settle)); len(set.Problems) > 0 || len(s.folder.units) > 0 {
		t.Errorf("something is left:\n%s", dump(set))
	}
}

func TestModuleAndSidecarAreTakenTogether(t *testing.T) {
	w := newWorld(t, "")
	w.write("plugins/a.wasm", good())
	w.text("plugins/a.toml", "description = \"one\"\n")
	s := w.open()
	before := w.job(s.Snapshot(), "a")
	w.write("plugins/a.wasm", guest.WithManifest(guest.Greet("two"), daily))
	w.text("plugins/a.toml", "description = \"two\"\n")
	// A time stamp from the future says nothing about when the sidecar was written: it has to be watched for a while.
	now := w.changedAt("plugins/a.wasm").Add(time.Hour)
	w.must(os.Chtimes(w.path("plugins/a.toml"), now.Add(time.Hour), now.Add(time.Hour)))
	for _, after := range []time.Duration{0, settle - 1} {
		if j := w.job(s.scanAt(now.Add(after)), "a"); j.Digest != before.Digest || j.Settings.Description != "one" {
			t.Errorf("%v after the sidecar: digest %.8s, %q", after, j.Digest, j.Settings.Description)
		}
	}
	if j := w.job(s.scanAt(now.Add(settle)), "a"); j.Digest == before.Digest || j.Settings.Description != "two" {
		t.Errorf("settled: %q", j.Settings.Description)
	}
}

func TestOpenLeavesFreshFilesToRun(t *testing.T) {
	w := newWorld(t, "")
	w.write("plugins/a.wasm", good())
	cfg := w.config()
	cfg.Opened = w.changedAt("plugins/a.wasm").Add(settle / 2)
	s, err := Open(cfg)
	w.must(err)
	if j := w.job(s.Snapshot(), "a"); j.State != Waiting || j.Digest != "" { // it is not gone: the ledger may know it
		t.Errorf("a file that may still be written was taken: %s", names(s.Snapshot()))
	}
	w.follow(s)
	w.until(s, "Run takes it", func(set *Set) bool { return names(set) == "a:active" })
}

// A file that is being written at the first look may be an old job's: the job stays until more is known. One that goes before it
// has settled leaves nothing behind, and one that comes later is no job before it is there.
func TestFileThatIsWrittenAtTheFirstLook(t *testing.T) {
	w := newWorld(t, "[jobs.b]\nplugin = \"a.wasm\"\n")
	w.write("plugins/a.wasm", good())
	w.write("plugins/bad name.wasm", good())
	cfg := w.config()
	cfg.Opened = w.changedAt("plugins/a.wasm").Add(DefaultSettle / 2)
	s, err := Open(cfg)
	w.must(err)
	if got := names(s.Snapshot()); got != "b:waiting" && got != "a:waiting b:waiting" {
		t.Errorf("at first: %s", got)
	}
	w.remove("plugins/a.wasm")
	later := cfg.Opened.Add(time.Second)
	s.scanAt(later)
	if got := names(s.scanAt(later.Add(DefaultSettle))); got != "b:broken" {
		t.Errorf("taken away: %s", got)
	}
	w.write("plugins/late.wasm", good())
	if got := names(s.scanAt(w.changedAt("plugins/late.wasm").Add(DefaultSettle / 2))); got != "b:broken" {
		t.Errorf("a late one: %s", got)
	}
}

func TestTouchedFileIsNoOtherPlugin(t *testing.T) {
	w := newWorld(t, "")
	w.write("plugins/a.wasm", good())
	s := w.open()
	rev := s.Snapshot().Rev
	w.write("plugins/a.wasm", good()) // another inode, other times, the same bytes
	w.write("wcron.toml", nil)
	if set := s.step(); set.Rev != rev {
		t.Errorf("the set was made again: %d, was %d", set.Rev, rev)
	}
	<-s.Changed()
	select {
	case <-s.Changed():
		t.Error("Changed said it twice")
	default:
	}
	w.write("plugins/a.wasm", guest.Greet("other"))
	if set := s.step(); set.Rev != rev+1 {
		t.Errorf("revision %d, want %d", set.Rev, rev+1)
	}
	<-s.Changed()
}

func TestRunSweepsTheContentStore(t *testing.T) {
	w := newWorld(t, "")
	w.write("plugins/a.wasm", good())
	s := w.open()
	var stray [2]string
	old := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	for i, text := range []string{"pinned", "stray"} {
		stray[i] = digestOf([]byte(text))
		w.must(s.content.put(stray[i], []byte(text)))
		w.must(os.Chtimes(s.content.path(stray[i]), old, old))
	}
	s.Pin(stray[:1])
	used := w.job(s.Snapshot(), "a").Digest
	w.must(os.Chtimes(s.content.path(used), old, old))
	s.sweep(old.Add(2 * DefaultRetain))
	for digest, want := range map[string]error{stray[0]: nil, used: nil, stray[1]: ErrContent} {
		if _, err := s.Load(digest); !errors.Is(err, want) {
			t.Errorf("%.8s: %v, want %v", digest, err, want)
		}
	}
	if info, err := os.Stat(s.content.path(used)); err != nil || info.ModTime().Equal(old) {
		t.Errorf("what is used is not marked: %v", err)
	}
}

func TestRunLeavesNoGoroutine(t *testing.T) {
	w := newWorld(t, "")
	s := w.open()
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		w.write("plugins/a.wasm", good())
		w.until(s, "a is there", func(set *Set) bool { return len(set.Jobs) == 1 })
		w.remove("plugins/a.wasm")
		w.until(s, "a is gone", func(set *Set) bool { return len(set.Jobs) == 0 })
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		// The watcher's goroutine has closed its channels by now and may have a few instructions left.
		left := func() string {
			stacks := make([]byte, 1<<20)
			return string(stacks[:runtime.Stack(stacks, true)])
		}
		for end := time.Now().Add(5 * time.Second); strings.Contains(left(), "fsnotify.") && time.Now().Before(end); {
			time.Sleep(5 * time.Millisecond)
		}
		if stacks := left(); strings.Contains(stacks, "fsnotify.") || strings.Contains(stacks, "(*Source).Run(") {
			t.Fatalf("left behind:\n%s", stacks)
		}
	}
}

func TestChangeWhileReadingIsSeen(t *testing.T) {
	w := newWorld(t, "")
	w.write("a", []byte("some bytes"))
	st, _, err := look(w.path("a"))
	w.must(err)
	w.append("a", []byte("more"))
	if _, _, err := read(w.path("a"), st, config.MaxModuleSize); !errors.Is(err, errMoved) {
		t.Errorf("read of a longer file: %v", err)
	}
	w.remove("a")
	if _, _, err := read(w.path("a"), st, config.MaxModuleSize); !errors.Is(err, errMoved) {
		t.Errorf("read of a removed file: %v", err)
	}
	if _, _, err := look(w.path("a")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("look at a removed file: %v", err)
	}
}
