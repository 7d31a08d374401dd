package host

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/claims/memstore"
	"github.com/wcron/wcron/internal/guest"
)

// compiling is a world that takes its time to compile.
type compiling struct {
	world
	takes time.Duration
}

func (w compiling) compile(ctx context.Context, wasm []byte) (program, error) {
	w.sleep(ctx, w.takes)
	return w.world.compile(ctx, wasm)
}

// registering is a ledger that takes its time to register jobs.
type registering struct {
	claims.Store
	takes time.Duration
}

func (s *registering) Put(ctx context.Context, now time.Time, source string, jobs []claims.Put) ([]claims.Job, error) {
	time.Sleep(s.takes)
	return s.Store.Put(ctx, now, source, jobs)
}

// inEachOrder plays the start of a host on a ledger that prepare has left: its modules are compiled before its jobs are registered, after,
// and at once.
func inEachOrder(t *testing.T, job Job, prepare func(t *testing.T, store *memstore.Store), look func(r *rig)) {
	for name, takes := range map[string]struct{ compile, put time.Duration }{
		"compiled after registration":  {3 * time.Second, 0},
		"compiled before registration": {0, 3 * time.Second},
		"at once":                      {},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				store := memstore.New(memstore.Config{})
				prepare(t, store)
				slow := func(w world) world { return compiling{w, takes.compile} }
				r := launchOn(t, &registering{store.Again(), takes.put}, slow, unhurried, job)
				look(r)
				r.close()
			})
		})
	}
}

// started are the times of the slots whose runs have started, in the order of their starts.
func (r *rig) started(job string) (slots []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.Kind == Started && e.Job == job {
			slots = append(slots, e.Slot.At.UTC().Format("15:04"))
		}
	}
	return slots
}

// Two slots wait since before the stop, and the queue has place for two. The earliest starts first, and leaves its place to the slot that
// is due.
func TestQueueAtAStartFreesAPlaceFirst(t *testing.T) {
	job := Job{
		Name: "job", Module: Bytes(guest.Sleep(20 * time.Minute)), Timeout: 5 * time.Hour, Schedule: "0 * * * *",
		Overlap: claims.Overlap{Policy: claims.OverlapQueue, QueueLimit: 2},
	}
	inEachOrder(t, job, func(t *testing.T, store *memstore.Store) {
		long := job
		long.Module = Bytes(guest.Sleep(4 * time.Hour))
		first := launchOn(t, store, nil, unhurried, long)
		until(3*time.Hour + 30*time.Minute)
		if n := len(first.queued("job")); n != 2 {
			t.Fatalf("%d slots wait", n)
		}
		first.close()
		until(5*time.Hour + 30*time.Minute)
	}, func(r *rig) {
		until(6*time.Hour + 50*time.Minute)
		if got, want := r.started("job"), []string{"02:00", "03:00", "05:00", "06:00"}; !slices.Equal(got, want) {
			r.t.Errorf("started %v, want %v", got, want)
		}
		if n := r.told(SlotSkipped, "job"); n != 0 {
			r.t.Errorf("%d slots skipped", n)
		}
	})
}

// A slot waits since before the stop, and a newer one is due: it takes the place of the one that waits before that starts.
func TestReplaceAtAStartTakesTheNewestAlone(t *testing.T) {
	job := Job{
		Name: "job", Module: Bytes(guest.Sleep(20 * time.Minute)), Timeout: 5 * time.Hour, Schedule: "0 * * * *",
		Overlap: claims.Overlap{Policy: claims.OverlapReplace},
	}
	inEachOrder(t, job, func(t *testing.T, store *memstore.Store) {
		dead := store.Again()
		now := time.Now().UTC()
		at := now.Add(time.Hour)
		if _, err := dead.Join(t.Context(), now, claims.Owner{ID: "dead", Started: now, Seen: now}); err != nil {
			t.Fatal(err)
		}
		if _, err := dead.Put(t.Context(), now, "default", []claims.Put{{Name: "job", Schedule: job.Schedule, Timezone: "UTC", First: at}}); err != nil {
			t.Fatal(err)
		}
		got, err := dead.Claim(t.Context(), at, "dead", []claims.Claim{{ // it has found the job's lock held
			Slot: claims.ScheduledSlot("job", at), Attempt: 1, From: at, Next: at.Add(time.Hour), Overlap: claims.OverlapReplace, IfReplaced: "x",
		}})
		if err != nil || got[0].Status != claims.Queued {
			t.Fatalf("%+v %v", got, err)
		}
		dead.Close()
		until(2*time.Hour + 30*time.Minute)
	}, func(r *rig) {
		until(2*time.Hour + 55*time.Minute)
		if got, want := r.started("job"), []string{"02:00"}; !slices.Equal(got, want) {
			r.t.Errorf("started %v, want %v", got, want)
		}
		if got := verdicts(r.slots("job")); got != "skipped ok" {
			r.t.Errorf("slots: %s", got)
		}
	})
}

// A poll that was under way while a slot that waited was claimed does not bring it back.
func TestLatePollBringsNothingBack(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		rare := func(c *Config) {
			unhurried(c)
			c.rhythm.poll = time.Hour + 100*time.Millisecond // the second one reads the slot of 2:00 that waits, and tells once that has started
		}
		r := launchOn(t, &tardy{memstore.New(memstore.Config{})}, nil, rare, Job{
			Name: "job", Module: Bytes(guest.Sleep(90 * time.Minute)), Timeout: 2 * time.Hour, Schedule: "0 * * * *",
			Overlap: claims.Overlap{Policy: claims.OverlapReplace},
		})
		until(2*time.Hour + 30*time.Minute)
		s, err := r.host.Status(t.Context())
		if err != nil || len(s) != 1 || s[0].Queued != 0 || len(s[0].Running) != 1 {
			t.Errorf("%+v, %v", s, err)
		}
		r.close()
	})
}

// leisurely is a ledger that takes its time to list what is pending.
type leisurely struct{ claims.Store }

func (s *leisurely) Pending(ctx context.Context) ([]claims.Pending, error) {
	list, err := s.Store.Pending(ctx)
	time.Sleep(400 * time.Millisecond)
	return list, err
}

// A poll that was under way while a slot began to wait does not drop it.
func TestLatePollDropsNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := memstore.New(memstore.Config{})
		rare := func(c *Config) {
			unhurried(c)
			c.rhythm.poll = time.Hour - 200*time.Millisecond // the next one begins right before the slot is due
		}
		long := func(name, schedule string, nap time.Duration) Job {
			return Job{
				Name: name, Module: Bytes(guest.Sleep(nap)), Timeout: 9 * time.Hour, Schedule: schedule, Overlap: claims.Overlap{Policy: claims.OverlapQueue},
			}
		}
		r := launchOn(t, &leisurely{store}, nil, rare, long("job", "45 0 * * *; 0 1 * * *", 30*time.Minute), long("other", "@every 25m", 5*time.Hour))
		until(90 * time.Minute)
		if got, want := r.started("job"), []string{"00:45", "01:00"}; !slices.Equal(got, want) {
			t.Errorf("started %v, want %v", got, want)
		}
		r.close()
	})
}
