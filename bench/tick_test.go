package bench

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/claims/sqlitestore"
	"github.com/wcron/wcron/host"
	"github.com/wcron/wcron/internal/guest"
)

const (
	manyJobs = 100_000
	far      = "0 0 1 1 *" // not due while a benchmark runs, unless it runs at the turn of the year
)

// crowded is a store with manyJobs jobs, none of which is due for a day.
func crowded(b *testing.B) (*sqlitestore.Store, time.Time) {
	b.Helper()
	dir, remove, err := newFolder()
	if err != nil {
		b.Fatal(err)
	}
	s, err := dir.open(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close(); remove() })
	now := time.Now().UTC().Truncate(time.Second)
	var puts []claims.Put
	for i := range manyJobs {
		puts = append(puts, claims.Put{Name: jobName(i), Definition: "d", Schedule: everySecond, Timezone: "UTC", First: now.Add(24 * time.Hour)})
	}
	for part := range slices.Chunk(puts, 1000) {
		if _, err := s.Put(b.Context(), now, "bench", part); err != nil {
			b.Fatal(err)
		}
	}
	return s, now
}

func jobName(i int) string { return fmt.Sprintf("job-%06d", i) }

// BenchmarkChanges is what a host asks the store twice a second, when nothing is new.
func BenchmarkChanges(b *testing.B) {
	s, _ := crowded(b)
	seen, err := s.Changes(b.Context(), "owner", 0)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := s.Changes(b.Context(), "owner", seen.Rev); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkIdleSecond lets a host with manyJobs jobs wait: an operation is one second of the wall clock, and the figure is the
// processor time that the whole process takes in it, collection of garbage included.
func BenchmarkIdleSecond(b *testing.B) {
	if _, ok := processorTime(); !ok {
		b.Skip("this platform does not tell the processor time of a process")
	}
	dir, remove, err := newFolder()
	if err != nil {
		b.Fatal(err)
	}
	defer remove()
	s, err := dir.open(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	hello := host.Bytes(guest.Hello())
	jobs := make([]host.Job, manyJobs)
	for i := range jobs {
		jobs[i] = host.Job{Name: jobName(i), Module: hello, Schedule: far}
	}
	r, err := launch(dir.config(s, jobs))
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if _, err := r.wait(); err != nil {
			b.Error(err)
		}
	}()
	if err := r.ready(b.Context(), manyJobs); err != nil {
		b.Fatal(err)
	}
	time.Sleep(2 * time.Second) // the polls that bring the registered rows back to the host are not idle
	before, _ := processorTime()
	seconds := 0
	for b.Loop() {
		time.Sleep(time.Second)
		seconds++
	}
	after, _ := processorTime()
	b.ReportMetric(float64((after-before).Microseconds())/1000/float64(seconds), "cpu-ms/s")
}

// BenchmarkClaimAndCommit claims and commits slots among manyJobs jobs, each with a claim and a commit of its own: one by one, and
// from 64 goroutines at once, which share transactions. An operation is 256 slots on each side, so that the ratio is of one run.
func BenchmarkClaimAndCommit(b *testing.B) {
	const n = 256
	s, now := crowded(b)
	var alone, together time.Duration
	turn := 0
	for b.Loop() {
		alone += claimAndCommit(b, s, now, turn*2*n, n, 1)
		together += claimAndCommit(b, s, now, turn*2*n+n, n, 64)
		turn++
	}
	pairs := float64(n * turn)
	b.ReportMetric(pairs/alone.Seconds(), "alone-slots/s")
	b.ReportMetric(pairs/together.Seconds(), "together-slots/s")
	b.ReportMetric(alone.Seconds()/together.Seconds(), "ratio")
}

// claimAndCommit does n slots, one of each of the jobs from the first on, from so many goroutines.
func claimAndCommit(b *testing.B, s *sqlitestore.Store, now time.Time, first, n, workers int) time.Duration {
	b.Helper()
	var wg sync.WaitGroup
	begin := time.Now()
	for w := range workers {
		wg.Go(func() {
			for i := first + w; i < first+n; i += workers {
				if err := oneSlot(b, s, now, i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return time.Since(begin)
}

func oneSlot(b *testing.B, s *sqlitestore.Store, now time.Time, i int) error {
	job, round := jobName(i%manyJobs), i/manyJobs
	due := now.Add(24*time.Hour + time.Duration(round)*time.Second)
	got, err := s.Claim(b.Context(), now, "owner", []claims.Claim{{
		Slot: claims.ScheduledSlot(job, due), Attempt: 1, RunID: fmt.Sprintf("run-%08d", i), Deadline: due.Add(time.Minute), Digest: "d",
		From: due, Next: due.Add(time.Second),
	}})
	if err != nil {
		return err
	}
	if got[0].Status != claims.Won {
		return fmt.Errorf("claim of %s: %+v", job, got[0])
	}
	done, err := s.Finalize(b.Context(), now, []claims.Final{{Token: got[0].Token, Outcome: claims.OK, StartedAt: now, EndedAt: now}})
	if err != nil {
		return err
	}
	if done[0].Status != claims.Done {
		return fmt.Errorf("commit of %s: %+v", job, done[0])
	}
	return nil
}
