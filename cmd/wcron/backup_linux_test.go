package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wcron/wcron/claims"
)

// contents are the files of a state folder that a backup or a restore must leave as they are.
func (h home) contents() map[string]string {
	h.t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(h.path("state"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.HasSuffix(path, "-shm") || strings.HasSuffix(path, ".lock") {
			return err
		}
		b, err := os.ReadFile(path)
		all[path] = string(b)
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return all
}

func (h home) unchanged(what string, before map[string]string) {
	h.t.Helper()
	after := h.contents()
	for path := range after {
		if _, ok := before[path]; !ok {
			h.t.Errorf("%s: %s was left behind", what, path)
		}
	}
	for path, text := range before {
		if after[path] != text {
			h.t.Errorf("%s: %s was changed", what, path)
		}
	}
}

// onSmallDisk runs a shell script in which the folder $DISK is a disk of that size, and SRC the home. It is skipped where the system
// lets nobody mount.
func (h home) onSmallDisk(size, script string) (out string, code int) {
	h.t.Helper()
	disk := h.t.TempDir()
	args := []string{"--user", "--map-root-user", "--mount", "sh", "-c"}
	mount := "mount -t tmpfs -o size=" + size + " none '" + disk + "' || exit 99\n"
	needProgram(h.t, "unshare", "util-linux")
	if err := exec.Command("unshare", append(args, mount)...).Run(); err != nil {
		h.t.Skipf("the kernel lets nobody mount here: unshare: %v", err)
	}
	cmd := exec.Command("timeout", append([]string{"50", "unshare"}, append(args, mount+script)...)...)
	cmd.Env = append(os.Environ(), "DISK="+disk, "HOME_OF_IT="+h.dir)
	b, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		h.t.Fatal(err)
	}
	return string(b), cmd.ProcessState.ExitCode()
}

// A backup that cannot be made says why, leaves no file behind, writes over nothing, and does nothing to the store.
func TestBackupThatCannotBeMade(t *testing.T) {
	t.Parallel()
	h := newHome(t, "")
	k := keep(t, h.path("state"))
	h.at(0, "audit")
	before := h.contents()
	refused := func(file string, parts ...string) {
		t.Helper()
		contains(t, h.at(exitUnreachable, "backup", file), parts...)
		h.unchanged("backup to "+file, before)
	}
	there := h.path("there.tar")
	if err := os.WriteFile(there, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(there, "there is a file of that name", "choose another one")
	if b, err := os.ReadFile(there); err != nil || string(b) != "precious" {
		t.Errorf("the file that was there is %q %v", b, err)
	}
	if err := os.Symlink(h.path("nowhere"), h.path("link.tar")); err != nil {
		t.Fatal(err)
	}
	refused(h.path("link.tar"), "there is a file of that name")
	refused(h.path("state", "ledger.db"), "would lie in the folder of the store")
	refused(h.path("state", "owners", "new.lock"), "would lie in the folder of the store")
	if err := os.Symlink(h.path("state"), h.path("other-name")); err != nil {
		t.Fatal(err)
	}
	refused(h.path("other-name", "new.tar"), "would lie in the folder of the store")
	refused(h.path("not-there", "new.tar"), "no such file or directory", "choose a folder that is there")
	refused("/sys/wcron.tar", "choose a folder that is there and that this user may write to")
	h.at(0, "audit")
	h.at(0, "backup", h.path("good.tar"))
	whole := h.store()
	if runs := h.runs(whole, k.ok.Job); len(runs) == 0 {
		t.Error("the store is empty")
	}
}

func TestBackupAndRestoreOnAFullDisk(t *testing.T) {
	t.Parallel()
	h := newHome(t, "")
	keep(t, h.path("state"))
	h.at(0, "audit")
	before := h.contents()
	out, code := h.onSmallDisk("64k", `wcron backup -c "$HOME_OF_IT/wcron.toml" "$DISK/x.tar"; code=$?; ls -A "$DISK"; exit $code`)
	if code != exitUnreachable || strings.Contains(out, "\nx.tar") {
		t.Errorf("backup to a full disk: exit code %d\n%s", code, out)
	}
	contains(t, out, "no space left", "free some")
	h.unchanged("backup to a full disk", before)

	// The store's own disk is full, the target's is not.
	out, code = h.onSmallDisk("600k", `cp -a "$HOME_OF_IT/." "$DISK/" && cd "$DISK" && dd if=/dev/zero of=filler bs=4k 2>/dev/null
		wcron backup -c wcron.toml "$HOME_OF_IT/y.tar"; code=$?; ls state; rm filler; wcron audit -c wcron.toml || exit 98; exit $code`)
	if code != exitUnreachable || strings.Contains(out, "\nbackup-") {
		t.Errorf("backup of a store whose disk is full: exit code %d\n%s", code, out)
	}
	contains(t, out, "no space left", "ok: every slot has its verdict")
	if _, err := os.Lstat(h.path("y.tar")); err == nil {
		t.Error("half a backup was left")
	}

	file := h.path("good.tar")
	h.at(0, "backup", file)
	out, code = h.onSmallDisk("600k", `cp -a "$HOME_OF_IT/state" "$HOME_OF_IT/wcron.toml" "$HOME_OF_IT/plugins" "$DISK/" && cd "$DISK" && dd if=/dev/zero of=filler bs=4k 2>/dev/null
		sum() { cat state/ledger.db state/ledger.db-wal 2>/dev/null | sha256sum; }
		was=$(sum); wcron restore -c wcron.toml --replace "$HOME_OF_IT/good.tar"; code=$?; [ "$was" = "$(sum)" ] || exit 97
		ls state; rm filler; wcron audit -c wcron.toml || exit 98; exit $code`)
	if code != exitUnreachable || strings.Contains(out, "\nrestore-") || strings.Contains(out, "\nreplaced-") {
		t.Errorf("restore onto a full disk: exit code %d\n%s", code, out)
	}
	contains(t, out, "no space left", "ok: every slot has its verdict")
}

// altered is a backup with its ledger changed.
func (h home) altered(file string, change func(db string)) string {
	h.t.Helper()
	in, err := os.Open(file)
	if err != nil {
		h.t.Fatal(err)
	}
	defer in.Close()
	var out bytes.Buffer
	r, w := tar.NewReader(in), tar.NewWriter(&out)
	for {
		head, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			h.t.Fatal(err)
		}
		body, err := io.ReadAll(r)
		if err != nil {
			h.t.Fatal(err)
		}
		if head.Name == "ledger.db" {
			db := filepath.Join(h.t.TempDir(), "ledger.db")
			if err := os.WriteFile(db, body, 0o600); err != nil {
				h.t.Fatal(err)
			}
			change(db)
			if body, err = os.ReadFile(db); err != nil {
				h.t.Fatal(err)
			}
			head.Size = int64(len(body))
		}
		if err := w.WriteHeader(head); err != nil {
			h.t.Fatal(err)
		}
		if _, err := w.Write(body); err != nil {
			h.t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		h.t.Fatal(err)
	}
	path := filepath.Join(h.t.TempDir(), "altered.tar")
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		h.t.Fatal(err)
	}
	return path
}

// A restore that must not be made says why, and changes nothing.
func TestRestoreThatIsRefused(t *testing.T) {
	t.Parallel()
	h := newHome(t, "")
	keep(t, h.path("state"))
	h.at(0, "audit")
	file := h.path("good.tar")
	h.at(0, "backup", file)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before := h.contents()
	refused := func(code int, what, file string, parts ...string) {
		t.Helper()
		contains(t, h.at(code, "restore", file, "--replace"), parts...)
		h.unchanged("restore of "+what, before)
	}
	for _, part := range []int{0, 1, 2, 5, 6, 7} {
		cut := h.path("cut.tar")
		if err := os.WriteFile(cut, text[:len(text)*part/8], 0o600); err != nil {
			t.Fatal(err)
		}
		refused(exitBad, "a part of a backup", cut, "use another one")
	}
	refused(exitBad, "no file", h.path("nobody.tar"), "no such file")
	refused(exitBad, "a ledger that is no backup", h.path("state", "ledger.db"), "use another one")
	newer := h.altered(file, func(db string) {
		damage(t, db, "PRAGMA journal_mode = WAL; PRAGMA user_version = 99; PRAGMA wal_checkpoint(TRUNCATE)")
	})
	refused(exitBad, "a newer version", newer, "its schema has version 99", "update this program")
	foreign := h.altered(file, func(db string) { damage(t, db, "PRAGMA application_id = 7; PRAGMA wal_checkpoint(TRUNCATE)") })
	refused(exitBad, "another program's database", foreign, "not one of this program")
	contains(t, h.at(exitUnreachable, "restore", file), "there is a ledger already", "--replace")
	h.unchanged("restore over a ledger", before)

	p := h.serve()
	s := h.store()
	runs := len(h.runs(s, "a"))
	contains(t, h.at(exitUnreachable, "restore", file, "--replace"), "stop every host first")
	if got := len(h.runs(s, "a")); got != runs {
		t.Errorf("%d runs, and %d before", got, runs)
	}
	p.stop()
	h.at(0, "audit")
	h.at(0, "restore", file, "--replace")
	h.at(0, "audit")
	var found bool
	for _, r := range h.runs(h.store(), "a") {
		found = found || r.Outcome == claims.OK
	}
	if !found {
		t.Error("nothing of the backup is there")
	}
}
