package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/claims/memstore"
	"github.com/wcron/wcron/internal/guest"
)

// unhurried is a host for days of virtual time: it looks at the ledger each few seconds, and not when a slot is due.
func unhurried(c *Config) {
	c.rhythm = rhythm{wait: time.Hour, poll: 4999 * time.Millisecond, renew: time.Hour, recover: time.Minute}
	c.Lease = 3 * time.Hour
}

func (r *rig) pause(job string) {
	r.request(claims.Request{Kind: claims.Pause, Job: job, Reason: "holidays"})
}
func (r *rig) resume(job string) { r.request(claims.Request{Kind: claims.Resume, Job: job}) }

// until lets virtual time pass until so long after it began.
func until(d time.Duration) {
	time.Sleep(time.Until(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(d)))
}

// Two days of an hourly job that takes longer than an hour, by each policy. In between it is paused for three hours, and its host
// ends in the middle of a run and comes back half an hour later.
func TestTraceOfOverlap(t *testing.T) {
	for name, test := range map[string]struct {
		over claims.Overlap
		nap  time.Duration
	}{
		"overlap-skip":    {claims.Overlap{}, 97*time.Minute + 13*time.Second},
		"overlap-queue":   {claims.Overlap{Policy: claims.OverlapQueue, QueueLimit: 3}, 97*time.Minute + 13*time.Second},
		"overlap-replace": {claims.Overlap{Policy: claims.OverlapReplace}, 97*time.Minute + 13*time.Second},
		"overlap-allow":   {claims.Overlap{Policy: claims.OverlapAllow, MaxConcurrent: 2}, 147*time.Minute + 13*time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				store := memstore.New(memstore.Config{})
				job := Job{Name: "slow", Module: Bytes(guest.Sleep(test.nap)), Timeout: 5 * time.Hour, Schedule: "0 * * * *", Overlap: test.over}
				first := launchOn(t, store, nil, unhurried, job)
				until(12*time.Hour + 10*time.Minute + 2*time.Second)
				first.pause("slow")
				until(15*time.Hour + 10*time.Minute + 2*time.Second)
				first.resume("slow")
				until(20*time.Hour + 20*time.Minute)
				first.close()
				until(20*time.Hour + 50*time.Minute)
				second := launchOn(t, store.Again(), nil, unhurried, job)
				until(48*time.Hour + 30*time.Minute)
				if test.over.Policy.Waits() {
					if s, err := second.host.Status(t.Context()); err != nil || len(s) != 1 || s[0].Queued != len(second.queued("slow")) {
						t.Errorf("status %+v, %v; waiting: %+v", s, err, second.queued("slow"))
					}
				}
				second.close()
				golden(t, name, first, second)
			})
		})
	}
}

// queued are the slots of a job that wait.
func (r *rig) queued(job string) (slots []claims.Pending) {
	r.t.Helper()
	all, err := r.store.Pending(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(p claims.Pending) bool { return p.Slot.Job != job || !p.Queued() })
}

// A process that is stopped holds the job's lock. Whatever the policy, nothing starts beside it; what may wait does.
func TestHeldLaneUnderEachPolicy(t *testing.T) {
	for policy, want := range map[claims.OverlapPolicy]string{
		claims.OverlapSkip:    "skippedx4 ok ok",
		claims.OverlapQueue:   "ok ok skippedx2 ok ok",
		claims.OverlapReplace: "skippedx3 ok ok ok",
		claims.OverlapAllow:   "skippedx4 ok ok",
	} {
		t.Run(string(policy), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				store := memstore.New(memstore.Config{})
				stopped := store.Again()
				lanes := claims.Overlap{Policy: policy}.Lanes()
				for lane := range lanes {
					if _, err := stopped.LockJob(t.Context(), "job", lane); err != nil {
						t.Fatal(err)
					}
				}
				r := launchOn(t, store, nil, unhurried, Job{
					Name: "job", Module: Bytes(guest.Exit(0)), Schedule: "0 * * * *", Overlap: claims.Overlap{Policy: policy, QueueLimit: 2},
				})
				until(4*time.Hour + 30*time.Minute)
				if n := len(r.runs("job")); n != 0 {
					t.Errorf("%d runs beside an earlier process", n)
				}
				stopped.Close()
				until(6*time.Hour + 30*time.Minute)
				if got := verdicts(compact(r.slots("job"))); got != want {
					t.Errorf("slots: %s, want %s", got, want)
				}
				r.close()
			})
		})
	}
}

// compact joins neighbours without runs that came to the same verdict, as engines may; rows are newest first.
func compact(rows []claims.SlotRow) (out []claims.SlotRow) {
	for _, r := range rows {
		if n := len(out); n > 0 && out[n-1].Verdict == r.Verdict && out[n-1].Reason == r.Reason && len(r.RunIDs) == 0 {
			out[n-1].Count += r.Count
			continue
		}
		out = append(out, r)
	}
	return out
}

// A storm of slots, faster than a held lane comes free: only the newest waits, and it starts.
func TestReplaceStorm(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := memstore.New(memstore.Config{})
		stopped := store.Again()
		if _, err := stopped.LockJob(t.Context(), "job", 0); err != nil {
			t.Fatal(err)
		}
		r := launchOn(t, store, nil, nil, Job{
			Name: "job", Module: Bytes(guest.Sleep(10 * time.Second)), Schedule: "@every 1s", Overlap: claims.Overlap{Policy: claims.OverlapReplace},
		})
		until(2*time.Minute + 500*time.Millisecond)
		if q := r.queued("job"); len(q) != 1 || q[0].Slot.At.Second() != 0 || q[0].Slot.At.Minute() != 2 {
			t.Errorf("waiting: %+v", q)
		}
		stopped.Close()
		until(2*time.Minute + 59*time.Second + 500*time.Millisecond)
		started := r.told(Started, "job")
		if started < 50 {
			t.Errorf("%d of 59 slots started", started)
		}
		r.close()
		for i, run := range slices.Backward(r.lastRuns) {
			if i > 0 && run.Cause != claims.Replaced {
				t.Errorf("run of %s: %s/%s %s", run.Slot.ID, run.Outcome, run.Cause, run.Reason)
			}
		}
	})
}

// tardy is a ledger that takes its time to commit, and more to tell what is new.
type tardy struct{ claims.Store }

func (s *tardy) Changes(ctx context.Context, owner string, since int64) (claims.Changes, error) {
	c, err := s.Store.Changes(ctx, owner, since)
	time.Sleep(400 * time.Millisecond)
	return c, err
}

func (s *tardy) Finalize(ctx context.Context, now time.Time, items []claims.Final) ([]claims.Finalized, error) {
	time.Sleep(300 * time.Millisecond)
	return s.Store.Finalize(ctx, now, items)
}

// A poll that was under way while a slot which waited was claimed brings it back for a moment: its run goes on.
func TestReplaceSparesItsOwnRun(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		quick := func(c *Config) {
			c.rhythm = usualRhythm()
			c.rhythm.poll = 110 * time.Millisecond
		}
		r := launchOn(t, &tardy{memstore.New(memstore.Config{})}, nil, quick, Job{
			Name: "job", Module: Bytes(guest.Sleep(10 * time.Minute)), Timeout: time.Hour, Schedule: "* * * * *",
			Overlap: claims.Overlap{Policy: claims.OverlapReplace},
		})
		until(20*time.Minute + 30*time.Second)
		r.close()
		for _, run := range r.lastRuns[1:] {
			if took := run.EndedAt.Sub(run.StartedAt); run.Cause != claims.Replaced || took < 55*time.Second {
				t.Errorf("the run of %s took %s: %s/%s", run.Slot.At, took, run.Outcome, run.Cause)
			}
		}
	})
}

// A run that was replaced is not tried again, and neither is an attempt that a newer slot overtook; manual requests are not lost.
func TestReplaceAndRetries(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := memstore.New(memstore.Config{})
		every := claims.RetryPolicy{Retries: 3, Min: time.Minute, Max: time.Minute, On: []string{"failed", "timeout", "trapped", "shutdown", "orphaned"}}
		r := launchOn(t, store, nil, unhurried, Job{
			Name: "job", Module: Bytes(guest.Sleep(90 * time.Minute)), Timeout: 2 * time.Hour, Schedule: "0 * * * *", Retry: every,
			Overlap: claims.Overlap{Policy: claims.OverlapReplace},
		})
		until(2*time.Hour + 30*time.Minute)
		r.request(claims.Request{Kind: claims.Trigger, Job: "job", ID: "x"})
		until(3*time.Hour + 30*time.Minute)
		r.pause("job")
		until(5*time.Hour + 30*time.Minute)
		if got := r.queued("job"); len(got) != 0 {
			t.Errorf("waiting: %+v", got)
		}
		r.close()
		// The manual request waits for the run of 3:00, which the pause lets end, and ends itself with the host.
		if got := outcomes(r.lastRuns); got != "killed/replaced killed/replaced ok killed/shutdown" {
			t.Errorf("runs: %s", got)
		}
	})
}

// One job lock for each lane: what runs is never more than allowed, also beside processes that are stopped, and after the policy has
// become a narrower one.
func TestLanesAreLocked(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := memstore.New(memstore.Config{})
		job := Job{
			Name: "job", Module: Bytes(guest.Sleep(90 * time.Second)), Timeout: time.Hour, Schedule: "* * * * *",
			Overlap: claims.Overlap{Policy: claims.OverlapAllow, MaxConcurrent: 3},
		}
		r := launchOn(t, store, nil, nil, job)
		until(90 * time.Second)
		stopped := store.Again()
		unlock, err := stopped.LockJob(t.Context(), "job", 2) // a run that was given up, and whose process is stopped
		if err != nil {
			t.Fatal(err)
		}
		most := 0
		for range 600 {
			time.Sleep(time.Second)
			open, err := r.store.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			most = max(most, len(open))
		}
		if most != 2 {
			t.Errorf("%d runs at most beside one that is stopped, and three are allowed", most)
		}
		job.Overlap = claims.Overlap{}
		r.jobs.Put(job)
		time.Sleep(3 * time.Minute)
		before := r.told(Started, "job")
		time.Sleep(5 * time.Minute)
		if n := r.told(Started, "job") - before; n != 0 {
			t.Errorf("%d runs beside a stopped one, and one is allowed by now", n)
		}
		unlock()
		time.Sleep(5 * time.Minute)
		if n := r.told(Started, "job") - before; n < 2 {
			t.Errorf("%d runs after it has gone", n)
		}
		r.close()
	})
}

// Of two runs that change one key, one commits; the other one's next attempt sees what that wrote.
func TestStateConflict(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := memstore.New(memstore.Config{})
		r := launchOn(t, store, nil, nil, Job{
			Name: "job", Module: Bytes(guest.Counter(90 * time.Second)), Timeout: time.Hour, Schedule: "* * * * *", Repeat: 4,
			Overlap: claims.Overlap{Policy: claims.OverlapAllow, MaxConcurrent: 2},
			Retry:   claims.RetryPolicy{Retries: 5, Min: time.Second, Max: time.Second, On: []string{"failed"}},
		})
		until(30 * time.Minute)
		if j, err := store.Job(t.Context(), "job"); err != nil || !j.Done || j.Repeats != 4 {
			t.Errorf("job: %+v, %v", j, err)
		}
		conflicts, ok := 0, 0
		for _, run := range r.runs("job") {
			switch {
			case run.Outcome == claims.OK:
				ok++
			case run.Cause == claims.StateConflict && strings.Contains(run.Reason, "state"):
				conflicts++
			default:
				t.Errorf("run of %s: %s/%s %s", run.Slot.ID, run.Outcome, run.Cause, run.Reason)
			}
		}
		all, _, err := store.State(t.Context(), "job")
		if err != nil {
			t.Fatal(err)
		}
		values := map[string][]byte{}
		for _, e := range all {
			values[e.Key] = e.Value
		}
		if _, n, err := guest.ReadCount(values["by"], values["n"]); err != nil || n != ok || conflicts == 0 {
			t.Errorf("counted to %d in %d runs that were ok, with %d conflicts; %v: %v", n, ok, conflicts, err, fmt.Sprint(all))
		}
		r.close()
		told := 0
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, e := range r.events {
			if e.Kind == EndedRun && e.Cause == claims.StateConflict && e.Outcome == claims.Failed {
				told++
			}
		}
		if told != conflicts {
			t.Errorf("%d conflicts were told of %d", told, conflicts)
		}
	})
}

// A run that only read what another one has changed meanwhile does not commit either.
func TestStateConflictOfWhatWasRead(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := memstore.New(memstore.Config{})
		job := Job{
			Name: "job", Module: Bytes(guest.State(guest.ThenReturn, stateGet("x"), stateSet("y", "1"))), Schedule: "* * * * *",
			Overlap: claims.Overlap{Policy: claims.OverlapAllow},
		}
		r := launchOn(t, &between{store, func() {
			now := time.Now().UTC()
			row, err := store.Job(t.Context(), "job")
			if err != nil {
				t.Error(err)
			}
			if err := store.Request(t.Context(), now, claims.Request{Kind: claims.Trigger, Job: "job", ID: "x"}); err != nil {
				t.Error(err)
			}
			got, err := store.Claim(t.Context(), now, "another", []claims.Claim{{
				Slot: claims.ManualSlot("job", now, "x"), Attempt: 1, RunID: "01900000-0000-7000-8000-000000000003", Lanes: 2,
			}})
			if err != nil || got[0].Status != claims.Won {
				t.Errorf("%+v %v: %+v", got, err, row)
			}
			_, err = store.Finalize(t.Context(), now, []claims.Final{{
				Token: got[0].Token, Outcome: claims.OK, EndedAt: now, State: []claims.StateWrite{{Key: "x", Value: []byte("2")}},
			}})
			if err != nil {
				t.Error(err)
			}
		}}, nil, nil, job)
		until(90 * time.Second)
		runs := r.runs("job")
		if got := outcomes(runs); got != "ok failed/state_conflict" && got != "failed/state_conflict ok" {
			t.Errorf("runs: %s", got)
		}
		if got := r.state("job"); got != "x=2" {
			t.Errorf("state: %s", got)
		}
		r.close()
	})
}

// between does something right before the first commit.
type between struct {
	claims.Store
	do func()
}

func (s *between) Finalize(ctx context.Context, now time.Time, items []claims.Final) ([]claims.Finalized, error) {
	if do := s.do; do != nil {
		s.do = nil
		do()
	}
	return s.Store.Finalize(ctx, now, items)
}

// Two hosts on one ledger: the slot that replaces is due at both, the run is one's, and whoever is quicker asks for its end.
func TestTwoHostsReplace(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := memstore.New(memstore.Config{})
		job := Job{
			Name: "job", Module: Bytes(guest.Sleep(90 * time.Second)), Timeout: time.Hour, Schedule: "* * * * *",
			Overlap: claims.Overlap{Policy: claims.OverlapReplace},
		}
		one, two := launchOn(t, store, nil, nil, job), launchOn(t, store.Again(), nil, nil, job)
		until(30*time.Minute + 30*time.Second)
		two.close()
		one.close()
		causes := map[claims.Cause]int{}
		for _, run := range one.lastRuns {
			causes[run.Cause]++
			if late := run.StartedAt.Sub(run.Slot.At); late > 2*time.Second {
				t.Errorf("the slot of %s started %s late", run.Slot.At, late)
			}
		}
		if causes[claims.Replaced] < 28 {
			t.Errorf("causes: %v", causes)
		}
	})
}

// The host whose run is to be replaced dies, and then the one whose slot waits: the slot is not lost.
func TestReplaceSurvivesBothHosts(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := memstore.New(memstore.Config{})
		dead := store.Again()
		now := time.Now().UTC()
		if _, err := dead.Join(t.Context(), now, claims.Owner{ID: "dead", Started: now, Seen: now}); err != nil {
			t.Fatal(err)
		}
		rows, err := dead.Put(t.Context(), now, "default", []claims.Put{{Name: "job", Schedule: "* * * * *", Timezone: "UTC", First: now.Add(time.Minute)}})
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []claims.ClaimStatus{claims.Won, claims.Queued} {
			at := rows[0].Next
			got, err := dead.Claim(t.Context(), at, "dead", []claims.Claim{{
				Slot: claims.ScheduledSlot("job", at), Attempt: 1, RunID: fmt.Sprintf("01900000-0000-7000-8000-00000000000%d", i), Deadline: at.Add(time.Hour),
				From: at, Next: at.Add(time.Minute), Overlap: claims.OverlapReplace, IfReplaced: "x",
			}})
			if err != nil || got[0].Status != want {
				t.Fatalf("%+v %v", got, err)
			}
			rows[0] = got[0].Job
		}
		if err := dead.Close(); err != nil && !errors.Is(err, claims.ErrClosed) {
			t.Fatal(err)
		}
		until(2*time.Minute + 10*time.Second)
		r := launchOn(t, store, nil, nil, Job{
			Name: "job", Module: Bytes(guest.Exit(0)), Schedule: "* * * * *", Overlap: claims.Overlap{Policy: claims.OverlapReplace},
		})
		until(2*time.Minute + 50*time.Second)
		if got := verdicts(r.slots("job")); got != "orphaned ok" {
			t.Errorf("slots: %s", got)
		}
		r.close()
	})
}
