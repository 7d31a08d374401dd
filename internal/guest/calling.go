package guest

import (
	"slices"
	"time"

	"github.com/wcron/wcron/internal/guest/asm"
)

// Call is a call of a function of extism:host/env, if its name is one there, or else of extism:host/user.
type Call struct {
	Function, Request string
	Nap               time.Duration // what is slept after it
}

// envCalls are those of extism:host/env that take blocks: how many, and whether they give one.
var envCalls = map[string]struct {
	params int
	gives  bool
}{
	"config_get": {1, true}, "var_get": {1, true}, "http_request": {2, true},
	"log_info": {1, false}, "log_error": {1, false}, "error_set": {1, false},
}

// Calling makes each call with its request as a block, and no block as a second. It writes each answer and a newline to stdout, and
// ends. An answer of 64 KiB or more traps.
func Calling(end Ending, calls ...Call) []byte {
	p := newProgram("fd_write", "proc_exit", "clock_time_get", "poll_oneoff")
	p.pages = 2
	p.importState()
	one := []asm.Type{i64}
	functions := map[string]asm.Code{"wcron_state": p.call("wcron_state")}
	for _, c := range calls {
		if functions[c.Function] != nil {
			continue
		}
		module, params, results := "extism:host/user", 1, one
		f, ok := envCalls[c.Function]
		if ok {
			module, params = "extism:host/env", f.params
		}
		var nothing asm.Code
		if ok && !f.gives {
			results, nothing = nil, asm.I64(0)
		}
		i := p.Import(module, c.Function, slices.Repeat(one, params), results)
		functions[c.Function] = asm.Cat(asm.Repeat(params-1, asm.I64(0)), asm.Call(i), nothing)
	}
	write := p.writer()
	p.calls["write"] = write
	asks := map[string]uint32{}
	const n = 0
	var code []asm.Code
	for _, c := range calls {
		if _, made := asks[c.Function]; !made {
			asks[c.Function] = p.askerOf(buffer, functions[c.Function])
		}
		code = append(code, p.text(c.Request), asm.Call(asks[c.Function]), asm.Set(n),
			asm.Get(n), asm.I32('\n'), asm.Store8(buffer),
			asm.I32(stdout), asm.I32(buffer), asm.Get(n), asm.I32(1), asm.Add, asm.Call(write))
		if c.Nap > 0 {
			code = append(code, asm.I32(scratch+64), asm.I64(int64(c.Nap)), asm.Store64(24), p.poll(scratch+64))
		}
	}
	return p.main([]asm.Type{i32}, append(code, end.code(p))...)
}
