package schedule

import "math/bits"

const (
	secondsPerDay = 24 * 60 * 60
	firstYear     = 1970
	endYear       = 2099
	// horizon is how many years a search looks ahead: every date of the Gregorian calendar comes again within 40 years.
	horizon = 100
	noYear  = 1 << 30
)

// calendar is an expression as bitsets over wall-clock values, without a zone. A wall-clock time is a number of seconds
// since 1970-01-01T00:00:00 of a clock that knows no zone. A calendar is immutable once built.
type calendar struct {
	second, minute, hour uint64
	month                uint64     // bits 1-12
	days                 [28]uint32 // bits 1-31 for each shape of a month, both day fields combined
	years                [3]uint64  // bits from firstYear on
	anyYear              bool       // years is not consulted
}

// shape is all that a month's days depend on: its length and the weekday (Sunday is 0) of its first day.
func shape(length, first int) int { return (length-28)*7 + first }

// find returns the first wall-clock time at or after from that matches, looking no further than the year last.
func (c *calendar) find(from int64, last int) (int64, bool) {
	day, clock := floorDiv(from, secondsPerDay)
	year, month, dom := civil(day)
	if year > last {
		return 0, false
	}
	mask := c.monthDays(year, month)
	if mask>>dom&1 != 0 {
		if at, ok := c.clock(int(clock)); ok {
			return day*secondsPerDay + int64(at), true
		}
	}
	mask &^= 1<<(dom+1) - 1
	for mask == 0 {
		if month = c.nextMonth(month + 1); month > 12 {
			if year, month = c.nextYear(year+1), c.nextMonth(1); year > last {
				return 0, false
			}
		}
		mask = c.monthDays(year, month)
	}
	dom = bits.TrailingZeros32(mask)
	return (dayNumber(year, month, 1)+int64(dom)-1)*secondsPerDay + int64(c.firstClock()), true
}

// monthDays returns the days of a month that match, as bits 1-31.
func (c *calendar) monthDays(year, month int) uint32 {
	if c.month>>month&1 == 0 || c.nextYear(year) != year {
		return 0
	}
	_, first := floorDiv(dayNumber(year, month, 1)+4, 7) // 1970-01-01 was a Thursday
	return c.days[shape(monthLength(year, month), int(first))]
}

// clock returns the first matching second of the day at or after from.
func (c *calendar) clock(from int) (int, bool) {
	h, m, s := from/3600, from/60%60, from%60
	if c.hour>>h&1 != 0 {
		if c.minute>>m&1 != 0 {
			if at := nextBit(c.second, s); at < 64 {
				return h*3600 + m*60 + at, true
			}
		}
		if at := nextBit(c.minute, m+1); at < 64 {
			return h*3600 + at*60 + nextBit(c.second, 0), true
		}
	}
	if at := nextBit(c.hour, h+1); at < 64 {
		return at*3600 + nextBit(c.minute, 0)*60 + nextBit(c.second, 0), true
	}
	return 0, false
}

func (c *calendar) firstClock() int {
	return nextBit(c.hour, 0)*3600 + nextBit(c.minute, 0)*60 + nextBit(c.second, 0)
}

func (c *calendar) nextMonth(month int) int { return nextBit(c.month, month) }

// nextYear returns the first year at or after year that matches, or noYear.
func (c *calendar) nextYear(year int) int {
	if c.anyYear {
		return year
	}
	for i := max(year-firstYear, 0); i <= endYear-firstYear; {
		if at := nextBit(c.years[i/64], i%64); at < 64 {
			return firstYear + i/64*64 + at
		}
		i = (i/64 + 1) * 64
	}
	return noYear
}

// lastYear is how far a search that starts in a year looks.
func (c *calendar) lastYear(year int) int {
	if c.anyYear {
		return year + horizon
	}
	return endYear
}

// nextBit returns the index of the first set bit at or after i, or 64. i is at most 64.
func nextBit(set uint64, i int) int { return bits.TrailingZeros64(set >> i << i) }

func floorDiv(a, b int64) (quotient, rest int64) {
	if quotient, rest = a/b, a%b; rest < 0 {
		return quotient - 1, rest + b
	}
	return quotient, rest
}

// dayNumber returns the days from 1970-01-01 to a date of the Gregorian calendar. Years are counted from March here, so that
// a leap day is the last of its year: month lengths then follow one linear formula.
func dayNumber(year, month, dom int) int64 {
	y, m := int64(year), int64(month)-3
	if m < 0 {
		y, m = y-1, m+12
	}
	era, yoe := floorDiv(y, 400)
	return era*146097 + yoe*365 + yoe/4 - yoe/100 + (153*m+2)/5 + int64(dom) - 1 - 719468
}

// civil is the inverse of dayNumber.
func civil(day int64) (year, month, dom int) {
	era, doe := floorDiv(day+719468, 146097)
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	m := (5*doy + 2) / 153
	y := era*400 + yoe
	if m += 3; m > 12 {
		y, m = y+1, m-12
	}
	return int(y), int(m), int(doy-(153*((m+9)%12)+2)/5) + 1
}

func monthLength(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}
