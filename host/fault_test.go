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
		time.Sleep(rebuildFirst + time.Second)
		r.await("the second attempt", func() bool { return r.told(JobReady, "flaky") == 1 })
		time.Sleep(2 * rebuildLast)
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

// One job's lock that cannot be taken, for whatever reason, keeps no other job from starting.
func TestOneLockThatFailsStarvesNobody(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := launch(t, privateDir(t), func(c *Config) { c.Store = &lockless{c.Store} },
			Job{Name: "bad", Module: Bytes(guest.Greet("x")), Schedule: "* * * * * *"},
			Job{Name: "good", Module: Bytes(guest.Greet("x")), Schedule: "* * * * * *"})
		time.Sleep(20*time.Second + 500*time.Millisecond)
		if n := len(r.runs("good")); n < 19 {
			t.Errorf("%d runs", n)
		}
		if got := verdicts(r.slots("good")); strings.Contains(got, "missed") {
			t.Errorf("slots: %s", got)
		}
		status, err := r.host.Status(t.Context())
		if err != nil || status[0].Waiting.IsZero() || !strings.Contains(status[0].Reason, "not permitted") {
			t.Errorf("%+v %v", status[0], err)
		}
		r.close()
	})
}

// lockless is a store that cannot lock the job "bad".
type lockless struct{ claims.Store }

func (s *lockless) LockJob(ctx context.Context, job string, lane int) (func(), error) {
	if job == "bad" {
		return nil, fmt.Errorf("lock job %q: %w", job, syscall.EPERM)
	}
	return s.Store.LockJob(ctx, job, lane)
}

// An owner that cannot be probed keeps nobody from recovering what others have left.
func TestOneOwnerThatCannotBeProbed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		dir := privateDir(t)
		now := time.Now().UTC()
		deadOwner(t, dir, "job", now, now.Add(time.Hour))
		s := openStore(t, dir)
		for i, owner := range []string{"p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8"} { // looked at in any order
			name := fmt.Sprintf("of-%s", owner)
			rows, err := s.Put(t.Context(), now, "another", []claims.Put{{Name: name, Schedule: "@every 1m", Timezone: "UTC", First: now}})
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.Claim(t.Context(), now, owner, []claims.Claim{{
				Slot: claims.ScheduledSlot(name, now), Attempt: 1, RunID: fmt.Sprintf("01900000-0000-7000-8000-00000000010%d", i),
				From: rows[0].Next, Next: now.Add(time.Minute), Deadline: now.Add(time.Hour),
			}})
			if err != nil {
				t.Fatal(err)
			}
		}
		s.Close()
		r := launch(t, dir, func(c *Config) { c.Store = &unprobed{c.Store} }, Job{Name: "job", Module: Bytes(guest.Exit(0)), Schedule: "@every 1m"})
		time.Sleep(DefaultOrphanGrace + 1500*time.Millisecond)
		if n := r.told(Recovered, "job"); n != 1 {
			t.Errorf("recovered %d times", n)
		}
		r.close()
	})
}

type unprobed struct{ claims.Store }

func (s *unprobed) Probe(ctx context.Context, owner string) (claims.Probe, error) {
	if strings.HasPrefix(owner, "p") {
		return claims.Probe{Release: func() {}}, syscall.EACCES
	}
	return s.Store.Probe(ctx, owner)
}

// A store that was closed ends the host instead of failing for ever.
func TestClosedStoreEndsTheHost(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := openStore(t, privateDir(t))
		h, err := New(Config{Store: store, Jobs: NewJobs(Job{Name: "job", Module: Bytes(guest.Exit(0)), Schedule: "@every 1s"})})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- h.Run(context.Background()) }()
		time.Sleep(3 * time.Second)
		store.Close()
		if err := <-done; !errors.Is(err, claims.ErrClosed) {
			t.Errorf("Run: %v", err)
		}
	})
}

// A second signal while a claim is under way kills what that claim starts as well.
func TestAbortDuringAClaim(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := launch(t, privateDir(t), func(c *Config) { c.Store = &slowClaims{c.Store, 3 * time.Second} },
			Job{Name: "long", Module: Bytes(guest.Sleep(time.Hour)), Schedule: "@every 5s", Timeout: Unlimited})
		time.Sleep(6 * time.Second)
		r.stop()
		time.Sleep(time.Second)
		r.host.Abort()
		begun := time.Now()
		r.close()
		if took := time.Since(begun); took > 3*time.Second {
			t.Errorf("the end took %s", took)
		}
		if got := outcomes(r.lastRuns); got != "killed/shutdown" {
			t.Errorf("runs: %s", got)
		}
	})
}

// An observer may ask the host what it likes, at its end too, and one that never returns does not keep the host from ending.
func TestObserversThatAskAndBlock(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var host atomic.Pointer[Host]
		asked := make(chan error, 100)
		r := launch(t, privateDir(t), func(c *Config) {
			c.OnEvent = func(Event) {
				time.Sleep(100 * time.Millisecond) // the loop may be over by then
				_, err := host.Load().Status(context.Background())
				asked <- err
			}
		}, Job{Name: "job", Module: Bytes(guest.Exit(0)), Schedule: "@every 1s"})
		host.Store(r.host)
		time.Sleep(3 * time.Second)
		r.close()
		for len(asked) > 1 {
			<-asked
		}
		if err := <-asked; !errors.Is(err, ErrNotRunning) {
			t.Errorf("asked at the end: %v", err)
		}

		release := make(chan struct{})
		store := openStore(t, privateDir(t))
		defer store.Close()
		h, err := New(Config{Store: store, Jobs: NewJobs(), OnEvent: func(Event) { <-release }})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := h.Run(ctx); err == nil || !strings.Contains(err.Error(), "OnEvent") {
			t.Errorf("Run: %v", err)
		}
		close(release)
	})
}

// A shutdown never waits for the ledger's lock, and is an orderly end without it too.
func TestEndWhileTheLedgerIsLocked(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := launch(t, privateDir(t), func(c *Config) { c.Store = &noLeave{c.Store} },
			Job{Name: "job", Module: Bytes(guest.Exit(0)), Schedule: "@every 1s"})
		time.Sleep(3 * time.Second)
		begun := time.Now()
		r.close() // it wants Run to return nil
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

type noLeave struct{ claims.Store }

func (s *noLeave) Join(ctx context.Context, now time.Time, o claims.Owner) (func(context.Context, time.Time) error, error) {
	_, err := s.Store.Join(ctx, now, o)
	return func(ctx context.Context, _ time.Time) error {
		<-ctx.Done()
		return fmt.Errorf("leave: %w", ctx.Err())
	}, err
}
