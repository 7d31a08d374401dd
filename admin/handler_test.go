package admin_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/wcron/wcron/admin"
)

func ask(h http.Handler, method, target, body string) *httptest.ResponseRecorder {
	req, err := http.NewRequest(method, "http://wcron"+target, strings.NewReader(body))
	if err != nil {
		return nil // no client can send it
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	return rec
}

func TestHandlerRefuses(t *testing.T) {
	api, _ := alone(t)
	h := admin.Handler(api)
	tests := []struct {
		method, target, body string
		status               int
		code                 string
	}{
		{"POST", "/v1/do", "", 400, "input"},
		{"POST", "/v1/do", "{", 400, "input"},
		{"POST", "/v1/do", `{"kind":"pause","job":"hello"}{}`, 400, "input"},
		{"POST", "/v1/do", `{"kind":"pause","job":"hello","more":1}`, 400, "input"},
		{"POST", "/v1/do", `{"kind":"pause","job":7}`, 400, "input"},
		{"POST", "/v1/do", `{"kind":"trigger","job":"hello","input":"` + strings.Repeat("x", 2*admin.MaxInput) + `"}`, 400, "input"},
		{"POST", "/v1/do", `{"kind":"pause","job":"nobody"}`, 404, "no_job"},
		{"POST", "/v1/do", `{"kind":"cancel","run_id":"abcd"}`, 404, "no_run"},
		{"GET", "/v1/runs?limit=x", "", 400, "input"},
		{"GET", "/v1/runs?before=yesterday", "", 400, "input"},
		{"GET", "/v1/slots?since=-1", "", 400, "input"},
		{"GET", "/v1/output?run=", "", 400, "input"},
		{"GET", "/v1/output?run=abcd", "", 404, "no_run"},
		{"POST", "/v1/reload", "", 400, "input"},
		{"POST", "/v1/status", "", 405, ""},
		{"GET", "/nothing", "", 404, ""},
	}
	for _, test := range tests {
		rec := ask(h, test.method, test.target, test.body)
		var p struct{ Error, Code string }
		if test.code != "" {
			if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil || p.Error == "" {
				t.Errorf("%s %s: %q: %v", test.method, test.target, rec.Body, err)
			}
		}
		if rec.Code != test.status || p.Code != test.code {
			t.Errorf("%s %s %.60s: got %d %s", test.method, test.target, test.body, rec.Code, rec.Body)
		}
	}
}

// FuzzHandler sends anything: each request has an answer, and the next one too.
func FuzzHandler(f *testing.F) {
	store := openStore(f, filepath.Join(f.TempDir(), "state"))
	h := admin.Handler(admin.NewDirect(admin.Config{Store: store, Jobs: jobs, Source: "test"}))
	f.Add("POST", "/v1/do", `{"kind":"trigger","job":"hello","input":{}}`)
	f.Add("POST", "/v1/do", `{"kind":"pause","job":"hello","reason":"\u0000"}`)
	f.Add("POST", "/v1/do", `{"kind":"cancel","run_id":"0198","force":true}`)
	f.Add("GET", "/v1/runs?limit=-9&before=2026-03-08T02:30:00Z&run=%ff%00abc", "")
	f.Add("GET", "/v1/slots?since=0001-01-01T00:00:00Z&before=9999-12-31T23:59:59Z", "")
	f.Add("GET", "/v1/output?run=../../etc/passwd&follow=1", "")
	f.Add("GET", "/v1/jobs", "")
	f.Fuzz(func(t *testing.T, method, target, body string) {
		rec := ask(h, method, target, body)
		if rec != nil && rec.Code >= 500 {
			t.Errorf("%q %q %q: %d %s", method, target, body, rec.Code, rec.Body)
		}
		if rec := ask(h, "GET", "/v1/jobs", ""); rec.Code != http.StatusOK {
			t.Fatalf("then: %d %s", rec.Code, rec.Body)
		}
	})
}

func TestListen(t *testing.T) {
	dir := shortDir(t)
	path := filepath.Join(dir, "d", "s")
	l, err := admin.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" {
		for at, want := range map[string]fs.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
			if info, err := os.Stat(at); err != nil || info.Mode().Perm() != want {
				t.Errorf("%s: %v, %v", at, info.Mode(), err)
			}
		}
	}
	if _, err := admin.Listen(path); !errors.Is(err, admin.ErrInUse) {
		t.Errorf("a second listener: %v", err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // as after a kill
	l.Close()
	if l, err = admin.Listen(path); err != nil {
		t.Fatalf("a stale socket: %v", err)
	}
	l.Close()
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Listen(path); err == nil || errors.Is(err, admin.ErrInUse) {
		t.Errorf("a file in its place: %v", err)
	}
	if _, err := admin.Listen(filepath.Join(dir, strings.Repeat("x", 100))); err == nil || !strings.Contains(err.Error(), "100") {
		t.Errorf("a long path: %v", err)
	}
	if runtime.GOOS != "windows" {
		if err := os.Chmod(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if _, err := admin.Listen(filepath.Join(dir, "d", "t")); err == nil || !strings.Contains(err.Error(), "chmod 700") {
			t.Errorf("an open folder: %v", err)
		}
	}
}

func TestNobodyAnswers(t *testing.T) {
	c := admin.NewClient(filepath.Join(shortDir(t), "none"))
	if _, err := c.Status(t.Context()); !errors.Is(err, admin.ErrUnreachable) {
		t.Errorf("got %v", err)
	}
	if err := c.Output(t.Context(), "abcd", true, &strings.Builder{}); !errors.Is(err, admin.ErrUnreachable) {
		t.Errorf("got %v", err)
	}
}
