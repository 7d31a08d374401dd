package guest_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/internal/guest"
	"github.com/wcron/wcron/sandbox"
	"github.com/wcron/wcron/sandbox/meter"
)

// run runs a module with the arguments and input that a host would give, and 4 MiB of memory.
func run(t *testing.T, wasm []byte, env ...string) (res sandbox.Result, stdout, stderr string) {
	t.Helper()
	ctx := context.Background()
	e, err := sandbox.New(ctx, sandbox.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close(ctx)
	m, err := e.Compile(ctx, wasm)
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	res = m.Run(ctx, sandbox.Run{Args: []string{"job-a", "x"}, Env: env, Stdin: strings.NewReader("what came in"),
		Stdout: &out, Stderr: &errs, Memory: 4 << 20, Timeout: 10 * time.Second})
	return res, out.String(), errs.String()
}

func TestGuests(t *testing.T) {
	tests := []struct {
		name           string
		wasm           []byte
		env            []string
		outcome        sandbox.Outcome
		exit           uint32
		stdout, stderr string
	}{
		{name: "hello", wasm: guest.Hello(), env: []string{"A=1", "WCRON_SLOT=2026-03-08T02:30:00Z", "WCRON_JOB=backup"},
			outcome: sandbox.OK, stdout: "hello from backup, slot 2026-03-08T02:30:00Z\n"},
		{name: "hello without variables", wasm: guest.Hello(), outcome: sandbox.OK, stdout: "hello from job-a\n"},
		{name: "greet", wasm: guest.Greet("good morning"), outcome: sandbox.OK, stdout: "good morning\n"},
		{name: "a long greeting", wasm: guest.Greet(strings.Repeat("x", 600_000)), outcome: sandbox.OK,
			stdout: strings.Repeat("x", 600_000) + "\n"},
		{name: "print", wasm: guest.Print("o", "e", 300), outcome: sandbox.Failed, stdout: "o", stderr: "e", exit: 300},
		{name: "exit", wasm: guest.Exit(0xffff_fffe), outcome: sandbox.Failed, exit: 0xffff_fffe},
		{name: "attempt 2 of 3", wasm: guest.FailUntil(3), env: []string{"WCRON_ATTEMPT=2"},
			outcome: sandbox.Failed, stderr: "not before attempt 3\n", exit: 1},
		{name: "no attempt", wasm: guest.FailUntil(3), outcome: sandbox.Failed, stderr: "not before attempt 3\n", exit: 1},
		{name: "attempt 12", wasm: guest.FailUntil(3), env: []string{"WCRON_ATTEMPT=12"}, outcome: sandbox.OK, stdout: "done\n"},
		{name: "sleep", wasm: guest.Sleep(time.Millisecond), outcome: sandbox.OK, stdout: "sleeping 1ms\n"},
		{name: "echo", wasm: guest.Echo(), outcome: sandbox.OK, stdout: "what came in"},
		{name: "reactor", wasm: guest.Reactor(), outcome: sandbox.OK, stdout: "run was called\n"},
		{name: "grow", wasm: guest.Grow(63), outcome: sandbox.OK},
		{name: "grow too much", wasm: guest.Grow(64), outcome: sandbox.Trapped},
		{name: "grow for ever", wasm: guest.GrowForever(), outcome: sandbox.Trapped},
		{name: "trap", wasm: guest.Trap(), outcome: sandbox.Trapped},
		{name: "recurse", wasm: guest.Recurse(), outcome: sandbox.Trapped},
		{name: "call tree", wasm: guest.CallTree(10), outcome: sandbox.OK},
		{name: "memory min", wasm: guest.MemoryMin(64), outcome: sandbox.OK},
		{name: "memory min too much", wasm: guest.MemoryMin(65), outcome: sandbox.Trapped},
		{name: "manifest", wasm: guest.WithManifest(guest.Greet("hi"), "schedule = \"daily\"\n"), outcome: sandbox.OK, stdout: "hi\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			res, stdout, stderr := run(t, test.wasm, test.env...)
			if res.Outcome != test.outcome || res.ExitCode != test.exit {
				t.Errorf("got %+v", res)
			}
			if stdout != test.stdout || stderr != test.stderr {
				t.Errorf("wrote %.200q and %.200q", stdout, stderr)
			}
		})
	}
}

func TestWithManifestReplaces(t *testing.T) {
	wasm := guest.WithManifest(guest.WithManifest(guest.Exit(3), "old"), "new")
	got, found, err := meter.Custom(wasm, "wcron.manifest")
	if err != nil || !found || string(got) != "new" {
		t.Fatalf("got %q, %v, %v", got, found, err)
	}
	if !bytes.HasPrefix(wasm, guest.Exit(3)) {
		t.Error("the module itself was changed")
	}
}
