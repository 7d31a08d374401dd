package sqlitestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/wcron/wcron/claims"
)

// gate is the short lock in front of every write transaction. Only one goroutine of a store uses it.
type gate struct {
	path string
	wait time.Duration
	late *waiter // of an acquisition that was given up, and that is still in the kernel's queue

	mu    sync.Mutex // guards what follows; others than the gate's goroutine look at it
	since time.Time  // since when the lock is waited for, over acquisitions that were given up; zero: it is not
	waits int64
	total time.Duration // of the waits that are over
}

// busyNow and freeNow note when the lock begins and ends to be waited for.
func (g *gate) busyNow() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.since.IsZero() {
		g.since = time.Now() //nolint:forbidigo // how long this process waits is no time of the ledger
		g.waits++
	}
}

func (g *gate) freeNow() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.since.IsZero() {
		g.total += time.Since(g.since)
		g.since = time.Time{}
	}
}

// LockWait implements claims.Waiting.
func (s *Store) LockWait() claims.LockWait {
	s.gate.mu.Lock()
	w := claims.LockWait{Waits: s.gate.waits, Total: s.gate.total}
	if !s.gate.since.IsZero() {
		w.For = time.Since(s.gate.since)
		w.Total += w.For
	}
	s.gate.mu.Unlock()
	if w.For > 0 {
		w.Holder = holder(s.gate.path)
	}
	return w
}

// waiter is a goroutine in the kernel's queue for the lock. The kernel gives nobody back from there before the lock is free, so a
// waiter that was given up is used again by the next acquisition, and unlocks at once when nobody wants it any more.
type waiter struct {
	gate   *gate
	lock   *flock.Flock
	got    chan error // one element
	mu     sync.Mutex // guards the two below
	wanted bool
	ended  bool
}

// How often the lock is tried again before a goroutine of its own queues for it, and how far apart.
const (
	tries    = 4
	tryAgain = 100 * time.Microsecond
)

// acquire takes the lock and returns what gives it back. It waits for g.wait, or less once hurry is closed.
func (g *gate) acquire(hurry <-chan struct{}) (release func() error, err error) {
	timer := time.NewTimer(g.wait)
	defer timer.Stop()
	for {
		lock, err := g.take(timer, hurry)
		if err != nil {
			return nil, err
		}
		same, err := sameFile(lock, g.path)
		if same && err == nil {
			g.freeNow()
			return lock.Unlock, nil
		}
		_ = lock.Unlock() // somebody has replaced the file: a lock on the old one excludes nobody
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("look at the lock file %s: %w", g.path, err)
		}
		select {
		case <-timer.C:
			return nil, fmt.Errorf("lock %s: the file is replaced over and over: leave the files of the store alone", g.path)
		default:
		}
	}
}

func (g *gate) take(timer *time.Timer, hurry <-chan struct{}) (*flock.Flock, error) {
	lock := newLock(g.path)
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", g.path, err)
	}
	if ok {
		return lock, nil
	}
	g.busyNow()
	w := g.late
	g.late = nil
	if w == nil || !w.want() {
		// Most holders are about to give it back: a thread in the kernel's queue is for those who are not. In a test on virtual time
		// this also lets a holder go on that sleeps for a moment itself, which a thread in the kernel would keep from waking up.
		for range tries {
			time.Sleep(tryAgain)
			ok, err := lock.TryLock()
			if err != nil {
				return nil, fmt.Errorf("lock %s: %w", g.path, err)
			}
			if ok {
				return lock, nil
			}
		}
		w = &waiter{gate: g, lock: newLock(g.path), got: make(chan error, 1), wanted: true}
		go w.run()
	}
	for {
		select {
		case err := <-w.got:
			if err != nil {
				return nil, fmt.Errorf("lock %s: %w", g.path, err)
			}
			return w.lock, nil
		case <-hurry:
			hurry = nil
			timer.Reset(min(closeWait, g.wait))
		case <-timer.C:
			if !w.giveUp() {
				continue // it came at the last moment
			}
			g.late = w
			return nil, g.busy()
		}
	}
}

func (g *gate) busy() error {
	who := holder(g.path)
	if who == "" {
		who = "another process"
	}
	return fmt.Errorf("lock %s: %s has not given it back within %s: continue or end that process: %w", g.path, who, g.wait, claims.ErrBusy)
}

func (w *waiter) run() {
	err := w.lock.Lock()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	if w.wanted {
		w.got <- err
	} else if err == nil {
		_ = w.lock.Unlock() // nobody waits for it, and the file descriptor is closed either way
		w.gate.freeNow()
	}
}

// want takes a waiter up again; false: it has ended meanwhile.
func (w *waiter) want() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wanted = !w.ended
	return w.wanted
}

// giveUp lets a waiter go; false: it has ended, and its answer is there to be read.
func (w *waiter) giveUp() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wanted = w.ended
	return !w.ended
}

// newLock makes the handle for one acquisition: a handle that is held answers a second one with yes.
func newLock(path string) *flock.Flock { return flock.New(path, flock.SetPermissions(fileMode)) }

// sameFile tells whether the locked file is still the one of that name.
func sameFile(lock *flock.Flock, path string) (bool, error) {
	have, err := lock.Stat()
	if err != nil {
		return false, err
	}
	want, err := os.Stat(path)
	if err != nil {
		return false, err
	}
	return os.SameFile(have, want), nil
}
