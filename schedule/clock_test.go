package schedule_test

import (
	"math"
	"sync"
	"testing"
	"time"

	"github.com/wcron/wcron/schedule"
)

// TestNineInToronto is T1: a wall-clock time holds all year.
func TestNineInToronto(t *testing.T) {
	s := mustParse(t, "CRON_TZ=America/Toronto 0 9 * * *", schedule.Options{})
	at := instant(t, "2026-01-01T00:00:00-05:00")
	for day := range 365 {
		next := s.Next(at)
		want := time.Date(2026, 1, 1+day, 9, 0, 0, 0, zone(t, "America/Toronto"))
		if !next.Equal(want) {
			t.Fatalf("day %d: %s, want %s", day, next, want)
		}
		at = next
	}
}

// TestRepeatedHour is T3: the runs between 00:59 and 02:00 in New York on 2026-11-01.
func TestRepeatedHour(t *testing.T) {
	after, through := instant(t, "2026-11-01T00:59:00-04:00"), instant(t, "2026-11-01T01:59:59-05:00")
	for text, want := range map[string]int{
		"*/30 * * * *": 4, "0 * * * *": 2, "*/15 1 * * *": 8, "30 1 * * *": 1, "@hourly": 2,
	} {
		s := mustParse(t, text, schedule.Options{Location: zone(t, "America/New_York")})
		if n, _ := schedule.Count(s, after, through, 100); n != want {
			t.Errorf("%q: %d runs, want %d", text, n, want)
		}
	}
}

// TestEveryIgnoresZones is T4.
func TestEveryIgnoresZones(t *testing.T) {
	for anchor, want := range map[string]string{
		"2026-03-08T01:30:00-05:00": "2026-03-08T08:30:00Z",
		"2026-11-01T01:30:00-04:00": "2026-11-01T07:30:00Z",
	} {
		at := instant(t, anchor)
		for _, opt := range []schedule.Options{{}, {Anchor: at}, {Location: zone(t, "America/New_York")}} {
			s := mustParse(t, "@every 120m", opt)
			if got := s.Next(at).UTC().Format(time.RFC3339); got != want {
				t.Errorf("@every 120m after %s with %+v: %s, want %s", anchor, opt, got, want)
			}
		}
	}
}

// TestStrictlyLater is T7: Next moves on from each of its own answers, at every clock change and on the last day of leap
// years, where time.Time.ZoneBounds is wrong.
func TestStrictlyLater(t *testing.T) {
	from, through := instant(t, "2010-01-01T00:00:00Z"), instant(t, "2046-01-01T00:00:00Z")
	for _, name := range zones {
		loc := zone(t, name)
		starts := changes(loc, from, through)
		for year := 2012; year <= 2044; year += 4 {
			starts = append(starts, time.Date(year, 12, 31, 0, 0, 0, 0, time.UTC).Unix())
		}
		for _, text := range []string{"*/30 * * * *", "30 2 * * *", "0 0 * * *", "0 5 * * 1", "0 0 29 2 *", "0 3 30 * *"} {
			s := mustParse(t, text, schedule.Options{Location: loc})
			for _, start := range starts {
				at := time.Unix(start-7200, 0)
				for range 8 {
					next := s.Next(at)
					if !next.After(at) {
						t.Fatalf("%q in %s: Next(%s) = %s", text, name, at.In(loc), next)
					}
					at = next
				}
			}
		}
	}
}

// TestExtremes asks for times at the ends of the calendar and beyond: the answer is later or never.
func TestExtremes(t *testing.T) {
	opt := schedule.Options{Location: zone(t, "America/New_York"), Now: present}
	anchored := opt
	anchored.Anchor = present
	for _, text := range []string{"* * * * *", "0 0 29 2 *", "0 0 L * *", "0 0 0 1 1 * 2030", "@every 7s", "@every 2562047h", "@in 5m", "@at 2030-01-01T00:00:00"} {
		for _, o := range []schedule.Options{opt, anchored} {
			s := mustParse(t, text, o)
			for _, after := range []time.Time{
				{}, time.Unix(math.MinInt64, 0), time.Unix(math.MaxInt64, 0), time.Unix(-1<<62, 0), time.Unix(1<<62, 0),
				time.Date(-5000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), time.Date(1600, 2, 28, 0, 0, 0, 0, time.UTC),
				time.Date(9999, 12, 31, 23, 59, 58, 999, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC),
			} {
				next := s.Next(after)
				if !next.IsZero() && (!next.After(after) || next.UTC().Year() > 9999) {
					t.Errorf("%q: Next(%s) = %s", text, after, next)
				}
				if next.IsZero() && after.Unix() > -1<<61 && after.Unix() < 0 && text != "0 0 29 2 *" && text != "0 0 0 1 1 * 2030" {
					t.Errorf("%q: Next(%s) = never", text, after)
				}
			}
		}
	}
}

func TestNextDropsMonotonicClock(t *testing.T) {
	now := time.Now() // has a monotonic reading, which would make equal times differ
	s := mustParse(t, "@every 5s", schedule.Options{})
	if next := s.Next(now); next != next.Round(0) {
		t.Errorf("%s has a monotonic reading", next)
	}
}

// TestConcurrentUse lets the race detector see one Spec used by many goroutines.
func TestConcurrentUse(t *testing.T) {
	s := mustParse(t, "*/20 1 L * FRI#2; @every 1h; 30 2 * * *", schedule.Options{Location: zone(t, "Europe/Berlin")})
	want := s.Next(present)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 200 {
				if got := s.Next(present); !got.Equal(want) || s.String() == "" || len(s.Warnings()) != 1 {
					t.Errorf("%s, want %s, warnings %q", got, want, s.Warnings())
					return
				}
			}
		})
	}
	group.Wait()
}
