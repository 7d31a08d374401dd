package sandbox

import (
	"context"
	"fmt"

	"github.com/tetratelabs/wazero/api"

	"github.com/wcron/wcron/sandbox/meter"
)

// This file is the door between a guest and what the caller lets it call. It has the shape that Extism's kits expect: a
// block of bytes is put into memory that the host owns, and its offset is handed over.

// Call answers a guest's call of a function of extism:host/user: it is given the block that the guest handed over, and
// gives the block that the guest gets. It is called one call at a time, and must neither keep nor change the request. A
// call that has not returned when ctx ends is left behind: the run is over, and its answer goes nowhere. An error, or a
// panic, ends the run as host_fault; what the guest did wrong is for the answer to say.
type Call func(ctx context.Context, request []byte) (answer []byte, err error)

const (
	envModule  = "extism:host/env"
	userModule = "extism:host/user"
)

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
	if err := e.provide(ctx, envModule, memoryFunctions()); err != nil {
		return err
	}
	i64 := []api.ValueType{api.ValueTypeI64}
	var user []hostFunction
	for _, name := range e.cfg.Calls {
		user = append(user, hostFunction{name, i64, i64, func(x *execution, mod api.Module, stack []uint64) {
			stack[0] = x.answer(mod, name, stack[0])
		}})
	}
	if len(user) == 0 {
		return nil
	}
	return e.provide(ctx, userModule, user)
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
func (x *execution) answer(mod api.Module, name string, at uint64) uint64 {
	x.turn()
	request, ok := x.blocks.find(at)
	if !ok {
		x.trapIn(name, "there is no block at offset %#x", at)
	}
	if len(request) > maxRequest {
		x.trapIn(name, "the request has %d bytes, and may have %d", len(request), maxRequest)
	}
	call := x.calls[name]
	if call == nil {
		return 0
	}
	x.spend(mod, callFuelPerByte*int64(len(request)))
	var reply []byte
	if _, err := x.outside(false, func() (n int, err error) {
		reply, err = call(x.ctx, request)
		return len(reply), err
	}); err != nil {
		x.checkContext()
		x.halt(hostFault("%s: %v", name, err))
	}
	x.checkContext()
	x.spend(mod, callFuelPerByte*int64(len(reply)))
	if len(reply) == 0 {
		return 0
	}
	offset, block := x.blocks.alloc(&x.memory, int64(len(reply)))
	if offset == 0 {
		x.halt(ending{Trapped, OutOfMemory, fmt.Sprintf("%s: there is no room for the answer of %s within the memory limit of %s; raise memory",
			name, meter.FormatBytes(int64(len(reply))), meter.FormatBytes(x.memory.limit))})
	}
	copy(block, reply)
	return offset
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
