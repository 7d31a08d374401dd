package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/internal/guest"
)

// stormy is a store that fails and dawdles at random, in calls of every kind, while it storms.
type stormy struct {
	claims.Store
	mu       sync.Mutex // guards rnd and storming
	rnd      *rand.Rand
	storming bool
}

var errStorm = errors.New("the storm took it")

// blow waits at times, and says whether the call fails.
func (s *stormy) blow() error {
	s.mu.Lock()
	if !s.storming {
		s.mu.Unlock()
		return nil
	}
	wait, fails := time.Duration(0), s.rnd.IntN(6) == 0
	if s.rnd.IntN(4) == 0 {
		wait = time.Duration(s.rnd.IntN(3000)) * time.Millisecond
	}
	s.mu.Unlock()
	time.Sleep(wait)
	if fails {
		return errStorm
	}
	return nil
}

func (s *stormy) Put(ctx context.Context, now time.Time, source string, jobs []claims.Put) ([]claims.Job, error) {
	if err := s.blow(); err != nil {
		return nil, err
	}
	return s.Store.Put(ctx, now, source, jobs)
}

func (s *stormy) Remove(ctx context.Context, now time.Time, source string, names []string) error {
	if err := s.blow(); err != nil {
		return err
	}
	return s.Store.Remove(ctx, now, source, names)
}

func (s *stormy) Claim(ctx context.Context, now time.Time, owner string, items []claims.Claim) ([]claims.Claimed, error) {
	if err := s.blow(); err != nil {
		return nil, err
	}
	return s.Store.Claim(ctx, now, owner, items)
}

func (s *stormy) Finalize(ctx context.Context, now time.Time, items []claims.Final) ([]claims.Finalized, error) {
	if err := s.blow(); err != nil {
		return nil, err
	}
	return s.Store.Finalize(ctx, now, items)
}

func (s *stormy) Changes(ctx context.Context, owner string, since int64) (claims.Changes, error) {
	if err := s.blow(); err != nil {
		return claims.Changes{}, err
	}
	return s.Store.Changes(ctx, owner, since)
}

func (s *stormy) LockJob(ctx context.Context, job string, lane int) (func(), error) {
	if err := s.blow(); err != nil {
		return nil, err
	}
	return s.Store.LockJob(ctx, job, lane)
}

func (s *stormy) Runs(ctx context.Context, q claims.RunQuery) ([]claims.Run, error) {
	if err := s.blow(); err != nil {
		return nil, err
	}
	return s.Store.Runs(ctx, q)
}

// Whatever the ledger does and operators ask for, in whatever order: no slot vanishes, no job runs beside itself, and once it is
// calm every job runs on time.
func TestStorm(t *testing.T) {
	seeds, first := uint64(4), uint64(1)
	if os.Getenv("WCRON_CI") != "" {
		seeds, first = 12, rand.Uint64()>>1
	}
	for seed := first; seed < first+seeds; seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			inBubble(t, func(t *testing.T) { storm(t, seed) })
		})
	}
}

func storm(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 0))
	dir := privateDir(t)
	store := openStore(t, dir) // for the operator, who is spared
	defer store.Close()
	names := []string{"a", "b", "c", "d"}
	define := func(name string) Job {
		modules := [][]byte{guest.Exit(0), guest.Exit(1), guest.Exit(75), guest.Sleep(time.Duration(rnd.IntN(12)) * time.Second), guest.Greet(fmt.Sprint(rnd.IntN(5)))}
		schedules := []string{"@every 1s", "@every 3s", "* * * * * *", "*/5 * * * * *", "0 * * * * *", ""}
		return Job{
			Name: name, Module: Bytes(modules[rnd.IntN(len(modules))]), Schedule: schedules[rnd.IntN(len(schedules))],
			Timeout: time.Duration(1+rnd.IntN(8)) * time.Second, Missed: []claims.MissedPolicy{"", claims.MissedSkip}[rnd.IntN(2)],
			Retry: claims.RetryPolicy{Retries: rnd.IntN(3), Min: 300 * time.Millisecond, Max: time.Second, On: []string{"failed", "timeout", "orphaned"}},
		}
	}
	start := func() (*rig, *stormy) {
		var wind *stormy
		r := launch(t, dir, func(c *Config) {
			wind = &stormy{Store: c.Store, rnd: rand.New(rand.NewPCG(seed, rnd.Uint64())), storming: true}
			c.Store = wind
			c.MaxRuns, c.DrainTimeout = rnd.IntN(4), time.Duration(1+rnd.IntN(5))*time.Second
			c.MemoryBudget = []int64{0, 1 << 20, 200 << 10}[rnd.IntN(3)]
		}, define("a"), define("b"))
		return r, wind
	}
	r, wind := start()
	for range 120 {
		time.Sleep(time.Duration(rnd.IntN(3000)) * time.Millisecond)
		name, now := names[rnd.IntN(len(names))], time.Now().UTC().Truncate(time.Millisecond)
		var err error
		switch rnd.IntN(12) {
		case 0, 1, 2:
			r.jobs.Put(define(name))
		case 3:
			r.jobs.Remove(name)
		case 4:
			r.jobs.Remove(name)
			r.jobs.Put(define(name))
		case 5:
			err = store.Request(t.Context(), now, claims.Request{Kind: claims.Pause, Job: name})
		case 6, 7:
			err = store.Request(t.Context(), now, claims.Request{Kind: claims.Resume, Job: name})
		case 8:
			err = store.Request(t.Context(), now, claims.Request{Kind: claims.Trigger, Job: name, ID: fmt.Sprint(rnd.IntN(1000))})
		case 9:
			if open, _ := store.Open(t.Context()); len(open) > 0 {
				err = store.Request(t.Context(), now, claims.Request{Kind: claims.Cancel, RunID: open[0].RunID})
			}
		case 10:
			wind.mu.Lock()
			wind.storming = rnd.IntN(3) > 0
			wind.mu.Unlock()
		case 11:
			if rnd.IntN(4) == 0 {
				r.stop()
				r.closed = true
				<-r.done // its leaving may have failed
				r.store.Close()
				r, wind = start()
			}
		}
		if err != nil && !errors.Is(err, claims.ErrNoJob) && !errors.Is(err, claims.ErrNotOpen) && !errors.Is(err, claims.ErrNoRun) {
			t.Fatal(err)
		}
	}
	calm(t, r, wind, store)
}

// calm ends the storm and looks at what it has left.
func calm(t *testing.T, r *rig, wind *stormy, store claims.Store) {
	t.Helper()
	wind.mu.Lock()
	wind.storming = false
	wind.mu.Unlock()
	r.jobs.Put(Job{Name: "a", Module: Bytes(guest.Greet("calm")), Schedule: "* * * * * *"})
	for _, name := range []string{"a", "b", "c", "d"} {
		_ = store.Request(t.Context(), time.Now().UTC(), claims.Request{Kind: claims.Resume, Job: name}) // there may be no such job
	}
	time.Sleep(4 * time.Minute) // past every deadline
	if open, err := store.Open(t.Context()); err != nil || slices.ContainsFunc(open, func(o claims.Open) bool { return time.Since(o.ClaimedAt) > time.Minute }) {
		t.Errorf("still open: %+v %v", open, err)
	}
	slots := r.slots("a")
	if len(slots) < 60 {
		t.Fatalf("%d slots", len(slots))
	}
	late := 0
	for _, s := range slots[5:60] { // newest first
		if s.Verdict != "ok" {
			late++
		}
	}
	if late > 0 && !strings.Contains(verdicts(slots), "skipped") { // with few run slots it may have to wait for the others
		t.Errorf("%d of the last 60 slots are not ok: %s", late, verdicts(slots[:60]))
	}
	last := map[string]claims.Run{}
	runs := r.runs("")
	slices.SortFunc(runs, func(x, y claims.Run) int { // the ids of one millisecond are in the order of its claims
		return cmp.Or(x.ClaimedAt.Compare(y.ClaimedAt), strings.Compare(x.RunID, y.RunID))
	})
	for _, run := range runs {
		if before, ok := last[run.Job]; ok && !run.StartedAt.IsZero() && run.StartedAt.Before(before.EndedAt) && before.Outcome != claims.Orphaned {
			t.Errorf("run %s of %s started at %s, before %s ended at %s", run.RunID, run.Job, run.StartedAt, before.RunID, before.EndedAt)
		}
		last[run.Job] = run
		if strings.Contains(run.Reason, "panic") {
			t.Errorf("run %s: %s", run.RunID, run.Reason)
		}
	}
	r.close() // its audit accounts for every slot
}
