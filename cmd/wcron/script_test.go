package main

import (
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/wcron/wcron/internal/guest"
)

// patience is how long a test waits for what takes a moment on an idle machine.
const patience = 60 * time.Second

// TestMain makes the test binary be wcron where a test starts it under that name.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == compileWorker { // started by a wcron that is this test binary under whatever name
		main()
	}
	testscript.Main(m, map[string]func(){"wcron": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("TZ", "UTC") // as in a container that has no zone of its own
			env.Setenv("NO_COLOR", "1")
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"guest": makeGuest,
			"exits": exits,
			"await": await,

			"harmless": harmless,
		},
	})
}

// makeGuest writes a module: guest KIND FILE [MANIFEST-FILE].
func makeGuest(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: guest KIND FILE [MANIFEST-FILE]")
	}
	kinds := map[string]func() []byte{
		"hello": guest.Hello, "spin": guest.Spin, "echo": guest.Echo, "extism": guest.Extism, "trap": guest.Trap, "flood": guest.Flood, "noentry": guest.NoEntry,
		"reactor": guest.Reactor, "growforever": guest.GrowForever, "importunknown": guest.ImportUnknown,
		"fail":    func() []byte { return guest.Print("", "no\n", 3) },
		"exit300": func() []byte { return guest.Exit(300) },
		"exit75":  func() []byte { return guest.Exit(75) },
		"both":    func() []byte { return guest.Print("to stdout\n", "to stderr\n", 7) },
		"sleep":   func() []byte { return guest.Sleep(time.Hour) },
		"torn":    func() []byte { b := guest.Hello(); return append(b[:len(b):len(b)], 1, 1, 0) }, // a second type section, at the end
		"third":   func() []byte { return guest.FailUntil(3) },
	}
	make, ok := kinds[args[0]]
	if text, says := strings.CutPrefix(args[0], "say:"); says {
		make, ok = func() []byte { return guest.Greet(text) }, true
	}
	if from, imports := strings.CutPrefix(args[0], "import:"); imports {
		module, name, _ := strings.Cut(from, "/")
		make, ok = func() []byte { return guest.Importing("extism:host/"+module, name) }, true
	}
	if !ok {
		ts.Fatalf("there is no guest %q", args[0])
	}
	wasm := make()
	if len(args) > 2 {
		wasm = guest.WithManifest(wasm, ts.ReadFile(args[2]))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), wasm, 0o644))
}

// harmless tells that the output of the last command has no character that a terminal obeys: harmless stdout|stderr
func harmless(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: harmless stdout|stderr")
	}
	text := ts.ReadFile(args[0])
	if text == "" {
		ts.Fatalf("there is no %s", args[0])
	}
	for i, r := range text {
		if r != '\n' && !unicode.IsPrint(r) {
			ts.Fatalf("%s has %U at byte %d: %q", args[0], r, i, text[max(i-20, 0):min(i+20, len(text))])
		}
	}
}

// exits runs a command that must end with that exit code: exits CODE COMMAND ARG...
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// await runs a command again and again until it succeeds and prints what a pattern matches: await PATTERN COMMAND ARG...
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: await PATTERN COMMAND ARG...")
	}
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		err := ts.Exec(args[1], args[2:]...)
		if err == nil && pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%q did not print %s within %s: %v", args[1:], args[0], patience, err)
		}
	}
}
