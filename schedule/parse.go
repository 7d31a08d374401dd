package schedule

import (
	"errors"
	"strings"
	"time"
)

const (
	maxText = 512 // bytes, without the zone
	maxZone = 64  // bytes of a zone's name
)

// macros and the expressions that they stand for.
var macros = map[string]string{
	"@hourly":   "0 * * * *",
	"@daily":    "0 0 * * *",
	"@midnight": "0 0 * * *",
	"@weekly":   "0 0 * * 0",
	"@monthly":  "0 0 1 * *",
	"@yearly":   "0 0 1 1 *",
	"@annually": "0 0 1 1 *",
}

// Parse reads a text against opt. The package comment lists the texts. Every error is an *Error; a text that can never be
// due, such as "0 0 30 2 *", is one. A text takes about ten microseconds, and never more than some milliseconds.
func Parse(text string, opt Options) (*Spec, error) {
	spec, err := parse(text, opt)
	if err != nil {
		var at *Error
		if !errors.As(err, &at) {
			at = fault("", "", "%v", err)
		}
		at.Text = shorten(text, 80)
		return nil, at
	}
	return spec, nil
}

func parse(text string, opt Options) (*Spec, error) {
	if !served(opt.Anchor) || !served(opt.Now) {
		return nil, fault("options", "", "the anchor and the present must be in the years 1 to 9999")
	}
	text = strings.Trim(text, " \t\r\n")
	for i := 0; i < len(text); i++ {
		if (text[i] < ' ' && text[i] != '\t') || text[i] > '~' {
			return nil, fault("", text[i:i+1], "is not a character of a schedule")
		}
	}
	s := &Spec{loc: opt.Location}
	if s.loc == nil {
		s.loc = time.UTC
	}
	body, named, err := s.zone(text, opt)
	if err != nil {
		return nil, err
	}
	if len(body) > maxText {
		return nil, fault("", "", "is longer than %d bytes", maxText)
	}
	if body == "" {
		return nil, fault("", "", "is empty; write a schedule such as 0 9 * * *")
	}
	word, arg, _ := strings.Cut(strings.ReplaceAll(body, "\t", " "), " ")
	word, arg = strings.ToLower(word), strings.Trim(arg, " ")
	zoned := true
	switch {
	case word == "@every":
		zoned, err = false, s.parseEvery(arg, opt)
	case word == "@in":
		zoned, err = false, s.parseIn(arg, opt)
	case word == "@at":
		zoned, err = s.parseAt(arg, opt)
	case word[0] == '@':
		err = s.parseMacro(word, arg, opt)
	default:
		s.text, err = s.parseFields(strings.Fields(body), opt)
	}
	if err != nil {
		return nil, err
	}
	if zoned && (named || s.loc != time.UTC) && nameable(s.loc.String()) {
		s.text = "CRON_TZ=" + s.loc.String() + " " + s.text
	}
	return s, nil
}

func served(t time.Time) bool { return t.Unix() >= minUnix && t.Unix() <= maxUnix }

// zone takes a leading CRON_TZ= or TZ= off the text and settles the spec's zone. named says that the text had one.
func (s *Spec) zone(text string, opt Options) (body string, named bool, err error) {
	rest, named := strings.CutPrefix(text, "CRON_TZ=")
	if !named {
		if rest, named = strings.CutPrefix(text, "TZ="); !named {
			return text, false, nil
		}
	}
	name := rest
	if end := strings.IndexAny(rest, " \t"); end >= 0 {
		name, rest = rest[:end], strings.Trim(rest[end:], " \t")
	} else {
		rest = ""
	}
	if !nameable(name) {
		return "", true, fault("timezone", name, "is not the name of a zone; write one such as Europe/Berlin or UTC")
	}
	switch {
	case name == s.loc.String():
	case opt.LocationSet:
		return "", true, fault("timezone", name, "in the text differs from the timezone %s that is set beside it; keep one", s.loc)
	default:
		if s.loc, err = time.LoadLocation(name); err != nil {
			return "", true, fault("timezone", name, "is not a known zone; write one such as Europe/Berlin or UTC")
		}
	}
	return rest, true, nil
}

// nameable says whether a text may name a zone this way: "" and Local mean whatever the machine is set to, posix/ and right/
// exist on some machines only (and right/ counts leap seconds).
func nameable(name string) bool {
	if name == "" || len(name) > maxZone {
		return false
	}
	for i := 0; i < len(name); i++ {
		c := name[i] | 0x20
		if (c < 'a' || c > 'z') && (name[i] < '0' || name[i] > '9') && !strings.ContainsRune("/_+-", rune(name[i])) {
			return false
		}
	}
	switch lower := strings.ToLower(name); lower {
	case "local", "localtime", "posixrules", "factory":
		return false
	default:
		return !strings.HasPrefix(lower, "posix/") && !strings.HasPrefix(lower, "right/")
	}
}

func (s *Spec) parseMacro(word, arg string, opt Options) error {
	if word == "@reboot" {
		return fault(word, "", "is not supported; a schedule is a list of times, and a start of the host is none")
	}
	expr, ok := macros[word]
	if !ok {
		return fault("", word, "is not a macro; there are @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually, "+
			"@every, @at and @in")
	}
	if arg != "" {
		return fault(word, arg, "is too much; the macro stands alone")
	}
	_, err := s.parseFields(strings.Fields(expr), opt)
	s.text = word
	return err
}

// parseFields reads an expression and returns its canonical text.
func (s *Spec) parseFields(texts []string, opt Options) (string, error) {
	first := posMinute
	p := parser{seed: opt.Name}
	switch len(texts) {
	case 5:
	case 6:
		p.warn("6 fields: the first is the second here; other tools read the last as a year or count days of the week from 1")
		first = posSecond
	case 7:
		first = posSecond
	default:
		return "", fault("", "", "%d fields; write 5 (minute hour day month weekday), 6 (second first) or 7 (year last)", len(texts))
	}
	fields := [fieldCount]field{posSecond: {match: "0"}, posYear: {match: "*"}}
	var canonical []string
	for i, text := range texts {
		pos := first + position(i)
		f, err := p.field(pos, text)
		if err != nil {
			return "", err
		}
		fields[pos] = f
		canonical = append(canonical, f.canonical)
	}
	if day, weekday := fields[posDay], fields[posWeekday]; day.star != weekday.star &&
		day.match != "*" && weekday.match != "*" {
		p.warn("day of month %s and day of week %s: one begins with *, so a day must match both; some tools fire on either",
			day.canonical, weekday.canonical)
	}
	cal, err := compile(&fields)
	if err != nil {
		return "", err
	}
	if _, ok := cal.find(0, cal.lastYear(firstYear)); !ok {
		years := ""
		if !cal.anyYear {
			years = " in the years " + fields[posYear].canonical
		}
		return "", fault("", "", "no such date: day of month %s, month %s and day of week %s never come together%s",
			fields[posDay].canonical, fields[posMonth].canonical, fields[posWeekday].canonical, years)
	}
	s.cal, s.warnings = cal, p.warnings
	s.fixed = !fields[posMinute].star && !fields[posHour].star
	return strings.Join(canonical, " "), nil
}

func (s *Spec) parseEvery(arg string, opt Options) error {
	period, err := duration("@every", arg)
	if err != nil {
		return err
	}
	s.kind, s.period, s.anchor, s.text = Every, period, opt.Anchor.Round(0), "@every "+compact(period)
	return nil
}

func (s *Spec) parseIn(arg string, opt Options) error {
	wait, err := duration("@in", arg)
	if err != nil {
		return err
	}
	base := opt.Anchor
	if base.IsZero() {
		base = opt.Now
	}
	if base.IsZero() {
		return fault("@in", arg, "has nothing to count from; write @at and a time")
	}
	s.kind, s.at, s.text = At, base.Round(0).Add(wait).In(s.loc), "@in "+compact(wait)
	if !served(s.at) {
		return fault("@in", arg, "is after the year 9999")
	}
	return nil
}

// parseAt reads a single time. zoned says that it depends on the spec's zone.
func (s *Spec) parseAt(arg string, opt Options) (zoned bool, err error) {
	const local = "2006-01-02T15:04:05"
	if t, err := time.Parse(local, arg); err == nil && !strings.ContainsAny(arg, ".,") {
		s.at, s.text, zoned = time.Unix(instantOf(t.Unix(), s.loc), 0), "@at "+t.Format(local), true
	} else if t, err := time.Parse(time.RFC3339, arg); err == nil && t.Nanosecond() == 0 {
		s.at, s.text = t, "@at "+t.Format(time.RFC3339)
	} else {
		return false, fault("@at", arg, "is not a time such as 2026-12-24T18:00:00 or 2026-12-24T18:00:00+01:00, in whole seconds")
	}
	s.kind, s.at = At, s.at.In(s.loc)
	if s.at.Unix() < 0 || !served(s.at) {
		return false, fault("@at", arg, "is outside the years 1970 to 9999")
	}
	if !opt.Now.IsZero() && !s.at.After(opt.Now) {
		return false, fault("@at", arg, "is in the past: it is %s", opt.Now.In(s.loc).Format(time.RFC3339))
	}
	return zoned, nil
}

func duration(field, arg string) (time.Duration, error) {
	d, err := time.ParseDuration(arg)
	if err != nil {
		return 0, fault(field, arg, "is not a length of time such as 90s, 15m or 1h30m")
	}
	if d < time.Second {
		return 0, fault(field, arg, "is shorter than a second")
	}
	return d, nil
}

// compact writes a duration without the zeros at its end: 20m, not 20m0s.
func compact(d time.Duration) string {
	text := d.String()
	if short, ok := strings.CutSuffix(text, "m0s"); ok {
		text = short + "m"
	}
	if short, ok := strings.CutSuffix(text, "h0m"); ok {
		text = short + "h"
	}
	return text
}
