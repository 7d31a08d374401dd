package admin

import (
	"context"
	"errors"
	"net/http"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/host"
)

// Errors besides those of package claims.
var (
	// ErrInput says that a request makes no sense as it stands.
	ErrInput = errors.New("not a valid request")
	// ErrCannotRun says that a run would not start: the job is broken or disabled.
	ErrCannotRun = errors.New("it cannot run")
	// ErrUnreachable says that a host did not answer on its socket.
	ErrUnreachable = errors.New("the host does not answer")
	// ErrInUse says that a living process listens on a socket already.
	ErrInUse = errors.New("another process listens there")
)

// kind is an error as it travels: the word in the JSON, and the status.
type kind struct {
	err    error
	code   string
	status int
}

// kinds is in the order in which an error is looked up.
func kinds() []kind {
	return []kind{
		{claims.ErrNoJob, "no_job", http.StatusNotFound},
		{claims.ErrNoRun, "no_run", http.StatusNotFound},
		{claims.ErrNotOpen, "not_open", http.StatusConflict},
		{ErrInput, "input", http.StatusBadRequest},
		{ErrCannotRun, "cannot_run", http.StatusConflict},
		{claims.ErrNewer, "newer", http.StatusServiceUnavailable},
		{claims.ErrCorrupt, "corrupt", http.StatusServiceUnavailable},
		{claims.ErrClosed, "closed", http.StatusServiceUnavailable},
		{host.ErrNotRunning, "not_running", http.StatusServiceUnavailable},
		{context.DeadlineExceeded, "timeout", http.StatusServiceUnavailable},
	}
}

// problem is the body of a failed request.
type problem struct {
	Error string `json:"error"`
	Code  string `json:"code"`
}

func problemOf(err error) (problem, int) {
	for _, k := range kinds() {
		if errors.Is(err, k.err) {
			return problem{err.Error(), k.code}, k.status
		}
	}
	return problem{err.Error(), "failed"}, http.StatusInternalServerError
}

// remote is an error that a host told of: its text, and the sentinel that its code stands for.
type remote struct {
	text string
	is   error
}

func (e *remote) Error() string { return e.text }
func (e *remote) Unwrap() error { return e.is }

func (p problem) err() error {
	for _, k := range kinds() {
		if k.code == p.Code {
			return &remote{p.Error, k.err}
		}
	}
	return &remote{p.Error, nil}
}
