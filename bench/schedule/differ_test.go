package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

var differZones = []string{"UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Sao_Paulo", "Africa/Cairo", "Europe/Dublin", "Asia/Kolkata"}

func randomText(r *rand.Rand) string {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	field := func(lo, hi int) string {
		v := func() int { return lo + r.IntN(hi-lo+1) }
		switch r.IntN(10) {
		case 0, 1, 2:
			return "*"
		case 3:
			return fmt.Sprintf("*/%d", 1+r.IntN(hi))
		case 4:
			a, b := v(), v()
			return fmt.Sprintf("%d-%d", min(a, b), max(a, b))
		case 5:
			a, b := v(), v()
			return fmt.Sprintf("%d-%d/%d", min(a, b), max(a, b), 1+r.IntN(hi))
		case 6:
			return fmt.Sprintf("%d,%d", v(), v())
		case 7:
			return pick(fmt.Sprintf("%d/%d", v(), 1+r.IntN(hi)), fmt.Sprintf("%d-%d", v(), v()), fmt.Sprintf("*/%d", hi+1+r.IntN(9)), fmt.Sprint(hi+1+r.IntN(9)), "?", fmt.Sprintf("*,%d", v()))
		}
		return fmt.Sprint(v())
	}
	f := []string{field(0, 59), field(0, 23), "*", "*", "*"}
	if r.IntN(2) == 0 {
		f[0] = pick("0", "30", "*/15", "15,45", "*")
	}
	if r.IntN(2) == 0 {
		f[1] = fmt.Sprint(r.IntN(4))
	}
	if r.IntN(2) == 0 {
		f[2] = pick(field(1, 31), field(1, 31), "L", "LW", "15W", "1W", "?", "L-2", "31W", "5,?")
	}
	if r.IntN(4) == 0 {
		f[3] = pick(field(1, 12), "MAR", "jan-jun", "MAR,NOV", "2")
	}
	if r.IntN(2) == 0 {
		f[4] = pick(field(0, 6), "SUN", "MON-FRI", "fri-sun", "7", "5-7", "FRI#2", "FRIL", "5L", "?", "0-7", "*/2", "L")
	}
	if r.IntN(6) == 0 {
		f = append([]string{field(0, 59)}, f...)
	}
	return strings.Join(f, " ")
}

// TestDifferences asks ours and two other libraries random questions, half of them near changes of the clock. Each difference must be
// of a class that docs/schedules.md lists for that library.
func TestDifferences(t *testing.T) {
	seed := uint64(20260329) // the same questions each time; DIFFER_SEED asks others
	if text := os.Getenv("DIFFER_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 11))
	questions := 600
	if os.Getenv("WCRON_CI") == "1" {
		questions = 5_000
	}
	listed := map[string]bool{}
	for _, e := range examples {
		for _, name := range e.parsers {
			listed[name+": "+string(e.class)] = true
		}
	}
	found := map[string]int{}
	asked, same := 0, 0
	for range questions {
		name := differZones[r.IntN(len(differZones))]
		loc := mustLoad(t, name)
		text := randomText(r)
		at := time.Unix(1_500_000_000+r.Int64N(900_000_000), 0).In(loc)
		if r.IntN(2) == 0 {
			at = nearChange(r, at)
		}
		for _, other := range parsers()[1:3] {
			d, differs := compare(other, text, loc, at)
			asked++
			if !differs {
				same++
				continue
			}
			c := classify(other, d)
			key := other.name + ": " + string(c)
			found[key]++
			if c == "" || !listed[key] {
				t.Errorf("seed %d: %s: %q in %s after %s: ours %s %v, theirs %s %v: class %q, which is not listed", seed, other.name, text, name,
					at.Format(time.RFC3339), stamp(d.ours), d.oursE, stamp(d.theirs), d.theirE, c)
			}
			if t.Failed() && len(found) > 400 {
				return
			}
		}
	}
	t.Logf("%d questions, %d with the same answer; %v", asked, same, found)
}

func nearChange(r *rand.Rand, at time.Time) time.Time {
	for range 60 {
		next := at.Add(7 * 24 * time.Hour)
		_, a := at.Zone()
		if _, b := next.Zone(); a != b {
			lo, hi := at.Unix(), next.Unix()
			for hi-lo > 1 {
				mid := (lo + hi) / 2
				if _, m := time.Unix(mid, 0).In(at.Location()).Zone(); m == a {
					lo = mid
				} else {
					hi = mid
				}
			}
			return time.Unix(hi-26*3600+r.Int64N(30*3600), 0).In(at.Location())
		}
		at = next
	}
	return at
}

func mustLoad(t *testing.T, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func stamp(at time.Time) string {
	if at.IsZero() {
		return "never"
	}
	return at.Format("2006-01-02 15:04 -07:00")
}

// TestReport runs the comparison of speed in short. The bound is generous: figures are for the program itself.
func TestReport(t *testing.T) {
	behind := 0
	for _, text := range common {
		s, err := measure(text, "America/New_York", 3, 300*time.Microsecond)
		if err != nil {
			t.Fatal(err)
		}
		if ratio, name := s.ratio(); ratio < 1 {
			behind++
			t.Logf("%q: %s is %.1f times as fast as ours: %v", text, name, 1/ratio, s.ns)
		}
	}
	if behind > 2 { // one or two may be the machine's fault
		t.Errorf("ours is behind on %d of %d common schedules", behind, len(common))
	}
	for _, text := range worst {
		longest, zone, err := slowest(text)
		if err != nil {
			t.Fatal(err)
		}
		if longest > 10*time.Millisecond {
			t.Errorf("%q in %s: a call takes %s", text, zone, longest)
		}
	}
}
