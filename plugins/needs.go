package plugins

import (
	"fmt"
	"maps"
	"slices"

	"github.com/wcron/wcron/config"
	"github.com/wcron/wcron/sandbox/meter"
)

// Where a guest imports from.
const (
	wasiModule = "wasi_snapshot_preview1"
	envModule  = "extism:host/env"
	userModule = "extism:host/user"
)

// capabilities are the functions that need more than a run, by what they need; every other function of wcron is free.
var capabilities = map[string]map[string]string{
	envModule:  {"http_request": "http", "http_status_code": "http", "http_headers": "http"},
	userModule: {"wcron_emit": "emit"},
	wasiModule: {"path_open": "dir"},
}

// free are the other functions that guests may import.
var free = map[string][]string{
	envModule: {"alloc", "free", "length", "length_unsafe", "load_u8", "load_u64", "store_u8", "store_u64", "input_length", "input_offset",
		"input_load_u8", "input_load_u64", "output_set", "error_set", "config_get", "var_get", "var_set", "log_trace", "log_debug", "log_info", "log_warn", "log_error",
		"get_log_level"},
	userModule: {"wcron_state", "wcron_event", "wcron_progress"},
}

// Known tells whether a function is one of those that jobs can be given. What a job needs for it is told by [Imports].
func Known(i meter.Import) bool {
	return i.Module == wasiModule || capabilities[i.Module][i.Name] != "" || slices.Contains(free[i.Module], i.Name)
}

// stateful are the functions that read and write a job's state.
var stateful = map[string]bool{"var_get": true, "var_set": true, "wcron_state": true}

// needsOf is what the imports of a module are for: capability -> the first import that needs it. "dir" is there for every program
// that could open a file, and "state" for one that could use its state.
func needsOf(imports []meter.Import) map[string]string {
	needs := map[string]string{}
	for _, i := range imports {
		what := capabilities[i.Module][i.Name]
		if stateful[i.Name] && (i.Module == envModule || i.Module == userModule) {
			what = "state"
		}
		if what != "" && needs[what] == "" {
			needs[what] = i.Name
		}
	}
	return needs
}

// lines are what a manifest or sidecar has to say for a capability, as one line of TOML.
var lines = map[string]string{
	"http": `request.http = [{ host = "api.example.com", reason = "why" }]`,
	"emit": `request.emit = { jobs = ["another-job"], reason = "why" }`,
}

// unrequested is an import that the request says nothing of, or nil. A folder and state need no request to be imported: every program
// that is made for files has the import.
func unrequested(p *plugin, req config.Request, shown, job string) *config.Problem {
	asked := map[string]bool{"http": len(req.HTTP) > 0, "emit": req.Emit != nil}
	for _, what := range []string{"http", "emit"} {
		if name := p.needs[what]; name != "" && !asked[what] {
			return &config.Problem{File: shown, What: fmt.Sprintf("it imports %s, and requests no %s", name, what),
				Remedy: fmt.Sprintf("add to its manifest, or to the .toml beside it: %s; or grant it in [jobs.%s.grant] of the host file", lines[what], job)}
		}
	}
	return nil
}

// unused says what is requested although the module imports nothing that could use it.
func unused(needs map[string]string, req config.Request) []string {
	var out []string
	add := func(asked bool, need, what string) {
		if asked && needs[need] == "" {
			out = append(out, "it requests "+what+" and imports nothing that could use it; take the request out, or build the module that needs it")
		}
	}
	add(len(req.HTTP) > 0, "http", "HTTP")
	add(len(req.Secrets) > 0, "http", "secrets")
	add(req.State != nil, "state", "state")
	add(len(req.Dirs) > 0, "dir", "folders")
	add(req.Emit != nil, "emit", "to start jobs")
	return out
}

// widened is the request with what an operator's own table gives beyond it, where the module imports what that is for.
func widened(req config.Request, grant config.Grant, needs map[string]string) config.Request {
	if needs["http"] != "" && len(req.HTTP) == 0 {
		for _, g := range grant.HTTP {
			req.HTTP = append(req.HTTP, config.HTTPRequest{Host: g.Host, Schemes: g.Schemes, Methods: g.Methods, Paths: g.Paths})
		}
	}
	if needs["dir"] != "" {
		dirs := slices.Clone(req.Dirs)
		for _, g := range grant.Dirs {
			if !slices.ContainsFunc(dirs, func(d config.DirRequest) bool { return d.Guest == g.Guest }) {
				mode := g.Mode
				if mode == "" {
					mode = config.ModeRead
				}
				dirs = append(dirs, config.DirRequest{Guest: g.Guest, Mode: mode})
			}
		}
		req.Dirs = dirs
	}
	if needs["emit"] != "" && req.Emit == nil && grant.Emit != nil {
		req.Emit = &config.EmitRequest{Jobs: grant.Emit.Jobs}
	}
	if needs["state"] != "" && req.State == nil && grant.State > 0 {
		req.State = &config.StateRequest{Size: grant.State}
	}
	return req
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// Imports are the functions of wcron that a module imports and what each needs.
func Imports(list []meter.Import) []Import {
	out := []Import{}
	for _, i := range list {
		needs := capabilities[i.Module][i.Name]
		if i.Module == wasiModule {
			needs = "" // a program imports path_open whether or not it is to have folders
		}
		out = append(out, Import{i.Module, i.Name, needs})
	}
	return out
}

// Import is one import of a module.
type Import struct {
	Module string `json:"module"`
	Name   string `json:"name"`
	Needs  string `json:"needs"` // the request that it needs: "http", "emit" or ""
}
