//go:build unix

package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/internal/guest"
)

// TestGrantedHTTP is a plugin's way to the network: nothing leaves before it is approved, then the host puts the secret into the request,
// what is not granted stays refused, and nothing of the secret is seen anywhere. A grant that is changed holds for the next run.
func TestGrantedHTTP(t *testing.T) {
	const secret = "s3cret-value-of-the-token"
	var asked, signed atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Header.Get("Authorization") == "Bearer "+secret {
			signed.Add(1)
		}
		_, _ = w.Write([]byte("the news of " + r.URL.Path))
	}))
	defer server.Close()
	address := strings.TrimPrefix(server.URL, "http://")
	manifest := "schedule = \"@every 1s\"\n[[request.http]]\nhost = \"" + address + "\"\nschemes = [\"http\"]\npaths = [\"/one\", \"/two\"]\nreason = \"reads\"\n" +
		"[request.secrets]\nT = { inject = \"header:Authorization\", host = \"" + address + "\", format = \"Bearer %s\", reason = \"signs in\" }\n"
	get := func(path string) string { return `{"url":"` + server.URL + path + `","method":"GET"}` }
	h := newHome(t, "")
	h.drop("news", guest.Fetch(get("/one"), get("/three")), manifest)
	token := filepath.Join(h.dir, "token")
	if err := os.WriteFile(token, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	wcron := func(args ...string) string {
		t.Helper()
		out, _ := h.wcron(append(args, "-c", h.file())...)
		return out
	}
	p := h.serve()
	h.await("the job waits", func() bool { return strings.Contains(wcron("list"), "it waits for approval") })
	if n := asked.Load(); n != 0 {
		t.Fatalf("%d requests before the approval", n)
	}
	if out := wcron("approve", "news", "--yes", "--secret", "T=file:"+token); !strings.Contains(out, "it imports ") || !strings.Contains(out, "http_request") {
		t.Errorf("approve: %s", out)
	}
	s := h.store()
	run := h.awaitRun(s, "news", "that is ok", func(r claims.Run) bool { return r.Outcome == claims.OK })
	if out := h.output(s, run); !strings.Contains(out, "the news of /one\n") || strings.Contains(out, "the news of /three") {
		t.Errorf("the run wrote %q", out)
	}
	if a, b := asked.Load(), signed.Load(); a == 0 || a != b {
		t.Errorf("%d requests, %d of them with the secret", a, b)
	}
	for _, args := range [][]string{{"logs", "news"}, {"history", "--json"}, {"list", "--json"}, {"grants", "--json"}, {"grants", "export"}, {"inspect", "news", "--json"}} {
		if out := wcron(args...); strings.Contains(out, secret) {
			t.Errorf("wcron %s tells the secret", strings.Join(args, " "))
		}
	}
	if strings.Contains(p.text(), secret) {
		t.Error("the log tells the secret")
	}

	// Without HTTP in its grant the job goes on, and its requests do not.
	if out := wcron("approve", "news", "--yes", "--only", "secrets"); !strings.Contains(out, "of that it is not given") {
		t.Errorf("approve: %s", out)
	}
	since := run.ClaimedAt
	for _, r := range h.runs(s, "news") {
		if r.ClaimedAt.After(since) {
			since = r.ClaimedAt
		}
	}
	run = h.awaitRun(s, "news", "after the change", func(r claims.Run) bool { return r.Outcome != claims.Running && r.ClaimedAt.After(since) })
	if out := h.output(s, run); strings.Contains(out, "the news of") {
		t.Errorf("the run wrote %q", out)
	}
	p.stop()
	h.audit(s)
}
