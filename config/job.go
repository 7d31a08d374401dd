package config

import (
	"encoding/json"
	"time"
)

// Job is what one layer says of a job. A nil field is not set there, so that layers merge; see [Job.Over]. Ranges are checked
// when text is read, not when a Job is made in Go: [EncodeJob] tells whether one is valid.
type Job struct {
	// Plugin is the slash-separated path of the module in the plugin folder. Only the host file and jobs.d say it.
	Plugin *string `toml:"plugin"`
	// Schedule is text that this package does not judge. Several schedules are lines of it. Empty and not nil: none, whatever a lower
	// layer says.
	Schedule *string `toml:"schedule"`
	// Timezone is a name of the time zone database, in which the schedule is read.
	Timezone *string `toml:"timezone"`
	// DST is what fixed times of the schedule do when the clock changes.
	DST *string `toml:"dst"`
	// Timeout is how long a guest may run, from its start. 0: no limit.
	Timeout *Duration `toml:"timeout"`
	// StartTimeout is how long a claimed run may wait for its guest to start.
	StartTimeout *Duration `toml:"start_timeout"`
	// Memory is the most bytes of linear memory of the guest.
	Memory *Size `toml:"memory"`
	// Fuel is how much the guest may compute, in the sandbox's unit, about one simple instruction. 0: no limit.
	Fuel *int64 `toml:"fuel"`
	// Output is the most bytes kept of a run's stdout and stderr together.
	Output *Size `toml:"output"`
	// StateSize is the most bytes of the job's own key-value state, unless more is requested and granted. A plugin does not say it.
	StateSize *Size `toml:"state_size"`
	// Entry is the export to call. Not set: "_start", else "run".
	Entry *string `toml:"entry"`
	// Args are the guest's arguments after its name. Empty and not nil: none, whatever a lower layer says.
	Args []string `toml:"args"`
	// Env are the guest's variables. Layers merge name by name.
	Env map[string]string `toml:"env"`
	// Input is the JSON value that the job's event carries. Layers replace it as a whole.
	Input json.RawMessage `toml:"input"`
	// NotBefore and NotAfter bound the schedule: it has no times outside of them.
	NotBefore *Moment `toml:"not_before"`
	NotAfter  *Moment `toml:"not_after"`
	// Missed says what becomes of slots that no host was there to run.
	Missed *string `toml:"missed"`
	// MissedLimit is how many missed slots are made up for, the newest, where Missed is "all".
	MissedLimit *int `toml:"missed_limit"`
	// MissedWindow is how old a slot may be to be made up for. 0: as old as it is.
	MissedWindow *Duration `toml:"missed_window"`
	// StartingDeadline is how late a slot may start. 0: as late as it is.
	StartingDeadline *Duration `toml:"starting_deadline"`
	// Grace is how late a slot may start without being called late. Not set: half its period, from two minutes to two hours.
	Grace *Duration `toml:"grace"`
	// Jitter is the most by which slots start later, each by an amount of its own. 0: none does.
	Jitter *Duration `toml:"jitter"`
	// PauseAfter is how many failures in a row pause the job. 0: none do.
	PauseAfter *int `toml:"pause_after"`
	// Retries is how many more attempts a slot gets after the first.
	Retries *int `toml:"retries"`
	// Backoff is how long to wait before a retry.
	Backoff *Backoff `toml:"backoff"`
	// RetryOn are the outcomes that are retried. Empty and not nil: none.
	RetryOn []string `toml:"retry_on"`
	// Overlap says what becomes of a slot that is due while the job runs.
	Overlap *string `toml:"overlap"`
	// QueueLimit is how many slots may wait with OverlapQueue.
	QueueLimit *int `toml:"queue_limit"`
	// MaxConcurrent is how many runs may be open at once with OverlapAllow.
	MaxConcurrent *int `toml:"max_concurrent"`
	// Repeat is how many slots the job runs before it is over. 0: no limit.
	Repeat *int `toml:"repeat"`
	// HistoryRuns is how many runs are kept, newest first.
	HistoryRuns *int `toml:"history_runs"`
	// HistoryBytes is how many bytes of output are kept over all kept runs.
	HistoryBytes *Size `toml:"history_bytes"`
	// Description is one line for people.
	Description *string `toml:"description"`
	// Config is what the guest is answered when it asks for its configuration. Layers merge name by name.
	Config map[string]string `toml:"config"`
	// Request is what the plugin asks for, in its manifest or sidecar. Layers replace it as a whole.
	Request *Request `toml:"request"`
	// Grant is what the operator lets the job do. Only the host file and jobs.d say it; their relative paths start at the host
	// file's folder, and [Load] makes them absolute.
	Grant *Grant `toml:"grant"`
	// Name and Version are what a manifest calls its module. Only a manifest says them.
	Name    *string `toml:"name"`
	Version *string `toml:"version"`
}

// What becomes of missed slots.
const (
	MissedOnce = "once" // one run stands for all of them
	MissedSkip = "skip" // none runs; the misses are recorded
	MissedAll  = "all"  // each runs, oldest first
)

// What becomes of fixed times when the clock changes.
const (
	DSTOnce = "once" // skipped times run once, right after; repeated ones the first time
	DSTSkip = "skip" // skipped times do not run
	DSTBoth = "both" // repeated times run both times
)

// What becomes of a slot that is due while the job runs.
const (
	OverlapSkip    = "skip"    // it is skipped, with the reason
	OverlapQueue   = "queue"   // it waits its turn
	OverlapReplace = "replace" // the run is ended, and the slot starts when it is gone
	OverlapAllow   = "allow"   // it runs beside the other
)

// Outcomes that RetryOn may name.
const (
	RetryFailed   = "failed"
	RetryTimeout  = "timeout"
	RetryTrapped  = "trapped"
	RetryShutdown = "shutdown"
	RetryOrphaned = "orphaned"
)

// Defaults is the built-in layer below all others. Every key that has a default has it here and nowhere else. The result is the
// caller's own.
func Defaults() Job {
	return Job{
		DST:          new(DSTOnce),
		Timeout:      new(Duration(time.Minute)),
		StartTimeout: new(Duration(time.Minute)),
		Memory:       new(64 * MiB),
		Fuel:         new(int64(0)),
		Output:       new(MiB),
		StateSize:    new(MiB),
		Missed:       new(MissedOnce),
		MissedLimit:  new(100),
		MissedWindow: new(Duration(0)),
		Jitter:       new(Duration(0)),
		PauseAfter:   new(0),

		StartingDeadline: new(Duration(0)),
		Retries:          new(0),
		Backoff:          &Backoff{10 * time.Second, 10 * time.Minute},
		RetryOn:          []string{RetryFailed, RetryTimeout, RetryTrapped, RetryShutdown},
		Overlap:          new(OverlapSkip),
		QueueLimit:       new(10),
		MaxConcurrent:    new(2),
		Repeat:           new(0),
		HistoryRuns:      new(1000),
		HistoryBytes:     new(64 * MiB),
	}
}

// Over is the two layers as one: what j sets wins over what base sets. Env and Config merge name by name, all else as a whole. The result
// shares memory with both: treat all three as read-only.
func (j Job) Over(base Job) Job {
	out := j
	for _, k := range jobKeys() {
		k.fill(&out, &base)
	}
	return out
}

// Settings is a job with every value decided. Its fields mean what those of [Job] mean; sizes are bytes.
type Settings struct {
	Plugin       string
	Schedule     string        // several schedules are lines of it; "" when no layer says one
	Timezone     string        // "" when no layer says one: the machine's
	DST          string        // DSTOnce, DSTSkip or DSTBoth
	Timeout      time.Duration // 0: no limit
	StartTimeout time.Duration
	Memory       int64
	Fuel         int64 // 0: no limit
	Output       int64
	StateSize    int64
	Entry        string // "": the module's usual one
	Args         []string
	Env          map[string]string
	Input        json.RawMessage // nil when no layer says one
	NotBefore    *Moment         // nil: no bound
	NotAfter     *Moment         // nil: no bound
	Missed       string          // MissedOnce, MissedSkip or MissedAll
	MissedLimit  int
	MissedWindow time.Duration // 0: none
	Grace        time.Duration // 0: half the period
	Jitter       time.Duration // 0: none
	PauseAfter   int           // 0: never

	StartingDeadline time.Duration // 0: none
	Retries          int
	Backoff          Backoff
	RetryOn          []string
	Overlap          string // OverlapSkip, OverlapQueue, OverlapReplace or OverlapAllow
	QueueLimit       int
	MaxConcurrent    int
	Repeat           int // 0: no limit
	HistoryRuns      int
	HistoryBytes     int64
	Description      string
	Config           map[string]string
	Request          *Request // nil: nothing
	Grant            *Grant   // nil when the operator wrote none
	Name             string
	Version          string
}

// Resolve decides every value: j over [Defaults]. The host's own defaults are a layer of their own: see [File.Base]. The result
// shares memory with j.
func (j Job) Resolve() Settings {
	j = j.Over(Defaults())
	return Settings{
		Plugin:       value0(j.Plugin),
		Schedule:     value0(j.Schedule),
		Timezone:     value0(j.Timezone),
		DST:          value0(j.DST),
		Timeout:      time.Duration(value0(j.Timeout)),
		StartTimeout: time.Duration(value0(j.StartTimeout)),
		Memory:       int64(value0(j.Memory)),
		Fuel:         value0(j.Fuel),
		Output:       int64(value0(j.Output)),
		StateSize:    int64(value0(j.StateSize)),
		Entry:        value0(j.Entry),
		Args:         j.Args,
		Env:          j.Env,
		Input:        j.Input,
		NotBefore:    j.NotBefore,
		NotAfter:     j.NotAfter,
		Missed:       value0(j.Missed),
		MissedLimit:  value0(j.MissedLimit),
		MissedWindow: time.Duration(value0(j.MissedWindow)),
		Grace:        time.Duration(value0(j.Grace)),
		Jitter:       time.Duration(value0(j.Jitter)),
		PauseAfter:   value0(j.PauseAfter),

		StartingDeadline: time.Duration(value0(j.StartingDeadline)),
		Retries:          value0(j.Retries),
		Backoff:          value0(j.Backoff),
		RetryOn:          j.RetryOn,
		Overlap:          value0(j.Overlap),
		QueueLimit:       value0(j.QueueLimit),
		MaxConcurrent:    value0(j.MaxConcurrent),
		Repeat:           value0(j.Repeat),
		HistoryRuns:      value0(j.HistoryRuns),
		HistoryBytes:     int64(value0(j.HistoryBytes)),
		Description:      value0(j.Description),
		Config:           j.Config,
		Request:          j.Request,
		Grant:            j.Grant,
		Name:             value0(j.Name),
		Version:          value0(j.Version),
	}
}

// value0 is *p, or the zero value where p is nil.
func value0[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// Caps is the most that a plugin may ask for in its own manifest or sidecar. 0 is no cap. What the operator writes into the host
// file or jobs.d is not capped, but for grants: State and the fields after it hold for these too.
type Caps struct {
	Timeout time.Duration `toml:"timeout"`
	Memory  int64         `toml:"memory"` // bytes
	Output  int64         `toml:"output"` // bytes
	// What no job is granted more of, whoever grants it.
	State Size     `toml:"state"`      // of a job's state
	Quota Size     `toml:"dir_quota"`  // of a folder that a job may write to
	Hosts []string `toml:"http_hosts"` // hosts that jobs may send requests to; nil: any
	Dirs  []string `toml:"dirs"`       // absolute folders of which, or of folders in them, jobs may see; nil: any
}

// Limit is own, the layers of a plugin, with nothing above the caps, and the keys that were cut. A timeout of 0, no limit, is
// above every cap. Keys that own does not set stay unset.
func (c Caps) Limit(own Job) (Job, []string) {
	var cut []string
	if c.Timeout > 0 && own.Timeout != nil && (*own.Timeout == 0 || time.Duration(*own.Timeout) > c.Timeout) {
		own.Timeout = new(Duration(c.Timeout))
		cut = append(cut, "timeout")
	}
	if c.Memory > 0 && own.Memory != nil && int64(*own.Memory) > c.Memory {
		own.Memory = new(Size(c.Memory))
		cut = append(cut, "memory")
	}
	if c.Output > 0 && own.Output != nil && int64(*own.Output) > c.Output {
		own.Output = new(Size(c.Output))
		cut = append(cut, "output")
	}
	return own, cut
}
