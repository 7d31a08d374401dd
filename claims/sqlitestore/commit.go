package sqlitestore

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/wcron/wcron/claims"
)

// A shared transaction carries at most this much, so that no process keeps the short lock for long.
const (
	batchRequests = 256
	batchBytes    = 4 << 20
)

// request is one caller's part of a transaction.
type request struct {
	ctx    context.Context
	size   int               // bytes of output
	apply  func(t *tx) error // runs in a savepoint of its own
	after  func(c *conn) error
	ends   bool       // it ends what was begun, which is done in a store of a newer version too
	answer chan error // one element
	err    error
}

// tx is the transaction under way. It is valid only while apply runs.
type tx struct {
	*conn
	next int64 // the revision that this transaction makes
	used bool
}

// rev is the revision for a row of jobs or pending that this transaction changes.
func (t *tx) rev() int64 {
	t.used = true
	return t.next
}

// write queues apply for the committer and waits for the commit, or for ctx. What apply fills in may be read only when write
// returns nil.
func (s *Store) write(ctx context.Context, op string, size int, apply func(t *tx) error) error {
	return s.writeThen(ctx, op, size, apply, nil)
}

// writeThen is write with something that has to run outside the transaction and under the short lock, after the commit.
func (s *Store) writeThen(ctx context.Context, op string, size int, apply func(t *tx) error, after func(c *conn) error) error {
	if s.cfg.ReadOnly {
		return fmt.Errorf("%s: the store was opened for reading only", op)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return s.enqueue(op, &request{ctx: ctx, size: size, apply: apply, after: after, answer: make(chan error, 1)})
}

// writeEnd is write for what ends a run or an owner.
func (s *Store) writeEnd(ctx context.Context, op string, size int, apply func(t *tx) error) error {
	if s.cfg.ReadOnly {
		return fmt.Errorf("%s: the store was opened for reading only", op)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return s.enqueue(op, &request{ctx: ctx, size: size, apply: apply, ends: true, answer: make(chan error, 1)})
}

// enqueue hands a request to the committer and waits for its answer.
func (s *Store) enqueue(op string, r *request) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return fmt.Errorf("%s: %w", op, claims.ErrClosed)
	}
	s.queue = append(s.queue, r)
	s.mu.Unlock()
	s.rouse()
	select {
	case err := <-r.answer:
		return s.explain(op, err)
	case <-r.ctx.Done():
		return fmt.Errorf("%s: %w", op, r.ctx.Err())
	}
}

func (s *Store) rouse() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// commitLoop is the committer: the only user of s.w and s.gate after Open.
func (s *Store) commitLoop() {
	defer close(s.done)
	for range s.wake {
		for {
			batch, closed := s.drain()
			if len(batch) > 0 {
				s.commit(batch)
				continue
			}
			if closed {
				return
			}
			break
		}
	}
}

// drain takes the next batch out of the queue. Requests whose callers have gone are answered and left out.
func (s *Store) drain() (batch []*request, closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	bytes, taken := 0, 0
	for _, r := range s.queue {
		if err := r.ctx.Err(); err != nil {
			r.answer <- err
			taken++
			continue
		}
		if len(batch) == batchRequests || len(batch) > 0 && bytes+r.size > batchBytes {
			break
		}
		batch = append(batch, r)
		bytes += r.size
		taken++
	}
	clear(s.queue[:taken])
	s.queue = s.queue[taken:]
	if len(s.queue) == 0 {
		s.queue = nil
	}
	return batch, s.closed
}

// commit carries a batch out and answers each of its requests.
func (s *Store) commit(batch []*request) {
	release, err := s.gate.acquire(s.closing)
	if err == nil {
		if err = s.still(); err == nil {
			err = s.transact(batch)
		}
		if err == nil {
			for _, r := range batch {
				if r.after != nil && r.err == nil {
					r.err = r.after(s.w)
				}
			}
		}
		if end := release(); end != nil && err == nil {
			// The commit stands. A lock that cannot be given back would stop every process, so it has to be heard of.
			batch[0].err = errors.Join(batch[0].err, fmt.Errorf("release %s: %w", s.gate.path, end))
		}
	} else {
		select {
		case <-s.closing:
			err = fmt.Errorf("%w: %w", claims.ErrClosed, err)
		default:
		}
	}
	for _, r := range batch {
		if err != nil {
			r.err = err
		}
		r.answer <- r.err
	}
}

// still makes sure that the database is the one that was opened: after a restore nobody may go on with the old one.
func (s *Store) still() error {
	now, err := os.Stat(s.path())
	if err == nil && !os.SameFile(s.opened, now) {
		err = fmt.Errorf("%w: the store was replaced while it was open: start this program again", claims.ErrFenced)
	}
	return err
}

// transact runs the batch in one transaction. An error is that of the whole batch, and then nothing was changed; a request's own
// error is left in it.
func (s *Store) transact(batch []*request) (err error) {
	c := s.w
	if _, err := c.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer func() {
		if err != nil && !c.db.GetAutocommit() { // SQLite ends some transactions by itself
			if _, end := c.exec("ROLLBACK"); end != nil {
				err = errors.Join(err, end)
			}
		}
	}()
	version, err := c.number("PRAGMA user_version")
	if err != nil {
		return err
	}
	newer := known(version)
	if newer != nil {
		if newer, err = c.mayEnd(newer); err != nil {
			return err
		}
	}
	rev, err := c.number("SELECT rev FROM meta WHERE id = 1")
	if err != nil {
		return err
	}
	t := &tx{conn: c, next: rev + 1}
	for _, r := range batch {
		if newer != nil && !r.ends {
			r.err = newer
			continue
		}
		if err := t.inSavepoint(r); err != nil {
			return err
		}
	}
	if t.used {
		if _, err := c.exec("UPDATE meta SET rev = ? WHERE id = 1", t.next); err != nil {
			return err
		}
	}
	if _, err := c.exec("COMMIT"); err != nil {
		return err
	}
	s.commits.Add(1)
	return nil
}

// mayEnd tells whether a program of this version may still end what it has begun in a store of a newer one. The error ends the
// whole batch.
func (c *conn) mayEnd(newer error) (forOthers, err error) {
	oldest, err := c.number("SELECT oldest FROM meta WHERE id = 1")
	if err != nil || oldest > int64(len(migrations())) {
		return nil, newer
	}
	return newer, nil
}

// inSavepoint runs one request. Its own error is left in r.err; the answer is an error that ends the transaction.
func (t *tx) inSavepoint(r *request) error {
	select {
	case <-r.ctx.Done(): // its caller has gone while the batch waited for the lock
		r.err = r.ctx.Err()
		return nil
	default:
	}
	if _, err := t.exec("SAVEPOINT request"); err != nil {
		return err
	}
	r.err = r.apply(t)
	if r.err != nil {
		if broken(r.err) || t.db.GetAutocommit() {
			return r.err
		}
		if _, err := t.exec("ROLLBACK TO request"); err != nil {
			return err
		}
	}
	_, err := t.exec("RELEASE request")
	return err
}
