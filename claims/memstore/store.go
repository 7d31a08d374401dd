package memstore

import (
	"context"
	"sync"
	"time"

	"github.com/wcron/wcron/claims"
)

// Config says how much a store keeps. Its zero value keeps everything.
type Config struct {
	// Keep is how many ended runs, and how many slots that have come to their verdict, are kept of each job at least; a store holds
	// twice as many at most. What is older is forgotten without a trace, unlike with Prune, which leaves a count: claims.Audit of such
	// a store finds slots missing. A slot of the schedule that is not later than one forgotten counts as recorded. 0: everything is kept.
	Keep int
}

// Store is one opening of a ledger in memory. It is safe for concurrent use.
type Store struct {
	*ledger
	closed bool // guarded by ledger.mu
}

var _ claims.Store = (*Store)(nil)

// ledger is what all openings share.
type ledger struct {
	mu      sync.Mutex // guards all that follows
	cfg     Config
	rev     int64
	count   int64 // of runs and slot rows: their order
	jobs    map[string]*job
	open    []*flight                  // in the order of their claims
	pending map[string]*claims.Pending // by slot
	runs    map[string]*run            // by run id
	owners  map[string]*owner
	locks   map[lock]*Store // and who holds them
}

// job is a job with all that the ledger knows of it.
type job struct {
	claims.Job
	life  int       // grows when the job is removed: a claim of an earlier life is discarded
	open  []*flight // in the order of their claims
	runs  []*run    // in the order of their claims
	state map[string]claims.StateEntry

	stateRev int64            // commits that changed its state
	touched  map[string]int64 // by key of its state, deleted ones included: the commit that changed it last

	slots slots
}

// run is an attempt and what it wrote.
type run struct {
	claims.Run
	n    int64
	text []byte
}

// flight is a claim that is open.
type flight struct {
	claims.Open
	job  *job
	run  *run
	life int

	stateRev int64 // as of the claim

	input []byte // of the manual request, for the next attempt
	by    string
}

// New makes an empty store.
func New(cfg Config) *Store {
	return &Store{ledger: &ledger{
		cfg: cfg, jobs: map[string]*job{}, pending: map[string]*claims.Pending{}, runs: map[string]*run{}, owners: map[string]*owner{},
		locks: map[lock]*Store{},
	}}
}

// Again opens the same ledger once more, as another process would: with locks of its own.
func (s *Store) Again() *Store { return &Store{ledger: s.ledger} }

// Close frees the locks of this opening, as the death of a process does. What the ledger holds stays for its other openings.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for l, by := range s.locks {
		if by == s {
			delete(s.locks, l)
		}
	}
	return nil
}

// enter begins a call, which ends with unlocking mu unless there is an error.
func (s *Store) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return claims.ErrClosed
	}
	return nil
}

func (l *ledger) changed(j *job) {
	l.rev++
	j.Rev = l.rev
}

func (l *ledger) next() int64 {
	l.count++
	return l.count
}

// exists is the job of that name unless it was removed.
func (l *ledger) exists(name string) *job {
	if j := l.jobs[name]; j != nil && j.Removed.IsZero() {
		return j
	}
	return nil
}

// Put implements claims.Ledger.
func (s *Store) Put(ctx context.Context, now time.Time, source string, jobs []claims.Put) ([]claims.Job, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	rows := make([]claims.Job, len(jobs))
	for i, p := range jobs {
		rows[i] = s.put(now, source, p)
	}
	return rows, nil
}

func (l *ledger) put(now time.Time, source string, p claims.Put) claims.Job {
	j := l.jobs[p.Name]
	if j == nil {
		j = &job{Job: claims.Job{Name: p.Name, Removed: now, Lanes: 1}, slots: newSlots()}
		l.jobs[p.Name] = j
	}
	was := j.Job
	if !j.Removed.IsZero() {
		j.Job = claims.Job{
			Name: p.Name, Seq: j.Seq, Born: j.Seq, Definition: p.Definition, Schedule: p.Schedule, Timezone: p.Timezone, NotBefore: p.NotBefore,
			NotAfter: p.NotAfter, Anchor: now, Settled: j.slots.settled(now), Next: p.First, Rev: j.Rev, Lanes: j.Lanes,
		}
	}
	j.Source = source
	due, done := j.Next, p.Repeat > 0 && j.Repeats >= p.Repeat
	if j.Done && !done {
		j.Anchor, j.Settled, j.Next = now, j.slots.settled(now), p.First
	}
	if j.Schedule != p.Schedule || j.Timezone != p.Timezone || !j.NotBefore.Equal(p.NotBefore) || !j.NotAfter.Equal(p.NotAfter) {
		j.Settled = j.slots.settled(now)
		if !due.IsZero() && !due.After(now) {
			l.giveUp(j, due, p.Passed)
		}
		j.Schedule, j.Timezone, j.Anchor, j.Next = p.Schedule, p.Timezone, now, p.First
		j.NotBefore, j.NotAfter = p.NotBefore, p.NotAfter
	}
	if done {
		if !j.Done {
			l.dropQueue(j)
		}
		j.Next = time.Time{}
	}
	j.Done = done
	if j.Definition != p.Definition {
		j.Definition, j.Disabled = p.Definition, ""
	}
	if j.Job != was {
		l.changed(j)
	}
	return j.Job
}

// giveUp records the slots of a schedule that is given up.
func (l *ledger) giveUp(j *job, due time.Time, passed []claims.Passed) {
	if len(passed) == 0 || !passed[0].First.Equal(due) {
		passed = []claims.Passed{{Verdict: claims.Missed, Reason: "the schedule changed before it ran", First: due, Last: due, Count: 1}}
	}
	for _, p := range passed {
		l.pass(j, p)
	}
}

// Remove implements claims.Ledger.
func (s *Store) Remove(ctx context.Context, now time.Time, source string, names []string) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	for _, name := range names {
		j := s.exists(name)
		if j == nil || j.Source != source {
			continue
		}
		j.Removed, j.life, j.Seq, j.state = now, j.life+1, j.Seq+1, nil
		s.changed(j)
		for id, p := range s.pending {
			if p.Slot.Job == name {
				delete(s.pending, id)
				s.settle(j, p.Slot, claims.Skipped, "the job was removed")
			}
		}
	}
	return nil
}
