package schedule

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
)

// position is the place of a field in the engine's order.
type position int

const (
	posSecond position = iota
	posMinute
	posHour
	posDay
	posMonth
	posWeekday
	posYear
	fieldCount
)

// unit is what a field counts.
type unit struct {
	name   string
	lo, hi int
	names  string // three letters for each value from lo on
	hashHi int    // the largest value of H
	even   bool   // hi-lo+1 values come round again and again, so a step that does not divide them is uneven
}

var units = [fieldCount]unit{
	posSecond:  {"second", 0, 59, "", 59, true},
	posMinute:  {"minute", 0, 59, "", 59, true},
	posHour:    {"hour", 0, 23, "", 23, true},
	posDay:     {"day of month", 1, 31, "", 28, false},
	posMonth:   {"month", 1, 12, "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC", 12, true},
	posWeekday: {"day of week", 0, 7, "SUNMONTUEWEDTHUFRISAT", 6, false},
	posYear:    {"year", firstYear, endYear, "", endYear, false},
}

// field is one checked field.
type field struct {
	canonical string
	match     string // for the engine: numbers only, H resolved
	star      bool   // begins with *
	byMonth   bool   // has L, W or #: which days match depends on the month
}

// parser reads the fields of one text.
type parser struct {
	seed     string // the job's name
	warnings []string
}

// field checks one field and brings it to its canonical form: upper case, numbers for names, no leading zeros, no item twice.
// The order of items is kept, because a star counts only at the beginning.
func (p *parser) field(pos position, text string) (field, error) {
	upper := strings.ToUpper(text)
	if upper == "?" {
		if pos != posDay && pos != posWeekday {
			return field{}, fault(units[pos].name, text, "is for the two day fields; write *")
		}
		upper = "*"
	}
	var f field
	var canonical, match []string
	seen := make(map[string]bool)
	for i, raw := range strings.Split(upper, ",") {
		it, err := p.item(pos, raw)
		if err != nil {
			return field{}, err
		}
		if i == 0 {
			f.star = raw[0] == '*'
		}
		f.byMonth = f.byMonth || it.byMonth
		if !seen[it.canonical] {
			seen[it.canonical] = true
			canonical, match = append(canonical, it.canonical), append(match, it.match)
		}
	}
	f.canonical, f.match = strings.Join(canonical, ","), strings.Join(match, ",")
	return f, nil
}

// item is one element of a list.
type item struct {
	canonical, match string
	byMonth          bool
}

func plain(text string) item { return item{canonical: text, match: text} }

func (p *parser) item(pos position, raw string) (item, error) {
	u := &units[pos]
	if raw == "" {
		return item{}, fault(u.name, "", "a value is missing")
	}
	body, stepText, stepped := strings.Cut(raw, "/")
	step := 0
	if stepped {
		var ok bool
		if step, ok = number(stepText); !ok || step < 1 || step > u.maxStep() {
			return item{}, fault(u.name, raw, "has a step that is not in 1-%d", u.maxStep())
		}
	}
	switch {
	case body == "*":
		return p.star(pos, step), nil
	case strings.HasPrefix(body, "H"):
		return p.hashed(pos, raw, body, step)
	case !stepped && pos == posDay && strings.ContainsAny(body, "LW"):
		return lastOrNearest(u, raw)
	case !stepped && pos == posWeekday && (strings.HasSuffix(body, "L") || strings.Contains(body, "#")):
		return weekdayOfMonth(u, raw)
	}
	return p.interval(pos, raw, body, step)
}

// star reads * (step 0) and */step.
func (p *parser) star(pos position, step int) item {
	u := &units[pos]
	if step == 0 {
		return plain("*")
	}
	text := "*/" + strconv.Itoa(step)
	p.warnStep(pos, text, u.lo, u.stepEnd(), step)
	it := plain(text)
	if pos == posYear { // the engine counts */n from the year 0
		it.match = fmt.Sprintf("%d-%d/%d", u.lo, u.hi, step)
	}
	return it
}

// interval reads a value, a range, and a range with a step.
func (p *parser) interval(pos position, raw, body string, step int) (item, error) {
	u := &units[pos]
	first, second, isRange := strings.Cut(body, "-")
	if !isRange {
		from, err := u.value(raw, first)
		if err != nil {
			return item{}, err
		}
		if step != 0 {
			return item{}, fault(u.name, raw, "is a step without a range; write %d-%d/%d", from, u.stepEnd(), step)
		}
		return plain(strconv.Itoa(from)), nil
	}
	from, to, err := u.bounds(raw, first, second)
	if err != nil {
		return item{}, err
	}
	text := fmt.Sprintf("%d-%d", from, to)
	if step != 0 {
		text += "/" + strconv.Itoa(step)
		if pos == posWeekday {
			p.warnStep(pos, text, from, to, step)
		}
	}
	return plain(text), nil
}

// bounds reads the two ends of a range.
func (u *unit) bounds(raw, first, second string) (from, to int, err error) {
	if from, err = u.value(raw, first); err != nil {
		return 0, 0, err
	}
	if to, err = u.value(raw, second); err != nil {
		return 0, 0, err
	}
	if u.hi == 7 && to == 0 && from > 0 {
		to = 7 // FRI-SUN
	}
	if from > to {
		return 0, 0, fault(u.name, raw, "runs backwards; write %s", u.unwrapped(from, to))
	}
	return from, to, nil
}

func (u *unit) maxStep() int {
	if u.lo == firstYear {
		return u.hi - u.lo
	}
	return u.hi
}

// stepEnd is where a step without an end stops.
func (u *unit) stepEnd() int {
	if u.hi == 7 {
		return 6
	}
	return u.hi
}

// unwrapped spells out a range that goes round the end of its field.
func (u *unit) unwrapped(from, to int) string {
	if u.hi == 7 && from == 7 {
		return fmt.Sprintf("0-%d", to)
	}
	if u.lo == firstYear {
		return fmt.Sprintf("%d-%d", to, from)
	}
	return fmt.Sprintf("%s,%s", span(from, u.stepEnd()), span(u.lo, to))
}

func span(from, to int) string {
	if from == to {
		return strconv.Itoa(from)
	}
	return fmt.Sprintf("%d-%d", from, to)
}

// value reads a number or a name. raw is the item it stands in, for the message.
func (u *unit) value(raw, text string) (int, error) {
	if text == "" {
		return 0, fault(u.name, raw, "lacks a value")
	}
	if len(text) == 3 && len(u.names) > 0 {
		if i := strings.Index(u.names, text); i >= 0 && i%3 == 0 {
			return u.lo + i/3, nil
		}
	}
	v, ok := number(text)
	if !ok || v < u.lo || v > u.hi {
		if u.hi == 7 && v >= firstYear {
			return 0, fault(u.name, text, "is not in 0-7; six fields begin with seconds, years need seven")
		}
		if u.names != "" {
			return 0, fault(u.name, text, "is not in %d-%d or %s-%s", u.lo, u.hi, u.names[:3], u.names[len(u.names)-3:])
		}
		return 0, fault(u.name, text, "is not in %d-%d", u.lo, u.hi)
	}
	return v, nil
}

// number reads digits only: no sign, no space. Larger numbers than any field has come back as 99999.
func number(text string) (int, bool) {
	if text == "" {
		return 0, false
	}
	n := 0
	for i := 0; i < len(text); i++ {
		if text[i] < '0' || text[i] > '9' {
			return 0, false
		}
		n = min(n*10+int(text[i]-'0'), 99999)
	}
	return n, true
}

// lastOrNearest reads L, LW and nW.
func lastOrNearest(u *unit, raw string) (item, error) {
	if raw == "L" || raw == "LW" {
		return item{raw, raw, true}, nil
	}
	day, isNearest := strings.CutSuffix(raw, "W")
	n, ok := number(day)
	if !isNearest || !ok {
		return item{}, fault(u.name, raw, "is not one of L, LW, 1W-31W")
	}
	if n < u.lo || n > u.hi {
		return item{}, fault(u.name, raw, "is not in 1W-31W")
	}
	text := strconv.Itoa(n) + "W"
	return item{text, text, true}, nil
}

// weekdayOfMonth reads nL and n#k.
func weekdayOfMonth(u *unit, raw string) (item, error) {
	if raw == "L" {
		return item{}, fault(u.name, raw, "needs a day; write 6L for the last Saturday, or 6 for each")
	}
	day, kText, isNth := strings.Cut(raw, "#")
	if !isNth {
		day = strings.TrimSuffix(raw, "L")
	}
	n, err := u.value(raw, day)
	if err != nil {
		return item{}, err
	}
	text := strconv.Itoa(n%7) + "L"
	if isNth {
		k, ok := number(kText)
		if !ok || k < 1 || k > 5 {
			return item{}, fault(u.name, raw, "does not end in #1 to #5")
		}
		text = fmt.Sprintf("%d#%d", n%7, k)
	}
	return item{text, text, true}, nil
}

// hashed reads H, H/n, H(a-b) and H(a-b)/n. The text keeps the H; the engine sees the value.
func (p *parser) hashed(pos position, raw, body string, step int) (item, error) {
	u := &units[pos]
	if pos == posYear {
		return item{}, fault(u.name, raw, "has no H")
	}
	lo, hi, text := u.lo, u.hashHi, "H"
	if body != "H" {
		inner, opened := strings.CutPrefix(body, "H(")
		inner, closed := strings.CutSuffix(inner, ")")
		first, second, isRange := strings.Cut(inner, "-")
		if !opened || !closed || !isRange {
			return item{}, fault(u.name, raw, "is not H, H/n, H(a-b) or H(a-b)/n")
		}
		var err error
		if lo, hi, err = u.bounds(raw, first, second); err != nil {
			return item{}, err
		}
		text = fmt.Sprintf("H(%d-%d)", lo, hi)
	}
	size := hi - lo + 1
	if step == 0 {
		return item{text, strconv.Itoa(lo + p.hash(u.name, size)), false}, nil
	}
	if step > size {
		return item{}, fault(u.name, raw, "has a step larger than its %d values", size)
	}
	text += "/" + strconv.Itoa(step)
	from := lo + p.hash(u.name, step)
	if body == "H" || pos == posWeekday {
		p.warnStep(pos, text, from, hi, step)
	}
	return item{text, fmt.Sprintf("%d-%d/%d", from, hi, step), false}, nil
}

// hash maps the job's name and a field to [0, n). Changing it would move every job that uses H.
func (p *parser) hash(field string, n int) int {
	h := fnv.New64a()
	h.Write([]byte(p.seed))
	h.Write([]byte{0})
	h.Write([]byte(field))
	x := h.Sum64()
	// The low bits of FNV of similar names are alike; these multiplications (the finalizer of MurmurHash3) spread them.
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	x ^= x >> 33
	return int(x % uint64(n))
}
