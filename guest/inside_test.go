//go:build !wasip1

package guest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/examples/jobs/jobtest"
	"github.com/wcron/wcron/internal/guest"
)

// The examples of both packages, built for wasip1 as test programs, are jobs: each prints within a real run what its comment says.
func TestExamplesAsJobs(t *testing.T) {
	if os.Getenv("WCRON_CI") != "1" {
		t.Skip("it builds and compiles two test programs; WCRON_CI=1 runs it")
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("all is well")) }))
	defer server.Close()
	folder := t.TempDir()
	for job, dir := range map[string]string{"calls": ".", "http": "./guesthttp"} {
		build := exec.Command("go", "test", "-c", "-ldflags=-s -w", "-o", filepath.Join(folder, job+".wasm"), dir)
		build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=", "GOWORK=off")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, "notify.wasm"), guest.Echo(), 0o600); err != nil {
		t.Fatal(err)
	}
	port := server.URL[strings.LastIndex(server.URL, ":"):]
	// A test program on this platform keeps what an example prints in a temporary file.
	h := jobtest.Start(t, folder, fmt.Sprintf(`
[defaults]
memory = "256MiB"
args = ["-test.v"]

[jobs.calls]
[jobs.calls.grant.emit]
jobs = ["notify"]
[[jobs.calls.grant.dir]]
guest = "/tmp"
host = '%[2]s'
mode = "rw"

[jobs.http]
config = { url = "http://localhost%[1]s/health" }
[[jobs.http.grant.http]]
host = "localhost%[1]s"
schemes = ["http"]
networks = ["127.0.0.0/8", "::1/128"]
[[jobs.http.grant.dir]]
guest = "/tmp"
host = '%[2]s'
mode = "rw"
`, port, t.TempDir()))
	for job, examples := range map[string][]string{
		"calls": {"ExampleReadEvent", "ExampleState", "ExampleState_CompareAndSet", "ExampleProgress", "ExampleEmit"},
		"http":  {"ExampleTransport"},
	} {
		e := h.Run(job, "")
		if e.Outcome != claims.OK {
			t.Errorf("%s: %s %s\n%s", job, e.Outcome, e.Reason, e.Output)
		}
		for _, name := range examples {
			if !strings.Contains(string(e.Output), "--- PASS: "+name+" ") {
				t.Errorf("%s has not run %s:\n%s", job, name, e.Output)
			}
		}
	}
}
