package host

import (
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/internal/guest"
)

// away lets a host with these jobs run from midnight until half past one, be away for so long, and run again for the rest.
func away(t *testing.T, name string, stop, rest time.Duration, jobs ...Job) []*rig {
	t.Helper()
	dir := privateDir(t)
	first := launchEven(t, dir, nil, jobs...)
	time.Sleep(90 * time.Minute)
	first.close()
	time.Sleep(stop)
	second := launchEven(t, dir, nil, jobs...)
	time.Sleep(rest)
	second.close()
	golden(t, name, first, second)
	return []*rig{first, second}
}

func hourly(name string, wasm []byte) Job {
	return Job{Name: name, Module: Bytes(wasm), Schedule: "0 * * * *"}
}

// One run stands for all that was missed: also for those in a window, if there is one.
func TestTraceMissedOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		windowed := hourly("windowed", guest.Exit(0))
		windowed.MissedWindow = 5 * time.Hour
		away(t, "missed-once", 24*time.Hour, time.Hour, hourly("hourly", guest.Exit(0)), windowed)
	})
}

// What is late is missed: beyond the grace, which is half the period if the job does not say it.
func TestTraceMissedSkip(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		job := hourly("hourly", guest.Exit(0))
		job.Missed = claims.MissedSkip
		short := hourly("short", guest.Exit(0))
		short.Missed, short.Grace = claims.MissedSkip, time.Minute
		daily := Job{Name: "daily", Module: Bytes(guest.Exit(0)), Schedule: "0 1 * * *", Missed: claims.MissedSkip}
		// The host is back at 01:29: 29 minutes are within half an hour and within two hours.
		away(t, "missed-skip", 24*time.Hour-time.Minute, time.Hour, job, short, daily)
	})
}

// Each has its run, oldest first: the next one waits for the one before it, on time or not, and what becomes due meanwhile goes by overlap.
func TestTraceMissedAll(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		all := hourly("all", guest.Sleep(26*time.Minute))
		all.Missed, all.Timeout = claims.MissedAll, time.Hour
		few := hourly("few", guest.Sleep(time.Minute))
		few.Missed, few.MissedLimit, few.Timeout = claims.MissedAll, 3, time.Hour
		fresh := hourly("fresh", guest.Exit(0))
		fresh.Missed, fresh.MissedWindow = claims.MissedAll, 150*time.Minute
		rigs := away(t, "missed-all", 6*time.Hour, 4*time.Hour, all, few, fresh)
		for _, run := range rigs[1].lastRuns {
			if run.StandsFor != 0 {
				t.Errorf("run of %s stands for others: %d", run.Slot.ID, run.StandsFor)
			}
		}
	})
}

// A slot that waits for longer than its starting deadline is missed, whether no host ran or no run slot was free.
func TestTraceStartingDeadline(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		dir := privateDir(t)
		one := func(c *Config) { c.MaxRuns = 1 }
		hog := Job{Name: "hog", Module: Bytes(guest.Sleep(20 * time.Minute)), Schedule: "0 */6 * * *", Timeout: time.Hour}
		strict := Job{Name: "strict", Module: Bytes(guest.Exit(0)), Schedule: "*/15 * * * *", StartingDeadline: 4 * time.Minute}
		first := launchEven(t, dir, one, hog, strict)
		time.Sleep(6*time.Hour + 32*time.Minute)
		first.close()
		time.Sleep(24*time.Hour + 10*time.Minute)
		second := launchEven(t, dir, one, hog, strict)
		time.Sleep(25 * time.Minute)
		second.close()
		// The quarters of an hour before the hog's first run tell nothing.
		first.drop(func(e Event) bool { return e.Job == "strict" && e.Time.Before(vtime(5, 59)) })
		golden(t, "starting-deadline", first, second)
	})
}

// A delay is that of a slot: the same on every host, and never beyond the next slot.
func TestTraceJitter(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a, b := hourly("a", guest.Exit(0)), hourly("b", guest.Exit(0))
		a.Jitter, b.Jitter = 10*time.Minute, 10*time.Minute
		wide := Job{Name: "wide", Module: Bytes(guest.Exit(0)), Schedule: "*/30 * * * *", Jitter: 24 * time.Hour}
		rigs := away(t, "jitter", 90*time.Minute, 3*time.Hour, a, b, wide)
		for _, r := range rigs {
			for _, run := range r.lastRuns {
				if late := run.StartedAt.Sub(run.Slot.At); late < 0 || run.Job == "wide" && late >= 30*time.Minute && !run.Slot.At.Before(vtime(3, 0)) {
					t.Errorf("slot %s started after %s", run.Slot.ID, late)
				}
			}
		}
	})
}

// A schedule has no times outside of its bounds, whatever happened there.
func TestTraceBounds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		job := Job{Name: "advent", Module: Bytes(guest.Exit(0)), Schedule: "0 */8 * * *", NotBefore: vtime(36, 0), NotAfter: vtime(64, 0)}
		r := launchEven(t, privateDir(t), nil, job)
		time.Sleep(84 * time.Hour)
		list, err := r.host.Status(t.Context())
		if err != nil || list[0].State != Finished {
			t.Errorf("after its end: %+v %v", list, err)
		}
		job.NotAfter = vtime(120, 0) // a longer advent
		r.jobs.Put(job)
		time.Sleep(40 * time.Hour)
		r.close()
		golden(t, "bounds", r)
	})
}

// A slot that waits in a queue is missed when it has waited for too long.
func TestTraceDeadlineInAQueue(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		job := Job{
			Name: "line", Module: Bytes(guest.Sleep(9 * time.Minute)), Schedule: "0,4,8,12 * * * *", Timeout: time.Hour, StartingDeadline: 10 * time.Minute,
			Overlap: claims.Overlap{Policy: claims.OverlapQueue, QueueLimit: 5},
		}
		r := launchEven(t, privateDir(t), nil, job)
		time.Sleep(2*time.Hour - time.Minute)
		r.close()
		golden(t, "deadline-in-a-queue", r)
	})
}

// What is made up for has no use for a queue and replaces nothing; where several runs are allowed, it takes as many.
func TestTraceMissedAllAndOverlap(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var jobs []Job
		for name, over := range map[string]claims.Overlap{
			"two": {Policy: claims.OverlapAllow, MaxConcurrent: 2}, "queue": {Policy: claims.OverlapQueue, QueueLimit: 1}, "replace": {Policy: claims.OverlapReplace},
		} {
			job := hourly(name, guest.Sleep(26*time.Minute))
			job.Missed, job.Timeout, job.Overlap = claims.MissedAll, time.Hour, over
			jobs = append(jobs, job)
		}
		away(t, "missed-all-and-overlap", 4*time.Hour, 2*time.Hour+45*time.Minute, jobs...)
	})
}
