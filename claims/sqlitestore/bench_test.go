package sqlitestore

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
)

// pairs claims and finalizes n slots, each with its own pair of commits, from so many goroutines.
func pairs(b *testing.B, s *Store, n, workers int, tag string) time.Duration {
	b.Helper()
	var wg sync.WaitGroup
	start := time.Now()
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n; i += workers {
				job := fmt.Sprintf("job-%06d", i)
				got, err := s.Claim(b.Context(), t0, "owner-1", []claims.Claim{due(job, fmt.Sprintf("run-%s-%06d", tag, i), 0)})
				if err != nil || got[0].Status != claims.Won {
					b.Errorf("%+v %v", got, err)
					return
				}
				if _, err := s.Finalize(b.Context(), t0, []claims.Final{final(got[0].Token, claims.OK, t0)}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return time.Since(start)
}

// BenchmarkGroupCommit compares 64 goroutines with one, in the same run: the ratio is what sharing a transaction gains.
func BenchmarkGroupCommit(b *testing.B) {
	const n = 512
	var one, many time.Duration
	for b.Loop() {
		for _, side := range []struct {
			workers int
			sum     *time.Duration
		}{{1, &one}, {64, &many}} {
			b.StopTimer()
			s := open(b, b.TempDir()+"/state")
			fill(b, s, n, 0)
			b.StartTimer()
			*side.sum += pairs(b, s, n, side.workers, fmt.Sprint(side.workers))
			b.StopTimer()
			s.Close()
			b.StartTimer()
		}
	}
	b.ReportMetric(float64(2*n*b.N)/one.Seconds(), "alone-t/s")
	b.ReportMetric(float64(2*n*b.N)/many.Seconds(), "shared-t/s")
	b.ReportMetric(one.Seconds()/many.Seconds(), "ratio")
}

func BenchmarkEmptyChanges(b *testing.B) {
	s := open(b, b.TempDir()+"/state")
	fill(b, s, 100_000, time.Hour)
	ch, err := s.Changes(b.Context(), "owner-1", 1<<40)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := s.Changes(b.Context(), "owner-1", ch.Rev); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkClaim100Due(b *testing.B) {
	s := open(b, b.TempDir()+"/state")
	fill(b, s, 10_000, 0)
	for turn := 0; b.Loop(); turn++ {
		var items []claims.Claim
		for i := range 100 {
			items = append(items, due(fmt.Sprintf("job-%06d", (turn*100+i)%10_000), fmt.Sprintf("run-%d-%d", turn, i),
				time.Duration(turn/100)*time.Minute))
			items[i].Lanes = 1 << 20
		}
		got := claim(b, s, t0, items...)
		for _, a := range got {
			if a.Status != claims.Won {
				b.Fatalf("%+v", a)
			}
		}
	}
}

func BenchmarkPut100000Unchanged(b *testing.B) {
	s := open(b, b.TempDir()+"/state")
	fill(b, s, 100_000, time.Hour)
	var jobs []claims.Put
	for i := range 100_000 {
		jobs = append(jobs, claims.Put{Name: fmt.Sprintf("job-%06d", i), Definition: "d1", Schedule: "* * * * *", Timezone: "UTC"})
	}
	for b.Loop() {
		if _, err := s.Put(b.Context(), t0, "test", jobs); err != nil {
			b.Fatal(err)
		}
	}
}
