package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wcron/wcron/config"
	"github.com/wcron/wcron/plugins"
	"github.com/wcron/wcron/sandbox/meter"
)

// wasi is the module whose functions a guest gets.
const wasi = "wasi_snapshot_preview1"

// shape finds what would keep the module of a job from running, as far as can be seen without compiling it: imports from elsewhere,
// and no function to begin with. Signatures and instructions are seen only by the compiler.
func shape(j plugins.Job, lim meter.Limits) []finding {
	if j.Digest == "" {
		return nil // and the set's problems say why
	}
	complain := func(what, remedy string) []finding {
		return []finding{fault(config.Problem{File: j.Plugin, What: what, Remedy: remedy})}
	}
	wasm, err := j.Load()
	if err != nil {
		return complain(err.Error(), "copy it again")
	}
	info, err := meter.Check(wasm, lim)
	if err != nil {
		return complain(err.Error(), "build it or copy it again")
	}
	var out []finding
	foreign := map[string][]string{}
	var from []string
	for _, i := range info.Imports {
		if plugins.Known(i) {
			continue
		}
		if foreign[i.Module] == nil {
			from = append(from, i.Module)
		}
		foreign[i.Module] = append(foreign[i.Module], i.Name)
	}
	for _, module := range from {
		names := foreign[module]
		if more := len(names) - 5; more > 0 {
			names = append(names[:5:5], fmt.Sprintf("and %d more", more))
		}
		out = append(out, complain(printable(fmt.Sprintf("it imports from %q what no job is given (%s)", module, strings.Join(names, ", "))),
			"build it for wasip1, without what needs these imports")...)
	}
	if want, has := begins(info, j.Settings.Entry); !has {
		out = append(out, complain(fmt.Sprintf("it exports no function %s to begin with", want),
			"build it as a command, or name one of its exports with entry in its sidecar")...)
	}
	return out
}

// begins reports whether a module has the function that a run calls.
func begins(info *meter.Info, entry string) (want string, has bool) {
	names := []string{"_start", "run"}
	want = "_start or run"
	if entry != "" {
		names, want = []string{entry}, fmt.Sprintf("%q", entry)
	}
	return want, slices.ContainsFunc(names, func(name string) bool {
		e, ok := info.Export(name)
		return ok && e.Kind == meter.Func
	})
}
