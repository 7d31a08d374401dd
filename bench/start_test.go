package bench

import (
	"testing"
	"time"
)

func TestStart(t *testing.T) {
	t.Parallel()
	f, err := Start(t.Context(), StartOptions{Rounds: 1, For: 10 * time.Millisecond})
	available(t, err)
	show(t, f)
	if want := 5 * len(startWidths); len(f.Starts) != want {
		t.Fatalf("%d were measured, want %d", len(f.Starts), want)
	}
	for _, c := range f.Starts {
		if c.Runs < c.AtATime || c.P50US <= 0 || c.PerSecond <= 0 || c.Faster <= 0 || c.Throughput <= 0 {
			t.Errorf("%+v", c)
		}
		if c.What == emptyProcess && (c.Faster != 1 || c.Throughput != 1) {
			t.Errorf("the measure compares with itself as %+v", c)
		}
	}
	if _, err := Start(t.Context(), StartOptions{}); err == nil {
		t.Error("no round was measured")
	}
}
