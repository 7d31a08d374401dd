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
	MissedAll  MissedPolicy = "all"  // each has its run, oldest first, up to MissedLimit of them
)

// DefaultMissedLimit is how many missed slots MissedAll makes up for.
const DefaultMissedLimit = 100

// Due is what Plan is asked about.
type Due struct {
	Job      Job
	Next     func(after time.Time) time.Time // the job's schedule: strictly later, zero for never
	Now      time.Time
	Policy   MissedPolicy
	Since    time.Time // since when this host has been running: what passed before, no host ran
	Refuse   string    // not empty: no run is to start, and each due slot is skipped with this reason
	RefuseBy Policy    // whose word Refuse is
	Limit    int       // slots looked at in one go; 0 means 10,000

	MissedLimit int           // MissedAll: how many slots have a run, the newest; 0: DefaultMissedLimit. Below Limit.
	Window      time.Duration // slots older than this are missed, and no run stands for them; 0: none are
	Deadline    time.Duration // slots later than this are missed, likewise; 0: none are
	Grace       time.Duration // MissedSkip: how late a slot may start; 0: that of Grace
	// Delay is how long after its time a slot starts, less than the distance to the next one. Lateness counts from there. nil: not at all.
	Delay func(slot, next time.Time) time.Duration
}

// Planned is what is to be done about the due slots of a job. Every due slot is either At or in Passed, but for those of MissedAll
// after At, whose turn comes when At has been claimed.
type Planned struct {
	At        time.Time // the slot to run; zero: none
	StandsFor int64     // missed slots that the run stands for
	Passed    []Passed  // oldest first
	Next      time.Time // the job's next due time afterwards; still due when Limit was reached, or more is to be made up for
}

// Plan decides about the slots of a job that are due: which one runs, and what the others come to. It is pure.
//
// Slots in the job's pause are skipped, and all of them while it is paused; so is the one that an operator wants skipped. Those
// that are too old to run are missed. Of the rest the latest one runs: with MissedOnce it stands for those before it, with MissedSkip
// it does so for none, and runs only within its grace. With MissedAll the oldest of the newest MissedLimit runs, and the next call
// finds the next one. Looking at more than Limit slots is left to the next call, which Planned.Next then asks for.
func Plan(d Due) Planned {
	if d.Limit <= 0 {
		d.Limit = 10_000
	}
	if d.Policy == MissedAll {
		return planAll(d)
	}
	var p planner
	t := d.Job.Next
	for n := 0; !t.IsZero() && !t.After(d.Now); n++ {
		next := d.Next(t)
		if d.start(t, next).After(d.Now) {
			break
		}
		if n == d.Limit {
			p.passAll(d.Since)
			return Planned{Passed: p.passed, Next: t}
		}
		if v, by, reason := d.fate(t, next); v != "" {
			p.passAll(d.Since)
			p.pass(v, by, reason, t)
		} else {
			p.passAll(d.Since)
			p.last = t
		}
		t = next
	}
	return p.done(d, t)
}

// planAll looks twice: for the slots that are to have a run, and then at what becomes of those before the first of them.
func planAll(d Due) Planned {
	keep := d.MissedLimit
	if keep <= 0 {
		keep = DefaultMissedLimit
	}
	var wait []time.Time // the newest, oldest first
	end, n := d.Job.Next, 0
	for ; !end.IsZero() && !end.After(d.Now) && n < d.Limit; n++ {
		next := d.Next(end)
		if d.start(end, next).After(d.Now) {
			break
		}
		if v, _, _ := d.fate(end, next); v == "" {
			if wait = append(wait, end); len(wait) > keep {
				wait = wait[1:]
			}
		}
		end = next
	}
	more := n == d.Limit // which may be newer: what was found is sure of its run only if it would hold up the next call
	var at time.Time
	if len(wait) > 0 {
		at, end = wait[0], wait[0]
	}
	var p planner
	for t := d.Job.Next; !t.IsZero() && t.Before(end); {
		next := d.Next(t)
		v, by, reason := d.fate(t, next)
		if v == "" {
			v, by, reason = Missed, ByMissedLimit, fmt.Sprintf("more than missed_limit = %d slots were missed", keep)
		}
		p.pass(v, by, reason, t)
		t = next
	}
	if at.IsZero() || more && at.After(d.Job.Next) {
		return Planned{Passed: p.passed, Next: end}
	}
	return Planned{At: at, Passed: p.passed, Next: d.Next(at)}
}

// start is when a slot is to start: at its time, but for the delay.
func (d Due) start(t, next time.Time) time.Time {
	if d.Delay == nil {
		return t
	}
	return t.Add(d.Delay(t, next))
}

// fate says why a due slot does not run whatever else is due; the empty verdict: it may.
func (d Due) fate(t, next time.Time) (Verdict, Policy, string) {
	late := d.Now.Sub(d.start(t, next))
	switch {
	case d.paused(t):
		return Skipped, ByPause, pausedReason(d.Job)
	case !d.Job.SkipAt.IsZero() && t.Equal(d.Job.SkipAt):
		return Skipped, BySkip, d.Job.SkipReason
	case d.Refuse != "":
		return Skipped, d.RefuseBy, d.Refuse
	case d.Deadline > 0 && late > d.Deadline:
		return Missed, ByStartingDeadline, DeadlineReason(d.Deadline)
	case d.Window > 0 && late > d.Window:
		return Missed, ByMissedWindow, fmt.Sprintf("it is older than missed_window = %s", brief(d.Window))
	}
	return "", "", ""
}

// DeadlineReason words why a slot that waited for too long is missed.
func DeadlineReason(most time.Duration) string {
	return fmt.Sprintf("it could not start within starting_deadline = %s", brief(most))
}

// brief is a duration as a configuration has it: 1h, not 1h0m0s.
func brief(d time.Duration) string {
	s := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if n := len(s) - 2; n > 0 && s[n-1:] == zero {
			s = s[:n]
		}
	}
	return s
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

// passAll gives up the slot that is held back.
func (p *planner) passAll(since time.Time) {
	if p.last.IsZero() {
		return
	}
	p.pass(Missed, ByMissed, missedReason(p.last, since), p.last)
	p.last = time.Time{}
}

func missedReason(t, since time.Time) string {
	if t.Before(since) {
		return "no host was running"
	}
	return "the host was asleep, or no run slot was free"
}

func (p *planner) pass(v Verdict, by Policy, reason string, t time.Time) {
	if n := len(p.passed); n > 0 && p.passed[n-1].Verdict == v && p.passed[n-1].Reason == reason {
		p.passed[n-1].Last = t
		p.passed[n-1].Count++
		return
	}
	p.passed = append(p.passed, Passed{Verdict: v, By: by, Reason: reason, First: t, Last: t, Count: 1})
}

func (p *planner) done(d Due, next time.Time) Planned {
	if p.last.IsZero() {
		return Planned{Passed: p.passed, Next: next}
	}
	if d.Policy == MissedSkip {
		grace := d.Grace
		if grace <= 0 {
			grace = Grace(p.last, next)
		}
		if d.Now.Sub(d.start(p.last, next)) > grace {
			p.passAll(d.Since)
			return Planned{Passed: p.passed, Next: next}
		}
		return Planned{At: p.last, Passed: p.passed, Next: next}
	}
	var stands int64
	for _, r := range p.passed {
		if r.By == ByMissed {
			stands += r.Count
		}
	}
	return Planned{At: p.last, StandsFor: stands, Passed: p.passed, Next: next}
}

// Abandoned says what becomes of the slots that are due by now when their schedule is given up: they are missed with the reason,
// but for those in the job's pause. At most limit of them are looked at.
func Abandoned(j Job, next func(after time.Time) time.Time, now time.Time, reason string, limit int) []Passed {
	d := Due{Job: j}
	var p planner
	for t := j.Next; !t.IsZero() && !t.After(now) && limit > 0; limit-- {
		if d.paused(t) {
			p.pass(Skipped, ByPause, pausedReason(j), t)
		} else {
			p.pass(Missed, BySchedule, reason, t)
		}
		t = next(t)
	}
	return p.passed
}

// Grace is how late a slot may start and still not be called late, unless its job says otherwise: half the period to the next slot,
// between two minutes and two hours.
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
