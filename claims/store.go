package claims

import (
	"context"
	"io"
	"time"
)

// Store is the seam between the rules and an engine. All methods are safe for concurrent use. Each write is durable when it
// returns nil (power loss included) and has changed nothing when it returns an error, unless the error is that of the context:
// then it may have landed, and the same call may be made again with the same result. An engine decides nothing but the race.
type Store interface {
	Ledger
	Membership
	History
	// Close releases all that the store holds. Calls under way end with ErrClosed or finish.
	Close() error
}

// Waiting is what a store can tell, besides, whose writes may have to wait for other processes.
type Waiting interface {
	// LockWait tells of the wait for the lock in front of every write. It does not block.
	LockWait() LockWait
}

// LockWait is a wait for other processes' writes.
type LockWait struct {
	For    time.Duration // how long the present wait has lasted, given-up tries included; 0: there is none
	Holder string        // who is waited for, such as "pid 42"; empty: not known
	Waits  int64         // how often this store had to wait since it was opened
	Total  time.Duration // and how long in all
}

// Ledger is the part that changes jobs, claims, runs and slots.
type Ledger interface {
	// Put registers the jobs of one source: see Put. It returns the rows as they are now, in the order given.
	Put(ctx context.Context, now time.Time, source string, jobs []Put) ([]Job, error)
	// Remove removes jobs of a source, and their state with them. Runs in flight go on and end as discarded; pending work is
	// skipped with the reason.
	// Names that the source does not have are passed over.
	Remove(ctx context.Context, now time.Time, source string, names []string) error
	// Claim tries each item for the owner, all in one transaction, and answers item by item in the order given. ErrFenced: the
	// owner has left, or was given up.
	Claim(ctx context.Context, now time.Time, owner string, items []Claim) ([]Claimed, error)
	// Finalize closes each item's claim if its token still holds it, and answers item by item in the order given. Items of
	// concurrent calls share a transaction. It goes on in a store that a newer version has taken over, unless that forbids it.
	Finalize(ctx context.Context, now time.Time, items []Final) ([]Finalized, error)
	// Request carries out an operator's request. Errors: ErrNoJob, ErrNoRun, ErrNotOpen.
	Request(ctx context.Context, now time.Time, r Request) error
	// Changes tells what is new since a revision (0: everything) for a host: read only, and cheap when nothing is.
	Changes(ctx context.Context, owner string, since int64) (Changes, error)
	// Prune drops the oldest ended runs of each job beyond the limits, never a claim in flight, folds their slots into rows
	// with a count, and returns the space to the disk.
	Prune(ctx context.Context, now time.Time, limits []Retain) (Pruned, error)
}

// Membership is the part that knows which processes own claims.
type Membership interface {
	// Join records the owner and takes its life-long lock; leave gives both back. The lock ends with the process at any death.
	Join(ctx context.Context, now time.Time, o Owner) (leave func(ctx context.Context, now time.Time) error, err error)
	// Renew extends the owner's lease to count from now. ErrFenced: the lock file is no longer the one that was locked.
	Renew(ctx context.Context, now time.Time, owner string) error
	// Owners lists owners that have not left, and the one that left last.
	Owners(ctx context.Context) ([]Owner, error)
	// Probe asks the engine's own oracle for an owner. A LockFree answer holds the owner's lock until Release is called, so
	// that nobody can come back as that owner meanwhile; Release is never nil and may be called more than once.
	Probe(ctx context.Context, owner string) (Probe, error)
	// LockJob takes the job's lane lock, which a run holds from before its guest starts until the guest is gone. It does not
	// wait: ErrBusy, with the holder's pid in the text where the platform tells.
	LockJob(ctx context.Context, job string, lane int) (unlock func(), err error)
}

// History is the part that reads.
type History interface {
	Jobs(ctx context.Context) ([]Job, error) // removed ones included, by name
	Job(ctx context.Context, name string) (Job, error)
	Open(ctx context.Context) ([]Open, error)       // all claims in flight, oldest first
	Pending(ctx context.Context) ([]Pending, error) // by due time
	Runs(ctx context.Context, q RunQuery) ([]Run, error)
	Slots(ctx context.Context, q SlotQuery) ([]SlotRow, error)
	// State reads a job's state by key, without keys that it does not have; a job that was removed has none. rev is the state's
	// revision, which grows with each commit that changes it. Only a run commits state, and only while it owns a claim of the
	// job: so what is read while a claim is held, and no other of the job is open, is the state as of that claim.
	State(ctx context.Context, job string) (entries []StateEntry, rev int64, err error)
	// Output opens what an ended run wrote. ErrNoRun; an empty output reads as no bytes.
	Output(ctx context.Context, runID string) (io.ReadCloser, error)
}

// Put registers a job, or changes it:
//
//   - a name that is new, or was removed: the row is made with Anchor = now and Next = First;
//   - the same Schedule, Timezone, NotBefore and NotAfter: Next and Anchor stay as they are;
//   - another one of these: Anchor = now, Next = First; what the earlier schedule had due by now is recorded as Passed says if that
//     begins with the job's Next, and else the one due time that is known as missed;
//   - another Definition: a disabled job is enabled;
//   - a job that is done, and Repeat is more than its repeats or 0: it goes on, with Anchor = now and Next = First;
//   - one that is not, and has had Repeat repeats: it is done, and what waits of its schedule is skipped, as with the Final of its last one.
//
// Where Anchor is set and the clock is behind slots of the job that are on record, Settled is the latest of these.
//
// A name that another source holds is taken over by the source that puts it last.
type Put struct {
	Name       string
	Definition string
	Schedule   string
	Timezone   string
	NotBefore  time.Time // see Job
	NotAfter   time.Time
	Repeat     int64     // limit of slots that count; 0: none
	First      time.Time // first time of the schedule after now, with now as its anchor; zero: none
	Passed     []Passed  // what became of the slots of the earlier schedule that are due by now: see Abandoned
}

// Passed is a sequence of slots of the schedule that had no run. One whose first and last slots are on record already changes nothing.
type Passed struct {
	Verdict Verdict // Missed or Skipped
	By      Policy  // whose decision it was; not kept
	Reason  string
	First   time.Time
	Last    time.Time
	Count   int64
}

// Claim asks for one slot of a job.
//
// A claim of the schedule (one with From) holds only while the job's Next equals From, the job exists, is not done, and is neither
// paused nor disabled, nor the slot its SkipAt, unless no run is wanted; it sets Next. A slot that is on record already (the schedule
// was changed back) is not run again: Next is advanced, and the answer is Passing. A claim of pending work (one without From) holds
// only while the pending row (job, slot, attempt) is there and the job exists; it removes that row and leaves Next alone. Both hold only while fewer than Lanes
// claims of the job are open: else the answer is Busy, and a claim of the schedule is passed over with IfBusy. A claim without a run
// is not stopped by an open one. The same claim made again by the same owner is Won with the same token.
//
// With Overlap queue or replace, a slot of the schedule waits instead of being passed over, as a pending row that is due at the
// slot's time; the answer is Queued. So it does when the claim has no run: the caller knows that the job is busy.
//
//   - queue: also while another slot of the job waits, so that they start in their order. When Queue slots wait already, the slot
//     is passed over with IfBusy, and the answer is Busy. Of slots that wait, only the oldest is to be had: else Busy.
//   - replace: the slots and further attempts of the schedule that wait are skipped with IfReplaced: they are Replaced in the
//     answer. While the slot has to wait itself, the cancellation of the job's open claims is asked for, with the cause replaced,
//     now and with each claim of it that is Busy. While it waits, no other pending work of the job is to be had, unless the
//     claim of it has no Overlap.
//
// Pending work of the schedule is held while the job is paused: Busy, without a Holder.
//
// A claim of pending work without a run gives it up: the row goes, the slot comes to the verdict and reason of the one in Passed
// (skipped, if it has had an attempt), and the answer is Passing. See GivesUp.
type Claim struct {
	Slot      Slot
	Attempt   int       // from 1
	RunID     string    // empty: no run, only the Passed records and the advance of Next
	Lanes     int       // how many claims of the job may be open at once; 0 means 1
	Deadline  time.Time // of the claim; zero: unlimited
	Digest    string    // the plugin's content digest
	StandsFor int64
	From      time.Time // expected Next; zero: pending work is claimed
	Next      time.Time // Next afterwards; zero: none
	Passed    []Passed  // slots before Slot.At (or up to Next when RunID is empty) that had no run
	IfBusy    string    // reason with which the slot is skipped when no lane is free and it may not wait; empty: Busy, and nothing changes

	Overlap    OverlapPolicy // empty: skip
	Queue      int           // queue: how many slots of the job may wait
	IfReplaced string        // replace: reason with which what waits is skipped in favour of this slot
	Repeat     int64         // limit of slots that count; 0: none. While those that have begun may reach it, a slot of the schedule is Busy and nothing changes
}

// GivesUp tells whether the claim gives up pending work.
func (c *Claim) GivesUp() bool { return c.RunID == "" && c.From.IsZero() && len(c.Passed) == 1 }

// ClaimStatus answers a Claim.
type ClaimStatus string

// The answers.
const (
	Won     ClaimStatus = "won"    // the run is ours; Token is set
	Passing ClaimStatus = "passed" // recorded as asked, no run was wanted
	Busy    ClaimStatus = "busy"   // a run of the job is open; the slot was passed over with IfBusy, or is pending still
	Queued  ClaimStatus = "queued" // the slot waits: it is pending
	Stale   ClaimStatus = "stale"  // the job has moved on: look at Job
)

// Claimed is the answer to a Claim.
type Claimed struct {
	Status ClaimStatus
	Token  Token
	Job    Job    // the row as it is after the transaction; zero Name: it does not exist
	Input  []byte // the pending request's input
	By     string // who asked
	Holder string // Busy, Queued: run id of an open claim; empty: something else is in the way

	Replaced []Pending // what waited and was skipped in favour of this slot
}

// Final closes a claim.
type Final struct {
	Token
	Outcome   Outcome
	Cause     Cause
	ExitCode  *int64
	Reason    string
	Evidence  string
	StartedAt time.Time
	EndedAt   time.Time
	Memory    int64
	Fuel      int64
	Output    Output
	State     []StateWrite // what the run wrote into its job's state; kept with the outcome ok, and with no other
	Used      []StateUse   // keys that the run read, wrote or deleted; those of State count as well
	StateRev  int64        // revision of the state that the run saw; 0: that as of its claim
	Retry     time.Time    // when the next attempt is due; zero: this outcome is the slot's verdict
	Again     time.Time    // the same, should the run end with a state conflict
	Emit      []Emit       // runs that start once this one has committed; with the outcome ok, and with no other
	Disable   string       // reason for which the job is disabled until its definition changes
	Counts    bool         // its guest started: its slot counts toward Repeat, unless an earlier attempt of it has
	Repeat    int64        // limit; 0: none. Reached: Next is cleared and the job is done
	Strike    Strike       // what it means for the job's failures in a row; looked at only without a Retry
	// PauseAfter is how many failures in a row pause the job, with PauseReason; 0: none do. A job that is paused already stays as it is.
	PauseAfter  int64
	PauseReason string
}

// Strike says what a slot's verdict means for the job's failures in a row.
type Strike string

// The strikes. The zero value leaves the count as it is.
const (
	StrikeOut   Strike = "failed" // one more failure
	StrikeReset Strike = "ok"     // none any more
)

// Conflicted is the strike of a run that was ok and fails with a state conflict.
func (s Strike) Conflicted() Strike {
	if s == StrikeReset {
		return StrikeOut
	}
	return s
}

// StateWrite is a change of one key of a job's state.
type StateWrite struct {
	Key    string
	Value  []byte
	Delete bool // the key goes; Value is not looked at
}

// Emit is a run of a job that another run starts by its commit, as a request would. A job that does not exist or is paused gets none,
// nor one of which MaxEmitted runs wait.
type Emit struct {
	Job   string
	ID    string // makes the slot's id unique; short
	Input []byte // JSON; nil: the job's own
	By    string
}

// Unsent is an Emit that was not made.
type Unsent struct {
	Emit
	Why string
}

// StateUse names what a run used of its job's state.
type StateUse struct {
	Key    string
	Prefix bool // all keys that begin with Key, those that are not there included
}

// FinalStatus answers a Final.
type FinalStatus string

// The answers.
const (
	Done         FinalStatus = "done"          // committed
	AlreadyFinal FinalStatus = "already_final" // our own earlier try landed: the same outcome at the same time
	Fenced       FinalStatus = "fenced"        // somebody else closed it: nothing was committed, a note was left
	Dropped      FinalStatus = "discarded"     // the job was removed meanwhile: the run is closed as discarded

	// The run was ok, and another run has committed a key of the state that this one used since it saw it. The run is closed as
	// failed with the cause state_conflict, its state is dropped, and Again is when the next attempt is due.
	Conflicted FinalStatus = "state_conflict"
)

// Finalized is the answer to a Final.
type Finalized struct {
	Status FinalStatus
	Job    Job    // the row as it is after the transaction
	Reason string // Conflicted: which key, and who changed it
	Unsent []Unsent
}

// RequestKind names what an operator asks for.
type RequestKind string

// The requests.
const (
	Pause   RequestKind = "pause"
	Resume  RequestKind = "resume"
	Trigger RequestKind = "trigger"  // one manual run
	Cancel  RequestKind = "cancel"   // the owner of the run is to end it
	Fill    RequestKind = "backfill" // one run for each of Times
	Unfill  RequestKind = "unfill"   // what waits of a backfill is skipped, with the reason
	Skip    RequestKind = "skip"     // the slot at At is passed over
	Unskip  RequestKind = "unskip"   // it is not
	Start   RequestKind = "start"    // one run because a host has started, once for each host and time
)

// Request is what an operator asks for, or with Start a host. Pausing a paused job, resuming a running one and cancelling twice change
// nothing. Resuming a job sets its failures in a row to zero. The slot of a Start is skipped with the reason where the job is paused,
// disabled or done, or the request gives a Reason.
type Request struct {
	Kind   RequestKind
	Job    string      // all but cancel
	RunID  string      // cancel
	ID     string      // trigger, backfill: makes the slots' ids unique; short. start: the host's id
	Input  []byte      // trigger: JSON; nil: the job's own
	At     time.Time   // skip
	Times  []time.Time // backfill: in the order in which they are to run
	By     string
	Reason string // pause, skip, unfill
}

// Changes is what is new for a host.
type Changes struct {
	Rev     int64
	Jobs    []Job     // rows that changed
	Pending []Pending // rows that are new
	Cancels []Open    // own claims whose cancellation was asked for
	Foreign []Open    // open claims of other owners
	Schema  int       // the store's schema version as it is now
}

// Retain says how much history of a job is kept.
type Retain struct {
	Job   string
	Runs  int64 // newest ended runs; 0: no limit
	Bytes int64 // of their outputs together; 0: no limit
}

// Pruned says what a Prune did.
type Pruned struct {
	Runs  int64
	Bytes int64
}

// RunQuery selects runs, newest first.
type RunQuery struct {
	Job    string // empty: all
	RunID  string // empty: all; a unique prefix of at least 4 characters will do
	Slot   string // slot id; empty: all
	Before time.Time
	Limit  int // 0: 100; negative: all
}

// SlotQuery selects slot rows, newest first.
type SlotQuery struct {
	Job    string // empty: all
	Before time.Time
	Since  time.Time
	Limit  int // 0: 100; negative: all
}

// Probe is what the engine's oracle says of an owner.
type Probe struct {
	Lock    LockState
	Reason  string // a sentence for an operator
	Release func()
}

// LockState is what became of the try to take an owner's lock.
type LockState string

// The states.
const (
	LockHeld    LockState = "held"    // somebody holds it: the owner lives
	LockFree    LockState = "free"    // it was to be had: the owner is dead
	LockMissing LockState = "missing" // there is no such lock: the record is of another store or an older version
)
