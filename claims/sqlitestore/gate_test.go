package sqlitestore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/wcron/wcron/claims"
)

func TestLockFileReplacedUnderUs(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	other := open(t, s.Dir())
	put(t, s, "a")
	path := filepath.Join(s.Dir(), "ledger.lock")
	old := flock.New(path)
	if ok, err := old.TryLock(); !ok {
		t.Fatal(err)
	}
	defer old.Unlock()
	if err := os.Rename(path, path+".moved"); err != nil {
		t.Fatal(err)
	}
	// The lock on the file that lost its name excludes nobody; the next writer takes the one of that name.
	if err := s.Request(t.Context(), t0, claims.Request{Kind: claims.Pause, Job: "a"}); err != nil {
		t.Fatal(err)
	}
	if err := other.Request(t.Context(), t0, claims.Request{Kind: claims.Resume, Job: "a"}); err != nil {
		t.Fatal(err)
	}
}

func TestLockFileReplacedWhileWaiting(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	path := s.gate.path
	hold := plug(t, s)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if holder(path) == "" {
		t.Skip("this platform does not tell who waits for a lock")
	}
	await(t, func() bool { return waiting(info) })
	if err := os.Rename(path, path+".moved"); err != nil {
		t.Fatal(err)
	}
	other := jam(t, s) // somebody else has the file of that name by now
	hold()
	await(t, func() bool { now, err := os.Stat(path); return err == nil && waiting(now) })
	other()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// waiting tells whether somebody waits for the lock of a file, as the kernel tells.
func waiting(file os.FileInfo) bool {
	table, _ := os.ReadFile("/proc/locks")
	inode := fmt.Sprintf(":%d", reflect.ValueOf(file.Sys()).Elem().FieldByName("Ino").Uint())
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line)
		if len(f) == 9 && f[1] == "->" && strings.HasSuffix(f[6], inode) {
			return true
		}
	}
	return false
}

func TestWaiterThatWasGivenUpLetsGo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	hold := newLock(path)
	if ok, err := hold.TryLock(); !ok {
		t.Fatal(err)
	}
	g := &gate{path: path, wait: 20 * time.Millisecond}
	if _, err := g.acquire(nil); !errors.Is(err, claims.ErrBusy) {
		t.Fatal(err)
	}
	w := g.late
	if err := hold.Unlock(); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { // its turn has come
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.ended
	})
	if ok, err := hold.TryLock(); !ok {
		t.Fatalf("the lock is still held: %v", err)
	}
	if err := hold.Unlock(); err != nil {
		t.Fatal(err)
	}
	release, err := g.acquire(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
}
