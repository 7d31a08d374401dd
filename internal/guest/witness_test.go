package guest_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/internal/guest"
	"github.com/wcron/wcron/sandbox"
)

func TestWitness(t *testing.T) {
	ctx := context.Background()
	var heard strings.Builder
	e, err := sandbox.New(ctx, sandbox.Config{Clock: sandbox.Clock{Sleep: func(_ context.Context, d time.Duration) {
		if letter, tail, ok := guest.Testimony(d); ok {
			heard.WriteString(string(letter) + tail + " ")
		} else {
			heard.WriteString(d.String() + " ")
		}
	}}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close(ctx)
	m, err := e.Compile(ctx, guest.Witness(2, 5*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	res := m.Run(ctx, sandbox.Run{Env: []string{"WCRON_RUN_ID=01234567-89ab-7def-8123-456789abcdef"}, Memory: 4 << 20, Timeout: 10 * time.Second})
	if want := "e9abcdef 5ms b9abcdef 5ms b9abcdef l9abcdef "; res.Outcome != sandbox.OK || heard.String() != want {
		t.Errorf("%s (%s), heard %q, want %q", res.Outcome, res.Reason, heard.String(), want)
	}
}
