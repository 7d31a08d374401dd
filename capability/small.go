package capability

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/wcron/wcron/sandbox"
)

// The names of the small calls, from extism:host/user.
const (
	EventCall    = "wcron_event"
	ProgressCall = "wcron_progress"
	EmitCall     = "wcron_emit"
)

// Limits of the small calls.
const (
	MaxProgressText = 200      // bytes of a progress text
	MaxEmits        = 16       // jobs that one run may start
	MaxEmitInput    = 64 << 10 // bytes of the input of one
)

// Codes of errors in an answer of theirs.
const (
	UnknownJob    = "unknown_job"     // there is no job of that name
	TooMany       = "too_many"        // the run has started MaxEmits jobs
	InputTooLarge = "input_too_large" // longer than MaxEmitInput
)

// Emit is another job that is to start once this run has committed.
type Emit struct {
	Job   string
	Input json.RawMessage // nil: the job's own
}

// Emits is what is to start if the run is ok, in the order of the calls.
func (d *Door) Emits() []Emit { return d.emits }

// read reads a request strictly.
func read(request []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(request))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("%w: %w", errNotJSON, err)
	}
	if len(bytes.TrimSpace(request[dec.InputOffset():])) > 0 {
		return fmt.Errorf("%w: there is more behind it", errNotJSON)
	}
	return nil
}

// event tells the guest what stands in its event, and how long it has.
func (d *Door) event(context.Context, []byte) ([]byte, error) {
	answer := struct {
		Event       json.RawMessage `json:"event"`
		RemainingMS *int64          `json:"remaining_ms"` // null: there is no deadline
	}{Event: json.RawMessage("null")}
	if json.Valid(d.Event) {
		answer.Event = d.Event
	}
	if d.Remaining != nil {
		if left, ok := d.Remaining(); ok {
			ms := max(left.Milliseconds(), 0)
			answer.RemainingMS = &ms
		}
	}
	return json.Marshal(answer)
}

// progress takes how far the guest is.
func (d *Door) progress(_ context.Context, request []byte) ([]byte, error) {
	var r struct {
		Percent *float64 `json:"percent"`
		Text    string   `json:"text"`
	}
	if err := read(request, &r); err != nil {
		return failure(BadRequest, err.Error()), nil
	}
	percent := -1.0 // not told
	if r.Percent != nil {
		if percent = *r.Percent; math.IsNaN(percent) || percent < 0 || percent > 100 {
			return failure(BadRequest, fmt.Sprintf("percent must be from 0 to 100, and is %g", percent)), nil
		}
	}
	text := strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(r.Text, "?"))
	if len(text) > MaxProgressText {
		text = strings.ToValidUTF8(text[:MaxProgressText], "")
	}
	if d.Progress != nil {
		d.Progress(percent, d.http.redactText(text))
	}
	return []byte("{}"), nil
}

// emit notes another job that is to start after this run has committed.
func (d *Door) emit(ctx context.Context, request []byte) (sandbox.Answer, error) {
	no := func(code, format string, args ...any) (sandbox.Answer, error) {
		return sandbox.Answer{Block: failure(code, fmt.Sprintf(format, args...))}, nil
	}
	var r struct {
		Job   string          `json:"job"`
		Input json.RawMessage `json:"input"`
	}
	err := read(request, &r)
	if err == nil && !utf8.Valid(request) {
		err = errNotUTF8
	}
	if err != nil {
		return no(BadRequest, "%v", err)
	}
	switch {
	case r.Job == "":
		return no(BadRequest, "emit needs the name of a job")
	case !slices.Contains(d.Grants.Emit, r.Job):
		a, err := no(NotGranted, "the job %.80q is not among those that this one may start", r.Job)
		a.Note = d.refuse(fmt.Sprintf("wcron_emit of job %.80q is not granted; grant it with emit = {jobs = [%.80q]}", r.Job, r.Job))
		return a, err
	case len(d.emits) >= MaxEmits:
		return no(TooMany, "a run may start %d jobs", MaxEmits)
	case len(r.Input) > MaxEmitInput:
		return no(InputTooLarge, "the input has %d bytes, and may have %d", len(r.Input), MaxEmitInput)
	}
	there := false
	if d.Exists != nil {
		if there, err = d.Exists(ctx, r.Job); err != nil {
			return sandbox.Answer{}, fmt.Errorf("look for job %q: %w", r.Job, err)
		}
	}
	if !there {
		return no(UnknownJob, "there is no job %.80q", r.Job)
	}
	e := Emit{Job: r.Job}
	if len(r.Input) > 0 && !bytes.Equal(r.Input, []byte("null")) {
		e.Input = slices.Clone(r.Input)
	}
	d.emits = append(d.emits, e)
	return sandbox.Answer{Block: []byte("{}")}, nil
}
