package sandbox

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A file that the guest has removed or replaced, and still has open, counts until it is closed.
func TestFolderQuotaOfRemovedFiles(t *testing.T) {
	e := newEngine(t, Config{})
	dir, file := int64(firstDir), int64(firstFile)
	ten := put(strings.Repeat("x", 10))
	open, other := openAt("new", 1, openCreate, both), openAt("other", 1, openCreate, both)
	remove := wasiCall{"path_unlink_file", []any{dir, "new"}}
	for _, test := range []struct {
		name  string
		room  int64 // beside what is there
		calls []wasiCall
		code  uint32
	}{
		{"removed", entryCost + 10, []wasiCall{open, ten, remove, other}, errnoNospc},
		{"removed and closed", entryCost + 10, []wasiCall{open, ten, remove, {"fd_close", []any{file}}, other, ten}, 0},
		{"removed and closed over", entryCost + 10, []wasiCall{open, ten, remove, openAt("plain", 1, 0, both), {"fd_renumber", []any{file + 1, file}}, other}, 0},
		{"removed and grown", entryCost + 15, []wasiCall{open, ten, remove, ten}, errnoNospc},
		{"removed, grown and closed", entryCost + 20, []wasiCall{open, ten, remove, ten, {"fd_close", []any{file}}, other, ten, ten}, 0},
		{"removed, shortened and closed", entryCost + 20, []wasiCall{open, ten, ten, remove, {"fd_filestat_set_size", []any{file, int64(5)}}, {"fd_close", []any{file}}, other, ten, ten, ten}, errnoNospc},
		{"open twice", entryCost + 10, []wasiCall{open, ten, open, remove, {"fd_close", []any{file}}, other}, errnoNospc},
		{"open twice and closed twice", entryCost + 10, []wasiCall{open, ten, open, remove, {"fd_close", []any{file}}, {"fd_close", []any{file + 1}}, other, ten}, 0},
		{"replaced", 2*entryCost + 10, []wasiCall{open, ten, other, {"path_rename", []any{dir, "other", dir, "new"}}, openAt("third", 1, openCreate, both)}, errnoNospc},
		{"replaced and closed", 2*entryCost + 10, []wasiCall{open, ten, other, {"path_rename", []any{dir, "other", dir, "new"}}, {"fd_close", []any{file}}, openAt("third", 1, openCreate, both), ten}, 0},
		{"removed before it was counted", entryCost, []wasiCall{openAt("plain", 1, 0, rightRead), {"path_unlink_file", []any{dir, "plain"}}, other, openAt("third", 1, openCreate, both)}, errnoNospc},
		{"removed before it was counted and closed", entryCost, []wasiCall{openAt("plain", 1, 0, rightRead), {"path_unlink_file", []any{dir, "plain"}}, other, {"fd_close", []any{file}}, openAt("third", 1, openCreate, both)}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			entries := int64(-1)
			s.must(filepath.WalkDir(s.inside, func(string, fs.DirEntry, error) error { entries++; return nil }))
			quota := test.room + entries*entryCost + int64(len("plain")+len("deep"))
			res := compile(t, e, fileGuest(e, 0, test.calls...)).Run(context.Background(), Run{Dirs: []Dir{{Guest: "/d", Host: s.inside, Write: true, Quota: quota}}})
			if res.ExitCode != test.code || !res.HasExit {
				t.Errorf("%+v", res)
			}
		})
	}
}

// nest makes folders within each other, each with a file.
func nest(t *testing.T, dir string, depth int) {
	t.Helper()
	root, err := os.OpenRoot(dir)
	for i := 0; i < depth && err == nil; i++ {
		var below *os.Root
		if err = root.Mkdir("d", 0o755); err != nil {
			break
		}
		if err = root.WriteFile("f", []byte("12345"), 0o644); err != nil {
			break
		}
		below, err = root.OpenRoot("d")
		_ = root.Close()
		root = below
	}
	if err != nil {
		t.Fatal(err)
	}
	_ = root.Close()
}

// What lies deeply is counted like everything else, in a time that grows with how much it is, and not with its square.
func TestFolderQuotaIsCountedQuickly(t *testing.T) {
	const depth = 1500
	dir := t.TempDir()
	nest(t, dir, depth)
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	m := &mount{Dir: Dir{Quota: 1 << 40}, root: root}
	begun := time.Now()
	m.count()
	took := time.Since(begun)
	if want := int64(depth * (2*entryCost + 5)); m.held != want {
		t.Errorf("it holds %d, want %d", m.held, want)
	}
	begun = time.Now() // one walk down to the end by a path
	if _, err := root.Lstat(strings.Repeat("d/", depth-1) + "d"); err != nil {
		t.Fatal(err)
	}
	if one := time.Since(begun); took > 200*one+time.Second {
		t.Errorf("it took %s, and one path to the end %s", took, one)
	}
}

// What is still counted or listed when the run is over is not counted or listed to its end.
func TestFoldersAreLeftWhenTheRunIsOver(t *testing.T) {
	dir := t.TempDir()
	for i := range 3 * listedAtOnce {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	nest(t, dir, 10)
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	over := make(chan struct{})
	close(over)
	m := &mount{Dir: Dir{Quota: 1 << 40}, root: root, over: over}
	if m.count(); m.held != 0 {
		t.Errorf("%d bytes were counted", m.held)
	}
	l := &listing{}
	if e, err := l.at(root, 2*listedAtOnce, m.isOver); e != nil || err != nil || l.first > 0 {
		t.Errorf("%v, %v, read up to %d", e, err, l.first)
	}
	_ = l.f.Close()
}
