package schedule

import "time"

const (
	// maxShift is the largest clock change that is compensated, in seconds. Larger ones correct the zone itself, such as
	// the day that Samoa left out in 2011. The value is cron(8)'s.
	maxShift = 3 * 60 * 60
	// margin is more than two offsets can differ by, in seconds: no wall clock is further from UTC than a day.
	margin = 48 * 60 * 60
	// maxHops bounds a search whose every match falls into a skipped stretch. A year costs at most six hops.
	maxHops = 1000
	never   = int64(1) << 62
	noWall  = -never
)

// segment is a stretch of time in which a zone's offset is constant. All values are in seconds.
type segment struct {
	start, end int64 // end is exclusive; never, or -never at the start, when the stretch is open
	offset     int64
}

// segmentAt returns the segment that holds an instant.
func segmentAt(instant int64, loc *time.Location) segment {
	if loc == time.UTC {
		return segment{start: -never, end: never}
	}
	t := time.Unix(instant, 0).In(loc)
	_, offset := t.Zone()
	start, end := t.ZoneBounds()
	seg := segment{start: -never, end: never, offset: int64(offset)}
	if !start.IsZero() && !start.After(t) {
		seg.start = start.Unix()
	}
	if !end.IsZero() {
		// golang/go#81583: on the last day of a leap year, in UTC, the end can lie before t. No zone changes on that day.
		if seg.end = end.Unix(); seg.end <= instant {
			day, _ := floorDiv(instant, secondsPerDay)
			seg.end = (day + 1) * secondsPerDay
		}
	}
	return seg
}

// shift returns by how much the clock was put forward at the segment's start; negative: back.
func (s segment) shift(loc *time.Location) int64 {
	if s.start == -never {
		return 0
	}
	_, before := time.Unix(s.start-1, 0).In(loc).Zone()
	return s.offset - int64(before)
}

// wallSearch remembers the last answer of calendar.find, which is also the answer for everything between question and answer.
type wallSearch struct {
	cal         *calendar
	last        int // year
	from, match int64
}

func (w *wallSearch) find(from int64) int64 {
	if from < w.from || from > w.match {
		match, ok := w.cal.find(from, w.last)
		if !ok {
			match = never
		}
		w.from, w.match = from, match
	}
	return w.match
}

// nextInstant returns the first instant at or after from at which the calendar is due in s's zone, under the rules of cron(8)
// for clock changes or those of s.dst: this function is the whole of that policy. It walks the zone's segments, and jumps to the
// neighbourhood of the next matching wall-clock time when that is far away.
func (s *Spec) nextInstant(from int64) (int64, bool) {
	due, _, ok := s.search(from)
	return due, ok
}

// search is nextInstant, and tells how many segments it looked at.
func (s *Spec) search(from int64) (due int64, hops int, ok bool) {
	if from >= s.over {
		return 0, 0, false
	}
	day, _ := floorDiv(from, secondsPerDay)
	year, _, _ := civil(day)
	search := wallSearch{cal: s.cal, last: s.cal.lastYear(year), from: never}
	if s.over != never {
		search.last = min(search.last, settledYear)
	}
	for hops = 1; hops <= maxHops; hops++ {
		seg := segmentAt(from, s.loc)
		if s.fixed && from-seg.start <= maxShift {
			shift := seg.shift(s.loc)
			switch {
			case shift > 0 && shift <= maxShift && from == seg.start && s.dst != Skip:
				// The wall clock skipped [start+offset-shift, start+offset).
				if search.find(seg.start+seg.offset-shift) < seg.start+seg.offset {
					return seg.start, hops, true
				}
			case shift < 0 && shift >= -maxShift && s.dst != Both:
				from = max(from, seg.start-shift)
			}
		}
		var match int64
		if from < seg.end {
			if match = search.find(from + seg.offset); match < never && match-seg.offset < seg.end {
				return match - seg.offset, hops, match-seg.offset <= maxUnix
			}
		}
		if seg.end == never {
			return 0, hops, false
		}
		from = afterSegment(seg, search)
		if from > maxUnix {
			return 0, hops, false
		}
	}
	return 0, hops, false
}

// settledYear is when every rule that zones have today has been in force for a while; those that are listed year by year
// beyond it (Morocco's, until 2087) are within a horizon of it.
const settledYear = 2040

// settle finds out whether s has times after the zones' rules have settled. The calendar comes round within 40 years, so what is
// not due within a hundred years from then on, because a clock change swallows each of its times, never is; and no search needs to
// go there. This keeps a list of such schedules from taking its time each time.
func (s *Spec) settle() {
	if s.kind != Cron || s.loc == time.UTC {
		return
	}
	settled := dayNumber(settledYear, 1, 1) * secondsPerDay
	if _, ok := s.nextInstant(settled); !ok {
		s.over = settled
	}
}

// afterSegment returns where to go on when a segment holds no match: at its end, or shortly before the next match when
// that is so far away that no offset can bring it nearer, and what was searched reaches back so far that the clock
// cannot be put back to before it.
func afterSegment(seg segment, search wallSearch) int64 {
	if search.match-margin > seg.end && seg.end-margin >= search.from {
		return search.match - margin
	}
	return seg.end
}

// instantOf returns the first instant at which a zone's wall clock shows a time, or the end of the stretch that skips it.
func instantOf(wall int64, loc *time.Location) int64 {
	for at := wall - margin; ; {
		seg := segmentAt(at, loc)
		// The whole previous segment was before wall: if this one starts beyond it, it was skipped.
		if seg.start == at && at+seg.offset > wall {
			return at
		}
		if wall-seg.offset < seg.end {
			return wall - seg.offset
		}
		at = seg.end
	}
}
