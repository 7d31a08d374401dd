package host

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"time"

	"github.com/wcron/wcron/sandbox"
)

// module is a compiled module, or one that is about to be. It is shared by all jobs of its digest, and lives as long as one of
// them or a run needs it.
type module struct {
	digest   string
	load     func() ([]byte, error)
	jobs     map[*job]bool
	users    int // claims under way and runs
	compiled program
	err      error
	failed   int // how often it could not be built before, for reasons that may pass
}

// A module that failed for a reason which is not its own is tried again: its file could not be read, or the process that compiled
// it was killed. Soon at first, then less often.
const (
	rebuildFirst = 5 * time.Second
	rebuildLast  = 5 * time.Minute
)

// goOn says what a job's runs follow until the module of its new definition is compiled: the module that it has goes on with the
// definition that it came with, since what is granted now is granted to another module. One that was taken back, or whose job may do
// something else by now, does not go on.
func (l *loop) goOn(j *job, next Job) {
	now := j.def
	switch usable := now.Broken == "" && now.Unready == "" && next.Broken == ""; {
	case j.mod == nil || next.Module.Digest == j.mod.digest:
		j.came = nil
	case j.came == nil && usable && now.Module.Digest == j.mod.digest:
		j.came = &now
	case j.came != nil && usable && now.Grants.Text() == next.Grants.Text():
	default:
		l.dropModules(j)
	}
}

// inUse is the definition that a job's runs follow.
func (j *job) inUse() Job {
	if j.came != nil {
		return *j.came
	}
	return j.def
}

// dropModules leaves a job without a module, until it wants one again.
func (l *loop) dropModules(j *job) {
	l.releaseModule(j.mod, j)
	l.releaseModule(j.want, j)
	j.mod, j.want, j.came = nil, nil, nil
}

// wantModule asks for the module of a job's definition. Until it is compiled the job goes on with the one that it has.
func (l *loop) wantModule(j *job) {
	digest := j.def.Module.Digest
	if j.want != nil && j.want.digest == digest && j.want.err == nil {
		return
	}
	old := j.want
	m := l.modules[digest]
	if m == nil || m.err != nil {
		failed := 0
		if m != nil {
			failed = m.failed + 1
		}
		m = &module{digest: digest, load: j.def.Module.Load, jobs: map[*job]bool{}, failed: failed}
		l.modules[digest] = m
		l.compile = append(l.compile, m)
	}
	m.jobs[j] = true
	j.want = m
	if old != j.mod {
		l.releaseModule(old, j)
	}
	if m.compiled != nil {
		l.adopt(j, m)
	}
	l.nextCompile()
}

// adopt lets a job's next run use a module.
func (l *loop) adopt(j *job, m *module) {
	old := j.mod
	j.mod, j.came = m, nil
	if old != m {
		l.releaseModule(old, j)
	}
}

// mostCompiles is how many modules are compiled at a time: on half of the processors, so that jobs run on meanwhile. In processes
// of their own there are two at least, so that one which takes its whole time holds up no other.
func (l *loop) mostCompiles() int {
	most := max(1, runtime.GOMAXPROCS(0)/2, l.h.cfg.Sandbox.Compilers)
	if len(l.h.cfg.Sandbox.Compiler) > 0 {
		most = max(most, 2)
	}
	return most
}

// nextCompile starts compiling as far as that allows.
func (l *loop) nextCompile() {
	for len(l.compile) > 0 && l.compiles < l.mostCompiles() && !l.draining {
		m := l.compile[0]
		l.compile = l.compile[1:]
		if len(m.jobs) == 0 {
			delete(l.modules, m.digest)
			continue
		}
		l.compiles++
		l.spawn(func() {
			compiled, err := l.build(m)
			l.post(func() { l.built(m, compiled, err) })
		})
	}
}

// build reads and compiles a module; whatever goes wrong in there is this module's error.
func (l *loop) build(m *module) (compiled program, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("compile module %.12s: panic: %v", m.digest, p)
		}
	}()
	if m.load == nil {
		return nil, fmt.Errorf("compile module %.12s: its job has no Module.Load", m.digest)
	}
	wasm, err := m.load()
	if err != nil {
		return nil, err
	}
	return l.h.world.compile(l.ctx, wasm)
}

func (l *loop) built(m *module, compiled program, err error) {
	l.compiles--
	m.compiled, m.err = compiled, err
	for _, j := range slices.SortedFunc(maps.Keys(m.jobs), func(a, b *job) int { return cmpString(a.def.Name, b.def.Name) }) {
		if err != nil {
			if m.failed == 0 {
				l.h.emit(Event{Kind: JobBroken, Job: j.def.Name, Digest: m.digest, Reason: err.Error()})
			}
			continue
		}
		l.adopt(j, m)
		l.h.emit(Event{Kind: JobReady, Job: j.def.Name, Digest: m.digest})
	}
	if mayPass(err) {
		l.later(min(rebuildFirst<<min(m.failed, 20), rebuildLast), func() { l.rebuild(m) })
	}
	l.retire(m)
	l.nextCompile()
}

// mayPass says whether building a module can succeed another time: the reason is not in its bytes.
func mayPass(err error) bool {
	var refused *sandbox.ModuleError
	return err != nil && !errors.As(err, &refused)
}

// rebuild tries a module again for the jobs that still want it.
func (l *loop) rebuild(m *module) {
	for _, j := range slices.Collect(maps.Keys(m.jobs)) {
		if j.want == m {
			l.wantModule(j)
		}
	}
}

// releaseModule says that a job needs a module no more.
func (l *loop) releaseModule(m *module, j *job) {
	if m == nil {
		return
	}
	delete(m.jobs, j)
	l.retire(m)
}

// retire closes a module that nobody needs.
func (l *loop) retire(m *module) {
	if len(m.jobs) > 0 || m.users > 0 || (m.compiled == nil && m.err == nil) {
		return
	}
	if l.modules[m.digest] == m {
		delete(l.modules, m.digest)
	}
	if c := m.compiled; c != nil {
		m.compiled = nil
		l.spawn(func() { _ = c.Close(context.WithoutCancel(l.ctx)) })
	}
}

func (l *loop) closeModules() {
	for _, m := range l.modules {
		if m.compiled != nil {
			_ = m.compiled.Close(context.WithoutCancel(l.ctx))
		}
	}
}

// refusal says why no run of a job can start, or nothing when one can, now or once its module is compiled.
func (j *job) refusal(budget int64) string {
	switch {
	case j.def.Broken != "":
		return j.def.Broken
	case j.badSpec != "":
		return j.badSpec
	case j.row.Disabled != "":
		return "disabled: " + j.row.Disabled
	case j.mod == nil && j.want != nil && j.want.err != nil:
		return j.want.err.Error()
	case j.mod != nil:
		return j.unfit(budget)
	}
	return ""
}

// unfit says why a compiled module cannot serve this job.
func (j *job) unfit(budget int64) string {
	if err := j.mod.compiled.CheckEntry(j.inUse().Entry); err != nil {
		return err.Error()
	}
	if least, limit := j.mod.compiled.MinMemory(), j.inUse().memory(); least > limit {
		return fmt.Sprintf("the module needs at least %d bytes of memory and the job's limit is %d; raise memory", least, limit)
	} else if budget > 0 && least > budget {
		return fmt.Sprintf("the module needs at least %d bytes of memory and all jobs together may have %d; raise memory_budget", least, budget)
	}
	return ""
}
