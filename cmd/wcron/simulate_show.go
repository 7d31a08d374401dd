package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/wcron/wcron/host"
)

// shower prints what goes on during a simulation.
type shower struct {
	a        *app
	zone     *time.Location
	from, to time.Time
	print    bool    // events
	speed    float64 // 0: as fast as it goes
	begun    time.Time
	turns    int
	said     time.Time // when progress was told last
}

func newShower(a *app, c *simulateCmd, sim host.Simulation, zone *time.Location) *shower {
	if zone == nil {
		zone = time.UTC
	}
	return &shower{a: a, zone: zone, from: sim.From, to: sim.To, print: c.Events || c.Speed > 0, speed: c.Speed, begun: time.Now()}
}

// pace waits in a simulation that is played live, and tells of one that takes long.
func (s *shower) pace(ctx context.Context, to time.Time) error {
	if s.speed > 0 {
		at := s.begun.Add(time.Duration(float64(to.Sub(s.from)) / s.speed))
		select {
		case <-time.After(time.Until(at)):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if s.turns++; s.turns%1024 == 0 && !s.print {
		s.progress(to)
	}
	return nil
}

// progress tells how far it is, from the third second on: on a terminal in one line, elsewhere once.
func (s *shower) progress(at time.Time) {
	now, live := time.Now(), terminal(s.a.stderr)
	if now.Sub(s.begun) < 2*time.Second || (!live && !s.said.IsZero()) || now.Sub(s.said) < 200*time.Millisecond {
		return
	}
	s.said = now
	if !live {
		fmt.Fprintf(s.a.stderr, "wcron: still simulating\n")
		return
	}
	share := float64(at.Sub(s.from)) / float64(s.to.Sub(s.from))
	fmt.Fprintf(s.a.stderr, "\rsimulating: %s, %.0f %% ", at.In(s.zone).Format(time.DateOnly), 100*share)
}

// done ends the line of progress.
func (s *shower) done() {
	if !s.said.IsZero() && terminal(s.a.stderr) {
		fmt.Fprint(s.a.stderr, "\r\x1b[K")
	}
}

// simulatedEvent is an event as JSON shows it.
type simulatedEvent struct {
	Event      string     `json:"event"`
	At         time.Time  `json:"at"`
	Job        string     `json:"job"`
	Scheduled  *time.Time `json:"scheduled_at"`
	Attempt    *int       `json:"attempt"`
	RunID      *string    `json:"run_id"`
	LatenessMS *int64     `json:"lateness_ms"`
	DurationMS *int64     `json:"duration_ms"`
	Outcome    *string    `json:"outcome"`
	RetryAt    *time.Time `json:"retry_at"`
	Slots      *int64     `json:"slots"` // how many were skipped or missed, or how many more a run stands for
	Until      *time.Time `json:"until"`
	Policy     *string    `json:"policy"` // which of the job's policies decided it
	Reason     *string    `json:"reason"`
}

// printedKinds are the events that are printed: those that become of slots, and the comings and goings of hosts.
var printedKinds = map[host.EventKind]bool{
	host.Started: true, host.EndedRun: true, host.SlotSkipped: true, host.SlotMissed: true, host.SlotQueued: true, host.JobDisabled: true, host.JobPaused: true, host.JobBroken: true, host.JobPending: true, host.JobDenied: true,
	host.HostStarted: true, host.HostDraining: true, host.HostStopped: true, host.TickFailed: true,
}

// event prints an event.
func (s *shower) event(e host.Event) error {
	if !printedKinds[e.Kind] {
		return nil
	}
	if s.a.json {
		return s.a.emit(shownEvent(e))
	}
	slot, what := "", ""
	if !e.Slot.At.IsZero() {
		slot = e.Slot.At.In(s.zone).Format("15:04:05")
	}
	colour := outcomeColour(string(e.Kind))
	switch e.Kind {
	case host.Started:
		if e.Attempt > 1 {
			what = fmt.Sprintf("attempt %d", e.Attempt)
		} else if e.Lateness > 0 {
			what = span(e.Lateness) + " late"
		}
		if e.Count > 0 {
			what = strings.TrimPrefix(fmt.Sprintf("%s, stands for %s more", what, plural(e.Count, "slot")), ", ")
		}
	case host.EndedRun:
		colour = outcomeColour(string(e.Outcome))
		what = fmt.Sprintf("%s after %s", e.Outcome, span(e.Duration))
		if !e.Retry.IsZero() {
			what += ", again at " + e.Retry.In(s.zone).Format("15:04:05")
		}
	case host.SlotSkipped, host.SlotMissed:
		what = e.Reason
		if e.Count > 1 {
			what = fmt.Sprintf("%s until %s: %s", plural(e.Count, "slot"), e.Until.In(s.zone).Format("01-02 15:04:05"), e.Reason)
		}
	default:
		what = e.Reason
	}
	line := strings.TrimRight(fmt.Sprintf("%-8s  %-13s  %-20s %s", slot, e.Kind, printable(e.Job), printable(what)), " ")
	_, err := fmt.Fprintf(s.a.stdout, "%s  %s\n", e.Time.In(s.zone).Format("Mon 2006-01-02 15:04:05 MST"), s.a.paint(colour, line))
	return err
}

func shownEvent(e host.Event) simulatedEvent {
	out := simulatedEvent{
		Event: string(e.Kind), At: e.Time.UTC(), Job: e.Job, Scheduled: timeOrNil(e.Slot.At), RunID: textOrNil(e.RunID), Outcome: textOrNil(string(e.Outcome)),
		RetryAt: timeOrNil(e.Retry), Until: timeOrNil(e.Until), Policy: textOrNil(string(e.Policy)), Reason: textOrNil(e.Reason),
	}
	if e.Attempt > 0 {
		out.Attempt = new(e.Attempt)
	}
	switch e.Kind {
	case host.Started:
		out.LatenessMS, out.Slots = new(e.Lateness.Milliseconds()), new(e.Count)
	case host.EndedRun:
		out.DurationMS = new(e.Duration.Milliseconds())
	case host.SlotSkipped, host.SlotMissed:
		out.Slots = new(e.Count)
	}
	return out
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC())
}

func textOrNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// print shows the summary.
func (r simulated) print(a *app, zone *time.Location) error {
	if a.json {
		return a.emit(r)
	}
	if zone == nil {
		zone = time.UTC
	}
	stamp := func(t time.Time) string { return t.In(zone).Format("2006-01-02 15:04:05 MST") }
	fmt.Fprintf(a.stdout, "%s to %s, seed %d\n\n", stamp(r.From), stamp(r.To), r.Seed)
	r.printJobs(a, stamp)
	r.printPassed(a, stamp)
	limit := "no limit"
	if r.MaxRuns > 0 {
		limit = fmt.Sprintf("max_runs = %d", r.MaxRuns)
	}
	if r.MostAt != nil {
		fmt.Fprintf(a.stdout, "\n%s, at most %d at a time (%s), first at %s\n", plural(r.Runs, "run"), r.MostRunning, limit, stamp(*r.MostAt))
	} else {
		fmt.Fprintf(a.stdout, "\nno runs\n")
	}
	if len(r.Herds) > 0 {
		fmt.Fprintf(a.stdout, "\nthe busiest minutes:\n")
		for _, h := range r.Herds {
			when := fmt.Sprintf("at %s", stamp(h.FirstAt))
			if h.Minutes > 1 {
				when = fmt.Sprintf("in %d minutes, first at %s", h.Minutes, stamp(h.FirstAt))
			}
			fmt.Fprintf(a.stdout, "  %s %s: %s\n", plural(int64(h.Starts), "start"), when, listed(h.Jobs, 8))
		}
	}
	if len(r.Clock) > 0 {
		fmt.Fprintf(a.stdout, "\nchanges of the clock:\n")
		r.printClock(a, zone)
	}
	r.verdict(a)
	return nil
}

// printClock lists jobs together to which the same happens.
func (r simulated) printClock(a *app, zone *time.Location) {
	type kind struct {
		at  time.Time
		why string
	}
	jobs := map[kind][]string{}
	for _, m := range r.Clock {
		k := kind{m.At, m.why}
		jobs[k] = append(jobs[k], m.Job)
	}
	for _, m := range r.Clock {
		of := jobs[kind{m.At, m.why}]
		day := m.At.In(zone).Format(time.DateOnly)
		switch {
		case len(of) == 1:
			fmt.Fprintf(a.stdout, "  %s  %s: %s\n", day, m.Job, m.Note)
		case of[0] == m.Job:
			fmt.Fprintf(a.stdout, "  %s  %s; of %s: %s\n", day, listed(of, 8), m.Job, m.Note)
		}
	}
}

func (r simulated) printJobs(a *app, stamp func(time.Time) string) {
	t := table{heads: []string{"JOB", "SCHEDULE", "TAKES", "RUNS", "RETRIES", "FAILED", "TIMEOUT", "KILLED", "SKIPPED", "MISSED", "OVERLAPS", "LONGEST WAIT", "FIRST", "LAST"}}
	number := func(n int64) string {
		if n == 0 {
			return ""
		}
		return fmt.Sprint(n)
	}
	for _, j := range r.Jobs {
		var lost [2]int64
		for _, p := range j.Passed {
			if p.Verdict == "skipped" {
				lost[0] += p.Slots
			} else {
				lost[1] += p.Slots
			}
		}
		wait, first, last := "", "never", ""
		if j.Waited > 0 {
			wait = span(time.Duration(j.LongestMS) * time.Millisecond)
		}
		if j.FirstAt != nil {
			first, last = stamp(*j.FirstAt), stamp(*j.LastAt)
		}
		t.row(j.Job, j.Schedule, fmt.Sprintf("%s (%s)", span(time.Duration(j.DurationMS)*time.Millisecond), j.Source), fmt.Sprint(j.Runs), number(j.Retries),
			number(j.Failed), cell{number(j.Timeouts), red}, number(j.Killed), cell{number(lost[0]), yellow}, cell{number(lost[1]), yellow}, number(j.Overlaps), wait, first, last)
	}
	a.write(t)
}

func (r simulated) printPassed(a *app, stamp func(time.Time) string) {
	t := table{heads: []string{"SLOTS", "OF JOB", "ARE", "BY", "FIRST", "BECAUSE"}}
	for _, j := range r.Jobs {
		for _, p := range j.Passed {
			t.row(fmt.Sprint(p.Slots), j.Job, cell{p.Verdict, yellow}, text(p.Policy), stamp(p.FirstAt), p.Reason)
		}
	}
	if len(t.rows) > 0 {
		fmt.Fprintln(a.stdout)
		a.write(t)
	}
}

// verdict says what the exit code will be, and why.
func (r simulated) verdict(a *app) {
	var parts []string
	add := func(n int64, one, what string) {
		if n > 0 {
			parts = append(parts, plural(n, one)+" "+what)
		}
	}
	add(r.Skipped, "slot", "skipped")
	add(r.Missed, "slot", "missed")
	add(r.Timeouts, "run", "ended at the timeout")
	add(r.Late, "run", "later than --max-wait")
	if len(parts) == 0 {
		fmt.Fprintf(a.stdout, "\n%s\n", a.paint(green, "ok: every slot has its run"))
		return
	}
	fmt.Fprintf(a.stdout, "\n%s\n", a.paint(yellow, "found: "+strings.Join(parts, ", ")))
}

// listed are names in one line, the first ones at least.
func listed(names []string, most int) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
