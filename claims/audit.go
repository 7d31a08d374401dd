package claims

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/wcron/wcron/fingerprint"
)

// Audited is the part of a Store that Audit reads. It writes nothing.
type Audited interface {
	History
	Owners(ctx context.Context) ([]Owner, error)
}

// AuditOptions says what Audit may compare the store with. What is left out is not checked.
type AuditOptions struct {
	// Now is the time that deadlines and due times are compared with.
	Now time.Time
	// Grace is the slack for past-deadline, dead-owner and overdue. 0: one minute; negative: none.
	Grace time.Duration
	// Lanes says how many claims of a job its overlap policy allows at once. nil: as many as were allowed when each was claimed.
	// An answer below 1: one.
	Lanes func(j Job) int
	// Starts says when the slot at j.Next may start at the earliest, which is later than j.Next for a job with jitter, and where a
	// host spaces out its late starts. Being overdue counts from there. nil: at j.Next.
	Starts func(j Job) time.Time
	// Occurrences gives the job's schedule, read with j.Timezone, anchored at j.Anchor and bounded by j.NotBefore and j.NotAfter, as a
	// function: strictly later than its argument, the zero time for never. nil: next-off-schedule, slot-missing and slot-extra are left out, except that a
	// job without a schedule has no next due time.
	Occurrences func(j Job) (func(after time.Time) time.Time, error)
	// Walk bounds how many slots of one job are compared with its schedule, the newest ones. 0: 200,000.
	Walk int64
	// Alive judges an owner. It is called at most once for each owner of an open claim; one that the store does not list any
	// more has only its ID set. nil: dead-owner is left out.
	Alive func(o Owner) (fingerprint.Verdict, string)
	// CheckOutput reads each recorded output back and compares its length and digest.
	CheckOutput bool
}

// Finding is one broken invariant. Code is one of those that the package comment lists.
type Finding struct {
	Code   string `json:"code"`
	Job    string `json:"job"`
	Slot   string `json:"slot,omitempty"`   // slot id
	RunID  string `json:"run_id,omitempty"` // of the run, or of the claim
	What   string `json:"what"`             // what is wrong, for a person
	Remedy string `json:"remedy"`           // what a person can do
}

// Repaired says what a repair did about a finding, or why it did nothing.
type Repaired struct {
	Finding Finding
	Did     string // empty: nothing, since what is right cannot be told from the store alone
}

// Repairer is a store that can mend some of what Audit finds. Repair does only what is provably safe: nothing runs again by it, no
// result and no state that a run committed is dropped, and nothing is decided that a living owner may still decide. It looks anew
// at each finding within the transaction that mends it; what is not as found any more is left. It answers in the order given.
type Repairer interface {
	Repair(ctx context.Context, now time.Time, found []Finding) ([]Repaired, error)
}

// auditReadings is how often a job that looks wrong is read again before its findings are believed although it kept changing.
const auditReadings = 5

// Audit checks the invariants in the package comment and returns what breaks them, by job. An empty answer means that every slot
// has exactly one verdict, or a claim, or a pending attempt.
//
// The store may be in use meanwhile. A reading takes several queries, and a claim or a commit in between makes it look wrong. So
// a job that looks wrong is read again, until its row is the same before and after a reading, five times at most; only what was
// wrong in every reading is reported. A store at rest is thus judged exactly, and a busy one without false alarms.
//
// The error is that of a query or of the context; the findings so far are returned with it.
func Audit(ctx context.Context, s Audited, opt AuditOptions) ([]Finding, error) {
	a, first, err := newAuditor(ctx, s, opt)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	var all []Finding
	for _, r := range first {
		found, err := a.job(ctx, r)
		all = append(all, found...)
		if err != nil {
			return all, fmt.Errorf("audit job %q: %w", r.name, err)
		}
	}
	return all, nil
}

// reading is one look at all that concerns a job.
type reading struct {
	name    string
	job     Job // zero: there is no row
	open    []Open
	pending []Pending
	runs    []Run
	slots   []SlotRow
	state   []StateEntry
}

type auditor struct {
	s      Audited
	opt    AuditOptions
	owners map[string]Owner
	judged map[string]judgement
}

type judgement struct {
	verdict fingerprint.Verdict
	why     string
}

// newAuditor reads what is read once, and makes of it the begin of each job's first reading, by name.
func newAuditor(ctx context.Context, s Audited, opt AuditOptions) (*auditor, []reading, error) {
	switch {
	case opt.Grace == 0:
		opt.Grace = time.Minute
	case opt.Grace < 0:
		opt.Grace = 0
	}
	if opt.Walk <= 0 {
		opt.Walk = 200_000
	}
	a := &auditor{s: s, opt: opt, owners: map[string]Owner{}, judged: map[string]judgement{}}
	owners, err := s.Owners(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, o := range owners {
		a.owners[o.ID] = o
	}
	jobs, err := s.Jobs(ctx)
	if err != nil {
		return nil, nil, err
	}
	by := map[string]*reading{}
	of := func(name string) *reading {
		if by[name] == nil {
			by[name] = &reading{name: name}
		}
		return by[name]
	}
	for _, j := range jobs {
		of(j.Name).job = j
	}
	open, err := s.Open(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, o := range open {
		r := of(o.Job)
		r.open = append(r.open, o)
	}
	pending, err := s.Pending(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range pending {
		r := of(p.Slot.Job)
		r.pending = append(r.pending, p)
	}
	first := make([]reading, 0, len(by))
	for _, r := range by {
		first = append(first, *r)
	}
	slices.SortFunc(first, func(x, y reading) int { return cmp.Compare(x.name, y.name) })
	return a, first, nil
}

// job checks one job, and reads it again while it looks wrong.
func (a *auditor) job(ctx context.Context, r reading) ([]Finding, error) {
	if err := a.history(ctx, &r); err != nil {
		return nil, err
	}
	found, err := a.check(ctx, r)
	if err != nil {
		return nil, err
	}
	for n := 0; n < auditReadings && len(found) > 0; n++ {
		r, still, err := a.again(ctx, r.name)
		if err != nil {
			return nil, err
		}
		now, err := a.check(ctx, r)
		if err != nil {
			return nil, err
		}
		found = inBoth(found, now)
		if still {
			break
		}
	}
	return found, nil
}

func (a *auditor) history(ctx context.Context, r *reading) (err error) {
	if r.slots, err = a.s.Slots(ctx, SlotQuery{Job: r.name, Limit: -1}); err != nil {
		return err
	}
	if r.runs, err = a.s.Runs(ctx, RunQuery{Job: r.name, Limit: -1}); err != nil {
		return err
	}
	r.state, _, err = a.s.State(ctx, r.name)
	return err
}

// again reads a job anew; still tells that its row did not change meanwhile.
func (a *auditor) again(ctx context.Context, name string) (r reading, still bool, err error) {
	r.name = name
	if r.job, err = a.row(ctx, name); err != nil {
		return r, false, err
	}
	open, err := a.s.Open(ctx)
	if err != nil {
		return r, false, err
	}
	r.open = slices.DeleteFunc(open, func(o Open) bool { return o.Job != name })
	pending, err := a.s.Pending(ctx)
	if err != nil {
		return r, false, err
	}
	r.pending = slices.DeleteFunc(pending, func(p Pending) bool { return p.Slot.Job != name })
	if err = a.history(ctx, &r); err != nil {
		return r, false, err
	}
	after, err := a.row(ctx, name)
	return r, after.Rev == r.job.Rev && after.Seq == r.job.Seq, err
}

func (a *auditor) row(ctx context.Context, name string) (Job, error) {
	j, err := a.s.Job(ctx, name)
	if errors.Is(err, ErrNoJob) {
		return Job{}, nil
	}
	return j, err
}

func (a *auditor) check(ctx context.Context, r reading) ([]Finding, error) {
	f := append(a.claims(r), a.slots(r)...)
	f = append(f, a.runs(r)...)
	f = append(f, a.overdue(r)...)
	f = append(f, counts(r)...)
	f = append(f, state(r)...)
	due, err := a.schedule(ctx, r)
	if err != nil {
		return nil, err
	}
	f = append(f, due...)
	lost, err := a.outputs(ctx, r)
	if err != nil {
		return nil, err
	}
	return append(f, lost...), nil
}

// inBoth keeps those of the later findings that were found before as well.
func inBoth(before, now []Finding) []Finding {
	type subject struct{ code, job, slot, run string }
	of := func(f Finding) subject { return subject{f.Code, f.Job, f.Slot, f.RunID} }
	was := map[subject]bool{}
	for _, f := range before {
		was[of(f)] = true
	}
	return slices.DeleteFunc(now, func(f Finding) bool { return !was[of(f)] })
}
