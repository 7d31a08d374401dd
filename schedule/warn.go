package schedule

import (
	"fmt"
	"strings"
)

// A warning says what will happen, and behind a semicolon what to write instead or what other tools do.

func (p *parser) warn(format string, args ...any) {
	p.warnings = append(p.warnings, fmt.Sprintf(format, args...))
}

// rounds is what the values of a field go round in, and the unit of a gap between them.
var rounds = [fieldCount]struct{ each, unit, every string }{
	posSecond: {"each minute", "second", "s"},
	posMinute: {"each hour", "minute", "m"},
	posHour:   {"each day", "hour", "h"},
	posDay:    {"on the 1st of each month", "day", ""},
	posMonth:  {"each year", "month", ""},
}

// warnStep warns of a step from one value to another whose times are not evenly apart, because each round begins anew.
func (p *parser) warnStep(pos position, text string, from, to, step int) {
	u := &units[pos]
	size := u.hi - u.lo + 1
	switch {
	case step == 1:
	case pos == posWeekday:
		var days []string
		for v := from; v <= to; v += step {
			days = append(days, u.names[v%7*3:v%7*3+3])
		}
		p.warn("day of week: %s is %s, and begins again each Sunday; tools that count from Monday or from 1 take other days",
			text, strings.Join(days, ","))
	case pos == posDay:
		p.warn("day of month: %s is %s, and begins again %s, so gaps differ there; for even ones write @every %dh",
			text, values(from, to, step), rounds[pos].each, 24*step)
	case u.even && size%step != 0:
		last := from + (to-from)/step*step
		remedy := fmt.Sprintf("for even ones write @every %d%s", step, rounds[pos].every)
		if pos == posMonth {
			remedy = "list the months that you mean"
		}
		p.warn("%s: %s is %s, and begins again %s, so the last gap is %s and not %d; %s",
			u.name, text, values(from, to, step), rounds[pos].each, counted(from+size-last, rounds[pos].unit), step, remedy)
	}
}

// values lists the first and the last of a step's values.
func values(from, to, step int) string {
	last := from + (to-from)/step*step
	switch (last - from) / step {
	case 0:
		return fmt.Sprint(from)
	case 1:
		return fmt.Sprintf("%d and %d", from, last)
	case 2:
		return fmt.Sprintf("%d, %d and %d", from, from+step, last)
	}
	return fmt.Sprintf("%d, %d ... %d", from, from+step, last)
}

func counted(n int, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}

// warnDays warns of the two day fields where other tools combine them or count their values in another way. text is the day of week
// as written, in capitals.
func (p *parser) warnDays(day, weekday field, text string, fields int) {
	if day.match != "*" && weekday.match != "*" {
		if day.star || weekday.star {
			if day.star != weekday.star {
				p.warn("day of month %s and day of week %s: one begins with *, so a day must match both; some tools fire on either",
					day.canonical, weekday.canonical)
			}
		} else {
			p.warn("day of month %s and day of week %s: a day that matches one of them is enough, as in cron(8); some tools want both",
				day.canonical, weekday.canonical)
		}
	}
	if fields == 5 && !strings.ContainsAny(text, "L#") {
		return
	}
	for it := range strings.SplitSeq(text, ",") {
		it, _, _ = strings.Cut(it, "#")
		it, _, _ = strings.Cut(it, "/")
		if strings.ContainsAny(it, "01234567") && !strings.HasPrefix(it, "H") {
			p.warn("day of week %s: 1 is Monday here, as in cron(8), and Sunday in Quartz; write names such as MON to be clear", text)
			return
		}
	}
}
