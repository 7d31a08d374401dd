package host

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/internal/guest"
)

// turns counts how often the loop looks around. A loop that turns without end would stop a virtual clock, so that it is held up.
type turns struct {
	jobs *Jobs
	n    atomic.Int64
}

func (c *turns) Jobs() []Job { return c.jobs.Jobs() }

func (c *turns) Changed() <-chan struct{} {
	if c.n.Add(1)%1000 == 0 {
		time.Sleep(time.Second)
	}
	return c.jobs.Changed()
}

// The loop sleeps while what is due cannot start, whatever it has to wait for.
func TestTheLoopSleepsWhileNothingCanStart(t *testing.T) {
	slow := Bytes(guest.Sleep(30 * time.Second))
	once := func(nth int64) func(string) error {
		var n atomic.Int64
		return func(op string) error {
			if op == "claim" && n.Add(1) == nth {
				return errors.New("just once")
			}
			return nil
		}
	}
	for _, c := range []struct {
		name   string
		change func(*Config)
		jobs   []Job
		locked string // a job whose lock is held until its first slot is 1.5 s old
	}{
		{
			name:   "a claim takes long",
			change: func(c *Config) { c.Store = &slowClaims{c.Store, 20 * time.Second} },
			jobs: []Job{
				{Name: "a", Module: Bytes(guest.Greet("x")), Schedule: "@every 1s"},
				{Name: "b", Module: Bytes(guest.Greet("x")), Schedule: "@every 3s"},
			},
		}, {
			name:   "a failed claim, then no run slot",
			change: func(c *Config) { c.MaxRuns = 1; c.Store = &sick{Store: c.Store, fail: once(1)} },
			jobs: []Job{
				{Name: "a", Module: slow, Schedule: "0 * * * * *"},
				{Name: "b", Module: slow, Schedule: "0 * * * * *"},
			},
		}, {
			name:   "a busy lock, then no run slot",
			change: func(c *Config) { c.MaxRuns = 1 },
			jobs: []Job{
				{Name: "a", Module: slow, Schedule: "1 * * * * *"},
				{Name: "b", Module: slow, Schedule: "0 * * * * *"},
			},
			locked: "b",
		}, {
			name:   "no memory is left",
			change: func(c *Config) { c.MemoryBudget = 3 << 20 },
			jobs: []Job{
				{Name: "a", Module: slow, Schedule: "@every 1s", Memory: 2 << 20},
				{Name: "b", Module: Bytes(guest.MemoryMin(40)), Schedule: "@every 1s"},
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				var source *turns
				r := launch(t, privateDir(t), func(cfg *Config) {
					source = &turns{jobs: cfg.Jobs.(*Jobs)}
					cfg.Jobs = source
					c.change(cfg)
				}, c.jobs...)
				if c.locked != "" {
					unlock, err := r.store.LockJob(context.Background(), c.locked, 0)
					if err != nil {
						t.Fatal(err)
					}
					time.AfterFunc(61*time.Second+500*time.Millisecond, unlock)
				}
				time.Sleep(2*time.Minute + 20*time.Second)
				if n := source.n.Load(); n > 980 {
					t.Errorf("%d turns in 140 seconds", n)
				}
				for _, s := range r.slots(c.locked) {
					if c.locked != "" && strings.Contains(s.Reason, "lock") {
						t.Errorf("slot %s was passed over for a lock that was free in time: %s", s.Slot.ID, s.Reason)
					}
				}
				r.close()
			})
		})
	}
}

// slowClaims is a store whose claims take their time.
type slowClaims struct {
	claims.Store
	take time.Duration
}

func (s *slowClaims) Claim(ctx context.Context, now time.Time, owner string, items []claims.Claim) ([]claims.Claimed, error) {
	time.Sleep(s.take)
	return s.Store.Claim(ctx, now, owner, items)
}
