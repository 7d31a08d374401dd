package host

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/wcron/wcron/capability"
	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/schedule"
)

// Unlimited as a Job.Timeout lets a run take as long as it lives.
const Unlimited time.Duration = -1

// Defaults of a Job's fields.
const (
	DefaultTimeout      = time.Minute
	DefaultStartTimeout = time.Minute
	DefaultMemory       = 64 << 20
	DefaultOutput       = 1 << 20
	DefaultState        = capability.DefaultQuota
	DefaultHistoryRuns  = 1000
	DefaultHistoryBytes = 64 << 20
)

// Job is a named definition: a module and when and how it runs. The zero value of each field is its default.
type Job struct {
	Name     string // required; unique in its set
	Module   Module
	Schedule string       // as schedule.Parse reads it, several schedules on a line each; empty: runs only when asked for
	Timezone string       // IANA name; empty: UTC
	DST      schedule.DST // what fixed times do when the clock changes; empty: schedule.Once

	Timeout      time.Duration // of the guest; 0: DefaultTimeout; Unlimited: none
	StartTimeout time.Duration // from claim to the guest's start; 0: DefaultStartTimeout
	Memory       int64         // bytes; 0: DefaultMemory
	Fuel         int64         // how much a run may compute, in the sandbox's unit; 0: no limit
	Output       int64         // bytes kept per run; 0: DefaultOutput
	State        int64         // bytes of the job's own state; 0: DefaultState
	Entry        string        // exported function; empty: _start, else run
	Args         []string      // after the job's name
	Env          map[string]string
	Input        json.RawMessage   // the event's "input"; nil: null
	Grants       capability.Grants // what its runs may do beside the free calls

	NotBefore time.Time // the schedule begins then; zero: no bound
	NotAfter  time.Time // and ends then; zero: no bound

	Missed           claims.MissedPolicy // empty: once
	MissedLimit      int                 // of missed = all: slots that are made up for; 0: claims.DefaultMissedLimit
	MissedWindow     time.Duration       // slots that are older are not made up for; 0: all are
	StartingDeadline time.Duration       // slots that are later do not start; 0: all do
	Grace            time.Duration       // lateness that is not called late; 0: that of claims.Grace
	Jitter           time.Duration       // each slot starts later by less than this, always by the same; 0: none does
	Retry            claims.RetryPolicy
	Overlap          claims.Overlap
	Repeat           int64 // slots after which the job is done; 0: no limit
	PauseAfter       int64 // failures in a row after which the job is paused; 0: it is not

	HistoryRuns  int64 // newest runs kept; 0: DefaultHistoryRuns
	HistoryBytes int64 // of their outputs; 0: DefaultHistoryBytes

	Broken string // why it cannot run, said by its source; its due slots are skipped with this reason
	// Withheld says that Broken is nothing to mend but that nobody lets the job run: Pending or Denied. Empty: it is broken.
	Withheld JobState

	Unready string // why its source cannot define it yet: nothing else of it is used, it stays as the ledger knows it, its due slots wait
	Note    string // something to show beside the job although it runs
}

// Module is a job's code, known by its digest.
type Module struct {
	Digest string                 // SHA-256 of the bytes, in hex
	Load   func() ([]byte, error) // reads the bytes; called off the loop, once per digest
}

// Bytes is the module of these bytes.
func Bytes(wasm []byte) Module {
	sum := sha256.Sum256(wasm)
	return Module{Digest: hex.EncodeToString(sum[:]), Load: func() ([]byte, error) { return wasm, nil }}
}

// JobSource says which jobs exist now. Both methods are safe for concurrent use.
type JobSource interface {
	// Jobs is the present set, which nobody changes any more.
	Jobs() []Job
	// Changed yields a value after the set has changed; a source may drop a value that nobody has taken.
	Changed() <-chan struct{}
}

// Jobs is a JobSource in memory, for programs that embed a host. It is safe for concurrent use.
type Jobs struct {
	mu      sync.Mutex // guards jobs
	jobs    map[string]Job
	changed chan struct{}
}

// NewJobs makes a set of jobs.
func NewJobs(jobs ...Job) *Jobs {
	s := &Jobs{jobs: map[string]Job{}, changed: make(chan struct{}, 1)}
	for _, j := range jobs {
		s.jobs[j.Name] = j
	}
	return s
}

// Put adds a job, or changes the one of that name. A run in flight ends as it began.
func (s *Jobs) Put(j Job) {
	s.mu.Lock()
	s.jobs[j.Name] = j
	s.mu.Unlock()
	s.notify()
}

// Remove removes a job. A run in flight may finish; its result is discarded.
func (s *Jobs) Remove(name string) {
	s.mu.Lock()
	delete(s.jobs, name)
	s.mu.Unlock()
	s.notify()
}

// Jobs implements JobSource.
func (s *Jobs) Jobs() []Job {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.jobs), func(a, b Job) int { return cmpString(a.Name, b.Name) })
}

// Changed implements JobSource.
func (s *Jobs) Changed() <-chan struct{} { return s.changed }

func (s *Jobs) notify() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

func cmpString(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (j Job) timeout() time.Duration {
	switch {
	case j.Timeout == 0:
		return DefaultTimeout
	case j.Timeout < 0:
		return 0
	}
	return j.Timeout
}

func (j Job) startTimeout() time.Duration { return orDefault(j.StartTimeout, DefaultStartTimeout) }
func (j Job) memory() int64               { return orDefault(j.Memory, DefaultMemory) }
func (j Job) output() int64               { return orDefault(j.Output, DefaultOutput) }

func (j Job) retain() claims.Retain {
	return claims.Retain{
		Job:   j.Name,
		Runs:  orDefault(j.HistoryRuns, DefaultHistoryRuns),
		Bytes: orDefault(j.HistoryBytes, DefaultHistoryBytes),
	}
}

func orDefault[T int64 | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

func secretNames(list []capability.Secret) (names []string) {
	for _, s := range list {
		names = append(names, s.Name+" "+s.Header+" "+s.Host+" "+s.Format)
	}
	return names
}

// definition is the digest of all that a guest's exit 78 is bound to: its code, and what it is given.
func (j Job) definition() string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n%q\n%s\n", j.Module.Digest, j.Entry, j.Args, j.Input)
	for _, k := range slices.Sorted(maps.Keys(j.Env)) {
		fmt.Fprintf(h, "%q=%q\n", k, j.Env[k])
	}
	for _, k := range slices.Sorted(maps.Keys(j.Grants.Config)) {
		fmt.Fprintf(h, "config %q=%q\n", k, j.Grants.Config[k])
	}
	if g := j.Grants; len(g.HTTP)+len(g.Secrets)+len(g.Dirs)+len(g.Emit)+len(g.Calls) > 0 {
		fmt.Fprintf(h, "grants %q %q %v %q %q\n", g.HTTP, secretNames(g.Secrets), g.Dirs, g.Emit, g.Calls)
	}
	fmt.Fprintf(h, "%s\n", j.policies())
	fmt.Fprintf(h, "%s %s %d %d %d %d", j.Schedule, j.Timezone, j.Timeout, j.Memory, j.Fuel, j.Output)
	if grants := j.Grants.Text(); grants != "" {
		fmt.Fprintf(h, " %s", grants)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
