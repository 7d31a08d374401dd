package sandbox

import (
	"context"
	"fmt"

	"github.com/tetratelabs/wazero/api"

	"github.com/wcron/wcron/sandbox/meter"
)

// This file is the door between a guest and what the caller lets it call. It has the shape that Extism's kits expect: a
// block of bytes is put into memory that the host owns, and its offset is handed over.

// The modules that guests import from beside WASI.
const (
	EnvModule  = "extism:host/env"
	UserModule = "extism:host/user"
)

// Kind is what a parameter or the result of a Function is.
type Kind byte

// The kinds. A block travels as an i64, its offset.
const (
	Nothing  Kind = iota // of a result only
	Block                // a block of memory; an offset of none, 0 included, traps
	Optional             // a block, or 0 for none
	Int32
	Int64
)

// Function is what guests may import and the caller answers, run by run: see Run.Calls.
type Function struct {
	Module string // EnvModule or UserModule; empty: UserModule
	Name   string // unique over both modules
	Params []Kind
	Result Kind // Optional is as Block: an answer without bytes gives 0

	// Frees gives the blocks that are handed over back once the call has returned, as Extism does for some of its own:
	// its kits rely on it.
	Frees bool
}

// Arg is a parameter of a call.
type Arg struct {
	Block []byte // Block, Optional; nil: 0 was given
	Int   uint64 // Int32, Int64
}

// Answer is what a call comes to.
type Answer struct {
	Block []byte // for a result of Block
	Int   uint64 // for one of Int32 or Int64

	// Trap ends the guest as trapped, with this text behind the function's name. It is for functions that have no way to
	// tell that they failed.
	Trap string

	// Note is a line for the people who read the run's output; it is written to Run.Stderr. The guest does not see it.
	Note string
}

// Call answers a guest's call of a Function. It is called one call at a time, and must neither keep nor change the blocks. A
// call that has not returned when ctx ends is left behind: the run is over, and its answer goes nowhere. An error, or a
// panic, ends the run as host_fault; what the guest did wrong is for the answer to say.
type Call func(ctx context.Context, args []Arg) (Answer, error)

// maxRequest is the largest block that a call takes, in bytes; a larger one traps.
const maxRequest = 4 << 20

// callFuelPerByte is what the bytes of a request and of its answer are charged with, beside the crossing to the host.
const callFuelPerByte = 2

// hostFunction is a function that guests may import, with its parameters and results on the stack.
type hostFunction struct {
	name            string
	params, results []api.ValueType
	do              func(x *execution, mod api.Module, stack []uint64)
}

// provideCalls makes the functions of both modules.
func (e *Engine) provideCalls(ctx context.Context) error {
	list := map[string][]hostFunction{EnvModule: append(memoryFunctions(), kernelFunctions()...)}
	known := map[string]string{} // which module has a name
	for _, own := range list[EnvModule] {
		known[own.name] = EnvModule
	}
	for _, f := range e.cfg.Functions {
		if f.Module == "" {
			f.Module = UserModule
		}
		if err := f.check(); err != nil {
			return err
		}
		if of := known[f.Name]; of != "" {
			return fmt.Errorf("function %s of %s: %s has one of that name already; choose another", f.Name, f.Module, of)
		}
		known[f.Name] = f.Module
		list[f.Module] = append(list[f.Module], f.host())
	}
	for module, functions := range list {
		if err := e.provide(ctx, module, functions); err != nil {
			return err
		}
	}
	return nil
}

// maxParams bounds how many parameters a Function has.
const maxParams = 16

func (f Function) check() error {
	switch {
	case f.Module != EnvModule && f.Module != UserModule:
		return fmt.Errorf("function %q: its module %q must be %s or %s", f.Name, f.Module, EnvModule, UserModule)
	case f.Name == "" || len(f.Name) > 128:
		return fmt.Errorf("function %.140q of %s: its name must have 1 to 128 bytes", f.Name, f.Module)
	case len(f.Params) > maxParams:
		return fmt.Errorf("function %s: it has %d parameters, and may have %d", f.Name, len(f.Params), maxParams)
	case f.Result > Int64:
		return fmt.Errorf("function %s: its result is of no known kind", f.Name)
	}
	for i, k := range f.Params {
		if k == Nothing || k > Int64 {
			return fmt.Errorf("function %s: parameter %d is of no known kind", f.Name, i)
		}
	}
	return nil
}

// host is the function as the engine takes it.
func (f Function) host() hostFunction {
	h := hostFunction{name: f.Name}
	for _, k := range f.Params {
		h.params = append(h.params, k.valueType())
	}
	if f.Result != Nothing {
		h.results = []api.ValueType{f.Result.valueType()}
	}
	h.do = func(x *execution, mod api.Module, stack []uint64) { x.answer(mod, f, stack) }
	return h
}

func (k Kind) valueType() api.ValueType {
	if k == Int32 {
		return api.ValueTypeI32
	}
	return api.ValueTypeI64
}

func (e *Engine) provide(ctx context.Context, module string, list []hostFunction) error {
	b := e.rt.NewHostModuleBuilder(module)
	for _, f := range list {
		b = b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(ctx context.Context, mod api.Module, stack []uint64) {
			f.do(ctx.Value(executionKey{}).(*execution), mod, stack)
		}), f.params, f.results).Export(f.name)
	}
	if _, err := b.Instantiate(ctx); err != nil {
		return fmt.Errorf("provide %s: %w", module, err)
	}
	e.learn(module)
	return nil
}

// imported names a function that a guest imports.
type imported struct{ module, name string }

// learn notes what guests may import from a module.
func (e *Engine) learn(module string) {
	for name, def := range e.rt.Module(module).ExportedFunctionDefinitions() {
		e.provided[imported{module, name}] = def
	}
}

// answer carries out a call of the guest.
func (x *execution) answer(mod api.Module, f Function, stack []uint64) {
	x.turn()
	args, bytes := x.arguments(f, stack)
	offsets := append([]uint64(nil), stack[:len(f.Params)]...)
	if f.Result != Nothing {
		stack[0] = 0
	}
	call := x.calls[f.Name]
	if call == nil {
		return
	}
	x.spend(mod, callFuelPerByte*bytes)
	var reply Answer
	if _, err := x.outside(false, func() (_ int, err error) {
		reply, err = call(x.ctx, args)
		return 0, err
	}); err != nil {
		x.checkContext()
		x.halt(hostFault("%s: %v", f.Name, err))
	}
	x.checkContext()
	if reply.Note != "" {
		x.note(reply.Note)
	}
	if reply.Trap != "" {
		x.trapIn(f.Name, "%s", reply.Trap)
	}
	switch f.Result {
	case Int32:
		stack[0] = uint64(uint32(reply.Int))
	case Int64:
		stack[0] = reply.Int
	case Block, Optional:
		x.spend(mod, callFuelPerByte*int64(len(reply.Block)))
		stack[0] = x.hand(f.Name, reply.Block)
	}
	for i, offset := range offsets {
		if f.Frees && (f.Params[i] == Block || f.Params[i] == Optional) {
			x.blocks.free(&x.memory, offset)
		}
	}
}

// arguments are what the guest hands over, and how many bytes these are.
func (x *execution) arguments(f Function, stack []uint64) (args []Arg, bytes int64) {
	args = make([]Arg, len(f.Params))
	for i, k := range f.Params {
		switch {
		case k == Int32:
			args[i].Int = uint64(uint32(stack[i]))
		case k == Int64:
			args[i].Int = stack[i]
		case k == Optional && stack[i] == 0:
		default:
			args[i].Block = x.block(f.Name, stack[i])
			bytes += int64(len(args[i].Block))
		}
	}
	return args, bytes
}

// block is a block that the guest hands over, or the end of the guest.
func (x *execution) block(name string, at uint64) []byte {
	block, ok := x.blocks.find(at)
	if !ok {
		x.trapIn(name, "there is no block at offset %#x", at)
	}
	if len(block) > maxRequest {
		x.trapIn(name, "the request has %d bytes, and may have %d", len(block), maxRequest)
	}
	return block
}

// hand gives bytes to the guest as a new block. Without bytes it is none.
func (x *execution) hand(name string, content []byte) uint64 {
	if len(content) == 0 {
		return 0
	}
	offset, block := x.blocks.alloc(&x.memory, int64(len(content)))
	if offset == 0 {
		x.noRoom(name, int64(len(content)))
	}
	copy(block, content)
	return offset
}

func (x *execution) noRoom(name string, bytes int64) {
	x.halt(ending{Trapped, OutOfMemory, fmt.Sprintf("%s: there is no room for %s within the memory limit of %s; raise memory",
		name, meter.FormatBytes(bytes), meter.FormatBytes(x.memory.limit))})
}

// trapIn ends a guest that used a host function in a way that cannot be served.
func (x *execution) trapIn(name, format string, args ...any) {
	x.halt(ending{Trapped, Trap, name + ": " + fmt.Sprintf(format, args...)})
}

// spend charges the guest for work of the host. The guest notices at its next check, which it passes before it can call again.
func (x *execution) spend(mod api.Module, fuel int64) {
	if x.left == nil {
		x.left = mod.ExportedGlobal(meter.FuelExport)
	}
	if left, ok := x.left.(api.MutableGlobal); ok {
		left.Set(uint64(int64(left.Get()) - fuel))
	}
}
