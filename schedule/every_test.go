package schedule_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/wcron/wcron/schedule"
)

func TestAnchoredGrid(t *testing.T) {
	anchor := instant(t, "2026-06-01T12:00:07.25Z")
	s := mustParse(t, "@every 15m", schedule.Options{Anchor: anchor})
	for after, want := range map[string]string{
		"2026-06-01T12:00:07.25Z":        "2026-06-01T12:15:07.25Z",
		"2026-06-01T12:00:07.249999999Z": "2026-06-01T12:00:07.25Z",
		"2026-06-01T12:20:00Z":           "2026-06-01T12:30:07.25Z", // anchored on the slot, not on when a run ended
		"2026-06-01T11:59:00Z":           "2026-06-01T12:00:07.25Z",
		"2026-06-01T11:40:00Z":           "2026-06-01T11:45:07.25Z",
		"1600-01-01T00:00:00Z":           "1600-01-01T00:00:07.25Z",
		"3000-01-01T00:00:00Z":           "3000-01-01T00:00:07.25Z",
	} {
		if got := s.Next(instant(t, after)); !got.Equal(instant(t, want)) {
			t.Errorf("after %s: %s, want %s", after, got.Format(time.RFC3339Nano), want)
		}
	}
}

func TestIn(t *testing.T) {
	anchor := present.Add(-time.Hour)
	for _, row := range []struct {
		opt  schedule.Options
		want time.Time
	}{
		{schedule.Options{Now: present}, present.Add(20 * time.Minute)},
		{schedule.Options{Anchor: anchor}, anchor.Add(20 * time.Minute)},
		{schedule.Options{Anchor: anchor, Now: present}, anchor.Add(20 * time.Minute)},
	} {
		s := mustParse(t, "@in 20m", row.opt)
		if got := s.Next(time.Time{}); !got.Equal(row.want) {
			t.Errorf("%+v: %s, want %s", row.opt, got, row.want)
		}
		if got := s.Next(row.want); !got.IsZero() {
			t.Errorf("%+v: a second time %s", row.opt, got)
		}
	}
	if _, err := schedule.Parse("@in 20m", schedule.Options{}); err == nil {
		t.Error("@in without an origin was accepted")
	}
}

// everyOther hides that its Schedule is an @every, so that Count takes the general way.
type everyOther struct{ schedule.Schedule }

// TestCountAgreesWithNext compares the arithmetic of Count with counting.
func TestCountAgreesWithNext(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 4))
	for range 3000 {
		opt := schedule.Options{Location: zone(t, "Europe/Berlin")}
		if r.IntN(2) == 0 {
			opt.Anchor = present.Add(time.Duration(r.Int64N(1e15) - 5e14))
		}
		text := "@every " + time.Duration(1e9+r.Int64N(1e12)).String()
		s := mustParse(t, text, opt)
		after := present.Add(time.Duration(r.Int64N(1e14) - 5e13))
		through := after.Add(time.Duration(r.Int64N(5e13) - 1e12))
		limit := r.IntN(60) - 2
		n, last := schedule.Count(s, after, through, limit)
		wantN, wantLast := schedule.Count(everyOther{s}, after, through, limit)
		if n != wantN || !last.Equal(wantLast) {
			t.Fatalf("seed %d: %q from %s to %s, limit %d: %d %s, want %d %s", seed, text, after, through, limit, n, last, wantN, wantLast)
		}
	}
}

// stuck never advances.
type stuck struct{ at time.Time }

func (s stuck) Next(time.Time) time.Time { return s.at }

func TestCount(t *testing.T) {
	daily := mustParse(t, "0 9 * * *", schedule.Options{})
	at := func(text string) time.Time { return instant(t, text) }
	for _, row := range []struct {
		s              schedule.Schedule
		after, through time.Time
		limit, n       int
		last           time.Time
	}{
		{daily, at("2026-01-01T09:00:00Z"), at("2026-01-04T09:00:00Z"), 9, 3, at("2026-01-04T09:00:00Z")},
		{daily, at("2026-01-01T09:00:00Z"), at("2026-01-04T08:59:59Z"), 9, 2, at("2026-01-03T09:00:00Z")},
		{daily, at("2026-01-01T09:00:00Z"), at("2026-12-04T09:00:00Z"), 2, 2, at("2026-01-03T09:00:00Z")},
		{daily, at("2026-01-01T09:00:00Z"), at("2026-12-04T09:00:00Z"), 0, 0, time.Time{}},
		{daily, at("2026-01-01T09:00:00Z"), at("2026-01-01T09:00:00Z"), 5, 0, time.Time{}},
		{daily, at("2026-01-02T09:00:00Z"), at("2026-01-01T09:00:00Z"), 5, 0, time.Time{}},
		{mustParse(t, "@at 2026-01-01T10:00:00", schedule.Options{}), time.Time{}, present, 5, 1, at("2026-01-01T10:00:00Z")},
		{mustParse(t, "@every 1h", schedule.Options{Anchor: present}), time.Time{}, time.Unix(1<<60, 0), math.MaxInt32, 87649415, at("9999-12-31T23:00:00Z")},
		{stuck{present}, present.Add(-time.Second), present.Add(time.Hour), 5, 1, present},
	} {
		if n, last := schedule.Count(row.s, row.after, row.through, row.limit); n != row.n || !last.Equal(row.last) {
			t.Errorf("%v in (%s, %s], limit %d: %d %s, want %d %s", row.s, row.after, row.through, row.limit, n, last, row.n, row.last)
		}
	}
}
