package host

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/wcron/wcron/capability"
	"github.com/wcron/wcron/claims"
)

// door is what a run may call. The event is what the guest reads on its input.
func (l *loop) door(r *run, state *capability.State, event []byte, started time.Time) *capability.Door {
	return capability.NewDoor(capability.Setup{
		RunInfo: capability.RunInfo{Job: r.def.Name, RunID: r.token.RunID},
		Grants:  r.def.Grants,
		State:   state,
		Event:   bytes.TrimSpace(event),
		Remaining: func() (time.Duration, bool) {
			limit := r.def.timeout()
			return started.Add(limit).Sub(l.h.now()), limit > 0
		},
		Progress: func(percent float64, text string) {
			r.progress.Store(&Progress{Percent: percent, Text: text, At: l.h.now()})
		},
		Exists:    l.exists,
		HTTP:      l.h.cfg.HTTP,
		Functions: l.h.cfg.Functions,
	})
}

// exists says whether there is a job of that name.
func (l *loop) exists(ctx context.Context, name string) (there bool, err error) {
	err = l.h.do(ctx, func(l *loop) { there = l.jobs[name] != nil })
	return there, err
}

// tellRefusals makes an event of what the guest asked for in vain.
func (l *loop) tellRefusals(r *run, door *capability.Door) {
	for _, why := range door.Refusals() {
		l.h.emit(Event{Kind: GuestRefused, Job: r.def.Name, RunID: r.token.RunID, Slot: r.slot, Attempt: r.attempt, Reason: why})
	}
}

// Progress is how far a run says that it is.
type Progress struct {
	Percent float64 // -1: it has not said
	Text    string
	At      time.Time
}

// emits is the runs of other jobs that start once this one has committed.
func emits(r *run, door *capability.Door) (list []claims.Emit) {
	for i, e := range door.Emits() {
		list = append(list, claims.Emit{
			Job: e.Job, ID: fmt.Sprintf("%.8s-%d", r.token.RunID[max(len(r.token.RunID)-8, 0):], i+1), Input: e.Input,
			By: fmt.Sprintf("job %s, run %s", r.def.Name, r.token.RunID),
		})
	}
	return list
}

// emitted looks for the runs that a commit has started, and tells of which jobs it has not started all.
func (l *loop) emitted(r *run, f claims.Final, done claims.Finalized) {
	if len(f.Emit) > 0 {
		l.h.Poll()
	}
	told := map[string]bool{}
	for _, e := range done.Unsent {
		if told[e.Job] {
			continue
		}
		told[e.Job] = true
		l.h.emit(Event{Kind: GuestRefused, Job: r.def.Name, RunID: r.token.RunID, Slot: r.slot, Attempt: r.attempt,
			Reason: fmt.Sprintf("job %s, which it was to start, has no run of it: %s", e.Job, e.Why)})
	}
}
