package schedule_test

import (
	"strings"
	"testing"
	"time"

	"github.com/adhocore/gronx"

	"github.com/wcron/wcron/schedule"
)

var benchTexts = []string{
	"*/5 * * * *", "0 3 * * *", "0 9 * * MON-FRI", "0 0 1 * *", "0 0 29 2 *", "0 0 29 2 1", "0 18 L * *", "*/10 * * * * *",
}

// TestNextDoesNotAllocate holds for every form, not only for the common ones.
func TestNextDoesNotAllocate(t *testing.T) {
	after := present
	for _, name := range []string{"UTC", "America/New_York"} {
		for _, text := range append([]string{"H H * * *", "0 18 LW * 5#2", "*/30 2 * 3 0#2", "0 0 0 1 1 * 2090", "@daily", "@every 90s",
			"@at 2030-01-01T00:00:00"}, benchTexts...) {
			s := mustParse(t, text, schedule.Options{Location: zone(t, name)})
			if n := testing.AllocsPerRun(100, func() { s.Next(after) }); n != 0 {
				t.Errorf("%q in %s: %v allocations", text, name, n)
			}
		}
	}
}

// TestNextIsBounded runs the searches that go furthest. The limit is far above what they take (about 0.1 ms).
func TestNextIsBounded(t *testing.T) {
	for _, text := range []string{
		"*/30 2 * 3 0#2", "59 59 23 31 12 * 2099", "0 0 */28 2 5#5", "* * 30 12 */7", "0 0 29 2 */7", "*/30 2 8-14 MAR *",
	} {
		for _, name := range zones {
			s := mustParse(t, text, schedule.Options{Location: zone(t, name)})
			best := time.Hour
			for range 3 {
				start := time.Now()
				s.Next(present)
				best = min(best, time.Since(start))
			}
			if best > 20*time.Millisecond {
				t.Errorf("%q in %s took %s", text, name, best)
			}
		}
	}
}

// BenchmarkNext sets Next beside the engine's own search in one run: go test -run - -bench Next.
func BenchmarkNext(b *testing.B) {
	for _, name := range []string{"UTC", "America/New_York"} {
		loc := zone(b, name)
		after := present.In(loc)
		for _, text := range benchTexts {
			label := name + "/" + strings.ReplaceAll(text, " ", "_")
			s := mustParse(b, text, schedule.Options{Location: loc})
			b.Run(label+"/schedule", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					s.Next(after)
				}
			})
			b.Run(label+"/gronx", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := gronx.NextTickAfter(text, after, false); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkNextWorst is a schedule that is never due, because its only hour is skipped each year.
func BenchmarkNextWorst(b *testing.B) {
	s := mustParse(b, "*/30 2 * 3 0#2", schedule.Options{Location: zone(b, "America/New_York")})
	for b.Loop() {
		s.Next(present)
	}
}

func BenchmarkParse(b *testing.B) {
	for _, text := range []string{"*/5 * * * *", "0 9 * * MON-FRI", "0 18 L * *", "0 0 L,LW,15W * 5L,5#3", "@daily"} {
		b.Run(strings.ReplaceAll(text, " ", "_"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				mustParse(b, text, schedule.Options{})
			}
		})
	}
}
