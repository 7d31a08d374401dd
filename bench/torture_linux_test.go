package bench

import (
	"math/rand/v2"
	"os"
	"testing"
)

// TestTorture kills hosts on one folder: 50 times where WCRON_CI is 1, and a few times otherwise.
func TestTorture(t *testing.T) {
	t.Parallel()
	o := TortureOptions{Kills: 6, Hosts: 3, Seed: rand.Uint64()}
	if os.Getenv("WCRON_CI") == "1" {
		o.Kills = 50
	}
	f, err := Torture(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	show(t, f)
	for _, why := range f.Failed() {
		t.Errorf("seed %d: %s", f.Seed, why)
	}
}
