package sqlitestore

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/wcron/wcron/claims"
)

func TestModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	s := open(t, t.TempDir()+"/deep/state")
	put(t, s, "a")
	if _, err := s.LockJob(t.Context(), "a", 0); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Join(t.Context(), t0, claims.Owner{ID: "owner-1"}); err != nil {
		t.Fatal(err)
	}
	err := filepath.Walk(s.Dir(), func(path string, info os.FileInfo, err error) error {
		want := os.FileMode(fileMode)
		if info.IsDir() {
			want = dirMode
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %04o, want %04o", path, info.Mode().Perm(), want)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestOpenFolderIsRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	dir := t.TempDir() + "/state"
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), Config{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "chmod 700") {
		t.Fatalf("a folder that the group may enter: %v", err)
	}
	if names, _ := os.ReadDir(dir); len(names) != 0 {
		t.Errorf("something was made in it: %v", names)
	}
}

func TestEveryConnectionIsSynchronous(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	for name, reader := range map[string]bool{"writer": false, "reader": true} {
		c, err := openConn(s.path(), s.cfg, reader)
		if err != nil {
			t.Fatal(err)
		}
		for pragma, want := range map[string]int64{"synchronous": 2, "auto_vacuum": 2, "temp_store": 2, "application_id": applicationID} {
			if got, err := c.number("PRAGMA " + pragma); err != nil || got != want {
				t.Errorf("%s: %s is %d, want %d: %v", name, pragma, got, want, err)
			}
		}
		if err := wantWAL(c, "PRAGMA journal_mode"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := c.close(); err != nil {
			t.Error(err)
		}
	}
}

func TestReopen(t *testing.T) {
	dir := t.TempDir() + "/state"
	s := open(t, dir)
	put(t, s, "a")
	a := claim(t, s, t0, due("a", "run-0001", 0))[0]
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	if all, err := s.Open(t.Context()); err != nil || len(all) != 1 || all[0].Token != a.Token || all[0].Owner != "owner-1" {
		t.Fatalf("after the restart: %+v %v", all, err)
	}
	if got := finalize(t, s, t0, final(a.Token, claims.OK, t0))[0]; got.Status != claims.Done {
		t.Fatalf("%+v", got)
	}
}

// change runs SQL on a store's database from outside.
func change(t *testing.T, dir, sql string) {
	t.Helper()
	db, err := sqlite3.OpenFlags(filepath.Join(dir, "ledger.db"), sqlite3.OPEN_READWRITE)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Exec(sql); err != nil {
		t.Fatal(err)
	}
}

func TestNewerStore(t *testing.T) {
	dir := t.TempDir() + "/state"
	s := open(t, dir)
	put(t, s, "a")
	change(t, dir, "PRAGMA user_version = 99")
	if err := s.Request(t.Context(), t0, claims.Request{Kind: claims.Pause, Job: "a"}); !errors.Is(err, claims.ErrNewer) {
		t.Fatalf("a write after the schema rose: %v", err)
	}
	ch, err := s.Changes(t.Context(), "owner-1", 0)
	if err != nil || ch.Schema != 99 || ch.Jobs[0].Paused {
		t.Fatalf("changes: %+v %v", ch, err)
	}
	for _, cfg := range []Config{{Dir: dir}, {Dir: dir, ReadOnly: true}} {
		if _, err := Open(t.Context(), cfg); !errors.Is(err, claims.ErrNewer) || !strings.Contains(err.Error(), "update") {
			t.Fatalf("open %+v: %v", cfg, err)
		}
	}
}

func TestDamage(t *testing.T) {
	for _, tc := range []struct {
		name  string
		spoil func(t *testing.T, dir string)
	}{
		{"empty", func(t *testing.T, dir string) { write(t, dir, nil) }},
		{"short", func(t *testing.T, dir string) { write(t, dir, []byte("SQLite format 3\x00")) }},
		{"another kind of file", func(t *testing.T, dir string) { write(t, dir, bytes.Repeat([]byte("not a database. "), 1000)) }},
		{"another program's database", func(t *testing.T, dir string) { change(t, dir, "PRAGMA application_id = 7") }},
		{"gone, with its log there", func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, "ledger.db")); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "ledger.db-wal"), []byte("log"), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir() + "/state"
			s := open(t, dir)
			put(t, s, "a")
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			tc.spoil(t, dir)
			before, _ := os.ReadFile(filepath.Join(dir, "ledger.db"))
			s, err := Open(t.Context(), Config{Dir: dir})
			if !errors.Is(err, claims.ErrCorrupt) || !strings.Contains(err.Error(), "ledger.db") && !strings.Contains(err.Error(), dir) {
				t.Fatalf("open: %v, %v", s, err)
			}
			after, _ := os.ReadFile(filepath.Join(dir, "ledger.db"))
			if !bytes.Equal(before, after) {
				t.Error("the damaged file was written over")
			}
		})
	}
}

func TestDamageFoundLater(t *testing.T) {
	dir := t.TempDir() + "/state"
	s := open(t, dir)
	var names []string
	for _, c := range "abcdefghijklmnopqrstuvwxyz" {
		names = append(names, strings.Repeat(string(c), 200))
	}
	put(t, s, names...)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "ledger.db")
	page := bytes.Repeat([]byte{0xff}, 4096)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	info, _ := f.Stat()
	for off := int64(8192); off < info.Size(); off += 4096 { // the schema stays whole
		if _, err := f.WriteAt(page, off); err != nil {
			t.Fatal(err)
		}
	}
	f.Close()
	s, err = Open(t.Context(), Config{Dir: dir})
	if err == nil {
		_, err = s.Jobs(t.Context())
		if werr := s.Request(t.Context(), t0, claims.Request{Kind: claims.Pause, Job: names[0]}); !errors.Is(werr, claims.ErrCorrupt) {
			t.Errorf("write: %v", werr)
		}
		s.Close()
	}
	if !errors.Is(err, claims.ErrCorrupt) || !strings.Contains(err.Error(), path) {
		t.Fatalf("read: %v", err)
	}
}

func write(t *testing.T, dir string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "ledger.db"), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestInterruptedFirstStart(t *testing.T) {
	dir := t.TempDir() + "/state"
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ledger.db.new"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir)
	put(t, s, "a")
	if exists(s.path() + ".new") {
		t.Error("the rest of the interrupted start is still there")
	}
}

func TestReadOnly(t *testing.T) {
	dir := t.TempDir() + "/state"
	if _, err := Open(t.Context(), Config{Dir: dir, ReadOnly: true}); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("where there is none: %v", err)
	}
	s := open(t, dir)
	put(t, s, "a")
	ro, err := Open(t.Context(), Config{Dir: dir, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, "b")
	if jobs, err := ro.Jobs(t.Context()); err != nil || len(jobs) != 2 {
		t.Errorf("read: %v %v", jobs, err)
	}
	if err := ro.Request(t.Context(), t0, claims.Request{Kind: claims.Pause, Job: "a"}); err == nil {
		t.Error("a write went through")
	}
	if err := ro.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if ro, err = Open(t.Context(), Config{Dir: dir, ReadOnly: true}); err != nil { // nobody else has it open
		t.Fatal(err)
	}
	if jobs, err := ro.Jobs(t.Context()); err != nil || len(jobs) != 2 {
		t.Errorf("read alone: %v %v", jobs, err)
	}
	if err := ro.Close(); err != nil {
		t.Error(err)
	}
}

func TestForeignWriterIsNamedAsSuch(t *testing.T) {
	s, err := Open(t.Context(), Config{Dir: t.TempDir() + "/state", LockWait: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	put(t, s, "a")
	db, err := sqlite3.OpenFlags(s.path(), sqlite3.OPEN_READWRITE)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	err = s.Request(t.Context(), t0, claims.Request{Kind: claims.Pause, Job: "a"})
	if err == nil || !strings.Contains(err.Error(), "a program that is no host") || errors.Is(err, claims.ErrBusy) {
		t.Fatalf("behind a foreign transaction: %v", err)
	}
	if err := db.Exec("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if err := s.Request(t.Context(), t0, claims.Request{Kind: claims.Pause, Job: "a"}); err != nil {
		t.Fatal(err)
	}
}
