package sqlitestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ncruces/go-sqlite3"
	"github.com/wcron/wcron/claims"
)

// applicationID is "wcrn" in the database's header. It tells a ledger from any other SQLite file.
const applicationID = 0x7763726e

// openDB makes the database where there is none, brings it up to date and leaves the write connection in s.w.
func (s *Store) openDB(ctx context.Context) error {
	if exists(filepath.Join(s.dir, restoring)) {
		return errors.New("a restore of this store was begun and has not ended: run wcron restore again with the same backup")
	}
	if !s.cfg.ReadOnly {
		if err := s.ensure(ctx); err != nil {
			return err
		}
	}
	if err := checkSize(s.path()); err != nil {
		return err
	}
	opened, err := os.Stat(s.path())
	if err != nil {
		return fmt.Errorf("look at the database: %w", err)
	}
	s.opened = opened
	c, err := openConn(s.path(), s.cfg, s.cfg.ReadOnly)
	if err != nil {
		return s.meaning(err)
	}
	version, err := check(c)
	if err == nil && version < len(migrations()) {
		if s.cfg.ReadOnly {
			err = fmt.Errorf("the schema has version %d and this program reads %d: start the host once, which brings it up to date", version, len(migrations()))
		} else {
			err = s.underGate(func() error { return migrate(c) })
		}
	}
	if err == nil && !s.cfg.ReadOnly {
		err = restrict(s.path()+"-wal", s.path()+"-shm")
	}
	if err != nil {
		return errors.Join(s.meaning(err), c.close())
	}
	if s.cfg.ReadOnly {
		return c.close()
	}
	s.w = c
	return nil
}

// ensure makes a new store. It is built beside its place and renamed into it, so that a database file is never there and empty: an
// empty one is damage, not a beginning.
func (s *Store) ensure(ctx context.Context) error {
	if exists(s.path()) {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.underGate(func() error {
		if exists(s.path()) {
			return nil // another process was quicker
		}
		if info, err := os.Stat(s.path() + "-wal"); err == nil && info.Size() > 0 {
			return fmt.Errorf("%w: %s is missing and its log is there: put the file back, or restore a backup", claims.ErrCorrupt, s.path())
		}
		if err := build(s.path() + ".new"); err != nil {
			return s.meaning(err)
		}
		if err := os.Rename(s.path()+".new", s.path()); err != nil {
			return fmt.Errorf("put the new database in place: %w", err)
		}
		return syncDir(s.dir)
	})
}

func (s *Store) underGate(fn func() error) error {
	release, err := s.gate.acquire(nil)
	if err != nil {
		return s.meaning(err)
	}
	return errors.Join(fn(), release())
}

// build makes a whole, closed and synced database.
func build(path string) error {
	for _, old := range []string{path, path + "-wal", path + "-shm", path + "-journal"} {
		if err := os.Remove(old); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove what an interrupted start has left: %w", err)
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, fileMode)
	if err != nil {
		return fmt.Errorf("make the database: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("make the database: %w", err)
	}
	db, err := sqlite3.OpenFlags(fileURI(path, ""), sqlite3.OPEN_READWRITE|sqlite3.OPEN_URI)
	if err != nil {
		return fmt.Errorf("make the database: %w", err)
	}
	c := &conn{db: db, stmts: make(map[string]*sqlite3.Stmt)}
	// Nobody sees this file before it is whole, so one sync at the end is enough.
	err = db.Exec(fmt.Sprintf("PRAGMA synchronous = OFF; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA application_id = %d", applicationID))
	if err == nil {
		err = migrate(c)
	}
	if err == nil {
		err = wantWAL(c, "PRAGMA journal_mode = WAL")
	}
	if err = errors.Join(err, c.close()); err == nil {
		err = syncFile(path)
	}
	if err != nil {
		return fmt.Errorf("make the database: %w", err)
	}
	return nil
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// check answers the schema's version. Errors: claims.ErrCorrupt, claims.ErrNewer.
func check(c *conn) (int, error) {
	id, err := c.number("PRAGMA application_id")
	if err != nil {
		return 0, err
	}
	if id != applicationID {
		return 0, fmt.Errorf("%w: it is a database, and not one of this program: move it away, or restore a backup", claims.ErrCorrupt)
	}
	if err := wantWAL(c, "PRAGMA journal_mode"); err != nil {
		return 0, err
	}
	version, err := c.number("PRAGMA user_version")
	if err != nil {
		return 0, err
	}
	if err := known(version); err != nil {
		return 0, err
	}
	if version > 0 {
		if rows, err := c.number("SELECT count(*) FROM meta"); err != nil {
			return 0, err
		} else if rows != 1 {
			return 0, fmt.Errorf("%w: its revision is missing: restore a backup", claims.ErrCorrupt)
		}
	}
	return int(version), nil
}

func known(version int64) error {
	if newest := len(migrations()); version > int64(newest) {
		return fmt.Errorf("%w: its schema has version %d and this program knows %d: update this program", claims.ErrNewer, version, newest)
	}
	return nil
}

func wantWAL(c *conn, query string) error {
	mode := ""
	if _, err := c.one(func(st *sqlite3.Stmt) { mode = st.ColumnText(0) }, query); err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("the database's journal mode is %q and must be wal: some other program has changed it, or this platform has no shared memory", mode)
	}
	return nil
}

// migrate brings the schema up to date in one transaction.
func migrate(c *conn) (err error) {
	if err := c.db.Exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.db.Exec("ROLLBACK"))
		}
	}()
	version, err := c.number("PRAGMA user_version") // another process may have been quicker
	if err != nil {
		return err
	}
	if err := known(version); err != nil {
		return err
	}
	steps := migrations()
	for i := int(version); i < len(steps); i++ {
		if err := c.db.Exec(steps[i]); err != nil {
			return fmt.Errorf("migrate the schema from version %d: %w", i, err)
		}
	}
	if err := c.db.Exec(fmt.Sprintf("PRAGMA user_version = %d", len(steps))); err != nil {
		return err
	}
	return c.db.Exec("COMMIT")
}

// checkSize refuses a file that is too short to be a database. SQLite would take an empty one for new.
func checkSize(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("look at the database: %w", err)
	}
	if info.Size() < 512 {
		return fmt.Errorf("%w: %s has %d bytes: keep a copy of the folder and restore a backup", claims.ErrCorrupt, path, info.Size())
	}
	return nil
}

// restrict gives SQLite's own files the mode of the store's.
func restrict(paths ...string) error {
	for _, p := range paths {
		if err := os.Chmod(p, fileMode); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
