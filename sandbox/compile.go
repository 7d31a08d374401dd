package sandbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/wcron/wcron/sandbox/meter"
)

// maxListed is how many names an error lists.
const maxListed = 5

// ModuleError says what is wrong with a module, and what its author or operator can do about it. For a malformed file
// it wraps a *meter.Error. It prints as one printable line of at most 1 KiB.
type ModuleError struct {
	What string
	Err  error
}

// Error says what is wrong with the module.
func (e *ModuleError) Error() string {
	switch {
	case e.Err == nil:
		return printable(e.What)
	case e.What == "":
		return printable(e.Err.Error())
	}
	return printable(e.What + ": " + e.Err.Error())
}

// Unwrap gives the error beneath, or nil.
func (e *ModuleError) Unwrap() error { return e.Err }

func moduleError(format string, args ...any) *ModuleError {
	return &ModuleError{What: fmt.Sprintf(format, args...)}
}

// errClosed is what Compile returns once its engine is closed.
var errClosed = errors.New("the engine is closed")

// Compile checks and compiles a module. An error of the module is a *ModuleError; another one is the context's, or the
// host's. The end of the context ends a Config.Compiler at once, and its cause is returned. In this process a
// compilation under way runs to its end first, and the compiled code is kept in the cache. Close the module when it is
// no longer needed.
func (e *Engine) Compile(ctx context.Context, wasm []byte) (*Module, error) {
	if !e.users.enter() {
		return nil, errClosed
	}
	defer e.users.leave()
	metered, info, err := meter.Meter(wasm, meter.Options{Limits: e.cfg.Limits, Stack: e.cfg.Stack})
	if err != nil {
		return nil, &ModuleError{Err: err}
	}
	if err := e.checkImports(info); err != nil {
		return nil, err
	}
	digest := sha256.Sum256(wasm)
	select {
	case e.compilers <- struct{}{}:
		defer func() { <-e.compilers }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	link := ""
	if e.cache != nil {
		link = e.cache.link(metered)
		_ = e.cache.touch(link) // at worst the next start compiles it again
	}
	compiled, err := e.compile(ctx, metered)
	if err != nil {
		return nil, err
	}
	m := &Module{engine: e, compiled: compiled, info: info, digest: hex.EncodeToString(digest[:]), link: link}
	if err = e.checkSignatures(compiled); err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = compiled.Close(context.WithoutCancel(ctx))
		return nil, err
	}
	e.hold(m.link)
	return m, nil
}

// compile compiles, and once more if it was the cache that failed.
func (e *Engine) compile(ctx context.Context, wasm []byte) (wazero.CompiledModule, error) {
	compiled, err := e.compileBounded(ctx, wasm)
	if err != nil && e.cache != nil && isCacheError(err) {
		if err := e.cache.clear(); err != nil {
			return nil, fmt.Errorf("compile cache %s: %w", e.cache.dir, err)
		}
		compiled, err = e.compileBounded(ctx, wasm)
		if err != nil && isCacheError(err) {
			return nil, fmt.Errorf("compile cache %s: %w", e.cache.dir, err)
		}
	}
	if err != nil {
		return nil, err
	}
	if e.cache != nil && e.worker == nil {
		// Without its seal the entry is only compiled again at the next start.
		_ = e.cache.seal()
	}
	return compiled, nil
}

// compileBounded lets the worker fill the cache, if there is a worker, so that the engine only loads what is there.
func (e *Engine) compileBounded(ctx context.Context, wasm []byte) (wazero.CompiledModule, error) {
	if e.worker != nil && !e.cache.has(wasm) {
		if err := e.worker.fill(ctx, e.cache, wasm); err != nil {
			return nil, err
		}
	}
	compiled, err := e.compileOnce(ctx, wasm)
	if err != nil && !isCacheError(err) {
		err = &ModuleError{What: doesNotCompile, Err: err}
	}
	return compiled, err
}

const doesNotCompile = "it does not compile"

func (e *Engine) compileOnce(ctx context.Context, wasm []byte) (compiled wazero.CompiledModule, err error) {
	defer func() {
		if p := recover(); p != nil {
			compiled, err = nil, panicError{p}
		}
	}()
	return e.rt.CompileModule(ctx, wasm)
}

// checkImports refuses what no host function answers to.
func (e *Engine) checkImports(info *meter.Info) error {
	unknown := map[string][]string{}
	var modules []string
	for _, i := range info.Imports {
		if i.Kind == meter.Func && e.provided[imported{i.Module, i.Name}] != nil {
			continue
		}
		if unknown[i.Module] == nil {
			modules = append(modules, i.Module)
		}
		name := i.Name
		if i.Kind != meter.Func {
			name = fmt.Sprintf("%v %s", i.Kind, name)
		}
		unknown[i.Module] = append(unknown[i.Module], name)
	}
	if len(modules) == 0 {
		return nil
	}
	slices.SortFunc(modules, func(a, b string) int { return importRank(a) - importRank(b) })
	module := modules[0]
	names := unknown[module]
	list := strings.Join(names[:min(len(names), maxListed)], ", ")
	if more := len(names) - maxListed; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	if len(modules) > 1 {
		list += fmt.Sprintf("; and from %d other modules", len(modules)-1)
	}
	return moduleError("it imports from %q what this host does not provide (%s): %s", module, list, remedy(module))
}

// importRank puts the modules first whose remedy says most.
func importRank(module string) int {
	switch {
	case module == "env":
		return 1
	case remedy(module) == remedy(""):
		return 2
	}
	return 0
}

// remedy says what to do about imports from a module.
func remedy(module string) string {
	switch {
	case module == wasiModule:
		return "that is no function of WASI preview 1; build with a toolchain for wasip1 that keeps to the standard"
	case module == "wasi_unstable":
		return "that is WASI snapshot 0, which was given up in 2020 and differs in its structures; " +
			"build again with a toolchain for wasip1"
	case strings.HasPrefix(module, "wasi:"):
		return "that is WASI preview 2, which is for components; build for wasip1"
	case strings.HasPrefix(module, "extism:host/"):
		return "another host provides these; build the plugin without them, or have them registered by the program that embeds this " +
			"host (docs/plugins.md lists what there is)"
	case module == "go" || module == "gojs":
		return "the module was built for a browser; build it with GOOS=wasip1 GOARCH=wasm"
	case strings.HasPrefix(module, "wbg") || strings.HasPrefix(module, "__wbindgen"):
		return "the module was built with wasm-bindgen for JavaScript; build it for wasm32-wasip1 without it"
	case module == "env":
		return "the linker left these to the host; build for wasip1 (Emscripten: -sSTANDALONE_WASM), " +
			"and without threads or an imported memory"
	}
	return "a module can import functions of wasi_snapshot_preview1, extism:host/env and extism:host/user only; build it for wasip1"
}

// signature is the type of a function, as in (i64, i32) -> i64.
func signature(f api.FunctionDefinition) string {
	names := func(types []api.ValueType) string {
		var list []string
		for _, t := range types {
			list = append(list, api.ValueTypeName(t))
		}
		return strings.Join(list, ", ")
	}
	text := "(" + names(f.ParamTypes()) + ")"
	if results := f.ResultTypes(); len(results) > 0 {
		text += " -> " + names(results)
	}
	return text
}

// checkSignatures refuses imports that have the right name and the wrong type.
func (e *Engine) checkSignatures(compiled wazero.CompiledModule) error {
	for _, f := range compiled.ImportedFunctions() {
		module, name, _ := f.Import()
		if module == meter.ImportModule {
			continue // ours
		}
		host := e.provided[imported{module, name}]
		if slices.Equal(f.ParamTypes(), host.ParamTypes()) && slices.Equal(f.ResultTypes(), host.ResultTypes()) {
			continue
		}
		if module != wasiModule {
			return moduleError("it imports %s.%s with another signature than this host gives it: as %s, and here it is %s; declare it so, and build again", module, name,
				signature(f), signature(host))
		}
		return moduleError("it imports %s.%s with another signature than WASI preview 1 gives it; "+
			"build it with a toolchain for wasip1", module, name)
	}
	return nil
}
