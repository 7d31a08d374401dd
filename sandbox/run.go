package sandbox

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/sys"

	"github.com/wcron/wcron/sandbox/meter"
)

// Run is what one run is given. The zero value runs `_start` (else `run`) without arguments, variables and input,
// discards its output, and has no deadline.
type Run struct {
	Args []string // the first is by custom the program's name
	Env  []string // as "KEY=value"

	// Stdin is what the guest reads; nil is empty. Stdout and Stderr get what it writes; nil discards. They are called
	// by one goroutine at a time, and must not keep the bytes given to them. An error or a panic of theirs ends the
	// run as host_fault. They may block: other guests compute meanwhile, and the end of the context ends the run. It
	// ends the blocked call as well if there is a method SetReadDeadline (or SetWriteDeadline) that works; otherwise
	// that one call is left behind with its goroutine, and what it still reads is lost.
	Stdin          io.Reader
	Stdout, Stderr io.Writer

	// Entry is the function to call; empty stands for `_start`, else `run`. It takes no parameters, and gives nothing
	// or one 32-bit number, which counts as exit code. Before any other than `_start`, `_initialize` (else
	// `__wasm_call_ctors`) and then `hs_init` are called if the module exports them.
	Entry string

	// Input is what the guest reads with input_load of extism:host/env. What it gives with output_set there, the last time,
	// is written to Stdout behind everything else once it has returned, with any exit code, and after no trap.
	Input []byte

	// LogLevel is the least level of the guest's log lines that are written to Stderr, each as "level: text".
	LogLevel LogLevel

	// Memory is the most memory the guest may have, in bytes; 0 stands for 64 MiB, and Config.MaxMemory caps it.
	Memory int64

	// Reserved is how many bytes of Config.Budget were taken for this run before (Budget.Reserve). The run gives them
	// back, however it ends. 0 lets it take what its module begins with by itself.
	Reserved int64

	// Timeout ends the run that long after Run was called, which includes waiting for other guests that compute;
	// 0 is without a deadline.
	Timeout time.Duration

	// Dirs are folders that the guest sees. One that cannot be opened fails the run as host_fault.
	Dirs []Dir

	// Calls answers what the guest calls of Config.Functions, by name. A function that is named there and not here
	// gives 0, the offset of no block.
	Calls map[string]Call

	// Fuel bounds what the guest may compute, in the unit of Result.Fuel; 0 is without a limit.
	Fuel uint64
}

// Run makes an instance of the module, calls its entry point, and returns when the guest is gone. The end of the context
// ends the run; its cause chooses the cause of the result. It never panics.
func (m *Module) Run(ctx context.Context, r Run) (res Result) {
	x := &execution{module: m, calls: r.Calls, kernel: kernel{input: r.Input, level: r.LogLevel}}
	if x.kernel.level == LogDefault {
		x.kernel.level = LogInfo
	}
	x.memory = memory{
		limit: m.engine.limit(r.Memory), budget: m.engine.cfg.Budget, charged: r.Reserved, regions: m.engine.regions,
		broke: x.breakBudget, pace: x.turn,
	}
	defer x.memory.release()
	if !m.engine.users.enter() {
		return hostFault("the engine is closed").result()
	}
	defer m.engine.users.leave()
	if !m.users.enter() {
		return hostFault("the module is closed").result()
	}
	defer m.users.leave()

	entry, err := m.entry(r.Entry)
	if err != nil {
		return hostFault("%v", err).result()
	}
	if err := r.check(); err != nil {
		return hostFault("%v", err).result()
	}
	if r.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, r.Timeout, errDeadline)
		defer cancel()
	}
	x.ctx = ctx
	if end, ok := x.admit(); !ok {
		return end.result()
	}
	defer func() {
		if p := recover(); p != nil {
			res = x.result(panicError{p}, 0)
		}
	}()
	if !x.begin(m.engine, r.Fuel) {
		return endingOf(x.ctx).result()
	}
	defer x.finish()
	defer x.unblockStreams(&r)()
	code, err := x.run(entry, &r)
	if res = x.result(err, code); res.HasExit {
		x.flush()
	}
	return res
}

// check refuses arguments and variables that cannot be given to a guest.
func (r *Run) check() error {
	for _, arg := range r.Args {
		if strings.Contains(arg, "\x00") {
			return fmt.Errorf("argument %q has a zero byte in it", arg)
		}
	}
	for _, kv := range r.Env {
		if strings.IndexByte(kv, '=') < 1 || strings.Contains(kv, "\x00") {
			return fmt.Errorf("variable %q is not of the form KEY=value, or has a zero byte in it", kv)
		}
	}
	if len(r.Dirs) > maxFiles/2 {
		return fmt.Errorf("there are %d folders, and there may be %d", len(r.Dirs), maxFiles/2)
	}
	for _, d := range r.Dirs {
		if err := d.check(); err != nil {
			return err
		}
	}
	return nil
}

// limit is the memory limit of a run that asks for that many bytes.
func (e *Engine) limit(bytes int64) int64 {
	if bytes <= 0 {
		bytes = DefaultMemory
	}
	return min(bytes, e.cfg.MaxMemory) &^ (meter.PageSize - 1)
}

// execution is the state of one run. Only the goroutine of the run uses it; its host functions are called there too.
type execution struct {
	ctx     context.Context
	module  *Module
	memory  memory
	blocks  blocks
	kernel  kernel
	calls   map[string]Call
	started bool
	halted  *ending // why this package stopped the guest, if it did
	stopping
	streams
	args, env texts
}

// admit refuses a run that cannot begin, and takes the memory that it begins with from the budget.
func (x *execution) admit() (ending, bool) {
	least := x.module.MinMemory()
	if least > x.memory.limit {
		return ending{Trapped, OutOfMemory, fmt.Sprintf("the module begins with %s of memory, above the limit of %s; raise memory",
			meter.FormatBytes(least), meter.FormatBytes(x.memory.limit))}, false
	}
	if x.ctx.Err() != nil {
		return endingOf(x.ctx), false
	}
	if !x.memory.charge(least) {
		return x.overBudget(least), false
	}
	return ending{}, true
}

// run instantiates the module and calls its entry points. It returns the exit code, or how else the guest ended.
func (x *execution) run(entry entryPoint, r *Run) (uint32, error) {
	defer x.closeAll()
	x.mountAll(r.Dirs)
	x.started = true
	x.args, x.env = r.Args, variables(r.Env)
	x.in, x.out, x.err = x.input("stdin", r.Stdin), x.output("stdout", r.Stdout), x.output("stderr", r.Stderr)
	mod, err := x.module.engine.rt.InstantiateModule(
		experimental.WithMemoryAllocator(x.ctx, &x.memory), x.module.compiled, x.config())
	if mod != nil {
		defer func() { _ = mod.Close(context.WithoutCancel(x.ctx)) }()
	}
	if err != nil {
		return 0, err
	}
	for _, name := range entry.before {
		var args []uint64
		if name == haskell {
			args = []uint64{0, 0}
		}
		if _, err := x.call(mod, name, args...); err != nil {
			return 0, err
		}
	}
	results, err := x.call(mod, entry.name)
	if err != nil || len(results) == 0 {
		return 0, err
	}
	return uint32(results[0]), nil
}

func (x *execution) call(mod api.Module, name string, args ...uint64) ([]uint64, error) {
	return mod.ExportedFunction(name).Call(x.ctx, args...)
}

// config is all of the engine that the guest can reach.
func (x *execution) config() wazero.ModuleConfig {
	e := x.module.engine
	clock := e.cfg.Clock
	return wazero.NewModuleConfig().
		WithName("").
		WithStartFunctions().
		WithRandSource(x.input("random source", e.cfg.Rand)).
		WithWalltime(func() (int64, int32) {
			now := clock.Now()
			return now.Unix(), int32(now.Nanosecond())
		}, sys.ClockResolution(time.Microsecond)).
		WithNanotime(func() int64 { return int64(clock.Monotonic()) }, 1)
}

// checkContext ends the guest if the context is done. Host functions call it: returning an error to the guest instead
// would let it run on.
func (x *execution) checkContext() {
	if x.ctx.Err() != nil {
		x.halt(endingOf(x.ctx))
	}
}

func (x *execution) breakBudget(want int64) { x.halt(x.overBudget(want)) }

func (x *execution) overBudget(want int64) ending {
	return ending{Killed, MemoryBudget, fmt.Sprintf("with %s it would break the memory budget of %s shared by all runs, "+
		"of which %s are in use; raise the budget, or run fewer jobs at a time",
		meter.FormatBytes(want), meter.FormatBytes(x.memory.budget.Limit()), meter.FormatBytes(x.memory.budget.InUse()))}
}
