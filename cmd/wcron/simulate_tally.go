package main

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/host"
)

// tally adds up what a simulation tells. What it holds does not grow with the number of runs.
type tally struct {
	sim     host.Simulation
	maxWait time.Duration
	out     simulated
	jobs    map[string]*simulatedJob
	began   time.Time // of the present host
	total   int
	minute  time.Time      // the one that is counted
	starts  map[string]int // in it, by job
	herds   map[string]*herd
}

// simulated is the summary.
type simulated struct {
	From        time.Time      `json:"from"`
	To          time.Time      `json:"to"`
	Seed        uint64         `json:"seed"`
	MaxRuns     int            `json:"max_runs"`
	Runs        int64          `json:"runs"`
	Skipped     int64          `json:"skipped"`
	Missed      int64          `json:"missed"`
	Timeouts    int64          `json:"timeouts"`
	Late        int64          `json:"late"` // runs that started later than --max-wait; 0 without it
	Findings    int64          `json:"findings"`
	MostRunning int            `json:"most_running"`
	MostAt      *time.Time     `json:"most_running_at"`
	Jobs        []simulatedJob `json:"jobs"`
	Herds       []herd         `json:"herds"`
	Clock       []clockMark    `json:"clock_changes"`
}

// simulatedJob is what a job comes to.
type simulatedJob struct {
	Job        string     `json:"job"`
	Schedule   string     `json:"schedule"`
	Timezone   string     `json:"timezone"`
	DurationMS int64      `json:"duration_ms"`
	Source     string     `json:"duration_from"` // default, given, median, p95, max
	Runs       int64      `json:"runs"`
	OK         int64      `json:"ok"`
	Failed     int64      `json:"failed"`
	Timeouts   int64      `json:"timeouts"`
	Killed     int64      `json:"killed"`
	Retries    int64      `json:"retries"`    // attempts after the first; they are among the runs
	StoodFor   int64      `json:"stands_for"` // missed slots that a later run stands for
	Waited     int64      `json:"waited"`     // first attempts that started later than their time, while a host ran
	LongestMS  int64      `json:"longest_wait_ms"`
	LongestAt  *time.Time `json:"longest_wait_at"`
	FirstAt    *time.Time `json:"first_at"`
	LastAt     *time.Time `json:"last_at"`
	Overlaps   int64      `json:"overlaps"` // slots that were due while an earlier run of the job went on
	Passed     []passed   `json:"passed"`

	running int
	ended   time.Time // of its last run
}

// passed are slots that came to nothing, for one reason.
type passed struct {
	Verdict string    `json:"verdict"`
	Policy  *string   `json:"policy"` // which of the job's policies decided it
	Reason  string    `json:"reason"`
	Slots   int64     `json:"slots"`
	FirstAt time.Time `json:"first_at"`
	LastAt  time.Time `json:"last_at"`
}

// herd is a set of jobs that start within one minute, and how often they do.
type herd struct {
	Starts  int       `json:"starts"`
	Jobs    []string  `json:"jobs"`
	Minutes int64     `json:"minutes"`
	FirstAt time.Time `json:"first_at"`
	LastAt  time.Time `json:"last_at"`
}

// clockMark is what a change of the clock does to a job.
type clockMark struct {
	At     time.Time `json:"at"`
	Job    string    `json:"job"`
	Effect string    `json:"effect"`
	Note   string    `json:"note"`

	why string
}

func newTally(sim host.Simulation, cast *cast, maxWait time.Duration) *tally {
	t := &tally{
		sim: sim, maxWait: maxWait, jobs: map[string]*simulatedJob{}, starts: map[string]int{}, herds: map[string]*herd{},
		out: simulated{From: sim.From.UTC(), To: sim.To.UTC(), Seed: sim.Seed, MaxRuns: sim.MaxRuns, Clock: marksOf(sim)},
	}
	for _, j := range sim.Jobs {
		r := cast.roles[j.Name]
		t.jobs[j.Name] = &simulatedJob{
			Job: j.Name, Schedule: j.Schedule, Timezone: j.Timezone, DurationMS: r.took.Milliseconds(), Source: r.source, Passed: []passed{},
		}
	}
	return t
}

// add counts an event.
func (t *tally) add(e host.Event) {
	j := t.jobs[e.Job]
	switch e.Kind {
	case host.HostStarted:
		t.began = e.Time
	case host.Started:
		t.started(j, e)
	case host.EndedRun:
		t.ended(j, e)
	case host.SlotSkipped:
		t.out.Skipped += e.Count
		if j.running > 0 {
			j.Overlaps += e.Count
		}
		j.pass(claims.Skipped, e)
	case host.SlotMissed:
		t.out.Missed += e.Count
		j.pass(claims.Missed, e)
	}
}

func (t *tally) started(j *simulatedJob, e host.Event) {
	t.total++
	if t.total > t.out.MostRunning {
		t.out.MostRunning, t.out.MostAt = t.total, new(e.Time)
	}
	if m := e.Time.Truncate(time.Minute); !m.Equal(t.minute) {
		t.close()
		t.minute = m
	}
	t.starts[e.Job]++
	t.out.Runs++
	j.Runs++
	j.StoodFor += e.Count
	if j.FirstAt == nil {
		j.FirstAt = new(e.Time)
	}
	j.LastAt = new(e.Time)
	j.running++
	if e.Attempt > 1 {
		j.Retries++
		return
	}
	if j.running > 1 || e.Slot.At.Before(j.ended) {
		j.Overlaps++
	}
	due := e.Time.Add(-e.Lateness)
	if due.Before(t.began) { // nobody was there
		due = t.began
	}
	wait := e.Time.Sub(due)
	if wait <= 0 {
		return
	}
	j.Waited++
	if ms := wait.Milliseconds(); ms > j.LongestMS {
		j.LongestMS, j.LongestAt = ms, new(e.Time)
	}
	if t.maxWait > 0 && wait > t.maxWait {
		t.out.Late++
	}
}

func (t *tally) ended(j *simulatedJob, e host.Event) {
	t.total--
	j.running--
	j.ended = e.Time
	switch e.Outcome {
	case claims.OK:
		j.OK++
	case claims.Timeout:
		j.Timeouts++
		t.out.Timeouts++
	case claims.Killed:
		j.Killed++
	default:
		j.Failed++
	}
}

// ids are run ids within a reason: each run has another one.
var ids = regexp.MustCompile(`\bsim-[0-9]+\b`)

// mostReasons is how many reasons are told apart for each job.
const mostReasons = 50

func (j *simulatedJob) pass(v claims.Verdict, e host.Event) {
	reason := e.Reason
	if strings.Contains(reason, "sim-") {
		reason = ids.ReplaceAllString(reason, "…")
	}
	at := slices.IndexFunc(j.Passed, func(p passed) bool { return p.Verdict == string(v) && p.Reason == reason })
	if at < 0 && len(j.Passed) >= mostReasons {
		reason = "other reasons"
		at = slices.IndexFunc(j.Passed, func(p passed) bool { return p.Verdict == string(v) && p.Reason == reason })
	}
	if at < 0 {
		at = len(j.Passed)
		j.Passed = append(j.Passed, passed{Verdict: string(v), Policy: textOrNil(string(e.Policy)), Reason: reason, FirstAt: e.Slot.At.UTC()})
	}
	p := &j.Passed[at]
	p.Slots, p.LastAt = p.Slots+e.Count, e.Until.UTC()
}

const (
	shownHerds = 5
	mostHerds  = 2000 // kept
)

// close counts the minute that is over as one of its herd.
func (t *tally) close() {
	defer clear(t.starts)
	if len(t.starts) < 2 {
		return
	}
	names := slices.Sorted(maps.Keys(t.starts))
	key := strings.Join(names, " ")
	h := t.herds[key]
	if h == nil {
		if len(t.herds) >= mostHerds {
			t.thin()
		}
		h = &herd{Jobs: names, FirstAt: t.minute}
		t.herds[key] = h
	}
	n := 0
	for _, starts := range t.starts {
		n += starts
	}
	h.Starts = max(h.Starts, n)
	h.Minutes++
	h.LastAt = t.minute
}

// thin drops the smaller half of the herds.
func (t *tally) thin() {
	for _, h := range t.sorted()[mostHerds/2:] {
		delete(t.herds, strings.Join(h.Jobs, " "))
	}
}

// sorted are the herds, the largest first, and of two the one that meets more often.
func (t *tally) sorted() []herd {
	var all []herd
	for _, h := range t.herds {
		all = append(all, *h)
	}
	slices.SortFunc(all, func(a, b herd) int {
		return cmp.Or(cmp.Compare(b.Starts, a.Starts), cmp.Compare(b.Minutes, a.Minutes), a.FirstAt.Compare(b.FirstAt), slices.Compare(a.Jobs, b.Jobs))
	})
	return all
}

// result is the sum.
func (t *tally) result() simulated {
	t.close()
	out := t.out
	herds := t.sorted()
	out.Herds = append([]herd{}, herds[:min(shownHerds, len(herds))]...)
	out.Jobs = []simulatedJob{}
	for _, name := range slices.Sorted(maps.Keys(t.jobs)) {
		out.Jobs = append(out.Jobs, *t.jobs[name])
	}
	out.Findings = out.Skipped + out.Missed + out.Timeouts + out.Late
	return out
}
