package sqlitestore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/ncruces/go-sqlite3"
	"github.com/wcron/wcron/claims"
)

const (
	insertOwner = `INSERT INTO owners (id, pid, host, evidence, socket, version, started_at, seen_at) VALUES (?,?,?,?,?,?,?,?)
	ON CONFLICT (id) DO UPDATE SET pid = excluded.pid, host = excluded.host, evidence = excluded.evidence, socket = excluded.socket,
	version = excluded.version, started_at = excluded.started_at, seen_at = excluded.seen_at, left_at = 0`
	leaveOwner = `UPDATE owners SET left_at = ?2, seen_at = max(seen_at, ?2) WHERE id = ?1`
	renewOwner = `UPDATE owners SET seen_at = ?2 WHERE id = ?1`
)

// Join records the owner and takes its life-long lock.
func (s *Store) Join(ctx context.Context, now time.Time, o claims.Owner) (leave func(context.Context, time.Time) error, err error) {
	op := "join as " + o.ID
	if !plain(o.ID) {
		return nil, fmt.Errorf("%s: the id has characters that a file name must not have", op)
	}
	lock, err := s.ownerLock(ctx, o.ID)
	if err != nil {
		return nil, s.explain(op, err)
	}
	err = s.write(ctx, op, 0, func(t *tx) error {
		_, err := t.exec(insertOwner, o.ID, int64(o.PID), o.Host, o.Evidence, o.Socket, o.Version, o.Started, now)
		return err
	})
	if err != nil {
		return nil, errors.Join(err, s.giveBack(lock))
	}
	s.hmu.Lock()
	s.by[o.ID] = lock
	s.hmu.Unlock()
	var once sync.Once
	return func(ctx context.Context, now time.Time) (err error) {
		once.Do(func() { err = s.leave(ctx, now, o.ID, lock) })
		return err
	}, nil
}

// ownerLock takes an owner's lock. It tries for a second, because whoever probes an owner holds the lock for a moment.
func (s *Store) ownerLock(ctx context.Context, id string) (*flock.Flock, error) {
	path := s.ownerPath(id)
	timer := time.NewTimer(joinWait)
	defer timer.Stop()
	for {
		lock, err := s.hold(path, newLock(path))
		if err == nil || !errors.Is(err, claims.ErrBusy) {
			return lock, err
		}
		select {
		case <-time.After(time.Duration(2+rand.IntN(4)) * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-s.closing:
			return nil, claims.ErrClosed
		case <-timer.C:
			return nil, err
		}
	}
}

// mostReplaced is how often a lock file may be gone when it is taken: hosts that sweep take away those that nobody holds, and more than
// one may do so at a time.
const mostReplaced = 20

// hold takes a lock at once or not at all, and remembers it. ErrBusy: somebody holds it.
func (s *Store) hold(path string, lock *flock.Flock) (*flock.Flock, error) {
	for n := range mostReplaced {
		if n > 0 { // out of step with those who sweep
			time.Sleep(rand.N(time.Duration(n) * 100 * time.Microsecond))
		}
		ok, err := lock.TryLock()
		if err != nil {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if !ok {
			if who := holder(path); who != "" {
				return nil, fmt.Errorf("lock %s: %w: by %s", path, claims.ErrBusy, who)
			}
			return nil, fmt.Errorf("lock %s: %w", path, claims.ErrBusy)
		}
		same, err := sameFile(lock, path)
		if same && err == nil {
			if !s.keep(lock) {
				return nil, claims.ErrClosed
			}
			return lock, nil
		}
		_ = lock.Unlock() // the file was replaced between the two: look at the one that is there now
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("look at the lock file %s: %w", path, err)
		}
	}
	return nil, fmt.Errorf("lock %s: the file is replaced over and over: leave the files of the store alone", path)
}

// leave records the end and gives the lock back, which it does whatever becomes of the record.
func (s *Store) leave(ctx context.Context, now time.Time, id string, lock *flock.Flock) error {
	op := "leave as " + id
	err := s.writeEnd(ctx, op, 0, func(t *tx) error {
		_, err := t.exec(leaveOwner, id, now)
		return err
	})
	s.hmu.Lock()
	if s.by[id] == lock {
		delete(s.by, id)
	}
	s.hmu.Unlock()
	return errors.Join(err, s.giveBack(lock))
}

// Renew extends the owner's lease. ErrFenced: the owner's lock is not held here, or its file is no longer the one that was locked.
func (s *Store) Renew(ctx context.Context, now time.Time, owner string) error {
	op := "renew the lease of " + owner
	s.hmu.Lock()
	lock := s.by[owner]
	s.hmu.Unlock()
	if lock == nil {
		return fmt.Errorf("%s: %w: it has not joined here", op, claims.ErrFenced)
	}
	path := s.ownerPath(owner)
	if same, err := sameFile(lock, path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s.explain(op, err)
	} else if !same {
		return fmt.Errorf("%s: %w: %s was removed or replaced, so that others may take us for dead", op, claims.ErrFenced, path)
	}
	return s.write(ctx, op, 0, func(t *tx) error {
		n, err := t.exec(renewOwner, owner, now)
		if err == nil && n == 0 {
			err = fmt.Errorf("%w: its record is gone", claims.ErrFenced)
		}
		return err
	})
}

const (
	ownerColumns = `id, pid, host, evidence, socket, version, started_at, seen_at, left_at`
	queryOwners  = `SELECT ` + ownerColumns + ` FROM owners WHERE left_at = 0 UNION ALL SELECT * FROM
	(SELECT ` + ownerColumns + ` FROM owners WHERE left_at > 0 ORDER BY left_at DESC LIMIT 1)`
)

// Owners lists owners that have not left, and the one that left last.
func (s *Store) Owners(ctx context.Context) (all []claims.Owner, err error) {
	err = s.read(ctx, "list owners", func(c *conn) error {
		return c.each(func(st *sqlite3.Stmt) error {
			all = append(all, claims.Owner{
				ID:       st.ColumnText(0),
				PID:      st.ColumnInt(1),
				Host:     st.ColumnText(2),
				Evidence: blob(st, 3),
				Socket:   st.ColumnText(4),
				Version:  st.ColumnText(5),
				Started:  instant(st.ColumnInt64(6)),
				Seen:     instant(st.ColumnInt64(7)),
				Left:     instant(st.ColumnInt64(8)),
			})
			return nil
		}, queryOwners)
	})
	return all, err
}

// Probe asks for an owner's lock. An answer LockFree holds it until Release.
func (s *Store) Probe(ctx context.Context, owner string) (claims.Probe, error) {
	op := "probe owner " + owner
	none := claims.Probe{Release: func() {}}
	if err := ctx.Err(); err != nil {
		return none, fmt.Errorf("%s: %w", op, err)
	}
	path := s.ownerPath(owner)
	if !plain(owner) || !exists(path) {
		none.Lock, none.Reason = claims.LockMissing, fmt.Sprintf("there is no lock of owner %s in this store", owner)
		return none, nil
	}
	lock, err := s.hold(path, flock.New(path, flock.SetFlag(os.O_RDONLY))) // without O_CREATE: a probe leaves no file behind
	switch {
	case errors.Is(err, claims.ErrBusy):
		none.Lock, none.Reason = claims.LockHeld, "the owner's lock is held"
		if who := holder(path); who != "" {
			none.Reason += " by " + who
		}
		return none, nil
	case errors.Is(err, fs.ErrNotExist):
		none.Lock, none.Reason = claims.LockMissing, fmt.Sprintf("the lock of owner %s was removed", owner)
		return none, nil
	case err != nil:
		return none, s.explain(op, err)
	}
	return claims.Probe{
		Lock:    claims.LockFree,
		Reason:  "the owner's lock was free: its process has ended",
		Release: func() { _ = s.giveBack(lock) }, // the file descriptor is closed either way
	}, nil
}

// LockJob takes the lock of a job's lane, without waiting. ErrBusy: somebody holds it.
func (s *Store) LockJob(ctx context.Context, job string, lane int) (unlock func(), err error) {
	op := fmt.Sprintf("lock job %q lane %d", job, lane)
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	sum := sha256.Sum256([]byte(job))
	path := filepath.Join(s.dir, "jobs", fmt.Sprintf("%s.%d.lock", hex.EncodeToString(sum[:8]), lane))
	lock, err := s.hold(path, newLock(path))
	if err != nil {
		return nil, s.explain(op, err)
	}
	return func() { _ = s.giveBack(lock) }, nil // the file descriptor is closed either way
}

func (s *Store) ownerPath(id string) string { return filepath.Join(s.dir, "owners", id+".lock") }
