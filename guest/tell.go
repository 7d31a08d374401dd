package guest

import (
	"encoding/json"
	"fmt"

	"github.com/wcron/wcron/guest/internal/host"
)

// Progress tells how far the run is, for who lists the host's jobs; it is not kept. The percentage is from 0 to 100, and a negative one
// stands for not known. Of the text 200 bytes are shown.
func Progress(percent float64, text string) error {
	r := struct {
		Percent *float64 `json:"percent,omitempty"`
		Text    string   `json:"text,omitempty"`
	}{Text: text}
	if percent >= 0 {
		r.Percent = &percent
	}
	return ask("wcron_progress", host.Progress, r, &failure{})
}

// Emit starts a run of another job, once this run has ended with exit code 0: in the same transaction, so that it is never lost, never
// comes twice, and never comes from a run that failed. The input takes the place of the job's own, as JSON; nil leaves that. A run may
// emit 16 times, with inputs of up to 64 KiB. It needs a grant.
func Emit(job string, input any) error {
	r := struct {
		Job   string          `json:"job"`
		Input json.RawMessage `json:"input,omitempty"`
	}{Job: job}
	if input != nil {
		text, err := json.Marshal(input)
		if err != nil {
			return fmt.Errorf("wcron_emit %q: %w", job, err)
		}
		r.Input = text
	}
	return ask("wcron_emit", host.Emit, r, &failure{})
}

// Level is how much a line of the log matters.
type Level = host.Level

// The levels. A host shows LogInfo and what is above it.
const (
	LogTrace = host.LogTrace
	LogDebug = host.LogDebug
	LogInfo  = host.LogInfo
	LogWarn  = host.LogWarn
	LogError = host.LogError
)

// Log writes a line into the run's output, with its level in front: "warn: text". Where there is no host, it writes nothing.
func Log(level Level, format string, args ...any) { host.Log(level, fmt.Appendf(nil, format, args...)) }

// Reason says why the run is about to fail: it stands beside the exit code where people look at the run, if the exit code is not 0.
// The last one counts, and an empty one takes it back. Where there is no host, it does nothing.
func Reason(text string) { host.Reason([]byte(text)) }

// Config is a value of the job's config; ok is false where there is none, or an empty one, and where there is no host.
func Config(name string) (value string, ok bool) {
	text := host.Config([]byte(name))
	return string(text), len(text) > 0
}
