package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/wcron/wcron/plugins"
	"github.com/wcron/wcron/schedule"
)

// warnings are what is legal in a job but probably not meant.
func warnings(set *plugins.Set, j plugins.Job, now time.Time) []finding {
	var out []finding
	warn := func(key, what, remedy string) {
		out = append(out, finding{File: whence(set, j, key), What: "job " + j.Name + ": " + what, Remedy: remedy, Severity: "warning"})
	}
	for _, w := range j.Warnings {
		what, remedy, _ := strings.Cut(w, "; ")
		if remedy == "" {
			remedy = "see wcron next " + j.Name + " for when it is due"
		}
		warn("schedule", "schedule "+quotedText(strings.ReplaceAll(j.ScheduleText, "\n", "; "))+": "+what, remedy)
	}
	for _, u := range j.Unused {
		what, remedy, _ := strings.Cut(u, "; ")
		warn("request", what, remedy)
	}
	if len(j.Access.Denied) > 0 && j.Settings.Grant != nil {
		warn("grant", "it is not granted "+strings.Join(plugins.Words(j.Access.Denied), "; "), "add that to its grant, if it is to be")
	}
	if len(j.Access.Idle) > 0 {
		warn("grant", "its grant has no effect in "+strings.Join(plugins.Words(j.Access.Idle), "; ")+": the plugin does not request it",
			"request it in a sidecar beside the module, or take it out of the grant")
	}
	timeout := j.Settings.Timeout
	if timeout == 0 && set.File.MaxRuns > 0 {
		warn("timeout", fmt.Sprintf("it has no timeout, and max_runs is %d: a run of it that wedges holds one of them for ever", set.File.MaxRuns),
			"give it a timeout, or let max_runs be 0")
	}
	if j.Schedule == nil {
		return out
	}
	if j.Schedule.Next(now).IsZero() && !j.Schedule.Reboot() {
		what := "its last time has passed"
		if j.Schedule.Kind() == schedule.At {
			what = "its one time has passed"
		}
		warn("schedule", what, "give it another schedule, or remove the job")
		return out
	}
	// A default is nobody's wish for this job, and most runs end well before it.
	if least := shortest(j.Schedule, now); j.Origin["timeout"] != "default" && least > 0 && timeout > least {
		warn("timeout", fmt.Sprintf("its timeout of %s is longer than the %s between two of its slots; slots that come while it runs are skipped", timeout, least),
			fmt.Sprintf("let the timeout be %s or less, or the schedule be wider", least))
	}
	return out
}

// shortest is the least distance between the next few times of a schedule, 0 if there are not two.
func shortest(s *schedule.Spec, now time.Time) time.Duration {
	if period, ok := s.Period(); ok {
		return period
	}
	const times = 64
	var least time.Duration
	at := s.Next(now)
	for i := 0; i < times && !at.IsZero(); i++ {
		next := s.Next(at)
		if next.IsZero() {
			break
		}
		if d := next.Sub(at); least == 0 || d < least {
			least = d
		}
		at = next
	}
	return least
}

// whence is the file that a key of a job comes from.
func whence(set *plugins.Set, j plugins.Job, key string) string {
	switch from := j.Origin[key]; {
	case from == "sidecar":
		return strings.TrimSuffix(j.Plugin, ".wasm") + ".toml"
	case strings.HasPrefix(from, "manifest"):
		return j.Plugin + " (manifest)"
	case strings.HasPrefix(from, "jobs.d/"):
		return set.File.JobsDir + strings.TrimPrefix(from, "jobs.d")
	default:
		return set.File.Path
	}
}

func quotedText(s string) string { return fmt.Sprintf("%q", s) }
