package jobs_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/examples/jobs/jobtest"
	"github.com/wcron/wcron/internal/guest"
)

// The job asks a real server, which goes down and comes back. Another job is started for each of the two, and for nothing else.
func TestUptime(t *testing.T) {
	e := withGo(t, "uptime")
	var site atomic.Int64
	site.Store(http.StatusOK)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/site" {
			w.WriteHeader(int(site.Load()))
		}
		fmt.Fprint(w, "all is well")
	}))
	defer server.Close()
	port := server.URL[strings.LastIndex(server.URL, ":"):]

	folder := e.plugin(t)
	if err := os.WriteFile(filepath.Join(folder, "notify.wasm"), guest.Echo(), 0o600); err != nil {
		t.Fatal(err)
	}
	asksFor(t, filepath.Join(folder, "uptime.toml"), "localhost"+port)
	h := jobtest.Start(t, folder, fmt.Sprintf(`
[[jobs.uptime.grant.http]]
host = "localhost%s"
schemes = ["http"]
networks = ["127.0.0.0/8", "::1/128"]

[jobs.uptime.grant.emit]
jobs = ["notify"]
`, port))
	input := fmt.Sprintf(`{"notify":"notify","checks":[{"name":"site","url":"http://localhost%[1]s/site"},`+
		`{"name":"api","url":"http://localhost%[1]s/api","contains":"well"}]}`, port)

	expect(t, h.Run(e.name, input), 0, "up    site\nup    api\n")
	site.Store(http.StatusServiceUnavailable)
	expect(t, h.Run(e.name, input), 0, "DOWN  site: status 503, want 200\nup    api\n")
	expect(t, h.Run(e.name, input), 0, e.block(t, "```\n"))
	down := notified(t, h, 1)
	if down.Name != "site" || !down.Down || down.Text != "site is down: status 503, want 200" || down.Since.After(time.Now()) {
		t.Errorf("notify got %+v", down)
	}
	expect(t, h.Run(e.name, input), 0, "DOWN  site: status 503, want 200\nup    api\n")

	// What fails leaves neither state nor a word to anybody.
	site.Store(http.StatusOK)
	broken := strings.TrimSuffix(input, "]}") + `,{"name":"none"}]}`
	failed := h.Run(e.name, broken)
	expect(t, failed, 1, "up    site\n      notify is told\nup    api\nuptime: check 3: it needs a name and a url\n")
	if !strings.Contains(failed.Reason, "check 3: it needs a name and a url") {
		t.Errorf("the reason is %q", failed.Reason)
	}
	expect(t, h.Run(e.name, input), 0, "up    site\n      notify is told\nup    api\n")
	if up := notified(t, h, 2); up.Name != "site" || up.Down || up.Text != "site is up again" {
		t.Errorf("notify got %+v", up)
	}

	elsewhere := h.Run(e.name, `{"checks":[{"name":"other","url":"https://example.org/"}]}`)
	if elsewhere.Outcome != claims.OK || !strings.Contains(string(elsewhere.Output), "DOWN  other: http_request: requests to example.org are not granted") {
		t.Errorf("%s %s\n%s", elsewhere.Outcome, elsewhere.Reason, elsewhere.Output)
	}
}

// told is the input of the job that is notified.
type told struct {
	Name, Text string
	Down       bool
	Since      time.Time
}

// notified is what run number n of the job notify was given, which prints its event.
func notified(t *testing.T, h *jobtest.Host, n int) told {
	t.Helper()
	var event struct{ Input told }
	e := h.Ended("notify", n)
	if err := json.Unmarshal(e.Output, &event); err != nil {
		t.Fatalf("%v: %s", err, e.Output)
	}
	return event.Input
}

// asksFor makes a sidecar ask for another host, over plain HTTP, in place of its first one.
func asksFor(t *testing.T, sidecar, host string) {
	t.Helper()
	text, err := os.ReadFile(sidecar)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), "[[request.http]]\nhost = \"")
	_, after, closed := strings.Cut(rest, "\"\n")
	if !ok || !closed {
		t.Fatalf("%s asks for no host", sidecar)
	}
	asks := fmt.Sprintf("%s[[request.http]]\nhost = %q\nschemes = [\"http\"]\n%s", before, host, after)
	if err := os.WriteFile(sidecar, []byte(asks), 0o600); err != nil {
		t.Fatal(err)
	}
}
