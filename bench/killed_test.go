//go:build unix

package bench

import (
	"math/rand/v2"
	"testing"
)

func TestKilled(t *testing.T) {
	t.Parallel()
	f, err := Killed(t.Context(), KilledOptions{Kills: 2, Seed: rand.Uint64()})
	if err != nil {
		t.Fatal(err)
	}
	show(t, f)
	for _, why := range f.Failed() {
		t.Errorf("seed %d: %s", f.Seed, why)
	}
}

func TestKilledNeedsAKill(t *testing.T) {
	if _, err := Killed(t.Context(), KilledOptions{}); err == nil {
		t.Error("no kill, and yet it was measured")
	}
}
