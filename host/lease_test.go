package host

import (
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/internal/guest"
)

// unlimited leaves a claim without a deadline behind, in the name of an owner with that evidence, who has never joined here.
func unlimited(t *testing.T, s claims.Store, owner string, now time.Time) {
	t.Helper()
	rows, err := s.Put(t.Context(), now, "default", []claims.Put{{Name: "job", Schedule: "@every 10m", Timezone: "UTC", First: now}})
	if err != nil {
		t.Fatal(err)
	}
	answers, err := s.Claim(t.Context(), now, owner, []claims.Claim{{Slot: claims.ScheduledSlot("job", now), Attempt: 1,
		RunID: "01900000-0000-7000-8000-000000000009", From: rows[0].Next, Next: now.Add(10 * time.Minute)}})
	if err != nil || answers[0].Status != claims.Won {
		t.Fatalf("claim: %+v, %v", answers, err)
	}
}

// Of an owner of whom nothing can be proved only the lease tells, and only its own key: the grace for dead owners is long past.
func TestUnknownOwnersUnlimitedRunWaitsForTheLease(t *testing.T) {
	const lease = 5 * time.Minute
	inBubble(t, func(t *testing.T) {
		dir := privateDir(t)
		s := openStore(t, dir)
		begun := time.Now().UTC()
		unlimited(t, s, "of-another-machine", begun) // no lock, no record
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		r := launch(t, dir, func(c *Config) { c.Lease = lease }, Job{Name: "job", Module: Bytes(guest.Greet("x")), Schedule: "@every 10m"})
		time.Sleep(lease - 10*time.Second)
		if n := r.told(Recovered, "job"); n != 0 {
			t.Errorf("recovered within the lease: %s", r.runs("job")[0].Reason)
		}
		r.await("recovery", func() bool { return r.told(Recovered, "job") == 1 })
		if took := time.Since(begun); took > lease+10*time.Second {
			t.Errorf("recovered after %s", took)
		}
		if run := r.runs("job")[0]; run.Outcome != claims.Orphaned || !strings.Contains(run.Reason, "nothing is known") {
			t.Errorf("%+v", run)
		}
		r.close()
	})
}

// An owner that lives keeps its unlimited run however silent it is: that it is silent for longer than the lease is told once.
func TestSilentOwnerIsReportedOnceItsLeaseIsOver(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		dir := privateDir(t)
		s := openStore(t, dir)
		defer s.Close()
		begun := time.Now().UTC()
		owner, err := claims.Self("stopped-one", 1)
		if err != nil {
			t.Fatal(err)
		}
		leave, err := s.Join(t.Context(), begun, owner)
		if err != nil {
			t.Fatal(err)
		}
		unlimited(t, s, owner.ID, begun)
		r := launch(t, dir, func(c *Config) { c.Lease = 20 * time.Second; c.OrphanGrace = time.Second },
			Job{Name: "job", Module: Bytes(guest.Greet("x")), Schedule: "@every 10m"})
		time.Sleep(18 * time.Second)
		if n := r.told(Stalled, "job"); n != 0 {
			t.Error("reported within the lease")
		}
		r.await("the report", func() bool { return r.told(Stalled, "job") == 1 })
		time.Sleep(time.Minute)
		if err := s.Renew(t.Context(), time.Now().UTC(), owner.ID); err != nil { // it goes on
			t.Fatal(err)
		}
		time.Sleep(20 * time.Minute)
		if n, m := r.told(Stalled, "job"), r.told(Recovered, "job"); n != 1 || m != 0 {
			t.Errorf("reported %d times, recovered %d times", n, m)
		}
		if err := leave(t.Context(), time.Now().UTC()); err != nil {
			t.Fatal(err)
		}
		r.await("recovery of what it left", func() bool { return r.told(Recovered, "job") == 1 })
		r.close()
	})
}

// A host renews its own lease as often as its length asks for: a healthy one is never reported by another with the same settings.
func TestShortLeaseIsRenewedInTime(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		dir := privateDir(t)
		short := func(c *Config) { c.Lease = time.Second }
		job := Job{Name: "job", Module: Bytes(guest.Sleep(40 * time.Second)), Schedule: "@every 1m", Timeout: Unlimited}
		one, two := launch(t, dir, short, job), launch(t, dir, short, job)
		time.Sleep(time.Minute)
		one.await("the run", func() bool { return one.told(Started, "job")+two.told(Started, "job") == 1 })
		one.await("its end", func() bool {
			time.Sleep(time.Second)
			return one.told(EndedRun, "job")+two.told(EndedRun, "job") == 1
		})
		if n := one.told(Stalled, "job") + two.told(Stalled, "job"); n != 0 {
			t.Errorf("reported %d times", n)
		}
		one.close()
		two.close()
	})
}

// A job whose state's limit alone changes has the new limit from its next run on.
func TestStateLimitIsFollowed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		job := Job{Name: "a", Schedule: "@every 10s", State: 100, Module: Bytes(guest.State(guest.ThenReturn, stateSet("big", strings.Repeat("x", 200))))}
		r := launch(t, privateDir(t), nil, job)
		r.await("a run", func() bool { return r.told(EndedRun, "a") == 1 })
		if got := r.state("a"); got != "" || !strings.Contains(r.output(r.runs("a")[0]), `"quota"`) {
			t.Errorf("state %q, output %s", got, r.output(r.runs("a")[0]))
		}
		job.State = 1000
		r.jobs.Put(job)
		r.await("another one", func() bool { return r.told(EndedRun, "a") == 2 })
		if got := r.state("a"); got != "big="+strings.Repeat("x", 200) {
			t.Errorf("state %q; %s", got, r.output(r.runs("a")[0]))
		}
		r.close()
	})
}
