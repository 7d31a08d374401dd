package guest

import "github.com/wcron/wcron/internal/guest/asm"

// Fetch sends requests, each the JSON that http_request of extism:host/env takes, and writes each answer's body and a newline to stdout.
// A body of 64 KiB or more traps.
func Fetch(requests ...string) []byte {
	p := newProgram("fd_write", "proc_exit")
	p.pages = 2
	const env = "extism:host/env"
	one := []asm.Type{i64}
	alloc := p.Import(env, "alloc", one, one)
	length := p.Import(env, "length", one, one)
	load := p.Import(env, "load_u8", one, []asm.Type{i32})
	store := p.Import(env, "store_u8", []asm.Type{i64, i32}, nil)
	request := p.Import(env, "http_request", []asm.Type{i64, i64}, one)
	write := p.writer()
	extend, add64, wrap := asm.Code{0xad}, asm.Code{0x7c}, asm.Code{0xa7}

	const ptr, n, i, block = 0, 1, 2, 3
	at := asm.Cat(asm.Get(block), asm.Get(i), extend, add64)
	fetch := p.Func([]asm.Type{i32, i32}, nil, []asm.Type{i32, i64},
		asm.Get(n), extend, asm.Call(alloc), asm.Set(block),
		asm.Block(asm.Loop(
			asm.Get(i), asm.Get(n), asm.Eq, asm.BrIf(1),
			at, asm.Get(ptr), asm.Get(i), asm.Add, asm.Load8(0), asm.Call(store),
			increase(i, 1),
			asm.Br(0))),
		asm.Get(block), asm.I64(0), asm.Call(request), asm.Set(block),
		asm.Get(block), asm.Call(length), wrap, asm.Set(n),
		asm.I32(bufferLen-1), asm.Get(n), asm.LtU, asm.If(asm.Unreachable),
		asm.I32(0), asm.Set(i),
		asm.Block(asm.Loop(
			asm.Get(i), asm.Get(n), asm.Eq, asm.BrIf(1),
			asm.Get(i), at, asm.Call(load), asm.Store8(buffer),
			increase(i, 1),
			asm.Br(0))),
		asm.Get(n), asm.I32('\n'), asm.Store8(buffer),
		asm.I32(stdout), asm.I32(buffer), asm.Get(n), asm.I32(1), asm.Add, asm.Call(write))
	var code []asm.Code
	for _, r := range requests {
		code = append(code, p.text(r), asm.Call(fetch))
	}
	return p.main(nil, code...)
}
