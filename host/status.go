package host

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/wcron/wcron/claims"
)

// JobState says whether a job will run.
type JobState string

// The states.
const (
	Active    JobState = "active"    // it runs when it is due
	OnDemand  JobState = "manual"    // it has no schedule
	Compiling JobState = "compiling" // it runs once its module is there and compiled
	Broken    JobState = "broken"    // it cannot run; the reason says what to do
	Pending   JobState = "pending"   // nobody has approved what its plugin asks for; the reason says what to do
	Denied    JobState = "denied"    // somebody has denied its plugin
	Paused    JobState = "paused"
	Disabled  JobState = "disabled" // its guest asked for it with exit 78
	Finished  JobState = "done"     // its repeat limit is reached, or its schedule has no further time
)

// JobStatus is what a host knows of a job.
type JobStatus struct {
	Job      Job
	Row      claims.Job
	State    JobState
	Reason   string              // why it is not active, or why a due slot waits
	Next     time.Time           // zero: none
	Digest   string              // of the module that its next run uses
	Running  []string            // run ids
	Progress map[string]Progress // by run id, of those that have said how far they are
	Waiting  time.Time           // since when a due slot waits; zero: none does
	Queued   int                 // slots that wait since the job was busy when they were due
	Starts   time.Time           // when the slot at Next is to start: with its jitter, or in its turn of catching up
}

// Status lists the jobs by name. It returns ErrNotRunning when Run has ended.
func (h *Host) Status(ctx context.Context) ([]JobStatus, error) {
	var out []JobStatus
	err := h.do(ctx, func(l *loop) {
		waiting := map[string]*dueItem{}
		now, claim := h.now(), firstOf(h.lockedOut(), "a claim is under way")
		starts := l.turns(now)
		for _, it := range l.waiting {
			if !it.dead && waiting[it.job] == nil {
				waiting[it.job] = it
			}
		}
		for _, name := range slices.Sorted(maps.Keys(l.jobs)) {
			s := l.jobs[name].status(h.cfg.MemoryBudget)
			if at, late := starts[name]; late && at.After(s.Starts) {
				s.Starts = at
			}
			if l.claiming && s.State == Active && !s.Next.IsZero() && !s.Next.After(now) && waiting[name] == nil {
				s.Waiting, s.Reason = s.Next, firstOf(s.Reason, claim)
			}
			s.Queued = len(l.queues[name])
			if it := waiting[name]; it != nil {
				s.Waiting, s.Reason = it.at, firstOf(s.Reason, it.why)
			}
			out = append(out, s)
		}
	})
	return out, err
}

func (j *job) status(budget int64) JobStatus {
	s := JobStatus{Job: j.def, Row: j.row, Next: j.row.Next, Digest: j.def.Module.Digest, Running: slices.Sorted(maps.Keys(j.running))}
	if j.item != nil && !j.item.dead {
		s.Starts = j.item.at
	}
	if j.mod != nil {
		s.Digest = j.mod.digest
	}
	for id, r := range j.running {
		if p := r.progress.Load(); p != nil {
			if s.Progress == nil {
				s.Progress = map[string]Progress{}
			}
			s.Progress[id] = *p
		}
	}
	s.State, s.Reason = j.state(budget)
	return s
}

func (j *job) state(budget int64) (JobState, string) {
	switch why := j.refusal(budget); {
	case j.row.Disabled != "":
		return Disabled, j.row.Disabled
	case why != "":
		return j.def.refused(), why
	case j.row.Paused:
		return Paused, j.row.Reason
	case j.mod == nil, j.def.Unready != "":
		return Compiling, j.def.Unready
	case j.row.Done:
		return Finished, "its repeat limit is reached"
	case j.def.Schedule == "":
		return OnDemand, firstOf(j.def.Note, `it has no schedule; add one, for example schedule = "@hourly"`)
	case j.spec != nil && j.spec.Reboot() && j.row.Next.IsZero():
		return Active, firstOf(j.def.Note, AtStartNote)
	case j.row.Name != "" && j.row.Next.IsZero():
		return Finished, "its schedule has no further time"
	}
	if j.want != nil && j.want.err != nil {
		return Active, "the earlier module runs on: " + j.want.err.Error()
	}
	return Active, j.def.Note
}

// Load is how busy a host is.
type Load struct {
	Running      int
	MaxRuns      int   // 0: no limit
	Memory       int64 // bytes of guest memory held
	MemoryBudget int64 // 0: no limit
	Holders      []claims.Token
	Draining     bool
	Jobs         int // of the present set
	Waiting      int // due slots and attempts that have not started
}

// Load says who holds the run slots.
func (h *Host) Load(ctx context.Context) (Load, error) {
	out := Load{MaxRuns: h.cfg.MaxRuns, MemoryBudget: h.cfg.MemoryBudget}
	err := h.do(ctx, func(l *loop) {
		out.Running, out.Draining = len(l.running), l.draining
		out.Jobs, out.Waiting = len(l.jobs), len(l.waiting)
		for _, id := range slices.Sorted(maps.Keys(l.running)) {
			out.Holders = append(out.Holders, l.running[id].token)
		}
	})
	if h.budget != nil {
		out.Memory = h.budget.InUse()
	}
	return out, err
}

// Cancel ends a run of this host at once and reports whether there is one of that id.
func (h *Host) Cancel(ctx context.Context, runID string) (bool, error) {
	var found bool
	err := h.do(ctx, func(l *loop) {
		if r := l.running[runID]; r != nil {
			found = true
			r.kill(errCancelled)
		}
	})
	return found, err
}
