//go:build unix

package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/wcron/wcron/claims"
)

const (
	killedGrace   = 500 * time.Millisecond // orphan_grace of the hosts
	recoverWithin = 30 * time.Second       // for the last host to recover all orphans
	killLatest    = 3 * time.Second        // the longest life of a host that is killed
)

// KilledOptions says how often a host is killed.
type KilledOptions struct {
	Kills int
	Seed  uint64 // of the moments; the same seed gives the same waits
}

// KilledFigures is what came of a host that was killed again and again.
type KilledFigures struct {
	Machine    Machine  `json:"machine"`
	Kills      int      `json:"kills"`
	Seed       uint64   `json:"seed"`
	Hitting    int      `json:"hitting"`   // kills with at least one run in flight
	InFlight   int      `json:"in_flight"` // runs in flight at a kill
	Orphaned   int      `json:"orphaned"`  // of these: recovered, with evidence
	Recovery   int64    `json:"recovery_max_ms"`
	Slots      Tally    `json:"slots"`
	Retried    int      `json:"retried"` // slots with a further attempt after an orphaned one
	NoVerdict  []string `json:"no_verdict"`
	Double     []string `json:"double"`
	Wrong      []string `json:"wrong"` // orphans that were not in flight, and runs in flight that were not orphaned
	Overlaps   []string `json:"overlaps"`
	Findings   []string `json:"findings"`
	Troubles   []string `json:"troubles"`
	OpenClaims int      `json:"open_claims"`
	Failures   []string `json:"failures"`

	flying map[string]bool      // runs in flight at a kill, by run id
	died   map[string]time.Time // when each killed host was gone
	reborn map[string]time.Time // when the one after it was started
}

// Killed starts a host process with SIGKILL as its end, so many times, at random moments of its life, and reads from the ledger
// that each run in flight was recovered and that no slot was lost or run twice. The process must call [Work] first thing, since it
// is started again as the hosts. The error is that of a measurement that could not be made.
func Killed(ctx context.Context, o KilledOptions) (*KilledFigures, error) {
	if o.Kills < 1 {
		return nil, fmt.Errorf("killed: %d kills are too few: at least 1", o.Kills)
	}
	dir, remove, err := newFolder()
	if err != nil {
		return nil, fmt.Errorf("killed: %w", err)
	}
	defer remove()
	store, err := dir.open(ctx)
	if err != nil {
		return nil, fmt.Errorf("killed: %w", err)
	}
	defer func() { _ = store.Close() }()
	f := &KilledFigures{Machine: newMachine(), Kills: o.Kills, Seed: o.Seed, flying: map[string]bool{}, died: map[string]time.Time{},
		reborn: map[string]time.Time{}}
	rng := rand.New(rand.NewPCG(o.Seed, 0))
	for n := range o.Kills {
		if err := f.kill(ctx, dir, store, n, rng); err != nil {
			return nil, fmt.Errorf("killed: kill %d of %d, seed %d: %w", n+1, o.Kills, o.Seed, err)
		}
	}
	stopped, err := f.last(ctx, dir, store)
	if err != nil {
		return nil, fmt.Errorf("killed: the host after all kills, seed %d: %w", o.Seed, err)
	}
	f.Machine.LoadAfter = loadAverage()
	l, err := readLedger(ctx, store, stopped)
	if err == nil {
		err = f.read(l)
	}
	if err != nil {
		return nil, fmt.Errorf("killed: read the ledger: %w", err)
	}
	return f, nil
}

func instance(n int) string { return fmt.Sprintf("mortal-%03d", n) }

func (f *KilledFigures) spawn(dir folder, n int) (*process, error) {
	if n > 0 {
		f.reborn[instance(n-1)] = time.Now()
	}
	return spawn(order{Root: dir.root, Instance: instance(n), Crew: "mortals", OrphanGrace: killedGrace})
}

// kill is one life. The claims that are open when the process is gone, and before the next one is started, were in flight.
func (f *KilledFigures) kill(ctx context.Context, dir folder, store claims.Store, n int, rng *rand.Rand) error {
	p, err := f.spawn(dir, n)
	if err != nil {
		return err
	}
	// The first host is let come to its first runs, so that there is something to lose; later ones die in their startup as well.
	if n == 0 {
		err = firstRuns(ctx, p, store)
	}
	select {
	case <-time.After(time.Duration(rng.Int64N(int64(killLatest)))):
	case <-ctx.Done():
		err = errors.Join(err, ctx.Err())
	}
	err = errors.Join(err, p.kill())
	f.died[p.order.Instance] = time.Now()
	if err != nil {
		return err
	}
	open, err := store.Open(ctx)
	if err != nil {
		return err
	}
	hit := false
	for _, o := range open {
		if o.Owner == p.order.Instance {
			f.flying[o.RunID] = true
			hit = true
		}
	}
	if hit {
		f.Hitting++
	}
	return nil
}

// firstRuns waits until a host has runs in flight.
func firstRuns(ctx context.Context, p *process, store claims.Store) error {
	if err := p.awaitReady(ctx); err != nil {
		return err
	}
	limit := time.Now().Add(recoverWithin)
	for time.Now().Before(limit) {
		if open, err := store.Open(ctx); err != nil || len(open) > 0 {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("the host is ready and has claimed nothing within %s", recoverWithin)
}

// last runs a host that is not killed, until it has recovered what the others left.
func (f *KilledFigures) last(ctx context.Context, dir folder, store claims.Store) (stopped time.Time, err error) {
	p, err := f.spawn(dir, f.Kills)
	if err != nil {
		return time.Time{}, err
	}
	if err = p.awaitReady(ctx); err == nil {
		err = f.recovered(ctx, store)
	}
	stopped = time.Now()
	troubles, ended := p.end()
	f.Troubles = troubles
	return stopped, errors.Join(err, ended)
}

// recovered waits until no claim of a killed host is open and no further attempt waits. When that takes too long it is for the
// verdict to say what is left.
func (f *KilledFigures) recovered(ctx context.Context, store claims.Store) error {
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
		if len(pending) == 0 && !slices.ContainsFunc(open, func(o claims.Open) bool { return f.flying[o.RunID] }) {
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
