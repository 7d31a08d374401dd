package sandbox

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/tetratelabs/wazero/sys"

	"github.com/wcron/wcron/sandbox/meter"
)

// maxReason bounds Result.Reason in bytes; a guest chooses the names in it.
const maxReason = 1024

// maxFrames is how many functions of a stack trace are told.
const maxFrames = 20

// panicError is a panic of host code that was caught.
type panicError struct{ value any }

func (p panicError) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// result says what the run came to, from how the guest ended and what this package did.
func (x *execution) result(err error, code uint32) Result {
	res := x.classify(err, code)
	res.Reason = printable(res.Reason)
	res.Started = x.started
	res.MemoryPeak = x.memory.peak
	res.Fuel = x.fuel()
	return res
}

func (x *execution) classify(err error, code uint32) Result {
	if x.halted != nil {
		end := *x.halted
		if end.reason == stackOverflow && err != nil {
			end.reason += framesOf(err)
		}
		return end.result()
	}
	var exit *sys.ExitError
	var caught panicError
	switch {
	case errors.As(err, &exit):
		code = exit.ExitCode()
	case errors.As(err, &caught):
		return hostFault("the engine failed: %v", caught).result()
	case err != nil:
		return x.trap(err).result()
	}
	if code == 0 {
		return Result{Outcome: OK, HasExit: true}
	}
	reason := fmt.Sprintf("exit code %d", code)
	if x.kernel.failure != "" {
		reason += ": " + x.kernel.failure
	}
	return Result{Outcome: Failed, Cause: Exit, HasExit: true, ExitCode: code, Reason: reason + x.deniedGrowth()}
}

// trap tells a guest's trap from a fault of the host function that it called.
func (x *execution) trap(err error) ending {
	first, _, _ := strings.Cut(err.Error(), "\n")
	if hostPanicked(err) {
		return hostFault("%s", first)
	}
	end := ending{Trapped, Trap, first}
	if x.kernel.failure != "" {
		end.reason += ": " + x.kernel.failure
	}
	if x.memory.denied > 0 {
		end.cause = OutOfMemory
	}
	end.reason += x.deniedGrowth()
	end.reason += framesOf(err)
	return end
}

// hostPanicked tells whether the engine's error wraps a panic of a host function. Its text says so as well, but the guest
// has a hand in that: what it names its functions stands in it. The type of a trap is the engine's own, and cannot be
// named here.
func hostPanicked(err error) bool {
	cause := err
	for next := errors.Unwrap(cause); next != nil; next = errors.Unwrap(cause) {
		cause = next
	}
	if fmt.Sprintf("%T", cause) == "*wasmruntime.Error" {
		return false
	}
	return strings.Contains(err.Error(), "(recovered by wazero)\nwasm stack trace:")
}

// framesOf tells where the guest was, by its stack trace in the engine's error. What metering adds to it is left out.
func framesOf(err error) string {
	var frames []string
	for line := range strings.Lines(err.Error()) {
		frame, ok := strings.CutPrefix(line, "\t")
		if !ok || strings.Contains(frame, "."+meter.HelperPrefix) || strings.HasPrefix(frame, meter.HelperPrefix) {
			continue
		}
		if frames = append(frames, strings.TrimSpace(frame)); len(frames) == maxFrames {
			break
		}
	}
	if len(frames) == 0 {
		return ""
	}
	return "; in " + strings.Join(frames, ", called by ")
}

func (x *execution) deniedGrowth() string {
	if x.memory.denied == 0 {
		return ""
	}
	return fmt.Sprintf("; growing its memory to %s was refused at the limit of %s: raise memory",
		meter.FormatBytes(x.memory.denied), meter.FormatBytes(x.memory.limit))
}

func (e ending) result() Result {
	return Result{Outcome: e.outcome, Cause: e.cause, Reason: printable(e.reason)}
}

// printable replaces what does not print on one line, and cuts the text to its bound.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
	if len(s) <= maxReason {
		return s
	}
	const mark = "..."
	return strings.ToValidUTF8(s[:maxReason-len(mark)], "") + mark
}
