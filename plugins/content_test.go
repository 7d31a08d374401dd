package plugins

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/wcron/wcron/config"
)

func TestContentIsKeptByDigest(t *testing.T) {
	for _, dir := range []string{"", filepath.Join(t.TempDir(), "content")} {
		c, err := openContent(dir, config.MaxModuleSize)
		if err != nil {
			t.Fatal(err)
		}
		b := []byte("some bytes")
		digest := digestOf(b)
		if _, err := c.get(digest); !errors.Is(err, ErrContent) {
			t.Errorf("get before put: %v, want ErrContent", err)
		}
		for range 2 {
			if err := c.put(digest, b); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := c.get(digest); err != nil || !bytes.Equal(got, b) {
			t.Errorf("get = %q, %v", got, err)
		}
		if _, err := c.get("../../etc/passwd"); !errors.Is(err, ErrContent) {
			t.Errorf("get of a path: %v, want ErrContent", err)
		}
		c.drop(digest)
		if _, err := c.get(digest); !errors.Is(err, ErrContent) {
			t.Errorf("get after drop: %v, want ErrContent", err)
		}
	}
}

func TestContentIsPrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("mode bits say nothing on Windows")
	}
	dir := filepath.Join(t.TempDir(), "content")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	c, err := openContent(dir, config.MaxModuleSize)
	if err != nil {
		t.Fatal(err)
	}
	digest := digestOf([]byte("x"))
	if err := c.put(digest, []byte("x")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]fs.FileMode{dir: 0o700, c.path(digest): 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %o, want %o", path, info.Mode().Perm(), want)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, tempPrefix+"*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestDamagedContentIsNotLoaded(t *testing.T) {
	c, err := openContent(t.TempDir(), config.MaxModuleSize)
	if err != nil {
		t.Fatal(err)
	}
	b := []byte("some bytes")
	digest := digestOf(b)
	for _, damage := range [][]byte{[]byte("other byte"), []byte("some"), {}, bytes.Repeat([]byte("x"), 1<<16)} {
		if err := os.WriteFile(c.path(digest), damage, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := c.get(digest); !errors.Is(err, ErrContent) {
			t.Errorf("get of %d damaged bytes: %v, want ErrContent", len(damage), err)
		}
		c.drop(digest)
		if err := c.put(digest, b); err != nil {
			t.Fatal(err)
		}
		if got, err := c.get(digest); err != nil || !bytes.Equal(got, b) {
			t.Errorf("after putting it again: %q, %v", got, err)
		}
	}
}

func TestSweepKeepsWhatIsUsed(t *testing.T) {
	c, err := openContent(t.TempDir(), config.MaxModuleSize)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var digests []string
	for _, text := range []string{"used", "unused"} {
		d := digestOf([]byte(text))
		digests = append(digests, d)
		if err := c.put(d, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(c.path(d), start, start); err != nil {
			t.Fatal(err)
		}
	}
	foreign := filepath.Join(c.dir, "notes.txt")
	if err := os.WriteFile(foreign, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(foreign, start, start); err != nil {
		t.Fatal(err)
	}
	keep := map[string]bool{digests[0]: true}
	present := func() (list [2]bool) {
		for i, d := range digests {
			_, err := os.Stat(c.path(d))
			list[i] = err == nil
		}
		return list
	}
	if err := c.sweep(keep, start.Add(time.Hour), 2*time.Hour); err != nil {
		t.Fatal(err)
	}
	if got := present(); got != [2]bool{true, true} {
		t.Errorf("after an hour: %v, want both", got)
	}
	if err := c.sweep(keep, start.Add(150*time.Minute), 2*time.Hour); err != nil {
		t.Fatal(err)
	}
	if got := present(); got != [2]bool{true, false} {
		t.Errorf("after 150 minutes: %v, want only the one in use", got)
	}
	// Another process that uses nothing leaves alone what this one has marked as used.
	if err := c.sweep(nil, start.Add(4*time.Hour), 2*time.Hour); err != nil {
		t.Fatal(err)
	}
	if got := present(); got != [2]bool{true, false} {
		t.Errorf("after another process swept: %v, want the used one still", got)
	}
	if _, err := os.Stat(foreign); err != nil {
		t.Errorf("a file that is not the store's was removed: %v", err)
	}
}
