package plugins

import (
	"sort"
	"time"

	"github.com/wcron/wcron/config"
	"github.com/wcron/wcron/schedule"
)

// State is whether a job can run, and when.
type State int

// The states of a job.
const (
	Active  State = iota // runs on its schedule
	Manual               // has no schedule: runs only when it is asked for
	Broken               // cannot run; Reason and Remedy say why
	Waiting              // its file is still being written, and nothing is known of it yet
	Pending              // nobody has approved what its plugin asks for
	Denied               // somebody has denied its plugin
)

// String returns "active", "manual", "broken", "waiting", "pending" or "denied".
func (s State) String() string {
	switch s {
	case Active:
		return "active"
	case Manual:
		return "manual"
	case Waiting:
		return "waiting"
	case Pending:
		return "pending"
	case Denied:
		return "denied"
	default:
		return "broken"
	}
}

// Set is all jobs at one time. It is immutable and safe for concurrent use.
type Set struct {
	File     *config.File     // the configuration in use
	Jobs     []Job            // by name
	Problems []config.Problem // everything that is wrong, what the jobs tell included
	Rev      int              // counts the sets of one Source from 1
	Zone     Zone             // of schedules that name none
}

// Job returns the job of that name.
func (s *Set) Job(name string) (Job, bool) {
	i := sort.Search(len(s.Jobs), func(i int) bool { return s.Jobs[i].Name >= name })
	if i < len(s.Jobs) && s.Jobs[i].Name == name {
		return s.Jobs[i], true
	}
	return Job{}, false
}

// Job is one job as it is now. Treat it as read-only: sets share its parts.
type Job struct {
	Name     string
	Plugin   string          // path of the module, for people
	Digest   string          // SHA-256 of the bytes in use, in hex; "" if there are none
	Settings config.Settings // all layers merged
	Merged   config.Job      // the same as a layer, in which a key that nothing sets is nil

	Schedule     *schedule.Spec // nil: manual, or the text is not a schedule
	ScheduleText string         // as written, several schedules on a line each; "" for none
	Timezone     string         // in which Schedule is read
	NotBefore    time.Time      // the schedule's bounds; zero: none
	NotAfter     time.Time

	State  State
	Reason string // why it is not active; of an active job: why the file that is there now is not in use
	Remedy string // what a person can do about Reason

	// Origin says for each key that is set where its value comes from: "default" ([defaults] and built-in values), "manifest",
	// "sidecar", "host file", "jobs.d/NAME.toml". What was cut says "manifest, cut to [caps]".
	Origin   map[string]string
	Warnings []string // what is legal but probably not meant
	Unused   []string // what is requested and of no use to the module

	Access Access // what its plugin asks for, and what it may do

	Load      func() ([]byte, error) // the bytes of Digest, checked; ErrContent if they are gone. Safe for concurrent use.
	MinMemory int64                  // bytes of memory that an instance has from the start
}

// comparable is the set without what cannot be compared. What is left out follows from what stays: the digest decides the bytes,
// text and zone decide the schedule.
func (s *Set) comparable() Set {
	c := *s
	c.Zone.Location = (*time.Location)(nil)
	c.Jobs = make([]Job, len(s.Jobs))
	for i, j := range s.Jobs {
		j.Load, j.Schedule = nil, nil
		c.Jobs[i] = j
	}
	return c
}

func (s *Set) digests() map[string]bool {
	m := map[string]bool{}
	for _, j := range s.Jobs {
		if j.Digest != "" {
			m[j.Digest] = true
		}
		if g := j.Settings.Grant; g != nil && g.Digest != "" {
			m[g.Digest] = true
		}
	}
	return m
}
