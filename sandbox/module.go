package sandbox

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/wcron/wcron/sandbox/meter"
)

// The functions that prepare a module before another than `_start` is called: of reactors, of commands that export it, and
// of GHC's runtime.
const (
	initialize   = "_initialize"
	constructors = "__wasm_call_ctors"
	haskell      = "hs_init"
)

// Module is a compiled module, ready for any number of runs, also at the same time.
type Module struct {
	engine   *Engine
	compiled wazero.CompiledModule
	info     *meter.Info
	digest   string
	link     string // of its compiled code in the cache; empty: there is no cache
	held     sync.Once
	users    gate
}

// Info is what the module imports, exports and needs. It must not be changed.
func (m *Module) Info() *meter.Info { return m.info }

// Digest is the SHA-256 of the bytes given to Compile, in hex.
func (m *Module) Digest() string { return m.digest }

// MinMemory is the memory in bytes that each run has from the start.
func (m *Module) MinMemory() int64 { return m.info.MinMemory() }

// Close refuses new runs, waits for those under way as long as the context lasts, and releases the compiled code.
// If the context ends first, its cause is returned, and Close can be called again.
func (m *Module) Close(ctx context.Context) error {
	if err := m.users.shut(ctx); err != nil {
		return fmt.Errorf("close module %.12s: runs are still under way: %w", m.digest, err)
	}
	m.held.Do(func() { m.engine.drop(m.link) })
	return m.compiled.Close(context.WithoutCancel(ctx))
}

// CheckEntry tells whether the module can be run with that name as Run.Entry. The error is a *ModuleError that says what to
// do.
func (m *Module) CheckEntry(name string) error {
	_, err := m.entry(name)
	return err
}

// entryPoint is a function that can be called as Run.Entry says.
type entryPoint struct {
	name   string
	before []string // to be called before it
}

func (m *Module) entry(name string) (entryPoint, error) {
	if err := m.checkMemory(); err != nil {
		return entryPoint{}, err
	}
	functions := m.compiled.ExportedFunctions()
	if name == "" {
		name = "_start"
		if _, command := functions[name]; !command {
			if _, reactor := functions["run"]; reactor {
				name = "run"
			}
		}
	}
	def, found := functions[name]
	if !found {
		return entryPoint{}, m.noEntry(name)
	}
	if !callable(def) {
		return entryPoint{}, moduleError("the function %q cannot be the entry point: it must take no parameters and give "+
			"nothing or one i32; %s", name, m.choices())
	}
	return entryPoint{name: name, before: m.before(name)}, nil
}

// before is what to call before an entry point.
func (m *Module) before(name string) (list []string) {
	if name == "_start" {
		return nil
	}
	functions := m.compiled.ExportedFunctions()
	for _, init := range []string{initialize, constructors} {
		if def, found := functions[init]; found && callable(def) {
			list = append(list, init)
			break
		}
	}
	if def, found := functions[haskell]; found && slices.Equal(def.ParamTypes(), []api.ValueType{api.ValueTypeI32, api.ValueTypeI32}) {
		list = append(list, haskell)
	}
	return list
}

// checkMemory refuses a module without a memory that calls functions which pass things by memory: the engine's own
// look for it without asking whether it is there.
func (m *Module) checkMemory() error {
	if m.info.HasMemory {
		return nil
	}
	for _, i := range m.info.Imports {
		if i.Module == wasiModule && !slices.Contains([]string{"proc_exit", "proc_raise", "sched_yield", "fd_close"}, i.Name) {
			return moduleError("it imports %s, which passes things by memory, and it has none; build it as WASI preview 1 "+
				"asks, with a memory", i.Name)
		}
	}
	return nil
}

func (m *Module) noEntry(name string) error {
	if e, found := m.info.Export(name); found {
		return moduleError("it exports %q as a %v, not as a function; %s", name, e.Kind, m.choices())
	}
	if name == "_start" {
		return moduleError("it exports neither a function `_start` nor `run`: build it as a WASI command, or as a "+
			"reactor that exports `run`; %s", m.choices())
	}
	return moduleError("it exports no function %q; %s", name, m.choices())
}

// choices says what entry can be set to.
func (m *Module) choices() string {
	var names []string
	for name, def := range m.compiled.ExportedFunctions() {
		if callable(def) && name != initialize {
			names = append(names, fmt.Sprintf("%q", name))
		}
	}
	if len(names) == 0 {
		return "no function that it exports can be an entry point"
	}
	slices.Sort(names)
	return "entry can be set to " + strings.Join(names[:min(len(names), maxListed)], ", ")
}

func callable(def api.FunctionDefinition) bool {
	results := def.ResultTypes()
	return len(def.ParamTypes()) == 0 && (len(results) == 0 || len(results) == 1 && results[0] == api.ValueTypeI32)
}
