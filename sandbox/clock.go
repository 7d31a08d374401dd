package sandbox

import (
	"context"
	"time"
)

// Clock is the time that guests see. A field that is nil stands for the real thing. All functions must allow
// concurrent use, and none but Sleep may wait.
type Clock struct {
	// Now is the wall clock.
	Now func() time.Time
	// Monotonic is the time since some fixed moment, and never goes back.
	Monotonic func() time.Duration
	// Sleep returns after that time, or when the context is done, whichever is first.
	Sleep func(ctx context.Context, d time.Duration)
}

func (c Clock) withDefaults() Clock {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Monotonic == nil {
		origin := time.Now()
		c.Monotonic = func() time.Duration { return time.Since(origin) }
	}
	if c.Sleep == nil {
		c.Sleep = sleep
	}
	return c
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
