package sqlitestore

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/wcron/wcron/claims"
)

// restoring marks a folder whose restore has not ended. Without it an interrupted one would look like a folder without a ledger.
const restoring = "restoring"

// Restore puts a backup into the folder cfg.Dir. It changes nothing unless the backup is whole and of a version that this program
// knows, and no process uses the folder: claims.ErrBusy, with the holder in the text where the platform tells. A ledger that is
// there already stays, and is an error, unless replace is set: then it is moved aside with its outputs, into the folder of the store
// whose name is returned. now names that folder.
func Restore(cfg Config, file string, replace bool, now time.Time) (aside string, err error) {
	if cfg.LockWait <= 0 {
		cfg.LockWait = defaultLockWait
	}
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return "", err
	}
	s := &Store{cfg: cfg, dir: dir}
	defer func() { err = s.explain(fmt.Sprintf("restore %s into %s", file, dir), err) }()
	if err := prepareDir(dir, false); err != nil {
		return "", err
	}
	work, err := os.MkdirTemp(dir, "restore-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	if err := unpack(file, work); err != nil {
		return "", err
	}
	gate := &gate{path: filepath.Join(dir, "ledger.lock"), wait: cfg.LockWait}
	release, err := gate.acquire(nil)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, release()) }()
	if err := unused(dir); err != nil {
		return "", err
	}
	begun := exists(filepath.Join(dir, restoring))
	if there := exists(s.path()); there && !replace && !begun {
		return "", fmt.Errorf("there is a ledger already: choose a state folder without one, or have this one moved aside with --replace")
	}
	return swap(dir, work, "replaced-"+now.UTC().Format("20060102T150405.000Z"))
}

// swap moves what is there aside and the restored files in place. Whatever interrupts it, the mark stays, and a restore can be begun
// again.
func swap(dir, work, aside string) (string, error) {
	mark := filepath.Join(dir, restoring)
	if err := errors.Join(writeSynced(mark, strings.NewReader("a restore was begun and has not ended\n")), syncDir(dir)); err != nil {
		return "", err
	}
	if err := bring(filepath.Join(work, modulesDir), filepath.Join(dir, modulesDir)); err != nil {
		return "", err
	}
	moved := false
	for _, name := range []string{backupDB, backupDB + "-wal", backupDB + "-shm", "output"} {
		if !exists(filepath.Join(dir, name)) {
			continue
		}
		if err := os.Mkdir(filepath.Join(dir, aside), dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", err
		}
		moved = moved || name == backupDB
		if err := os.Rename(filepath.Join(dir, name), filepath.Join(dir, aside, name)); err != nil {
			return "", err
		}
	}
	for _, name := range []string{"output", backupDB} {
		if err := os.Rename(filepath.Join(work, name), filepath.Join(dir, name)); err != nil {
			return "", err
		}
	}
	if !moved {
		_ = os.Remove(filepath.Join(dir, aside, "output")) // the empty one that every store has; others stay
		_ = os.Remove(filepath.Join(dir, aside))
		aside = ""
	}
	return aside, errors.Join(syncDir(dir), os.Remove(mark), syncDir(dir))
}

// bring moves the modules of a backup to those that are there. A name is the digest of what is in it, so either file serves; whoever
// reads one checks it.
func bring(from, to string) error {
	entries, err := os.ReadDir(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := os.Mkdir(to, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	for _, e := range entries {
		if err := os.Rename(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return err
		}
	}
	return syncDir(to)
}

// unused tries every lock that a process holds while it works with the store. The short lock is held by the caller, so nobody
// gets another one recorded meanwhile.
func unused(dir string) error {
	for _, sub := range []string{"owners", "jobs"} {
		locks, err := filepath.Glob(filepath.Join(dir, sub, "*.lock"))
		if err != nil {
			return err
		}
		for _, path := range locks {
			lock := newLock(path)
			ok, err := lock.TryLock()
			if err != nil {
				return fmt.Errorf("lock %s: %w", path, err)
			}
			if !ok {
				who := holder(path)
				if who == "" {
					who = "a host"
				}
				return fmt.Errorf("%w: %s uses the store (%s): stop every host first", claims.ErrBusy, who, filepath.Base(path))
			}
			if err := lock.Unlock(); err != nil {
				return fmt.Errorf("unlock %s: %w", path, err)
			}
		}
	}
	return nil
}

var modulePath = regexp.MustCompile(`^modules/[0-9a-f]{64}\.wasm$`)

var outputPath = regexp.MustCompile(`^output/[0-9a-f]{2}/[A-Za-z0-9_-]+\.log$`)

// unpack puts a backup's files below a folder and checks that all of them are there.
func unpack(file, to string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := os.Mkdir(filepath.Join(to, "output"), dirMode); err != nil {
		return err
	}
	notWhole := func(format string, args ...any) error {
		return fmt.Errorf("%w: the backup %s: %s: use another one", claims.ErrCorrupt, file, fmt.Sprintf(format, args...))
	}
	var have, end seal
	found := map[string]bool{}
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if err != nil {
			return notWhole("it ends before its seal, or is no backup: %v", err)
		}
		if h.Name == backupSeal {
			if err := json.NewDecoder(io.LimitReader(r, 4096)).Decode(&end); err != nil {
				return notWhole("its seal cannot be read: %v", err)
			}
			break
		}
		if h.Typeflag != tar.TypeReg || h.Name != backupDB && !outputPath.MatchString(h.Name) && !modulePath.MatchString(h.Name) || found[h.Name] {
			return notWhole("it has an entry %.100q that none has", h.Name)
		}
		found[h.Name] = true
		path := filepath.Join(to, filepath.FromSlash(h.Name))
		if err := os.MkdirAll(filepath.Dir(path), dirMode); err != nil {
			return err
		}
		// Truncated entries are found by the reader; the disk's own errors stay what they are.
		if err := writeSynced(path, r); errors.Is(err, io.ErrUnexpectedEOF) {
			return notWhole("%s is cut off", h.Name)
		} else if err != nil {
			return err
		}
		have.Bytes += h.Size
		if modulePath.MatchString(h.Name) { // it is new here: what nobody needs goes by its age
			if is, err := fileDigest(path); err != nil || is+moduleExt != filepath.Base(path) {
				return notWhole("%s is damaged", h.Name)
			}
			have.Modules++
			continue
		}
		if err := os.Chtimes(path, h.ModTime, h.ModTime); err != nil {
			return err
		}
		if h.Name != backupDB {
			have.Outputs++
		}
	}
	switch {
	case end.Form > backupForm:
		return fmt.Errorf("%w: the backup %s has form %d and this program knows %d: update this program", claims.ErrNewer, file, end.Form, backupForm)
	case !found[backupDB] || have.Bytes != end.Bytes || have.Outputs != end.Outputs || have.Modules != end.Modules:
		return notWhole("it has %d bytes in %d outputs and %d modules, and its seal says %d in %d and %d",
			have.Bytes, have.Outputs, have.Modules, end.Bytes, end.Outputs, end.Modules)
	}
	has, err := inspect(filepath.Join(to, backupDB))
	if err != nil {
		return fmt.Errorf("the backup %s: %w", file, err)
	}
	for _, name := range has.outputs {
		if !found["output/"+name] {
			return notWhole("the output %s is missing", name)
		}
	}
	for _, rest := range []string{"-wal", "-shm"} { // what looking at it may have left
		if err := os.Remove(filepath.Join(to, backupDB+rest)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
