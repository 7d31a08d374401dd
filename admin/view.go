package admin

import (
	"time"

	"github.com/wcron/wcron/claims"
)

// The views are a public contract: field names, units and meaning stay. A nil pointer is null: there is none, or it is not known.

// Run is one attempt at a slot.
type Run struct {
	RunID       string     `json:"run_id"`
	Job         string     `json:"job"`
	Slot        string     `json:"slot"`
	ScheduledAt time.Time  `json:"scheduled_at"`
	StartedAt   *time.Time `json:"started_at"` // of the guest; null: it never did, or it has not ended
	EndedAt     *time.Time `json:"ended_at"`
	LatenessMS  *int64     `json:"lateness_ms"` // from scheduled_at to started_at
	DurationMS  *int64     `json:"duration_ms"` // from started_at to ended_at
	Attempt     int        `json:"attempt"`
	Outcome     string     `json:"outcome"` // "running" while it is open
	Cause       *string    `json:"cause"`
	ExitCode    *int64     `json:"exit_code"`
	Reason      *string    `json:"reason"`
	Owner       string     `json:"owner"`
	Fuel        *int64     `json:"fuel"` // what the guest computed; null: not known
	OutputBytes int64      `json:"output_bytes"`
	Partial     bool       `json:"partial"` // the output is what a recovery could still find

	Evidence       *string    `json:"evidence"` // orphaned: what showed that the owner was gone
	Digest         string     `json:"digest"`   // SHA-256 of the module
	StandsFor      int64      `json:"stands_for"`
	LateAt         *time.Time `json:"late_at"` // a result came after the run was closed, and was not committed
	LateOutcome    *string    `json:"late_outcome"`
	OutputCutBytes int64      `json:"output_cut_bytes"` // written and not kept
	MemoryBytes    int64      `json:"memory_bytes"`     // peak of the guest
	ClaimedAt      time.Time  `json:"claimed_at"`
	Manual         bool       `json:"manual"`   // somebody asked for it
	AtStart        bool       `json:"at_start"` // a host had started (@reboot)
	Backfill       bool       `json:"backfill"` // it makes up for a time that had passed
}

// RunView makes the view of a run.
func RunView(r claims.Run) Run {
	v := Run{
		RunID: r.RunID, Job: r.Job, Slot: r.Slot.ID, ScheduledAt: r.Slot.At.UTC(), StartedAt: instant(r.StartedAt), EndedAt: instant(r.EndedAt),
		Attempt: r.Attempt, Outcome: string(r.Outcome), Cause: word(r.Cause), ExitCode: r.ExitCode, Reason: word(r.Reason), Owner: r.Owner,
		OutputBytes: r.Output.Bytes, Partial: r.Output.Partial, Evidence: word(r.Evidence), Digest: r.Digest, StandsFor: r.StandsFor,
		LateAt: instant(r.LateAt), LateOutcome: word(r.Late), OutputCutBytes: r.Output.Cut, MemoryBytes: r.Memory,
		ClaimedAt: r.ClaimedAt.UTC(), Manual: r.Slot.Kind == claims.Manual, AtStart: r.Slot.Kind == claims.AtStart, Backfill: r.Slot.Kind == claims.Backfill,
	}
	if r.Fuel > 0 {
		v.Fuel = &r.Fuel
	}
	if !r.StartedAt.IsZero() {
		v.LatenessMS = new(r.StartedAt.Sub(r.Slot.At).Milliseconds())
		if !r.EndedAt.IsZero() {
			v.DurationMS = new(r.EndedAt.Sub(r.StartedAt).Milliseconds())
		}
	}
	return v
}

// Slot is a slot, or a sequence of slots of one job that came to the same.
type Slot struct {
	Job         string    `json:"job"`
	Slot        string    `json:"slot"`
	ScheduledAt time.Time `json:"scheduled_at"`
	Verdict     *string   `json:"verdict"` // null: it is running, or waits for its next attempt
	Reason      *string   `json:"reason"`
	Count       int64     `json:"count"` // slots that this line stands for
	Until       time.Time `json:"until"` // time of the last of them
	RunIDs      []string  `json:"run_ids"`
}

// SlotView makes the view of a slot.
func SlotView(r claims.SlotRow) Slot {
	v := Slot{
		Job: r.Slot.Job, Slot: r.Slot.ID, ScheduledAt: r.Slot.At.UTC(), Verdict: word(r.Verdict), Reason: word(r.Reason), Count: max(r.Count, 1),
		Until: r.Until.UTC(), RunIDs: r.RunIDs,
	}
	if v.RunIDs == nil {
		v.RunIDs = []string{}
	}
	return v
}

// Job is a job of the present set, or one that another set has in the same ledger.
type Job struct {
	Job         string     `json:"job"`
	Plugin      *string    `json:"plugin"`   // path in the plugin folder
	Digest      string     `json:"digest"`   // of the module that its next run uses
	State       string     `json:"state"`    // a host.JobState, "pending" or "denied"
	Schedule    *string    `json:"schedule"` // several schedules have semicolons between them
	Timezone    string     `json:"timezone"`
	NextAt      *time.Time `json:"next_at"` // in the past: due since then
	LastOutcome *string    `json:"last_outcome"`
	LastRunID   *string    `json:"last_run_id"`
	Reason      *string    `json:"reason"` // why it is not active, or why a due slot waits

	Running      []string   `json:"running"`       // run ids
	Progress     []Progress `json:"progress"`      // of the runs of the host that answers, as far as they have told
	WaitingSince *time.Time `json:"waiting_since"` // a slot is due since then and has not started
	Note         *string    `json:"note"`
	DST          string     `json:"dst"`      // what fixed times do when the clock changes
	Warnings     []string   `json:"warnings"` // about the schedule: what is legal and perhaps not meant
	LastEndedAt  *time.Time `json:"last_ended_at"`
	Source       string     `json:"source"` // the job set that it belongs to

	StartsAt   *time.Time `json:"starts_at"`   // when the slot at next_at is to start: later than that with jitter, or in its turn of catching up
	SkipAt     *time.Time `json:"skip_at"`     // the slot that an operator wants skipped, while it is still to come
	SkipReason *string    `json:"skip_reason"` // its reason
	Queued     int        `json:"queued"`      // slots that wait since the job was busy when they were due
	Policies   *Policies  `json:"policies"`    // null: another job set defines them

	Remedy *string `json:"remedy"` // what a person can do about Reason or Note
	Access *Access `json:"access"` // null: not known
}

// States of an Access.
const (
	Granted = "granted"
	Pending = "pending"
	Denied  = "denied"
)

// Access is what a job's plugin asks for, and what came of it.
type Access struct {
	State     string     `json:"state"`     // Granted, Pending or Denied
	Requested []Ask      `json:"requested"` // by the version in use; of a job that does not run: by the one that is there
	Denied    []Ask      `json:"denied"`    // requested and not granted
	By        *string    `json:"by"`        // whose decision it is
	At        *time.Time `json:"at"`
	Update    *Update    `json:"update"` // a version that is there and not in use
}

// Ask is one thing that a plugin asks for.
type Ask struct {
	Kind   string `json:"kind"` // "http", "secrets", "state", "dir" or "emit"
	What   string `json:"what"`
	Reason string `json:"reason"` // the author's
}

// Update is a version of a plugin that is there while an earlier one goes on.
type Update struct {
	Digest string `json:"digest"`
	More   []Ask  `json:"more"` // what it asks for beyond the version in use
	Less   []Ask  `json:"less"` // what it asks for no more
	Denied bool   `json:"denied"`
}

// Progress is how far a run says that it is.
type Progress struct {
	RunID   string    `json:"run_id"`
	Percent *float64  `json:"percent"` // null: it has not said
	Text    string    `json:"text"`
	At      time.Time `json:"at"`
}

// Status says who works on the ledger.
type Status struct {
	Hosts      []HostInfo `json:"hosts"`        // that live, newest first
	LastSeenAt *time.Time `json:"last_seen_at"` // when none lives: until when one did
	Instance   *string    `json:"instance"`     // the host that answers; null: the ledger was read directly
	Source     string     `json:"source"`       // its job set
	Timezone   string     `json:"timezone"`     // of jobs that name none
	Load       *Load      `json:"load"`         // of the host that answers
	NotReady   []string   `json:"not_ready"`    // why the host that answers could not start a run now
}

// HostInfo is a host that lives, or at least is not known to be dead.
type HostInfo struct {
	Instance  string    `json:"instance"`
	PID       int       `json:"pid"`
	Machine   string    `json:"machine"`
	Version   string    `json:"version"`
	Socket    *string   `json:"socket"`
	StartedAt time.Time `json:"started_at"`
	SeenAt    time.Time `json:"seen_at"` // its latest sign of life in the ledger
	Running   int       `json:"running"` // claims that it has open
	Answers   bool      `json:"answers"` // on its socket
	Reason    *string   `json:"reason"`  // why it counts as living although it does not answer
}

// Load is how busy a host is.
type Load struct {
	Running           int      `json:"running"`
	MaxRuns           int      `json:"max_runs"` // 0: no limit
	MemoryBytes       int64    `json:"memory_bytes"`
	MemoryBudgetBytes int64    `json:"memory_budget_bytes"` // 0: no limit
	Draining          bool     `json:"draining"`
	Holders           []Holder `json:"holders"`
	LockWaits         int64    `json:"lock_waits"`   // for the ledger's lock, since the host was started
	LockWaitMS        int64    `json:"lock_wait_ms"` // of all these
}

// Holder is a run that takes a run slot.
type Holder struct {
	Job   string `json:"job"`
	RunID string `json:"run_id"`
}

// instant is nil for the zero time.
func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC())
}

// word is nil for the empty text.
func word[T ~string](s T) *string {
	if s == "" {
		return nil
	}
	return new(string(s))
}
