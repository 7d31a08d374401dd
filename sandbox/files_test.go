package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A guest reads and changes a folder that is given for it, and reads one that is not.
func TestFolderAccess(t *testing.T) {
	e := newEngine(t, Config{})
	fd, file := int64(firstDir), int64(firstFile)
	read := func(path string) []wasiCall {
		return append([]wasiCall{openAt(path, lookupFollow, 0, rightRead)}, show()...)
	}
	for _, test := range []struct {
		name   string
		calls  []wasiCall
		out    string
		write  uint32 // the exit code where the folder may be changed
		ro     uint32 // and where it may not
		after  string // what stands in "plain" where it may
		single bool
	}{
		{name: "read", calls: read("plain"), out: "plain", after: "plain"},
		{name: "read through a link", calls: read("within"), out: "deep", after: "plain"},
		{name: "read through a link back", calls: read("sub/back"), out: "plain", after: "plain"},
		{name: "read around", calls: read("sub/../plain"), out: "plain", after: "plain"},
		{name: "nothing there", calls: read("none"), write: errnoNoent, ro: errnoNoent, after: "plain"},
		{name: "through a file", calls: read("plain/x"), write: errnoNotdir, ro: errnoNotdir, after: "plain"},
		{name: "write", calls: []wasiCall{openAt("plain", 1, 0, both), put("PL")}, ro: errnoRofs, after: "PLain"},
		{name: "write only", calls: []wasiCall{openAt("plain", 1, openTruncate, rightWrite), put("PL")}, ro: errnoRofs, after: "PL"},
		{name: "write what is open for reading", calls: []wasiCall{openAt("plain", 1, 0, rightRead), put("PL")}, write: errnoBadf, ro: errnoBadf, after: "plain"},
		{name: "append", calls: []wasiCall{{"path_open", []any{fd, int64(1), "plain", int64(0), both, int64(0), int64(flagAppend), int64(0)}}, put("!"), put("?")},
			ro: errnoRofs, after: "plain!?"},
		{name: "seek and write", calls: []wasiCall{openAt("plain", 1, 0, both), {"fd_seek", []any{file, int64(-1), int64(2), int64(8)}}, put("N!")}, ro: errnoRofs, after: "plaiN!"},
		{name: "seek before the beginning", calls: []wasiCall{openAt("plain", 1, 0, rightRead), {"fd_seek", []any{file, int64(-1), int64(0), int64(8)}}},
			write: errnoInval, ro: errnoInval, after: "plain"},
		{name: "set the size", calls: []wasiCall{openAt("plain", 1, 0, both), {"fd_filestat_set_size", []any{file, int64(2)}}}, ro: errnoRofs, after: "pl"},
		{name: "allocate", calls: []wasiCall{openAt("plain", 1, 0, both), {"fd_allocate", []any{file, int64(0), int64(7)}}}, ro: errnoRofs, after: "plain\x00\x00"},
		{name: "create what is there", calls: []wasiCall{openAt("plain", 1, openCreate|openExclusive, both)}, write: errnoExist, ro: errnoRofs, after: "plain"},
		{name: "remove", calls: []wasiCall{{"path_unlink_file", []any{fd, "plain"}}}, ro: errnoRofs},
		{name: "remove a folder as a file", calls: []wasiCall{{"path_unlink_file", []any{fd, "sub"}}}, write: errnoIsdir, ro: errnoRofs, after: "plain"},
		{name: "remove a folder that is not empty", calls: []wasiCall{{"path_remove_directory", []any{fd, "sub"}}}, write: errnoNotempty, ro: errnoRofs, after: "plain"},
		{name: "remove a file as a folder", calls: []wasiCall{{"path_remove_directory", []any{fd, "plain"}}}, write: errnoNotdir, ro: errnoRofs, after: "plain"},
		{name: "rename", calls: []wasiCall{{"path_rename", []any{fd, "sub/deep", fd, "plain"}}}, ro: errnoRofs, after: "deep"},
		{name: "make a folder", calls: []wasiCall{{"path_create_directory", []any{fd, "new"}}, openAt("new/file", 1, openCreate, both), put("x")}, ro: errnoRofs, after: "plain"},
		{name: "open a folder to write", calls: []wasiCall{openAt("sub", 1, 0, both)}, write: errnoIsdir, ro: errnoRofs, after: "plain"},
		{name: "open a file as a folder", calls: []wasiCall{openAt("plain", 1, openDirectory, rightRead)}, write: errnoNotdir, ro: errnoNotdir, after: "plain"},
		{name: "a folder has no bytes", calls: append([]wasiCall{openAt("sub", 1, 0, rightRead)}, show()...), write: errnoIsdir, ro: errnoIsdir, after: "plain"},
		{name: "closed twice", calls: []wasiCall{openAt("plain", 1, 0, rightRead), {"fd_close", []any{file}}, {"fd_close", []any{file}}}, write: errnoBadf, ro: errnoBadf, after: "plain"},
		{name: "the folder closed", calls: append([]wasiCall{{"fd_close", []any{fd}}}, read("plain")...), write: errnoBadf, ro: errnoBadf, after: "plain"},
		{name: "renumber", calls: []wasiCall{openAt("sub", 1, 0, rightRead), openAt("plain", 1, 0, both), {"fd_renumber", []any{file + 1, file}}, put("PL")}, ro: errnoRofs, after: "PLain"},
		{name: "renumber a folder that was given", calls: []wasiCall{openAt("plain", 1, 0, rightRead), {"fd_renumber", []any{file, fd}}}, write: errnoNotsup, ro: errnoNotsup, after: "plain"},
		{name: "sync and more", calls: []wasiCall{openAt("plain", 1, 0, rightRead), {"fd_sync", []any{file}}, {"fd_datasync", []any{file}}, {"fd_tell", []any{file, int64(8)}},
			{"fd_advise", []any{file, int64(0), int64(0), int64(1)}}, {"fd_fdstat_get", []any{file, int64(1024)}}, {"fd_filestat_get", []any{file, int64(1024)}},
			{"fd_fdstat_set_flags", []any{file, int64(0)}}, {"fd_prestat_get", []any{fd, int64(8)}}}, after: "plain"},
	} {
		for _, write := range []bool{true, false} {
			t.Run(fmt.Sprint(test.name, " ", write), func(t *testing.T) {
				s := newSite(t)
				res, out := s.run(e, write, test.calls...)
				code, after := test.ro, "plain"
				if write {
					code, after = test.write, test.after
				}
				want := test.out
				if code != 0 {
					want = ""
				}
				if res.ExitCode != code || !res.HasExit || out != want {
					t.Errorf("%+v, %q", res, out)
				}
				b, _ := os.ReadFile(filepath.Join(s.inside, "plain"))
				if string(b) != after {
					t.Errorf("plain is now %q", b)
				}
				s.untouched()
			})
		}
	}
}

// What a folder holds counts against its quota: what is there, what is made, written or stretched, and no more what is removed.
func TestFolderQuota(t *testing.T) {
	e := newEngine(t, Config{})
	file := int64(firstFile)
	open := openAt("new", 1, openCreate, both)
	ten := put(strings.Repeat("x", 10))
	for _, test := range []struct {
		name  string
		quota int64
		calls []wasiCall
		code  uint32
		size  int64 // of the new file; -1: none
	}{
		{"enough", entryCost + 20, []wasiCall{open, ten, ten}, 0, 20},
		{"not enough", entryCost + 19, []wasiCall{open, ten, ten}, errnoNospc, 10},
		{"a file counts", entryCost - 1, []wasiCall{open}, errnoNospc, -1},
		{"a folder counts", entryCost - 1, []wasiCall{{"path_create_directory", []any{int64(firstDir), "new"}}}, errnoNospc, -1},
		{"a hole counts", entryCost + 1000, []wasiCall{open, {"fd_seek", []any{file, int64(995), int64(0), int64(8)}}, ten}, errnoNospc, 0},
		{"a far hole counts", entryCost + 1000, []wasiCall{open, {"fd_seek", []any{file, int64(1 << 40), int64(0), int64(8)}}, ten}, errnoNospc, 0},
		{"a size counts", entryCost + 1000, []wasiCall{open, {"fd_filestat_set_size", []any{file, int64(1001)}}}, errnoNospc, 0},
		{"an allocation counts", entryCost + 1000, []wasiCall{open, {"fd_allocate", []any{file, int64(1000), int64(1)}}}, errnoNospc, 0},
		{"an endless allocation", 0, []wasiCall{open, {"fd_allocate", []any{file, int64(1 << 62), int64(1 << 62)}}}, errnoInval, 0},
		{"writing again does not count", entryCost + 10, []wasiCall{open, ten, {"fd_seek", []any{file, int64(0), int64(0), int64(8)}}, ten}, 0, 10},
		{"what is cut off counts no more", entryCost + 10, []wasiCall{open, ten, {"fd_filestat_set_size", []any{file, int64(5)}}, put("12345")}, errnoNospc, 5},
		{"what is emptied counts no more", entryCost + 10, []wasiCall{open, ten, {"fd_close", []any{file}}, openAt("new", 1, openTruncate, both), ten}, 0, 10},
		{"what is removed counts no more", entryCost + 10, []wasiCall{open, ten, {"fd_close", []any{file}}, {"path_unlink_file", []any{int64(firstDir), "new"}}, open, ten}, 0, 10},
		{"a folder that is removed counts no more", entryCost, []wasiCall{{"path_create_directory", []any{int64(firstDir), "new"}},
			{"path_remove_directory", []any{int64(firstDir), "new"}}, open}, 0, 0},
		{"what is replaced counts no more", 2*entryCost + 10, []wasiCall{open, ten, {"fd_close", []any{file}}, openAt("other", 1, openCreate, both),
			{"path_rename", []any{int64(firstDir), "other", int64(firstDir), "new"}}, put("1234567890")}, 0, 10},
		{"no quota", 0, []wasiCall{open, {"fd_filestat_set_size", []any{file, int64(1 << 20)}}, ten}, 0, 1 << 20},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			if test.quota > 0 { // what is there counts as well
				entries := int64(-1)
				s.must(filepath.WalkDir(s.inside, func(string, fs.DirEntry, error) error { entries++; return nil }))
				test.quota += entries*entryCost + int64(len("plain")+len("deep"))
			}
			res := compile(t, e, fileGuest(e, 0, test.calls...)).Run(context.Background(), Run{Dirs: []Dir{{Guest: "/d", Host: s.inside, Write: true, Quota: test.quota}}})
			size := int64(-1)
			if info, err := os.Stat(filepath.Join(s.inside, "new")); err == nil && info.Mode().IsRegular() {
				size = info.Size()
			}
			if res.ExitCode != test.code || !res.HasExit || size != test.size {
				t.Errorf("%+v, size %d", res, size)
			}
		})
	}
}

// A guest has so many files open, and what it leaves open is closed with it.
func TestFolderDescriptors(t *testing.T) {
	e := newEngine(t, Config{})
	s := newSite(t)
	calls := slices.Repeat([]wasiCall{openAt("plain", 1, 0, rightRead)}, maxFiles)
	res, _ := s.run(e, false, calls...)
	if res.ExitCode != errnoMfile {
		t.Errorf("%+v", res)
	}
	if res, _ = s.run(e, false, calls[1:]...); res.Outcome != OK {
		t.Errorf("%+v", res)
	}
}

// Folders that cannot be given fail the run before the guest begins.
func TestFoldersThatCannotBeGiven(t *testing.T) {
	e := newEngine(t, Config{})
	m := compile(t, e, fileGuest(e, 0))
	s := newSite(t)
	for want, d := range map[string]Dir{
		"must be absolute": {Guest: "data", Host: s.inside}, "path is missing": {Guest: "/data"}, "must not be negative": {Guest: "/", Host: s.inside, Quota: -1},
		"cannot be opened": {Guest: "/data", Host: filepath.Join(s.inside, "none")}, "folder /file": {Guest: "/file", Host: filepath.Join(s.inside, "plain")},
	} {
		res := m.Run(context.Background(), Run{Dirs: []Dir{d}})
		if expect(t, res, Failed, HostFault, want); res.Started {
			t.Error("the guest has begun")
		}
	}
	expect(t, m.Run(context.Background(), Run{Dirs: make([]Dir, maxFiles)}), Failed, HostFault, "there are 64 folders")
}

const goFiles = `package main

import (
	"bufio"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

func must(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func main() {
	entries, err := os.ReadDir("/data/many")
	must(err)
	fmt.Println(len(entries), entries[0].Name(), entries[len(entries)-1].Name())
	b, err := os.ReadFile("/data/sub/deep")
	must(err)
	fmt.Printf("%s\n", b)
	must(os.MkdirAll("/data/a/b/c", 0o755))
	must(os.WriteFile("/data/a/b/c/one", []byte(strings.Repeat("line\n", 20_000)), 0o600))
	must(os.Rename("/data/a/b/c/one", "/data/a/two"))
	f, err := os.OpenFile("/data/a/two", os.O_APPEND|os.O_WRONLY, 0)
	must(err)
	_, err = f.WriteString("last")
	must(err)
	must(f.Close())
	f, err = os.Open("/data/a/two")
	must(err)
	lines := 0
	last := ""
	for s := bufio.NewScanner(f); s.Scan(); lines++ {
		last = s.Text()
	}
	info, err := f.Stat()
	must(err)
	fmt.Println(lines, last, info.Size(), info.Mode().IsRegular())
	must(os.Chtimes("/data/a/two", time.Unix(1000, 0), time.Unix(2000, 0)))
	info, err = os.Stat("/data/a/two")
	must(err)
	fmt.Println(info.ModTime().Unix())
	must(os.Truncate("/data/a/two", 3))
	count := 0
	must(filepath.WalkDir("/data", func(path string, d fs.DirEntry, err error) error {
		count++
		return err
	}))
	fmt.Println(count)
	must(os.Remove("/data/a/two"))
	must(os.RemoveAll("/data/a"))
	_, err = os.ReadFile("/data/up")
	fmt.Println("link:", err != nil)
	fmt.Println("ro:", os.WriteFile("/ro/x", nil, 0o600) != nil)
	if _, err := os.ReadFile("/ro/plain"); err != nil {
		fmt.Println(err)
	}
	target, err := os.Readlink("/data/within")
	fmt.Println(filepath.ToSlash(target), err)
}
`

// A guest in Go uses the folder with what its standard library has.
func TestGoGuestInAFolder(t *testing.T) {
	s := newSite(t)
	s.must(os.Mkdir(filepath.Join(s.inside, "many"), 0o755))
	for i := range 700 {
		s.must(os.WriteFile(filepath.Join(s.inside, "many", fmt.Sprintf("file-with-a-rather-long-name-%04d", i)), nil, 0o644))
	}
	entries := 0
	s.must(filepath.WalkDir(s.inside, func(string, fs.DirEntry, error) error {
		entries++
		return nil
	}))
	e := newEngine(t, Config{})
	var out bytes.Buffer
	res := compile(t, e, goGuest(t, goFiles)).Run(context.Background(), Run{Stdout: &out, Stderr: &out, Args: []string{"job"}, Timeout: patience,
		Dirs: []Dir{{Guest: "/data", Host: s.inside, Write: true}, {Guest: "/ro", Host: s.inside}}})
	want := "700 file-with-a-rather-long-name-0000 file-with-a-rather-long-name-0699\ndeep\n20001 last 100004 true\n2000\n"
	want += fmt.Sprintf("%d\nlink: true\nro: true\nsub/deep <nil>\n", entries+4) // a, b, c and two
	if res.Outcome != OK || out.String() != want {
		t.Errorf("%+v\n%s\nwant\n%s", res, out.String(), want)
	}
	if _, err := os.Stat(filepath.Join(s.inside, "a")); err == nil {
		t.Error("what was removed is there")
	}
	s.untouched()
}

const cFiles = `#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int main(void) {
	DIR *d = opendir("/data/sub");
	if (!d) return 1;
	int n = 0;
	for (struct dirent *e; (e = readdir(d));) n += strcmp(e->d_name, "deep") == 0 || strcmp(e->d_name, "back") == 0;
	closedir(d);
	FILE *f = fopen("/data/new", "w+");
	if (!f) return 2;
	fprintf(f, "%d entries\n", n);
	rewind(f);
	char line[100];
	if (!fgets(line, sizeof line, f)) return 3;
	fputs(line, stdout);
	fclose(f);
	struct stat st;
	if (stat("/data/new", &st) || st.st_size != 10 || !S_ISREG(st.st_mode)) return 4;
	if (rename("/data/new", "/data/sub/newer") || unlink("/data/sub/newer")) return 5;
	if (!fopen("/data/../outside/secret", "r") && !fopen("/data/up", "r") && !fopen("/etc/passwd", "r")) puts("inside");
	if (mkdir("/data/made", 0755) || rmdir("/data/made")) return 6;
	f = fopen("/data/none", "r");
	puts(f ? "?" : strerror(errno));
	return 0;
}
`

// So does one in C.
func TestCGuestInAFolder(t *testing.T) {
	wasm := build(t, cFiles, "main.c", nil, tool(t, "clang"), "--target=wasm32-wasi", "-O1")
	s := newSite(t)
	e := newEngine(t, Config{})
	var out bytes.Buffer
	res := compile(t, e, wasm).Run(context.Background(), Run{Stdout: &out, Timeout: patience, Dirs: []Dir{{Guest: "/data", Host: s.inside, Write: true}}})
	if want := "2 entries\ninside\nNo such file or directory\n"; res.Outcome != OK || out.String() != want {
		t.Errorf("%+v, %q", res, out.String())
	}
	s.untouched()
}
