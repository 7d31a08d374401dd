package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/host"
)

// live prints the events of the demo as they come. Its methods are called from one goroutine at a time.
type live struct {
	app   *app
	began time.Time
}

// demoEvent is an event as JSON.
type demoEvent struct {
	At         time.Time `json:"at"`
	ElapsedMS  int64     `json:"elapsed_ms"`
	Event      string    `json:"event"`
	Job        *string   `json:"job"`
	RunID      *string   `json:"run_id"`
	Slot       *string   `json:"slot"`
	Attempt    *int      `json:"attempt"`
	LatenessMS *int64    `json:"lateness_ms"`
	DurationMS *int64    `json:"duration_ms"`
	Outcome    *string   `json:"outcome"`
	Cause      *string   `json:"cause"`
	Reason     *string   `json:"reason"`
}

func (l *live) title(dir string, length time.Duration) {
	if l.app.json {
		return
	}
	fmt.Fprintf(l.app.stdout, "three jobs in %s, and %s to watch them:\n"+
		"  greeter  each second                    says hello\n"+
		"  wedged   now, and then every 5 seconds  loops for ever; its deadline is 3s\n"+
		"  flaky    now, and then every 6 seconds  fails twice, and has two retries\n\n", dir, length)
}

// show prints an event.
func (l *live) show(e host.Event) {
	if l.app.json {
		l.emit(e)
		return
	}
	var word, sgr, detail string
	switch e.Kind {
	case host.Started:
		word, detail = "started", fmt.Sprintf("%s after it was due", span(e.Lateness))
		sgr = faint
		if e.Attempt > 1 {
			detail = fmt.Sprintf("attempt %d", e.Attempt)
		}
	case host.EndedRun:
		word, sgr, detail = string(e.Outcome), outcomeColour(string(e.Outcome)), ending(e)
	case host.SlotSkipped, host.SlotMissed:
		word, sgr, detail = string(e.Kind), yellow, fmt.Sprintf("%s: %s", plural(e.Count, "slot"), e.Reason)
	case host.HostDraining:
		word, detail = "draining", "no new runs; those in flight may end"
	case host.TickFailed:
		word, sgr, detail = "error", red, fmt.Sprint(e.Err)
	default:
		return
	}
	fmt.Fprintf(l.app.stdout, "%6.2fs  %-8s %s %s\n", e.Time.Sub(l.began).Seconds(), e.Job, l.app.paint(sgr, fmt.Sprintf("%-8s", word)), printable(detail))
}

// ending says how a run ended.
func ending(e host.Event) string {
	s := "after " + span(e.Duration)
	switch {
	case e.Reason != "":
		s += ": " + e.Reason
	case len(e.Output) > 0:
		first, _, _ := strings.Cut(strings.TrimSpace(string(e.Output)), "\n")
		s += ": " + first
	}
	if e.Outcome == claims.Failed && e.ExitCode != nil && e.Reason == "" {
		s += fmt.Sprintf(" (exit code %d)", *e.ExitCode)
	}
	if !e.Retry.IsZero() {
		s += fmt.Sprintf("; next attempt in %s", span(e.Retry.Sub(e.Time)))
	}
	return s
}

func (l *live) emit(e host.Event) {
	t := demoEvent{At: e.Time, ElapsedMS: milliseconds(e.Time.Sub(l.began)), Event: string(e.Kind), Job: some(e.Job), RunID: some(e.RunID), Slot: some(e.Slot.ID),
		Outcome: some(string(e.Outcome)), Cause: some(string(e.Cause)), Reason: some(e.Reason)}
	if e.Attempt > 0 {
		t.Attempt = &e.Attempt
	}
	switch e.Kind {
	case host.Started:
		t.LatenessMS = new(milliseconds(e.Lateness))
	case host.EndedRun:
		t.DurationMS = new(milliseconds(e.Duration))
	}
	if err := l.app.emit(t); err != nil {
		fmt.Fprintf(l.app.stderr, "wcron: %v\n", err)
	}
}

// some is a pointer to a text that is there.
func some(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
