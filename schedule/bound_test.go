package schedule

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
)

// TestSearchIsBounded hunts for the text whose search looks at the most segments of its zone, by changing the worst so far. A segment
// costs some tenths of a microsecond, so this is a bound on time that no busy machine disturbs.
func TestSearchIsBounded(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 7))
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	parts := [][]string{
		{"", "DST=skip ", "DST=both "},
		{"*/30", "0", "30", "H", "*"},
		{"2", "1", "0", "23", "*/30", "1-2"},
		{"*", "L", "LW", "29W", "31W", "*/28", "8-14", "29", "30", "*/7", "1W"},
		{"*", "3", "2", "4", "9", "10", "11", "3,9", "10-11"},
		{"*", "SUN#2", "SUNL", "SUN#5", "*/7", "SAT#5", "THUL", "SUN#1", "*,SUN"},
	}
	places := []string{"America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Santiago", "Africa/Cairo", "Africa/Casablanca",
		"America/Havana", "Asia/Gaza", "Asia/Beirut", "Antarctica/Troll"}
	locs := map[string]*time.Location{}
	for _, name := range places {
		loc, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		locs[name] = loc
	}
	rounds := 400
	if os.Getenv("WCRON_CI") == "1" {
		rounds = 5000
	}
	worst, what := 0, ""
	parts = append(parts, places)
	best := []string{"", "*/30", "2", "*", "3", "SUN#2", "America/New_York"} // never due, since that hour is skipped each year
	for n := range rounds {
		text := append([]string(nil), best...)
		for range n % 4 { // the known one itself to begin with
			i := r.IntN(len(parts))
			text[i] = pick(parts[i]...)
		}
		if n%4 == 3 {
			for i := range text {
				text[i] = pick(parts[i]...)
			}
		}
		name := text[6]
		expr := text[0] + strings.Join(text[1:6], " ")
		s, err := Parse(expr, Options{Location: locs[name]})
		if err != nil {
			continue
		}
		for _, year := range []int{1971, 2007, 2026, 2039, 2086} {
			_, hops, _ := s.search(dayNumber(year, 5, 1) * secondsPerDay)
			if hops > worst {
				best = text
			}
			if hops > worst {
				worst, what = hops, fmt.Sprintf("%q in %s from %d", expr, name, year)
			}
		}
	}
	t.Logf("the worst: %d segments, %s", worst, what)
	if worst > 400 {
		t.Errorf("%s looks at %d segments, which is more than a fraction of a millisecond", what, worst)
	}
}

// TestWorstList asks a list of the slowest schedules there are. The limit is several times what it takes.
func TestWorstList(t *testing.T) {
	loc, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for i := range maxList {
		lines = append(lines, fmt.Sprintf("*/30 2 * 3 0#2,%d#2", []int{0, 7}[i%2])+strings.Repeat(",0#2", i/2))
	}
	for i := range lines { // different texts, or they would count once
		lines[i] = fmt.Sprintf("%d-%d %s", i, i+20, strings.TrimPrefix(strings.Replace(lines[i], "*/30", "", 1), " "))
		lines[i] = "DST=skip " + lines[i]
	}
	s, err := Parse(strings.Join(lines, ";"), Options{Location: loc})
	if err != nil || len(s.list) != maxList {
		t.Fatalf("%v, %d schedules", err, len(s.list))
	}
	best := time.Hour
	for range 20 {
		start := time.Now()
		if next := s.Next(time.Unix(1_800_000_000, 0)); !next.IsZero() {
			t.Fatalf("due at %s", next)
		}
		best = min(best, time.Since(start))
	}
	t.Logf("%s", best)
	if best > 3*time.Millisecond {
		t.Errorf("a list of %d took %s", maxList, best)
	}
}
