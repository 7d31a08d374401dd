package claims

// Outcome is what an attempt came to.
type Outcome string

// The outcomes. Running is the outcome of an open run; every other one is final.
const (
	Running   Outcome = "running"
	OK        Outcome = "ok"
	Failed    Outcome = "failed"
	Timeout   Outcome = "timeout"
	Trapped   Outcome = "trapped"
	Killed    Outcome = "killed"
	Orphaned  Outcome = "orphaned"
	Discarded Outcome = "discarded"
)

// Cause tells outcomes of the same name apart.
type Cause string

// The causes, by the outcome that they belong to.
const (
	Exit          Cause = "exit"           // failed: the guest's own exit code
	HostFault     Cause = "host_fault"     // failed: the host could not run it or keep its output
	StateConflict Cause = "state_conflict" // failed: a key that it used has changed since its claim
	Deadline      Cause = "deadline"       // timeout
	Trap          Cause = "trap"           // trapped
	OutOfMemory   Cause = "out_of_memory"  // trapped
	Fuel          Cause = "fuel"           // killed
	Cancelled     Cause = "cancelled"      // killed
	Replaced      Cause = "replaced"       // killed
	Shutdown      Cause = "shutdown"       // killed
	MemoryBudget  Cause = "memory_budget"  // killed
)

// Verdict is what a slot came to: the outcome of its last attempt, or missed, or skipped. The empty verdict is that of a slot
// which is running or waits for its next attempt.
type Verdict string

// The verdicts of slots that had no run.
const (
	Missed  Verdict = "missed"
	Skipped Verdict = "skipped"
)

// Kind tells why a slot exists.
type Kind string

// The kinds of slots.
const (
	Scheduled Kind = "schedule" // a time of the job's schedule
	Manual    Kind = "manual"   // somebody asked for a run; it does not move the schedule
	AtStart   Kind = "start"    // a host has started; it does not move the schedule
	Backfill  Kind = "backfill" // somebody asked for the run of a time that has passed; nor does it
)

// Policy names the rule that decided about a slot: one word of a bounded set, for counting.
type Policy string

// The policies that pass a slot over, or decide when it starts.
const (
	ByMissed           Policy = "missed"            // no host was there for it, or late
	ByMissedLimit      Policy = "missed_limit"      // more slots than are made up for
	ByMissedWindow     Policy = "missed_window"     // too old to be made up for
	ByStartingDeadline Policy = "starting_deadline" // too late to start
	ByPause            Policy = "pause"             // in a pause that an operator began
	ByPauseAfter       Policy = "pause_after"       // too many failures in a row
	ByOverlap          Policy = "overlap"           // an earlier run was in its way
	ByBroken           Policy = "broken"            // the job cannot run
	BySkip             Policy = "skip"              // an operator wanted this slot skipped
	BySchedule         Policy = "schedule"          // the schedule was changed
	ByRetries          Policy = "retries"           // another attempt, or none although one was allowed
	ByCatchUp          Policy = "catch_up"          // a late start that waited for its turn
	ByJitter           Policy = "jitter"            // a start that was delayed on purpose
)

// Guest exit codes with a meaning of their own.
const (
	ExitRetry   = 75 // ask for another attempt, as far as the job's retries reach
	ExitDisable = 78 // disable the job until its plugin or its configuration changes
)
