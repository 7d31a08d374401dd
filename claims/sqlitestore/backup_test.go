package sqlitestore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
)

// worked makes a store with a run whose output is inline, one whose output is a file, and some state.
func worked(t *testing.T, dir string) *Store {
	t.Helper()
	s := open(t, dir)
	put(t, s, "a")
	for i, size := range []int{10, 100_000} { // the first is kept in the database
		if err := s.Request(t.Context(), t0, claims.Request{Kind: claims.Trigger, Job: "a", ID: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
		got, err := s.Claim(t.Context(), t0, "owner-1", []claims.Claim{{Slot: claims.ManualSlot("a", t0, fmt.Sprint(i)), Attempt: 1, RunID: fmt.Sprintf("run-%d", i)}})
		if err != nil || got[0].Status != claims.Won {
			t.Fatalf("%+v %v", got, err)
		}
		f := final(got[0].Token, claims.OK, t0.Add(time.Second))
		text := strings.Repeat("x", size)
		f.Output = claims.Output{Inline: []byte(text), Bytes: int64(size), Digest: sum([]byte(text))}
		f.State = []claims.StateWrite{{Key: "n", Value: []byte(fmt.Sprint(i))}}
		if got := finalize(t, s, t0.Add(time.Second), f)[0]; got.Status != claims.Done {
			t.Fatalf("%+v", got)
		}
	}
	return s
}

func whole(t *testing.T, dir string) {
	t.Helper()
	s := open(t, dir)
	found, err := claims.Audit(t.Context(), s, claims.AuditOptions{Now: t0.Add(2 * time.Second), CheckOutput: true})
	if err != nil || len(found) > 0 {
		t.Fatalf("audit: %+v %v", found, err)
	}
	runs, err := s.Runs(t.Context(), claims.RunQuery{Job: "a"})
	if err != nil || len(runs) < 2 {
		t.Fatalf("%+v %v", runs, err)
	}
	if state, _, err := s.State(t.Context(), "a"); err != nil || len(state) != 1 || string(state[0].Value) != "1" {
		t.Fatalf("state %+v %v", state, err)
	}
}

func TestBackupAndRestore(t *testing.T) {
	from, to := filepath.Join(t.TempDir(), "state"), filepath.Join(t.TempDir(), "state")
	s := worked(t, from)
	file := filepath.Join(t.TempDir(), "backup.tar")
	if n, err := s.Backup(t.Context(), file); err != nil || n < 100_000 {
		t.Fatalf("backup: %d bytes, %v", n, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if _, err := s.Backup(t.Context(), file); err == nil || !strings.Contains(err.Error(), "choose another one") {
		t.Errorf("over a backup: %v", err)
	}
	if aside, err := Restore(Config{Dir: to}, file, false, t0); err != nil || aside != "" {
		t.Fatalf("restore: %q %v", aside, err)
	}
	whole(t, to)
	if _, err := Restore(Config{Dir: to}, file, false, t0); err == nil || !strings.Contains(err.Error(), "--replace") {
		t.Errorf("over a ledger: %v", err)
	}
	aside, err := Restore(Config{Dir: to}, file, true, t0)
	if err != nil || !exists(filepath.Join(to, aside, "ledger.db")) {
		t.Fatalf("in place of a ledger: %q %v", aside, err)
	}
	whole(t, to)
	if left, err := filepath.Glob(filepath.Join(to, "re*")); err != nil || len(left) != 1 { // what was replaced
		t.Errorf("left %v %v", left, err)
	}
}

// What was approved goes with the ledger, and what is not there any more is no fault.
func TestBackupHasApprovedModules(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s := worked(t, dir)
	text := map[string]string{}
	digest := func(s string) string {
		d := sum([]byte(s))
		text[d] = s
		return d
	}
	approved, denied, pinned, damaged, gone := digest("approved"), digest("denied"), digest("pinned"), digest("damaged"), digest("gone")
	text[damaged] = "DAMAGED"
	if err := os.Mkdir(filepath.Join(dir, "modules"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, digest := range []string{approved, denied, pinned, damaged} {
		if err := os.WriteFile(filepath.Join(dir, "modules", digest+".wasm"), []byte(text[digest]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for digest, decision := range map[string]claims.Decision{approved: claims.Approved, denied: claims.Denied} {
		if err := s.Grant(t.Context(), t0, []claims.Grant{{Job: "a", Plugin: "a.wasm", Digest: digest, Decision: decision, Requested: "{}", Granted: "{}"}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Grant(t.Context(), t0, []claims.Grant{{Job: "b", Plugin: "b.wasm", Digest: gone, Decision: claims.Approved, Requested: "{}", Granted: "{}"}}); err != nil {
		t.Fatal(err)
	}
	file, to := filepath.Join(t.TempDir(), "backup.tar"), filepath.Join(t.TempDir(), "state")
	if _, err := s.Backup(t.Context(), file, pinned, approved, damaged, "../ledger"); err != nil {
		t.Fatal(err)
	}
	want := []string{approved + ".wasm", pinned + ".wasm"}
	slices.Sort(want)
	for range 2 { // also where they are already
		if _, err := Restore(Config{Dir: to}, file, true, t0); err != nil {
			t.Fatal(err)
		}
		whole(t, to)
		entries, err := os.ReadDir(filepath.Join(to, "modules"))
		if err != nil || len(entries) != 2 || entries[0].Name() != want[0] || entries[1].Name() != want[1] {
			t.Fatalf("%v %v", entries, err)
		}
		if b, err := os.ReadFile(filepath.Join(to, "modules", pinned+".wasm")); err != nil || string(b) != "pinned" {
			t.Errorf("%q %v", b, err)
		}
	}
	// What was damaged since is refused, and does not take the place of what is there.
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(b), "pinned\x00", "penned\x00", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(Config{Dir: to}, file, true, t0); !errors.Is(err, claims.ErrCorrupt) || !strings.Contains(err.Error(), pinned) {
		t.Errorf("a damaged module: %v", err)
	}
}

// A backup while others commit is a state that was there, whole.
func TestBackupWhileOthersCommit(t *testing.T) {
	s := worked(t, filepath.Join(t.TempDir(), "state"))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			if err := s.Request(t.Context(), t0, claims.Request{Kind: claims.Trigger, Job: "a", ID: fmt.Sprintf("more-%d", n)}); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for i := range 3 {
		file, to := filepath.Join(t.TempDir(), "backup.tar"), filepath.Join(t.TempDir(), "state")
		if _, err := s.Backup(t.Context(), file); err != nil {
			t.Fatalf("backup %d: %v", i, err)
		}
		if _, err := Restore(Config{Dir: to}, file, false, t0); err != nil {
			t.Fatal(err)
		}
		whole(t, to)
	}
	close(stop)
	wg.Wait()
}

func TestRestoreRefuses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s := worked(t, dir)
	file := filepath.Join(t.TempDir(), "backup.tar")
	if _, err := s.Backup(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	refused := func(what, file string, kind error, text string) {
		t.Helper()
		before, _ := os.ReadFile(filepath.Join(dir, "ledger.db"))
		_, err := Restore(Config{Dir: dir}, file, true, t0)
		after, _ := os.ReadFile(filepath.Join(dir, "ledger.db"))
		if err == nil || kind != nil && !errors.Is(err, kind) || !strings.Contains(err.Error(), text) || string(before) != string(after) {
			t.Errorf("%s: %v", what, err)
		}
	}
	leave, err := s.Join(t.Context(), t0, claims.Owner{ID: "owner-1", PID: os.Getpid()})
	if err != nil {
		t.Fatal(err)
	}
	refused("a store in use", file, claims.ErrBusy, "stop every host")
	if err := leave(t.Context(), t0); err != nil {
		t.Fatal(err)
	}
	unlock, err := s.LockJob(t.Context(), "a", 0)
	if err != nil {
		t.Fatal(err)
	}
	refused("a guest that may still run", file, claims.ErrBusy, "stop every host")
	unlock()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	other := func(change func([]byte) []byte) string {
		path := filepath.Join(t.TempDir(), "other.tar")
		if err := os.WriteFile(path, change([]byte(string(text))), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	refused("no file", filepath.Join(dir, "nobody"), os.ErrNotExist, "")
	refused("no backup", other(func([]byte) []byte { return []byte("hello") }), claims.ErrCorrupt, "use another one")
	refused("half a backup", other(func(b []byte) []byte { return b[:len(b)/2] }), claims.ErrCorrupt, "use another one")
	refused("one without its seal", other(func(b []byte) []byte { return b[:strings.Index(string(b), backupSeal)] }), claims.ErrCorrupt, "seal")
	refused("a damaged page", other(func(b []byte) []byte { copy(b[512+2*4096:], strings.Repeat("\xff", 4096)); return b }), claims.ErrCorrupt, "")
	refused("an entry that leads outside", other(func(b []byte) []byte { return []byte(strings.Replace(string(b), "ledger.db\x00", "../../x.y\x00", 1)) }), claims.ErrCorrupt, "")

	newer := filepath.Join(t.TempDir(), "newer.tar")
	to := filepath.Join(t.TempDir(), "state")
	n := worked(t, to)
	change(t, to, "PRAGMA user_version = 99")
	if _, err := n.Backup(t.Context(), newer); !errors.Is(err, claims.ErrNewer) || exists(newer) {
		t.Errorf("backup of a newer store: %v", err)
	}

	// A store that was open all the while can do nothing any more to the one that was put in its place.
	if _, err := Restore(Config{Dir: dir}, file, true, t0); err != nil {
		t.Fatal(err)
	}
	if err := s.Request(t.Context(), t0, claims.Request{Kind: claims.Pause, Job: "a"}); !errors.Is(err, claims.ErrFenced) {
		t.Errorf("a write of a store that was replaced: %v", err)
	}
	whole(t, dir)
}

// An interrupted restore is neither taken for a store nor for the lack of one.
func TestInterruptedRestore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s := worked(t, dir)
	file := filepath.Join(t.TempDir(), "backup.tar")
	if _, err := s.Backup(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, restoring), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "ledger.db")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "wcron restore again") {
		t.Fatalf("open: %v", err)
	}
	if _, err := Restore(Config{Dir: dir}, file, false, t0); err != nil {
		t.Fatal(err)
	}
	whole(t, dir)
}
