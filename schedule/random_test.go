package schedule_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/schedule"
)

var zones = []string{
	"America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Sao_Paulo", "Europe/Dublin", "Antarctica/Troll",
	"Pacific/Apia", "America/Havana", "America/Santiago", "Africa/Cairo", "Africa/Casablanca", "Asia/Kolkata", "UTC",
}

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := loadZone(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func mustParse(t testing.TB, text string, opt schedule.Options) *schedule.Spec {
	t.Helper()
	s, err := schedule.Parse(text, opt)
	if err != nil {
		t.Fatalf("Parse(%q): %v", text, err)
	}
	return s
}

// randomField writes a field whose values lie between lo and hi.
func randomField(r *rand.Rand, lo, hi int) string {
	value := func() int { return lo + r.IntN(hi-lo+1) }
	one := func() string {
		a, b := value(), value()
		if a > b {
			a, b = b, a
		}
		switch r.IntN(4) {
		case 0:
			return fmt.Sprintf("%d-%d", a, b)
		case 1:
			return fmt.Sprintf("%d-%d/%d", a, b, 1+r.IntN(max(hi/2, 1)))
		default:
			return strconv.Itoa(a)
		}
	}
	switch r.IntN(8) {
	case 0, 1:
		return "*"
	case 2:
		return "*/" + strconv.Itoa(1+r.IntN(max(hi/2, 1)))
	case 3:
		return one() + "," + one() + "," + one()
	case 4:
		return "*," + one()
	default:
		return one()
	}
}

func randomExpr(r *rand.Rand, seconds bool) string {
	hours := 23
	if r.IntN(2) == 0 {
		hours = 4 // where clocks are changed
	}
	parts := []string{randomField(r, 0, 59), randomField(r, 0, hours), "*", "*", "*"}
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	if r.IntN(3) == 0 {
		parts[0] = pick("0", "30", "0,30", "*/15", "*/30")
	}
	if r.IntN(2) == 0 {
		parts[2] = pick(randomField(r, 1, 31), "L", "LW", "15W", "1W,31W", "L,1-3", "?", "*/2")
	}
	if r.IntN(3) == 0 {
		parts[3] = pick(randomField(r, 1, 12), "MAR,NOV", "mar-nov", "JAN-JUN/2")
	}
	if r.IntN(2) == 0 {
		parts[4] = pick(randomField(r, 0, 7), "SUN", "fri-sun", "0L", "5#3", "SUNL,1#1", "MON-FRI", "*/2")
	}
	if r.IntN(12) == 0 {
		parts[0] = pick("H", "H/7", "H(10-40)/9", "H(0-29),45")
	}
	if seconds {
		parts = append([]string{randomField(r, 0, 59)}, parts...)
		if r.IntN(3) == 0 {
			parts = append(parts, pick("*", "*/2", "2006-2030", "2026", "1990-2098/3"))
		}
	}
	return pick("", "", "", "DST=skip ", "DST=both ") + strings.Join(parts, " ")
}

// TestRandomAgainstOracle compares all due times in a window with those that the oracle finds by looking at each instant.
func TestRandomAgainstOracle(t *testing.T) { eachZoneData(t, randomAgainstOracle) }

func randomAgainstOracle(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	from, through := time.Date(2006, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2046, 1, 1, 0, 0, 0, 0, time.UTC)
	cases := 30
	if os.Getenv("WCRON_CI") == "1" {
		cases = 300
	}
	for _, name := range zones {
		loc := zone(t, name)
		near := changes(loc, from, through)
		for i := range cases {
			seconds := i%5 == 0
			expr := randomExpr(r, seconds)
			s, err := schedule.Parse(expr, schedule.Options{Location: loc, Name: jobName})
			if err != nil {
				if strings.Contains(err.Error(), "no such date") {
					continue
				}
				t.Fatalf("seed %d: Parse(%q): %v", seed, expr, err)
			}
			start, window := from.Unix()+r.Int64N(through.Unix()-from.Unix()), 60*time.Hour
			if i%2 == 0 && len(near) > 0 {
				start = near[r.IntN(len(near))] - r.Int64N(36*3600)
			}
			if seconds {
				window = 3 * time.Hour
				if i%2 == 0 && len(near) > 0 {
					start = near[r.IntN(len(near))] - r.Int64N(3600)
				}
			}
			after := time.Unix(start, r.Int64N(2)*r.Int64N(1e9))
			compare(t, seed, expr, s, loc, newOracle(expr, loc), after, after.Add(window))
			if t.Failed() {
				return
			}
		}
	}
}

func compare(t *testing.T, seed uint64, expr string, s *schedule.Spec, loc *time.Location, o brute, after, through time.Time) {
	t.Helper()
	at := after
	for _, want := range o.times(after, through, 100_000) {
		if got := s.Next(at); !got.Equal(want) {
			t.Errorf("seed %d: %q in %s: Next(%s) = %s, want %s", seed, expr, loc, at.In(loc).Format(time.RFC3339Nano), got, want)
			return
		}
		at = want
	}
	if got := s.Next(at); !got.IsZero() && !got.After(through) {
		t.Errorf("seed %d: %q in %s: Next(%s) = %s, want none before %s", seed, expr, loc, at.In(loc), got, through)
	}
}

// TestSparseAgainstOracle compares single answers that are far away.
func TestSparseAgainstOracle(t *testing.T) { eachZoneData(t, sparseAgainstOracle) }

func sparseAgainstOracle(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 2))
	for range 80 {
		loc := zone(t, zones[r.IntN(len(zones))])
		expr := fmt.Sprintf("%d %d %s %d %s", r.IntN(60), r.IntN(24), []string{"29", "1-7", "*/9", "L", "13"}[r.IntN(5)], 1+r.IntN(12),
			[]string{"*", "*/2", "5", "1#1"}[r.IntN(4)])
		s, err := schedule.Parse(expr, schedule.Options{Location: loc})
		if err != nil {
			t.Fatal(err)
		}
		after := time.Unix(1.1e9+r.Int64N(1.5e9), 0)
		want := newOracle(expr, loc).times(after, after.AddDate(40, 0, 0), 1)
		if got := s.Next(after); len(want) == 0 || !got.Equal(want[0]) {
			t.Errorf("seed %d: %q in %s: Next(%s) = %s, want %v", seed, expr, loc, after.In(loc), got, want)
		}
	}
}

// TestInvariants checks what holds for every schedule, on starts too far apart for the oracle.
func TestInvariants(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 3))
	for i := range 2000 {
		loc := zone(t, zones[r.IntN(len(zones))])
		expr := randomExpr(r, i%3 == 0)
		if i%7 == 0 {
			expr += "; @every 7h; " + randomExpr(r, false)
		}
		s, err := schedule.Parse(expr, tableOptions(loc))
		if err != nil {
			continue
		}
		a := time.Unix(-2e9+r.Int64N(7e9), r.Int64N(1e9))
		b := a.Add(time.Duration(r.Int64N(int64(90 * 24 * time.Hour))))
		na, nb := s.Next(a), s.Next(b)
		switch {
		case !na.IsZero() && !na.After(a):
			t.Fatalf("seed %d: %q in %s: Next(%s) = %s is not later", seed, expr, loc, a, na)
		case !nb.IsZero() && (na.IsZero() || nb.Before(na)):
			t.Fatalf("seed %d: %q in %s: Next(%s) = %s but Next(%s) = %s", seed, expr, loc, a, na, b, nb)
		case !na.IsZero() && b.Before(na) && !nb.Equal(na):
			t.Fatalf("seed %d: %q in %s: nothing between, but Next(%s) = %s and Next(%s) = %s", seed, expr, loc, a, na, b, nb)
		}
	}
}
