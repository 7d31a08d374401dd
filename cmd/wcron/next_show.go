package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wcron/wcron/schedule"
)

// timetable is what next prints.
type timetable struct {
	*app
	named bool // with the names of jobs
	now   time.Time
	table table
}

// add prints a time of a schedule. before is the one before it, or the time from which all are asked for.
func (p *timetable) add(s times, before, at time.Time) error {
	at, before = at.In(s.loc), before.In(s.loc)
	marks := s.spec.Explain(before, at)
	if p.json {
		line := occurrence{At: at, UTC: at.UTC(), Note: noteOf(s, before, at, marks)}
		if s.job != "" {
			line.Job = &s.job
		}
		return p.emit(line)
	}
	job := ""
	if p.named {
		job = s.job
	}
	// What does not run has a line of its own, where a person looks for it.
	for _, m := range marks {
		if m.Effect == schedule.Dropped {
			p.table.row(m.From.Format("Mon 2006-01-02 15:04:05")+" -", "-", "never", job, m.String())
		}
	}
	marks = slices.DeleteFunc(marks, func(m schedule.Mark) bool { return m.Effect == schedule.Dropped })
	p.table.row(at.Format("Mon 2006-01-02 15:04:05 MST"), at.UTC().Format("2006-01-02 15:04:05"), distance(at.Sub(p.now)), job,
		text(noteOf(s, before, at, marks)))
	return nil
}

// distance is how far a time is from now, however far that is.
func distance(d time.Duration) string {
	switch {
	case d.Abs() < time.Second:
		return "now"
	case d < 0:
		return span(-d) + " ago"
	}
	return "in " + span(d)
}

// noteOf says what changes of the clock have done to a time, and what is to be said of all times of a schedule. Where they have done
// nothing, it says that the offset is another than before.
func noteOf(s times, before, at time.Time, marks []schedule.Mark) *string {
	var notes []string
	if s.note != "" {
		notes = append(notes, s.note)
	}
	for _, m := range marks {
		notes = append(notes, m.String())
	}
	_, was := before.Zone()
	if _, is := at.Zone(); is != was && len(marks) == 0 {
		notes = append(notes, fmt.Sprintf("the clock has changed from UTC%s to UTC%s", before.Format("-07:00"), at.Format("-07:00")))
	}
	if len(notes) == 0 {
		return nil
	}
	return new(strings.Join(slices.Compact(notes), "; "))
}
