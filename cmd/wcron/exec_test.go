package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/internal/guest"
)

// An input that Extism's functions read is read to its end before; the manifest's config is what config_get answers.
func TestExecGivesInputAndConfig(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	app := func(stdin io.Reader) (*app, *bytes.Buffer, *bytes.Buffer) {
		var out, errs bytes.Buffer
		return &app{stdin: stdin, stdout: &out, stderr: &errs, now: time.Now, getenv: os.Getenv}, &out, &errs
	}
	extism, large := write("extism.wasm", guest.Extism()), write("large", make([]byte, maxInput+1))
	for _, input := range []string{"-", large} {
		a, _, errs := app(bytes.NewReader(make([]byte, maxInput+1)))
		if code := run(t.Context(), []string{"exec", "--input", input, extism}, a); code != exitUsage || !strings.Contains(errs.String(), "has more than 4 MiB") {
			t.Errorf("a large input from %s: exit code %d, %s", input, code, errs)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	silent, hold := io.Pipe()
	defer hold.Close()
	time.AfterFunc(10*time.Millisecond, stop)
	a, _, errs := app(silent)
	if code := run(ctx, []string{"exec", "--input", "-", extism}, a); code != exitKilled || !strings.Contains(errs.String(), "interrupted") {
		t.Errorf("an input that never ends: exit code %d, %s", code, errs)
	}

	module := write("m.wasm", guest.Calling(guest.ThenReturn, guest.Call{Function: "config_get", Request: "days"}))
	manifest := write("m.toml", []byte("manifest = 1\nconfig = { days = \"7\" }\n"))
	for _, args := range [][]string{{"pack", "-m", manifest, module}, {"exec", module}} {
		a, out, errs := app(os.Stdin)
		if code := run(t.Context(), args, a); code != 0 || args[0] == "exec" && out.String() != "7\n" {
			t.Fatalf("%v: exit code %d, %q, %s", args, code, out, errs)
		}
	}
}
