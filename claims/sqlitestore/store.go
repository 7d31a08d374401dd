package sqlitestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"github.com/wcron/wcron/claims"
)

const (
	defaultLockWait = 10 * time.Second
	closeWait       = 2 * time.Second // how long what is queued may still wait for the short lock once Close was called
	joinWait        = time.Second     // probers of an owner hold its lock for a moment
	readers         = 4
)

// Config says where the store is and how patient it is.
type Config struct {
	// Dir is the folder of the store. It is made with mode 0700 when it is missing. Required.
	Dir string
	// LockWait is how long a write waits for the short lock, and for a foreign program that has the database locked, before it
	// ends with an error that names the holder. 0: 10 s.
	LockWait time.Duration
	// ReadOnly opens an existing store for its History and Changes alone: nothing is made or migrated, and writes are refused.
	ReadOnly bool

	vfs string // name of a registered VFS, for tests that record what reaches the disk; empty: the operating system
}

// Store is a claims.Store in a folder. It is safe for concurrent use, by several processes too. Inside a testing/synctest bubble,
// open it within the bubble.
type Store struct {
	cfg  Config
	dir  string
	gate *gate

	opened fs.FileInfo // the database file; a restore puts another one in its place

	w *conn // of the committer alone, once Open has returned

	mu     sync.Mutex // guards queue and closed
	queue  []*request
	closed bool

	wake    chan struct{} // one token: the queue has something, or closed was set
	closing chan struct{} // closed by Close
	done    chan struct{} // closed when the committer has ended

	pool chan *conn // tokens of the read connections; nil: not opened yet

	hmu  sync.Mutex              // guards held, by and swept
	held map[*flock.Flock]bool   // every lock that this store holds for somebody, so that Close can give it back
	by   map[string]*flock.Flock // the life-long locks by owner

	swept time.Time // when Prune looked for outputs without a run last

	commits atomic.Int64 // transactions, for tests
}

var _ claims.Store = (*Store)(nil)

// Open opens the store in cfg.Dir, and makes it where there is none. Errors: claims.ErrNewer, claims.ErrCorrupt, and what the
// operating system says of the folder, with the remedy.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.Dir == "" {
		return nil, errors.New("open store: no folder given")
	}
	if cfg.LockWait <= 0 {
		cfg.LockWait = defaultLockWait
	}
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", cfg.Dir, err)
	}
	if err := prepareDir(dir, cfg.ReadOnly); err != nil {
		return nil, fmt.Errorf("open store %s: %w", dir, err)
	}
	s := &Store{
		cfg:     cfg,
		dir:     dir,
		gate:    &gate{path: filepath.Join(dir, "ledger.lock"), wait: cfg.LockWait},
		wake:    make(chan struct{}, 1),
		closing: make(chan struct{}),
		done:    make(chan struct{}),
		pool:    make(chan *conn, readers),
		held:    make(map[*flock.Flock]bool),
		by:      make(map[string]*flock.Flock),
	}
	if err := s.openDB(ctx); err != nil {
		return nil, fmt.Errorf("open store %s: %w", dir, err)
	}
	for range readers {
		s.pool <- nil
	}
	if cfg.ReadOnly {
		close(s.done)
	} else {
		go s.commitLoop()
	}
	return s, nil
}

// Exists tells whether a folder has a store, whole or damaged, or the rest of an interrupted restore.
func Exists(dir string) bool {
	return exists(filepath.Join(dir, "ledger.db")) || exists(filepath.Join(dir, "ledger.db-wal")) || exists(filepath.Join(dir, restoring))
}

// Dir is the absolute path of the store's folder.
func (s *Store) Dir() string { return s.dir }

// Close finishes what is queued, gives back every lock and closes the database. It may be called more than once. While another
// process keeps the short lock it waits for 2 s at most; what is queued then ends with claims.ErrClosed.
func (s *Store) Close() error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	s.mu.Unlock()
	if !first {
		<-s.done
		return nil
	}
	close(s.closing)
	s.rouse()
	<-s.done
	var errs []error
	for range readers { // a reader under way gives its token back when it has finished
		if c := <-s.pool; c != nil {
			errs = append(errs, c.close())
		}
	}
	if s.w != nil {
		errs = append(errs, s.w.close())
	}
	s.hmu.Lock()
	defer s.hmu.Unlock()
	for f := range s.held {
		errs = append(errs, f.Unlock())
	}
	clear(s.held)
	clear(s.by)
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close store %s: %w", s.dir, err)
	}
	return nil
}

// read runs fn on a read connection, in one snapshot.
func (s *Store) read(ctx context.Context, op string, fn func(c *conn) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	var c *conn
	select {
	case <-s.closing:
		return fmt.Errorf("%s: %w", op, claims.ErrClosed)
	default:
	}
	select {
	case c = <-s.pool:
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", op, ctx.Err())
	case <-s.closing:
		return fmt.Errorf("%s: %w", op, claims.ErrClosed)
	}
	defer func() { s.pool <- c }()
	if c == nil {
		fresh, err := openConn(s.path(), s.cfg, true)
		if err != nil {
			return s.explain(op, err)
		}
		c = fresh
	}
	err := c.snapshot(ctx, fn)
	if err != nil && ctx.Err() == nil && broken(err) {
		_ = c.close() // the error that matters is the reader's; the next reader opens afresh
		c = nil
	}
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return s.explain(op, err)
}

func (s *Store) path() string { return filepath.Join(s.dir, "ledger.db") }

// keep remembers a lock that the store holds for somebody. It is false, with the lock given back, when the store is closed.
func (s *Store) keep(f *flock.Flock) bool {
	s.hmu.Lock()
	defer s.hmu.Unlock()
	select {
	case <-s.closing:
		_ = f.Unlock()
		return false
	default:
	}
	s.held[f] = true
	return true
}

// giveBack unlocks a lock that keep has remembered, once.
func (s *Store) giveBack(f *flock.Flock) error {
	s.hmu.Lock()
	defer s.hmu.Unlock()
	if !s.held[f] {
		return nil
	}
	delete(s.held, f)
	return f.Unlock()
}

// exists tells whether there is something of that name.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
