package claims

import (
	"fmt"
	"time"
)

// MissedPolicy says what becomes of slots that passed without a run.
type MissedPolicy string

// The policies.
const (
	MissedOnce MissedPolicy = "once" // one run stands for all of them; the default
	MissedSkip MissedPolicy = "skip" // a slot that is later than its grace is recorded as missed
)

// Due is what Plan is asked about.
type Due struct {
	Job    Job
	Next   func(after time.Time) time.Time // the job's schedule: strictly later, zero for never
	Now    time.Time
	Policy MissedPolicy
	Since  time.Time // since when this host has been running: what passed before, no host ran
	Refuse string    // not empty: no run is to start, and each due slot is skipped with this reason
	Limit  int       // slots looked at in one go; 0 means 10,000
}

// Planned is what is to be done about the due slots of a job. Every due slot is either At or in Passed.
type Planned struct {
	At        time.Time // the slot to run; zero: none
	StandsFor int64     // missed slots that the run stands for
	Passed    []Passed  // oldest first
	Next      time.Time // the job's next due time afterwards; still due when Limit was reached
}

// Plan decides about the slots of a job that are due: which one runs, and what the others come to. It is pure. Slots in the
// job's pause are skipped, and all of them while it is paused. Of the rest the latest one runs and stands for those before it, which are missed. Looking at more
// than Limit slots is left to the next call, which Planned.Next then asks for.
func Plan(d Due) Planned {
	limit := d.Limit
	if limit <= 0 {
		limit = 10_000
	}
	var p planner
	t := d.Job.Next
	for n := 0; !t.IsZero() && !t.After(d.Now); n++ {
		if n == limit {
			p.passAll(d.Since)
			return Planned{Passed: p.passed, Next: t}
		}
		switch {
		case d.paused(t):
			p.passAll(d.Since)
			p.pass(Skipped, pausedReason(d.Job), t)
		case d.Refuse != "":
			p.passAll(d.Since)
			p.pass(Skipped, d.Refuse, t)
		default:
			p.wait(t, d.Since)
		}
		t = d.Next(t)
	}
	return p.done(d, t)
}

func (d Due) paused(t time.Time) bool {
	if d.Job.Paused {
		return true
	}
	return !d.Job.PausedAt.IsZero() && !t.Before(d.Job.PausedAt) && !t.After(d.Job.ResumedAt)
}

func pausedReason(j Job) string {
	if j.Reason != "" {
		return "paused: " + j.Reason
	}
	return "paused"
}

// planner collects slots in order. The slots that wait for a run are held back by one, since only the latest will run.
type planner struct {
	passed []Passed
	last   time.Time // the latest slot that may run; zero: none
}

func (p *planner) wait(t, since time.Time) {
	p.passAll(since)
	p.last = t
}

// passAll gives up the slot that is held back.
func (p *planner) passAll(since time.Time) {
	if p.last.IsZero() {
		return
	}
	p.pass(Missed, missedReason(p.last, since), p.last)
	p.last = time.Time{}
}

func missedReason(t, since time.Time) string {
	if t.Before(since) {
		return "no host was running"
	}
	return "the host was asleep, or no run slot was free"
}

func (p *planner) pass(v Verdict, reason string, t time.Time) {
	if n := len(p.passed); n > 0 && p.passed[n-1].Verdict == v && p.passed[n-1].Reason == reason {
		p.passed[n-1].Last = t
		p.passed[n-1].Count++
		return
	}
	p.passed = append(p.passed, Passed{Verdict: v, Reason: reason, First: t, Last: t, Count: 1})
}

func (p *planner) done(d Due, next time.Time) Planned {
	if p.last.IsZero() {
		return Planned{Passed: p.passed, Next: next}
	}
	if d.Policy == MissedSkip && d.Now.Sub(p.last) > Grace(p.last, next) {
		p.passAll(d.Since)
		return Planned{Passed: p.passed, Next: next}
	}
	var stands int64
	for _, r := range p.passed {
		if r.Verdict == Missed {
			stands += r.Count
		}
	}
	return Planned{At: p.last, StandsFor: stands, Passed: p.passed, Next: next}
}

// Grace is how late a slot may start and still count as on time for MissedSkip: half the period to the next slot, between two
// minutes and two hours.
func Grace(slot, next time.Time) time.Duration {
	const low, high = 2 * time.Minute, 2 * time.Hour
	if next.IsZero() {
		return high
	}
	return min(max(next.Sub(slot)/2, low), high)
}

// ClaimDeadline is when a claim may be recovered although its owner lives: the guest had startTimeout to start, then timeout
// to run, then commitGrace to commit. A timeout of zero is unlimited, and so is the claim.
func ClaimDeadline(claimedAt time.Time, startTimeout, timeout, commitGrace time.Duration) time.Time {
	if timeout <= 0 {
		return time.Time{}
	}
	return claimedAt.Add(startTimeout + timeout + commitGrace)
}

// LateReason words what a run that stands for missed slots says of them.
func LateReason(n int64) string {
	if n == 1 {
		return "stands for 1 missed slot"
	}
	return fmt.Sprintf("stands for %d missed slots", n)
}
