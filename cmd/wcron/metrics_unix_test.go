//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/internal/guest"
	"github.com/wcron/wcron/metrics"
)

var metricsAt = regexp.MustCompile(`msg=metrics address=(\S+)`)

// get asks the address that the host serves its metrics at.
func (p *process) get(path string) (body string, status int) {
	p.t.Helper()
	p.awaitLog("msg=metrics", "address=")
	return p.fetch(metricsAt, path)
}

// fetch asks an address that the host has logged.
func (p *process) fetch(logged *regexp.Regexp, path string) (body string, status int) {
	p.t.Helper()
	res, err := http.Get("http://" + logged.FindStringSubmatch(p.text())[1] + path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(b), res.StatusCode
}

// What a host has counted can be had from its address and from its socket, agrees with the ledger, and can be read by programs.
func TestMetricsOfAHost(t *testing.T) {
	t.Parallel()
	h := newHome(t, "metrics = \"127.0.0.1:0\"\nmax_runs = 5\n")
	contains(t, h.at(exitUnreachable, "metrics"), "no host is running these jobs", "wcron serve")
	h.drop("good", guest.Hello(), eachSecond)
	h.drop("bad", guest.Exit(3), eachSecond)
	h.drop("stuck", guest.Spin(), eachSecond+"timeout = \"50ms\"\n")
	p := h.serve()
	s := h.store()
	for job, outcome := range map[string]claims.Outcome{"good": claims.OK, "bad": claims.Failed, "stuck": claims.Timeout} {
		h.awaitRun(s, job, "that ended", ended(outcome))
	}
	lines := []string{`wcron_runs_total{cause="",job="good",outcome="ok"} `, `wcron_runs_total{cause="exit",job="bad",outcome="failed"} `,
		`wcron_runs_total{cause="deadline",job="stuck",outcome="timeout"} `, `wcron_run_duration_seconds_count{job="good"} `,
		`wcron_run_lateness_seconds_bucket{job="good",le="60"} `, "wcron_up 1\n", "wcron_ready 1\n", "wcron_jobs 3\n", "wcron_run_slots 5\n",
		"wcron_configuration_problems 0\n", "wcron_ledger_lock_waits_total "}
	h.await("a run is counted after it is on record", func() bool {
		text, status := p.get("/metrics")
		return status == http.StatusOK && !slices.ContainsFunc(lines, func(line string) bool { return !strings.Contains(text, line) })
	})
	for _, path := range []string{"/v1/jobs", "/v1/do", "/"} { // the operator's API is the socket's alone
		if _, status := p.get(path); status != http.StatusNotFound {
			t.Errorf("%s: status %d", path, status)
		}
	}
	contains(t, h.at(0, "metrics"), "# TYPE wcron_runs_total counter")
	if body, status := p.get("/healthz"); status != http.StatusOK {
		t.Errorf("%d %s", status, body)
	}
	h.configure("metrics = \"127.0.0.1:0\"\nmax_run = 5\n")
	h.await("the refused file is counted", func() bool {
		text, _ := p.get("/metrics")
		return strings.Contains(text, "wcron_configurations_refused_total 1\n") && strings.Contains(text, "wcron_configuration_problems 1\n")
	})
	h.configure("metrics = \"127.0.0.1:0\"\nmax_runs = 5\n")
	values := map[string]float64{}
	for line := range strings.Lines(h.at(0, "metrics", "--json")) {
		var m metrics.Sample
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		if m.Metric == "wcron_runs_total" {
			values[m.Labels["job"]] += m.Value
		}
	}
	for job, n := range values {
		if runs := len(h.runs(s, job)); n < 1 || int(n) > runs {
			t.Errorf("%v ends of %s are counted, and %d runs on record", n, job, runs)
		}
	}
	p.stop()
	h.audit(s)
}

// A foreign process that keeps the ledger's lock: after two seconds the host is not ready, names that process everywhere, and the list
// says of the due job what it waits for. Once the lock is given back all is well again by itself.
func TestLockedLedgerIsTold(t *testing.T) {
	t.Parallel()
	h := newHome(t, "metrics = \"127.0.0.1:0\"\n")
	h.drop("due", guest.Hello(), eachSecond)
	p := h.serve()
	s := h.store()
	h.awaitRun(s, "due", "that is ok", ended(claims.OK))
	if body, status := p.get("/readyz"); status != http.StatusOK || !strings.Contains(body, `"ready":true`) {
		t.Errorf("before: %d %s", status, body)
	}
	lock := flock.New(filepath.Join(h.path("state"), "ledger.lock")) // of this process, which is another one than the host's
	if err := lock.Lock(); err != nil {
		t.Fatal(err)
	}
	locked := time.Now()
	holder := fmt.Sprintf("pid %d", os.Getpid())
	h.await("the host is not ready", func() bool { _, status := p.get("/readyz"); return status == http.StatusServiceUnavailable })
	took := time.Since(locked)
	t.Logf("not ready %s after the lock was taken", took.Round(time.Millisecond))
	if took < 2*time.Second || took > 9*time.Second { // the wait itself is given up after 10 s
		t.Errorf("not ready after %s", took)
	}
	body, _ := p.get("/readyz")
	contains(t, body, `"ready":false`, "the ledger's lock has been held for", holder, "continue or end that process")
	out := h.at(0, "list")
	contains(t, out, "it cannot start runs now: the ledger's lock has been held for", "by "+holder, "waits since")
	if i := strings.Index(out, "JOB"); i < 0 || !strings.Contains(out[i:], "ledger's lock") {
		t.Errorf("the job's line does not say what it waits for:\n%s", out)
	}
	if body, status := p.get("/healthz"); status != http.StatusOK {
		t.Errorf("the loop answers, and healthz says %d %s", status, body)
	}
	p.awaitLog("msg=lock_wait", holder)
	if text, _ := p.get("/metrics"); !strings.Contains(text, "wcron_ready 0\n") || !strings.Contains(text, "wcron_ledger_lock_long_waits_total 1\n") {
		t.Errorf("the metrics do not tell:\n%s", text)
	}
	before := len(h.runs(s, "due"))
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	h.await("the host is ready again", func() bool { _, status := p.get("/readyz"); return status == http.StatusOK })
	h.await("the job runs again", func() bool { return len(h.runs(s, "due")) > before })
	p.stop()
	if n := strings.Count(p.text(), "msg=lock_wait"); n != 1 {
		t.Errorf("the log tells of the wait %d times", n)
	}
	h.audit(s)
}
