package capability

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/wcron/wcron/sandbox"
)

// Function is a function of the program that embeds the host, which guests import from extism:host/user. It passes the same
// door as the host's own: blocks of bytes, at most 4 MiB each, one call at a time, charged with fuel, and ended with the run.
type Function struct {
	Name   string // unique; it must not begin with "wcron_"
	Params int    // blocks that it takes, up to 16; each may be none, which is nil
	Free   bool   // every job may call it; otherwise Grants.Calls of the job must name it

	// Call answers with a block, nil for none. Its error is a value for the guest, with its text: see docs/calls.md. A
	// panic ends the run as host_fault. It must neither keep nor change the arguments, and return when ctx ends; one that
	// does not is left behind, and its answer goes nowhere.
	Call func(ctx context.Context, run RunInfo, args [][]byte) ([]byte, error)
}

// RunInfo says for whom an embedder's function is called.
type RunInfo struct {
	Job   string
	RunID string
}

// Codes of errors in an answer, beside those of State.
const (
	NotGranted = "not_granted" // the operator has not granted it
	Refused    = "failed"      // the embedder's function gave an error
)

// block is the signature of most functions: one block for another.
func block(name string) sandbox.Function {
	return sandbox.Function{Name: name, Params: []sandbox.Kind{sandbox.Block}, Result: sandbox.Block}
}

// Functions is everything that guests may import beside what a sandbox has of its own, the embedder's functions included.
func Functions(own []Function) ([]sandbox.Function, error) {
	const optional, i32 = sandbox.Optional, sandbox.Int32
	env := func(name string, frees bool, result sandbox.Kind, params ...sandbox.Kind) sandbox.Function {
		return sandbox.Function{Module: sandbox.EnvModule, Name: name, Params: params, Result: result, Frees: frees}
	}
	list := []sandbox.Function{
		env("config_get", false, optional, optional),
		env("var_get", true, optional, optional),
		env("var_set", true, sandbox.Nothing, optional, optional),
		env("http_request", true, optional, optional, optional),
		env("http_status_code", false, i32),
		env("http_headers", false, optional),
		block(StateCall), block(ProgressCall), block(EmitCall),
		{Name: EventCall, Params: []sandbox.Kind{optional}, Result: sandbox.Block},
	}
	for _, f := range own {
		if strings.HasPrefix(f.Name, "wcron_") {
			return nil, fmt.Errorf("function %s: names that begin with wcron_ are the host's own; choose another", f.Name)
		}
		if f.Params < 0 {
			return nil, fmt.Errorf("function %s: it has %d parameters, which no function has", f.Name, f.Params)
		}
		if f.Call == nil {
			return nil, fmt.Errorf("function %s: Call is required", f.Name)
		}
		list = append(list, sandbox.Function{Name: f.Name, Params: slices.Repeat([]sandbox.Kind{optional}, f.Params), Result: optional})
	}
	return list, nil
}

// Setup is what a Door stands between. State is required; the zero value of every other field is without it.
type Setup struct {
	RunInfo
	Grants    Grants
	State     *State
	Event     []byte                                              // what the guest is told of its run, as JSON
	Remaining func() (time.Duration, bool)                        // until the deadline; false: there is none
	Progress  func(percent float64, text string)                  // told as the guest goes on
	Exists    func(ctx context.Context, job string) (bool, error) // whether there is a job of that name; nil: none
	HTTP      Client                                              // nil: &NetClient{}
	Functions []Function                                          // the embedder's, as given to Functions
}

// Door is what one run may call. It is for one run and one goroutine, but for Refusals.
type Door struct {
	Setup
	http  session
	emits []Emit

	mu       sync.Mutex // guards refusals, which a call that was left behind may still add to
	refusals []string
}

// NewDoor opens the door for a run.
func NewDoor(s Setup) *Door {
	if s.HTTP == nil {
		s.HTTP = &NetClient{}
	}
	d := &Door{Setup: s}
	d.http = newSession(d)
	return d
}

// Calls is what answers the functions of Functions.
func (d *Door) Calls() map[string]sandbox.Call {
	calls := map[string]sandbox.Call{
		"config_get":       d.configGet,
		"var_get":          d.varGet,
		"var_set":          d.varSet,
		"http_request":     d.http.request,
		"http_status_code": d.http.statusCode,
		"http_headers":     d.http.headers,
		StateCall:          onBlock(d.State.Call),
		EventCall:          onBlock(d.event),
		ProgressCall:       onBlock(d.progress),
		EmitCall: func(ctx context.Context, args []sandbox.Arg) (sandbox.Answer, error) {
			return d.emit(ctx, args[0].Block)
		},
	}
	for _, f := range d.Functions {
		calls[f.Name] = func(ctx context.Context, args []sandbox.Arg) (sandbox.Answer, error) { return d.embedded(ctx, f, args) }
	}
	return calls
}

func onBlock(f func(ctx context.Context, request []byte) ([]byte, error)) sandbox.Call {
	return func(ctx context.Context, args []sandbox.Arg) (sandbox.Answer, error) {
		answer, err := f(ctx, args[0].Block)
		return sandbox.Answer{Block: answer}, err
	}
}

// embedded calls a function of the embedder's.
func (d *Door) embedded(ctx context.Context, f Function, args []sandbox.Arg) (sandbox.Answer, error) {
	if !f.Free && !slices.Contains(d.Grants.Calls, f.Name) {
		why := fmt.Sprintf("the function %s is not granted to this job; name it in the Calls of its Grants", f.Name)
		return sandbox.Answer{Block: failure(NotGranted, why), Note: d.refuse(why)}, nil
	}
	blocks := make([][]byte, len(args))
	for i, a := range args {
		blocks[i] = a.Block
	}
	answer, err := f.Call(ctx, d.RunInfo, blocks)
	if err != nil {
		return sandbox.Answer{Block: failure(Refused, err.Error())}, ctx.Err()
	}
	return sandbox.Answer{Block: answer}, nil
}

// failure is an answer that tells an error.
func failure(code, message string) []byte {
	b, err := json.Marshal(struct {
		Error callError `json:"error"`
	}{callError{code, printable(message)}})
	if err != nil {
		panic(err) // two strings can always be written as JSON
	}
	return b
}

// maxRefusals bounds how many different refusals are kept of a run.
const maxRefusals = 8

// refuse keeps what the operator should know of, and gives it as the line for the run's output.
func (d *Door) refuse(why string) string {
	if len(d.Grants.Denied) > 0 {
		why += "; requested and not granted: " + strings.Join(d.Grants.Denied, ", ")
	}
	why = line(d.http.redactText(why))
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.refusals) < maxRefusals && !slices.Contains(d.refusals, why) {
		d.refusals = append(d.refusals, why)
	}
	return why
}

// maxLine bounds what people are told of a call, in bytes.
const maxLine = 1000

// line is a text for people: one line that prints, and not a long one, since a guest has a hand in it.
func line(s string) string {
	s = strings.Map(func(c rune) rune {
		if c == utf8.RuneError || !unicode.IsPrint(c) {
			return '?'
		}
		return c
	}, s)
	if len(s) > maxLine {
		s = strings.ToValidUTF8(s[:maxLine-3], "") + "..."
	}
	return s
}

// Refusals is what the guest asked for and did not get, each once, with what to do about it. It may be called at any time.
func (d *Door) Refusals() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.refusals)
}

// configGet gives a value of the job's config.
func (d *Door) configGet(_ context.Context, args []sandbox.Arg) (sandbox.Answer, error) {
	return sandbox.Answer{Block: []byte(d.Grants.Config[string(args[0].Block)])}, nil
}

// varGet and varSet are the job's state under Extism's names. There is no way to tell an error, so one traps.
func (d *Door) varGet(_ context.Context, args []sandbox.Arg) (sandbox.Answer, error) {
	key := string(args[0].Block)
	if checkKey(key).Error != nil {
		return sandbox.Answer{}, nil
	}
	d.State.use(key)
	return sandbox.Answer{Block: d.State.get(key)}, nil
}

func (d *Door) varSet(_ context.Context, args []sandbox.Arg) (sandbox.Answer, error) {
	key, value := string(args[0].Block), args[1].Block
	a := checkKey(key)
	if a.Error == nil {
		d.State.use(key)
	}
	switch {
	case a.Error != nil:
	case value == nil:
		a = d.State.remove(key)
	default:
		a = d.State.set(key, slices.Clone(value))
	}
	if a.Error != nil {
		return sandbox.Answer{Trap: a.Error.Message}, nil
	}
	return sandbox.Answer{}, nil
}

// errNotJSON is what requests of the small calls are refused with.
var errNotJSON = errors.New("the request must be one JSON object with known keys")

// errNotUTF8 is what they are refused with where bytes would become others: two keys one, or an input what another job cannot read.
var errNotUTF8 = errors.New("the request must be UTF-8")
