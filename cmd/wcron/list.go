package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/wcron/wcron/admin"
)

type listCmd struct {
	Hosts bool `help:"Show the hosts instead of the jobs."`
}

// Help implements kong.HelpProvider.
func (*listCmd) Help() string {
	return "The first line says which host runs the jobs, or since when none does. " +
		"States: active, manual (it has no schedule), compiling, broken, pending (nobody has approved what its plugin asks for), denied, paused, disabled (its guest " +
		"asked for it with exit code 78), done. The reason says what to do about it.\n\n" +
		"Exit codes: 0 done, 2 usage or configuration, 3 the ledger or the host could not be reached."
}

// Run shows the jobs.
func (c *listCmd) Run(ctx context.Context, a *app) error {
	return a.withOperator(ctx, func(o *operator) error {
		if c.Hosts {
			return c.hosts(a, o)
		}
		jobs, err := o.Jobs(ctx)
		if err != nil {
			return err
		}
		if a.json {
			return emitAll(a, jobs)
		}
		header(a, o)
		if o.set != nil && len(o.set.Problems) > 0 {
			fmt.Fprintln(a.stdout, a.paint(yellow, plural(int64(len(o.set.Problems)), "problem")+" found; see wcron check -c "+quoted(o.file.Path)))
		}
		if len(jobs) == 0 {
			fmt.Fprintf(a.stdout, "there are no jobs; put a module into %s, or see wcron add --help\n", o.file.Plugins)
			return nil
		}
		now := a.now().In(o.zone())
		t := table{heads: []string{"JOB", "STATE", "SCHEDULE", "NEXT", "LAST", "REASON"}}
		for _, j := range jobs {
			t.row(j.Job, stateCell(j), scheduleText(j, o.status.Timezone), nextText(j, now), lastCell(j, now), reasonText(j, now))
		}
		a.write(t)
		return nil
	})
}

// header says who runs the jobs.
func header(a *app, o *operator) {
	now := a.now().In(o.zone())
	s := o.status
	start := "start one with: wcron serve -c " + quoted(o.file.Path)
	if n := len(s.Hosts); n > 0 && n == len(o.elsewhere) {
		fmt.Fprintf(a.stdout, "%s; %s\n", a.paint(yellow, "no host is running these jobs"), start)
	}
	if len(s.Hosts) == 0 {
		if s.LastSeenAt == nil {
			fmt.Fprintf(a.stdout, "%s; %s\n", a.paint(yellow, "no host is running, and none has been yet"), start)
		} else {
			fmt.Fprintf(a.stdout, "%s; %s\n",
				a.paint(yellow, fmt.Sprintf("no host is running since %s (%s)", stamp(*s.LastSeenAt, o.zone()), relative(*s.LastSeenAt, now))), start)
		}
	}
	for _, h := range s.Hosts {
		fmt.Fprintf(a.stdout, "host %s (pid %d on %s), up %s", h.Instance, h.PID, printable(h.Machine), span(now.Sub(h.StartedAt)))
		if s.Instance != nil && h.Instance == *s.Instance {
			fmt.Fprint(a.stdout, loadText(a, *s.Load))
		} else if h.Running > 0 {
			fmt.Fprintf(a.stdout, ", %s", plural(int64(h.Running), "run"))
		}
		if file := o.elsewhere[h.Instance]; file != "" {
			fmt.Fprintf(a.stdout, ", with the jobs of %s", printable(file))
		}
		if h.Reason != nil {
			fmt.Fprint(a.stdout, ", ", a.paint(yellow, "does not answer: "+printable(*h.Reason)))
		}
		fmt.Fprintln(a.stdout)
	}
	for _, why := range s.NotReady {
		fmt.Fprintln(a.stdout, a.paint(yellow, "it cannot start runs now: "+printable(why)))
	}
	fmt.Fprintf(a.stdout, "%s\n", a.paint(faint, "times without a zone are in "+s.Timezone))
}

// loadText says how busy a host is, and who is to blame when it is full.
func loadText(a *app, l admin.Load) string {
	out := ", no runs"
	switch {
	case l.MaxRuns > 0:
		out = fmt.Sprintf(", %d of %s", l.Running, plural(int64(l.MaxRuns), "run"))
	case l.Running > 0:
		out = ", " + plural(int64(l.Running), "run")
	}
	if l.MemoryBudgetBytes > 0 && l.MemoryBytes > 0 {
		out += fmt.Sprintf(", %s of %s of memory", bytesText(l.MemoryBytes), bytesText(l.MemoryBudgetBytes))
	}
	if l.Draining {
		out += ", " + a.paint(yellow, "draining: it starts nothing more")
	}
	if l.MaxRuns > 0 && l.Running >= l.MaxRuns {
		out += ", " + a.paint(yellow, "all slots are taken by")
		for i, h := range l.Holders {
			if i == 5 {
				out += fmt.Sprintf(" and %d more", len(l.Holders)-i)
				break
			}
			out += fmt.Sprintf(" %s (%s)", h.Job, shownID(h.RunID))
		}
	}
	return out
}

func bytesText(n int64) string {
	const unit = 1024
	names := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	f, i := float64(n), 0
	for f >= unit && i < len(names)-1 {
		f, i = f/unit, i+1
	}
	if i == 0 || f >= 100 {
		return fmt.Sprintf("%.0f %s", f, names[i])
	}
	return fmt.Sprintf("%.1f %s", f, names[i])
}

func stateCell(j admin.Job) cell {
	if len(j.Running) > 0 {
		return cell{"running", green}
	}
	return cell{j.State, outcomeColour(j.State)}
}

// scheduleText is the schedule, and its zone if that is another than the usual one.
func scheduleText(j admin.Job, zone string) string {
	s := text(j.Schedule)
	if s != "" && j.Timezone != zone {
		s += " (" + j.Timezone + ")"
	}
	return s
}

func nextText(j admin.Job, now time.Time) string {
	if j.NextAt == nil || j.State == "paused" || j.State == "disabled" || j.State == "broken" || j.State == admin.Pending || j.State == admin.Denied {
		return "" // that slot will not run
	}
	if late := now.Sub(*j.NextAt); late > time.Second {
		return "due " + relative(*j.NextAt, now)
	}
	return relative(*j.NextAt, now)
}

func lastCell(j admin.Job, now time.Time) cell {
	word := text(j.LastOutcome)
	if word == "" {
		return cell{}
	}
	if j.LastEndedAt != nil {
		return cell{word + " " + relative(*j.LastEndedAt, now), outcomeColour(word)}
	}
	return cell{word, outcomeColour(word)}
}

func reasonText(j admin.Job, now time.Time) string {
	s := text(j.Reason)
	if s == "" {
		s = text(j.Note)
	}
	if j.SkipAt != nil && j.NextAt != nil && j.SkipAt.Equal(*j.NextAt) {
		s = strings.TrimPrefix(s+"; the next slot is passed over: "+text(j.SkipReason), "; ")
	}
	if j.State != "active" && len(j.Running) > 0 {
		s = strings.TrimSuffix(j.State+": "+s, ": ")
	}
	for i := len(j.Progress) - 1; i >= 0; i-- {
		p := j.Progress[i].Text
		if percent := j.Progress[i].Percent; percent != nil {
			p = strings.TrimSpace(fmt.Sprintf("%.0f%% %s", *percent, p))
		}
		s = strings.TrimSuffix(p+"; "+s, "; ")
	}
	if j.Queued > 0 {
		s = strings.TrimSuffix(fmt.Sprintf("%s in the queue; %s", plural(int64(j.Queued), "slot"), s), "; ")
	}
	if j.WaitingSince != nil {
		s = fmt.Sprintf("waits since %s: %s", span(now.Sub(*j.WaitingSince)), s)
	}
	return s
}

// hosts shows the hosts alone.
func (c *listCmd) hosts(a *app, o *operator) error {
	if a.json {
		return emitAll(a, o.status.Hosts)
	}
	header(a, o)
	return nil
}
