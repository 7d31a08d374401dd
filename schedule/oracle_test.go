package schedule_test

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// oracle answers the same questions as the package by looking at every minute (or second) in turn. It shares no code with
// it: it reads the text anew for every instant, remembering only what it came to, and learns of clock changes only by comparing
// offsets.
type oracle struct {
	fields [7]string // second minute hour day month weekday year
	loc    *time.Location
	step   int64
	fixed  bool
	dst    string         // once, skip or both
	days   map[int64]bool // what date has said of a day
	clocks map[int]bool   // what clock has said of a second of the day
}

const (
	oracleMonths   = "--- JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC"
	oracleWeekdays = "SUN MON TUE WED THU FRI SAT"
)

func newOracle(expr string, loc *time.Location) *oracle {
	dst := "once"
	if rest, ok := strings.CutPrefix(expr, "DST="); ok {
		dst, expr, _ = strings.Cut(rest, " ")
	}
	switch strings.ToLower(expr) {
	case "@hourly":
		expr = "0 * * * *"
	case "@daily", "@midnight":
		expr = "0 0 * * *"
	case "@weekly":
		expr = "0 0 * * SUN"
	case "@monthly":
		expr = "0 0 1 * *"
	case "@yearly", "@annually":
		expr = "0 0 1 JAN *"
	}
	parts := strings.Fields(strings.ToUpper(expr))
	o := &oracle{loc: loc, step: 1, dst: dst, days: map[int64]bool{}, clocks: map[int]bool{}}
	switch len(parts) {
	case 5:
		parts = append(append([]string{"0"}, parts...), "*")
	case 6:
		parts = append(parts, "*")
	}
	copy(o.fields[:], parts)
	for i, unit := range []string{"second", "minute", "hour", "day of month", "month", "day of week"} {
		o.fields[i] = oracleHash(o.fields[i], unit, [][2]int{{0, 59}, {0, 59}, {0, 23}, {1, 28}, {1, 12}, {0, 6}}[i])
	}
	if o.fields[0] == "0" {
		o.step = 60
	}
	o.fixed = o.fields[1][0] != '*' && o.fields[2][0] != '*'
	return o
}

func oracleNumber(text, names string) int {
	if n, err := strconv.Atoi(text); err == nil {
		return n
	}
	return strings.Index(names, text) / 4
}

// plain matches lists, ranges and steps.
func (o *oracle) plain(text string, v, lo, hi int, names string) bool {
	for it := range strings.SplitSeq(text, ",") {
		body, stepText, stepped := strings.Cut(it, "/")
		step := 1
		if stepped {
			step, _ = strconv.Atoi(stepText)
		}
		a, b, isRange := strings.Cut(body, "-")
		from, to := lo, hi
		if a != "*" && a != "?" {
			from = oracleNumber(a, names)
			to = from
			if isRange {
				if to = oracleNumber(b, names); b == "SUN" && from > 0 {
					to = 7
				}
			}
		}
		for i := from; i <= to; i += step {
			if i == v || (names == oracleWeekdays && i == 7 && v == 0) {
				return true
			}
		}
	}
	return false
}

// oracleHash replaces each H of a field by what it stands for: FNV-1a of name, NUL and unit, mixed as MurmurHash3 ends.
func oracleHash(field, unit string, span [2]int) string {
	items := strings.Split(field, ",")
	for i, it := range items {
		if !strings.HasPrefix(it, "H") {
			continue
		}
		sum := uint64(14695981039346656037)
		for _, c := range []byte(jobName + "\x00" + unit) {
			sum = (sum ^ uint64(c)) * 1099511628211
		}
		for _, k := range []uint64{0xff51afd7ed558ccd, 0xc4ceb9fe1a85ec53} {
			sum = (sum ^ sum>>33) * k
		}
		sum ^= sum >> 33
		body, stepText, stepped := strings.Cut(it, "/")
		lo, hi := span[0], span[1]
		if inner, ok := strings.CutPrefix(body, "H("); ok {
			names := map[string]string{"month": oracleMonths, "day of week": oracleWeekdays}[unit]
			a, b, _ := strings.Cut(strings.TrimSuffix(inner, ")"), "-")
			if lo, hi = oracleNumber(a, names), oracleNumber(b, names); b == "SUN" && lo > 0 {
				hi = 7
			}
		}
		if !stepped {
			items[i] = strconv.Itoa(lo + int(sum%uint64(hi-lo+1)))
			continue
		}
		step, _ := strconv.Atoi(stepText)
		items[i] = strconv.Itoa(lo+int(sum%uint64(step))) + "-" + strconv.Itoa(hi) + "/" + stepText
	}
	return strings.Join(items, ",")
}

func (o *oracle) day(t time.Time) bool {
	last := time.Date(t.Year(), t.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
	for it := range strings.SplitSeq(o.fields[3], ",") {
		if !strings.ContainsAny(it, "LW") {
			if o.plain(it, t.Day(), 1, 31, "") {
				return true
			}
			continue
		}
		target := last
		if it != "L" && it != "LW" {
			target, _ = strconv.Atoi(strings.TrimSuffix(it, "W"))
		}
		if target > last {
			continue
		}
		if strings.HasSuffix(it, "W") {
			switch time.Date(t.Year(), t.Month(), target, 0, 0, 0, 0, time.UTC).Weekday() {
			case time.Saturday:
				if target--; target == 0 {
					target = 3
				}
			case time.Sunday:
				if target++; target > last {
					target = last - 2
				}
			}
		}
		if t.Day() == target {
			return true
		}
	}
	return false
}

func (o *oracle) weekday(t time.Time) bool {
	v := int(t.Weekday())
	for it := range strings.SplitSeq(o.fields[5], ",") {
		name, nth, isNth := strings.Cut(it, "#")
		switch {
		case isNth:
			k, _ := strconv.Atoi(nth)
			if oracleNumber(name, oracleWeekdays)%7 == v && t.Day() > 7*(k-1) && t.Day() <= 7*k {
				return true
			}
		case strings.HasSuffix(it, "L"):
			if oracleNumber(strings.TrimSuffix(it, "L"), oracleWeekdays)%7 == v && t.AddDate(0, 0, 7).Month() != t.Month() {
				return true
			}
		case o.plain(it, v, 0, 6, oracleWeekdays):
			return true
		}
	}
	return false
}

func (o *oracle) date(t time.Time) bool {
	key := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC).Unix()
	due, known := o.days[key]
	if !known {
		due = o.dateAnew(t)
		o.days[key] = due
	}
	return due
}

func (o *oracle) dateAnew(t time.Time) bool {
	if !o.plain(o.fields[4], int(t.Month()), 1, 12, oracleMonths) {
		return false
	}
	if o.fields[6] != "*" && !o.plain(o.fields[6], t.Year(), 1970, 2099, "") {
		return false
	}
	if strings.HasPrefix(o.fields[3], "*") || strings.HasPrefix(o.fields[5], "*") || o.fields[3] == "?" || o.fields[5] == "?" {
		return o.day(t) && o.weekday(t)
	}
	return o.day(t) || o.weekday(t)
}

func (o *oracle) clock(t time.Time) bool {
	key := t.Hour()*3600 + t.Minute()*60 + t.Second()
	due, known := o.clocks[key]
	if !known {
		due = o.clockAnew(t)
		o.clocks[key] = due
	}
	return due
}

func (o *oracle) clockAnew(t time.Time) bool {
	return o.plain(o.fields[0], t.Second(), 0, 59, "") && o.plain(o.fields[1], t.Minute(), 0, 59, "") &&
		o.plain(o.fields[2], t.Hour(), 0, 23, "")
}

func (o *oracle) offset(x int64) int64 {
	_, off := time.Unix(x, 0).In(o.loc).Zone()
	return int64(off)
}

const threeHours = 3 * 60 * 60

func (o *oracle) due(x int64) bool {
	off := o.offset(x)
	if d := off - o.offset(x-o.step); o.fixed && o.dst != "skip" && d > 0 && d <= threeHours {
		for wall := x + off - d; wall < x+off; wall += o.step {
			if w := time.Unix(wall, 0).UTC(); o.clock(w) && o.date(w) {
				return true
			}
		}
	}
	if t := time.Unix(x+off, 0).UTC(); !o.clock(t) || !o.date(t) {
		return false
	}
	if o.fixed && o.dst != "both" {
		for y := x; y > x-threeHours; y -= o.step {
			if d := o.offset(y) - o.offset(y-o.step); d < 0 && -d <= threeHours && x < y-d {
				return false // the second pass
			}
		}
	}
	return true
}

// times returns the due times in (after, through], at most limit.
func (o *oracle) times(after, through time.Time, limit int) (list []time.Time) {
	if o.offset(after.Unix())%60 != 0 {
		o.step = 1 // the wall clock's minutes are not those of UTC
	}
	from := after.Unix() + 1
	from += ((-from)%o.step + o.step) % o.step
	for x := from; x <= through.Unix() && len(list) < limit; x += o.step {
		if o.due(x) {
			list = append(list, time.Unix(x, 0).In(o.loc))
			continue
		}
		// Whole hours of days that do not match are passed over where the clock is not changed.
		if off := o.offset(x); off == o.offset(x-o.step) && off == o.offset(x+3600) &&
			!o.date(time.Unix(x+off, 0).UTC()) && !o.date(time.Unix(x+off+3600, 0).UTC()) {
			x += 3600 - o.step
		}
	}
	return list
}

// changes returns the instants in [from, through] at which a zone's offset changes.
func changes(loc *time.Location, from, through time.Time) (list []int64) {
	o := oracle{loc: loc}
	const stride = 6 * 3600
	for x := from.Unix(); x < through.Unix(); x += stride {
		if o.offset(x) == o.offset(x+stride) {
			continue
		}
		lo, hi := x, x+stride
		for hi-lo > 1 {
			if mid := (lo + hi) / 2; o.offset(mid) == o.offset(lo) {
				lo = mid
			} else {
				hi = mid
			}
		}
		list = append(list, hi)
	}
	return slices.Clip(list)
}
