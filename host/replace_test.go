package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/claims/memstore"
	"github.com/wcron/wcron/internal/guest"
)

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

// A slot ends the runs of older slots and those that no schedule asked for, and none but these: the clock may have been set back.
func TestReplaceEndsOlderRuns(t *testing.T) {
	at := time.Date(2000, 1, 1, 12, 0, 0, 0, time.UTC)
	j := &job{running: map[string]*run{}}
	var ended []string
	for id, slot := range map[string]claims.Slot{
		"older":   claims.ScheduledSlot("job", at.Add(-time.Minute)),
		"its own": claims.ScheduledSlot("job", at),
		"newer":   claims.ScheduledSlot("job", at.Add(time.Minute)),
		"manual":  {Job: "job", Kind: claims.Manual, ID: "job#x", At: at.Add(time.Minute)},
	} {
		j.running[id] = &run{slot: slot, kill: func(why error) {
			if !errors.Is(why, errReplaced) {
				t.Errorf("run %s: %v", id, why)
			}
			ended = append(ended, id)
		}}
	}
	new(loop).replace(j, claims.ScheduledSlot("job", at))
	if slices.Sort(ended); !slices.Equal(ended, []string{"manual", "older"}) {
		t.Errorf("ended: %v", ended)
	}
}

// A poll that was under way while a slot which waited was claimed does not bring it back: its run goes on.
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
