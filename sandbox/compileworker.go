package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"time"

	"github.com/tetratelabs/wazero"
)

// order is what a worker is asked for.
type order struct {
	build  string        // the folder for the compiled code and the verdict
	size   int           // of the module that comes on stdin, in bytes
	memory int64         // bytes that the process may take from now on
	cpu    time.Duration // that it may compute
}

// watchEvery is how often a worker looks at its own memory.
const watchEvery = 5 * time.Millisecond

// errParentGone says that nobody waits for the result any more.
var errParentGone = errors.New("compile worker: the process that asked for it is gone")

// CompileWorker compiles one module for an engine in another process, which has started this one as its Config.Compiler
// says. args are the arguments behind those of Config.Compiler, and stdin is the process's own; the module comes on it.
// The process limits itself first, as far as its platform can: in memory, in processor time, and to no core dump.
//
// It returns nil once it has told the other process what became of the module, whether it compiled or not, and an error
// when there is nobody to tell, when its arguments are not an engine's, or when the context ended. It may have left
// goroutines that compile: the process must end then, with another code than 0 after an error.
func CompileWorker(ctx context.Context, stdin io.Reader, args []string) error {
	o, err := readOrder(args)
	if err != nil {
		return err
	}
	if err := limitProcess(o.memory, o.cpu); err != nil {
		return fmt.Errorf("compile worker: limit the process: %w", err)
	}
	runtime.GOMAXPROCS(min(2, runtime.GOMAXPROCS(0))) // one compiles, one collects
	base := memoryTaken()
	debug.SetMemoryLimit(base + o.memory/8*7) // from here on the collector works harder, before the limit is met
	if err := writeVerdict(o.build, verdictBegun, ""); err != nil {
		return fmt.Errorf("compile worker: %w", err)
	}
	wasm := make([]byte, o.size)
	if _, err := io.ReadFull(stdin, wasm); err != nil {
		return errParentGone
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = io.Copy(io.Discard, stdin)
	}()
	done := make(chan error, 1)
	go func() { done <- compileInto(ctx, o.build, wasm) }()
	watch := time.NewTicker(watchEvery)
	defer watch.Stop()
	for {
		select {
		case err := <-done:
			return o.report(err)
		case <-gone:
			return errParentGone
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-watch.C:
			if memoryTaken()-base > o.memory {
				return writeVerdict(o.build, verdictMemory, "")
			}
		}
	}
}

func readOrder(args []string) (o order, err error) {
	if len(args) != 4 {
		return o, fmt.Errorf("compile worker: %d arguments in place of 4; it is for an engine to start, as its Config.Compiler", len(args))
	}
	o.build = args[0]
	var size, seconds int64
	for i, to := range []*int64{&size, &o.memory, &seconds} {
		if *to, err = strconv.ParseInt(args[i+1], 10, 64); err != nil || *to <= 0 {
			return o, fmt.Errorf("compile worker: argument %q is no number above 0; it is for an engine to start, as its Config.Compiler", args[i+1])
		}
	}
	o.size, o.cpu = int(size), time.Duration(seconds)*time.Second
	if info, err := os.Stat(o.build); err != nil || private(info) != nil {
		return o, fmt.Errorf("compile worker: %q is no folder that an engine has made", o.build)
	}
	return o, nil
}

// report tells what became of the module.
func (o *order) report(err error) error {
	switch {
	case err == nil:
		return writeVerdict(o.build, verdictOK, "")
	case isOutOfMemory(err.Error()):
		return writeVerdict(o.build, verdictMemory, "")
	case isCacheError(err):
		return fmt.Errorf("compile worker: %w", err) // the disk's fault
	}
	return writeVerdict(o.build, verdictModule, err.Error())
}

// compileInto compiles as an engine does, into a folder.
func compileInto(ctx context.Context, dir string, wasm []byte) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicError{p}
		}
	}()
	cache, err := wazero.NewCompilationCacheWithDir(dir)
	if err != nil {
		return err
	}
	_, err = wazero.NewRuntimeWithConfig(ctx, runtimeConfig().WithCompilationCache(cache)).CompileModule(ctx, wasm)
	return err
}

// memoryTaken is what the process has of the system's memory for its heap and its stacks, in bytes.
func memoryTaken() int64 {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	return int64(s[0].Value.Uint64() - s[1].Value.Uint64())
}
