package host

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/claims/memstore"
)

// day is a simulation of a day.
func day(jobs ...Job) Simulation {
	from := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	return Simulation{Jobs: jobs, Store: memstore.New(memstore.Config{}), From: from, To: from.AddDate(0, 0, 1)}
}

func TestSimulateIsTheSameEachTime(t *testing.T) {
	play := func(seed uint64) []string {
		var told happenings
		s := day(twenty()...)
		for i := range s.Jobs {
			s.Jobs[i].Retry = claims.RetryPolicy{Retries: 2, Min: time.Second, Max: time.Minute, On: []string{"failed"}}
		}
		s.Seed, s.MaxRuns, s.OnEvent = seed, 2, told.add
		n := 0
		s.Guest = func(r SimulatedRun) SimulatedEnd {
			n++
			return SimulatedEnd{Took: time.Duration(n%50) * time.Second, ExitCode: uint32(n % 3)}
		}
		if err := Simulate(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		return told.lines
	}
	first := play(1)
	if again := play(1); !slices.Equal(first, again) {
		t.Error("the same seed tells something else")
	}
	if other := play(2); slices.Equal(first, other) {
		t.Error("another seed tells the same")
	}
	if len(first) < 5000 {
		t.Errorf("only %d events", len(first))
	}
}

// A run has the slots after From up to To, both ends of the guest's time, and every fact of it.
func TestSimulateTellsTheGuest(t *testing.T) {
	var seen []string
	s := day(Job{Name: "a", Schedule: "0 */6 * * *", Retry: claims.RetryPolicy{Retries: 1, Min: time.Minute, Max: time.Minute}, Env: map[string]string{"WCRON_ATTEMPT": "9"}})
	s.Guest = func(r SimulatedRun) SimulatedEnd {
		seen = append(seen, fmt.Sprintf("%s %s %d", r.Job, r.At.Format("02T15"), r.Attempt))
		return SimulatedEnd{ExitCode: map[string]uint32{"01T12": claims.ExitRetry}[r.At.Format("02T15")]}
	}
	if err := Simulate(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(seen, ", "), "a 01T06 1, a 01T12 1, a 01T12 2, a 01T18 1, a 02T00 1"; got != want {
		t.Errorf("runs: %s\nwant: %s", got, want)
	}
}

// What is begun at the end runs to its end, beyond the drain timeout.
func TestSimulateWaitsForTheLastRuns(t *testing.T) {
	var last Event
	s := day(Job{Name: "a", Schedule: "@daily", Timeout: 10 * time.Hour})
	s.Guest = func(SimulatedRun) SimulatedEnd { return SimulatedEnd{Took: 5 * time.Hour} }
	s.OnEvent = func(e Event) {
		if e.Kind == EndedRun {
			last = e
		}
	}
	if err := Simulate(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if want := s.To.Add(5 * time.Hour); last.Outcome != claims.OK || !last.Time.Equal(want) {
		t.Errorf("the last run: %+v, want its end at %s", last, want)
	}
}

func TestSimulateEndsEarly(t *testing.T) {
	before := runtime.NumGoroutine()
	enough := errors.New("enough")
	ctx, cancel := context.WithCancel(t.Context())
	for _, c := range []struct {
		name string
		want error
		pace func(context.Context, time.Time) error
	}{
		{"its pace", enough, func(context.Context, time.Time) error { return enough }},
		{"its context", context.Canceled, func(context.Context, time.Time) error { cancel(); return nil }},
	} {
		s := day(twenty()...)
		noon, events := s.From.Add(12*time.Hour), 0
		s.Guest = func(SimulatedRun) SimulatedEnd { return SimulatedEnd{Took: 50 * time.Second} }
		s.OnEvent = func(Event) { events++ }
		s.Pace = func(ctx context.Context, to time.Time) error {
			if to.Before(noon) {
				return nil
			}
			return c.pace(ctx, to)
		}
		if err := Simulate(ctx, s); !errors.Is(err, c.want) {
			t.Errorf("ended by %s: %v", c.name, err)
		}
		if events < 1000 {
			t.Errorf("ended by %s after %d events", c.name, events)
		}
	}
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines before, %d after", before, runtime.NumGoroutine())
}

func TestSimulateRefuses(t *testing.T) {
	good := day()
	at := func(h int) time.Time { return good.From.Add(time.Duration(h) * time.Hour) }
	for want, change := range map[string]func(*Simulation){
		"Store is required": func(s *Simulation) { s.Store = nil },
		"not after its":     func(s *Simulation) { s.To = s.From },
		"in order":          func(s *Simulation) { s.Down = []Span{{at(5), at(6)}, {at(6), at(7)}} },
		"each after":        func(s *Simulation) { s.Down = []Span{{at(0), at(6)}} },
		"and before":        func(s *Simulation) { s.Down = []Span{{at(5), at(24)}} },
		"no host from":      func(s *Simulation) { s.Down = []Span{{at(5), at(5)}} },
		"negative":          func(s *Simulation) { s.MaxRuns = -1 },
	} {
		s := day()
		change(&s)
		if err := Simulate(t.Context(), s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}

// twenty jobs as a host may have them.
func twenty() []Job {
	var jobs []Job
	for i, s := range []string{
		"* * * * *", "* * * * *", "*/5 * * * *", "*/5 * * * *", "*/10 * * * *", "*/15 * * * *", "@hourly", "@hourly", "5 * * * *", "30 */2 * * *",
		"0 9 * * MON-FRI", "@daily", "@daily", "15 3 * * *", "30 3 * * *", "@weekly", "0 6 1 * *", "@monthly", "@every 10m", "@every 7m",
	} {
		jobs = append(jobs, Job{Name: fmt.Sprintf("job-%02d", i), Schedule: s, Timezone: "Europe/Berlin"})
	}
	return jobs
}

// BenchmarkSimulateYear plays a year of twenty jobs, two of them each minute.
func BenchmarkSimulateYear(b *testing.B) {
	b.ReportAllocs()
	for range b.N {
		runs := 0
		s := day(twenty()...)
		s.Store, s.To, s.MaxRuns = memstore.New(memstore.Config{Keep: 16}), s.From.AddDate(1, 0, 0), 4
		s.Guest = func(SimulatedRun) SimulatedEnd { return SimulatedEnd{Took: 5 * time.Second} }
		s.OnEvent = func(e Event) {
			if e.Kind == EndedRun {
				runs++
			}
		}
		if err := Simulate(b.Context(), s); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(runs), "runs/op")
	}
}
