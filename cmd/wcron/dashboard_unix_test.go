//go:build unix

package main

import (
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/gofrs/flock"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/internal/guest"
)

var dashboardAt = regexp.MustCompile(`msg=dashboard url=http://(\S+)/`)

// page asks the dashboard of the host.
func (p *process) page(path string) (body string, status int) {
	p.t.Helper()
	p.awaitLog("msg=dashboard", "url=http://127.0.0.1:")
	return p.fetch(dashboardAt, path)
}

// The dashboard of a host shows its jobs, says how long it waited for the ledger, knows no operator's API, and holds no secret, also where a
// server gives one back to the guest.
func TestDashboardOfAHost(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t-t0ken-of-the-operator"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello ", r.Header.Get("Authorization")) }))
	defer server.Close()
	at := strings.TrimPrefix(server.URL, "http://")
	h := newHome(t, "")
	h.replace(h.path("token"), []byte(secret))
	h.drop("caller", guest.Fetch(fmt.Sprintf(`{"url":%q}`, server.URL)), eachSecond+fmt.Sprintf("[[request.http]]\nhost = %q\nschemes = [\"http\"]\nreason = \"asks\"\n"+
		"[request.secrets]\nTOKEN = { inject = \"header:Authorization\", host = %q, reason = \"signs in\" }\n", at, at))
	h.drop("good", guest.Hello(), eachSecond)
	h.drop("waits", guest.Fetch(`{"url":"https://api.example.com/"}`), eachSecond+"[[request.http]]\nhost = \"api.example.com\"\nreason = \"reads <b>it</b>\"\n")
	h.configure(fmt.Sprintf("[dashboard]\nlisten = \"127.0.0.1:0\"\n[jobs.caller.grant]\n[[jobs.caller.grant.http]]\nhost = %q\nschemes = [\"http\"]\nnetworks = [\"127.0.0.0/8\"]\n"+
		"[jobs.caller.grant.secrets]\nTOKEN = { file = \"token\" }\n", at))
	p := h.serve()
	s := h.store()
	run := h.awaitRun(s, "caller", "that is ok", ended(claims.OK))
	h.awaitRun(s, "good", "that is ok", ended(claims.OK))
	all := ""
	for _, path := range []string{"/", "/jobs/caller", "/jobs/good", "/jobs/waits", "/runs/" + run.RunID, "/runs/" + run.RunID + "/output"} {
		body, status := p.page(path)
		if status != http.StatusOK {
			t.Errorf("%s: status %d", path, status)
		}
		all += body
	}
	contains(t, all, "hello ", "reads &lt;b&gt;it&lt;/b&gt;", "then run wcron approve waits or wcron deny waits", ">pending<", "the ledger&#39;s lock", "secrets")
	for _, form := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret))} {
		if strings.Contains(all, form) {
			t.Error("the secret is on a page")
		}
	}
	for _, path := range []string{"/v1/jobs", "/v1/do", "/v1/status", "/metrics"} { // the operator's API is the socket's alone
		if _, status := p.page(path); status != http.StatusNotFound {
			t.Errorf("%s: status %d", path, status)
		}
	}
	lock := flock.New(filepath.Join(h.path("state"), "ledger.lock"))
	if err := lock.Lock(); err != nil {
		t.Fatal(err)
	}
	h.await("the page says that the host is not ready", func() bool {
		body, status := p.page("/")
		return status == http.StatusOK && strings.Contains(body, ">not ready<") && strings.Contains(body, "lock has been held for")
	})
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	h.await("it is ready again, and tells of the wait", func() bool {
		body, _ := p.page("/")
		return strings.Contains(body, ">ready<") && regexp.MustCompile(`waited \d+ times? for the ledger&#39;s lock`).MatchString(body)
	})
	p.stop()
	h.audit(s)
}

// A host that cannot have the dashboard's address says so with what to do, runs its jobs, and takes the address once it is free. A changed key
// needs a restart, and says that.
func TestDashboardAddressIsTaken(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	h := newHome(t, fmt.Sprintf("[dashboard]\nlisten = %q\n", taken.Addr()))
	h.drop("good", guest.Hello(), eachSecond)
	p := h.serve()
	p.awaitLog("level=ERROR msg=no_dashboard", "address already in use", "choose another address with the key listen of [dashboard]")
	h.awaitRun(h.store(), "good", "that is ok", ended(claims.OK))
	taken.Close()
	if body, status := p.page("/jobs/good"); status != http.StatusOK || !strings.Contains(body, "good") {
		t.Errorf("%d %s", status, body)
	}
	if n := strings.Count(p.text(), "msg=no_dashboard"); n != 1 {
		t.Errorf("it is told %d times", n)
	}
	h.configure("[dashboard]\nlisten = \"127.0.0.1:0\"\n")
	p.awaitLog("msg=restart_needed", "keys=dashboard")
	p.stop()
}

// A dashboard that everybody could reach is refused before anything starts.
func TestDashboardIsNotPublic(t *testing.T) {
	t.Parallel()
	h := newHome(t, "[dashboard]\nlisten = \"0.0.0.0:0\"\n")
	contains(t, h.at(exitUsage, "serve"), `dashboard.listen: "0.0.0.0:0" is no loopback address`, `write "127.0.0.1:0"`)
	contains(t, h.at(exitBad, "check"), `is no loopback address`)
}

// The progress of a run is in the list, for people and for programs.
func TestListShowsProgress(t *testing.T) {
	t.Parallel()
	h := newHome(t, "drain_timeout = \"1ms\"\n")
	h.drop("mover", guest.Calling(guest.ThenClock, guest.Call{Function: "wcron_progress", Request: `{"percent":41.6,"text":"two\nof five\u001b[31m"}`}),
		"schedule = \"@reboot\"\ntimeout = \"5m\"\noutput = \"8MiB\"\n")
	p := h.serve()
	h.await("progress in the list", func() bool { return strings.Contains(h.at(0, "list"), "42% two of five") })
	contains(t, h.at(0, "list"), "mover running @reboot 42% two of five")
	if strings.Contains(h.at(0, "list"), "\x1b[31m") {
		t.Error("the text of the progress colours the terminal")
	}
	contains(t, h.at(0, "list", "--json"), `"percent":41.6,"text":"two of five`)
	p.stop()
}
