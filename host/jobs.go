package host

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/schedule"
)

// job is a job of the present set, with what the ledger says of it.
type job struct {
	def       Job
	row       claims.Job     // Name is empty until the job is registered
	spec      *schedule.Spec // the schedule that the ledger has in force; nil: only when asked for, or it cannot be read
	badSpec   string         // why the schedule of its definition cannot be computed
	item      *dueItem       // its next slot
	mod       *module        // compiled: what runs from now on; nil: nothing yet
	want      *module        // what it is to run; equal to mod once that is compiled
	came      *Job           // the definition that mod came with, where the present one is another module's; nil: def is mod's
	running   map[string]*run
	busy      bool      // a claim of its next slot is under way
	catchUpTo time.Time // missed = all: slots up to here are made up for one after the other
	puts      int       // registrations under way; until they are through its due times may be those of an earlier schedule
}

// reload takes over the source's present set: what is new or changed is registered, what is gone is removed. Runs in flight go on.
func (l *loop) reload() {
	set := l.h.cfg.Jobs.Jobs()
	l.notStarted(set)
	names := make(map[string]bool, len(set))
	var changed []*job
	for _, def := range set {
		if names[def.Name] {
			l.h.emit(Event{Kind: JobBroken, Job: def.Name, Reason: "two jobs have this name; the first one counts"})
			continue
		}
		if def.Name == "" {
			l.h.emit(Event{Kind: JobBroken, Digest: def.Module.Digest, Reason: "the job has no name; give it one"})
			continue
		}
		names[def.Name] = true
		j := l.jobs[def.Name]
		if j != nil && sameJob(j.def, def) {
			continue
		}
		if j == nil {
			j = &job{running: l.runsOf(def.Name)}
			l.jobs[def.Name] = j
		}
		l.define(j, def)
		changed = append(changed, j)
	}
	var gone []string
	for name, j := range l.jobs {
		if !names[name] {
			gone = append(gone, name)
			l.forget(j)
		}
	}
	slices.Sort(gone)
	l.remove(gone)
	for part := range slices.Chunk(changed, 1000) {
		l.register(part)
	}
}

// runsOf are the runs in flight of a job of that name that was removed: a new one of the name waits for them.
func (l *loop) runsOf(name string) map[string]*run {
	of := map[string]*run{}
	for id, r := range l.running {
		if r.def.Name == name {
			of[id] = r
		}
	}
	return of
}

// define gives a job its definition of now. Its schedule is in force once the ledger has it.
func (l *loop) define(j *job, def Job) {
	l.goOn(j, def)
	j.def = def
	l.shared.mu.Lock()
	l.shared.defs[def.Name] = def
	l.shared.mu.Unlock()
	j.badSpec = ""
	if _, err := def.spec(j.row.Anchor); err != nil {
		j.badSpec = err.Error()
	}
	if why := firstOf(def.Broken, j.badSpec); why != "" {
		kind := map[JobState]EventKind{Pending: JobPending, Denied: JobDenied, Broken: JobBroken}[def.refused()]
		l.h.emit(Event{Kind: kind, Job: def.Name, Digest: def.Module.Digest, Reason: why})
	}
	if def.Broken == "" && def.Unready == "" {
		l.wantModule(j)
	}
}

// next is the first time of the schedule in force after the given one. The schedule is known.
func (j *job) next(after time.Time) time.Time {
	return within(j.spec.Next, j.row.NotBefore, j.row.NotAfter)(after)
}

// Registration is what the ledger is told of a job that is added, or changed, at now. An error is that of its schedule.
func (j Job) Registration(now time.Time) (claims.Put, error) {
	p := claims.Put{
		Name: j.Name, Definition: j.definition(), Timezone: j.Timezone, Repeat: max(j.Repeat, 0),
		NotBefore: j.NotBefore.UTC().Truncate(time.Millisecond), NotAfter: j.NotAfter.UTC().Truncate(time.Millisecond),
	}
	spec, err := j.spec(now)
	if err != nil {
		return claims.Put{}, err
	}
	if spec != nil {
		p.Schedule, p.Timezone, p.First = spec.String(), spec.Location().String(), within(spec.Next, p.NotBefore, p.NotAfter)(now)
	}
	return p, nil
}

// register puts jobs into the ledger. A job whose schedule cannot be read keeps the one that it had.
func (l *loop) register(jobs []*job) {
	if l.h.cfg.Only != "" {
		return
	}
	now := l.h.now()
	var puts []claims.Put
	var of []*job
	for _, j := range jobs {
		if l.jobs[j.def.Name] != j { // removed since it was to be registered
			continue
		}
		if j.badSpec != "" || j.def.Unready != "" || (j.def.Broken != "" && j.def.Schedule == "") {
			continue
		}
		p, err := j.def.Registration(now)
		if err != nil {
			continue // badSpec has said so
		}
		puts, of = append(puts, p), append(of, j)
		j.puts++
	}
	if len(puts) == 0 {
		return
	}
	l.write(func(ctx context.Context) func() {
		l.h.account(ctx, now, puts)
		rows, err := l.h.cfg.Store.Put(ctx, now, l.h.cfg.Source, puts)
		return func() {
			for _, j := range of {
				j.puts--
			}
			if err != nil {
				l.fail("register jobs", err)
				l.later(time.Second, func() { l.register(of) })
				return
			}
			for i, row := range rows {
				if l.jobs[row.Name] == of[i] {
					l.setRow(of[i], row)
					l.h.emit(Event{Kind: JobAdded, Job: row.Name, Digest: of[i].def.Module.Digest, Reason: oneLine(row.Schedule)})
					if row.Anchor.Equal(now) { // its earlier schedule was given up
						l.toldPassed(row.Name, puts[i].Passed)
					}
					l.atStart(of[i])
				}
			}
		}
	})
}

// remove takes jobs out of the ledger.
func (l *loop) remove(names []string) {
	if len(names) == 0 || l.h.cfg.Only != "" {
		return
	}
	now := l.h.now()
	l.write(func(ctx context.Context) func() {
		err := l.h.cfg.Store.Remove(ctx, now, l.h.cfg.Source, names)
		return func() {
			if err != nil {
				l.fail("remove jobs", err)
				l.later(time.Second, func() { l.remove(slices.DeleteFunc(names, func(n string) bool { return l.jobs[n] != nil })) })
				return
			}
			for _, n := range names {
				l.h.emit(Event{Kind: JobRemoved, Job: n})
			}
		}
	})
}

// forget drops a job from the loop; its runs in flight keep what they need.
func (l *loop) forget(j *job) {
	l.drop(j.item)
	delete(l.jobs, j.def.Name)
	l.shared.mu.Lock()
	delete(l.shared.defs, j.def.Name)
	l.shared.mu.Unlock()
	l.dropModules(j)
}

// setRow takes over a row of the ledger, unless a newer one is known, and puts the job's next slot into the index.
func (l *loop) setRow(j *job, row claims.Job) {
	if row.Name == "" || row.Rev < j.row.Rev {
		return
	}
	if row.Schedule != j.row.Schedule || row.Timezone != j.row.Timezone || !row.Anchor.Equal(j.row.Anchor) || j.row.Name == "" {
		j.spec, _ = ScheduleOf(row)
	}
	l.tellPause(j, row)
	j.row = row
	if j.busy {
		return // the claim's answer brings a newer row
	}
	l.plan(j)
}

// plan indexes the next slot of a job.
func (l *loop) plan(j *job) {
	if l.h.cfg.Only != "" {
		return
	}
	due := !j.row.Next.IsZero() && j.row.Removed.IsZero() && !j.row.Done
	at := j.row.Next
	if due && j.spec != nil && j.def.Jitter > 0 {
		at = at.Add(j.def.delay(at, j.next(at)))
	}
	if it := j.item; it != nil && !it.dead {
		if due && it.at.Equal(at) && it.slot.Equal(j.row.Next) {
			return // it may be waiting: its reason and its place stay
		}
		l.drop(it)
	}
	j.item = nil
	if due {
		j.item = &dueItem{at: at, slot: j.row.Next, job: j.def.Name, index: -1}
		l.schedule(j.item)
	}
}

// write queues a registration: one at a time and in order, never in the loop's own goroutine. f does it, and returns what the
// loop is to do then.
func (l *loop) write(f func(context.Context) func()) {
	l.writes = append(l.writes, f)
	l.nextWrite()
}

func (l *loop) nextWrite() {
	if l.writing || len(l.writes) == 0 || l.draining {
		return
	}
	f := l.writes[0]
	l.writes = l.writes[1:]
	l.writing = true
	l.spawn(func() {
		apply := f(l.ctx)
		l.post(func() {
			l.writing = false
			apply()
			l.nextWrite()
		})
	})
}

// later posts f after a pause, for what failed and is tried again.
func (l *loop) later(pause time.Duration, f func()) {
	l.spawn(func() {
		if l.h.world.sleep(l.ctx, pause) {
			l.post(f)
		}
	})
}

// refused is the state of a job that cannot run.
func (j Job) refused() JobState {
	if j.Broken != "" && (j.Withheld == Pending || j.Withheld == Denied) {
		return j.Withheld
	}
	return Broken
}

func sameJob(a, b Job) bool {
	return a.policies() == b.policies() && a.Module.Digest == b.Module.Digest && a.Schedule == b.Schedule && a.Timezone == b.Timezone && a.DST == b.DST &&
		a.Timeout == b.Timeout && a.StartTimeout == b.StartTimeout && a.Memory == b.Memory && a.Fuel == b.Fuel && a.Output == b.Output && a.State == b.State &&
		a.Entry == b.Entry && slices.Equal(a.Args, b.Args) && maps.Equal(a.Env, b.Env) && bytes.Equal(a.Input, b.Input) &&
		a.Overlap == b.Overlap && a.HistoryRuns == b.HistoryRuns && a.HistoryBytes == b.HistoryBytes &&
		a.Broken == b.Broken && a.Withheld == b.Withheld && a.Unready == b.Unready && a.Note == b.Note && a.Grants.Text() == b.Grants.Text()
}

func firstOf(reasons ...string) string {
	for _, r := range reasons {
		if r != "" {
			return r
		}
	}
	return ""
}
