package thirdparty_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/examples/jobs/jobtest"
)

// ownPlugin uses what the example of the kit does not.
const ownPlugin = `import { Host, Var, Config, LogLevel } from '@extism/as-pdk';

function abort(message: string | null, file: string | null, line: u32, column: u32): void { }

export function run(): i32 {
  const seen = Var.getString("seen");
  Var.set("seen", Uint8Array.wrap(String.UTF8.encode((seen === null ? "" : seen) + "x")));
  Host.log(LogLevel.Debug, "not shown");
  Host.log(LogLevel.Warn, (seen === null ? "first" : seen) + " of " + Config.get("who")! + ": " + Host.inputString().length.toString());
  Host.output(Uint8Array.wrap(String.UTF8.encode("grüße")));
  return seen !== null && seen.length == 1 ? 3 : 0;
}
`

// Plugins over Extism's kit for AssemblyScript, as it comes from npm, run as jobs: the example that is in the kit, built with its own
// command, and one with state, log, config, input and output.
func TestExtismsKitForAssemblyScript(t *testing.T) {
	packages, err := filepath.Abs(os.Getenv("WCRON_NPM"))
	if err != nil {
		t.Fatal(err)
	}
	modules := filepath.Join(packages, "node_modules")
	kit, asc := filepath.Join(modules, "@extism", "as-pdk"), filepath.Join(modules, ".bin", "asc")
	for _, file := range []string{filepath.Join(kit, "example.ts"), asc} {
		if _, err := os.Stat(file); os.Getenv("WCRON_NPM") == "" || err != nil {
			jobtest.Missing(t, "npm install --prefix DIR --ignore-scripts @extism/as-pdk@1.0.0 assemblyscript@0.27.37 and set WCRON_NPM=DIR")
		}
	}
	if _, err := exec.LookPath("node"); err != nil {
		jobtest.Missing(t, "the compiler of AssemblyScript needs Node.js 18 or later: apt-get install nodejs")
	}
	work, folder := t.TempDir(), t.TempDir()
	if err := os.CopyFS(filepath.Join(work, "example"), os.DirFS(kit)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(work, "own.ts"), []byte(ownPlugin), 0o600); err != nil {
		t.Fatal(err)
	}
	build := func(dir string, args ...string) {
		t.Helper()
		cmd := exec.Command(asc, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("asc %v: %v\n%s", args, err, out)
		}
	}
	build(filepath.Join(work, "example"), "example.ts", "--outFile", filepath.Join(folder, "vowels.wasm"), "--use", "abort=example/myAbort")
	build(work, "own.ts", "--path", modules, "--outFile", filepath.Join(folder, "own.wasm"), "--use", "abort=own/abort", "-O")

	h := jobtest.Start(t, folder, `
[jobs.vowels]
entry = "count_vowels"
config = { thing = "said" }

[jobs.own]
config = { who = "me" }
`)
	for _, c := range []struct {
		job     string
		outcome claims.Outcome
		output  string
	}{
		{"vowels", claims.OK, `^\{"count": [1-9]\d*, "config": "said", "a": "this is var a"\}$`},
		{"own", claims.OK, `^warn: first of me: \d{3}\ngrüße$`},
		{"own", claims.Failed, `^warn: x of me: \d{3}\ngrüße$`}, // which leaves no state
		{"own", claims.Failed, `^warn: x of me: \d{3}\ngrüße$`},
	} {
		e := h.Run(c.job, "")
		if e.Outcome != c.outcome || !regexp.MustCompile(c.output).Match(e.Output) {
			t.Errorf("%s: %s (%s)\n%s\nwant %s and %s", c.job, e.Outcome, e.Reason, e.Output, c.outcome, c.output)
		}
	}
}
