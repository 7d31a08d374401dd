// Package witness writes down, in a file outside of the store, what the guests of a host say of themselves and what the ledger has
// acknowledged, and kills the process at a named point if told to. It does not judge: who reads the file does.
//
// Package main of cmd/wcron attaches it to its host where it is built with the tag wcron_torture, and only there: no other program
// has it.
//
// # The file
//
// Each line is appended by one write and begins with the boot clock in nanoseconds:
//
//	enter RUN             its guest, a guest.Witness, has begun
//	by RUN TAIL           and has read the state of the run that ends so, zeros: of none
//	count RUN N           with this count
//	wrote RUN N           and has written this one, with its own id
//	beat RUN              and lives
//	leave RUN             and ends
//	claim RUN SLOT N      the ledger has acknowledged a claim, as attempt N
//	commit RUN OUTCOME    and an outcome: discarded where the job was removed
//	fenced RUN OUTCOME    and has refused this one
//	notify RUN OUTCOME    the host was about to tell others of an outcome
//	removing JOB          the host was about to remove a job
package witness

import (
	"encoding/json"
	"fmt"
)

// env is the variable with the Order of a process.
const env = "WCRON_TORTURE"

// The kinds of lines.
const (
	Enter    = "enter"
	By       = "by"
	Count    = "count"
	Wrote    = "wrote"
	Beat     = "beat"
	Leave    = "leave"
	Claim    = "claim"
	Commit   = "commit"
	Fenced   = "fenced"
	Notify   = "notify"
	Removing = "removing"
)

// The points at which a process may kill itself.
const (
	AfterClaim         = "after claim"
	AfterGuestStart    = "after guest start"
	DuringCommit       = "during commit"
	AfterCommit        = "after commit"
	BeforeNotification = "before notification"
)

// Points lists them.
func Points() []string {
	return []string{AfterClaim, AfterGuestStart, DuringCommit, AfterCommit, BeforeNotification}
}

// Order is what a process is told.
type Order struct {
	File  string `json:"file"`  // that the lines are appended to
	Point string `json:"point"` // where the process kills itself; empty: nowhere
	Nth   int    `json:"nth"`   // Point: at the n-th time
}

// Environ is the variable that gives a process its order.
func (o Order) Environ() string {
	text, err := json.Marshal(o)
	if err != nil {
		panic(fmt.Sprintf("witness: %v", err)) // strings and a number
	}
	return env + "=" + string(text)
}
