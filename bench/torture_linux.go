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

	"github.com/wcron/wcron/claims"
)

const (
	tortureGrace = 500 * time.Millisecond // orphan_grace of the hosts
	lifeLongest  = 3 * time.Second        // of a host that is killed from outside
	pointWait    = 8 * time.Second        // for a host to come to its point; after that it is killed from outside
	stopLongest  = 6 * time.Second        // longer than start timeout, timeout and commit grace of the jobs together
)

// TortureOptions says how much hosts have to suffer.
type TortureOptions struct {
	Kills int
	Hosts int    // at a time, on one state folder
	Seed  uint64 // of the moments; the same seed gives the same waits
}

// TortureFigures is what came of hosts that were killed and stopped at any moment.
type TortureFigures struct {
	Machine    Machine        `json:"machine"`
	Kills      int            `json:"kills"`
	Hosts      int            `json:"hosts"`
	Seed       uint64         `json:"seed"`
	Took       int64          `json:"took_ms"`
	At         map[string]int `json:"kills_at"` // by point; "random" from outside, "stopped" while it was stopped
	Stops      int            `json:"stops"`    // SIGSTOP followed by SIGCONT
	Lines      int            `json:"witness_lines"`
	Entered    int            `json:"runs_entered"`
	Claims     int            `json:"claims_acknowledged"`
	Commits    int            `json:"commits_acknowledged"`
	Fenced     int            `json:"commits_refused"`
	Orphaned   int            `json:"orphaned"`
	Slots      Tally          `json:"slots"`
	Overlaps   []string       `json:"overlaps"`
	Double     []string       `json:"double"`
	Lost       []string       `json:"lost"` // acknowledged, and not in the ledger
	NoVerdict  []string       `json:"no_verdict"`
	OpenOfDead []string       `json:"open_claims_of_dead_owners"`
	Findings   []string       `json:"findings"`
	Failures   []string       `json:"failures"`
}

// Torture keeps some host processes at work on one state folder while each is killed again and again, from outside at random
// moments and by itself at named points, and stopped and continued in between. Whether two guests of a job acted at the same time,
// or a slot ran twice, is decided by what the guests said themselves, outside the store; whether the ledger kept what it had
// acknowledged, by what its callers wrote down. The process must call [Work] first thing. The error is that of a measurement that
// could not be made.
func Torture(ctx context.Context, o TortureOptions) (*TortureFigures, error) {
	if o.Kills < 1 || o.Hosts < 1 {
		return nil, fmt.Errorf("torture: %d kills of %d hosts are too few: at least 1 each", o.Kills, o.Hosts)
	}
	dir, remove, err := newFolder()
	if err != nil {
		return nil, fmt.Errorf("torture: %w", err)
	}
	defer remove()
	store, err := dir.open(ctx)
	if err != nil {
		return nil, fmt.Errorf("torture: %w", err)
	}
	defer func() { _ = store.Close() }()
	begin := time.Now()
	r := &rack{o: o, dir: dir, f: &TortureFigures{Machine: newMachine(), Kills: o.Kills, Hosts: o.Hosts, Seed: o.Seed, At: map[string]int{}}}
	if err := r.suffer(ctx); err != nil {
		return nil, fmt.Errorf("torture: seed %d: %w", o.Seed, err)
	}
	stopped, err := r.last(ctx, store)
	if err != nil {
		return nil, fmt.Errorf("torture: the host after all kills, seed %d: %w", o.Seed, err)
	}
	r.f.Machine.LoadAfter = loadAverage()
	r.f.Took = time.Since(begin).Milliseconds()
	l, err := readLedger(ctx, store, stopped)
	if err == nil {
		err = r.f.read(l, dir.witness())
	}
	if err != nil {
		return nil, fmt.Errorf("torture: read what is left: %w", err)
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
				if err := r.life(ctx, rng, int(n)); err != nil {
					errs <- fmt.Errorf("life %d: %w", n, err)
					return
				}
			}
		}()
	}
	var all error
	for range r.o.Hosts {
		all = errors.Join(all, <-errs)
	}
	return all
}

// life is one host from its start to its kill.
func (r *rack) life(ctx context.Context, rng *rand.Rand, n int) error {
	o := r.order(n)
	at := "random"
	if rng.IntN(5) < 3 {
		points := killPoints()
		at = points[rng.IntN(len(points))]
		o.Point, o.Nth = at, 1+rng.IntN(5)
	}
	p, err := spawn(o)
	if err != nil {
		return err
	}
	wait := time.Duration(rng.Int64N(int64(lifeLongest)))
	stop := rng.IntN(4) == 0
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

func (r *rack) order(n int) order {
	return order{Root: r.dir.root, Instance: fmt.Sprintf("tortured-%04d", n), Crew: "witnesses", OrphanGrace: tortureGrace, Witnessed: true}
}

// gone waits until the worker has ended, and tells whether it has.
func (p *process) gone(ctx context.Context, limit time.Duration) bool {
	select {
	case rest := <-p.lines:
		p.lines <- rest
		return true
	case <-time.After(limit):
	case <-ctx.Done():
	}
	return false
}

// last runs a host that is not killed, until it has recovered what the others left and has done some work of its own.
func (r *rack) last(ctx context.Context, store claims.Store) (stopped time.Time, err error) {
	p, err := spawn(r.order(r.o.Kills + 1))
	if err != nil {
		return time.Time{}, err
	}
	if err = p.awaitReady(ctx); err == nil {
		err = settled(ctx, store, p.order.Instance)
	}
	stopped = time.Now()
	_, ended := p.end()
	return stopped, errors.Join(err, ended)
}

// settled waits until no claim but those of one owner is open, and no further attempt waits. When that takes too long it is for
// the verdict to say what is left.
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
