package sandbox

import (
	"context"
	"errors"
	"fmt"
)

// Outcome is what a run came to.
type Outcome string

// The outcomes.
const (
	OK      Outcome = "ok"      // the guest returned, or exited with 0
	Failed  Outcome = "failed"  // the guest exited with another code, or the host could not serve it
	Timeout Outcome = "timeout" // the deadline passed
	Trapped Outcome = "trapped" // the guest did what the machine does not allow
	Killed  Outcome = "killed"  // it was ended from outside for another reason than its deadline
)

// Cause says more about an outcome. It is empty for OK.
type Cause string

// The causes, each with the outcome that it belongs to.
const (
	Exit         Cause = "exit"          // failed: an exit code other than 0
	HostFault    Cause = "host_fault"    // failed: not the guest's doing
	Deadline     Cause = "deadline"      // timeout
	Trap         Cause = "trap"          // trapped
	OutOfMemory  Cause = "out_of_memory" // trapped: after a growth was refused at the run's own limit
	FuelLimit    Cause = "fuel"          // killed: Run.Fuel was used up
	Cancelled    Cause = "cancelled"     // killed: the context ended with ErrCancelled, or a cause unknown here
	Replaced     Cause = "replaced"      // killed: the context ended with ErrReplaced
	Shutdown     Cause = "shutdown"      // killed: the context ended with ErrShutdown
	MemoryBudget Cause = "memory_budget" // killed: the shared budget was used up
)

// Causes for context.CancelCauseFunc: they choose the cause of a run that is killed.
var (
	ErrCancelled = errors.New("the run was cancelled")
	ErrReplaced  = errors.New("the run was replaced by a newer one")
	ErrShutdown  = errors.New("the host is shutting down")
)

// errDeadline is the cause of a context whose Run.Timeout has passed.
var errDeadline = errors.New("the deadline passed")

// Result is what is known of a run once it is over.
type Result struct {
	Outcome    Outcome
	Cause      Cause
	ExitCode   uint32 // as the guest gave it, unmasked; meaningful if HasExit
	HasExit    bool   // the guest ended by itself: it exited, or its entry point returned
	Reason     string // one printable line of at most 1 KiB, for people; empty for OK
	MemoryPeak int64  // the most memory the guest had, in bytes
	Started    bool   // guest code may have run

	// Fuel is what the guest computed: about one unit for each simple instruction, and more for slow ones, for calls and
	// for moving memory. It is the same for each run of the same module that is given the same, clock included.
	Fuel uint64
}

// ending is a decision about a run, made at one place and handed to another.
type ending struct {
	outcome Outcome
	cause   Cause
	reason  string
}

func hostFault(format string, args ...any) ending {
	return ending{Failed, HostFault, fmt.Sprintf(format, args...)}
}

// endingOf says what the end of a context means for a run. The context must be done.
func endingOf(ctx context.Context) ending {
	err := context.Cause(ctx)
	switch {
	case errors.Is(err, ErrShutdown):
		return ending{Killed, Shutdown, err.Error()}
	case errors.Is(err, ErrReplaced):
		return ending{Killed, Replaced, err.Error()}
	case errors.Is(err, ErrCancelled), errors.Is(err, context.Canceled):
		return ending{Killed, Cancelled, ErrCancelled.Error()}
	case errors.Is(err, errDeadline), errors.Is(err, context.DeadlineExceeded):
		return ending{Timeout, Deadline, errDeadline.Error()}
	}
	return ending{Killed, Cancelled, err.Error()}
}
