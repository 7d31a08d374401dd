package claims

import (
	"fmt"
	"time"
)

// Times in these records are UTC with millisecond precision; the zero time means none.

// Job is the ledger's record of a job.
type Job struct {
	Name       string
	Source     string    // the job set that registered it; one set never removes another's jobs
	Seq        int64     // fencing counter: grows with every claim and with every removal
	Born       int64     // Seq when the job was added: claims with this or a lower one are of a predecessor of the same name
	Definition string    // digest of all that a guest's exit 78 is bound to; a change enables the job again
	Schedule   string    // canonical text; empty: runs only when asked for
	Timezone   string    // IANA name that the schedule is read in
	NotBefore  time.Time // the schedule has no times before this one; zero: no bound
	NotAfter   time.Time // nor after this one; zero: no bound
	Anchor     time.Time // since when this schedule is in force
	Settled    time.Time // slots up to here are of an earlier schedule: the latest on record when this one came into force, if later than Anchor; zero: none
	Next       time.Time // next due time; zero: none
	Paused     bool
	PausedAt   time.Time // begin of the present or latest pause
	ResumedAt  time.Time // end of the latest pause
	Reason     string    // why it is paused, as the operator said
	Disabled   string    // why it is disabled; empty: it is not
	SkipAt     time.Time // the slot that an operator wants skipped; zero, or a time that has passed: none
	SkipReason string    // its reason
	Failures   int64     // slots in a row that failed, up to now: see Strike
	Repeats    int64     // slots that counted toward repeat since the job was added
	Done       bool      // its repeat limit is reached
	LastRun    string    // run id of the attempt whose end was recorded last
	Last       Outcome   // its outcome
	LastEnded  time.Time
	Removed    time.Time // when it was removed; zero: it exists
	Lanes      int       // the most claims at once that it was ever claimed with: so many of its lane locks may be held; at least 1
	Rev        int64     // the store's revision at which this row changed last
}

// Slot names the thing that must run at most once.
type Slot struct {
	ID   string // the idempotency key that the guest sees
	Job  string
	At   time.Time // scheduled time, or the time of the request
	Kind Kind
}

// ScheduledSlot is the slot of a job's scheduled time.
func ScheduledSlot(job string, at time.Time) Slot {
	return Slot{ID: fmt.Sprintf("%s@%s", job, at.UTC().Format(time.RFC3339)), Job: job, At: at, Kind: Scheduled}
}

// ManualSlot is the slot of one request for a run; id makes two requests of the same second two slots.
func ManualSlot(job string, at time.Time, id string) Slot {
	return Slot{ID: fmt.Sprintf("%s@%s#%s", job, at.UTC().Format(time.RFC3339), id), Job: job, At: at, Kind: Manual}
}

// StartSlot is the slot of a job's run at the start of a host; instance is the host's id.
func StartSlot(job string, at time.Time, instance string) Slot {
	return Slot{ID: fmt.Sprintf("%s@%s#start-%s", job, at.UTC().Format(time.RFC3339), instance), Job: job, At: at, Kind: AtStart}
}

// BackfillSlot is the slot of one request to run a time that has passed; id makes two requests for the same time two slots.
func BackfillSlot(job string, at time.Time, id string) Slot {
	return Slot{ID: fmt.Sprintf("%s@%s#%s", job, at.UTC().Format(time.RFC3339), id), Job: job, At: at, Kind: Backfill}
}

// Token fences the writes of one claim.
type Token struct {
	Job   string
	Seq   int64
	RunID string
}

// Open is a claim in flight.
type Open struct {
	Token
	Slot      Slot
	Attempt   int
	Owner     string // instance id
	ClaimedAt time.Time
	Deadline  time.Time // zero: unlimited
	Cancel    time.Time // when its cancellation was asked for; zero: it was not
	CancelBy  string    // who asked; the slot's id with CancelFor Replaced
	CancelFor Cause     // Cancelled or Replaced; empty while its cancellation was not asked for
	Lanes     int       // how many claims of the job were allowed at once when it was made
}

// Pending is work that is due apart from the schedule: a manual request, a time that is made up for, the next attempt of a slot, or a
// slot that waits because its job was busy when it was due.
type Pending struct {
	Slot      Slot
	Attempt   int // the attempt that this will be, from 1
	Due       time.Time
	Input     []byte // JSON given with a manual request; nil: the job's own input
	By        string // who asked
	StandsFor int64  // further slots that were passed over and that the run will stand for
	Rev       int64
}

// Output is what a run wrote. Exactly one of Inline and File carries it when Bytes is not zero.
type Output struct {
	Inline  []byte
	File    string // path of a synced file that the engine takes over with the commit
	Bytes   int64  // length of what was kept
	Cut     int64  // bytes that were written and not kept
	Digest  string // SHA-256 of what was kept, in hex; empty when Bytes is zero
	Partial bool   // recovered from what a dead owner had written so far
}

// Run is one attempt at a slot.
type Run struct {
	Token
	Slot      Slot
	Attempt   int
	Owner     string
	Digest    string // the plugin's content digest
	ClaimedAt time.Time
	StartedAt time.Time // when the guest started; zero: it never did, or is not known
	EndedAt   time.Time
	Deadline  time.Time
	Outcome   Outcome
	Cause     Cause
	ExitCode  *int64
	Reason    string
	Evidence  string // of a recovery: what showed that the owner was gone
	StandsFor int64  // further slots that were passed over and that this run stands for
	Memory    int64  // peak of the guest's memory in bytes
	Fuel      int64  // what the guest computed, in the sandbox's unit; 0: not known
	Counted   *bool  // its slot counted toward the job's repeats; nil: the run is open, or the store is older than this word
	Output    Output // without Inline: read it with History.Output
	LateAt    time.Time
	Late      Outcome // the result that came after the run was closed; nothing of it was committed but its output
}

// StateEntry is one key of a job's state.
type StateEntry struct {
	Token // of the run that wrote it
	Key   string
	Value []byte
}

// SlotRow is a slot, or a sequence of slots of one job that came to the same verdict.
type SlotRow struct {
	Slot    Slot
	Verdict Verdict // empty: running, or waiting for its next attempt
	Reason  string
	Count   int64     // how many slots this row stands for, at least 1
	Until   time.Time // the last one's time; equal to Slot.At when Count is 1
	RunIDs  []string  // the runs that are still in history, oldest first
}

// Owner is a host process.
type Owner struct {
	ID       string // instance id
	PID      int
	Host     string // machine name, for people
	Evidence []byte // fingerprint, as fingerprint.Evidence.Encode writes it
	Socket   string // path of its operator socket; empty: it has none
	Version  string
	Started  time.Time
	Seen     time.Time // last renewal: its lease counts from here
	Left     time.Time // when it ended in order; zero: it runs, or it died
}
