package host

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/internal/guest"
)

// machine is the wall clock of a machine that can be set, apart from the monotonic one. Set forward at once it is also what a
// suspend looks like to a process: timers and guests stood still meanwhile.
type machine struct{ ahead atomic.Int64 }

func (m *machine) step(d time.Duration) { m.ahead.Add(int64(d)) }

func (m *machine) now() time.Time { return time.Now().Add(time.Duration(m.ahead.Load())) }

type onMachine struct {
	world
	m *machine
}

func (w onMachine) now() time.Time { return w.m.now() }

// host starts a host on this machine.
func (m *machine) host(t *testing.T, dir string, change func(*Config), jobs ...Job) *rig {
	t.Helper()
	return launchIn(t, dir, func(w world) world { return onMachine{w, m} }, change, jobs...)
}

// once fails the test for every slot that has more runs than one.
func once(t *testing.T, runs []claims.Run) {
	t.Helper()
	seen := map[string]bool{}
	for _, run := range runs {
		if seen[run.Slot.ID] {
			t.Errorf("slot %s ran twice", run.Slot.ID)
		}
		seen[run.Slot.ID] = true
	}
}

// A clock that is set forward passes over slots: by each job's policy one run stands for them, or none runs. Each is on record.
func TestClockSetForward(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var m machine
		r := m.host(t, privateDir(t), nil,
			Job{Name: "once", Module: Bytes(guest.Greet("x")), Schedule: "* * * * *"},
			Job{Name: "skip", Module: Bytes(guest.Greet("x")), Schedule: "0 * * * *", Missed: claims.MissedSkip},
			Job{Name: "grid", Module: Bytes(guest.Greet("x")), Schedule: "@every 7m"})
		time.Sleep(10*time.Minute + 30*time.Second)
		m.step(3*time.Hour + 15*time.Minute) // 00:10:30 is now 03:25:30
		time.Sleep(10 * time.Minute)
		runs := r.runs("once")
		once(t, r.runs(""))
		stands := slices.IndexFunc(runs, func(r claims.Run) bool { return r.StandsFor > 0 })
		if stands < 0 || runs[stands].StandsFor != 194 || runs[stands].Slot.At.Format("15:04") != "03:25" {
			t.Errorf("the run after the step: %+v", runs[max(stands, 0)])
		}
		if got := len(runs); got < 20 || got > 22 {
			t.Errorf("%d runs in 20 minutes", got)
		}
		if runs := r.runs("skip"); len(runs) != 0 { // 01:00 and 02:00 have passed by, 03:00 is 25 minutes late: within its grace
			if len(runs) != 1 || runs[0].Slot.At.Format("15:04") != "03:00" {
				t.Errorf("%d runs of the job that skips, the first for %s", len(runs), runs[0].Slot.At)
			}
		}
		for _, run := range r.runs("grid") {
			if min := run.Slot.At.Minute() + 60*run.Slot.At.Hour(); min%7 != 0 {
				t.Errorf("the grid of @every moved: %s", run.Slot.At)
			}
		}
		r.close()
	})
}

// A clock that is set back repeats no slot. Jobs go on when the time that was repeated is over, and what runs meanwhile is committed.
func TestClockSetBack(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var m machine
		r := m.host(t, privateDir(t), nil,
			Job{Name: "minutely", Module: Bytes(guest.Greet("x")), Schedule: "* * * * *"},
			Job{Name: "long", Module: Bytes(guest.Sleep(2 * time.Minute)), Schedule: "30 0 * * *", Timeout: 5 * time.Minute})
		time.Sleep(31*time.Minute + 30*time.Second)
		before := len(r.runs("minutely"))
		m.step(-time.Hour)
		time.Sleep(50 * time.Minute)
		if got := len(r.runs("minutely")); got > before {
			t.Errorf("%d runs in the time that is repeated", got-before)
		}
		if got := outcomes(r.runs("long")); got != "ok" {
			t.Errorf("the run that was in flight: %s", got)
		}
		r.request(claims.Request{Kind: claims.Trigger, Job: "minutely", ID: "by-hand"}) // people need not wait
		r.await("the manual run", func() bool { return len(r.runs("minutely")) == before+1 })
		time.Sleep(30 * time.Minute)
		once(t, r.runs(""))
		if got := len(r.runs("minutely")); got < before+15 {
			t.Errorf("%d runs after the time had caught up", got-before)
		}
		r.close()
	})
}

// A claim that is dated in the future, since the clock was set back after it, wedges nobody: its owner's death ends it after the
// grace, and its time ends it where its owner lives and does nothing.
func TestClaimFromTheFuture(t *testing.T) {
	for _, c := range []struct {
		name     string
		alive    bool
		from, to time.Duration // when it is recovered, after the step
	}{
		{"of a dead owner", false, 0, DefaultOrphanGrace + 2*time.Second},
		{"of an owner that does nothing", true, 9 * time.Minute, 11 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				var m machine
				dir := privateDir(t)
				s := openStore(t, dir)
				now := m.now().UTC()
				owner, err := claims.Self("the-other", 1)
				if err != nil {
					t.Fatal(err)
				}
				owner.Seen = now
				leave, err := s.Join(t.Context(), now, owner)
				if err != nil {
					t.Fatal(err)
				}
				rows, err := s.Put(t.Context(), now, "default", []claims.Put{{Name: "job", Schedule: "@every 1m", Timezone: "UTC", First: now}})
				if err != nil {
					t.Fatal(err)
				}
				answers, err := s.Claim(t.Context(), now, owner.ID, []claims.Claim{{Slot: claims.ScheduledSlot("job", now), Attempt: 1,
					RunID: "01900000-0000-7000-8000-000000000004", From: rows[0].Next, Next: now.Add(time.Minute), Deadline: now.Add(10 * time.Minute)}})
				if err != nil || answers[0].Status != claims.Won {
					t.Fatalf("%+v %v", answers, err)
				}
				r := m.host(t, dir, nil, Job{Name: "job", Module: Bytes(guest.Greet("x")), Schedule: "@every 1m"})
				time.Sleep(3 * time.Second) // it has seen the claim
				m.step(-time.Hour)
				stepped := time.Now()
				if !c.alive {
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
				}
				for r.told(Recovered, "job") == 0 && time.Since(stepped) < 50*time.Minute {
					time.Sleep(time.Second)
				}
				if took := time.Since(stepped); took < c.from || took > c.to {
					t.Errorf("recovered %s after the step", took)
				}
				if run := r.runs("job")[0]; run.Outcome != claims.Orphaned {
					t.Errorf("%+v", run)
				}
				if c.alive {
					if err := leave(t.Context(), m.now().UTC()); err != nil {
						t.Fatal(err)
					}
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(time.Hour + 5*time.Minute) // until the time of before is there again
				if got := outcomes(r.runs("job")); !strings.HasPrefix(got, "orphaned ok ok") {
					t.Errorf("runs: %s", got)
				}
				r.close()
			})
		})
	}
}

// A machine that is suspended in the middle of a run: the guest has had no time meanwhile, but its claim has. Within the deadline of
// the claim it commits; past it the run is an orphan, its commit is refused with one note, and the slots that passed meanwhile do not run beside it.
func TestSuspendInTheMiddleOfARun(t *testing.T) {
	for _, c := range []struct {
		asleep time.Duration
		want   string
		late   int
	}{
		{time.Minute, "ok", 0},
		{2 * time.Hour, "orphaned", 1},
	} {
		t.Run(c.want, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				var m machine
				r := m.host(t, privateDir(t), nil,
					Job{Name: "job", Module: Bytes(guest.Sleep(20 * time.Second)), Schedule: "0 * * * *", Timeout: time.Minute})
				time.Sleep(time.Hour + 10*time.Second) // 10 s into the run
				m.step(c.asleep)
				time.Sleep(time.Minute)
				runs := r.runs("job")
				first := runs[len(runs)-1]
				if string(first.Outcome) != c.want || r.told(LateResult, "job") != c.late || (c.late > 0) != (first.Late == claims.OK) {
					t.Errorf("%s (%s), %d late results, note %q", first.Outcome, first.Reason, r.told(LateResult, "job"), first.Late)
				}
				if got := verdicts(r.slots("job")); c.late > 0 && (len(runs) != 1 || got != "orphaned skippedx2") { // the guest was there all the while
					t.Errorf("%d runs, slots %q", len(runs), got)
				}
				once(t, runs)
				r.close()
			})
		})
	}
}

// slowAnswers lets the machine sleep while a claim's answer is on its way.
type slowAnswers struct {
	claims.Store
	m    *machine
	done atomic.Bool
}

func (s *slowAnswers) Claim(ctx context.Context, now time.Time, owner string, items []claims.Claim) ([]claims.Claimed, error) {
	got, err := s.Store.Claim(ctx, now, owner, items)
	if s.done.CompareAndSwap(false, true) {
		s.m.step(10 * time.Minute)
	}
	return got, err
}

// A machine that is suspended between a claim and the start of its guest: the time counts, and the guest never starts.
func TestSuspendBetweenClaimAndStart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var m machine
		r := m.host(t, privateDir(t), func(c *Config) { c.Store = &slowAnswers{Store: c.Store, m: &m} },
			Job{Name: "job", Module: Bytes(guest.Greet("x")), Schedule: "0 * * * *", StartTimeout: 5 * time.Minute, Timeout: time.Hour})
		time.Sleep(time.Hour + time.Minute)
		runs := r.runs("job")
		if len(runs) != 1 || runs[0].Outcome != claims.Failed || runs[0].Cause != claims.HostFault || !runs[0].StartedAt.IsZero() ||
			!strings.Contains(runs[0].Reason, "could not start within start_timeout = 5m0s") || r.told(Started, "job") != 0 {
			t.Errorf("%d runs: %+v", len(runs), runs)
		}
		r.close()
	})
}

// After a suspend each host looks silent to the others for a moment: nobody is reported, and no run is taken away.
func TestNobodyIsStalledAfterASuspend(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var m machine
		dir := privateDir(t)
		job := Job{Name: "job", Module: Bytes(guest.Sleep(20 * time.Minute)), Schedule: "0 * * * *", Timeout: Unlimited}
		one, two := m.host(t, dir, nil, job), m.host(t, dir, nil, job)
		time.Sleep(time.Hour + time.Minute)
		for range 5 {
			m.step(3 * time.Hour)
			time.Sleep(time.Minute + 1700*time.Millisecond)
		}
		if n := one.told(Stalled, "job") + two.told(Stalled, "job") + one.told(Recovered, "job") + two.told(Recovered, "job"); n != 0 {
			t.Errorf("told of %d stalled or recovered", n)
		}
		time.Sleep(20 * time.Minute)
		if got := outcomes(one.runs("job")); !strings.HasPrefix(got, "ok") {
			t.Errorf("runs: %s", got)
		}
		one.close()
		two.close()
	})
}

// Whatever is done to the clock of a machine with two hosts, no slot runs twice, none vanishes, and nothing stays open.
func TestRandomClock(t *testing.T) {
	rounds := 4
	if os.Getenv("WCRON_CI") == "1" {
		rounds = 60
	}
	for range rounds {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			inBubble(t, func(t *testing.T) { randomClock(t, rand.New(rand.NewPCG(seed, 0))) })
		})
	}
}

func randomClock(t *testing.T, rng *rand.Rand) {
	var m machine
	dir, begun := privateDir(t), time.Now()
	hasty := func(c *Config) { c.CommitGrace = time.Second }
	jobs := []Job{
		{Name: "quick", Module: Bytes(guest.Greet("x")), Schedule: "* * * * *"},
		{Name: "grid", Module: Bytes(guest.Greet("x")), Schedule: "@every 45s"},
		{Name: "skip", Module: Bytes(guest.Greet("x")), Schedule: "*/5 * * * *", Missed: claims.MissedSkip},
		{Name: "long", Module: Bytes(guest.Sleep(50 * time.Second)), Schedule: "*/2 * * * *", Timeout: time.Minute, StartTimeout: 10 * time.Second,
			Retry: claims.RetryPolicy{Retries: 1, Min: time.Second, Max: time.Second, On: []string{"orphaned"}}},
	}
	one, two := m.host(t, dir, hasty, jobs...), m.host(t, dir, hasty, jobs...)
	for range 20 {
		time.Sleep(time.Duration(rng.IntN(100)) * time.Second)
		d := time.Duration(rng.IntN(600)) * time.Second
		if rng.IntN(3) == 0 {
			d *= 20
		}
		m.step(d * time.Duration(1-2*rng.IntN(2)))
	}
	latest := m.now() // let the time of every claim and slot pass, and of all that was due in the beginning
	if latest.Before(begun) {
		latest = begun
	}
	for _, row := range one.slots("") {
		if row.Until.After(latest) {
			latest = row.Until
		}
	}
	m.step(latest.Sub(m.now()) + time.Hour)
	time.Sleep(10 * time.Minute)
	perSlot := map[string]int{}
	for _, run := range one.runs("") {
		if perSlot[run.Slot.ID]++; perSlot[run.Slot.ID] > 1 && run.Job != "long" || perSlot[run.Slot.ID] > 2 {
			t.Errorf("slot %s has %d runs", run.Slot.ID, perSlot[run.Slot.ID])
		}
	}
	if len(perSlot) < 10 {
		t.Errorf("only %d slots ran", len(perSlot))
	}
	one.close()
	two.close()
	for _, run := range two.lastRuns {
		if run.Outcome == claims.Running {
			t.Errorf("run of %s is open for ever", run.Slot.ID)
		}
	}
}
