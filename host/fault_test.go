package host

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/internal/guest"
)

// sick is a store that refuses what fail says.
type sick struct {
	claims.Store
	fail func(op string) error
}

func (s *sick) Claim(ctx context.Context, now time.Time, owner string, items []claims.Claim) ([]claims.Claimed, error) {
	if err := s.fail("claim"); err != nil {
		return nil, err
	}
	return s.Store.Claim(ctx, now, owner, items)
}

func (s *sick) Finalize(ctx context.Context, now time.Time, items []claims.Final) ([]claims.Finalized, error) {
	if err := s.fail("finalize"); err != nil {
		return nil, err
	}
	return s.Store.Finalize(ctx, now, items)
}

func (s *sick) LockJob(ctx context.Context, job string, lane int) (func(), error) {
	if err := s.fail("lock"); err != nil {
		return nil, err
	}
	return s.Store.LockJob(ctx, job, lane)
}

func (s *sick) Changes(ctx context.Context, owner string, since int64) (claims.Changes, error) {
	if err := s.fail("changes"); err != nil {
		return claims.Changes{}, err
	}
	return s.Store.Changes(ctx, owner, since)
}

// A ledger that fails for a while is a loud failed tick, loses no slot and no outcome, and heals by itself.
func TestFailingLedgerHeals(t *testing.T) {
	for _, op := range []string{"claim", "finalize", "lock", "changes"} {
		t.Run(op, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				begun := time.Now()
				var refused atomic.Int64
				r := launch(t, privateDir(t), func(c *Config) {
					c.Store = &sick{Store: c.Store, fail: func(o string) error {
						if since := time.Since(begun); o == op && since > 5*time.Second && since < 15*time.Second {
							refused.Add(1)
							return fmt.Errorf("%s: %w", o, syscall.EMFILE)
						}
						return nil
					}}
				}, Job{Name: "greet", Module: Bytes(guest.Greet("x")), Schedule: "@every 10s"})
				time.Sleep(45 * time.Second)
				if refused.Load() == 0 {
					t.Fatal("nothing was refused")
				}
				failed := 0
				r.mu.Lock()
				for _, e := range r.events {
					if e.Kind == TickFailed && errors.Is(e.Err, syscall.EMFILE) {
						failed++
					}
				}
				r.mu.Unlock()
				if failed == 0 {
					t.Error("the failure was not told")
				}
				if got := outcomes(r.runs("greet")); strings.Count(got, "ok") < 3 || strings.Contains(got, "orphaned") {
					t.Errorf("runs: %s", got)
				}
				r.close()
			})
		})
	}
}

// A store of a newer version ends the host with the remedy, and not before its runs are over.
func TestNewerStoreEndsTheHost(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var newer atomic.Bool
		store := openStore(t, privateDir(t))
		h, err := New(Config{
			Store: &sick{Store: store, fail: func(op string) error {
				if newer.Load() && op == "claim" {
					return claims.ErrNewer
				}
				return nil
			}},
			Jobs: NewJobs(Job{Name: "slow", Module: Bytes(guest.Sleep(8 * time.Second)), Schedule: "@every 5s"}),
		})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- h.Run(context.Background()) }()
		time.Sleep(6 * time.Second)
		newer.Store(true)
		if err := <-done; !errors.Is(err, claims.ErrNewer) {
			t.Errorf("Run: %v", err)
		}
		runs, err := store.Runs(t.Context(), claims.RunQuery{})
		if err != nil || len(runs) != 1 || runs[0].Outcome != claims.OK {
			t.Errorf("%+v %v", runs, err)
		}
		store.Close()
	})
}

// In real time: a guest that spins is killed at its deadline while its neighbour starts on time, and nothing is left behind.
func TestSpinningGuestInRealTime(t *testing.T) {
	before := runtime.NumGoroutine()
	r := launch(t, privateDir(t), nil,
		Job{Name: "spin", Module: Bytes(guest.Spin()), Schedule: "@every 1s", Timeout: 50 * time.Millisecond},
		Job{Name: "greet", Module: Bytes(guest.Greet("x")), Schedule: "@every 1s"},
	)
	time.Sleep(3500 * time.Millisecond)
	r.close()
	var spun, greeted int
	for _, run := range r.lastRuns {
		switch {
		case run.Job == "greet" && run.Outcome == claims.OK:
			greeted++
		case run.Job == "spin" && run.Outcome == claims.Timeout:
			spun++
			if took := run.EndedAt.Sub(run.StartedAt); took > 2*time.Second {
				t.Errorf("the spinning guest lived for %s", took)
			}
		default:
			t.Errorf("%s: %s/%s %s", run.Job, run.Outcome, run.Cause, run.Reason)
		}
	}
	if spun < 2 || greeted < 2 {
		t.Errorf("%d spun, %d greeted", spun, greeted)
	}
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

// A slow or panicking observer delays no run.
func TestSlowObserver(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := launch(t, privateDir(t), func(c *Config) {
			c.OnEvent = func(Event) { time.Sleep(10 * time.Second) }
		}, Job{Name: "greet", Module: Bytes(guest.Greet("x")), Schedule: "* * * * * *"})
		time.Sleep(10*time.Second + 500*time.Millisecond)
		if got := len(r.runs("greet")); got < 9 {
			t.Errorf("%d runs", got)
		}
		r.close()
	})
}

func TestMemoryBudgetHoldsBackClaims(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		big := Bytes(guest.MemoryMin(160)) // 10 MiB
		r := launch(t, privateDir(t), func(c *Config) { c.MemoryBudget = 12 << 20 },
			Job{Name: "a", Module: big, Schedule: "@every 10s"}, Job{Name: "b", Module: big, Schedule: "@every 10s"},
			Job{Name: "huge", Module: Bytes(guest.MemoryMin(320)), Schedule: "@every 10s"})
		time.Sleep(35 * time.Second)
		for _, run := range r.runs("") {
			if run.Outcome != claims.OK {
				t.Errorf("%s: %s/%s %s", run.Job, run.Outcome, run.Cause, run.Reason)
			}
		}
		if a, b := len(r.runs("a")), len(r.runs("b")); a < 3 || b < 3 {
			t.Errorf("%d and %d runs", a, b)
		}
		status, err := r.host.Status(t.Context())
		if err != nil || status[2].State != Broken || !strings.Contains(status[2].Reason, "memory_budget") {
			t.Errorf("%+v %v", status[2], err)
		}
		r.close()
	})
}

// A module that could not be read, or whose compiler was killed, is tried again by itself; one that is at fault itself is not,
// until its job changes.
func TestModuleIsTriedAgain(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var reads, bad atomic.Int64
		flaky := Job{Name: "flaky", Schedule: "@every 10m", Module: Module{Digest: "f", Load: func() ([]byte, error) {
			if reads.Add(1) == 1 {
				return nil, errors.New("the disk was away")
			}
			return guest.Hello(), nil
		}}}
		broken := Job{Name: "broken", Schedule: "@every 10m", Module: Module{Digest: "b", Load: func() ([]byte, error) {
			bad.Add(1)
			return []byte("no module"), nil
		}}}
		r := launch(t, privateDir(t), nil, flaky, broken)
		r.await("both failures", func() bool { return r.told(JobBroken, "flaky") == 1 && r.told(JobBroken, "broken") == 1 })
		time.Sleep(compileRetry + time.Second)
		r.await("the second attempt", func() bool { return r.told(JobReady, "flaky") == 1 })
		time.Sleep(10 * compileRetry)
		if reads.Load() != 2 || bad.Load() != 1 {
			t.Errorf("the modules were read %d and %d times", reads.Load(), bad.Load())
		}
		broken.Timeout = 7 * time.Second
		r.jobs.Put(broken)
		r.await("an attempt for the changed job", func() bool { return bad.Load() == 2 })
		if got := outcomes(r.runs("flaky")); got == "" {
			t.Error("flaky has not run")
		}
		r.close()
	})
}
