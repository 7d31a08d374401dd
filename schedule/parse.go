package schedule

import (
	"errors"
	"strings"
	"time"
)

const (
	maxText = 512 // bytes of one schedule, without the zone
	maxZone = 64  // bytes of a zone's name
	maxList = 16  // schedules: the slowest searches there are, one after the other, stay below a millisecond
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
	if !opt.DST.valid() {
		return nil, fault("dst", string(opt.DST), dstWords)
	}
	lines := strings.FieldsFunc(strings.Trim(text, " \t\r\n"), func(r rune) bool { return r == '\n' || r == ';' })
	if seps := strings.Count(strings.Trim(text, " \t\r\n"), "\n") + strings.Count(text, ";"); seps == 0 || len(lines) == 0 {
		return parseOne(text, opt)
	} else if len(lines) != seps+1 {
		return nil, fault("", "", "one schedule of the list is empty; remove it")
	}
	return parseList(lines, opt)
}

// parseOne reads one schedule.
func parseOne(text string, opt Options) (*Spec, error) {
	text = strings.Trim(text, " \t\r\n")
	for i := 0; i < len(text); i++ {
		if (text[i] < ' ' && text[i] != '\t') || text[i] > '~' {
			return nil, fault("", text[i:i+1], "is not a character of a schedule")
		}
	}
	s := &Spec{loc: opt.Location, over: never, wall: noWall}
	if s.loc == nil {
		s.loc = time.UTC
	}
	body, front, err := s.prefixes(text, opt)
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
	case word == "@reboot":
		zoned, err = false, s.parseReboot(arg)
	case word[0] == '@':
		err = s.parseMacro(word, arg, opt)
	default:
		s.text, err = s.parseFields(strings.Fields(body), opt)
	}
	if err != nil {
		return nil, err
	}
	if s.fixed && (front.dst || s.dst != Once) {
		s.text = "DST=" + string(s.dst) + " " + s.text
	}
	if zoned && (front.zone || s.loc != time.UTC) && nameable(s.loc.String()) {
		s.text = "CRON_TZ=" + s.loc.String() + " " + s.text
	}
	s.settle()
	return s, nil
}

func served(t time.Time) bool { return t.Unix() >= minUnix && t.Unix() <= maxUnix }

// front is which prefixes a text has.
type front struct{ zone, dst bool }

// prefixes takes a leading CRON_TZ= or TZ= and a leading DST= off the text, in either order, and settles what they say.
func (s *Spec) prefixes(text string, opt Options) (body string, has front, err error) {
	s.dst = opt.DST
	for {
		name, value, rest := prefix(text)
		switch {
		case (name == "CRON_TZ" || name == "TZ") && !has.zone:
			has.zone = true
			err = s.zone(value, opt)
		case name == "DST" && !has.dst:
			has.dst = true
			if s.dst = DST(strings.ToLower(value)); s.dst == "" || !s.dst.valid() {
				err = fault("dst", value, dstWords)
			}
		default:
			if s.dst == "" {
				s.dst = Once
			}
			return text, has, nil
		}
		if err != nil {
			return "", has, err
		}
		text = rest
	}
}

// prefix splits NAME=value off a text; an empty name says that it has none.
func prefix(text string) (name, value, rest string) {
	word := text
	if end := strings.IndexAny(text, " \t"); end >= 0 {
		word, rest = text[:end], strings.Trim(text[end:], " \t")
	}
	name, value, ok := strings.Cut(word, "=")
	if !ok {
		return "", "", text
	}
	return name, value, rest
}

// zone settles the spec's zone as the text names it.
func (s *Spec) zone(name string, opt Options) (err error) {
	if !nameable(name) {
		return fault("timezone", name, "is not the name of a zone; write one such as Europe/Berlin or UTC")
	}
	switch {
	case name == s.loc.String():
	case opt.LocationSet:
		return fault("timezone", name, "in the text differs from the timezone %s that is set beside it; keep one", s.loc)
	default:
		if s.loc, err = time.LoadLocation(name); err != nil {
			return fault("timezone", name, "is not a known zone; write one such as Europe/Berlin or UTC")
		}
	}
	return nil
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
	expr, ok := macros[word]
	if !ok {
		return fault("", word, "is not a macro; there are @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually, "+
			"@every, @at, @in and @reboot")
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
		p.warn("6 fields: the first, %s, is the second here and %s the minute; tools that read a year last take the first for the minute",
			texts[0], texts[1])
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
	p.warnDays(fields[posDay], fields[posWeekday], strings.ToUpper(texts[posWeekday-first]), len(texts))
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

func (s *Spec) parseReboot(arg string) error {
	if arg != "" {
		return fault("@reboot", arg, "is too much; the macro stands alone")
	}
	s.kind, s.text = Reboot, "@reboot"
	s.warnings = []string{"@reboot: one run each time that a host starts, also where only the host was restarted; cron means the start of the machine"}
	return nil
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
		s.wall = t.Unix()
		s.at, s.text, zoned = time.Unix(instantOf(s.wall, s.loc), 0), "@at "+t.Format(local), true
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
