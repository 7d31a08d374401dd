package bench

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test binary be the hosts that it measures.
func TestMain(m *testing.M) {
	if worker, err := Work(context.Background()); worker {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// show gives the figures with a failure, and makes sure that both ways to print them work.
func show(t *testing.T, f Figures) {
	t.Helper()
	var table, object strings.Builder
	if err := Print(&table, f, false); err != nil {
		t.Error(err)
	}
	if err := Print(&object, f, true); err != nil || !strings.HasPrefix(object.String(), "{") {
		t.Errorf("%s, %v", object.String(), err)
	}
	t.Logf("\n%s", table.String())
}

// wellKept checks what holds on the slowest machine too: whatever was late, nothing is lost, double or unaccounted for.
func wellKept(t *testing.T, slots Tally, overlaps, findings []string, open int) {
	t.Helper()
	for _, why := range sound(overlaps, findings, open) {
		t.Error(why)
	}
	if slots.Due == 0 || slots.NoVerdict > 0 {
		t.Errorf("%d slots were due, %d have no verdict", slots.Due, slots.NoVerdict)
	}
	if 2*slots.Started < slots.Due {
		t.Errorf("%d of %d slots started: %v", slots.Started, slots.Due, slots.Reasons)
	}
	if slots.OK < slots.Started {
		t.Errorf("%d of %d runs ended well", slots.OK, slots.Started)
	}
}

func TestTwoHosts(t *testing.T) {
	t.Parallel()
	f, err := TwoHosts(t.Context(), TwoHostsOptions{Jobs: 8, For: 3 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	show(t, f)
	wellKept(t, f.Slots, f.Overlaps, f.Findings, f.OpenClaims)
	if f.Slots.Due != 8*3 || len(f.Double) > 0 {
		t.Errorf("%d slots were due, want 24; double: %q", f.Slots.Due, f.Double)
	}
}

func TestOptions(t *testing.T) {
	if _, err := Crowd(t.Context(), CrowdOptions{Jobs: 3, For: time.Second}); err == nil {
		t.Error("a crowd of three, all of which misbehave, has no healthy job to measure")
	}
	if _, err := TwoHosts(t.Context(), TwoHostsOptions{Jobs: 1, For: time.Millisecond}); err == nil {
		t.Error("a window without a slot was measured")
	}
}
