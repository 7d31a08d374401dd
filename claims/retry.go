package claims

import (
	"fmt"
	"slices"
	"time"
)

// RetryPolicy says when a slot gets another attempt. Its zero value never retries.
type RetryPolicy struct {
	Retries int           // further attempts after the first
	Min     time.Duration // wait before the second attempt; it doubles with each one
	Max     time.Duration // the longest wait
	On      []string      // outcomes that are retried; "shutdown" names killed by a shutdown
}

// Ended is an attempt that is over.
type Ended struct {
	Outcome  Outcome
	Cause    Cause
	ExitCode *int64
	Attempt  int
	At       time.Time
	Slot     Slot
	Next     time.Time // the job's next scheduled time as of At; zero: none
	Jitter   float64   // in [0, 1): shortens the wait by up to a fifth, so that jobs which failed together part
}

// Retry says when the next attempt of an ended one is due; the zero time: there is none. Exit code 75 asks for another attempt
// whatever On says, never beyond Retries.
//
// An attempt of a scheduled slot that would be due at or after the job's next slot gives way to it, and why says so. A next slot
// that was due already when the attempt ended is none to give way to: it had to wait for this one anyhow. Attempts of manual
// requests and of backfills never give way.
func (p RetryPolicy) Retry(e Ended) (due time.Time, why string) {
	if e.Attempt > p.Retries || !p.retries(e) {
		return time.Time{}, ""
	}
	wait := p.Min
	for i := 1; i < e.Attempt && wait < p.Max; i++ {
		wait *= 2
	}
	wait = max(min(wait, p.Max), 0)
	wait -= time.Duration(float64(wait) / 5 * min(max(e.Jitter, 0), 1))
	due = e.At.Add(wait)
	if e.Slot.Kind == Scheduled && e.Next.After(e.At) && !due.Before(e.Next) {
		return time.Time{}, fmt.Sprintf("attempt %d gives way to the next slot at %s", e.Attempt+1, e.Next.UTC().Format(time.RFC3339))
	}
	return due, ""
}

// Strikes says what an attempt means for the failures in a row of its job, if its slot gets no other one. What an operator or the end
// of a host has ended counts neither way; what a dead host has left behind counts as failed.
func Strikes(o Outcome, c Cause) Strike {
	switch o {
	case OK:
		return StrikeReset
	case Failed, Timeout, Trapped, Orphaned:
		return StrikeOut
	case Killed:
		if c == Fuel || c == MemoryBudget {
			return StrikeOut
		}
	}
	return ""
}

func (p RetryPolicy) retries(e Ended) bool {
	switch {
	case e.Outcome == OK, e.Outcome == Discarded:
		return false
	case e.Outcome == Failed && e.Cause == Exit && e.ExitCode != nil && *e.ExitCode == ExitRetry:
		return true
	case e.Outcome == Failed && e.Cause == Exit && e.ExitCode != nil && *e.ExitCode == ExitDisable:
		return false
	case e.Outcome == Killed:
		return e.Cause == Shutdown && slices.Contains(p.On, string(Shutdown))
	}
	return slices.Contains(p.On, string(e.Outcome))
}
