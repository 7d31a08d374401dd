package sandbox

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/wcron/wcron/internal/guest"
)

// age makes all files of the cache look as if they had been written so long ago.
func age(t *testing.T, dir string, d time.Duration) {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, versionPrefix+"*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		then := time.Now().Add(-d)
		if err := os.Chtimes(path, then, then); err != nil {
			t.Fatal(err)
		}
	}
}

// What nobody has used for long is gone, with all of its files, in the folders of other versions too; what an engine has open stays.
func TestUnusedCompiledCodeIsRemoved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	needCompiler(t, filepath.Join(t.TempDir(), "cache"))
	cfg := Config{CacheDir: dir, Compiler: testCompiler()}
	nobody := Config{CacheDir: dir, Compiler: []string{filepath.Join(dir, "no such program")}}
	open := newEngine(t, cfg)
	kept, err := open.Compile(context.Background(), guest.Greet("kept"))
	if err != nil {
		t.Fatal(err)
	}
	compile(t, newEngine(t, cfg), guest.Greet("forgotten"))
	foreign := filepath.Join(dir, versionPrefix+"v0.0.0-other")
	mkdir(t, foreign)
	for _, name := range []string{"old", "old" + sealSuffix, "link" + linkSuffix} {
		if err := os.WriteFile(filepath.Join(foreign, name), []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	change(t, filepath.Join(foreign, "old"+sealSuffix), func([]byte) []byte {
		sum, err := checksum(filepath.Join(foreign, "old"))
		if err != nil {
			t.Fatal(err)
		}
		return []byte(sum)
	})
	left := func() string {
		all, _ := filepath.Glob(filepath.Join(foreign, "*"))
		return fmt.Sprintf("%d entries and %d files of another version", len(cachedByWorker(t, dir)), len(all))
	}
	age(t, dir, UnusedFor-time.Hour)
	newEngine(t, nobody)
	if got := left(); got != "3 entries and 3 files of another version" {
		t.Fatalf("before its time: %s", got)
	}
	age(t, dir, UnusedFor+time.Hour)
	if err := open.Upkeep(); err != nil {
		t.Fatal(err)
	}
	if got := left(); got != "1 entries and 0 files of another version" {
		t.Errorf("an engine that stays leaves %s", got)
	}
	expect(t, compile(t, newEngine(t, nobody), guest.Greet("kept")).Run(context.Background(), Run{}), OK, "", "")
	if err := kept.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	age(t, dir, UnusedFor+time.Hour)
	if err := open.Upkeep(); err != nil {
		t.Fatal(err)
	}
	if got := left(); got != "0 entries and 0 files of another version" {
		t.Errorf("once it is closed there are %s", got)
	}
	expect(t, compile(t, newEngine(t, cfg), guest.Greet("kept")).Run(context.Background(), Run{}), OK, "", "")
}

// To load compiled code is to use it.
func TestLoadedCodeCountsAsUsed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	needCompiler(t, filepath.Join(t.TempDir(), "cache"))
	compile(t, newEngine(t, Config{CacheDir: dir, Compiler: testCompiler()}), guest.Greet("hi"))
	age(t, dir, UnusedFor-time.Hour)
	compile(t, newEngine(t, Config{CacheDir: dir, Compiler: []string{filepath.Join(dir, "no such program")}}), guest.Greet("hi"))
	if info, err := os.Stat(linkIn(t, dir)); err != nil || time.Since(info.ModTime()) > time.Hour {
		t.Errorf("its link: %v, %v", info.ModTime(), err)
	}
}

// The folder of a process that was killed is removed by the next one that makes its own, once it is old.
func TestFoldersOfKilledProcessesAreRemoved(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	gone := exec.Command(self, "-test.run=^$")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	tmp := t.TempDir()
	for _, key := range []string{"TMPDIR", "TMP", "TEMP"} {
		t.Setenv(key, tmp)
	}
	old := time.Now().Add(-abandonedAfter - time.Hour)
	for name, stays := range map[string]bool{
		fmt.Sprintf("%s%d-1", temporaryName, gone.Process.Pid): false,
		fmt.Sprintf("%s%d-1", temporaryName, os.Getpid()):      true,
		temporaryName + "word-1":                               true,
		temporaryName + "1234567":                              true,
		"another-program-1-1":                                  true,
	} {
		for _, fresh := range []bool{false, true} {
			dir := filepath.Join(tmp, name)
			mkdir(t, dir)
			if err := os.WriteFile(filepath.Join(dir, "code"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if !fresh {
				if err := os.Chtimes(dir, old, old); err != nil {
					t.Fatal(err)
				}
			}
			e, err := New(context.Background(), Config{Compiler: testCompiler()})
			if err != nil {
				t.Fatal(err)
			}
			if err := e.Close(context.Background()); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(dir); (err == nil) != (stays || fresh) {
				t.Errorf("%s, fresh %v: %v", name, fresh, err)
			}
			remove(t, dir)
		}
	}
}
