package host

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/google/uuid"

	"github.com/wcron/wcron/capability"
	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/sandbox"
)

// Defaults of a Config's fields.
const (
	DefaultOrphanGrace  = 5 * time.Second
	DefaultDrainTimeout = 30 * time.Second
	DefaultCommitGrace  = 30 * time.Second
	DefaultLease        = time.Minute
	DefaultCatchUp      = 250 * time.Millisecond
)

// rhythm is how often the loop looks at what nobody tells it. Tests on a virtual clock slow it down.
type rhythm struct {
	wait    time.Duration // the longest timer: timers stop while the machine sleeps, so the wall clock is read again
	poll    time.Duration // requests of other processes are seen within this
	renew   time.Duration
	recover time.Duration
}

func usualRhythm() rhythm {
	return rhythm{wait: 10 * time.Second, poll: 500 * time.Millisecond, renew: 10 * time.Second, recover: time.Second}
}

// LockPatience is how long the ledger's lock is waited for before the host says so and counts as not ready.
const LockPatience = 2 * time.Second

// Times of the loop that nobody needs to set.
const (
	pruneEvery   = time.Minute
	lockPatience = 2 * time.Second // a busy job lock without a claim to go with it is waited for this long
	claimBatch   = 256             // claims in one transaction

	sourcePatience = 5 * time.Second // within this all hosts have seen what their common source says
)

// Config says what a host works with. Store and Jobs are required; the zero value of every other field is its default.
type Config struct {
	Store claims.Store
	Jobs  JobSource

	Source   string         // name of the job set in the ledger; hosts that share a set share the name; default "default"
	Sandbox  sandbox.Config // MaxMemory, CacheDir and the limits of modules; Budget is set by the host
	Spool    string         // folder in which runs spool their output; empty: memory only, no live view, nothing to recover
	Instance string         // instance id of this process; default: a new one
	Socket   string         // path of the operator's socket, recorded for others to find
	Version  string         // of the program, recorded likewise

	MaxRuns      int           // runs at a time; 0: no limit of its own
	MemoryBudget int64         // bytes of guest memory really held by all runs; 0: no limit
	OrphanGrace  time.Duration // age at which a dead owner's claim is recovered; default DefaultOrphanGrace
	DrainTimeout time.Duration // how long runs may go on after Run's context ended; default DefaultDrainTimeout; negative: not at all
	CommitGrace  time.Duration // for the commit, after a run's deadline; default DefaultCommitGrace
	CatchUp      time.Duration // distance of late starts, after a stop or a sleep; default DefaultCatchUp; negative: none
	// Lease is the silence after which an owner counts as stalled, and after which the unlimited run of an owner of whom nothing can
	// be proved is recovered. The host renews its own three times as often, or more. Default DefaultLease.
	Lease time.Duration

	Functions []capability.Function // of the embedding program's own, which guests may import
	HTTP      capability.Client     // through which all requests of guests go; nil: the network, a *capability.NetClient

	OnEvent func(Event)  // called in order from one goroutine; a slow one delays only later events
	Logger  *slog.Logger // default: none

	// Only restricts the host to one pending slot: it registers nothing, claims nothing else, and Run returns once the slot has
	// its verdict, here or by another host, or with an error when its job cannot run. This is how a run is made where no host is
	// running.
	Only string

	rhythm rhythm // zero: the usual one
}

func (c Config) withDefaults() (Config, error) {
	if c.Store == nil {
		return c, errors.New("new host: Config.Store is required")
	}
	if c.Jobs == nil {
		return c, errors.New("new host: Config.Jobs is required")
	}
	if c.MaxRuns < 0 || c.MemoryBudget < 0 {
		return c, fmt.Errorf("new host: MaxRuns %d and MemoryBudget %d must not be negative", c.MaxRuns, c.MemoryBudget)
	}
	if c.Source == "" {
		c.Source = "default"
	}
	if c.Instance == "" {
		c.Instance = NewInstance()
	}
	c.OrphanGrace = orDefault(c.OrphanGrace, DefaultOrphanGrace)
	c.CommitGrace = orDefault(c.CommitGrace, DefaultCommitGrace)
	c.Lease = orDefault(c.Lease, DefaultLease)
	if c.rhythm == (rhythm{}) {
		c.rhythm = usualRhythm()
		c.rhythm.renew = min(c.rhythm.renew, c.Lease/3) // two renewals may come late
	}
	if c.DrainTimeout == 0 {
		c.DrainTimeout = DefaultDrainTimeout
	}
	if c.CatchUp == 0 {
		c.CatchUp = DefaultCatchUp
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

// NewInstance makes an instance id: a random part, since a pid is used again, and the pid for people.
func NewInstance() string {
	id := uuid.New()
	return fmt.Sprintf("host-%x-%d", id[:4], os.Getpid())
}

func newRunID() (string, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("make a run id: %w", err)
	}
	return id.String(), nil
}
