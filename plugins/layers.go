package plugins

import (
	"path/filepath"
	"reflect"
	"strings"

	"github.com/wcron/wcron/config"
)

// Where a value comes from.
const (
	fromDefault  = "default"
	fromManifest = "manifest"
	fromSidecar  = "sidecar"
	fromHostFile = "host file"
	cutToCaps    = ", cut to [caps]"
)

// merged is all layers of a job as one, and where each value comes from.
type merged struct {
	settings config.Settings
	all      config.Job
	origin   map[string]string // key -> where from, as a person reads it
	file     map[string]string // key -> file in which it is written; "" for a default
	schedule config.Position   // where the schedule is written, if that is known without looking
	own      map[string]bool   // key -> set above the defaults
}

// merge puts the layers over each other: base, the plugin's own cut to the caps, and the operator's. Any of the last three may be nil.
func merge(base config.Job, caps config.Caps, manifest, sidecar, operator *layer) merged {
	m := merged{origin: map[string]string{}, file: map[string]string{}, own: map[string]bool{}}
	m.note(base, fromDefault, "")
	var asked config.Job
	for _, l := range []*layer{manifest, sidecar} {
		if l != nil {
			asked = l.job.Over(asked)
			m.note(l.job, l.from, l.file)
			if l.job.Schedule != nil {
				m.schedule = l.schedule
			}
		}
	}
	asked, cut := caps.Limit(asked)
	for _, key := range cut {
		m.origin[key] += cutToCaps
	}
	all := asked.Over(base)
	if operator != nil {
		all = operator.job.Over(all)
		m.note(operator.job, operator.from, operator.file)
		if operator.job.Schedule != nil {
			m.schedule = config.Position{}
		}
	}
	m.all, m.settings = all, all.Resolve()
	return m
}

// note records the keys that a layer sets.
func (m *merged) note(j config.Job, from, file string) {
	v := reflect.ValueOf(j)
	for i := range v.NumField() {
		key := v.Type().Field(i).Tag.Get("toml")
		if key == "" || v.Field(i).IsNil() {
			continue
		}
		m.origin[key], m.file[key], m.own[key] = from, file, from != fromDefault
	}
}

// operatorLayer is what the host file or a file of jobs.d says of a job.
func operatorLayer(f *config.File, e config.JobEntry) *layer {
	from := fromHostFile
	if e.Pos.File != f.Path {
		from = filepath.Base(filepath.Dir(e.Pos.File)) + "/" + filepath.Base(e.Pos.File)
	}
	return &layer{job: e.Job, from: from, file: e.Pos.File, entry: e.Pos}
}

// pluginOf is the module of a job that the operator defined.
func pluginOf(name string, e config.JobEntry) string {
	if e.Plugin != nil {
		return *e.Plugin
	}
	return name + moduleExt
}

// nameOf is the job that a module is unless the operator says otherwise.
func nameOf(module string) string { return strings.TrimSuffix(module, moduleExt) }
