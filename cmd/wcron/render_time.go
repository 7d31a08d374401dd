package main

import (
	"fmt"
	"time"
)

// relative says how far t is from now, in whole minutes from two on: "in 1m30s", "3h10m ago". What is more than two weeks away is a
// date in now's zone.
func relative(t, now time.Time) string {
	d := t.Sub(now)
	switch {
	case d.Abs() >= 14*24*time.Hour:
		return t.In(now.Location()).Format("2006-01-02")
	case d.Abs() < time.Second:
		return "now"
	case d.Abs() >= 2*time.Minute:
		d = d.Truncate(time.Minute)
	}
	if d < 0 {
		return span(-d) + " ago"
	}
	return "in " + span(d)
}

// span is a duration in one unit, or two where one alone would be rough: "12ms", "3.2s", "45s", "5m", "3h10m", "2d4h".
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < 10*time.Second && d%time.Second != 0:
		return fmt.Sprintf("%.1fs", d.Truncate(100*time.Millisecond).Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < 10*time.Minute:
		return two(d, time.Minute, "m", time.Second, "s")
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < day:
		return two(d, time.Hour, "h", time.Minute, "m")
	}
	return two(d, day, "d", time.Hour, "h")
}

func two(d, big time.Duration, b string, small time.Duration, s string) string {
	if rest := d % big / small; rest > 0 {
		return fmt.Sprintf("%d%s%d%s", d/big, b, rest, s)
	}
	return fmt.Sprintf("%d%s", d/big, b)
}

// took is the span of a number of milliseconds that may not be there.
func took(ms *int64) string {
	if ms == nil {
		return ""
	}
	return span(time.Duration(*ms) * time.Millisecond)
}

// stamp is a time in a zone for people.
func stamp(t time.Time, loc *time.Location) string {
	return t.In(loc).Format("2006-01-02 15:04:05 MST")
}
