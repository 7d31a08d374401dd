package web_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/admin"
	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/claims/sqlitestore"
	"github.com/wcron/wcron/host"
	"github.com/wcron/wcron/internal/guest"
	"github.com/wcron/wcron/web"
)

var runningLink = regexp.MustCompile(`<a href="/runs/([^"]+)">run [^<]*</a> for <time`)

// patience bounds every wait of the tests; none takes that long.
const patience = 30 * time.Second

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("did not come: %s", what)
		}
	}
}

// served starts a host with these jobs, and gives the API that its dashboard shows.
func served(t *testing.T, jobs ...host.Job) admin.API {
	t.Helper()
	dir := t.TempDir()
	store, err := sqlitestore.Open(t.Context(), sqlitestore.Config{Dir: filepath.Join(dir, "state")})
	if err != nil {
		t.Fatal(err)
	}
	spool := filepath.Join(dir, "state", "spool")
	h, err := host.New(host.Config{Store: store, Jobs: host.NewJobs(jobs...), Spool: spool, Version: "v1", MaxRuns: 8, DrainTimeout: -1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- h.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ran, store.Close()); err != nil {
			t.Error(err)
		}
	})
	api := admin.NewServed(admin.Config{Store: store, Jobs: func() []host.Job { return jobs }, Spool: spool, Zone: func() string { return "Europe/Berlin" },
		Access: func(job string) (*admin.Access, string) {
			if job != "broken" {
				return nil, ""
			}
			ask := admin.Ask{Kind: "http", What: "GET https://api.example.com/**", Reason: "reads the status"}
			return &admin.Access{State: admin.Pending, Requested: []admin.Ask{ask}, Denied: []admin.Ask{ask}}, "run wcron approve broken"
		}}, h)
	eventually(t, "all jobs are compiled and registered", func() bool {
		list, err := h.Status(t.Context())
		for _, s := range list {
			if s.State == host.Compiling || (s.Row.Name == "" && s.State != host.Pending) {
				return false
			}
		}
		return err == nil && len(list) == len(jobs)
	})
	return api
}

func do(t *testing.T, api admin.API, kind claims.RequestKind, job string) {
	t.Helper()
	if _, err := api.Do(t.Context(), admin.Request{Kind: kind, Job: job, By: "test", Reason: "holidays"}); err != nil {
		t.Fatal(err)
	}
}

func contains(t *testing.T, page string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(page, part) {
			t.Errorf("%q is not in\n%s", part, page)
		}
	}
}

// The pages of a host that runs jobs say what these are, what runs and how far it is, what became of the slots, and what a run wrote.
func TestPagesOfAHost(t *testing.T) {
	var calls []guest.Call
	for i := range 400 {
		calls = append(calls, guest.Call{Function: "wcron_progress", Request: fmt.Sprintf(`{"percent":%d,"text":"<i>step</i> %d"}`, i/4, i), Nap: 20 * time.Millisecond})
	}
	api := served(t,
		host.Job{Name: "broken", Module: host.Bytes(guest.Hello()), Broken: "it waits for approval; run wcron approve broken", Withheld: host.Pending},
		host.Job{Name: "fails", Module: host.Bytes(guest.Print("to <b>stdout</b>\n", "\x1b[31mto stderr\n", 3)), Schedule: "0 0 1 1 *", Timezone: "UTC"},
		host.Job{Name: "moves", Module: host.Bytes(guest.Calling(guest.ThenReturn, calls...)), Timeout: time.Minute},
		host.Job{Name: "resting", Module: host.Bytes(guest.Hello()), Schedule: "@every 1h"},
	)
	h := web.Handler(web.Config{API: api})
	do(t, api, claims.Pause, "resting")
	do(t, api, claims.Trigger, "fails")
	do(t, api, claims.Trigger, "moves")

	var run string
	eventually(t, "progress on the page", func() bool {
		got := page(t, h, "/")
		_, row, _ := strings.Cut(got, `data-key="moves"`)
		link := runningLink.FindStringSubmatch(row)
		if link != nil {
			run = link[1]
		}
		return link != nil && strings.Contains(got, "<progress ") && strings.Contains(got, "&lt;i&gt;step&lt;/i&gt;")
	})
	eventually(t, "the paused job and the failed one", func() bool {
		got := page(t, h, "/")
		return strings.Contains(got, ">paused<") && strings.Contains(got, ">failed<")
	})
	got := page(t, h, "/")
	contains(t, got, `<html lang="en">`, "<title>Jobs - wcron</title>", `href="/jobs/broken"`, ">pending<", ">it waits for approval<", ">run wcron approve broken<", "holidays",
		">running<", ">ready<", "0 0 1 1 * (UTC)", "Times are in Europe/Berlin", "8 run slots", "the ledger&#39;s lock", "<bdi>v1</bdi>")
	first := page(t, h, "/runs/"+run)
	contains(t, first, "How far it is", "<progress max=", "by hand", "claimed", `data-wcron="live"`, `href="/jobs/moves"`)
	eventually(t, "the progress moves", func() bool {
		part := func(s string) string { return s[strings.Index(s, "How far"):strings.Index(s, "What happened")] }
		now := page(t, h, "/runs/"+run)
		return strings.Contains(now, "How far") && part(now) != part(first)
	})
	got = page(t, h, "/jobs/fails")
	contains(t, got, "failed (exit 3)", "0 0 1 1 *", "<summary>Policies</summary>", "starting_deadline", "exit code 3", "by hand")
	_, id, _ := strings.Cut(got[strings.Index(got, `<h2 id="runs">`):], `href="/runs/`)
	id, _, _ = strings.Cut(id, `"`)
	got = page(t, h, "/runs/"+id)
	contains(t, got, "to &lt;b&gt;stdout&lt;/b&gt;\n", "\u241b[31mto stderr", "guest started", "ended", "failed (exit 3) after", "peak of memory", "fuel", `data-wcron="still"`)
	if w := ask(t, h, "/runs/"+id+"/output"); w.Body.String() != "to <b>stdout</b>\n\x1b[31mto stderr\n" {
		t.Errorf("the file is %q", w.Body)
	}
	contains(t, page(t, h, "/runs/"+id[:24]), "failed (exit 3)") // a prefix that no other run has
	contains(t, page(t, h, "/jobs/broken"), "What its plugin asks for", "https://api.example.com/**", "reads the status", ">denied<")
	for _, path := range []string{"/jobs/none", "/runs/0000", "/runs/x"} {
		if w := ask(t, h, path); w.Code != http.StatusNotFound {
			t.Errorf("%s: status %d", path, w.Code)
		}
	}
}
