package guest

import "github.com/wcron/wcron/internal/guest/asm"

// Spin loops for ever.
func Spin() []byte { return command(asm.Loop(asm.Br(0))) }

// Trap executes an unreachable instruction.
func Trap() []byte { return command(asm.Unreachable) }

// Recurse calls itself without end.
func Recurse() []byte {
	var m asm.Module
	m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil, asm.Call(m.Next())))
	return m.Bytes()
}

// GrowForever grows its memory page by page, and traps when it gets no more.
func GrowForever() []byte {
	var m asm.Module
	const page = 0
	start := m.Func(nil, nil, []asm.Type{i32}, asm.Loop(
		asm.I32(1), asm.MemoryGrow, asm.Tee(page), asm.I32(-1), asm.Eq, asm.If(asm.Unreachable),
		asm.Get(page), asm.I32(0x10000), asm.Mul, asm.I32(1), asm.Store(0),
		asm.Br(0)))
	m.Export("_start", asm.KindFunc, start)
	m.Memory(1, asm.NoMax)
	return m.Bytes()
}

// Flood writes lines to stdout without end.
func Flood() []byte { return FloodOf("this line is written again and again\n") }

// FloodOf writes a text on stdout again and again, without end.
func FloodOf(text string) []byte {
	p := newProgram("fd_write", "proc_exit")
	write := p.writer()
	return p.main(nil, asm.Loop(
		asm.I32(stdout), p.text(text), asm.Call(write),
		asm.Br(0)))
}

// StartLoop loops for ever in its start section, before any entry point is called.
func StartLoop() []byte {
	var m asm.Module
	m.Start(m.Func(nil, nil, nil, asm.Loop(asm.Br(0))))
	m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil))
	return m.Bytes()
}

// CallTree calls a tree of functions with 2 to the power of depth leaves, without a single loop.
func CallTree(depth int) []byte {
	var m asm.Module
	child := m.Func(nil, nil, nil)
	for range depth {
		child = m.Func(nil, nil, nil, asm.Call(child), asm.Call(child))
	}
	m.Export("_start", asm.KindFunc, child)
	return m.Bytes()
}

// SlowToCompile has a function with a thousand locals that are set in that many conditions: small, quick to check, and hard on
// a compiler. 10,000 take it some 15 seconds and more than a gigabyte.
func SlowToCompile(conditions int) []byte {
	var code asm.Code
	for i := range conditions {
		local := uint32(i % 1000)
		code = append(code, asm.Cat(asm.Get(local), asm.If(asm.I32(int64(i)), asm.Set(local)))...)
	}
	locals := make([]asm.Type, 1000)
	for i := range locals {
		locals[i] = asm.TypeI32
	}
	var m asm.Module
	m.Export("_start", asm.KindFunc, m.Func(nil, nil, locals, code))
	return m.Bytes()
}

// MemoryMin asks for these pages of 64 KiB from the start, and does nothing.
func MemoryMin(pages uint32) []byte {
	var m asm.Module
	m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil))
	m.Memory(pages, asm.NoMax)
	return m.Bytes()
}

// ImportUnknown imports the function "mystery" of a module "env", which no host gives.
func ImportUnknown() []byte {
	var m asm.Module
	f := m.Import("env", "mystery", nil, nil)
	m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil, asm.Call(f)))
	return m.Bytes()
}

// NoEntry exports a function, but neither `_start` nor `run`.
func NoEntry() []byte {
	var m asm.Module
	m.Export("other", asm.KindFunc, m.Func(nil, nil, nil))
	return m.Bytes()
}

// command is a module whose `_start` is the code, without memory and imports.
func command(code ...asm.Code) []byte {
	var m asm.Module
	m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil, code...))
	return m.Bytes()
}
