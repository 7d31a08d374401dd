package jobs_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/examples/jobs/jobtest"
)

// withModules is an example in Go that is a module of its own, and needs others.
func withModules(t *testing.T, name string) example {
	t.Helper()
	e := withGo(t, name)
	fetch := exec.Command("go", "mod", "download")
	fetch.Dir, fetch.Env = name, append(os.Environ(), e.env...)
	if out, err := fetch.CombinedOutput(); err != nil {
		line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		jobtest.Missing(t, "this job needs modules that cannot be had: %s; set GOPROXY to a module proxy", line)
	}
	return e
}

// A plugin over Extism's own kit has config, HTTP, state, log, output and error here.
func TestPageWatch(t *testing.T) {
	e := withModules(t, "pagewatch")
	var text atomic.Value
	text.Store("<title>Example Domain</title> first version")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept") != "text/html" || text.Load() == "" {
			w.WriteHeader(http.StatusInternalServerError)
		}
		_, _ = io.WriteString(w, text.Load().(string))
	}))
	defer server.Close()
	host := "localhost" + server.URL[strings.LastIndex(server.URL, ":"):]
	folder := e.plugin(t)
	asksFor(t, filepath.Join(folder, "pagewatch.toml"), host)
	h := jobtest.Start(t, folder, fmt.Sprintf(`
[jobs.pagewatch]
config = { url = "http://%[1]s/" }
[[jobs.pagewatch.grant.http]]
host = "%[1]s"
schemes = ["http"]
networks = ["127.0.0.0/8", "::1/128"]

[jobs.elsewhere]
plugin = "pagewatch.wasm"
`, host))
	readme(t, h, e)
	line := "info: \"Example Domain\" has "
	text.Store("<title>Example Domain</title>  first\n version\n")
	expect(t, h.Run(e.name, ""), 0, line+"46 bytes\nunchanged: Example Domain\n")
	text.Store("<title>Example Domain</title> second")
	expect(t, h.Run(e.name, ""), 0, line+"36 bytes\nchanged: Example Domain\n")
	text.Store("")
	bad := h.Run(e.name, "")
	if bad.Outcome != claims.Failed || !strings.HasSuffix(bad.Reason, ": http://"+host+"/: status 500") || *bad.ExitCode != claims.ExitRetry {
		t.Errorf("%s %s\n%s", bad.Outcome, bad.Reason, bad.Output)
	}
	if why := h.Broken("elsewhere"); why == "" {
		t.Error("the job that is granted nothing runs")
	}
}

// Scripts are files in a folder: they can be changed while the job is there, have its state, and are ended at its deadline.
func TestJSRun(t *testing.T) {
	if os.Getenv("WCRON_CI") != "1" {
		t.Skip("the engine takes long to build and to compile; WCRON_CI=1 runs it")
	}
	e := withModules(t, "jsrun")
	scripts := t.TempDir()
	if err := os.CopyFS(scripts, os.DirFS(filepath.Join(e.name, "scripts"))); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(scripts, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	grant := "[[jobs.%s.grant.dir]]\nguest = \"/scripts\"\nhost = '%s'\n"
	h := jobtest.Start(t, e.plugin(t), "[jobs.brief]\nplugin = 'jsrun.wasm'\ntimeout = '2s'\n"+fmt.Sprintf(grant, "jsrun", scripts)+fmt.Sprintf(grant, "brief", scripts))
	readme(t, h, e)
	expect(t, h.Run(e.name, ""), 0, "all within 5, 2 in a row\n")
	expect(t, h.Run(e.name, `{"script":"streak.js","data":{"numbers":[1,9],"limit":5}}`), 0, "over 5: 9\n")
	expect(t, h.Run(e.name, ""), 0, "all within 5, 1 in a row\n")

	write("own.js", "print(event.job, state.get('streak'))\nstate.set('streak', 100)\n")
	expect(t, h.Run(e.name, `{"script":"own.js"}`), 0, "jsrun 1\n")
	write("own.js", "state.set('streak', 0)\nthrow new Error('no disk')\n")
	thrown := h.Run(e.name, `{"script":"own.js"}`)
	expect(t, thrown, 1, "jsrun: Error: no disk at own.js:2:7(8)\n")
	if !strings.HasSuffix(thrown.Reason, ": Error: no disk at own.js:2:7(8)") {
		t.Errorf("the reason is %q", thrown.Reason)
	}
	expect(t, h.Run(e.name, ""), 0, "all within 5, 101 in a row\n") // what the script set that threw is not kept

	for _, name := range []string{"none.js", "../../etc/passwd", "/etc/passwd"} {
		lost := h.Run(e.name, fmt.Sprintf(`{"script":%q}`, name))
		if lost.Outcome != claims.Failed || !strings.Contains(string(lost.Output), "is /scripts granted to the job") {
			t.Errorf("%s: %s %s\n%s", name, lost.Outcome, lost.Reason, lost.Output)
		}
	}
	write("endless.js", "print('begin'); for (;;) {}")
	endless := h.Run("brief", `{"script":"endless.js"}`)
	if endless.Outcome != claims.Timeout || string(endless.Output) != "begin\n" {
		t.Errorf("%s %s\n%s", endless.Outcome, endless.Reason, endless.Output)
	}
}
