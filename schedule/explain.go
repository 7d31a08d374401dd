package schedule

import (
	"fmt"
	"slices"
	"time"
)

// Effect is what a change of the clock does to times of a schedule.
type Effect string

// The effects.
const (
	Moved   Effect = "moved"   // the times do not exist; one run right after the change stands for them
	Dropped Effect = "dropped" // the times do not exist, and nothing runs for them
	Single  Effect = "single"  // the time comes twice, and counts the first time only
	First   Effect = "first"   // the time comes twice and counts both times; this is the first
	Second  Effect = "second"  // the same; this is the second
)

// Mark says what one change of the clock does to one or more times of a schedule.
type Mark struct {
	Effect Effect
	Change time.Time // when the clock is changed, in the schedule's zone
	Before int       // seconds east of UTC until then
	After  int       // and from then on
	// From and To are the first and the last of the times concerned, as the wall clock shows them or would have, told as UTC; Count
	// is how many there are.
	From, To time.Time
	Count    int
	Why      string // what becomes of them, with the reason
}

// maxMarked bounds the times that Explain counts in one stretch: each second of a day.
const maxMarked = 24 * 60 * 60

// String returns a sentence such as "02:30 does not exist in America/New_York (the clock goes from 02:00 to 03:00): runs right after".
func (m Mark) String() string {
	far := max(m.After-m.Before, m.Before-m.After) > maxShift
	show := func(t time.Time) string {
		layout := "15:04"
		if t.Second() != 0 {
			layout = time.TimeOnly
		}
		if far {
			layout = time.DateOnly + " " + layout
		}
		return t.Format(layout)
	}
	edge := func(offset int) string { return show(m.Change.UTC().Add(time.Duration(offset) * time.Second)) }
	back, times, verb := "", show(m.From), "does not exist"
	if m.Count > 1 {
		times, verb = fmt.Sprintf("%d times from %s to %s", m.Count, times, show(m.To)), "do not exist"
	}
	if m.After < m.Before {
		back, verb = "back ", "comes twice"
	}
	return fmt.Sprintf("%s %s in %s (the clock goes from %s %sto %s): %s", times, verb, m.Change.Location(), edge(m.Before), back, edge(m.After), m.Why)
}

// Explain says what changes of the clock do to s between a time and the next one of s: what they drop or move in (after, due], and
// whether due itself comes twice. due should be Next(after), or the zero time, which stands for never and has no marks. The marks are
// in the order of the changes. It allocates, and takes as long as a search for each change between the two.
func (s *Spec) Explain(after, due time.Time) []Mark {
	if due.IsZero() {
		return nil
	}
	var marks []Mark
	switch s.kind {
	case List:
		for _, m := range s.list {
			for _, mark := range m.Explain(after, due) {
				if !slices.Contains(marks, mark) {
					marks = append(marks, mark)
				}
			}
		}
		slices.SortStableFunc(marks, func(a, b Mark) int { return a.Change.Compare(b.Change) })
	case Cron:
		marks = s.gaps(after, due)
		if s.Next(due.Add(-time.Nanosecond)).Equal(due) {
			marks = append(marks, s.twice(due.Unix(), s.fixed && s.dst != Both)...)
		}
	case At:
		if s.wall != noWall && s.at.Equal(due) {
			marks = s.explainAt()
		}
	}
	return marks
}

// gaps marks what was skipped in (after, due].
func (s *Spec) gaps(after, due time.Time) (marks []Mark) {
	const most = 1000 // changes; a zone has a few of them in a year
	seg := segmentAt(max(after.Unix(), minUnix), s.loc)
	for range most {
		if seg.end == never || seg.end > due.Unix() {
			break
		}
		next := segmentAt(seg.end, s.loc)
		if next.offset > seg.offset {
			if m := s.gap(seg, next); m.Count > 0 {
				marks = append(marks, m)
			}
		}
		seg = next
	}
	return marks
}

func (s *Spec) gap(before, after segment) Mark {
	m := mark(Dropped, before, after, s.loc)
	switch {
	case after.offset-before.offset > maxShift:
		m.Why = "skipped, because a change of more than three hours is not made up for"
	case !s.fixed:
		m.Why = "skipped, because an interval-like schedule follows elapsed time"
	case s.dst == Skip:
		m.Why = "skipped, as dst = skip says"
	default:
		m.Effect, m.Why = Moved, "runs right after"
	}
	for wall := before.end + before.offset; m.Count < maxMarked; m.Count++ {
		day, _ := floorDiv(wall, secondsPerDay)
		year, _, _ := civil(day)
		match, ok := s.cal.find(wall, s.cal.lastYear(year))
		if !ok || match >= before.end+after.offset {
			break
		}
		if m.Count == 0 {
			m.From = time.Unix(match, 0).UTC()
		}
		m.To, wall = time.Unix(match, 0).UTC(), match+1
	}
	if m.Effect == Moved && m.Count > 1 {
		m.Why = "one run right after stands for them"
	}
	return m
}

func mark(e Effect, before, after segment, loc *time.Location) Mark {
	return Mark{Effect: e, Change: time.Unix(before.end, 0).In(loc), Before: int(before.offset), After: int(after.offset)}
}

// twice marks an instant in a stretch that is repeated, or that repeats one. once says that the second pass does not count; that
// holds for changes of up to three hours.
func (s *Spec) twice(at int64, once bool) (marks []Mark) {
	add := func(e Effect, before, after segment) {
		if before.offset-after.offset > maxShift {
			once = false
		}
		if once {
			e = Single
		}
		m := mark(e, before, after, s.loc)
		m.Why = map[Effect]string{Single: "it counts the first time only", First: "this is the first time", Second: "this is the second time"}[e]
		seg := segmentAt(at, s.loc)
		m.From, m.Count = time.Unix(at+seg.offset, 0).UTC(), 1
		m.To = m.From
		marks = append(marks, m)
	}
	seg := segmentAt(at, s.loc)
	if seg.start != -never {
		before := segmentAt(seg.start-1, s.loc)
		if before.end = seg.start; at-seg.start < before.offset-seg.offset {
			add(Second, before, seg)
		}
	}
	if seg.end != never && seg.end-at <= margin {
		if after := segmentAt(seg.end, s.loc); seg.end-at <= seg.offset-after.offset {
			add(First, seg, after)
		}
	}
	return marks
}

// explainAt marks a single time that the clock does not show, or shows twice.
func (s *Spec) explainAt() []Mark {
	seg := segmentAt(s.at.Unix(), s.loc)
	if s.at.Unix()+seg.offset == s.wall {
		return s.twice(s.at.Unix(), true)
	}
	before := segmentAt(seg.start-1, s.loc)
	before.end = seg.start
	m := mark(Moved, before, seg, s.loc)
	m.From, m.Count, m.Why = time.Unix(s.wall, 0).UTC(), 1, "runs right after"
	m.To = m.From
	return []Mark{m}
}
