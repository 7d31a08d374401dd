package guest

import (
	"fmt"
	"slices"

	"github.com/wcron/wcron/internal/guest/asm"
	"github.com/wcron/wcron/sandbox/meter"
)

// Where the programs keep things in their memory.
const (
	scratch   = 0       // the structures that WASI calls read and write
	constants = 1024    // the texts
	buffer    = 0x10000 // what is read
	bufferLen = 0x10000
	envPtrs   = 0x8000  // the pointers that environ_get and args_get write
	envBytes  = 0x10000 // the strings they point to
)

// pagesFor is how many pages of memory a program with these calls needs for its buffers.
func pagesFor(calls []string) uint32 {
	if slices.Contains(calls, "environ_get") || slices.Contains(calls, "fd_read") {
		return 2
	}
	return 1
}

// wasi lists the parameters of the calls that the programs use; each but proc_exit returns an errno.
var wasi = map[string][]asm.Type{
	"args_get":          {i32, i32},
	"args_sizes_get":    {i32, i32},
	"clock_time_get":    {i32, i64, i32},
	"environ_get":       {i32, i32},
	"environ_sizes_get": {i32, i32},
	"fd_read":           {i32, i32, i32, i32},
	"fd_write":          {i32, i32, i32, i32},
	"poll_oneoff":       {i32, i32, i32, i32},
	"proc_exit":         {i32},
}

const (
	i32 = asm.TypeI32
	i64 = asm.TypeI64
)

// program is a module with the imports and the few subroutines that more than one guest needs.
type program struct {
	asm.Module
	calls    map[string]uint32
	constEnd uint32
	pages    uint32
}

func newProgram(calls ...string) *program {
	p := &program{calls: map[string]uint32{}, constEnd: constants, pages: pagesFor(calls)}
	for _, name := range calls {
		params, known := wasi[name]
		if !known {
			panic("guest: no signature for the WASI call " + name)
		}
		results := []asm.Type{i32}
		if name == "proc_exit" {
			results = nil
		}
		p.calls[name] = p.Import("wasi_snapshot_preview1", name, params, results)
	}
	return p
}

// call calls an import of that name.
func (p *program) call(name string) asm.Code {
	index, ok := p.calls[name]
	if !ok {
		panic("guest: the program does not import " + name)
	}
	return asm.Call(index)
}

// text puts a constant into the memory and returns code that pushes its address and its length.
func (p *program) text(s string) asm.Code {
	at := p.constEnd
	p.Data(at, []byte(s))
	p.constEnd += uint32(len(s))
	return asm.Cat(asm.I32(int64(at)), asm.I32(int64(len(s))))
}

// writer adds the function write(fd, address, length), which ends the program with code 74 (EX_IOERR) if it cannot.
func (p *program) writer() uint32 {
	const fd, at, n = 0, 1, 2
	return p.Func([]asm.Type{i32, i32, i32}, nil, nil,
		asm.I32(scratch), asm.Get(at), asm.Store(0),
		asm.I32(scratch), asm.Get(n), asm.Store(4),
		asm.Get(fd), asm.I32(scratch), asm.I32(1), asm.I32(scratch+8), p.call("fd_write"),
		asm.If(asm.I32(74), p.call("proc_exit")))
}

// prefix adds the function prefix(address, key, length), which is 1 if the key stands at the address.
func (p *program) prefix() uint32 {
	const at, key, n = 0, 1, 2
	return p.Func([]asm.Type{i32, i32, i32}, []asm.Type{i32}, nil,
		asm.Loop(
			asm.Get(n), asm.Eqz, asm.If(asm.I32(1), asm.Return),
			asm.Get(at), asm.Load8(0), asm.Get(key), asm.Load8(0), asm.Ne, asm.If(asm.I32(0), asm.Return),
			increase(at, 1), increase(key, 1), increase(n, -1),
			asm.Br(0)),
		asm.Unreachable)
}

// getenv adds the function getenv(key, length), which is the address of the value of a variable, or 0.
// The key has its "=" at the end.
func (p *program) getenv() uint32 {
	const key, n, left, ptr = 0, 1, 2, 3
	prefix := p.prefix()
	return p.Func([]asm.Type{i32, i32}, []asm.Type{i32}, []asm.Type{i32, i32},
		asm.I32(scratch), asm.I32(scratch+4), p.call("environ_sizes_get"), asm.If(asm.Unreachable),
		asm.I32(envPtrs), asm.I32(envBytes), p.call("environ_get"), asm.If(asm.Unreachable),
		asm.I32(scratch), asm.Load(0), asm.Set(left),
		asm.I32(envPtrs), asm.Set(ptr),
		asm.Block(asm.Loop(
			asm.Get(left), asm.Eqz, asm.BrIf(1),
			asm.Get(ptr), asm.Load(0), asm.Get(key), asm.Get(n), asm.Call(prefix),
			asm.If(asm.Get(ptr), asm.Load(0), asm.Get(n), asm.Add, asm.Return),
			increase(ptr, 4), increase(left, -1),
			asm.Br(0))),
		asm.I32(0))
}

// puts adds the function puts(address), which writes a string that ends with a zero byte to stdout.
func (p *program) puts(write uint32) uint32 {
	const at, end = 0, 1
	return p.Func([]asm.Type{i32}, nil, []asm.Type{i32},
		asm.Get(at), asm.Set(end),
		asm.Block(asm.Loop(
			asm.Get(end), asm.Load8(0), asm.Eqz, asm.BrIf(1),
			increase(end, 1),
			asm.Br(0))),
		asm.I32(1), asm.Get(at), asm.Get(end), asm.Get(at), asm.Sub, asm.Call(write))
}

// increase adds a number to a local.
func increase(local uint32, by int64) asm.Code {
	return asm.Cat(asm.Get(local), asm.I32(by), asm.Add, asm.Set(local))
}

// main adds `_start` and returns the module.
func (p *program) main(locals []asm.Type, code ...asm.Code) []byte {
	p.Export("_start", asm.KindFunc, p.Func(nil, nil, locals, code...))
	return p.finish()
}

func (p *program) finish() []byte {
	pages := max(p.pages, (p.constEnd+0xffff)/0x10000)
	p.Memory(pages, asm.NoMax)
	return p.Bytes()
}

// WithManifest returns the module with the text as its manifest: the custom section wcron.manifest, put in place of
// one that is there. It panics if the module is malformed at the level of sections.
func WithManifest(wasm []byte, toml string) []byte {
	out, err := meter.SetCustom(wasm, "wcron.manifest", []byte(toml))
	if err != nil {
		panic(fmt.Sprintf("guest: %v", err))
	}
	return out
}
