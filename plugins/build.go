package plugins

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/wcron/wcron/config"
	"github.com/wcron/wcron/sandbox/meter"
	"github.com/wcron/wcron/schedule"
)

// builder makes a set of what was last found.
type builder struct {
	file    *config.File
	base    config.Job
	zone    Zone
	folder  *folder
	load    func(digest, path string) ([]byte, error)
	zones   map[string]*time.Location
	jobs    map[string]Job
	byFold  map[string]string // lower-case name -> name, of the jobs that may run
	told    map[string]bool   // units whose problems are listed
	problem []config.Problem
	records map[string][]Record // by job
	seen    int64               // their revision
	unknown error               // why nothing is known of what was decided; nil: it is known, or nobody keeps it

	// earlierVersion is a version of a plugin out of the content store. nil: there are none.
	earlierVersion func(digest, sidecar, shown string) (*plugin, error)
}

func (b *builder) build() *Set {
	b.jobs, b.byFold, b.told = map[string]Job{}, map[string]string{}, map[string]bool{}
	b.zones = map[string]*time.Location{b.zone.Name: b.zone.Location}
	b.problem = append(b.problem, b.folder.problems()...)
	used := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(b.file.Jobs)) {
		e := b.file.Jobs[name]
		module := pluginOf(name, e)
		used[module] = true
		b.add(name, module, operatorLayer(b.file, e))
	}
	b.addImplicit(used)
	set := &Set{File: b.file, Zone: b.zone, Problems: b.problem}
	for _, name := range slices.Sorted(maps.Keys(b.jobs)) {
		set.Jobs = append(set.Jobs, b.jobs[name])
	}
	return set
}

// addImplicit adds the jobs of the folder that the operator has not defined; used are the modules that operators' jobs name. Names that differ only in case are one name on some file systems: the
// one in small letters stands, the others are refused.
func (b *builder) addImplicit(used map[string]bool) {
	var modules []string
	for module, u := range b.folder.units {
		if u.good != nil || u.module.present && (!u.waiting || u.unsettled()) {
			modules = append(modules, module)
		}
	}
	slices.SortFunc(modules, func(x, y string) int {
		if lx, ly := x == strings.ToLower(x), y == strings.ToLower(y); lx != ly {
			if lx {
				return -1
			}
			return 1
		}
		return strings.Compare(x, y)
	})
	for _, module := range modules {
		name, shown := nameOf(module), b.folder.units[module].module.shown
		if _, taken := b.jobs[name]; b.folder.units[module].unsettled() && (taken || config.ValidName(name) != nil) {
			continue // what is wrong with it is told once it is there
		}
		if err := config.ValidName(name); err != nil {
			if used[module] {
				continue // the job that uses it gives it a name
			}
			b.complain(config.Problem{File: shown, What: "its name cannot be a job's: " + err.Error(),
				Remedy: "rename it, or name it as the plugin of a job in the host file"})
			continue
		}
		if j, taken := b.jobs[name]; taken {
			if used[module] {
				continue // it is this very job, or the plugin of another one
			}
			b.complain(config.Problem{File: shown, What: fmt.Sprintf("it would be the job %s, but that is made of %s", name, j.Plugin),
				Remedy: "rename one of the two"})
			continue
		}
		b.add(name, module, nil)
	}
}

// add makes one job.
func (b *builder) add(name, module string, operator *layer) {
	u := b.folder.units[module]
	j := Job{Name: name, Plugin: readable(filepath.Join(b.folder.dir, filepath.FromSlash(module)))}
	var p *plugin
	if u != nil {
		p = u.good
		if !b.told[module] && !u.waiting {
			b.complain(u.problems()...)
		}
		b.told[module] = true
	}
	var m merged
	var d decision
	if p != nil {
		d = b.decide(name, module, p, operator)
		p, j.Access = d.use, d.access
		if p.needs != nil && d.state != Broken {
			j.Unused = unused(p.needs, j.Access.Request)
		}
	}
	if p == nil {
		m = merge(b.base, b.file.Caps, nil, nil, operator)
	} else {
		m = merge(b.base, b.file.Caps, p.manifest, p.sidecar, operator)
		digest, at := p.digest, u.module.path
		j.Digest, j.MinMemory = digest, p.minMemory
		j.Load = func() ([]byte, error) { return b.load(digest, at) }
	}
	m.settings.Plugin = module
	j.Settings, j.Merged, j.Origin, j.ScheduleText, j.Timezone = m.settings, m.all, m.origin, m.settings.Schedule, m.settings.Timezone
	if j.Load == nil {
		j.Load = func() ([]byte, error) { return nil, fmt.Errorf("load the plugin of job %s: %w", name, ErrContent) }
	}
	d.apply(b, &j)
	b.judge(&j, u, m, operator)
	b.jobs[name] = j
}

// apply tells the job what was decided.
func (d *decision) apply(b *builder, j *Job) {
	switch {
	case d.reason == "":
		return
	case d.state == Broken:
		p := config.Problem{File: d.file, What: d.reason, Remedy: d.remedy}
		b.complain(p)
		j.breakBy(p)
		return
	}
	j.State, j.Reason, j.Remedy = d.state, d.reason, d.remedy
}

// judge says in which state a job is. The first reason that it cannot run is the job's; all are in the problems.
func (b *builder) judge(j *Job, u *unit, m merged, operator *layer) {
	if u != nil && u.good == nil && u.waiting && b.folder.fault == nil {
		j.State, j.Reason, j.Remedy = Waiting, "its plugin is still being written", "wait until it is there"
	} else if p := b.absent(j, u, operator); p != nil {
		j.breakBy(*p)
	}
	if u != nil && u.good != nil && len(u.problems()) > 0 && !u.waiting {
		first := u.problems()[0]
		j.Reason = "the version in use goes on, because the file that is there now is refused: " + reason(first)
		j.Remedy = first.Remedy
	}
	if other, twice := b.byFold[strings.ToLower(j.Name)]; twice {
		p := config.Problem{File: j.Plugin, What: fmt.Sprintf("its name differs from that of the job %s only in case", other), Remedy: "rename one of the two"}
		b.complain(p)
		j.breakBy(p)
	} else {
		b.byFold[strings.ToLower(j.Name)] = j.Name
	}
	if j.Digest != "" && j.MinMemory > j.Settings.Memory {
		p := config.Problem{File: j.Plugin, What: fmt.Sprintf("the module begins with %s of memory, and the job may have %s (memory from %s)",
			meter.FormatBytes(j.MinMemory), meter.FormatBytes(j.Settings.Memory), m.origin["memory"])}
		p.Remedy = fmt.Sprintf("set memory = %q or more in [jobs.%s] of the host file", needed(j.MinMemory), j.Name)
		b.complain(p)
		j.breakBy(p)
	}
	b.time(j, m)
	if j.State == Active && j.Schedule == nil {
		j.State = Manual
		if j.Reason == "" {
			j.Reason, j.Remedy = "it has no schedule", b.scheduleRemedy(j, operator)
		}
	}
}

// absent says why there is no code for a job, or nil. What is wrong with a file is in the problems already.
func (b *builder) absent(j *Job, u *unit, operator *layer) *config.Problem {
	switch {
	case u != nil && u.good != nil:
		return nil
	case b.folder.fault != nil:
		return &config.Problem{What: b.folder.fault.what, Remedy: b.folder.fault.remedy}
	case u != nil && len(u.problems()) > 0:
		return &u.problems()[0]
	}
	at := operator.entry
	if at.File != b.file.Path { // the file is the job
		at.Line, at.Col = 0, 0
	}
	p := config.Problem{File: at.File, Line: at.Line, Col: at.Col, What: fmt.Sprintf("job %s: its plugin %s is missing", j.Name, j.Plugin),
		Remedy: "put the file there, name another one as its plugin, or remove the job"}
	b.complain(p)
	return &p
}

// time reads the schedule.
func (b *builder) time(j *Job, m merged) {
	if j.ScheduleText == "" {
		return
	}
	loc, err := b.location(j.Timezone)
	var spec *schedule.Spec
	if err == nil {
		spec, err = schedule.Parse(j.ScheduleText, schedule.Options{Location: loc, LocationSet: m.own["timezone"], Name: j.Name, DST: schedule.DST(m.settings.DST)})
	}
	if err == nil {
		j.Schedule, j.Timezone, j.Warnings = spec, spec.Location().String(), spec.Warnings()
		b.bounds(j, m)
		return
	}
	at := b.placeOfSchedule(j.Name, m)
	p := config.Problem{File: at.File, Line: at.Line, Col: at.Col, What: fmt.Sprintf("job %s: schedule %q: %v", j.Name, oneLine(j.ScheduleText), err),
		Remedy: "write a schedule such as \"0 9 * * MON-FRI\", \"@daily\" or \"@every 90s\""}
	b.complain(p)
	j.breakBy(p)
}

// oneLine is the text of several schedules as one writes it on a command line.
func oneLine(text string) string { return strings.ReplaceAll(text, "\n", "; ") }

// placeOfSchedule looks up where a schedule is written that cannot be read.
func (b *builder) placeOfSchedule(job string, m merged) config.Position {
	switch file := m.file["schedule"]; file {
	case "":
		return config.PlaceInFile(b.file.Path, b.file.Path, "defaults", "schedule")
	case b.file.Path:
		return config.PlaceInFile(file, file, "jobs", job, "schedule")
	default:
		if m.schedule.Line > 0 {
			return m.schedule
		}
		return config.PlaceInFile(file, file, "schedule")
	}
}

// location loads each zone once for a set.
func (b *builder) location(name string) (*time.Location, error) {
	if loc := b.zones[name]; loc != nil {
		return loc, nil
	}
	loc, err := loadZone(name)
	if err != nil {
		return nil, errors.New("timezone " + readable(name) + " is not known")
	}
	b.zones[name] = loc
	return loc, nil
}

func (b *builder) scheduleRemedy(j *Job, operator *layer) string {
	const line = `schedule = "@daily"`
	if operator != nil {
		return fmt.Sprintf("add %s (or another) to job %s in %s", line, j.Name, readable(operator.file))
	}
	side := nameOf(path.Base(j.Settings.Plugin)) + sidecarExt
	return fmt.Sprintf("add %s, or another, to %s beside it or to [jobs.%s] of the host file", line, side, j.Name)
}

func (b *builder) complain(list ...config.Problem) { b.problem = append(b.problem, list...) }

// breakBy keeps the first reason.
func (j *Job) breakBy(p config.Problem) {
	if j.State != Broken {
		j.State, j.Reason, j.Remedy = Broken, reason(p), p.Remedy
	}
}

// reason is what is wrong and where in its file, if that is known. The folder is left out: the job names its plugin.
func reason(p config.Problem) string {
	if p.Line == 0 {
		return p.What
	}
	return config.Position{File: path.Base(filepath.ToSlash(p.File)), Line: p.Line, Col: p.Col}.String() + ": " + p.What
}

// needed is a memory limit as one would write it: whole MiB.
func needed(n int64) string {
	return config.Size((n + 1<<20 - 1) >> 20 << 20).String()
}
