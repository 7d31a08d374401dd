package claims

import "errors"

// Errors of requests.
var (
	ErrNoJob   = errors.New("no such job")
	ErrNoRun   = errors.New("no such run")
	ErrNotOpen = errors.New("the run has ended already")
)

// Errors of locks and of the store itself.
var (
	ErrBusy    = errors.New("held by another process")                  // a job's lock, or a restore of a store in use
	ErrFenced  = errors.New("the claim is no longer ours")              // an owner that was given up
	ErrNewer   = errors.New("the store was written by a newer version") // stop claiming, and update this program
	ErrCorrupt = errors.New("the store is damaged")
	ErrClosed  = errors.New("the store is closed")
)
