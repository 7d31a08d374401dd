package sandbox

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/wcron/wcron/sandbox/meter"
)

// DefaultMemory is the memory limit of a run that names none: 64 MiB.
const DefaultMemory int64 = 64 << 20

// Config configures an Engine. The zero value is ready for use.
type Config struct {
	// CacheDir is the folder of the compile cache on disk; empty keeps compiled modules in memory only, or with a
	// Compiler in a temporary folder, which Close deletes. It is made
	// with mode 0700 if it is not there. It holds native code, so a folder that others can write to, or that is not
	// ours, is an error. What is damaged in it is deleted and compiled again.
	CacheDir string

	// Limits bounds the shape of modules. Limits.Memory bounds the memory that a module may ask for from the start.
	Limits meter.Limits

	// MaxMemory caps the memory of any run, in bytes; 0 stands for 4 GiB less one page, which is also the most.
	MaxMemory int64

	// Budget is shared by all runs of the engine; nil stands for no budget.
	Budget *Budget

	// Clock is what guests see and sleep by. The zero value is the real clocks.
	Clock Clock

	// Rand is where guests draw randomness from; nil stands for the system's. It must allow concurrent use.
	Rand io.Reader

	// Stack bounds the nesting of a guest's calls in bytes, as meter.Options weighs them; 0 stands for
	// meter.DefaultStack.
	Stack int64

	// Functions are what a guest may import from extism:host/env and extism:host/user, beside those of the former that
	// handle blocks, input, output, errors and the log. What answers them is a run's own: Run.Calls.
	Functions []Function

	// Compiler is the command of a process that compiles for the engine, bounded in time and memory: the program and its
	// arguments, to which the engine adds some of its own, for CompileWorker. It must be the same program as this one,
	// since it must have the same version of everything. Empty compiles in this process, where neither time nor memory
	// are bounded.
	Compiler []string

	// CompileTimeout and CompileMemory bound one such process, in time from its start and in bytes that it takes for
	// itself. 0 stands for DefaultCompileTimeout and DefaultCompileMemory. Without a Compiler they mean nothing.
	CompileTimeout time.Duration
	CompileMemory  int64

	// Compilers is how many modules are compiled at a time. 0 stands for 1 in this process, and with a Compiler for
	// half of the processors, but at least 2, so that a module that takes long holds up no other.
	Compilers int
}

// Defaults of a Config's fields. The largest programs that are known to be run need a fifth of the time and half of the
// memory.
const (
	DefaultCompileTimeout       = 3 * time.Minute
	DefaultCompileMemory  int64 = 2 << 30
)

// Engine compiles modules and runs them. All methods can be called concurrently.
type Engine struct {
	cfg       Config
	rt        wazero.Runtime
	provided  map[imported]api.FunctionDefinition // what guests may import
	cache     *cache                              // nil without a CacheDir and a Compiler
	temporary string                              // the cache's folder, if it goes with the engine
	loaded    loaded
	worker    *worker // nil: compile in this process
	compilers chan struct{}
	tokens    *tokens
	regions   *regions // memories
	users     gate     // runs, compilations and open modules' runs
}

// loaded are the links in the cache of the modules that are open.
type loaded struct {
	mu    sync.Mutex // guards links
	links map[string]int
}

const wasiModule = "wasi_snapshot_preview1"

// New returns an engine. It fails if the cache folder cannot be used; close the engine when it is no longer needed.
func New(ctx context.Context, cfg Config) (*Engine, error) {
	cfg.Clock = cfg.Clock.withDefaults()
	if cfg.MaxMemory <= 0 || cfg.MaxMemory > meter.MaxMemory {
		cfg.MaxMemory = meter.MaxMemory
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	e := &Engine{cfg: cfg, tokens: newTokens(), regions: newRegions(), provided: map[imported]api.FunctionDefinition{}}
	var err error
	if e.worker, err = newWorker(&cfg); err != nil {
		return nil, err
	}
	e.compilers = make(chan struct{}, cfg.Compilers)
	rc := runtimeConfig()
	if err := e.openCache(); err != nil {
		return nil, err
	}
	if e.cache != nil {
		rc = rc.WithCompilationCache(e.cache.engine)
	}
	e.rt = wazero.NewRuntimeWithConfig(ctx, rc)
	if err := provideSlices(ctx, e.rt); err != nil {
		_ = e.release(ctx)
		return nil, fmt.Errorf("provide metering: %w", err)
	}
	if err := provideWASI(ctx, e.rt); err != nil {
		_ = e.release(ctx)
		return nil, fmt.Errorf("provide WASI: %w", err)
	}
	e.learn(wasiModule)
	if err := e.provideCalls(ctx); err != nil {
		_ = e.release(ctx)
		return nil, err
	}
	return e, nil
}

// runtimeConfig is what decides how a module is compiled, here and in a worker.
func runtimeConfig() wazero.RuntimeConfig {
	return wazero.NewRuntimeConfig().
		WithCoreFeatures(api.CoreFeaturesV2).
		WithDebugInfoEnabled(false).
		WithMemoryLimitPages(uint32(meter.MaxMemory / meter.PageSize))
}

// openCache opens the cache if there is to be one.
func (e *Engine) openCache() (err error) {
	dir := e.cfg.CacheDir
	if dir == "" {
		if e.worker == nil {
			return nil
		}
		if dir, err = newTemporary(); err != nil {
			return fmt.Errorf("make a folder for what the compile worker makes: %w", err)
		}
		e.temporary = dir
	}
	stale := time.Hour
	if e.worker != nil {
		stale = max(stale, 2*e.worker.timeout)
	}
	if e.cache, err = openCache(dir, stale); err != nil {
		return errors.Join(fmt.Errorf("compile cache %s: %w", dir, err), e.removeTemporary())
	}
	return nil
}

func (e *Engine) removeTemporary() error {
	if e.temporary == "" {
		return nil
	}
	return os.RemoveAll(e.temporary)
}

// Close refuses new runs and compilations, waits for those under way as long as the context lasts, and releases all
// modules. If the context ends first, nothing is released, its cause is returned, and Close can be called again.
func (e *Engine) Close(ctx context.Context) error {
	if err := e.users.shut(ctx); err != nil {
		return fmt.Errorf("close the engine: runs are still under way: %w", err)
	}
	return e.release(context.WithoutCancel(ctx))
}

func (e *Engine) release(ctx context.Context) error {
	err := e.rt.Close(ctx)
	e.regions.close()
	if e.cache != nil {
		if cerr := e.cache.engine.Close(ctx); err == nil {
			err = cerr
		}
	}
	return errors.Join(err, e.removeTemporary())
}
