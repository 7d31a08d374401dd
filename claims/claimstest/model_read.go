package claimstest

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wcron/wcron/claims"
)

// Prune implements claims.Ledger.
func (m *Model) Prune(ctx context.Context, _ time.Time, limits []claims.Retain) (claims.Pruned, error) {
	leave, err := m.enter(ctx)
	if err != nil {
		return claims.Pruned{}, err
	}
	defer leave()
	var p claims.Pruned
	for _, l := range limits {
		var kept, size int64
		gone := map[string]bool{}
		for _, r := range slices.Backward(m.runs) {
			if r.Job != l.Job || r.Outcome == claims.Running {
				continue
			}
			kept, size = kept+1, size+r.Output.Bytes
			if l.Runs > 0 && kept > l.Runs || l.Bytes > 0 && size > l.Bytes {
				gone[r.RunID] = true
				p.Runs, p.Bytes = p.Runs+1, p.Bytes+r.Output.Bytes
				delete(m.outputs, r.RunID)
			}
		}
		m.runs = slices.DeleteFunc(m.runs, func(r *claims.Run) bool { return gone[r.RunID] })
		for i := range m.slots {
			m.slots[i].RunIDs = slices.DeleteFunc(m.slots[i].RunIDs, func(id string) bool { return gone[id] })
		}
		if len(gone) > 0 {
			m.fold(l.Job)
		}
	}
	return p, nil
}

// fold joins neighbours of the schedule that came to the same verdict and have no runs any more.
func (m *Model) fold(job string) {
	slices.SortStableFunc(m.slots, func(x, y claims.SlotRow) int {
		return cmp.Or(strings.Compare(x.Slot.Job, y.Slot.Job), strings.Compare(string(x.Slot.Kind), string(y.Slot.Kind)), x.Slot.At.Compare(y.Slot.At))
	})
	rows := m.slots[:0]
	for _, r := range m.slots {
		if n := len(rows); n > 0 && r.Slot.Job == job && r.Slot.Kind == claims.Scheduled && r.Verdict != "" && len(r.RunIDs) == 0 {
			last := &rows[n-1]
			if last.Slot.Job == job && last.Slot.Kind == r.Slot.Kind && last.Verdict == r.Verdict && last.Reason == r.Reason && len(last.RunIDs) == 0 {
				last.Count, last.Until = last.Count+r.Count, r.Until
				continue
			}
		}
		rows = append(rows, r)
	}
	m.slots = rows
}

// Jobs implements claims.History.
func (m *Model) Jobs(ctx context.Context) ([]claims.Job, error) {
	leave, err := m.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	var jobs []claims.Job
	for _, j := range m.jobs {
		jobs = append(jobs, j.Job)
	}
	slices.SortFunc(jobs, func(x, y claims.Job) int { return strings.Compare(x.Name, y.Name) })
	return jobs, nil
}

// Job implements claims.History.
func (m *Model) Job(ctx context.Context, name string) (claims.Job, error) {
	leave, err := m.enter(ctx)
	if err != nil {
		return claims.Job{}, err
	}
	defer leave()
	if j := m.jobs[name]; j != nil {
		return j.Job, nil
	}
	return claims.Job{}, fmt.Errorf("job %q: %w", name, claims.ErrNoJob)
}

// Open implements claims.History.
func (m *Model) Open(ctx context.Context) ([]claims.Open, error) {
	leave, err := m.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	var open []claims.Open
	for _, o := range m.open {
		open = append(open, o.Open)
	}
	slices.SortStableFunc(open, func(x, y claims.Open) int { return x.ClaimedAt.Compare(y.ClaimedAt) })
	return open, nil
}

// Pending implements claims.History.
func (m *Model) Pending(ctx context.Context) ([]claims.Pending, error) {
	leave, err := m.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	rows := slices.Clone(m.pending)
	slices.SortStableFunc(rows, func(x, y claims.Pending) int { return x.Due.Compare(y.Due) })
	return rows, nil
}

// Runs implements claims.History.
func (m *Model) Runs(ctx context.Context, q claims.RunQuery) ([]claims.Run, error) {
	leave, err := m.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	var rows []claims.Run
	for _, r := range slices.Backward(m.runs) {
		if (q.Job == "" || r.Job == q.Job) && (q.RunID == "" || r.RunID == q.RunID || len(q.RunID) >= 4 && strings.HasPrefix(r.RunID, q.RunID)) &&
			(q.Slot == "" || r.Slot.ID == q.Slot) && (q.Before.IsZero() || r.ClaimedAt.Before(q.Before)) {
			rows = append(rows, *r)
		}
	}
	slices.SortStableFunc(rows, func(x, y claims.Run) int { return y.ClaimedAt.Compare(x.ClaimedAt) })
	return limit(rows, q.Limit), nil
}

// Slots implements claims.History.
func (m *Model) Slots(ctx context.Context, q claims.SlotQuery) ([]claims.SlotRow, error) {
	leave, err := m.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	var rows []claims.SlotRow
	for _, s := range m.slots {
		if (q.Job == "" || s.Slot.Job == q.Job) && (q.Before.IsZero() || s.Slot.At.Before(q.Before)) && !s.Slot.At.Before(q.Since) {
			s.RunIDs = slices.Clone(s.RunIDs)
			rows = append(rows, s)
		}
	}
	slices.SortStableFunc(rows, func(x, y claims.SlotRow) int { return y.Slot.At.Compare(x.Slot.At) })
	return limit(rows, q.Limit), nil
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
func (m *Model) State(ctx context.Context, job string) ([]claims.StateEntry, int64, error) {
	leave, err := m.enter(ctx)
	if err != nil {
		return nil, 0, err
	}
	defer leave()
	var rev int64
	if j := m.jobs[job]; j != nil {
		rev = j.stateRev
	}
	var all []claims.StateEntry
	for _, e := range m.state[job] {
		e.Value = slices.Clone(e.Value)
		all = append(all, e)
	}
	slices.SortFunc(all, func(x, y claims.StateEntry) int { return strings.Compare(x.Key, y.Key) })
	return all, rev, nil
}

// Output implements claims.History.
func (m *Model) Output(ctx context.Context, runID string) (io.ReadCloser, error) {
	leave, err := m.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	if m.findRun(runID) == nil {
		return nil, fmt.Errorf("output of run %s: %w", runID, claims.ErrNoRun)
	}
	return io.NopCloser(bytes.NewReader(m.outputs[runID])), nil
}

// Join implements claims.Membership.
func (m *Model) Join(ctx context.Context, _ time.Time, o claims.Owner) (func(context.Context, time.Time) error, error) {
	unlock, err := m.lock(ctx, "owner "+o.ID)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.owners = append(m.owners, o)
	return func(ctx context.Context, now time.Time) error {
		m.mu.Lock()
		for i := range m.owners {
			if m.owners[i].ID == o.ID && m.owners[i].Left.IsZero() {
				m.owners[i].Left = now
			}
		}
		m.mu.Unlock()
		unlock()
		return nil
	}, nil
}

// lock takes a lock of this opening.
func (m *Model) lock(ctx context.Context, name string) (func(), error) {
	leave, err := m.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	if m.locks[name] != nil {
		return nil, fmt.Errorf("lock %s: %w", name, claims.ErrBusy)
	}
	m.locks[name] = m
	return sync.OnceFunc(func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.locks, name)
	}), nil
}

// Renew implements claims.Membership.
func (m *Model) Renew(ctx context.Context, now time.Time, owner string) error {
	leave, err := m.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	for i := range m.owners {
		if m.owners[i].ID == owner {
			m.owners[i].Seen = now
		}
	}
	return nil
}

// Owners implements claims.Membership.
func (m *Model) Owners(ctx context.Context) ([]claims.Owner, error) {
	leave, err := m.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	var here []claims.Owner
	var last claims.Owner
	for _, o := range m.owners {
		if o.Left.IsZero() {
			here = append(here, o)
		} else if !o.Left.Before(last.Left) {
			last = o
		}
	}
	if last.ID != "" {
		here = append(here, last)
	}
	return here, nil
}

// Probe implements claims.Membership.
func (m *Model) Probe(ctx context.Context, owner string) (claims.Probe, error) {
	none := func() {}
	known := func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return slices.ContainsFunc(m.owners, func(o claims.Owner) bool { return o.ID == owner })
	}
	if !known() {
		return claims.Probe{Lock: claims.LockMissing, Reason: "no such owner has joined", Release: none}, ctx.Err()
	}
	unlock, err := m.lock(ctx, "owner "+owner)
	if err == nil {
		return claims.Probe{Lock: claims.LockFree, Reason: "the lock was free", Release: unlock}, nil
	}
	if ctx.Err() != nil {
		return claims.Probe{Release: none}, err
	}
	return claims.Probe{Lock: claims.LockHeld, Reason: "the lock is held", Release: none}, nil
}

// LockJob implements claims.Membership.
func (m *Model) LockJob(ctx context.Context, job string, lane int) (func(), error) {
	return m.lock(ctx, fmt.Sprintf("job %s lane %d", job, lane))
}
