package guest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/wcron/wcron/guest/internal/host"
)

// Exit codes that mean something to wcron. 0 is ok, and every other one is a failure.
const (
	ExitRetry   = 75 // the slot gets another attempt, as far as the job's retries reach
	ExitDisable = 78 // the job is disabled until its plugin or its configuration changes
)

// Event is what a run is told of itself.
type Event struct {
	Job         string          `json:"job"`
	Schedule    string          `json:"schedule"` // empty: the job runs by hand alone
	Timezone    string          `json:"timezone"`
	RunID       string          `json:"run_id"`       // of this attempt
	Slot        string          `json:"slot"`         // the same for each attempt and for nothing else: an idempotency key
	ScheduledAt time.Time       `json:"scheduled_at"` // when the slot was due, in UTC
	StartedAt   time.Time       `json:"started_at"`
	Attempt     int             `json:"attempt"` // 1 is the first
	Missed      int             `json:"missed"`  // for how many further slots this run stands
	Manual      bool            `json:"manual"`
	Deadline    time.Time       `json:"deadline"` // zero: there is none
	Last        *Last           `json:"last"`     // nil: no run of the job has ended yet
	Input       json.RawMessage `json:"input"`    // see Decode
}

// Last is the last run of the job that has ended.
type Last struct {
	RunID   string    `json:"run_id"`
	Outcome string    `json:"outcome"` // ok, failed, timeout, trapped, killed, orphaned or discarded
	EndedAt time.Time `json:"ended_at"`
}

// ReadEvent reads the run's event from its standard input, to the end.
func ReadEvent(stdin io.Reader) (Event, error) {
	text, err := io.ReadAll(stdin)
	if err != nil {
		return Event{}, fmt.Errorf("read the event: %w", err)
	}
	var e Event
	if err := json.Unmarshal(text, &e); err != nil {
		return Event{}, fmt.Errorf("read the event: %w; is this run by wcron?", err)
	}
	return e, nil
}

// Decode reads the event's input into what v points to. Where there is no input v stays as it is, so that it can hold the defaults.
// A key of the input that v has no place for is an error, and so is a value of another type.
func (e Event) Decode(v any) error {
	if len(e.Input) == 0 || string(e.Input) == "null" { // null would empty a slice or a map that holds the defaults
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(e.Input))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("the job's input: %w", err)
	}
	return nil
}

// CurrentEvent asks the host for the event, as often as one likes: for functions of a reactor, and where the standard input is used
// for something else.
func CurrentEvent() (Event, error) {
	now, err := moment()
	return now.Event, err
}

// Remaining tells how long the run has until its deadline, never less than 0; limited is false if it has none.
func Remaining() (left time.Duration, limited bool, err error) {
	now, err := moment()
	if err != nil || now.RemainingMS == nil {
		return 0, false, err
	}
	return time.Duration(*now.RemainingMS) * time.Millisecond, true, nil
}

type momentAnswer struct {
	Event       Event  `json:"event"`
	RemainingMS *int64 `json:"remaining_ms"`
	failure
}

func moment() (a momentAnswer, err error) { return a, ask("wcron_event", host.Event, struct{}{}, &a) }
