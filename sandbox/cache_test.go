package sandbox

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/wcron/wcron/internal/guest"
)

// withCache compiles and runs a greeting on an engine of its own.
func withCache(t *testing.T, dir string) {
	t.Helper()
	e, err := New(context.Background(), Config{CacheDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close(context.Background())
	expect(t, compile(t, e, guest.Greet("hi")).Run(context.Background(), Run{}), OK, "", "")
}

// cached lists the compiled modules in the folder, and fails unless each has its seal.
func cached(t *testing.T, dir string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, versionPrefix+"*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, path := range all {
		if strings.HasSuffix(path, sealSuffix) {
			continue
		}
		if _, err := os.Stat(path + sealSuffix); err != nil {
			t.Error(err)
		}
		list = append(list, path)
	}
	return list
}

// needCompiler skips where the engine interprets, and keeps nothing on disk.
func needCompiler(t *testing.T, dir string) string {
	t.Helper()
	withCache(t, dir)
	list := cached(t, dir)
	if len(list) == 0 {
		t.Skip("this platform has no compiler")
	}
	if len(list) != 1 {
		t.Fatalf("the cache holds %q", list)
	}
	return list[0]
}

func TestCacheIsUsed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "cache")
	entry := needCompiler(t, dir)
	if info, err := os.Stat(dir); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v, %v", info.Mode(), err)
	}
	before, err := os.Stat(entry)
	if err != nil {
		t.Fatal(err)
	}
	withCache(t, dir)
	after, err := os.Stat(entry)
	if err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(before, after) {
		t.Error("it was compiled and written again")
	}
}

// Damage of any kind is deleted and compiled again, before the engine opens the cache as well as after.
func TestDamagedCacheIsRebuilt(t *testing.T) {
	damage := map[string]func(t *testing.T, entry string){
		"a bit of the code": func(t *testing.T, entry string) {
			change(t, entry, func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
		},
		"the number of functions": func(t *testing.T, entry string) {
			change(t, entry, func(b []byte) []byte {
				// Behind the magic number, the length of the version and the version.
				at := 6 + 1 + int(b[6])
				copy(b[at:], "\xff\xff\xff\x00")
				return b
			})
		},
		"an offset": func(t *testing.T, entry string) {
			change(t, entry, func(b []byte) []byte { b[6+1+int(b[6])+4] ^= 4; return b })
		},
		"the magic number":  func(t *testing.T, entry string) { change(t, entry, func(b []byte) []byte { b[0] = 'X'; return b }) },
		"cut off":           func(t *testing.T, entry string) { change(t, entry, func(b []byte) []byte { return b[:len(b)/2] }) },
		"empty":             func(t *testing.T, entry string) { change(t, entry, func([]byte) []byte { return nil }) },
		"no seal":           func(t *testing.T, entry string) { remove(t, entry+sealSuffix) },
		"a folder in place": func(t *testing.T, entry string) { remove(t, entry); mkdir(t, entry) },
		"a file in place of the version": func(t *testing.T, entry string) {
			remove(t, filepath.Dir(entry))
			change(t, filepath.Dir(entry), func([]byte) []byte { return []byte("x") })
		},
	}
	for name, harm := range damage {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "cache")
			entry := needCompiler(t, dir)
			harm(t, entry)
			withCache(t, dir)
			if list := cached(t, dir); len(list) != 1 || list[0] != entry {
				t.Errorf("the cache holds %q", list)
			}
		})
	}
	// While the engine is open, its own checks tell.
	for _, name := range []string{"a bit of the code", "the magic number", "cut off", "empty", "a folder in place"} {
		t.Run(name+" while open", func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "cache")
			entry := needCompiler(t, dir)
			e := newEngine(t, Config{CacheDir: dir})
			damage[name](t, entry)
			expect(t, compile(t, e, guest.Greet("hi")).Run(context.Background(), Run{}), OK, "", "")
		})
	}
	t.Run("all gone while open", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "cache")
		e := newEngine(t, Config{CacheDir: dir})
		remove(t, dir)
		expect(t, compile(t, e, guest.Greet("hi")).Run(context.Background(), Run{}), OK, "", "")
	})
}

func change(t *testing.T, path string, f func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, f(b), 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
}

func TestCacheFolderOfOthersIsRefused(t *testing.T) {
	refused := func(dir, want string) {
		t.Helper()
		_, err := New(context.Background(), Config{CacheDir: dir})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	change(t, file, func([]byte) []byte { return nil })
	refused(file, "compile cache")
	if runtime.GOOS == "windows" {
		return
	}
	dir := filepath.Join(t.TempDir(), "open")
	mkdir(t, dir)
	if err := os.Chmod(dir, 0o770); err != nil {
		t.Fatal(err)
	}
	refused(dir, "chmod go-w")
	foreign := filepath.Join(t.TempDir(), "foreign")
	mkdir(t, foreign)
	if os.Geteuid() == 0 {
		if err := os.Chown(foreign, 12345, -1); err != nil {
			t.Fatal(err)
		}
		refused(foreign, "belongs to user 12345")
	}
}
