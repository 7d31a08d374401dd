package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/wcron/wcron/bench/witness"
	"github.com/wcron/wcron/claims"
)

const (
	lifeLongest = 3 * time.Second // of a host that is killed from outside
	pointWait   = 8 * time.Second // for a host to come to its point; after that it is killed from outside
	stopLongest = 6 * time.Second // longer than start timeout, timeout and commit grace of the jobs together
)

// TortureOptions says how much hosts have to suffer.
type TortureOptions struct {
	Kills   int
	Hosts   int    // at a time, on one state folder
	Seed    uint64 // of the moments; the same seed gives the same waits
	Program string // wcron, built with the tag wcron_torture; empty: it is built
	Keep    bool   // leave the folder, and tell where it is
}

// TortureFigures is what came of hosts that were killed and stopped at any moment.
type TortureFigures struct {
	Machine    Machine        `json:"machine"`
	Kills      int            `json:"kills"`
	Hosts      int            `json:"hosts"`
	Seed       uint64         `json:"seed"`
	Took       int64          `json:"took_ms"`
	Folder     string         `json:"folder,omitempty"` // that was kept
	At         map[string]int `json:"kills_at"`         // by point; "random" from outside, "stopped" while it was stopped
	Stops      int            `json:"stops"`            // SIGSTOP followed by SIGCONT
	Removals   int            `json:"plugins_removed"`  // and put back
	Lines      int            `json:"witness_lines"`
	Entered    int            `json:"runs_entered"`
	Read       int            `json:"runs_that_read_state"`
	Claims     int            `json:"claims_acknowledged"`
	Commits    int            `json:"commits_acknowledged"`
	Fenced     int            `json:"commits_refused"`
	Outcomes   map[string]int `json:"outcomes"`
	Slots      Tally          `json:"slots"`
	Overlaps   []string       `json:"overlaps"`
	Double     []string       `json:"double"`
	Lost       []string       `json:"lost"`         // acknowledged, and not in the ledger
	Taken      []string       `json:"taken_alive"`  // runs that were recovered within their deadline, and whose guests spoke later
	StateLost  []string       `json:"state_lost"`   // what an ok run wrote, and the next run, or the ledger at the end, does not have
	StateLeak  []string       `json:"state_leaked"` // what a run read that no ok run of its job has written
	NoVerdict  []string       `json:"no_verdict"`
	OpenOfDead []string       `json:"open_claims_of_dead_owners"`
	Findings   []string       `json:"findings"`
	Failures   []string       `json:"failures"`
}

// Torture keeps some processes of wcron serve at work on one state folder while each is killed again and again, from outside at
// random moments and by itself at named points, and stopped and continued in between, while plugins are removed and put back.
// Whether two guests of a job acted at the same time, a slot ran twice, or a run read another state than the last ok run of its job
// wrote, is decided by what the guests said themselves, outside the store; whether the ledger kept what it had acknowledged, by what
// its callers wrote down. The error is that of a measurement that could not be made.
func Torture(ctx context.Context, o TortureOptions) (*TortureFigures, error) {
	if o.Kills < 1 || o.Hosts < 1 {
		return nil, fmt.Errorf("torture: %d kills of %d hosts are too few: at least 1 each", o.Kills, o.Hosts)
	}
	dir, remove, err := newFolder()
	if err != nil {
		return nil, fmt.Errorf("torture: %w", err)
	}
	r := &rack{o: o, dir: dir, f: &TortureFigures{Machine: newMachine(), Kills: o.Kills, Hosts: o.Hosts, Seed: o.Seed, At: map[string]int{}}}
	if o.Keep {
		r.f.Folder = dir.root
	} else {
		defer remove()
	}
	if err := r.all(ctx); err != nil {
		return nil, fmt.Errorf("torture: seed %d: %w", o.Seed, err)
	}
	return r.f, nil
}

// rack is a torture under way.
type rack struct {
	o     TortureOptions
	dir   folder
	begun atomic.Int64 // lives

	mu sync.Mutex // guards f
	f  *TortureFigures
}

func (r *rack) count(change func(f *TortureFigures)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(r.f)
}

func (r *rack) all(ctx context.Context) error {
	if r.o.Program == "" {
		built, err := buildWcron(ctx, r.dir.root)
		if err != nil {
			return err
		}
		r.o.Program = built
	}
	store, err := r.dir.open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	if err := r.dir.furnish(); err != nil {
		return fmt.Errorf("make the plugin folder: %w", err)
	}
	begin := time.Now()
	if err := r.suffer(ctx); err != nil {
		return err
	}
	stopped, err := r.last(ctx, store)
	if err != nil {
		return fmt.Errorf("the host after all kills: %w", err)
	}
	r.f.Machine.LoadAfter = loadAverage()
	r.f.Took = time.Since(begin).Milliseconds()
	l, err := readLedger(ctx, store, stopped)
	if err == nil {
		err = r.f.read(l, r.dir.witness())
	}
	if err != nil {
		return fmt.Errorf("read what is left: %w", err)
	}
	return nil
}

// suffer lets each host live and die until there were enough kills.
func (r *rack) suffer(ctx context.Context) error {
	errs := make(chan error, r.o.Hosts)
	for i := range r.o.Hosts {
		go func() {
			rng := rand.New(rand.NewPCG(r.o.Seed, uint64(i)))
			for {
				n := r.begun.Add(1)
				if n > int64(r.o.Kills) {
					errs <- nil
					return
				}
				if err := r.life(ctx, rng); err != nil {
					errs <- fmt.Errorf("life %d: %w", n, err)
					return
				}
			}
		}()
	}
	over, flipped := make(chan struct{}), make(chan error, 1)
	go func() { flipped <- r.flip(rand.New(rand.NewPCG(r.o.Seed, 1<<32)), over) }()
	var all error
	for range r.o.Hosts {
		all = errors.Join(all, <-errs)
	}
	close(over)
	return errors.Join(all, <-flipped)
}

// flip removes plugins and puts them back until it is over. Then all are there.
func (r *rack) flip(rng *rand.Rand, over <-chan struct{}) error {
	var fleeting []torturedJob
	for _, j := range tortured() {
		if j.fleeting {
			fleeting = append(fleeting, j)
		}
	}
	pause := func(from, to time.Duration) bool {
		select {
		case <-over:
			return false
		case <-time.After(from + time.Duration(rng.Int64N(int64(to-from)))):
			return true
		}
	}
	for pause(500*time.Millisecond, 3*time.Second) {
		j := fleeting[rng.IntN(len(fleeting))]
		if err := r.dir.remove(j); err != nil {
			return fmt.Errorf("remove a plugin: %w", err)
		}
		r.count(func(f *TortureFigures) { f.Removals++ })
		pause(200*time.Millisecond, 1500*time.Millisecond)
		if err := r.dir.drop(j); err != nil {
			return fmt.Errorf("put a plugin back: %w", err)
		}
	}
	return nil
}

// life is one host from its start to its kill.
func (r *rack) life(ctx context.Context, rng *rand.Rand) error {
	o := witness.Order{File: r.dir.witness()}
	at := "random"
	if rng.IntN(5) < 3 {
		points := witness.Points()
		at = points[rng.IntN(len(points))]
		o.Point, o.Nth = at, 1+rng.IntN(5)
	}
	p, err := serve(r.o.Program, r.dir, o)
	if err != nil {
		return err
	}
	wait := time.Duration(rng.Int64N(int64(lifeLongest)))
	stop := rng.IntN(2) == 0
	pause := time.Duration(rng.Int64N(int64(stopLongest)))
	switch {
	case o.Point != "" && p.gone(ctx, pointWait): // by itself
	case o.Point == "" && !p.gone(ctx, wait) && stop:
		if err = p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
			break
		}
		p.gone(ctx, pause)
		if rng.IntN(2) == 0 {
			at = "stopped"
			break
		}
		err = p.cmd.Process.Signal(syscall.SIGCONT)
		r.count(func(f *TortureFigures) { f.Stops++ })
		p.gone(ctx, time.Second)
	default:
		at = "random"
	}
	if err = errors.Join(err, p.kill(), ctx.Err()); err != nil {
		return err
	}
	r.count(func(f *TortureFigures) { f.At[at]++ })
	return nil
}

// gone waits until the host has ended, and tells whether it has.
func (p *served) gone(ctx context.Context, limit time.Duration) bool {
	select {
	case <-p.ended:
		return true
	case <-time.After(limit):
	case <-ctx.Done():
	}
	return false
}

// last runs a host that is not killed, until it has recovered what the others left and each job has had a run.
func (r *rack) last(ctx context.Context, store claims.Store) (stopped time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	p, err := serve(r.o.Program, r.dir, witness.Order{File: r.dir.witness()})
	if err != nil {
		return time.Time{}, err
	}
	instance, err := p.awaitInstance(ctx)
	if err == nil {
		err = settled(ctx, store, instance)
	}
	stopped = time.Now()
	return stopped, errors.Join(err, p.stop(ctx))
}

// settled waits until no claim but those of one owner is open, no further attempt waits, and that owner has ended a run of each job.
// When that takes too long it is for the verdict to say what is left.
func settled(ctx context.Context, store claims.Store, owner string) error {
	limit := time.Now().Add(recoverWithin)
	for time.Now().Before(limit) {
		open, err := store.Open(ctx)
		if err != nil {
			return err
		}
		pending, err := store.Pending(ctx)
		if err != nil {
			return err
		}
		left := len(pending)
		for _, o := range open {
			if o.Owner != owner {
				left++
			}
		}
		for _, j := range tortured() {
			runs, err := store.Runs(ctx, claims.RunQuery{Job: j.name, Limit: 2})
			if err != nil {
				return err
			}
			ran := false
			for _, run := range runs {
				ran = ran || run.Owner == owner && run.Outcome != claims.Running
			}
			if !ran {
				left++
			}
		}
		if left == 0 {
			return nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
