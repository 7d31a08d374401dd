package host

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wcron/wcron/claims"
)

// attempt is a claim that the loop asks for. The job may change while the claim is under way: it runs as it was when it was due.
type attempt struct {
	item     *dueItem
	job      *job
	def      Job
	claim    claims.Claim
	mod      *module // held by this attempt; nil: nothing is to run
	lanes    int     // of its locks that may be held
	busy     string  // why its slot is to wait; empty: it may start
	unlock   func()
	lockErr  error // the job's lock was not to be had
	reserved int64 // of the memory budget
	caughtUp bool  // it is late, and has had its turn
}

// tick claims what is due and can start. It looks at due times only, never at all jobs.
func (l *loop) tick() {
	if l.claiming || l.draining {
		return
	}
	now, instant := l.h.now(), l.h.instant()
	fresh := l.collect(now)
	if len(l.waiting) == 0 || (!fresh && l.free() == 0 && !l.retryDue(instant)) {
		return
	}
	var tries []*attempt
	keep := l.waiting[:0]
	for _, it := range l.waiting {
		var try *attempt
		if len(tries) < claimBatch && !it.retryAt.After(instant) {
			it.retryAt = time.Time{}
			try, it.why = l.consider(it, now, tries)
		}
		if try == nil {
			keep = append(keep, it)
			continue
		}
		tries = append(tries, try)
	}
	clear(l.waiting[len(keep):])
	l.waiting = keep
	if len(tries) > 0 {
		l.claim(now, tries)
	}
}

func (l *loop) retryDue(instant time.Time) bool {
	for _, it := range l.waiting {
		if !it.retryAt.IsZero() && !it.retryAt.After(instant) {
			return true
		}
	}
	return false
}

// consider decides about one due item: an attempt, or the reason to wait.
func (l *loop) consider(it *dueItem, now time.Time, tries []*attempt) (*attempt, string) {
	j := l.jobs[it.job]
	switch {
	case j == nil || j.row.Name == "":
		return nil, "the job is not registered here"
	case j.busy:
		return nil, "a claim is under way"
	case j.puts > 0:
		return nil, "its registration is under way"
	case it.pending != nil:
		if why := j.fillWaits(it, now); why != "" {
			return nil, why
		}
		return l.considerPending(it, j, now, tries)
	}
	return l.considerSlot(it, j, now, tries)
}

func (l *loop) considerSlot(it *dueItem, j *job, now time.Time, tries []*attempt) (*attempt, string) {
	if j.spec == nil {
		return nil, firstOf(j.badSpec, "its schedule is not known")
	}
	refuse, by, busy := j.refusal(l.h.cfg.MemoryBudget), claims.ByBroken, ""
	if refuse == "" {
		if why := l.mustWait(it, j, now); why != "" {
			return nil, why
		}
		if busy = l.occupied(j, it); busy != "" {
			busy = j.madeUp(busy)
		}
	}
	if refuse == "" && busy != "" && !j.def.Overlap.Policy.Waits() {
		refuse, by, busy = busy, claims.ByOverlap, ""
	}
	if refuse == "" && busy == "" && !j.row.Paused {
		if why := l.cannotStart(j, tries); why != "" {
			return nil, why
		}
	}
	due := l.dueOf(j, now)
	due.Refuse, due.RefuseBy = refuse, by
	p := claims.Plan(due)
	if p.At.IsZero() && len(p.Passed) == 0 { // the clock was set back since its delay was over
		it.retryAt = l.h.instant().Add(time.Second)
		return nil, "its start is delayed"
	}
	try := &attempt{item: it, job: j, def: j.inUse(), busy: busy, claim: claims.Claim{
		Slot: claims.ScheduledSlot(j.def.Name, p.At), Attempt: 1, From: j.row.Next, Next: p.Next, Passed: p.Passed, StandsFor: p.StandsFor,
	}}
	if p.At.IsZero() {
		try.claim.Slot = claims.ScheduledSlot(j.def.Name, j.row.Next)
	} else {
		try.claim = j.overlapping(try.claim)
		if l.backlog(j, now) && !j.def.Overlap.Policy.Waits() {
			try.claim.IfBusy = "" // it waits all the same
		}
		if busy == "" {
			if err := l.armed(try, now); err != nil {
				return nil, err.Error()
			}
		}
	}
	j.busy = true
	return try, ""
}

func (l *loop) considerPending(it *dueItem, j *job, now time.Time, tries []*attempt) (*attempt, string) {
	if why := j.refusal(l.h.cfg.MemoryBudget); why != "" {
		return nil, why
	}
	if j.row.Paused && it.pending.Slot.Kind != claims.Manual {
		return nil, "the job is paused"
	}
	if gone := j.tooLate(it, now); gone != nil {
		j.busy = true
		return &attempt{item: it, job: j, def: j.def, claim: *gone}, ""
	}
	if why := l.behind(j, it.pending, now); why != "" {
		return nil, why
	}
	if why := l.cannotStart(j, tries); why != "" {
		return nil, why
	}
	try := &attempt{item: it, job: j, def: j.inUse(), claim: j.overlapping(claims.Claim{
		Slot: it.pending.Slot, Attempt: it.pending.Attempt, StandsFor: it.pending.StandsFor,
	})}
	if l.h.cfg.Only != "" && it.pending.Slot.Kind == claims.Manual {
		try.claim.Overlap = "" // what waits of the schedule is another host's, and there may be none
	}
	if err := l.armed(try, now); err != nil {
		return nil, err.Error()
	}
	j.busy = true
	return try, ""
}

// armed makes an attempt one that runs, and takes the memory that it begins with from the budget.
func (l *loop) armed(try *attempt, now time.Time) error {
	if err := l.turn(try); err != nil {
		return err
	}
	id, err := l.h.world.runID()
	if err != nil {
		return err
	}
	j := try.job
	if l.h.budget != nil {
		least := j.mod.compiled.MinMemory()
		if !l.h.budget.Reserve(least) {
			return errors.New("the memory budget is used up")
		}
		try.reserved = least
	}
	try.mod, try.lanes = j.mod, j.row.Lanes
	try.mod.users++
	try.claim.RunID, try.claim.Digest = id, j.mod.digest
	l.tookTurn(try)
	try.claim.Deadline = claims.ClaimDeadline(now, try.def.startTimeout(), try.def.timeout(), l.h.cfg.CommitGrace)
	return nil
}

// free is how many runs may start now.
func (l *loop) free() int {
	if l.h.cfg.MaxRuns == 0 {
		return claimBatch
	}
	return max(l.h.cfg.MaxRuns-len(l.running), 0)
}

// cannotStart says what a job's run has to wait for, besides the attempts that are already chosen.
func (l *loop) cannotStart(j *job, tries []*attempt) string {
	if j.def.Unready != "" {
		return j.def.Unready
	}
	if j.mod == nil {
		return "its module is being compiled"
	}
	var chosen int
	for _, t := range tries {
		if t.mod != nil {
			chosen++
		}
	}
	if chosen >= l.free() {
		return fmt.Sprintf("all %d run slots are taken", l.h.cfg.MaxRuns)
	}
	return ""
}

// claim asks the ledger for all attempts in one transaction, outside the loop.
func (l *loop) claim(now time.Time, tries []*attempt) {
	l.claiming = true
	l.spawn(func() {
		answers, err := l.claimAll(l.ctx, now, tries)
		taken := l.post(func() {
			l.claiming = false
			l.claimed(now, tries, answers, err)
		})
		for _, t := range tries {
			if !taken { // what was won is for another host to recover
				t.release(l.h)
			}
		}
	})
}

// claimAll takes the jobs' locks and claims. The answers are in the order of those tries whose locks were to be had: a lock that
// cannot be taken keeps no other job from starting.
func (l *loop) claimAll(ctx context.Context, now time.Time, tries []*attempt) (answers []claims.Claimed, err error) {
	defer func() {
		if err == nil {
			return
		}
		for _, t := range tries {
			t.release(l.h)
		}
	}()
	items := make([]claims.Claim, 0, len(tries))
	for _, t := range tries {
		if t.mod != nil {
			if t.unlock, t.lockErr = l.lockLane(ctx, t); t.lockErr != nil {
				continue
			}
		}
		items = append(items, t.claim)
	}
	if len(items) == 0 {
		return nil, nil
	}
	answers, err = l.h.cfg.Store.Claim(ctx, now, l.h.cfg.Instance, items)
	if err == nil && len(answers) != len(items) {
		err = fmt.Errorf("the store gave %d answers to %d claims", len(answers), len(items))
	}
	return answers, err
}

// release gives back what an attempt took that does not run. It is called outside the loop as well.
func (t *attempt) release(h *Host) {
	h.release(t.reserved)
	t.reserved = 0
	if t.unlock != nil {
		t.unlock()
		t.unlock = nil
	}
}

// claimed applies the ledger's answers to the claims that were made at now: however long they took, it counts.
func (l *loop) claimed(now time.Time, tries []*attempt, answers []claims.Claimed, err error) {
	if err != nil {
		l.fail(opClaim, err)
	} else if len(answers) > 0 {
		l.went(opClaim)
	}
	l.fail("lock jobs", unlockable(tries)) // the others have started all the same
	for _, t := range tries {
		t.job.busy = false
		switch {
		case err != nil:
			l.again(t, err.Error(), time.Second)
		case t.lockErr != nil:
			t.release(l.h)
			l.locked(t)
		default:
			l.answered(t, answers[0], now)
			answers = answers[1:]
		}
		if t.mod != nil { // a run that has started holds its module itself
			t.mod.users--
			l.retire(t.mod)
		}
	}
}

// locked puts off an attempt whose job's lock is not to be had. One that stays busy is another process's, and the slot is passed
// over: see considerSlot.
func (l *loop) locked(t *attempt) {
	if !errors.Is(t.lockErr, claims.ErrBusy) {
		l.again(t, t.lockErr.Error(), time.Second)
		return
	}
	instant := l.h.instant()
	if t.item.lockSince.IsZero() {
		t.item.lockSince = instant
	}
	wait := 200 * time.Millisecond
	t.item.held = instant.Sub(t.item.lockSince) > lockPatience
	if t.item.pending == nil && t.claim.Overlap.Waits() { // it had better wait in the ledger
		t.item.held, wait = true, 0
	}
	l.again(t, t.lockErr.Error(), wait)
}

// unlockable is the first error of a lock for another reason than that it is held.
func unlockable(tries []*attempt) error {
	for _, t := range tries {
		if t.lockErr != nil && !errors.Is(t.lockErr, claims.ErrBusy) {
			return t.lockErr
		}
	}
	return nil
}

// again puts an attempt's item back; what happened to the job meanwhile decides whether it still counts.
func (l *loop) again(t *attempt, why string, wait time.Duration) {
	t.item.why, t.item.retryAt = why, l.h.instant().Add(wait)
	if !t.item.dead {
		l.waiting = append(l.waiting, t.item)
	}
	if t.item.pending == nil && l.jobs[t.item.job] == t.job {
		l.plan(t.job)
	}
}

func (l *loop) answered(t *attempt, a claims.Claimed, now time.Time) {
	if t.item.pending == nil {
		l.drop(t.item)
	}
	if a.Status != claims.Won {
		t.release(l.h)
	}
	current := l.jobs[t.item.job] == t.job
	if current {
		l.setRow(t.job, a.Job)
		l.plan(t.job)
	}
	if a.Status == claims.Won || a.Status == claims.Passing || a.Status == claims.Queued {
		l.told(t)
		l.lined(t, a)
		l.forgetPending(t.item)
	}
	switch a.Status {
	case claims.Won:
		l.start(t, a, now)
	case claims.Passing, claims.Queued:
	case claims.Busy:
		if t.item.pending != nil {
			l.again(t, inTheWay(a), l.h.cfg.rhythm.poll)
			return
		}
		if a.Job.Next.Equal(t.claim.From) { // nothing was recorded: the slot waits
			if it := t.job.item; current && it != nil {
				it.why, it.retryAt = inTheWay(a), l.h.instant().Add(l.h.cfg.rhythm.poll)
			}
			return
		}
		l.told(t)
		l.h.emit(Event{
			Kind: SlotSkipped, Job: t.def.Name, Slot: t.claim.Slot, Count: 1, Until: t.claim.Slot.At, Reason: t.claim.IfBusy, Policy: claims.ByOverlap,
		})
	case claims.Stale:
		l.forgetPending(t.item)
		if it := t.job.item; current && it != nil && t.item.pending == nil && it.slot.Equal(t.claim.From) {
			it.retryAt = l.h.instant().Add(time.Second) // refused for a reason that this host does not see yet
		}
	}
}

// inTheWay says what a claim has to wait for.
func inTheWay(a claims.Claimed) string {
	if a.Holder != "" {
		return "run " + a.Holder + " is running"
	}
	return "other runs of the job go before it"
}

// told emits what a claim passed over.
func (l *loop) told(t *attempt) { l.toldPassed(t.def.Name, t.claim.Passed) }

func (l *loop) toldPassed(job string, passed []claims.Passed) {
	for _, p := range passed {
		kind := SlotSkipped
		if p.Verdict == claims.Missed {
			kind = SlotMissed
		}
		l.h.emit(Event{Kind: kind, Job: job, Slot: claims.ScheduledSlot(job, p.First), Count: p.Count, Until: p.Last, Reason: p.Reason, Policy: p.By})
	}
}

func (l *loop) forgetPending(it *dueItem) {
	if it.pending == nil {
		return
	}
	l.drop(it)
	l.dequeue(it)
	delete(l.pending, it.pending.Slot.ID)
	l.taken[it.pending.Slot.ID] = wentBy{it.pending.Attempt, l.shared.polls.Load()}
	l.shared.waits.Store(len(l.pending) > 0)
}
