package host

import (
	"errors"
	"fmt"
	"time"

	"github.com/wcron/wcron/claims"
)

// lateAfter is how late a start has to be when its time is first seen for it to wait for its turn: no host was running, or the
// machine slept. A slot that is seen in time and then waits, for a run slot or for an earlier run, does not get in line.
const lateAfter = 10 * time.Second

// inLine tells whether a start has to wait for its turn. A slot that has come due while its job waits in the line is on time.
func (l *loop) inLine(t *attempt) bool {
	if !t.item.late || l.h.cfg.CatchUp <= 0 || l.h.cfg.Only != "" {
		return false
	}
	slot := t.claim.Slot
	return t.item.pending != nil || slot.At.Add(t.def.delay(slot.At, t.claim.Next)).Before(t.item.seen)
}

// turn says that a late start has to wait: after a stop not everything that has become due starts at once. Late starts are
// Config.CatchUp apart, in due order; what is on time does not wait for them.
func (l *loop) turn(t *attempt) error {
	it := t.item
	if !l.inLine(t) {
		return nil
	}
	instant := l.h.instant()
	if l.beginning() {
		return errors.New(firstReady)
	}
	if !l.nextLate.After(instant) {
		return nil
	}
	it.retryAt = l.nextLate
	return fmt.Errorf("catching up: late starts are %s apart", l.h.cfg.CatchUp)
}

const firstReady = "catching up: first all jobs are read and compiled, so that the earliest is the first"

// readyAfter is how long the late starts of a host that has just begun wait at most for the jobs to be known and compiled.
const readyAfter = 10 * time.Second

// beginning tells whether this host has just begun and is not ready yet. What is decided then would be left to chance.
func (l *loop) beginning() bool { return !l.ready() && l.h.instant().Before(l.readyBy) }

// ready tells whether all that is known of the jobs has been read, and every module is compiled or given up.
func (l *loop) ready() bool {
	return l.first && !l.writing && len(l.writes) == 0 && l.compiles == 0 && len(l.compile) == 0
}

// tookTurn makes the other late starts wait.
func (l *loop) tookTurn(t *attempt) {
	if t.caughtUp = l.inLine(t); t.caughtUp {
		l.nextLate = l.h.instant().Add(l.h.cfg.CatchUp)
	}
}

// mustWait says why a due slot neither starts nor is passed over now: its turn comes when a run that is under way has ended. A slot
// that missed = all makes up for waits for the run before it, whatever overlap says: see catchUpTo. A run of a backfill is nothing
// that a slot of the schedule is skipped for.
func (l *loop) mustWait(it *dueItem, j *job, now time.Time) string {
	if j.row.Paused {
		return ""
	}
	if j.def.Overlap.Policy == claims.OverlapQueue && len(j.running) == 0 && l.beginning() {
		return firstReady // what waits since before the stop starts first, and leaves its place in the queue
	}
	backlog := l.backlog(j, now)
	if len(j.running) >= j.def.Overlap.Lanes() {
		if backlog {
			return fmt.Sprintf("run %s goes before it", j.anyRun())
		}
		for id, r := range j.running {
			if r.slot.Kind == claims.Backfill {
				return fmt.Sprintf("run %s of a backfill is running", id)
			}
		}
	}
	if id := l.foreign[j.def.Name]; backlog && it.held && id != "" {
		return fmt.Sprintf("run %s of another host is running", id)
	}
	return ""
}

// backlog tells whether the job's next slot is one of those that are made up for one after the other. All that are due when a run
// may start are: what becomes due later, during one of their runs, is a matter of overlap again.
func (l *loop) backlog(j *job, now time.Time) bool {
	if j.def.Missed != claims.MissedAll {
		return false
	}
	if len(j.running) < j.def.Overlap.Lanes() && j.row.Next.After(j.catchUpTo) {
		j.catchUpTo = now
	}
	return !j.row.Next.After(j.catchUpTo)
}

// madeUp words why a slot is skipped that came due while earlier ones were made up for; busy says so of the other ones.
func (j *job) madeUp(busy string) string {
	if j.def.Missed != claims.MissedAll {
		return busy
	}
	for id, r := range j.running {
		if r.claimedAt.After(j.row.Next) {
			return fmt.Sprintf("slots before it were made up for, up to run %s", id)
		}
	}
	return busy
}

// tooLate is the claim that gives up a slot which has waited for longer than its job's starting deadline; nil: it may start.
func (j *job) tooLate(it *dueItem, now time.Time) *claims.Claim {
	p, most := it.pending, j.def.StartingDeadline
	if !p.Queued() || most <= 0 || now.Sub(p.Slot.At) <= most {
		return nil
	}
	return &claims.Claim{Slot: p.Slot, Attempt: p.Attempt, Passed: []claims.Passed{{
		Verdict: claims.Missed, By: claims.ByStartingDeadline, Reason: claims.DeadlineReason(most), First: p.Slot.At, Last: p.Slot.At, Count: 1,
	}}}
}

// fillWaits says why an attempt of a backfill does not start yet: the runs of a job's backfills go one after the other, and its slots of
// the schedule go first.
func (j *job) fillWaits(it *dueItem, now time.Time) string {
	if it.pending.Slot.Kind != claims.Backfill {
		return ""
	}
	if j.row.Paused {
		return "the job is paused"
	}
	for id, r := range j.running {
		if r.slot.Kind == claims.Backfill {
			return fmt.Sprintf("run %s of the backfill is running", id)
		}
	}
	if j.item != nil && !j.item.dead && !j.item.at.After(now) {
		return "a slot of its schedule is due"
	}
	return ""
}

// turns says when the late slots of the schedule are about to have their turn, by job.
func (l *loop) turns(now time.Time) map[string]time.Time {
	at := map[string]time.Time{}
	if l.h.cfg.CatchUp <= 0 {
		return at
	}
	turn := now.Add(max(l.nextLate.Sub(l.h.instant()), 0))
	for _, it := range l.waiting {
		if it.dead || !it.late {
			continue
		}
		if it.pending == nil {
			at[it.job] = turn
		}
		turn = turn.Add(l.h.cfg.CatchUp)
	}
	return at
}
