package schedule

import (
	"strconv"
	"strings"
	"time"

	"github.com/adhocore/gronx"
)

// matcher asks the engine about one field and one value at a time. The engine reads the value from a time: each time here is
// in UTC and stands for a wall clock. The fields have been checked before, so an error is a disagreement about the grammar.
type matcher struct {
	engine gronx.SegmentChecker
	err    error
}

func (m *matcher) due(pos position, match string, at time.Time) bool {
	if match == "*" {
		return true
	}
	m.engine.SetRef(at)
	due, err := m.engine.CheckDue(match, int(pos))
	if err != nil && m.err == nil {
		m.err = fault(units[pos].name, match, "is not understood by the matcher: %v", err)
	}
	return due
}

// set returns the values of a field as bits.
func (m *matcher) set(pos position, match string, lo, hi int, at func(v int) time.Time) (set uint64) {
	for v := lo; v <= hi; v++ {
		if m.due(pos, match, at(v)) {
			set |= 1 << v
		}
	}
	return set
}

// compile turns checked fields into bitsets. It takes about ten microseconds, a fifth of a
// millisecond more for each L, W or #, and ten milliseconds for the worst text.
func compile(fields *[fieldCount]field) (*calendar, error) {
	var m matcher
	c := &calendar{anyYear: fields[posYear].match == "*"}
	c.second = m.set(posSecond, fields[posSecond].match, 0, 59, func(v int) time.Time { return clockTime(0, 0, v) })
	c.minute = m.set(posMinute, fields[posMinute].match, 0, 59, func(v int) time.Time { return clockTime(0, v, 0) })
	c.hour = m.set(posHour, fields[posHour].match, 0, 23, func(v int) time.Time { return clockTime(v, 0, 0) })
	c.month = m.set(posMonth, fields[posMonth].match, 1, 12, func(v int) time.Time { return date(2023, v, 1) })
	if !c.anyYear {
		for year := firstYear; year <= endYear; year++ {
			if m.due(posYear, fields[posYear].match, date(year, 1, 1)) {
				i := year - firstYear
				c.years[i/64] |= 1 << (i % 64)
			}
		}
	}
	c.days = m.days(fields[posDay], fields[posWeekday])
	return c, m.err
}

// days combines the two day fields for each shape of a month.
func (m *matcher) days(day, weekday field) (table [28]uint32) {
	// 2023-01-01 was a Sunday, and January has every day of the month.
	var doms, weekdays uint64
	if !day.byMonth {
		doms = m.set(posDay, day.match, 1, 31, func(v int) time.Time { return date(2023, 1, v) })
	}
	if !weekday.byMonth {
		weekdays = m.set(posWeekday, weekday.match, 0, 6, func(v int) time.Time { return date(2023, 1, 1+v) })
	}
	var samples [28]time.Time
	if day.byMonth || weekday.byMonth {
		samples = sampleMonths()
	}
	for length := 28; length <= 31; length++ {
		inMonth := uint64(1)<<(length+1) - 2
		for first := range 7 {
			i := shape(length, first)
			a, b := doms&inMonth, spread(weekdays, first)&inMonth
			sampleDay := func(v int) time.Time { return samples[i].AddDate(0, 0, v-1) }
			if day.byMonth {
				a = m.set(posDay, lastWeekday(day.match, length), 1, length, sampleDay)
			}
			if weekday.byMonth {
				b = m.set(posWeekday, weekday.match, 1, length, sampleDay)
			}
			// cron(8): a field that begins with * restricts, any other two fields add up.
			if day.star || weekday.star {
				table[i] = uint32(a & b)
			} else {
				table[i] = uint32(a | b)
			}
		}
	}
	return table
}

// spread turns a set of weekdays into the days of a month that begins on the weekday first.
func spread(weekdays uint64, first int) (days uint64) {
	for day := 1; day <= 31; day++ {
		if weekdays>>((first+day-1)%7)&1 != 0 {
			days |= 1 << day
		}
	}
	return days
}

// lastWeekday replaces LW, which the engine lacks, by the weekday nearest a month's last day: the engine's nW stays within
// the month, and so does LW.
func lastWeekday(match string, length int) string {
	items := strings.Split(match, ",")
	for i, it := range items {
		if it == "LW" {
			items[i] = strconv.Itoa(length) + "W"
		}
	}
	return strings.Join(items, ",")
}

// sampleMonths returns the first day of a month of each shape. Every shape comes within 28 years.
func sampleMonths() (samples [28]time.Time) {
	for at := date(2000, 1, 1); at.Year() < 2028; at = at.AddDate(0, 1, 0) {
		length := at.AddDate(0, 1, -1).Day()
		samples[shape(length, int(at.Weekday()))] = at
	}
	return samples
}

func clockTime(hour, minute, second int) time.Time {
	return time.Date(2023, 1, 1, hour, minute, second, 0, time.UTC)
}

func date(year, month, dom int) time.Time {
	return time.Date(year, time.Month(month), dom, 0, 0, 0, 0, time.UTC)
}
