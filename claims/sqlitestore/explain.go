package sqlitestore

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/ncruces/go-sqlite3"
	"github.com/wcron/wcron/claims"
)

// explain wraps an error with the operation, and one of the database with what it means and what to do about it. nil stays nil.
func (s *Store) explain(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", op, s.meaning(err))
}

func (s *Store) meaning(err error) error {
	is := func(codes ...sqlite3.ErrorCode) bool {
		for _, c := range codes {
			if errors.Is(err, c) {
				return true
			}
		}
		return false
	}
	path := s.path()
	switch {
	case is(sqlite3.CORRUPT, sqlite3.NOTADB), errors.Is(err, sqlite3.IOERR_SHORT_READ), errors.Is(err, sqlite3.IOERR_DATA):
		return fmt.Errorf("%w: %s: stop every host, keep a copy of the folder and restore a backup: %w", claims.ErrCorrupt, path, err)
	case is(sqlite3.FULL), errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("no space left for %s: free some on its disk: %w", path, errors.Join(err, syscall.ENOSPC))
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return fmt.Errorf("out of file descriptors for %s: raise the limit (ulimit -n): %w", path, err)
	case is(sqlite3.BUSY, sqlite3.LOCKED):
		return fmt.Errorf("%s is locked by a program that is no host (a backup, a database browser): end it: %w", path, err)
	case is(sqlite3.READONLY), errors.Is(err, syscall.EROFS), errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return fmt.Errorf("%s cannot be written by this user: check the folder's owner and that its disk is mounted for writing: %w", path, err)
	case is(sqlite3.IOERR, sqlite3.CANTOPEN) && full(s.dir):
		return fmt.Errorf("no space left for %s: free some on its disk: %w", path, errors.Join(err, syscall.ENOSPC))
	case is(sqlite3.IOERR, sqlite3.CANTOPEN):
		return fmt.Errorf("%s: the disk or the folder fails: %w", path, err)
	}
	return err
}

// full tells whether a folder's disk takes nothing more. SQLite calls that a fault of the disk in places.
func full(dir string) bool {
	err := room(dir)
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// broken tells an error of the database or the disk from a request's own one: nothing more can be done in its transaction.
func broken(err error) bool {
	var code sqlite3.ErrorCode
	if !errors.As(err, &code) {
		return false
	}
	switch code {
	case sqlite3.CONSTRAINT, sqlite3.TOOBIG, sqlite3.MISMATCH, sqlite3.RANGE:
		return false
	}
	return true
}
