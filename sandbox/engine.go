package sandbox

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/wcron/wcron/sandbox/meter"
)

// DefaultMemory is the memory limit of a run that names none: 64 MiB.
const DefaultMemory int64 = 64 << 20

// Config configures an Engine. The zero value is ready for use.
type Config struct {
	// CacheDir is the folder of the compile cache on disk; empty keeps compiled modules in memory only. It is made
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

	// Compilers is how many modules are compiled at a time; 0 stands for 1.
	Compilers int
}

// Engine compiles modules and runs them. All methods can be called concurrently.
type Engine struct {
	cfg       Config
	rt        wazero.Runtime
	wasi      map[string]api.FunctionDefinition // what guests may import
	cache     *cache                            // nil without a CacheDir
	compilers chan struct{}
	tokens    *tokens
	users     gate // runs, compilations and open modules' runs
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
	e := &Engine{cfg: cfg, compilers: make(chan struct{}, max(cfg.Compilers, 1)), tokens: newTokens()}
	rc := wazero.NewRuntimeConfig().
		WithCoreFeatures(api.CoreFeaturesV2).
		WithDebugInfoEnabled(false).
		WithMemoryLimitPages(uint32(meter.MaxMemory / meter.PageSize))
	if cfg.CacheDir != "" {
		var err error
		if e.cache, err = openCache(cfg.CacheDir); err != nil {
			return nil, fmt.Errorf("compile cache %s: %w", cfg.CacheDir, err)
		}
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
	e.wasi = e.rt.Module(wasiModule).ExportedFunctionDefinitions()
	return e, nil
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
	if e.cache != nil {
		if cerr := e.cache.engine.Close(ctx); err == nil {
			err = cerr
		}
	}
	return err
}
