package sandbox

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/tetratelabs/wazero/api"
)

// LogLevel is how much a guest's log tells, as Extism counts it.
type LogLevel int

// The levels. Each is the name of the function with which it is logged, behind `log_`.
const (
	LogDefault LogLevel = iota // LogInfo
	LogTrace
	LogDebug
	LogInfo
	LogWarn
	LogError
	LogOff
)

var levelNames = [...]string{LogTrace: "trace", LogDebug: "debug", LogInfo: "info", LogWarn: "warn", LogError: "error", LogOff: "off"}

// ParseLogLevel reads one of trace, debug, info, warn, error and off. Empty is LogDefault.
func ParseLogLevel(s string) (LogLevel, error) {
	if s == "" {
		return LogDefault, nil
	}
	for l := LogTrace; l <= LogOff; l++ {
		if levelNames[l] == s {
			return l, nil
		}
	}
	return LogDefault, fmt.Errorf("log level %.40q: it must be one of trace, debug, info, warn, error and off", s)
}

// kernel is what Extism keeps in a module of its own: a run's input, output, error and log.
type kernel struct {
	input   []byte
	inputAt uint64 // the offset of a block with the input, once one was asked for
	output  []byte // the last that was set
	failure string // the last that was set
	level   LogLevel
}

// maxFailure is how much of a guest's error is kept, in bytes.
const maxFailure = maxReason

// kernelFunctions are those of extism:host/env for input, output, errors and the log. What lies outside of the input reads as
// 0, as it does in Extism.
func kernelFunctions() []hostFunction {
	i32, i64 := api.ValueTypeI32, api.ValueTypeI64
	one := []api.ValueType{i64}
	list := []hostFunction{
		{"input_length", nil, one, func(x *execution, _ api.Module, stack []uint64) { stack[0] = uint64(len(x.kernel.input)) }},
		{"input_load_u8", one, []api.ValueType{i32}, func(x *execution, _ api.Module, stack []uint64) {
			stack[0] = load(x.kernel.input, stack[0], 1)
		}},
		{"input_load_u64", one, one, func(x *execution, _ api.Module, stack []uint64) {
			stack[0] = load(x.kernel.input, stack[0], 8)
		}},
		{"input_offset", nil, one, (*execution).inputOffset},
		{"output_set", []api.ValueType{i64, i64}, nil, (*execution).outputSet},
		{"error_set", one, nil, (*execution).errorSet},
		{"get_log_level", nil, []api.ValueType{i32}, func(x *execution, _ api.Module, stack []uint64) {
			stack[0] = uint64(x.kernel.level - LogTrace)
		}},
	}
	for level := LogTrace; level <= LogError; level++ {
		list = append(list, hostFunction{"log_" + levelNames[level], one, nil, func(x *execution, mod api.Module, stack []uint64) {
			x.log(mod, level, stack[0])
		}})
	}
	return list
}

// load reads n bytes of a guest's input, or 0 where there are not so many.
func load(from []byte, at uint64, n int) uint64 {
	if at > uint64(len(from)) || uint64(len(from))-at < uint64(n) {
		return 0
	}
	if n == 1 {
		return uint64(from[at])
	}
	return binary.LittleEndian.Uint64(from[at:])
}

// inputOffset gives the input as a block, for kits of before there was input_load.
func (x *execution) inputOffset(mod api.Module, stack []uint64) {
	if x.kernel.inputAt == 0 {
		x.spend(mod, callFuelPerByte*int64(len(x.kernel.input)))
		x.kernel.inputAt = x.hand("input_offset", x.kernel.input)
	}
	stack[0] = x.kernel.inputAt
}

// outputSet keeps what the guest gives as its result. It is written once the guest has returned.
func (x *execution) outputSet(mod api.Module, stack []uint64) {
	x.turn()
	at, n := stack[0], stack[1]
	var from []byte
	if n > 0 {
		part, ok := []byte(nil), false
		if n <= maxRequest {
			part, ok = x.blocks.at(at, int(n))
		}
		if !ok {
			x.trapIn("output_set", "there is no block with %d bytes at offset %#x, or it is larger than %d", n, at, maxRequest)
		}
		from = part[:n]
	}
	x.memory.giveBack(int64(len(x.kernel.output)))
	x.kernel.output = nil
	if !x.memory.take(int64(len(from))) {
		x.noRoom("output_set", int64(len(from)))
	}
	x.spend(mod, callFuelPerByte*int64(len(from)))
	x.kernel.output = append([]byte(nil), from...)
}

// errorSet keeps why the guest will say that it failed. 0 takes it back.
func (x *execution) errorSet(mod api.Module, stack []uint64) {
	x.kernel.failure = ""
	if stack[0] != 0 {
		text := x.block("error_set", stack[0])
		x.spend(mod, callFuelPerByte*int64(len(text)))
		x.kernel.failure = strings.ToValidUTF8(string(text[:min(len(text), maxFailure)]), "?")
	}
}

// log writes a line into the run's output, and frees its block, as Extism does.
func (x *execution) log(mod api.Module, level LogLevel, at uint64) {
	x.turn()
	if at != 0 {
		text := x.block("log_"+levelNames[level], at)
		if level >= x.kernel.level {
			x.spend(mod, callFuelPerByte*int64(len(text)))
			x.line(levelNames[level]+": ", text)
		}
		x.blocks.free(&x.memory, at)
	} else if level >= x.kernel.level {
		x.line(levelNames[level]+": ", nil)
	}
}

// note writes a line of the host's into the run's output.
func (x *execution) note(text string) { x.line("wcron: ", []byte(printable(text))) }

// line writes one line to stderr. Bytes that break lines are replaced, so that a guest's text is not taken for two.
func (x *execution) line(prefix string, text []byte) {
	out := make([]byte, 0, len(prefix)+len(text)+1)
	out = append(out, prefix...)
	for _, c := range text {
		if c == '\n' || c == '\r' {
			c = ' '
		}
		out = append(out, c)
	}
	if !utf8.Valid(out) {
		out = []byte(strings.ToValidUTF8(string(out), "?"))
	}
	_, _ = x.err.Write(append(out, '\n'))
}

// flush writes what the guest gave as its output, now that it has returned.
func (x *execution) flush() {
	if out := x.kernel.output; len(out) > 0 {
		_, _ = x.out.Write(out)
	}
}
