package admin

import (
	"context"
	"encoding/json"
	"io"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/host"
)

// API is what an operator may ask. All methods are safe for concurrent use. Errors wrap claims.ErrNoJob, claims.ErrNoRun,
// claims.ErrNotOpen, ErrCannotRun and ErrInput where the question is at fault, ErrUnreachable where a host cannot be asked, and are those of
// the ledger else; the other results are zero then.
type API interface {
	// Status lists the hosts that run on the ledger, and says which one answers.
	Status(ctx context.Context) (Status, error)
	// Jobs lists the present jobs by name.
	Jobs(ctx context.Context) ([]Job, error)
	// Runs selects runs, newest first. None that fits is no error; a prefix of several run ids is an ErrInput.
	Runs(ctx context.Context, q claims.RunQuery) ([]Run, error)
	// Slots selects slots, newest first.
	Slots(ctx context.Context, q claims.SlotQuery) ([]Slot, error)
	// Do carries out a request. It is durable when Do returns; the owning host acts on it within a second.
	Do(ctx context.Context, r Request) (Answer, error)
	// Output copies what a run wrote to w. runID may be a unique prefix of at least 4 characters. Of a running run it copies what
	// can be read now and, if follow is true, all that comes until the run ends. It returns ctx's error when ctx ends.
	Output(ctx context.Context, runID string, follow bool, w io.Writer) error
}

// RunQuery says which runs are meant. It is the ledger's own.
type RunQuery = claims.RunQuery

// SlotQuery says which slots are meant. It is the ledger's own.
type SlotQuery = claims.SlotQuery

// Request is what an operator asks for. Fields that the kind does not use are ignored.
type Request struct {
	Kind   claims.RequestKind `json:"kind"`
	Job    string             `json:"job,omitempty"`    // all but cancel
	RunID  string             `json:"run_id,omitempty"` // cancel: an id or a unique prefix of at least 4 characters
	Input  json.RawMessage    `json:"input,omitempty"`  // trigger: the event's input; none: the job's own
	By     string             `json:"by,omitempty"`     // who asks
	Reason string             `json:"reason,omitempty"` // pause, skip
	From   time.Time          `json:"from,omitzero"`    // backfill: the earliest time that is run
	To     time.Time          `json:"to,omitzero"`      // backfill: the latest one; zero, or in the future: now
	Dry    bool               `json:"dry,omitempty"`    // backfill: say what would run, and ask for nothing
	// Force makes cancel close the run in the ledger when its owner has not ended it within ForceAfter. The owner can commit
	// nothing of it any more. The guest itself runs on until its host notices or dies, and the job's lock keeps a new run of
	// the job from starting until then.
	Force bool `json:"force,omitempty"`
}

// ForceAfter is how long a forced cancel waits for the run's owner to act.
const ForceAfter = 2 * time.Second

// Answer says what a request came to.
type Answer struct {
	Job         string    `json:"job"`
	RunID       *string   `json:"run_id"`       // cancel
	Slot        *string   `json:"slot"`         // trigger: the id of the slot that will run; skip: of the one that will not
	ScheduledAt time.Time `json:"scheduled_at"` // trigger, skip: the slot's time; else that of the request
	Note        *string   `json:"note"`         // what a person should know besides

	Dry   bool        `json:"dry,omitempty"`   // backfill: nothing was asked for
	Times []time.Time `json:"times,omitempty"` // backfill: what runs, in this order
	Slots []string    `json:"slots,omitempty"` // backfill: the ids of those slots
}

// Config is what Direct and Served work with. Store is required.
type Config struct {
	Store claims.Store
	// Jobs is the present set of jobs. nil: none are defined here, and all in the ledger belong to others.
	Jobs func() []host.Job
	// Plugin is the path of a job's module in the plugin folder. nil: not known.
	Plugin func(job string) string
	// Access is what a job's plugin asks for and what came of it, and what to do about what is wrong with the job; "": nothing.
	// nil: not known.
	Access func(job string) (a *Access, remedy string)
	// Source is the name of the job set in the ledger, host.Config.Source. Empty: "default".
	Source string
	// Zone is the present time zone of jobs that name none, for people. nil: "UTC".
	Zone func() string
	// Spool is where runs spool their output. Empty: a run's output is readable only after its end.
	Spool string
	// Reload reads the files that define the jobs again, and returns when Jobs has them. It reports false while some are
	// left alone because they are being written. nil: there are none.
	Reload func() (settled bool)
	// Metrics writes the host's metrics in the text format of Prometheus. nil: there are none.
	Metrics func(w io.Writer) error
	// Now is the clock. nil: time.Now.
	Now func() time.Time
}
