package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/wcron/wcron/internal/guest"
)

// What --input names is on stdin, and what Extism's input functions read as well; the manifest's config is what config_get answers.
func TestExecGivesInputAndConfig(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	small, large := write("small", []byte("hello")), write("large", make([]byte, maxInput+1))
	for input, want := range map[string]string{"": "", "-": "", small: "hello", large: ""} {
		if got, err := (&execCmd{Input: input}).input(); err != nil || string(got) != want {
			t.Errorf("%q: %q, %v", input, got, err)
		}
	}
	if _, err := (&execCmd{Input: filepath.Join(dir, "nowhere")}).input(); err == nil {
		t.Error("a file that is not there is no error")
	}

	module := write("m.wasm", guest.Calling(guest.ThenReturn, guest.Call{Function: "config_get", Request: "days"}))
	manifest := write("m.toml", []byte("manifest = 1\nconfig = { days = \"7\" }\n"))
	var out, errs bytes.Buffer
	for _, args := range [][]string{{"pack", "-m", manifest, module}, {"exec", module}} {
		out.Reset()
		if code := run(t.Context(), args, &app{stdin: os.Stdin, stdout: &out, stderr: &errs, now: time.Now, getenv: os.Getenv}); code != 0 {
			t.Fatalf("%v: exit code %d, %s", args, code, errs.String())
		}
	}
	if out.String() != "7\n" {
		t.Errorf("config_get gave %q", out.String())
	}
}
