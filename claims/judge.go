package claims

import (
	"fmt"
	"os"
	"time"

	"github.com/wcron/wcron/fingerprint"
)

// Witness is the evidence about an owner.
type Witness struct {
	Lock     LockState
	LockNote string // the engine's sentence
	Process  fingerprint.Verdict
	Note     string // the fingerprint's sentence
}

// Judge combines the witnesses: a free lock is proof of death, a lock that is held of life, and where there is no lock the
// fingerprint decides. The table is in the package comment.
func Judge(w Witness) (fingerprint.Verdict, string) {
	switch w.Lock {
	case LockFree:
		return fingerprint.Dead, both("its lock was free", w.Note)
	case LockHeld:
		return fingerprint.Alive, both("its lock is held", w.LockNote)
	}
	switch w.Process {
	case fingerprint.Dead, fingerprint.Alive:
		return w.Process, both("it has no lock here", w.Note)
	}
	return fingerprint.Unknown, both("it has no lock here", w.Note)
}

func both(a, b string) string {
	if b == "" {
		return a
	}
	return a + "; " + b
}

// Graces are the two waits before a claim is recovered. They are different things: OrphanGrace is for an owner that is proved
// dead, Lease for one of which nothing can be proved.
type Graces struct {
	OrphanGrace time.Duration // age of a dead owner's claim, counted from claimed_at
	Lease       time.Duration // silence of an unknown owner of an unlimited claim
}

// Recoverable says whether an open claim is to be recovered now, and why. seen is the owner's latest renewal, zero where there is no
// record of one: then its latest sign of life is the claim. A claim that is dated in the future (the clock went back) counts as
// claimed at firstSeen, so that it ends as long after that as it would have: pass when this host saw the claim first, and a time that
// is not later than now.
func Recoverable(o Open, v fingerprint.Verdict, why string, seen, firstSeen, now time.Time, g Graces) (bool, string) {
	claimed, deadline := o.ClaimedAt, o.Deadline
	if claimed.After(now) {
		claimed = firstSeen
		if !deadline.IsZero() {
			deadline = firstSeen.Add(o.Deadline.Sub(o.ClaimedAt))
		}
	}
	if seen.Before(claimed) {
		seen = claimed
	}
	past := !deadline.IsZero() && now.After(deadline)
	switch v {
	case fingerprint.Dead:
		if now.Sub(claimed) < g.OrphanGrace {
			return false, ""
		}
		return true, "the owner is dead: " + why
	case fingerprint.Alive:
		if past {
			return true, fmt.Sprintf("the deadline passed %s ago and the owner did not commit: %s", ago(now.Sub(deadline)), why)
		}
		return false, ""
	}
	if past {
		return true, fmt.Sprintf("the deadline passed %s ago and nothing is known of the owner: %s", ago(now.Sub(deadline)), why)
	}
	if o.Deadline.IsZero() && now.Sub(seen) > g.Lease {
		return true, fmt.Sprintf("the owner was last seen %s ago and nothing is known of it: %s", ago(now.Sub(seen)), why)
	}
	return false, ""
}

func ago(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// Self is the owner record of the process pid, which is to be this process: the caller gives its stable identity, and the
// evidence by which others recognise it is added here. The caller fills in Socket, Version, Started and Seen.
func Self(instance string, pid int) (Owner, error) {
	ev, err := fingerprint.Self()
	if err != nil {
		return Owner{}, fmt.Errorf("identify owner %s: %w", instance, err)
	}
	name, err := os.Hostname()
	if err != nil {
		name = "unknown"
	}
	return Owner{ID: instance, PID: pid, Host: name, Evidence: ev.Encode()}, nil
}

// JudgeOwner asks both witnesses about an owner: the probe of its lock, and its fingerprint, read by the machine's own means.
func JudgeOwner(o Owner, p Probe) (fingerprint.Verdict, string) {
	w := Witness{Lock: p.Lock, LockNote: p.Reason}
	ev, err := fingerprint.Parse(o.Evidence)
	if len(o.Evidence) == 0 { // a record of an older version has nothing but the id
		if v, ok := fingerprint.LegacyOwner(o.ID); ok {
			ev, err = v, nil
		}
	}
	if err != nil {
		w.Process, w.Note = fingerprint.Unknown, err.Error()
		return Judge(w)
	}
	w.Process, w.Note = fingerprint.JudgeLocal(ev)
	return Judge(w)
}
