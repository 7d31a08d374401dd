package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/internal/guest"
)

// What a manifest requests is not given by exec, unless --grant says so; then it is what a host would give, and no secret is told.
func TestExecGrants(t *testing.T) {
	const secret = "s3cret-value-of-the-token"
	signed := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Key") == secret {
			signed++
		}
		fmt.Fprintf(w, "the news, and %s", r.Header.Get("X-Key"))
	}))
	defer server.Close()
	address := strings.TrimPrefix(server.URL, "http://")
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	module := write("m.wasm", string(guest.Calling(guest.ThenReturn,
		guest.Call{Function: "http_request", Request: fmt.Sprintf(`{"url":%q}`, server.URL+"/")},
		guest.Call{Function: "wcron_emit", Request: `{"job":"notify","input":{"n":1}}`},
		guest.Call{Function: "wcron_event", Request: "{}"})))
	manifest := write("m.toml", fmt.Sprintf("manifest = 1\n[[request.http]]\nhost = %q\nschemes = [\"http\"]\nreason = \"reads\"\n[request.emit]\njobs = [\"notify\"]\nreason = \"tells\"\n"+
		"[request.secrets]\nT = { inject = \"header:X-Key\", host = %q, reason = \"signs in\" }\n[[request.dir]]\nguest = \"/data\"\nmode = \"ro\"\nreason = \"reads\"\n", address, address))
	event, token := write("event.json", `{"a":"b"}`), write("token", secret+"\n")
	bare := write("bare.wasm", string(guest.Calling(guest.ThenReturn)))
	exec := func(args ...string) (int, string) {
		var out bytes.Buffer
		code := run(t.Context(), append([]string{"exec"}, args...), &app{stdin: os.Stdin, stdout: &out, stderr: &out, now: time.Now, getenv: os.Getenv})
		if strings.Contains(out.String(), secret) {
			t.Errorf("%v tells the secret:\n%s", args, out.String())
		}
		return code, out.String()
	}
	if code := run(t.Context(), []string{"pack", "-m", manifest, module}, &app{stdin: os.Stdin, stdout: &bytes.Buffer{}, stderr: os.Stderr, now: time.Now, getenv: os.Getenv}); code != 0 {
		t.Fatal("pack failed")
	}
	given := []string{"--grant", "--secret", "T=file:" + token, "--dir", "/data=" + dir}
	network := []string{"--network", address + "=127.0.0.0/8"}
	for _, test := range []struct {
		args []string
		code int
		says []string
	}{
		{[]string{module}, 0, []string{`"code":"not_granted"`, "requested and not granted:"}},
		{[]string{module, "--secret", "T=file:" + token}, 2, []string{"give that, too"}},
		{[]string{bare, "--grant"}, 2, []string{"requests nothing"}},
		{[]string{module, "--grant"}, 2, []string{"where is the secret T"}},
		{append([]string{module}, given[:3]...), 2, []string{"which folder is /data"}},
		{append([]string{module, "--input", event}, append(given, network...)...), 0,
			[]string{"the news, and [secret]", `{"event":{"a":"b"}`, `wcron: a host would now start job notify with the input {"n":1}`}},
		{append([]string{module, "--only", "http"}, append(given[:1:1], network...)...), 0, []string{"the news, and \n", `"code":"not_granted"`}},
		{append([]string{module, "--only", ""}, given...), 2, []string{"--only: name what is to be granted"}},
		{append([]string{module, "--only", "http:example.com"}, given...), 2, []string{"asks for nothing of that name"}},
	} {
		code, out := exec(test.args...)
		for _, s := range test.says {
			if code != test.code || !strings.Contains(out, s) {
				t.Errorf("%v: exit code %d, %s\nwant %d and %q", test.args, code, out, test.code, s)
			}
		}
	}
	if signed != 1 {
		t.Errorf("%d requests had the secret", signed)
	}
}
