package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/wcron/wcron/capability"
	"github.com/wcron/wcron/config"
	"github.com/wcron/wcron/plugins"
	"github.com/wcron/wcron/sandbox"
)

// compileWorker is the command with which wcron starts itself to compile a module; see sandbox.CompileWorker. It is not for people
// and stands in no help.
const compileWorker = "__compile"

func (a *app) compileWorker(ctx context.Context, args []string) int {
	if err := sandbox.CompileWorker(ctx, a.stdin, args); err != nil {
		return a.fail(err)
	}
	return 0
}

// compiler is the command of a process that compiles; nil where this program cannot find itself.
func (a *app) compiler() []string {
	if runtime.GOOS == "linux" {
		// It is this program even when its file was replaced by that of another version meanwhile.
		const self = "/proc/self/exe"
		if _, err := os.Stat(self); err == nil {
			return []string{self, compileWorker}
		}
	}
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintf(a.stderr, "wcron: warning: this program cannot find itself (%v), so modules are compiled in this process, where compile_timeout "+
			"and compile_memory do not hold\n", err)
		return nil
	}
	return []string{self, compileWorker}
}

// blame is the exit code of a module that was not compiled: the given one if that is the module's fault.
func blame(err error, module int) int {
	var own *sandbox.ModuleError
	if errors.As(err, &own) {
		return module
	}
	return exitUnreachable
}

// sandboxConfig is what the host file says of modules. An empty cache folder is one that goes with the process.
func (a *app) sandboxConfig(f *config.File, cache string) sandbox.Config {
	calls, err := capability.Functions(nil)
	if err != nil {
		panic(err) // only functions of an embedder can be refused
	}
	return sandbox.Config{
		CacheDir: cache, Functions: calls, Limits: plugins.Limits(f.Limits),
		Compiler: a.compiler(), CompileTimeout: f.CompileTimeout, CompileMemory: f.CompileMemory,
	}
}
