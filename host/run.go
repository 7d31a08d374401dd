package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/wcron/wcron/capability"
	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/output"
	"github.com/wcron/wcron/sandbox"
)

// run is an attempt that this host owns.
type run struct {
	token     claims.Token
	slot      claims.Slot
	attempt   int
	def       Job
	mod       *module
	row       claims.Job // as of the claim
	input     json.RawMessage
	by        string
	standsFor int64
	claimedAt time.Time
	deadline  time.Time // of the claim
	unlock    func()
	ctx       context.Context
	kill      context.CancelCauseFunc
	reserved  int64         // of the memory budget, until the guest starts
	startAt   time.Time     // when it was to start
	delayed   time.Duration // of that, after its slot's time on purpose
	grace     time.Duration // lateness that is not called late; 0: it is never called so
	caughtUp  bool          // it was late and waited for its turn
	gaveWay   bool          // it has no further attempt because the next slot was near
	progress  atomic.Pointer[Progress]
}

// Causes with which a run is killed.
var (
	errCancelled = sandbox.ErrCancelled
	errReplaced  = sandbox.ErrReplaced
	errShutdown  = sandbox.ErrShutdown
)

// start lets a won claim run on a goroutine of its own.
func (l *loop) start(t *attempt, a claims.Claimed, now time.Time) {
	r := &run{
		token: a.Token, slot: t.claim.Slot, attempt: t.claim.Attempt, def: t.def, mod: t.mod, row: a.Job,
		input: a.Input, by: a.By, standsFor: t.claim.StandsFor, claimedAt: now, deadline: t.claim.Deadline, unlock: sync.OnceFunc(t.unlock),
		reserved: t.reserved,
	}
	r.timed(t)
	r.ctx, r.kill = context.WithCancelCause(l.ctx)
	l.running[r.token.RunID] = r
	if j := l.jobs[r.def.Name]; j != nil {
		j.running[r.token.RunID] = r
	}
	t.mod.users++
	if l.killing {
		r.kill(errShutdown)
	}
	l.spawn(func() {
		rec := output.New(r.token.RunID, output.Config{Dir: l.h.cfg.Spool, Limit: r.def.output()})
		f := l.execute(r, rec)
		done, err := l.commit(&f, rec)
		rec.Discard() // only now: until the commit the spool is what recovery has
		l.post(func() { l.ended(r, f, done, err) })
	})
}

// execute runs the guest and says what it came to. Nothing that happens in it reaches beyond this run.
func (l *loop) execute(r *run, rec *output.Recorder) (f claims.Final) {
	f = claims.Final{Token: r.token, Repeat: r.def.Repeat}
	defer r.kill(nil)
	defer func() {
		if p := recover(); p != nil {
			f = fault(f, l.h.now(), fmt.Sprintf("panic in the host: %v\n%s", p, debug.Stack()))
		}
		r.unlock()
		l.settle(r, &f)
	}()
	state, rev, reason := l.mayStart(r) // the state is nil with a reason
	if reason != "" {
		l.h.release(r.reserved)
		f = fault(f, l.h.now(), reason)
		switch why := context.Cause(r.ctx); {
		case errors.Is(why, errCancelled):
			f.Outcome, f.Cause, f.Reason = claims.Killed, claims.Cancelled, "cancelled before its start"
		case errors.Is(why, errReplaced):
			f.Outcome, f.Cause, f.Reason = claims.Killed, claims.Replaced, "replaced by a newer slot before its start"
		case errors.Is(why, errShutdown):
			f.Outcome, f.Cause, f.Reason = claims.Killed, claims.Shutdown, "the host was shut down before its start"
		}
		return f
	}
	rec.Begin()

	f.StartedAt = l.h.now()
	event, env := l.event(r, f.StartedAt)
	l.h.emit(r.startEvent(f.StartedAt))
	door := l.door(r, state, event, f.StartedAt)
	res := r.mod.compiled.Run(r.ctx, sandbox.Run{
		Args: append([]string{r.def.Name}, r.def.Args...), Env: env, Stdin: bytes.NewReader(event), Stdout: rec, Stderr: rec,
		Entry: r.def.Entry, Memory: r.def.memory(), Reserved: r.reserved, Fuel: uint64(max(r.def.Fuel, 0)), Timeout: r.def.timeout(),
		Input: event, Calls: door.Calls(), Dirs: r.def.Grants.Mounts(),
	})
	r.unlock() // the guest is gone
	l.tellRefusals(r, door)
	f.EndedAt = l.h.now()
	f.Outcome, f.Cause = claims.Outcome(res.Outcome), claims.Cause(res.Cause)
	f.Reason, f.Memory, f.Fuel = res.Reason, res.MemoryPeak, int64(res.Fuel)
	if !res.Started {
		f.StartedAt = time.Time{}
	}
	if res.HasExit {
		code := int64(res.ExitCode)
		f.ExitCode = &code
	}
	if f = l.keep(f, rec); f.Outcome == claims.OK {
		f.Emit = emits(r, door)
		withState(&f, state, rev)
	}
	return f
}

// withState adds what a run did with its job's state, which it saw at a revision.
func withState(f *claims.Final, state *capability.State, rev int64) {
	f.StateRev = rev
	for _, w := range state.Writes() {
		f.State = append(f.State, claims.StateWrite{Key: w.Key, Value: w.Value, Delete: w.Delete})
	}
	for _, key := range state.Used() {
		f.Used = append(f.Used, claims.StateUse{Key: key})
	}
	for _, prefix := range state.Listed() {
		f.Used = append(f.Used, claims.StateUse{Key: prefix, Prefix: true})
	}
}

// keep takes over the run's output. Output that cannot be kept fails the run: an outcome without it would be half a record.
func (l *loop) keep(f claims.Final, rec *output.Recorder) claims.Final {
	kept, err := rec.Finish()
	f.Output = claims.Output{Inline: kept.Inline, File: kept.File, Bytes: kept.Bytes, Cut: kept.Cut, Digest: kept.Digest}
	if err != nil {
		f.Outcome, f.Cause, f.ExitCode = claims.Failed, claims.HostFault, nil
		f.Reason = fmt.Sprintf("keep the output: %v", err)
	}
	return f
}

// mayStart says why a guest must not start: its claim is too old, by the wall clock, which counts a suspend, or no longer ours.
// Otherwise it gives the job's state as of the claim, with its revision. Nobody but the owner of a claim writes it, so what was read
// is that if the claim is still ours afterwards; where other claims of the job are open, it is as of now.
func (l *loop) mayStart(r *run) (*capability.State, int64, string) {
	if late := l.h.now().Sub(r.claimedAt); late > r.def.startTimeout() {
		return nil, 0, fmt.Sprintf("could not start within start_timeout = %s: %s have passed since the claim", r.def.startTimeout(), late)
	}
	entries, rev, err := l.h.cfg.Store.State(r.ctx, r.token.Job)
	if err != nil {
		return nil, 0, fmt.Sprintf("could not read the job's state: %v", err)
	}
	runs, err := l.h.cfg.Store.Runs(r.ctx, claims.RunQuery{RunID: r.token.RunID, Limit: 1})
	switch {
	case err != nil:
		return nil, 0, fmt.Sprintf("could not make sure of the claim before the start: %v", err)
	case len(runs) != 1 || runs[0].Outcome != claims.Running || runs[0].Seq != r.token.Seq:
		return nil, 0, "the claim was lost before the start"
	}
	state := make(map[string][]byte, len(entries))
	for _, e := range entries {
		state[e.Key] = e.Value
	}
	return capability.NewState(state, r.def.State), rev, ""
}

func fault(f claims.Final, now time.Time, reason string) claims.Final {
	f.Outcome, f.Cause, f.ExitCode, f.Reason, f.EndedAt = claims.Failed, claims.HostFault, nil, reason, now
	return f
}

// settle adds what the rules make of an outcome: another attempt, the repeat count, a job that disables itself.
func (l *loop) settle(r *run, f *claims.Final) {
	if f.EndedAt.IsZero() {
		f.EndedAt = l.h.now()
	}
	f.Counts = r.slot.Kind == claims.Scheduled && !f.StartedAt.IsZero()
	next := r.row.Next
	if !next.After(f.EndedAt) { // the schedule has gone on meanwhile
		if row, err := l.h.cfg.Store.Job(l.ctx, r.token.Job); err == nil {
			next = row.Next
		}
	}
	ended := claims.Ended{Outcome: f.Outcome, Cause: f.Cause, ExitCode: f.ExitCode, Attempt: r.attempt, At: f.EndedAt, Slot: r.slot, Next: next, Jitter: l.h.world.random()}
	r.gaveWay = r.def.judge(f, ended)
	if f.Cause == claims.Exit && f.ExitCode != nil && *f.ExitCode == claims.ExitDisable {
		f.Disable = fmt.Sprintf("run %s ended with exit code %d; change the plugin or its configuration", r.token.RunID, claims.ExitDisable)
	}
	if r.standsFor > 0 {
		f.Reason = firstOf(f.Reason, claims.LateReason(r.standsFor))
	}
}

// commit makes the outcome durable, and tries again until it is or the host is at its end: what cannot be committed then is an
// orphan, which the next host recovers.
func (l *loop) commit(f *claims.Final, rec *output.Recorder) (claims.Finalized, error) {
	wait := 50 * time.Millisecond
	for {
		answers, err := l.h.cfg.Store.Finalize(l.ctx, l.h.now(), []claims.Final{*f})
		if err == nil && len(answers) == 1 {
			return answers[0], nil
		}
		if l.ctx.Err() != nil || errors.Is(err, claims.ErrNewer) || errors.Is(err, claims.ErrClosed) {
			return claims.Finalized{}, err
		}
		l.h.emit(Event{Kind: TickFailed, Job: f.Job, RunID: f.RunID, Reason: "commit a run; it is tried again", Err: err})
		if errors.Is(err, syscall.ENOSPC) {
			rec.Abandon() // what the spool takes may be what the commit lacks
		}
		if unkeepable(err) && f.Output.Bytes > 0 {
			f.Output = claims.Output{Cut: f.Output.Bytes + f.Output.Cut}
			f.Outcome, f.Cause, f.ExitCode, f.State, f.Used = claims.Failed, claims.HostFault, nil, nil, nil
			f.Reason = fmt.Sprintf("keep the output: %v", err)
		}
		l.h.world.sleep(l.ctx, wait)
		wait = min(2*wait, 5*time.Second)
	}
}

// unkeepable says whether an output can never be committed: without it the outcome still can.
func unkeepable(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, fs.ErrNotExist)
}

// ended takes a run out of the loop's state and tells what it came to.
func (l *loop) ended(r *run, f claims.Final, done claims.Finalized, err error) {
	delete(l.running, r.token.RunID)
	r.mod.users--
	l.retire(r.mod)
	l.shared.mu.Lock()
	l.shared.ended[r.def.Name] = struct{}{}
	l.shared.mu.Unlock()

	e := Event{
		Kind: EndedRun, Time: f.EndedAt, Job: r.def.Name, RunID: r.token.RunID, Slot: r.slot, Attempt: r.attempt, Digest: r.mod.digest,
		Outcome: f.Outcome, Cause: f.Cause, ExitCode: f.ExitCode, Reason: f.Reason, Retry: f.Retry, Output: f.Output.Inline, Err: err,
	}
	if r.gaveWay || !f.Retry.IsZero() {
		e.Policy = claims.ByRetries
	}
	if !f.StartedAt.IsZero() {
		e.Duration = f.EndedAt.Sub(f.StartedAt)
	}
	if err != nil {
		e.Kind, e.Reason = TickFailed, "a run's outcome is not committed; it will be recovered as an orphan"
	}
	switch done.Status {
	case claims.Fenced:
		e.Kind, e.Reason, e.Retry = LateResult, "the run was given up before; nothing of it was committed", time.Time{}
	case claims.Conflicted:
		e.Outcome, e.Cause, e.Reason, e.Retry = claims.Failed, claims.StateConflict, done.Reason, f.Again
	case claims.Dropped:
		e.Outcome, e.Cause, e.Reason, e.Retry = claims.Discarded, "", "its job was removed", time.Time{}
	}
	l.h.emit(e)
	l.emitted(r, f, done)
	l.after(r, e, done)
}

// after lets the job go on.
func (l *loop) after(r *run, e Event, done claims.Finalized) {
	final := e.Retry.IsZero()
	if l.h.cfg.Only == r.slot.ID && final {
		l.finished = true
	}
	// The job may have been removed and added again meanwhile: then it is another one, which only waits for this run to be gone.
	if j := l.jobs[r.def.Name]; j != nil && j.running[r.token.RunID] == r {
		delete(j.running, r.token.RunID)
		l.setRow(j, done.Job)
		l.revive(j)
		if j.row.Disabled != "" && e.ExitCode != nil && *e.ExitCode == claims.ExitDisable {
			l.h.emit(Event{Kind: JobDisabled, Job: r.def.Name, RunID: r.token.RunID, Reason: j.row.Disabled})
		}
	}
	if !final && e.Kind == EndedRun {
		l.addPending(claims.Pending{Slot: r.slot, Attempt: r.attempt + 1, Due: e.Retry, Input: r.input, By: r.by})
	}
}
