package bench

import (
	"testing"
	"time"
)

func TestCrowd(t *testing.T) {
	t.Parallel()
	f, err := Crowd(t.Context(), CrowdOptions{Jobs: 10, For: 3 * time.Second, Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	show(t, f)
	wellKept(t, f.Healthy, f.Overlaps, f.Findings, f.OpenClaims)
	if f.Healthy.Due != 7*3 || f.Hostile.Due != 3*3 {
		t.Errorf("%d and %d slots were due, want 21 and 9", f.Healthy.Due, f.Hostile.Due)
	}
	if f.Overshoot.N < 3 {
		t.Errorf("%d runs of misbehaving jobs ended at their deadline, want one of each at least", f.Overshoot.N)
	}
	if len(f.Troubles) > 0 {
		t.Errorf("the host was troubled: %q", f.Troubles)
	}
}
