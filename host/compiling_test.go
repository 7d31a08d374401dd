package host

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/capability"
	"github.com/wcron/wcron/internal/guest"
)

// emitter is one version of a job that tries to start another one.
func emitter(version string, slow time.Duration, grants ...string) Job {
	m := Bytes(guest.WithManifest(guest.Calling(guest.ThenReturn, guest.Call{Function: "wcron_emit", Request: `{"job":"other"}`}), version))
	load := m.Load
	m.Load = func() ([]byte, error) { time.Sleep(slow); return load() }
	return Job{
		Name: "a", Module: m, Schedule: "@every 10s", Timeout: time.Minute, Input: []byte(fmt.Sprintf("%q", version)), Grants: capability.Grants{Emit: grants},
	}
}

// While a new version is compiled, the one before goes on with what it was granted, and not with what the new one is.
func TestOldModuleKeepsItsOwnGrants(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		old, fresh := emitter("old", 0), emitter("new", time.Minute, "other")
		r := launch(t, privateDir(t), nil, old, Job{Name: "other", Module: Bytes(guest.Exit(0))})
		time.Sleep(5 * time.Second)
		r.jobs.Put(fresh)
		time.Sleep(50 * time.Second)
		olds := 0
		for _, run := range r.runs("a") {
			if run.Digest != old.Module.Digest || !strings.Contains(r.output(run), "not_granted") {
				t.Errorf("version %.8s at %s: %s", run.Digest, run.Slot.At, r.output(run))
			}
			olds++
		}
		time.Sleep(time.Minute)
		for _, run := range r.runs("a")[:3] { // newest first
			if run.Digest != fresh.Module.Digest || strings.Contains(r.output(run), "not_granted") {
				t.Errorf("version %.8s at %s: %s", run.Digest, run.Slot.At, r.output(run))
			}
		}
		if olds < 4 || len(r.runs("other")) < 3 {
			t.Errorf("%d runs of the old version, %d of what the new one starts", olds, len(r.runs("other")))
		}
		r.close()
	})
}

// A version that was taken back does not run again in the time in which the next one is compiled.
func TestDeniedModuleDoesNotComeBack(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		old, fresh := emitter("old", 0), emitter("new", time.Minute, "other")
		r := launch(t, privateDir(t), nil, old, Job{Name: "other", Module: Bytes(guest.Exit(0))})
		time.Sleep(15 * time.Second)
		for _, module := range []Module{old.Module, fresh.Module} {
			denied := old
			denied.Module, denied.Broken = module, "it was denied"
			r.jobs.Put(denied)
			time.Sleep(time.Second)
		}
		before := len(r.runs("a"))
		r.jobs.Put(fresh)
		time.Sleep(50 * time.Second)
		if status, err := r.host.Status(t.Context()); err != nil || status[0].State != Compiling {
			t.Errorf("%+v, %v", status, err)
		}
		if runs := r.runs("a"); before == 0 || len(runs) != before {
			t.Errorf("%d runs before it was denied, and %d now", before, len(runs))
		}
		time.Sleep(time.Minute)
		if runs := r.runs("a"); len(runs) <= before || runs[0].Digest != fresh.Module.Digest {
			t.Errorf("the next version does not run: %+v", runs)
		}
		r.jobs.Put(old) // and it is compiled anew when it is let again
		time.Sleep(30 * time.Second)
		if runs := r.runs("a"); runs[0].Digest != old.Module.Digest {
			t.Errorf("the old version does not run: %+v", runs[0])
		}
		r.close()
	})
}
