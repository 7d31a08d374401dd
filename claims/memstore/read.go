package memstore

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/wcron/wcron/claims"
)

// Jobs implements claims.History.
func (s *Store) Jobs(ctx context.Context) ([]claims.Job, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	return s.rows(func(*job) bool { return true }), nil
}

// rows are the rows of some jobs, by name.
func (l *ledger) rows(want func(*job) bool) []claims.Job {
	var rows []claims.Job
	for _, j := range l.jobs {
		if want(j) {
			rows = append(rows, j.Job)
		}
	}
	slices.SortFunc(rows, func(a, b claims.Job) int { return strings.Compare(a.Name, b.Name) })
	return rows
}

// Job implements claims.History.
func (s *Store) Job(ctx context.Context, name string) (claims.Job, error) {
	if err := s.enter(ctx); err != nil {
		return claims.Job{}, err
	}
	defer s.mu.Unlock()
	if j := s.jobs[name]; j != nil {
		return j.Job, nil
	}
	return claims.Job{}, fmt.Errorf("job %q: %w", name, claims.ErrNoJob)
}

// Open implements claims.History.
func (s *Store) Open(ctx context.Context) ([]claims.Open, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	open := make([]claims.Open, len(s.open))
	for i, o := range s.open {
		open[i] = o.Open
	}
	slices.SortStableFunc(open, func(a, b claims.Open) int { return a.ClaimedAt.Compare(b.ClaimedAt) })
	return open, nil
}

// Pending implements claims.History.
func (s *Store) Pending(ctx context.Context) ([]claims.Pending, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	return s.work(-1), nil
}

// work is the pending work since a revision, by due time and then in the order in which it came.
func (l *ledger) work(since int64) []claims.Pending {
	var rows []claims.Pending
	for _, p := range l.pending {
		if p.Rev > since {
			row := *p
			row.Input = slices.Clone(p.Input)
			rows = append(rows, row)
		}
	}
	slices.SortFunc(rows, func(a, b claims.Pending) int {
		return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.Rev, b.Rev), strings.Compare(a.Slot.ID, b.Slot.ID))
	})
	return rows
}

// Changes implements claims.Ledger.
func (s *Store) Changes(ctx context.Context, owner string, since int64) (claims.Changes, error) {
	if err := s.enter(ctx); err != nil {
		return claims.Changes{}, err
	}
	defer s.mu.Unlock()
	c := claims.Changes{Rev: s.rev, Schema: 1}
	if s.rev > since {
		c.Jobs, c.Pending = s.rows(func(j *job) bool { return j.Rev > since }), s.work(since)
	}
	for _, o := range s.open {
		switch {
		case o.Owner != owner:
			c.Foreign = append(c.Foreign, o.Open)
		case !o.Cancel.IsZero():
			c.Cancels = append(c.Cancels, o.Open)
		}
	}
	return c, nil
}

// Runs implements claims.History.
func (s *Store) Runs(ctx context.Context, q claims.RunQuery) ([]claims.Run, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var found []*run
	if r := s.runs[q.RunID]; r != nil {
		if selects(q, r) {
			found = append(found, r)
		}
	} else {
		for _, j := range s.jobs {
			if q.Job == "" || q.Job == j.Name {
				for _, r := range j.runs {
					if selects(q, r) {
						found = append(found, r)
					}
				}
			}
		}
	}
	slices.SortFunc(found, func(a, b *run) int { return cmp.Or(b.ClaimedAt.Compare(a.ClaimedAt), cmp.Compare(b.n, a.n)) })
	found = limit(found, q.Limit)
	rows := make([]claims.Run, len(found))
	for i, r := range found {
		rows[i] = r.Run
		if r.ExitCode != nil {
			code := *r.ExitCode
			rows[i].ExitCode = &code
		}
	}
	return rows, nil
}

func selects(q claims.RunQuery, r *run) bool {
	return (q.Job == "" || r.Job == q.Job) && (q.Slot == "" || r.Slot.ID == q.Slot) && (q.Before.IsZero() || r.ClaimedAt.Before(q.Before)) &&
		(q.RunID == "" || r.RunID == q.RunID || len(q.RunID) >= 4 && strings.HasPrefix(r.RunID, q.RunID))
}

// Slots implements claims.History.
func (s *Store) Slots(ctx context.Context, q claims.SlotQuery) ([]claims.SlotRow, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var found []*slot
	for _, j := range s.jobs {
		if q.Job != "" && q.Job != j.Name {
			continue
		}
		for _, r := range j.slots.rows {
			if (q.Before.IsZero() || r.Slot.At.Before(q.Before)) && !r.Slot.At.Before(q.Since) {
				found = append(found, r)
			}
		}
	}
	slices.SortFunc(found, func(a, b *slot) int { return cmp.Or(b.Slot.At.Compare(a.Slot.At), cmp.Compare(b.n, a.n)) })
	found = limit(found, q.Limit)
	rows := make([]claims.SlotRow, len(found))
	for i, r := range found {
		rows[i] = r.SlotRow
		rows[i].RunIDs = slices.Clone(r.RunIDs)
	}
	return rows, nil
}

func limit[T any](rows []T, n int) []T {
	if n == 0 {
		n = 100
	}
	if n > 0 && len(rows) > n {
		return rows[:n]
	}
	return rows
}

// State implements claims.History.
func (s *Store) State(ctx context.Context, name string) ([]claims.StateEntry, int64, error) {
	if err := s.enter(ctx); err != nil {
		return nil, 0, err
	}
	defer s.mu.Unlock()
	j := s.jobs[name]
	if j == nil {
		return nil, 0, nil
	}
	all := make([]claims.StateEntry, 0, len(j.state))
	for _, key := range slices.Sorted(maps.Keys(j.state)) {
		e := j.state[key]
		e.Value = slices.Clone(e.Value)
		all = append(all, e)
	}
	return all, j.stateRev, nil
}

// Output implements claims.History.
func (s *Store) Output(ctx context.Context, runID string) (io.ReadCloser, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	r := s.runs[runID]
	if r == nil {
		return nil, fmt.Errorf("output of run %s: %w", runID, claims.ErrNoRun)
	}
	return io.NopCloser(bytes.NewReader(r.text)), nil
}
