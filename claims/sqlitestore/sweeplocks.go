package sqlitestore

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
)

const (
	sweepLocks = 256 // lock files looked at in one transaction
	// An owner that is still of interest: it has not left, or something of it is open.
	countOwner = `SELECT (SELECT count(*) FROM owners WHERE id = ?1 AND left_at = 0) + (SELECT count(*) FROM claims WHERE owner = ?1)`
)

// sweepOwners removes the lock files of owners that have left, or were proved dead and forgotten. The id of an owner is never used
// again, and nobody waits in the kernel for such a lock: whoever wants it tries, and makes sure afterwards that what it locked still has
// its name. So a file may go while its lock is held here and the short lock keeps everybody from being recorded as that owner.
func (s *Store) sweepOwners(ctx context.Context) error {
	files, err := filepath.Glob(filepath.Join(s.dir, "owners", "*.lock"))
	if err != nil {
		return err
	}
	var old []string
	err = s.read(ctx, opPrune, func(c *conn) error {
		for _, path := range files {
			n, err := c.interest(path)
			if err != nil {
				return err
			}
			if n == 0 && len(old) < sweepLocks {
				old = append(old, path)
			}
		}
		return nil
	})
	if err != nil || len(old) == 0 {
		return err
	}
	return s.write(ctx, opPrune, 0, func(t *tx) error {
		for _, path := range old {
			n, err := t.interest(path)
			if err != nil {
				return err
			}
			if n == 0 {
				dropLock(path)
			}
		}
		return nil
	})
}

// interest is how many records speak of the owner of a lock file.
func (c *conn) interest(path string) (n int64, err error) {
	return c.number(countOwner, strings.TrimSuffix(filepath.Base(path), ".lock"))
}

// dropLock removes a lock file that nobody holds, and the socket of its owner. What cannot be removed is left: the next sweep tries
// again.
func dropLock(path string) {
	lock := flock.New(path, flock.SetFlag(os.O_RDONLY))
	if ok, err := lock.TryLock(); !ok || err != nil {
		return // it joins at this moment, or somebody probes it
	}
	defer func() { _ = lock.Unlock() }() // the file descriptor is closed either way
	if same, err := sameFile(lock, path); same && err == nil {
		_ = os.Remove(strings.TrimSuffix(path, ".lock") + ".sock")
		_ = os.Remove(path)
	}
}
