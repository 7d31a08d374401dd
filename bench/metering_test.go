package bench

import (
	"errors"
	"math"
	"os"
	"testing"
)

// available skips a test that needs a compiler which is not there, but not where all must be there.
func available(t *testing.T, err error) {
	t.Helper()
	if missing := (*Unavailable)(nil); errors.As(err, &missing) && os.Getenv("WCRON_CI") != "1" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestMetering(t *testing.T) {
	t.Parallel()
	languages, want := []string{"C"}, 7
	if os.Getenv("WCRON_CI") == "1" {
		languages, want = nil, len(workloads)
	}
	f, err := Metering(t.Context(), MeteringOptions{Rounds: 1, Languages: languages, Part: 0.02})
	available(t, err)
	show(t, f)
	if len(f.Guests) != want {
		t.Errorf("%d guests were measured, want %d", len(f.Guests), want)
	}
	for _, g := range f.Guests {
		for _, v := range []float64{g.UnmeteredMS, g.MeteredMS, g.OptionMS, g.Cost, g.Gain, float64(g.Fuel)} {
			if v <= 0 || math.IsNaN(v) || math.IsInf(v, 0) {
				t.Errorf("%s %s: %+v", g.Language, g.Work, g)
			}
		}
	}
}

func TestMeteringBounds(t *testing.T) {
	for _, c := range []struct {
		cost, worst, gain float64
		failed            int
	}{{1.1, 1.6, 3, 0}, {1.11, 1.6, 3, 1}, {1.1, 1.61, 3, 1}, {1.1, 1.6, 2.9, 1}, {2, 2, 1, 3}} {
		f := MeteringFigures{MeanCost: c.cost, WorstCost: c.worst, MeanGain: c.gain}
		if failed := f.Failed(); len(failed) != c.failed {
			t.Errorf("%+v: %q", c, failed)
		}
	}
	if _, err := Metering(t.Context(), MeteringOptions{}); err == nil {
		t.Error("no round was measured")
	}
}
