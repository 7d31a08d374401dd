package guest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/capability"
	"github.com/wcron/wcron/internal/guest"
	"github.com/wcron/wcron/sandbox"
)

// rig runs a guest over a state, which keeps what a run that is ok has written, and hears what the guest tells its clock.
type rig struct {
	t     *testing.T
	heard strings.Builder
	e     *sandbox.Engine
	m     *sandbox.Module
	state map[string][]byte
}

func newRig(t *testing.T, wasm []byte) *rig {
	ctx := context.Background()
	r := &rig{t: t, state: map[string][]byte{}}
	calls, err := capability.Functions(nil)
	if err != nil {
		t.Fatal(err)
	}
	r.e, err = sandbox.New(ctx, sandbox.Config{Functions: calls, Clock: sandbox.Clock{Sleep: func(_ context.Context, d time.Duration) {
		if letter, tail, value, ok := guest.Testimony(d); ok {
			fmt.Fprintf(&r.heard, "%c %s %s, ", letter, tail, value)
		} else {
			fmt.Fprintf(&r.heard, "%s, ", d)
		}
	}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.e.Close(ctx) })
	if r.m, err = r.e.Compile(ctx, wasm); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) run(id string) (res sandbox.Result, heard string) {
	r.heard.Reset()
	state := capability.NewState(r.state, 0)
	res = r.m.Run(context.Background(), sandbox.Run{Env: []string{"WCRON_RUN_ID=" + id}, Memory: 4 << 20, Timeout: 10 * time.Second,
		Calls: capability.NewDoor(capability.Setup{State: state}).Calls()})
	if res.Outcome == sandbox.OK {
		for _, w := range state.Writes() {
			r.state[w.Key] = w.Value
		}
	}
	return res, r.heard.String()
}

// count fails the test unless the state is that of a run.
func (r *rig) count(by string, n int) {
	r.t.Helper()
	run, count, err := guest.ReadCount(r.state[guest.CountBy], r.state[guest.CountN])
	if err != nil || run != by || count != n {
		r.t.Errorf("the state is %d by %s (%v), want %d by %s", count, run, err, n, by)
	}
}

func TestWitness(t *testing.T) {
	r := newRig(t, guest.Witness(2, 5*time.Millisecond))
	const first, failing, second = "01234567-89ab-7def-8123-456789abcdef", "01234567-89ab-7def-8123-456789abcde3", "f1234567-89ab-7def-8123-45670000000a"
	for _, c := range []struct {
		run     string
		outcome sandbox.Outcome
		heard   string
	}{
		{first, sandbox.OK, "e 9abcdef 0000000, y 9abcdef 0000000, c 9abcdef 0000000, w 9abcdef 0000001, " +
			"5ms, b 9abcdef 0000000, 5ms, b 9abcdef 0000000, l 9abcdef 0000000, "},
		{failing, sandbox.Failed, "e 9abcde3 0000000, y 9abcde3 9abcdef, c 9abcde3 0000001, w 9abcde3 0000002, " +
			"5ms, b 9abcde3 0000000, 5ms, b 9abcde3 0000000, l 9abcde3 0000000, "},
		{second, sandbox.OK, "e 000000a 0000000, y 000000a 9abcdef, c 000000a 0000001, w 000000a 0000002, " +
			"5ms, b 000000a 0000000, 5ms, b 000000a 0000000, l 000000a 0000000, "},
	} {
		res, heard := r.run(c.run)
		if res.Outcome != c.outcome || heard != c.heard {
			t.Errorf("run %s: %s (%s), heard\n%s, want\n%s", c.run, res.Outcome, res.Reason, heard, c.heard)
		}
	}
	r.count(second, 2)
}

func TestCounter(t *testing.T) {
	r := newRig(t, guest.Counter(time.Hour))
	id := ""
	for i := range 101 {
		id = fmt.Sprintf("01234567-89ab-7def-8123-%012x", i)
		if res, heard := r.run(id); res.Outcome != sandbox.OK || heard != "1h0m0s, " {
			t.Fatalf("%s (%s), heard %s", res.Outcome, res.Reason, heard)
		}
	}
	r.count(id, 101)
	if _, _, err := guest.ReadCount([]byte("x"), nil); err == nil {
		t.Error("a state of one byte is read")
	}
}
