package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/wcron/wcron/schedule"
)

// A class is a kind of difference between ours and another parser. The empty class is a difference that nobody has explained.
type class string

const (
	// Texts that the other reads and ours refuses.
	stepAlone  class = "a step without a range"
	longStep   class = "a step longer than its field"
	backwards  class = "a range that runs backwards"
	noSuchDate class = "a date that never comes"
	strangeQ   class = "? beside other values, or outside the day fields"
	ranged     class = "a value out of its range"
	// Texts that ours reads and the other refuses.
	sunday7  class = "7 as Sunday"
	toSunday class = "a range that ends on Sunday"
	quartz   class = "L, W and #"
	panics   class = "a call that panics"
	// Times that differ, where no clock is changed.
	starDay class = "two day fields of which one begins with *"
	// Times that differ at a change of the clock.
	skipped  class = "a skipped time"
	repeated class = "a repeated time"
	lost     class = "a time that exists and is passed over"
	invented class = "a time that the schedule does not have"
)

// difference is what two parsers say of one question.
type difference struct {
	text          string
	loc           *time.Location
	after         time.Time
	ours, theirs  time.Time // zero: never
	oursE, theirE error
}

func ask(p parser, text string, loc *time.Location, after time.Time) (at time.Time, err error) {
	defer func() {
		if r := recover(); r != nil {
			at, err = time.Time{}, fmt.Errorf("%w: %v", errPanic, r)
		}
	}()
	f, err := p.parse(text, loc)
	if err != nil {
		return time.Time{}, err
	}
	return f(after), nil
}

var errPanic = errors.New("it panics")

// compare asks both parsers, and reports whether they differ.
func compare(other parser, text string, loc *time.Location, after time.Time) (difference, bool) {
	d := difference{text: text, loc: loc, after: after}
	d.ours, d.oursE = ask(parsers()[0], text, loc, after)
	d.theirs, d.theirE = ask(other, text, loc, after)
	if d.oursE != nil || d.theirE != nil {
		return d, (d.oursE == nil) != (d.theirE == nil)
	}
	return d, !d.ours.Equal(d.theirs)
}

// classify finds the class of a difference.
func classify(other parser, d difference) class {
	switch {
	case errors.Is(d.theirE, errPanic):
		return panics
	case d.oursE != nil:
		return refusedByUs(d.oursE.Error())
	case d.theirE != nil:
		return refusedByThem(strings.Fields(d.text))
	}
	// The same question to clocks that are never changed.
	wall := wallOf(d.after)
	ours, _ := ask(parsers()[0], d.text, time.UTC, wall)
	theirs, _ := ask(other, d.text, time.UTC, wall)
	if !ours.Equal(theirs) {
		return differsInUTC(d.text, ours)
	}
	return atChange(d)
}

func wallOf(t time.Time) time.Time {
	_, offset := t.Zone()
	return time.Unix(t.Unix()+int64(offset), int64(t.Nanosecond())).UTC()
}

func refusedByUs(why string) class {
	for _, c := range []struct {
		part string
		is   class
	}{
		{"is a step without a range", stepAlone},
		{"has a step", longStep},
		{"runs backwards", backwards},
		{"no such date", noSuchDate},
		{"? is for the two day fields", strangeQ},
		{"? is not in", strangeQ},
		{"is not in", ranged},
	} {
		if strings.Contains(why, c.part) {
			return c.is
		}
	}
	return ""
}

func refusedByThem(f []string) class {
	f = f[len(f)-5:]
	day, weekday := strings.ToUpper(f[2]), strings.ToUpper(f[4])
	switch {
	case strings.ContainsAny(day, "LW") || strings.Contains(weekday, "#") || strings.Contains(weekday+",", "L,"):
		return quartz
	case strings.Contains(weekday, "-SUN"), strings.Contains(weekday, "-7"), strings.Contains(weekday, "-0"):
		return toSunday
	case strings.Contains(weekday, "7"):
		return sunday7
	}
	return ""
}

func differsInUTC(text string, ours time.Time) class {
	f := strings.Fields(text)
	f = f[len(f)-5:]
	star := func(field string) bool { return field[0] == '*' || field == "?" }
	plain := func(field string) bool { return field == "*" || field == "?" }
	weekday := strings.ToUpper(f[4])
	switch {
	case ours.Weekday() == time.Sunday && (strings.Contains(weekday, "-SUN") || strings.Contains(weekday, "-7") || strings.Contains(weekday, "-0")):
		return toSunday
	case (star(f[2]) || star(f[4])) && !plain(f[2]) && !plain(f[4]):
		return starDay
	}
	return ""
}

// atChange tells what a change of the clock has led to. It needs one close to the answers.
func atChange(d difference) class {
	spec, err := schedule.Parse(d.text, schedule.Options{Location: d.loc})
	if err != nil || !changes(d) {
		return ""
	}
	matches := func(at time.Time) bool { // does the wall clock show a time of the schedule
		wall := wallOf(at)
		next, err := ask(parsers()[0], d.text, time.UTC, wall.Add(-time.Nanosecond))
		return err == nil && next.Equal(wall)
	}
	if d.theirs.IsZero() || d.theirs.After(d.ours) {
		for _, m := range spec.Explain(d.after, d.ours) {
			if m.Effect == schedule.Moved && m.Change.Equal(d.ours) && !matches(d.ours) {
				return skipped
			}
		}
		if matches(d.ours) {
			return lost
		}
		return ""
	}
	if !matches(d.theirs) {
		return invented
	}
	// Theirs is a time of the wall clock that ours does not count: it must have been there before.
	for _, before := range []time.Duration{30 * time.Minute, time.Hour, 2 * time.Hour} {
		if wallOf(d.theirs.Add(-before)).Equal(wallOf(d.theirs)) {
			return repeated
		}
	}
	return ""
}

// changes reports whether the zone's offset changes between shortly before the question and shortly behind the answers.
func changes(d difference) bool {
	end := d.ours
	if d.theirs.After(end) {
		end = d.theirs
	}
	from := d.after.Add(-4 * time.Hour)
	_, first := from.In(d.loc).Zone()
	for at := from; at.Before(end.Add(26 * time.Hour)); at = at.Add(6 * time.Hour) {
		if _, offset := at.In(d.loc).Zone(); offset != first {
			return true
		}
	}
	return false
}
