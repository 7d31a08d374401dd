package claimstest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wcron/wcron/claims"
)

// Model is a claims.Store in memory: the rules in their plainest form, for comparing engines with and for tests of what stands on
// a store. Nothing of it is durable, and an Output.File is read and left where it is. It is safe for concurrent use.
type Model struct {
	*book
	closed bool // guarded by book.mu
}

// book is what all openings of a model share.
type book struct {
	mu      sync.Mutex
	rev     int64
	jobs    map[string]*row
	open    []*flight
	pending []claims.Pending
	runs    []*claims.Run // in the order of their claims
	slots   []claims.SlotRow
	outputs map[string][]byte
	state   map[string]map[string]claims.StateEntry // by job and key
	owners  []claims.Owner
	grants  []decision
	locks   map[string]*Model // owner and lane locks, and who holds them
}

type row struct {
	claims.Job
	life     int              // grows when the job is removed: a claim of an earlier life is discarded
	stateRev int64            // commits that changed its state
	touched  map[string]int64 // by key of its state, deleted ones included: the commit that changed it last
}

type flight struct {
	claims.Open
	life     int
	input    []byte // of the manual request, for the next attempt
	by       string
	stateRev int64 // as of the claim
}

// NewModel makes an empty store.
func NewModel() *Model {
	return &Model{book: &book{jobs: map[string]*row{}, outputs: map[string][]byte{}, state: map[string]map[string]claims.StateEntry{}, locks: map[string]*Model{}}}
}

// Again is the same store as another process would see it: with locks of its own.
func (m *Model) Again() *Model { return &Model{book: m.book} }

// Close frees the locks of this opening, as the death of a process does.
func (m *Model) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	for name, by := range m.locks {
		if by == m {
			delete(m.locks, name)
		}
	}
	return nil
}

// enter begins a call; leave ends it.
func (m *Model) enter(ctx context.Context) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return nil, claims.ErrClosed
	}
	return m.mu.Unlock, nil
}

func (m *Model) changed(j *row) {
	m.rev++
	j.Rev = m.rev
}

// Put implements claims.Ledger.
func (m *Model) Put(ctx context.Context, now time.Time, source string, jobs []claims.Put) ([]claims.Job, error) {
	leave, err := m.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	var rows []claims.Job
	for _, p := range jobs {
		rows = append(rows, m.put(now, source, p))
	}
	return rows, nil
}

func (m *Model) put(now time.Time, source string, p claims.Put) claims.Job {
	j := m.jobs[p.Name]
	if j == nil {
		j = &row{Job: claims.Job{Name: p.Name, Removed: now, Lanes: 1}, touched: map[string]int64{}}
		m.jobs[p.Name] = j
	}
	was := j.Job
	if !j.Removed.IsZero() {
		j.Job = claims.Job{Name: p.Name, Seq: j.Seq, Born: j.Seq, Definition: p.Definition, Schedule: p.Schedule, Timezone: p.Timezone,
			NotBefore: p.NotBefore, NotAfter: p.NotAfter, Anchor: now, Settled: m.settled(p.Name, now), Next: p.First, Rev: j.Rev, Lanes: j.Lanes}
	}
	j.Source = source
	done := p.Repeat > 0 && j.Repeats >= p.Repeat
	if j.Done && !done {
		j.Anchor, j.Settled, j.Next = now, m.settled(p.Name, now), p.First
	}
	if j.Schedule != p.Schedule || j.Timezone != p.Timezone || !j.NotBefore.Equal(p.NotBefore) || !j.NotAfter.Equal(p.NotAfter) {
		if !was.Next.IsZero() && !was.Next.After(now) {
			passed := p.Passed
			if len(passed) == 0 || !passed[0].First.Equal(was.Next) {
				passed = []claims.Passed{{Verdict: claims.Missed, Reason: "the schedule changed", First: was.Next, Last: was.Next, Count: 1}}
			}
			for _, r := range passed {
				m.pass(j.Name, r)
			}
		}
		j.Schedule, j.Timezone, j.Anchor, j.Next = p.Schedule, p.Timezone, now, p.First
		j.NotBefore, j.NotAfter, j.Settled = p.NotBefore, p.NotAfter, m.settled(p.Name, now)
	}
	if done {
		j.Next = time.Time{}
		if !j.Done {
			m.dropQueue(p.Name)
		}
	}
	j.Done = done
	if j.Definition != p.Definition {
		j.Definition, j.Disabled = p.Definition, ""
	}
	if j.Job != was {
		m.changed(j)
	}
	return j.Job
}

// settled is the latest slot of a job's schedule on record that is later than now; zero: there is none.
func (m *Model) settled(job string, now time.Time) (latest time.Time) {
	for _, r := range m.slots {
		if r.Slot.Job == job && r.Slot.Kind == claims.Scheduled && r.Until.After(now) && r.Until.After(latest) {
			latest = r.Until
		}
	}
	return latest
}

// Remove implements claims.Ledger.
func (m *Model) Remove(ctx context.Context, now time.Time, source string, names []string) error {
	leave, err := m.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	for _, name := range names {
		j := m.jobs[name]
		if j == nil || j.Source != source || !j.Removed.IsZero() {
			continue
		}
		j.Removed, j.life, j.Seq = now, j.life+1, j.Seq+1
		delete(m.state, name)
		m.changed(j)
		m.pending = slices.DeleteFunc(m.pending, func(p claims.Pending) bool {
			if p.Slot.Job != name {
				return false
			}
			m.slot(p.Slot, claims.Skipped, "the job was removed", "")
			return true
		})
	}
	return nil
}

// Request implements claims.Ledger.
func (m *Model) Request(ctx context.Context, now time.Time, r claims.Request) error {
	leave, err := m.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if r.Kind == claims.Cancel {
		return m.cancel(now, r)
	}
	j := m.jobs[r.Job]
	if j == nil || !j.Removed.IsZero() {
		return fmt.Errorf("%s job %q: %w", r.Kind, r.Job, claims.ErrNoJob)
	}
	switch r.Kind {
	case claims.Pause:
		if !j.Paused {
			j.Paused, j.PausedAt, j.Reason = true, now, r.Reason
			m.changed(j)
		}
	case claims.Resume:
		if j.Paused {
			j.Paused, j.ResumedAt, j.Reason, j.Failures = false, now, "", 0
			m.changed(j)
		}
	case claims.Trigger:
		m.ask(claims.ManualSlot(r.Job, now, r.ID), now, r.Input, r.By)
	case claims.Start:
		s := claims.StartSlot(r.Job, now, r.ID)
		if why := claims.StartRefusal(j.Job, r); why == "" {
			m.ask(s, now, r.Input, r.By)
		} else if m.find(s.ID) < 0 {
			m.slot(s, claims.Skipped, why, "")
		}
	case claims.Fill:
		for _, at := range r.Times {
			m.ask(claims.BackfillSlot(r.Job, at, r.ID), now, nil, r.By)
		}
	case claims.Unfill:
		m.pending = slices.DeleteFunc(m.pending, func(p claims.Pending) bool {
			if p.Slot.Job != r.Job || p.Slot.Kind != claims.Backfill {
				return false
			}
			m.slot(p.Slot, claims.Skipped, r.Reason, "")
			m.rev++
			return true
		})
	case claims.Skip:
		j.SkipAt, j.SkipReason = r.At, r.Reason
		m.changed(j)
	case claims.Unskip:
		if !j.SkipAt.IsZero() {
			j.SkipAt, j.SkipReason = time.Time{}, ""
			m.changed(j)
		}
	default:
		return fmt.Errorf("request %q of job %q: unknown", r.Kind, r.Job)
	}
	return nil
}

// ask records a slot that somebody asked for, once.
func (m *Model) ask(s claims.Slot, now time.Time, input []byte, by string) {
	if m.find(s.ID) < 0 {
		m.slot(s, "", "", "")
		m.rev++
		m.pending = append(m.pending, claims.Pending{Slot: s, Attempt: 1, Due: now, Input: input, By: by, Rev: m.rev})
	}
}

func (m *Model) cancel(now time.Time, r claims.Request) error {
	for _, o := range m.open {
		if o.RunID == r.RunID {
			if o.Cancel.IsZero() {
				o.Cancel, o.CancelBy, o.CancelFor = now, r.By, claims.Cancelled
				m.rev++
			}
			return nil
		}
	}
	if m.findRun(r.RunID) == nil {
		return fmt.Errorf("cancel run %s: %w", r.RunID, claims.ErrNoRun)
	}
	return fmt.Errorf("cancel run %s: %w", r.RunID, claims.ErrNotOpen)
}

// find is the index of a slot's own row; -1: there is none.
func (m *Model) find(id string) int {
	return slices.IndexFunc(m.slots, func(s claims.SlotRow) bool { return s.Slot.ID == id && s.Count == 1 })
}

func (m *Model) findRun(id string) *claims.Run {
	i := slices.IndexFunc(m.runs, func(r *claims.Run) bool { return r.RunID == id })
	if i < 0 {
		return nil
	}
	return m.runs[i]
}

// slot writes a slot's row.
func (m *Model) slot(s claims.Slot, v claims.Verdict, reason, run string) {
	i := m.find(s.ID)
	if i < 0 {
		i = len(m.slots)
		m.slots = append(m.slots, claims.SlotRow{Slot: s, Count: 1, Until: s.At})
	}
	m.slots[i].Verdict, m.slots[i].Reason = v, reason
	if run != "" {
		m.slots[i].RunIDs = append(m.slots[i].RunIDs, run)
	}
}

// pass records slots that had no run, by the first one's name, or by the last one's where the first is on record.
func (m *Model) pass(job string, p claims.Passed) {
	s := claims.ScheduledSlot(job, p.First)
	if last := claims.ScheduledSlot(job, p.Last); m.recorded(s) {
		if m.recorded(last) {
			return
		}
		s.ID = last.ID
	}
	m.slots = append(m.slots, claims.SlotRow{Slot: s, Verdict: p.Verdict, Reason: p.Reason,
		Count: p.Count, Until: p.Last})
}

// Changes implements claims.Ledger.
func (m *Model) Changes(ctx context.Context, owner string, since int64) (claims.Changes, error) {
	leave, err := m.enter(ctx)
	if err != nil {
		return claims.Changes{}, err
	}
	defer leave()
	c := claims.Changes{Rev: m.rev, Schema: 1}
	for _, j := range m.jobs {
		if j.Rev > since {
			c.Jobs = append(c.Jobs, j.Job)
		}
	}
	slices.SortFunc(c.Jobs, func(x, y claims.Job) int { return strings.Compare(x.Name, y.Name) })
	for _, p := range m.pending {
		if p.Rev > since {
			c.Pending = append(c.Pending, p)
		}
	}
	for _, o := range m.open {
		switch {
		case o.Owner != owner:
			c.Foreign = append(c.Foreign, o.Open)
		case !o.Cancel.IsZero():
			c.Cancels = append(c.Cancels, o.Open)
		}
	}
	return c, nil
}
