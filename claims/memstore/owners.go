package memstore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/wcron/wcron/claims"
)

// lock names an owner's lock, or that of a job's lane.
type lock struct {
	owner string
	job   string
	lane  int
}

// owner is a host that has joined.
type owner struct {
	claims.Owner
	n int64 // its turn among those that joined
}

// takeLock takes a lock for this opening; the function gives it back, and may be called more than once.
func (s *Store) takeLock(ctx context.Context, l lock) (func(), error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	if s.locks[l] != nil {
		return nil, fmt.Errorf("lock of %s%s: %w", l.owner, l.job, claims.ErrBusy)
	}
	s.locks[l] = s
	held := true
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if held && s.locks[l] == s {
			delete(s.locks, l)
		}
		held = false
	}, nil
}

// Join implements claims.Membership.
func (s *Store) Join(ctx context.Context, _ time.Time, o claims.Owner) (func(context.Context, time.Time) error, error) {
	unlock, err := s.takeLock(ctx, lock{owner: o.ID})
	if err != nil {
		return nil, fmt.Errorf("join as %s: %w", o.ID, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o.Left = time.Time{}
	o.Evidence = slices.Clone(o.Evidence)
	joined := &owner{Owner: o, n: s.next()}
	s.owners[o.ID] = joined
	return func(_ context.Context, now time.Time) error {
		s.mu.Lock()
		if joined.Left.IsZero() {
			joined.Left = now
		}
		s.mu.Unlock()
		unlock()
		return nil
	}, nil
}

// Renew implements claims.Membership.
func (s *Store) Renew(ctx context.Context, now time.Time, id string) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if o := s.owners[id]; o != nil {
		o.Seen = now
	}
	return nil
}

// Owners implements claims.Membership.
func (s *Store) Owners(ctx context.Context) ([]claims.Owner, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var here []*owner
	var last *owner
	for _, o := range s.owners {
		switch {
		case o.Left.IsZero():
			here = append(here, o)
		case last == nil || cmp.Or(o.Left.Compare(last.Left), cmp.Compare(o.n, last.n)) > 0:
			last = o
		}
	}
	slices.SortFunc(here, func(a, b *owner) int { return cmp.Compare(a.n, b.n) })
	if last != nil {
		here = append(here, last)
	}
	rows := make([]claims.Owner, len(here))
	for i, o := range here {
		rows[i] = o.Owner
		rows[i].Evidence = slices.Clone(o.Evidence)
	}
	return rows, nil
}

// Probe implements claims.Membership.
func (s *Store) Probe(ctx context.Context, id string) (claims.Probe, error) {
	none := func() {}
	if err := s.enter(ctx); err != nil {
		return claims.Probe{Release: none}, err
	}
	_, known := s.owners[id]
	s.mu.Unlock()
	if !known {
		return claims.Probe{Lock: claims.LockMissing, Reason: "no such owner has joined", Release: none}, nil
	}
	unlock, err := s.takeLock(ctx, lock{owner: id})
	switch {
	case err == nil:
		return claims.Probe{Lock: claims.LockFree, Reason: "the lock was free", Release: unlock}, nil
	case ctx.Err() != nil:
		return claims.Probe{Release: none}, err
	}
	return claims.Probe{Lock: claims.LockHeld, Reason: "the lock is held", Release: none}, nil
}

// LockJob implements claims.Membership.
func (s *Store) LockJob(ctx context.Context, job string, lane int) (func(), error) {
	return s.takeLock(ctx, lock{job: job, lane: lane})
}
