package host

import (
	"context"
	"time"

	"github.com/wcron/wcron/claims"
)

const retryStart = time.Second

// notStarted remembers the jobs of the first set: those have a run at this host's start if their schedule has @reboot. Later sets are
// changes, not a start.
func (l *loop) notStarted(set []Job) {
	if l.starting != nil {
		return
	}
	l.starting = map[string]bool{}
	for _, def := range set {
		l.starting[def.Name] = true
	}
}

// atStart asks the ledger for the run of a job at this host's start, once the job is registered. The ledger takes one for each host.
func (l *loop) atStart(j *job) {
	if !l.starting[j.def.Name] {
		return
	}
	delete(l.starting, j.def.Name)
	if !j.def.RunsAtStart() {
		return
	}
	ask := claims.Request{
		Kind: claims.Start, Job: j.def.Name, ID: l.h.cfg.Instance, By: l.h.cfg.Instance, Reason: j.refusal(l.h.cfg.MemoryBudget),
	}
	l.askForStart(ask)
}

func (l *loop) askForStart(ask claims.Request) {
	l.write(func(ctx context.Context) func() {
		err := l.h.cfg.Store.Request(ctx, l.begun, ask)
		return func() {
			if err != nil && l.jobs[ask.Job] != nil {
				l.fail("ask for the run at the start of a host", err)
				l.later(retryStart, func() { l.askForStart(ask) })
				return
			}
			l.h.Poll()
		}
	})
}
