package host

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/wcron/wcron/claims"
)

// guestEvent is what a guest reads on stdin. Times are RFC 3339 in UTC.
type guestEvent struct {
	Job         string          `json:"job"`
	Schedule    string          `json:"schedule,omitempty"`
	Timezone    string          `json:"timezone,omitempty"`
	RunID       string          `json:"run_id"`
	Slot        string          `json:"slot"`
	ScheduledAt time.Time       `json:"scheduled_at"`
	StartedAt   time.Time       `json:"started_at"`
	Attempt     int             `json:"attempt"`
	Missed      int64           `json:"missed"` // further slots that this run stands for
	Manual      bool            `json:"manual"`
	Backfill    bool            `json:"backfill"` // somebody asked for this time, which has passed
	Deadline    *time.Time      `json:"deadline"` // null: none
	Last        *lastRun        `json:"last"`     // null: this is the first run that ended
	Input       json.RawMessage `json:"input"`
}

type lastRun struct {
	RunID   string    `json:"run_id"`
	Outcome string    `json:"outcome"`
	EndedAt time.Time `json:"ended_at"`
}

// event makes what the guest is told: the event on stdin, and the same in variables.
func (l *loop) event(r *run, started time.Time) (stdin []byte, env []string) {
	e := guestEvent{
		Job: r.def.Name, Schedule: oneLine(r.def.Schedule), Timezone: r.row.Timezone, RunID: r.token.RunID, Slot: r.slot.ID,
		ScheduledAt: r.slot.At.UTC(), StartedAt: started, Attempt: r.attempt, Missed: r.standsFor,
		Manual: r.slot.Kind == claims.Manual, Backfill: r.slot.Kind == claims.Backfill, Input: r.def.Input,
	}
	if r.input != nil {
		e.Input = r.input
	}
	if e.Input == nil {
		e.Input = json.RawMessage("null")
	}
	var deadline string
	if t := r.def.timeout(); t > 0 {
		at := started.Add(t)
		e.Deadline, deadline = &at, at.Format(time.RFC3339Nano)
	}
	if r.row.LastRun != "" {
		e.Last = &lastRun{RunID: r.row.LastRun, Outcome: string(r.row.Last), EndedAt: r.row.LastEnded.UTC()}
	}
	stdin, err := json.Marshal(e)
	if err != nil { // only an Input that is no JSON can do this
		e.Input = json.RawMessage("null")
		stdin, _ = json.Marshal(e)
	}
	for _, k := range slices.Sorted(maps.Keys(r.def.Env)) {
		env = append(env, k+"="+r.def.Env[k])
	}
	return append(stdin, '\n'), append(env,
		"WCRON_JOB="+r.def.Name,
		"WCRON_RUN_ID="+r.token.RunID,
		"WCRON_SLOT="+r.slot.ID,
		"WCRON_SCHEDULED_AT="+r.slot.At.UTC().Format(time.RFC3339Nano),
		"WCRON_ATTEMPT="+strconv.Itoa(r.attempt),
		"WCRON_MISSED="+strconv.FormatInt(r.standsFor, 10),
		"WCRON_DEADLINE="+deadline,
	)
}
