package schedule_test

import (
	"testing"
	"time"

	"github.com/wcron/wcron/schedule"
)

// FuzzParse: no text panics; an accepted one has a canonical text that is its own and the same times, and Next is strictly
// later and quick.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"*/5 * * * *", "0 9 * * MON-FRI", "30 2 13 * FRI", "0 0 L,LW,15W * 5L,5#3", "H H(0-5) H * H/2", "*/10 30 2 * MAR SUN#2 2026-2090/3",
		"@daily", "@every 90s", "@in 1h30m", "@at 2026-12-24T18:00:00", "@at 2026-12-24T18:00:00+01:00", "CRON_TZ=America/New_York 30 1 * * *",
		"TZ=Pacific/Apia 0 0 30 12 *", "*/30 2 * 3 0#2", "0 0 */28 2 5#5", "5/15 * * * *", "0 0 30 2 *", "FRI-SUN", "@every 9999999h", "\u017f",
	} {
		f.Add(text, int64(1_798_000_000), int64(1))
		f.Add(text, int64(-3_000_000_000), int64(999_999_999))
	}
	berlin := zone(f, "Europe/Berlin")
	f.Fuzz(func(t *testing.T, text string, sec, nsec int64) {
		after := time.Unix(sec, nsec&0x1fffffff)
		for _, opt := range []schedule.Options{{Name: jobName, Anchor: present}, {Location: berlin, Now: present}} {
			s, err := schedule.Parse(text, opt)
			if err != nil {
				if err.Error() == "" {
					t.Errorf("Parse(%q): an error without words", text)
				}
				continue
			}
			again, err := schedule.Parse(s.String(), opt)
			if err != nil || again.String() != s.String() {
				t.Fatalf("Parse(%q) = %q, whose own canonical text is %v (%v)", text, s, again, err)
			}
			for range 4 {
				// The best of three: a machine that is busy elsewhere is not at fault.
				best := time.Hour
				var next time.Time
				for range 3 {
					start := time.Now()
					next = s.Next(after)
					best = min(best, time.Since(start))
				}
				if best > 20*time.Millisecond {
					t.Errorf("%q: Next(%s) took %s", text, after, best)
				}
				if other := again.Next(after); !other.Equal(next) {
					t.Errorf("%q: Next(%s) = %s, but %s for %q", text, after, next, other, again)
				}
				if next.IsZero() {
					break
				}
				if !next.After(after) {
					t.Fatalf("%q: Next(%s) = %s", text, after, next)
				}
				after = next
			}
		}
	})
}
