package sandbox

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Whatever a guest does with paths and links, it neither reads nor changes anything outside of its folder.
func TestFolderEscapes(t *testing.T) {
	e := newEngine(t, Config{})
	s := newSite(t)
	escapes := []string{
		"../outside/secret", "../../../../../../../../etc/passwd", "/etc/passwd", "//etc/passwd", "./../outside/secret", "sub/../../outside/secret",
		"sub/../sub/../../outside/secret", "abs", "up", "absdir/secret", "updir/secret", "dotdot/outside/secret", "root/etc/passwd", "etc/passwd",
		"chain/secret", "sub/up2/secret", "self/self/updir/secret", "self/dotdot/outside/secret", "absself/plain", "loop", "loop/secret",
		"plain/../../outside/secret", "updir/../outside/secret", "sub/up2/../inside/plain", "", "plain\x00", "..", "../", "../inside/plain", "/",
		strings.Repeat("a/", 3000),
	}
	readDeep := func(path string) []wasiCall {
		return append([]wasiCall{openAt(path, lookupFollow, 0, rightRead)}, show()...)
	}
	for _, p := range escapes {
		for what, calls := range map[string][]wasiCall{
			"read": readDeep(p), "write": {openAt(p, lookupFollow, 0, both), put("x")}, "create": {openAt(p, lookupFollow, openCreate, both), put("x")},
			"truncate": {openAt(p, lookupFollow, openTruncate|openCreate, both)}, "stat": {{"path_filestat_get", []any{int64(firstDir), int64(lookupFollow), p, int64(1024)}}},
			"times": {{"path_filestat_set_times", []any{int64(firstDir), int64(lookupFollow), p, int64(0), int64(0), int64(5)}}},
			"mkdir": {{"path_create_directory", []any{int64(firstDir), p}}},
		} {
			t.Run(what+" "+p[:min(len(p), 40)], func(t *testing.T) {
				res, out := s.run(e, true, calls...)
				if res.Outcome != Failed || !res.HasExit || res.ExitCode == 0 || out != "" {
					t.Errorf("%+v, %q", res, out)
				}
				withoutSecret(t, out+res.Reason)
			})
		}
	}
	s.untouched()
}

// The same for calls that take a link as it is: it may be removed or renamed, for it lies inside, and what it names stays.
func TestFolderEscapesByName(t *testing.T) {
	e := newEngine(t, Config{})
	fd := int64(firstDir)
	for _, test := range []struct {
		name    string
		call    wasiCall
		refused bool
	}{
		{"remove above", wasiCall{"path_unlink_file", []any{fd, "../outside/secret"}}, true},
		{"remove behind a link", wasiCall{"path_unlink_file", []any{fd, "updir/secret"}}, true},
		{"remove by an absolute path", wasiCall{"path_unlink_file", []any{fd, "/etc/passwd"}}, true},
		{"remove a link", wasiCall{"path_unlink_file", []any{fd, "up"}}, false},
		{"remove a folder above", wasiCall{"path_remove_directory", []any{fd, "../outside/empty"}}, true},
		{"remove a folder behind a link", wasiCall{"path_remove_directory", []any{fd, "absdir/empty"}}, true},
		{"remove the folder itself", wasiCall{"path_remove_directory", []any{fd, "."}}, true},
		{"remove a link to a folder as a folder", wasiCall{"path_remove_directory", []any{fd, "updir"}}, true},
		{"rename in", wasiCall{"path_rename", []any{fd, "../outside/secret", fd, "mine"}}, true},
		{"rename in behind a link", wasiCall{"path_rename", []any{fd, "updir/secret", fd, "mine"}}, true},
		{"rename out", wasiCall{"path_rename", []any{fd, "plain", fd, "../outside/secret"}}, true},
		{"rename out behind a link", wasiCall{"path_rename", []any{fd, "plain", fd, "updir/secret"}}, true},
		{"rename to an absolute path", wasiCall{"path_rename", []any{fd, "plain", fd, "/tmp/x"}}, true},
		{"rename onto a link", wasiCall{"path_rename", []any{fd, "plain", fd, "up"}}, false},
		{"make a link", wasiCall{"path_symlink", []any{"../outside/secret", fd, "mine"}}, true},
		{"make an absolute link", wasiCall{"path_symlink", []any{"/etc/passwd", fd, "mine"}}, true},
		{"make a harmless link", wasiCall{"path_symlink", []any{"plain", fd, "mine"}}, true},
		{"make another name", wasiCall{"path_link", []any{fd, int64(0), "plain", fd, "mine"}}, true},
		{"make another name of what lies outside", wasiCall{"path_link", []any{fd, int64(1), "up", fd, "mine"}}, true},
		{"open a link as it is", openAt("up", 0, 0, rightRead), true},
		{"open a link within as it is", openAt("within", 0, 0, rightRead), true},
		{"open a folder behind a link", openAt("updir", lookupFollow, openDirectory, rightRead), true},
		{"open the folder above", openAt("dotdot", lookupFollow, openDirectory, rightRead), true},
		{"stat of a link", wasiCall{"path_filestat_get", []any{fd, int64(0), "up", int64(1024)}}, false},
		{"read a link above", wasiCall{"path_readlink", []any{fd, "../inside/up", int64(1024), int64(100), int64(8)}}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			res, _ := s.run(e, true, test.call)
			if refused := res.Outcome != OK; refused != test.refused {
				t.Errorf("%+v", res)
			}
			s.untouched()
		})
	}
}

// From a folder that was opened, paths lead no further up than to itself.
func TestFoldersBelow(t *testing.T) {
	e := newEngine(t, Config{})
	s := newSite(t)
	sub := openAt("sub", lookupFollow, openDirectory, rightRead)
	from := func(path string) wasiCall {
		return wasiCall{"path_open", []any{int64(firstFile), int64(1), path, int64(0), int64(rightRead), int64(0), int64(0), int64(0)}}
	}
	for path, code := range map[string]uint32{"deep": 0, "../plain": errnoPerm, "back": errnoPerm, "up2/secret": errnoPerm, "../../outside/secret": errnoPerm} {
		if res, _ := s.run(e, true, sub, from(path)); res.ExitCode != code {
			t.Errorf("%s: %+v", path, res)
		}
	}
	rename := func(from, to string) wasiCall {
		return wasiCall{"path_rename", []any{int64(firstFile), from, int64(firstDir), to}}
	}
	for _, test := range []struct {
		from, to string
		code     uint32
	}{{"../plain", "x", errnoPerm}, {"deep", "../outside/x", errnoPerm}, {"deep", "moved", 0}} {
		if res, _ := s.run(e, true, sub, rename(test.from, test.to)); res.ExitCode != test.code {
			t.Errorf("%s to %s: %+v", test.from, test.to, res)
		}
	}
	if b, err := os.ReadFile(filepath.Join(s.inside, "moved")); string(b) != "deep" {
		t.Error(err)
	}
	s.untouched()
}

// A name that is swapped between a folder and a link to the outside, while the guest goes through it, leads nowhere but inside.
func TestFolderRaces(t *testing.T) {
	rounds := int64(3000)
	if os.Getenv("WCRON_CI") == "1" {
		rounds = 40_000
	}
	e := newEngine(t, Config{})
	fd := int64(firstDir)
	for name, calls := range map[string][]wasiCall{
		"read": append(append([]wasiCall{openAt("swap/secret", lookupFollow, 0, rightRead)}, wasiCall{"fd_read", []any{int64(firstFile), int64(16), int64(1), int64(36)}},
			wasiCall{"fd_write", []any{int64(1), int64(32), int64(1), int64(12)}}), wasiCall{"fd_close", []any{int64(firstFile)}}),
		"write": {openAt("swap/secret", lookupFollow, openCreate|openTruncate, both), put("mine"), {"fd_close", []any{int64(firstFile)}}},
		"make and remove": {
			{"path_create_directory", []any{fd, "swap/made"}}, {"path_remove_directory", []any{fd, "swap/empty"}}, {"path_unlink_file", []any{fd, "swap/secret"}},
			{"path_filestat_set_times", []any{fd, int64(1), "swap/secret", int64(0), int64(0), int64(5)}},
			{"path_rename", []any{fd, "swap/secret", fd, "stolen"}}, {"path_rename", []any{fd, "plain", fd, "swap/secret"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			real, swap, link := filepath.Join(s.inside, "real"), filepath.Join(s.inside, "swap"), filepath.Join(s.inside, "link")
			s.must(os.Mkdir(real, 0o755))
			s.must(os.WriteFile(filepath.Join(real, "secret"), []byte("inside"), 0o644))
			s.must(os.Symlink(s.outside, link))
			s.must(os.Rename(real, swap))
			stop, stopped := make(chan struct{}), make(chan int)
			go func() {
				n := 0
				for ; ; n++ {
					select {
					case <-stop:
						stopped <- n
						return
					default:
					}
					_ = os.Rename(swap, real)
					_ = os.Rename(link, swap)
					runtime.Gosched()
					_ = os.Rename(swap, link)
					_ = os.Rename(real, swap)
					if n%4 == 0 {
						_ = os.WriteFile(filepath.Join(swap, "secret"), []byte("inside"), 0o644)
						runtime.Gosched()
					}
				}
			}()
			var out bytes.Buffer
			res := compile(t, e, fileGuest(e, rounds, calls...)).Run(context.Background(), Run{
				Stdout: &out, Timeout: time.Minute, Dirs: []Dir{{Guest: "/data", Host: s.inside, Write: true}},
			})
			close(stop)
			swaps := <-stopped
			if res.Outcome != OK {
				t.Errorf("%+v", res)
			}
			if name == "read" && (!strings.Contains(out.String(), "inside") || swaps < 10) {
				t.Errorf("the race was none: %d swaps, %d bytes read", swaps, out.Len())
			}
			withoutSecret(t, out.String())
			if b, err := os.ReadFile(filepath.Join(s.inside, "stolen")); err == nil {
				withoutSecret(t, string(b))
			}
			s.untouched()
		})
	}
}
