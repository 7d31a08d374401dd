package host

import (
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/internal/guest"
)

// Attempts wait twice as long each time, up to the longest wait; one that would be due at or after the next slot gives way to it.
func TestTraceRetries(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		policy := func(n int, on ...string) claims.RetryPolicy {
			return claims.RetryPolicy{Retries: n, Min: time.Minute, Max: 5 * time.Minute, On: on}
		}
		usual := []string{"failed", "timeout", "trapped", "shutdown"}
		jobs := []Job{
			{Name: "backoff", Module: Bytes(guest.Exit(1)), Schedule: "0 */3 * * *", Retry: policy(5, usual...)},
			{Name: "gives-way", Module: Bytes(guest.Exit(1)), Schedule: "0,6 */3 * * *", Retry: policy(4, usual...)},
			{Name: "none-asked", Module: Bytes(guest.Exit(1)), Schedule: "0 */3 * * *"},
			{Name: "third-time", Module: Bytes(guest.FailUntil(3)), Schedule: "0 */3 * * *", Retry: policy(5, usual...)},
			{Name: "times-out", Module: Bytes(guest.Sleep(time.Hour)), Schedule: "0 */3 * * *", Timeout: 10 * time.Second, Retry: policy(1, usual...)},
			{Name: "traps", Module: Bytes(guest.Trap()), Schedule: "0 */3 * * *", Retry: policy(1, usual...)},
			{Name: "traps-only", Module: Bytes(guest.Trap()), Schedule: "0 */3 * * *", Retry: policy(1, "failed")},
		}
		r := launchEven(t, privateDir(t), nil, jobs...)
		time.Sleep(4 * time.Hour)
		r.close()
		golden(t, "retries", r)
	})
}

// Exit code 75 asks for an attempt whatever retry_on says, never beyond retries; 78 disables until the job is another one.
func TestTraceExitCodes(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		never := claims.RetryPolicy{Retries: 2, Min: time.Minute, Max: time.Minute}
		again := Job{Name: "again", Module: Bytes(guest.Exit(75)), Schedule: "0 */6 * * *", Retry: never}
		not := Job{Name: "not-asked", Module: Bytes(guest.Exit(75)), Schedule: "0 */6 * * *"}
		off := Job{Name: "off", Module: Bytes(guest.Exit(78)), Schedule: "0 */6 * * *", Retry: never}
		r := launchEven(t, privateDir(t), nil, again, not, off)
		time.Sleep(13 * time.Hour)
		off.Args = []string{"--mended"}
		r.jobs.Put(off)
		time.Sleep(6 * time.Hour)
		r.close()
		golden(t, "exit-codes", r)
	})
}

// Failures in a row pause a job, with the way on in the reason; a success, or resuming it, begins anew.
func TestTracePauseAfter(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		dir := privateDir(t)
		bad := Job{
			Name: "bad", Module: Bytes(guest.Exit(3)), Schedule: "0 */2 * * *", PauseAfter: 3,
			Retry: claims.RetryPolicy{Retries: 1, Min: time.Minute, Max: time.Minute, On: []string{"failed"}},
		}
		good := Job{Name: "good", Module: Bytes(guest.Exit(0)), Schedule: "0 */4 * * *", PauseAfter: 1}
		first := launchEven(t, dir, nil, bad, good)
		time.Sleep(5 * time.Hour)
		first.close() // the failures are counted across a restart
		second := launchEven(t, dir, nil, bad, good)
		time.Sleep(6 * time.Hour)
		list, err := second.host.Status(t.Context())
		if err != nil || list[0].State != Paused || !strings.Contains(list[0].Reason, "wcron resume bad") || list[0].Row.Failures != 3 {
			t.Errorf("paused: %+v %v", list[0], err)
		}
		second.request(claims.Request{Kind: claims.Resume, Job: "bad"})
		second.host.Poll()
		time.Sleep(8 * time.Hour)
		second.close()
		golden(t, "pause-after", first, second)
	})
}

// What counts toward repeat: slots of the schedule whose guest started, once each. Not its further attempts, not what somebody
// asked for, not what never started.
func TestTraceRepeat(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		twice := Job{Name: "twice", Module: Bytes(guest.FailUntil(2)), Schedule: "0 */4 * * *", Repeat: 2,
			Retry: claims.RetryPolicy{Retries: 1, Min: time.Minute, Max: time.Minute, On: []string{"failed"}}}
		cancelled := Job{Name: "cancelled", Module: Bytes(guest.Sleep(30 * time.Second)), Schedule: "0 */4 * * *", Repeat: 2}
		lost := Job{Name: "lost", Module: Module{Digest: strings.Repeat("0", 64), Load: func() ([]byte, error) { return nil, errNoCode }}, Schedule: "0 */4 * * *", Repeat: 1}
		r := launchEven(t, privateDir(t), nil, twice, cancelled, lost)
		time.Sleep(time.Hour)
		r.request(claims.Request{Kind: claims.Trigger, Job: "twice", ID: "00000001"})
		r.host.Poll()
		time.Sleep(3*time.Hour + 10*time.Second)
		for _, o := range r.open() {
			if _, err := r.host.Cancel(t.Context(), o.RunID); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(20 * time.Hour)
		r.close()
		golden(t, "repeat", r)
	})
}

// A manual run has a slot of its own: it moves nothing, waits while its job is busy or the host is full, and runs although the job is paused.
func TestTraceManual(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		slow := Job{Name: "slow", Module: Bytes(guest.Sleep(40 * time.Minute)), Schedule: "0 */6 * * *", Timeout: time.Hour}
		still := Job{Name: "still", Module: Bytes(guest.Exit(0)), Schedule: "0 */6 * * *"}
		r := launchEven(t, privateDir(t), func(c *Config) { c.MaxRuns = 1 }, slow, still)
		time.Sleep(time.Hour)
		r.request(claims.Request{Kind: claims.Pause, Job: "still", Reason: "holidays"})
		r.host.Poll()
		time.Sleep(5*time.Hour + 10*time.Minute)
		r.request(claims.Request{Kind: claims.Trigger, Job: "slow", ID: "00000001", By: "ann"})
		r.host.Poll()
		time.Sleep(time.Minute)
		r.request(claims.Request{Kind: claims.Trigger, Job: "slow", ID: "00000002", By: "ann"})
		r.request(claims.Request{Kind: claims.Trigger, Job: "still", ID: "00000003", By: "ann"})
		r.host.Poll()
		time.Sleep(6 * time.Hour)
		r.close()
		golden(t, "manual", r)
	})
}
