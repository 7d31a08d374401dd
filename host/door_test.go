package host

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/capability"
	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/internal/guest"
)

// tape is a network that plays what is on it.
type tape map[string]capability.Response

func (t tape) Do(_ context.Context, e *capability.Exchange) (*capability.Response, error) {
	r, ok := t[e.Method+" "+e.URL.String()]
	if !ok {
		return nil, fmt.Errorf("there is no %s %s on the tape", e.Method, e.URL)
	}
	return &r, nil
}

func double(_ context.Context, run capability.RunInfo, args [][]byte) ([]byte, error) {
	if string(args[0]) == "bad" {
		return nil, fmt.Errorf("%s gave something bad", run.Job)
	}
	return append(args[0], args[0]...), nil
}

// A guest calls what its job is granted, and is told of what it is not; so is the operator.
func TestGuestsThroughTheDoor(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		calls := []guest.Call{
			{Function: "config_get", Request: "city"},
			{Function: "http_request", Request: `{"url":"https://example.com/x"}`},
			{Function: "http_request", Request: `{"url":"https://example.org/"}`},
			{Function: "double", Request: "ab"}, {Function: "double", Request: "bad"}, {Function: "secretly", Request: "ab"},
			{Function: "wcron_progress", Request: `{"percent":40,"text":"on its way"}`},
			{Function: "wcron_progress", Request: `{"percent":140}`},
			{Function: "wcron_emit", Request: `{"job":"other"}`},
			{Function: "log_info", Request: "said"},
		}
		job := Job{Name: "a", Schedule: "@every 10s", Module: Bytes(guest.Calling(guest.ThenReturn, calls...)), Grants: capability.Grants{
			Config: map[string]string{"city": "Turin"}, HTTP: []capability.HTTPRule{{Host: "example.com"}}, Calls: []string{"double"},
		}}
		r := launch(t, privateDir(t), func(c *Config) {
			c.HTTP = tape{"GET https://example.com/x": {Status: 200, Body: []byte("played")}}
			c.Functions = []capability.Function{{Name: "double", Params: 1, Call: double}, {Name: "secretly", Params: 1, Call: double}}
		}, job)
		r.await("a run", func() bool { return r.told(EndedRun, "a") >= 1 })
		r.closeAfter(t, func() {
			runs := r.runs("a")
			run := runs[len(runs)-1]
			want := []string{
				"Turin", "played", `{"error":{"code":"not_granted"`, "abab", `{"error":{"code":"failed","message":"a gave something bad"}}`,
				`{"error":{"code":"not_granted","message":"the function secretly is not granted to this job; name it in the Calls of its Grants"}}`, "{}",
				`{"error":{"code":"bad_request"`, `{"error":{"code":"not_granted"`, "info: said",
			}
			at := r.output(run)
			for _, w := range want {
				_, after, found := strings.Cut(at, w)
				if !found {
					t.Fatalf("%s: no %q (in order) in\n%s", run.Outcome, w, r.output(run))
				}
				at = after
			}
			if n := r.told(GuestRefused, "a"); n < 3 {
				t.Errorf("%d refusals were told", n)
			}
		})
	})
}

// A run that is ok starts another job with an input; one that is not starts nothing.
func TestEmit(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		call := guest.Call{Function: "wcron_emit", Request: `{"job":"other","input":{"n":1}}`}
		nobody := guest.Call{Function: "wcron_emit", Request: `{"job":"nobody"}`}
		g := capability.Grants{Emit: []string{"other", "nobody"}}
		r := launch(t, privateDir(t), nil,
			Job{Name: "good", Schedule: "@every 10s", Module: Bytes(guest.Calling(guest.ThenReturn, call, nobody)), Grants: g},
			Job{Name: "bad", Schedule: "@every 10s", Module: Bytes(guest.Calling(guest.ThenExit, call)), Grants: g},
			Job{Name: "other", Module: Bytes(guest.Calling(guest.ThenReturn, guest.Call{Function: "wcron_event", Request: "{}"}))})
		r.await("two runs of each", func() bool {
			return r.told(EndedRun, "good") >= 2 && r.told(EndedRun, "bad") >= 2 && r.told(EndedRun, "other") >= 2
		})
		time.Sleep(5 * time.Second)
		r.closeAfter(t, func() {
			other := r.runs("other")
			if len(other) != len(r.runs("good")) {
				t.Errorf("%d runs of the other job, after %d", len(other), len(r.runs("good")))
			}
			for _, run := range other {
				if out := r.output(run); !strings.Contains(out, `"input":{"n":1}`) || !strings.Contains(out, `"manual":true`) || !strings.Contains(out, `"remaining_ms":`) {
					t.Errorf("it was told %s", out)
				}
			}
			if out := r.output(r.runs("good")[0]); !strings.HasPrefix(out, "{}\n") || !strings.Contains(out, `"code":"unknown_job"`) {
				t.Errorf("the run that started it got %s", out)
			}
		})
	})
}

// What a run says of how far it is shows as long as it runs.
func TestProgress(t *testing.T) {
	job := Job{Name: "a", Module: Bytes(guest.Calling(guest.ThenClock, guest.Call{Function: "wcron_progress", Request: `{"percent":25.5,"text":"two\nlines"}`}))}
	r := launch(t, privateDir(t), nil, job)
	r.soon("the job", func() bool { return r.told(JobAdded, "a") > 0 })
	r.request(claims.Request{Kind: claims.Trigger, Job: "a", ID: "one", By: "test"})
	r.host.Poll()
	var status []JobStatus
	r.soon("progress", func() bool {
		var err error
		if status, err = r.host.Status(t.Context()); err != nil {
			t.Fatal(err)
		}
		return len(status[0].Progress) == 1
	})
	p := status[0].Progress[status[0].Running[0]]
	if p.Percent != 25.5 || p.Text != "two lines" || p.At.IsZero() {
		t.Errorf("%+v", p)
	}
	r.host.Abort()
	r.closeAfter(t, func() {})
}

// A secret that a request carries is in nothing that is kept of the run, or told of it, even where the server gives it back.
func TestSecretsAreNotKept(t *testing.T) {
	const secret = "s3cr3t-t0ken-of-the-operator"
	sent := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("Authorization") == "Bearer "+secret {
			sent++
		}
		w.Header().Set("X-Echo", req.Header.Get("Authorization"))
		if req.URL.Path == "/away" {
			http.Redirect(w, req, "http://other.test/?"+req.Header.Get("Authorization"), http.StatusFound)
			return
		}
		fmt.Fprintf(w, "%v", req.Header)
	}))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	get := func(path string) guest.Call {
		return guest.Call{Function: "http_request", Request: fmt.Sprintf(`{"url":%q}`, server.URL+path)}
	}
	job := Job{Name: "a", Module: Bytes(guest.Calling(guest.ThenExit, get("/echo"), get("/away"), guest.Call{Function: "error_set", Request: "done"})), Grants: capability.Grants{
		HTTP: []capability.HTTPRule{{Host: host, Schemes: []string{"http"}, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}},
		Secrets: []capability.Secret{{Name: "TOKEN", Header: "Authorization", Host: host, Format: "Bearer %s",
			Value: func(context.Context) (string, error) { return secret, nil }}},
	}}
	dir := privateDir(t)
	spool := filepath.Join(dir, "spool")
	if err := os.MkdirAll(spool, 0o700); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	r := launch(t, dir, func(c *Config) { c.Spool, c.Logger = spool, textLogger(&log) }, job)
	r.soon("the job", func() bool { return r.told(JobAdded, "a") > 0 })
	r.request(claims.Request{Kind: claims.Trigger, Job: "a", ID: "one", By: "test"})
	r.host.Poll()
	r.soon("its end", func() bool { return r.told(EndedRun, "a") == 1 })
	r.closeAfter(t, func() {
		run := r.runs("a")[0]
		if run.Reason != "exit code 1: done" || sent != 2 || !strings.Contains(r.output(run), "[secret]") {
			t.Errorf("%+v, %d requests had the secret, output %q", run, sent, r.output(run))
		}
	})
	kept := log.String() + r.story()
	for _, e := range r.events {
		kept += string(e.Output)
	}
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		kept += string(b)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if len(kept) < 10_000 || strings.Contains(kept, secret) || strings.Contains(kept, secret[:12]) {
		t.Errorf("the secret is in the %d bytes that are kept", len(kept))
	}
}

// 100 writes and an orphan's end: nothing of them is there. 100 writes and ok: all of them are.
func TestHundredWrites(t *testing.T) {
	var calls []guest.Call
	for i := range 50 {
		calls = append(calls, guest.Call{Function: "wcron_state", Request: stateSet(fmt.Sprintf("key-%02d", i), "x")},
			guest.Call{Function: "wcron_state", Request: fmt.Sprintf(`{"op":"cas","key":"cas-%02d","value":"eA=="}`, i)})
	}
	dir := privateDir(t)
	job := Job{Name: "a", Module: Bytes(guest.Calling(guest.ThenReturn, calls...)), Missed: claims.MissedSkip}
	var refused func(op string) error
	start := func(id string) *rig {
		r := launch(t, dir, func(c *Config) {
			c.Store = &sick{Store: c.Store, fail: func(op string) error { return refused(op) }}
			c.OrphanGrace, c.DrainTimeout = time.Millisecond, 10*time.Millisecond
		}, job)
		r.soon("the job", func() bool { return r.told(JobAdded, "a") > 0 })
		r.request(claims.Request{Kind: claims.Trigger, Job: "a", ID: id, By: "test"})
		r.host.Poll()
		return r
	}
	refused = func(op string) error { // the guest ends well, and its host dies before it can say so
		if op == "finalize" {
			return context.DeadlineExceeded
		}
		return nil
	}
	r := start("one")
	r.soon("a commit that fails", func() bool { return r.told(TickFailed, "a") > 0 })
	r.closeAfter(t, func() {})
	refused = func(string) error { return nil }
	r = start("two")
	r.soon("recovery and a run", func() bool { return r.told(Recovered, "a") == 1 && r.told(EndedRun, "a") == 1 })
	r.closeAfter(t, func() {
		if got := outcomes(r.runs("a")); got != "orphaned ok" {
			t.Errorf("outcomes %s", got)
		}
		for _, run := range r.runs("a") {
			if out := r.output(run); run.Outcome == claims.OK && (strings.Count(out, `{"swapped":true}`) != 50 || strings.Contains(out, "false")) {
				t.Errorf("it found what the orphan had written: %s", out)
			}
		}
		if got := strings.Fields(r.state("a")); len(got) != 100 {
			t.Errorf("%d keys are there: %v", len(got), got)
		}
	})
}

func textLogger(to *bytes.Buffer) *slog.Logger { return slog.New(slog.NewTextHandler(to, nil)) }

// What a guest may do belongs to what it was disabled with: a grant or a changed configuration lets it try again.
func TestGrantsBelongToTheDefinition(t *testing.T) {
	seen := map[string]int{}
	for i, g := range []capability.Grants{
		{}, {Config: map[string]string{"a": "1"}}, {Config: map[string]string{"a": "2"}}, {HTTP: []capability.HTTPRule{{Host: "a"}}},
		{HTTP: []capability.HTTPRule{{Host: "a", Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}}},
		{Secrets: []capability.Secret{{Name: "a"}}}, {Dirs: []capability.Dir{{Guest: "/a"}}}, {Emit: []string{"a"}}, {Calls: []string{"a"}},
	} {
		d := Job{Name: "a", Grants: g}.definition()
		if other, same := seen[d]; same {
			t.Errorf("grants %d and %d are one definition", other, i)
		}
		seen[d] = i
		if again := (Job{Name: "a", Grants: g}).definition(); again != d {
			t.Errorf("grants %d: two definitions", i)
		}
	}
}

// Jobs that start themselves more often than they run fill neither the ledger nor the log, keep no other job from its turn, and end when
// they are paused.
func TestEmitChain(t *testing.T) {
	call := guest.Call{Function: "wcron_emit", Request: `{"job":"chain"}`}
	r := launch(t, privateDir(t), nil,
		Job{Name: "chain", Module: Bytes(guest.Calling(guest.ThenReturn, slices.Repeat([]guest.Call{call}, capability.MaxEmits)...)), Grants: capability.Grants{Emit: []string{"chain"}}},
		Job{Name: "other", Module: Bytes(guest.Exit(0))})
	r.soon("the jobs", func() bool { return r.told(JobAdded, "chain") > 0 && r.told(JobAdded, "other") > 0 })
	ask := func(kind claims.RequestKind, job, id string) {
		r.request(claims.Request{Kind: kind, Job: job, ID: id, By: "test", Reason: "test"})
		r.host.Poll()
	}
	ask(claims.Trigger, "chain", "one")
	r.soon("a chain that has no room", func() bool { return r.told(GuestRefused, "chain") > 0 })
	ask(claims.Trigger, "other", "two")
	r.soon("the other job", func() bool { return r.told(EndedRun, "other") == 1 })
	ask(claims.Pause, "chain", "")
	waiting := func() int {
		list, err := r.store.Pending(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	most := waiting()
	r.soon("the chain's end", func() bool { most = max(most, waiting()); return most > 0 && waiting() == 0 })
	r.closeAfter(t, func() {
		if most > claims.MaxEmitted {
			t.Errorf("%d runs waited", most)
		}
		if runs, told := r.told(EndedRun, "chain"), r.told(GuestRefused, "chain"); told > runs {
			t.Errorf("%d runs told of %d refusals", runs, told)
		}
	})
}
