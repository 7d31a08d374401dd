package guest

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/wcron/wcron/guest/internal/host"
)

// ErrOutside is what every call answers in a program that was not built for wcron.
var ErrOutside = host.ErrOutside

// Codes of an [Error] that programs branch on. Those of a request over HTTP stand at [Fetch].
const (
	NotGranted    = "not_granted"     // the operator has not granted it
	BadRequest    = "bad_request"     // it cannot be read
	BadKey        = "bad_key"         // State: empty, longer than 512 bytes, or not UTF-8
	ValueTooLarge = "value_too_large" // State: longer than 256 KiB
	Quota         = "quota"           // State: it would be larger than it may be, or the run has changed as many keys as it may
	UnknownJob    = "unknown_job"     // Emit: there is no job of that name
	TooMany       = "too_many"        // Emit: the run has started 16 jobs
	InputTooLarge = "input_too_large" // Emit: longer than 64 KiB
)

// Error is a call that the host could not serve. Nothing has happened then, and the run goes on.
type Error struct {
	Call    string // the host's function, such as wcron_state
	Code    string // what went wrong, for programs
	Message string // the same for people, with what to do about it
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("%s: %s (%s)", e.Call, e.Message, e.Code) }

// Code is the code of the [Error] that err is or wraps; empty for any other error.
func Code(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// failure is the part of an answer that tells an error.
type failure struct {
	Error *struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

func (f failure) as(call string) error {
	if f.Error == nil {
		return nil
	}
	return &Error{Call: call, Code: f.Error.Code, Message: f.Error.Message}
}

// answer is any answer that has a failure in it.
type answer interface{ as(call string) error }

// ask puts a request to a function of the host's and reads its answer. The function is a parameter, so that a module imports only
// those that its code reaches.
func ask(name string, call func([]byte) ([]byte, error), request any, into answer) error {
	text, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if text, err = call(text); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: read the answer: %w", name, err)
	}
	return into.as(name)
}
