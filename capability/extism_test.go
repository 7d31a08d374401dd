package capability

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/sandbox"
)

// long says whether the long form of a test is asked for.
func long() bool { return os.Getenv("WCRON_CI") == "1" }

// fetched is where the module proxy's copy of a module lies.
func fetched(t *testing.T, module string) string {
	t.Helper()
	cmd := exec.Command("go", "mod", "download", "-json", module)
	cmd.Dir, cmd.Env = t.TempDir(), append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	out, err := cmd.Output()
	var m struct{ Dir, Error string }
	if jerr := json.Unmarshal(out, &m); err != nil || jerr != nil || m.Dir == "" {
		if long() {
			t.Fatalf("%s cannot be had: %v %s", module, err, m.Error)
		}
		t.Skipf("%s cannot be had from the module proxy: %v %s", module, err, m.Error)
	}
	return m.Dir
}

// extismCase is one of Extism's own examples, as its kits built it, and what it does here.
type extismCase struct {
	file, entry, input string
	config             map[string]string
	outcome            sandbox.Outcome
	output             string // all of it
	reason             string // a part of it, or of why it does not compile
}

var extismCases = []extismCase{
	{file: "alloc", entry: "run_test", outcome: sandbox.OK},
	{file: "config", entry: "run_test", config: map[string]string{"thing": "hello"}, outcome: sandbox.OK, output: `{"config": "hello"}`},
	{file: "config", entry: "run_test", outcome: sandbox.OK, output: `{"config": "<unset by host>"}`},
	{file: "count_vowels", entry: "count_vowels", input: "hello world", outcome: sandbox.OK, output: `{"count":3,"total":3,"vowels":"aeiouAEIOU"}`},
	{file: "count_vowels_std", input: "hello world", config: map[string]string{"thing": "x"}, outcome: sandbox.OK, output: `{"count": 3, "config": "x", "a": "this is var a"}`},
	{file: "exit", config: map[string]string{"code": "0"}, outcome: sandbox.OK},
	{file: "exit", config: map[string]string{"code": "8"}, outcome: sandbox.Failed, reason: "exit code 8"},
	{file: "fail", entry: "run_test", outcome: sandbox.Failed, reason: "exit code 1: Some error message"},
	{file: "fs", entry: "run_test", outcome: sandbox.OK, output: "hello world!"},
	{file: "fs_std", entry: "run_test", outcome: sandbox.OK, output: "hello world!"},
	{file: "hello", entry: "run_test", outcome: sandbox.OK, output: "Hello, world!"},
	{file: "hello_haskell", entry: "testing", input: "Nick", config: map[string]string{"greeting": "Howdy"}, outcome: sandbox.OK, output: "Howdy, Nick"},
	{file: "host", reason: `imports from "extism:host/user" what this host does not provide (mult)`},
	{file: "host_memory", reason: `imports from "host" what this host does not provide (to_upper)`},
	{file: "host_multiple", reason: "(hostGreenMessage, hostPurpleMessage)"},
	{file: "http", entry: "run_test", outcome: sandbox.OK, output: "wcron: GET https://jsonplaceholder.typicode.com/todos/1: requests to jsonplaceholder.typicode.com are not granted; " +
		"grant them with http = [{host = \"jsonplaceholder.typicode.com\"}]\n" +
		`{"error":{"code":"not_granted","message":"requests to jsonplaceholder.typicode.com are not granted; grant them with http = [{host = \"jsonplaceholder.typicode.com\"}]"}}`},
	{file: "http_headers", entry: "http_get", input: `{"url":"https://example.com/","headers":{"X-Own":"1"}}`, outcome: sandbox.OK, output: `"x-made":"here 1"`},
	{file: "input_offset", entry: "input_offset_length", input: "hello", outcome: sandbox.OK, output: "\x05\x00\x00\x00\x00\x00\x00\x00"},
	{file: "lib", outcome: sandbox.OK},
	{file: "log", entry: "run_test", outcome: sandbox.OK, output: "info: this is an info log\nwarn: this is a warning log\nerror: this is an error log\n"},
	{file: "main", reason: `imports from "lib" what this host does not provide (capitalize)`},
	{file: "nested.c.instr", reason: `imports from "dylibso_observe" what this host does not provide`},
	{file: "noop", entry: "run_test", outcome: sandbox.OK},
	{file: "println", entry: "run_test", input: "hi", outcome: sandbox.OK, output: "this was printed from the plugin hi\n"},
	{file: "read_write", entry: "try_read", config: map[string]string{"path": "/mnt/test.txt"}, outcome: sandbox.OK, output: "hello world!"},
	{file: "replace", entry: "run_test", input: "hello", outcome: sandbox.OK, output: "hello"},
	{file: "sleep", entry: "run_test", config: map[string]string{"duration": "0"}, outcome: sandbox.OK, output: "slept for 0 seconds"},
	{file: "sleep", entry: "run_test", config: map[string]string{"duration": "3600"}, outcome: sandbox.Timeout, reason: "the deadline passed"},
	{file: "std_command", input: "ben", outcome: sandbox.OK, output: "hello ben"},
	{file: "var", entry: "run_test", outcome: sandbox.OK, output: "a: 10"},
}

// Extism's own example plugins run as they are; those that need functions of another host are refused with their names. Without
// WCRON_CI=1 it is the small ones.
func TestExtismsExamples(t *testing.T) {
	dir := fetched(t, "github.com/extism/go-sdk@v1.7.1")
	calls, err := Functions(nil)
	if err != nil {
		t.Fatal(err)
	}
	e, err := sandbox.New(context.Background(), sandbox.Config{Functions: calls})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close(context.Background())
	mount := t.TempDir()
	if err := os.WriteFile(filepath.Join(mount, "test.txt"), []byte("hello world!"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := newHTTPRig(t)
	r.handler = func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("X-Made", "here "+req.Header.Get("X-Own"))
		_, _ = io.WriteString(w, "{}")
	}
	seen := map[string]bool{}
	for _, test := range extismCases {
		seen[test.file+".wasm"] = true
		t.Run(test.file, func(t *testing.T) { test.run(t, e, r, filepath.Join(dir, "wasm", test.file+".wasm"), mount) })
	}
	all, err := filepath.Glob(filepath.Join(dir, "wasm", "*.wasm"))
	if err != nil || len(all) != 27 {
		t.Errorf("there are %d examples: %v", len(all), err)
	}
	for _, path := range all {
		if !seen[filepath.Base(path)] {
			t.Errorf("%s is not run", filepath.Base(path))
		}
	}
}

func (c extismCase) run(t *testing.T, e *sandbox.Engine, r *httpRig, path, mount string) {
	wasm, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(wasm) > 100<<10 && c.outcome != "" && !long() {
		t.Skip("it takes long to compile; WCRON_CI=1 runs it")
	}
	m, err := e.Compile(context.Background(), wasm)
	if err != nil {
		if c.outcome != "" || !strings.Contains(err.Error(), c.reason) {
			t.Error(err)
		}
		return
	}
	defer m.Close(context.Background())
	state := map[string][]byte{}
	if c.file == "var" {
		state["a"] = binary.LittleEndian.AppendUint32(nil, 10)
	}
	g := anyway("example.com")
	g.Config, g.Dirs = c.config, []Dir{{Guest: "/mnt", Host: mount, Write: true}}
	door := NewDoor(Setup{Grants: g, State: NewState(state, 0), HTTP: r.client})
	timeout := 30 * time.Second
	if c.outcome == sandbox.Timeout {
		timeout = 50 * time.Millisecond
	}
	var out bytes.Buffer
	res := m.Run(context.Background(), sandbox.Run{Entry: c.entry, Input: []byte(c.input), Stdout: &out, Stderr: &out, Calls: door.Calls(),
		Dirs: g.Mounts(), Timeout: timeout})
	if c.file == "http_headers" && strings.Contains(out.String(), c.output) {
		c.output = out.String() // beside headers that the server makes up
	}
	if res.Outcome != c.outcome || !strings.Contains(res.Reason, c.reason) || out.String() != c.output {
		t.Errorf("%+v, output %q, want %q", res, out.String(), c.output)
	}
	if c.file == "var" {
		if w := door.State.Writes(); len(w) != 1 || w[0].Key != "a" || binary.LittleEndian.Uint32(w[0].Value) != 20 {
			t.Errorf("it has written %+v", w)
		}
	}
}

const kitGuest = `package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	nethttp "net/http"

	"github.com/extism/go-pdk"
	"github.com/extism/go-pdk/http"
)

func main() {}

//go:wasmexport run
func run() int32 {
	name, ok := pdk.GetConfig("name")
	pdk.Log(pdk.LogInfo, fmt.Sprint(name, ok))
	pdk.SetVar("seen", append(pdk.GetVar("seen"), pdk.Input()...))
	r := pdk.NewHTTPRequest(pdk.MethodGet, "https://example.com/there").SetHeader("X-Own", "1").Send()
	fmt.Println(r.Status(), string(r.Body()), r.Headers()["x-made"])
	r = pdk.NewHTTPRequest(pdk.MethodGet, "https://elsewhere.test/").Send()
	var failure struct{ Error struct{ Code string } }
	fmt.Println(r.Status(), json.Unmarshal(r.Body(), &failure), failure.Error.Code, r.Headers()["wcron-error"])
	c := nethttp.Client{Transport: &http.HTTPTransport{}}
	resp, err := c.Post("https://example.com/posted", "text/plain", nethttp.NoBody)
	if err == nil {
		b, _ := io.ReadAll(resp.Body)
		fmt.Println(resp.StatusCode, string(b))
	}
	pdk.OutputString("the result")
	pdk.SetError(errors.New("on purpose"))
	return 7
}
`

// A plugin over Extism's kit for Go, as it comes from the module proxy and built with stock Go, uses all of it: config, log, state,
// input, HTTP that works and that is refused, output and error.
func TestExtismsKitForGo(t *testing.T) {
	if !long() {
		t.Skip("it takes long to build; WCRON_CI=1 runs it")
	}
	fetched(t, "github.com/extism/go-pdk@v1.1.3")
	dir := t.TempDir()
	for name, content := range map[string]string{"main.go": kitGuest, "go.mod": "module kit\n\ngo 1.24\n\nrequire github.com/extism/go-pdk v1.1.3\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command("go", "build", "-mod=mod", "-buildmode=c-shared", "-o", "kit.wasm", ".")
	build.Dir, build.Env = dir, append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=", "GOWORK=off")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	wasm, err := os.ReadFile(filepath.Join(dir, "kit.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	r := newHTTPRig(t)
	r.handler = func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("X-Made", "here "+req.Header.Get("X-Own"))
		_, _ = io.WriteString(w, req.Method+" "+req.URL.Path)
	}
	calls, err := Functions(nil)
	if err != nil {
		t.Fatal(err)
	}
	e, err := sandbox.New(context.Background(), sandbox.Config{Functions: calls})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close(context.Background())
	m, err := e.Compile(context.Background(), wasm)
	if err != nil {
		t.Fatal(err)
	}
	g := anyway("example.com")
	g.Config = map[string]string{"name": "value"}
	door := NewDoor(Setup{Grants: g, State: NewState(map[string][]byte{"seen": []byte("before ")}, 0), HTTP: r.client})
	var out, errs bytes.Buffer
	res := m.Run(context.Background(), sandbox.Run{Input: []byte("in"), Stdout: &out, Stderr: &errs, Calls: door.Calls(), Timeout: time.Minute})
	want := "200 GET /there here 1\n0 <nil> not_granted not_granted\n200 POST /posted\nthe result"
	if res.Reason != "exit code 7: on purpose" || out.String() != want || !strings.HasPrefix(errs.String(), "info: valuetrue\nwcron: GET https://elsewhere.test/: ") {
		t.Errorf("%+v\n%s\n%s", res, out.String(), errs.String())
	}
	if w := door.State.Writes(); len(w) != 1 || string(w[0].Value) != "before in" {
		t.Errorf("it has written %+v", w)
	}
}
