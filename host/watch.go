package host

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/wcron/wcron/claims"
)

// poll looks at the ledger for what others have done, until ctx ends.
func (l *loop) poll(ctx context.Context) {
	every := time.NewTicker(l.h.cfg.rhythm.poll)
	defer every.Stop()
	var rev int64
	told := false
	for {
		told = l.lockWait(told)
		n := l.shared.polls.Add(1)
		changes, err := l.h.cfg.Store.Changes(ctx, l.h.cfg.Instance, rev)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			l.post(func() { l.fail(opPoll, err) })
		} else {
			if moved := changes.Rev != rev; moved && l.shared.waits.Load() {
				l.lookForGone(ctx, n)
			}
			rev = changes.Rev
			l.post(func() { l.went(opPoll); l.changed(changes, n) })
			l.lookForOnly(ctx)
		}
		select {
		case <-every.C:
		case <-l.h.poke:
		case <-ctx.Done():
			return
		}
	}
}

// changed applies the n-th poll.
func (l *loop) changed(c claims.Changes, n int64) {
	l.foreign = make(map[string]string, len(c.Foreign))
	for _, o := range c.Foreign {
		l.foreign[o.Job] = o.RunID
	}
	var strange []string
	for _, row := range c.Jobs {
		if j := l.jobs[row.Name]; j != nil {
			l.setRow(j, row)
			l.reclaim(j)
			l.revive(j)
		} else if !l.first && row.Source == l.h.cfg.Source && row.Removed.IsZero() {
			strange = append(strange, row.Name)
		}
	}
	if !l.first { // what was removed while no host ran
		l.first = true
		l.remove(strange)
	}
	for _, p := range c.Pending {
		if was, ok := l.taken[p.Slot.ID]; !ok || was.attempt < p.Attempt || was.polls < n { // else it was read before it went
			l.addPending(p)
		}
	}
	maps.DeleteFunc(l.taken, func(_ string, was wentBy) bool { return was.polls < n })
	for _, o := range c.Cancels {
		if r := l.running[o.RunID]; r != nil {
			why := errCancelled
			if o.CancelFor == claims.Replaced {
				why = errReplaced
			}
			r.kill(why)
		}
	}
}

// revive registers a job again that is done by a limit which is not its own any more: it was raised while the run that used it up
// was under way.
func (l *loop) revive(j *job) {
	if j.row.Done && j.row.Removed.IsZero() && j.puts == 0 && (j.def.Repeat <= 0 || j.row.Repeats < j.def.Repeat) {
		l.register([]*job{j})
	}
}

// reclaim registers a job again that another host has removed, unless the source of this one has let go of it meanwhile: the other one
// was behind, and may have ended before it saw that the job is back.
func (l *loop) reclaim(j *job) {
	gone := func() bool { return l.jobs[j.def.Name] == j && j.puts == 0 && !j.row.Removed.IsZero() }
	if !gone() {
		return
	}
	l.later(sourcePatience, func() {
		if gone() {
			l.register([]*job{j})
		}
	})
}

// lookForGone drops pending work that is pending no more: another host has taken it, or its job was removed. What has been added since
// the n-th poll began stays: the list may have been read before.
func (l *loop) lookForGone(ctx context.Context, n int64) {
	list, err := l.h.cfg.Store.Pending(ctx)
	if err != nil {
		return // the next change of the ledger leads here again
	}
	still := make(map[string]bool, len(list))
	for _, p := range list {
		still[p.Slot.ID] = true
	}
	l.post(func() {
		for id, it := range l.pending {
			if !still[id] && it.polls < n && !l.jobBusy(it.job) {
				l.forgetPending(it)
			}
		}
	})
}

func (l *loop) jobBusy(name string) bool {
	j := l.jobs[name]
	return j != nil && j.busy
}

// lookForOnly ends a host that is there for one slot when another host has taken it, or when its job cannot run.
func (l *loop) lookForOnly(ctx context.Context) {
	only := l.h.cfg.Only
	if only == "" {
		return
	}
	pending, err := l.h.cfg.Store.Pending(ctx)
	if err != nil {
		return // the next poll tells
	}
	waits := slices.ContainsFunc(pending, func(p claims.Pending) bool { return p.Slot.ID == only })
	l.post(func() {
		if l.claiming || len(l.running) > 0 {
			return
		}
		if !waits {
			l.finished = true
			return
		}
		it := l.pending[only]
		if it == nil {
			return
		}
		if j := l.jobs[it.job]; j == nil {
			l.fatal = fmt.Errorf("slot %s: job %s is not defined here", only, it.job)
		} else if why := j.refusal(l.h.cfg.MemoryBudget); why != "" {
			l.fatal = fmt.Errorf("slot %s: job %s cannot run: %s", only, it.job, why)
		}
	})
}

// addPending indexes work that is due apart from the schedule.
func (l *loop) addPending(p claims.Pending) {
	if only := l.h.cfg.Only; only != "" && only != p.Slot.ID {
		return
	}
	if it := l.pending[p.Slot.ID]; it != nil {
		if it.pending.Attempt >= p.Attempt {
			return
		}
		l.drop(it)
		l.dequeue(it)
	}
	it := &dueItem{at: p.Due, job: p.Slot.Job, pending: &p, index: -1, polls: l.shared.polls.Load()}
	l.pending[p.Slot.ID] = it
	l.enqueue(it)
	l.shared.waits.Store(true)
	l.schedule(it)
}

// renew keeps the owner's lease alive until ctx ends.
func (l *loop) renew(ctx context.Context) {
	every := time.NewTicker(l.h.cfg.rhythm.renew)
	defer every.Stop()
	for {
		select {
		case <-every.C:
		case <-ctx.Done():
			return
		}
		if err := l.h.cfg.Store.Renew(ctx, l.h.now(), l.h.cfg.Instance); err == nil {
			l.post(func() { l.went(opRenew); l.went(opClaim) }) // the ledger takes writes
		} else if ctx.Err() == nil {
			l.post(func() { l.fail(opRenew, err) })
		}
	}
}

// prune drops old history of jobs that ran, until ctx ends.
func (l *loop) prune(ctx context.Context) {
	every := time.NewTicker(pruneEvery)
	defer every.Stop()
	for turn := 1; ; turn++ {
		select {
		case <-every.C:
		case <-ctx.Done():
			return
		}
		if turn%60 == 0 {
			if err := l.h.engine.Upkeep(); err != nil {
				l.post(func() { l.fail("tidy up the compiled modules", err) })
			}
		}
		l.shared.mu.Lock()
		var limits []claims.Retain
		for name := range l.shared.ended {
			if def, ok := l.shared.defs[name]; ok {
				limits = append(limits, def.retain())
			}
		}
		l.shared.ended = map[string]struct{}{}
		l.shared.mu.Unlock()
		if len(limits) == 0 && turn%60 != 0 { // once an hour for what is no job's history
			continue
		}
		if _, err := l.h.cfg.Store.Prune(ctx, l.h.now(), limits); err != nil && ctx.Err() == nil {
			l.post(func() { l.fail("prune the history", err) })
		}
	}
}
