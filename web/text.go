package web

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wcron/wcron/admin"
)

// maxText is how much of one text a page shows, in bytes.
const maxText = 4 << 10

// clip bounds a text.
func clip(s string) string { return clipTo(s, maxText) }

func clipTo(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most] + "…"
}

// text is *p, bounded, or nothing.
func text(p *string) string {
	if p == nil {
		return ""
	}
	return clip(*p)
}

// short is as much of a run id or a digest as tells it from others.
func short(id string) string { return id[:min(len(id), 18)] }

// moment is a time for people.
type moment struct {
	ISO  string // for programs
	Full string // in the zone of the host file
	Rel  string // how far from now
}

// clock makes moments.
type clock struct {
	now  time.Time
	zone *time.Location
}

func (c clock) at(t time.Time) *moment {
	return &moment{t.UTC().Format(time.RFC3339Nano), t.In(c.zone).Format("2006-01-02 15:04:05 MST"), relative(t, c.now)}
}

// of is nil for no time.
func (c clock) of(t *time.Time) *moment {
	if t == nil {
		return nil
	}
	return c.at(*t)
}

// since is how long ago a time was; nothing for one that is still to come.
func (c clock) since(t time.Time) string { return span(max(c.now.Sub(t), 0)) }

// relative says how far t is from now: "in 1m30s", "3h10m ago".
func relative(t, now time.Time) string {
	d := t.Sub(now)
	switch {
	case d.Abs() < time.Second:
		return "now"
	case d < 0:
		return span(-d) + " ago"
	}
	return "in " + span(d)
}

// span is a duration in one unit, or two where one alone would be rough.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	two := func(big time.Duration, b string, small time.Duration, s string) string {
		if rest := d % big / small; rest > 0 {
			return fmt.Sprintf("%d%s%d%s", d/big, b, rest, s)
		}
		return fmt.Sprintf("%d%s", d/big, b)
	}
	switch {
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < 10*time.Second && d%time.Second != 0:
		return fmt.Sprintf("%.1fs", d.Truncate(100*time.Millisecond).Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return two(time.Minute, "m", time.Second, "s")
	case d < day:
		return two(time.Hour, "h", time.Minute, "m")
	}
	return two(day, "d", time.Hour, "h")
}

// took is a number of milliseconds that may not be there.
func took(ms *int64) string {
	if ms == nil {
		return ""
	}
	return span(time.Duration(*ms) * time.Millisecond)
}

func bytesText(n int64) string {
	names := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	f, i := float64(n), 0
	for f >= 1024 && i < len(names)-1 {
		f, i = f/1024, i+1
	}
	if i == 0 || f >= 100 {
		return fmt.Sprintf("%.0f %s", f, names[i])
	}
	return fmt.Sprintf("%.1f %s", f, names[i])
}

// digits is a count with its thousands apart.
func digits(n *int64) string {
	if n == nil {
		return ""
	}
	s := strconv.FormatInt(*n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func plural(n int64, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// outcome is a word with the class of its colour.
type outcome struct{ Word, Class string }

// classed gives an outcome, a verdict or a state its class.
func classed(word, shown string) outcome {
	class := "plain"
	switch word {
	case "ok", "running", "active", "granted":
		class = "good"
	case "failed", "timeout", "trapped", "orphaned", "broken", "disabled":
		class = "bad"
	case "killed", "missed", "skipped", "discarded", "paused", "compiling", "pending", "denied":
		class = "warn"
	}
	return outcome{clip(shown), class}
}

// outcomeOf is the outcome of a run with what tells it from others of its name.
func outcomeOf(r admin.Run) outcome {
	shown := r.Outcome
	switch cause := text(r.Cause); {
	case r.ExitCode != nil && r.Outcome == "failed":
		shown = fmt.Sprintf("failed (exit %d)", *r.ExitCode)
	case cause != "" && cause != "deadline" && cause != "trap": // those two say no more than the outcome
		shown = r.Outcome + " (" + strings.ReplaceAll(cause, "_", " ") + ")"
	}
	return classed(r.Outcome, shown)
}
