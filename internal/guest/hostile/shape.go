package hostile

import (
	"slices"

	"github.com/wcron/wcron/internal/guest/asm"
)

// Shape is one module of the corpus.
type Shape struct {
	Name  string        // of its file, without ".wasm"
	About string        // what it does, in a few words
	Wasm  func() []byte // the same bytes each time

	// What the guest reads and writes besides. The module calls itself a command: `_start`, or else `run`.
	Stdin  Stream
	Stdout Stream

	// What must become of it: an outcome and its cause, and the exit code where the cause is "exit"; or, for a module
	// that must not be run at all, what the error says.
	Outcome, Cause string
	Exit           uint32
	Refused        string
}

// Stream says what stands at the other end of a guest's stdin or stdout.
type Stream int

// The streams.
const (
	Nothing Stream = iota // an empty input, an output that is discarded
	Endless               // zeros without end
	Stuck                 // a pipe that nobody reads or writes
)

// All is the corpus, in the order of the names within each family.
func All() []Shape {
	return slices.Concat(loops(), bulk(), calls(), growth(), forgeries(), malformed())
}

// Spinning are the shapes that compute without end and need nothing from outside.
func Spinning() []Shape { return slices.Concat(loops(), bulk()) }

// deadline is what becomes of a guest that never ends by itself.
func deadline(name, about string, wasm func() []byte) Shape {
	return Shape{Name: name, About: about, Wasm: wasm, Outcome: "timeout", Cause: "deadline"}
}

func trapped(name, about, cause string, wasm func() []byte) Shape {
	return Shape{Name: name, About: about, Wasm: wasm, Outcome: "trapped", Cause: cause}
}

func exits(name, about string, code uint32, wasm func() []byte) Shape {
	s := Shape{Name: name, About: about, Wasm: wasm, Outcome: "failed", Cause: "exit", Exit: code}
	if code == 0 {
		s.Outcome, s.Cause = "ok", ""
	}
	return s
}

func refused(name, about, why string, wasm func() []byte) Shape {
	return Shape{Name: name, About: about, Wasm: wasm, Refused: why}
}

const (
	i32 = asm.TypeI32
	i64 = asm.TypeI64

	wasi  = "wasi_snapshot_preview1"
	pages = 1024 // of 64 KiB: all that a run gets by default
	all   = int64(pages) << 16
)

// command is a module whose _start is this code.
func command(mem uint32, locals []asm.Type, code ...asm.Code) func() []byte {
	return func() []byte {
		var m asm.Module
		if mem > 0 {
			m.Memory(mem, asm.NoMax)
		}
		m.Export("_start", asm.KindFunc, m.Func(nil, nil, locals, code...))
		return m.Bytes()
	}
}

// caller is a command with one import of WASI, which all parameters of type i32 but the named ones.
func caller(name string, params []asm.Type, mem uint32, locals []asm.Type, code func(call asm.Code) asm.Code) func() []byte {
	return func() []byte {
		var m asm.Module
		f := m.Import(wasi, name, params, []asm.Type{i32})
		m.Memory(mem, asm.NoMax)
		m.Export("_start", asm.KindFunc, m.Func(nil, nil, locals, code(asm.Call(f))))
		return m.Bytes()
	}
}

// words is so many parameters of type i32.
func words(n int) []asm.Type { return slices.Repeat([]asm.Type{i32}, n) }

// forever repeats the code.
func forever(code ...asm.Code) asm.Code { return asm.Loop(asm.Cat(code...), asm.Br(0)) }

// numbers pushes each as an i32.
func numbers(list ...int64) asm.Code {
	var out asm.Code
	for _, n := range list {
		out = append(out, asm.I32(n)...)
	}
	return out
}
