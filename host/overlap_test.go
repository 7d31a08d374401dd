package host

import (
	"slices"
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
