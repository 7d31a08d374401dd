package main

import (
	"slices"
	"strings"
	"time"

	"github.com/wcron/wcron/host"
	"github.com/wcron/wcron/schedule"
)

// aroundChange is how far from a change of the clock times are looked at that it may concern.
const aroundChange = 4 * time.Hour

// marksOf says what changes of the clock do to the jobs within the simulation, in order.
func marksOf(sim host.Simulation) []clockMark {
	marks := []clockMark{}
	changes := map[string][]time.Time{}
	for _, j := range sim.Jobs {
		loc, err := time.LoadLocation(j.Timezone)
		if err != nil {
			continue
		}
		spec, err := schedule.Parse(j.Schedule, schedule.Options{Name: j.Name, Location: loc, Anchor: sim.From.Truncate(time.Second), DST: j.DST})
		if err != nil {
			continue
		}
		zone := spec.Location().String()
		if _, known := changes[zone]; !known {
			changes[zone] = changesOf(spec.Location(), sim.From, sim.To)
		}
		for _, change := range changes[zone] {
			marks = append(marks, marksAt(j.Name, spec, change)...)
		}
	}
	slices.SortStableFunc(marks, func(a, b clockMark) int {
		if c := a.At.Compare(b.At); c != 0 {
			return c
		}
		return strings.Compare(a.Job, b.Job)
	})
	return marks
}

// marksAt says what one change does to a job: one mark for all times that come to the same.
func marksAt(job string, spec *schedule.Spec, change time.Time) []clockMark {
	var merged []schedule.Mark
	after := change.Add(-aroundChange)
	for after.Before(change.Add(aroundChange)) {
		due := spec.Next(after)
		if due.IsZero() {
			break
		}
		for _, m := range spec.Explain(after, due) {
			if !m.Change.Equal(change) {
				continue
			}
			at := slices.IndexFunc(merged, func(o schedule.Mark) bool { return o.Effect == m.Effect && o.Why == m.Why })
			switch {
			case at < 0:
				merged = append(merged, m)
			case m.From.After(merged[at].To):
				merged[at].To, merged[at].Count = m.To, merged[at].Count+m.Count
			}
		}
		after = due
	}
	marks := make([]clockMark, len(merged))
	for i, m := range merged {
		marks[i] = clockMark{At: m.Change.UTC(), Job: job, Effect: string(m.Effect), Note: m.String(), why: m.Why}
	}
	return marks
}

// changesOf finds the changes of a zone's clock, to the second: it looks at each hour, and nearer where two differ.
func changesOf(loc *time.Location, from, to time.Time) (changes []time.Time) {
	offset := func(t time.Time) int {
		_, seconds := t.In(loc).Zone()
		return seconds
	}
	for t := from.Truncate(time.Second); t.Before(to); t = t.Add(time.Hour) {
		low, high := t, t.Add(time.Hour)
		if offset(low) == offset(high) {
			continue
		}
		for high.Sub(low) > time.Second {
			if mid := low.Add(high.Sub(low) / 2).Truncate(time.Second); offset(mid) == offset(low) {
				low = mid
			} else {
				high = mid
			}
		}
		changes = append(changes, high)
	}
	return changes
}
