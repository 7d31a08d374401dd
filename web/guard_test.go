package web_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/admin"
)

// every is one path of each kind, with those that are refused.
func every() map[string]int {
	return map[string]int{
		"/": 200, "/jobs/word": 200, "/runs/word": 200, "/runs/word/output": 200, "/style.css": 200, "/script.js": 200, "/icon.svg": 200,
		"/jobs/none": 404, "/runs/none": 404, "/runs/none/output": 404, "/jobs/": 404, "/jobs/word/x": 404, "/v1/do": 404, "/v1/jobs": 404, "/metrics": 404,
		"/assets/style.css": 404, "/templates/frame.html": 404, "/jobs/word?runs=x": 400, "/jobs/word?slots=1~": 400, "/jobs/word?slots=-1~x": 400,
	}
}

// Each answer, that of an error included, forbids the browser everything but what the dashboard serves.
func TestHeaders(t *testing.T) {
	h := one(t, "word", false).handler()
	for path, status := range every() {
		w := ask(t, h, path)
		if w.Code != status {
			t.Errorf("%s: status %d, want %d", path, w.Code, status)
		}
		policy := w.Header().Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "base-uri 'none'", "form-action 'none'",
			"frame-ancestors 'none'"} {
			if !strings.Contains(policy, part) {
				t.Errorf("%s: the policy has no %s", path, part)
			}
		}
		if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
			t.Errorf("%s: policy %s", path, policy)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
			"Cross-Origin-Resource-Policy": "same-origin", "Access-Control-Allow-Origin": "", "Set-Cookie": "", "Location": ""} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		if kind := w.Header().Get("Content-Type"); kind == "" {
			t.Errorf("%s has no type", path)
		}
	}
}

// A name that somebody else may point here is refused, with what to do.
func TestHostHeader(t *testing.T) {
	h := one(t, "word", false).handler("wcron.example.com", "10.0.0.7")
	for host, ok := range map[string]bool{
		"localhost": true, "localhost:8080": true, "LOCALHOST:1": true, "127.0.0.1": true, "127.0.0.1:8080": true, "127.9.9.9:80": true, "[::1]:8080": true, "[::1]": true,
		"wcron.example.com": true, "WCRON.example.com:443": true, "10.0.0.7:80": true,
		"": false, "evil.example": false, "evil.example:8080": false, "127.0.0.1.evil.example": false, "localhost.evil.example": false, "xlocalhost": false,
		"0.0.0.0": false, "[::]:80": false, "10.0.0.8": false, "192.168.1.1": false, "2130706433": false, "0x7f.1": false, "example.com": false,
		"a.wcron.example.com": false, "localhost:80:80": false, "localhost@evil.example": false, "127.0.0.1@evil.example": false, "<b>\x1b": false,
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		want := http.StatusMisdirectedRequest
		if ok {
			want = http.StatusOK
		}
		if w.Code != want {
			t.Errorf("%q: status %d, want %d", host, w.Code, want)
		}
		if body := w.Body.String(); !ok && (!strings.Contains(body, "add the name to hosts") || strings.Contains(body, "\x1b") || w.Header().Get("Content-Type") != "text/plain; charset=utf-8") {
			t.Errorf("%q: %q", host, body)
		}
	}
}

// Nothing but GET and HEAD is answered, and the API is asked for no change: the stub fails where it is.
func TestChangesNothing(t *testing.T) {
	h := one(t, "word", false).handler()
	for path := range every() {
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "X"} {
			r := httptest.NewRequest(http.MethodGet, path, strings.NewReader(`{"kind":"pause","job":"word"}`))
			r.Method, r.Host = method, "localhost"
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %s: status %d, allowed %q", method, path, w.Code, w.Header().Get("Allow"))
			}
		}
	}
}

// What the dashboard brings along asks for nothing of anybody else, and has no script or style within a page.
func TestNothingForeign(t *testing.T) {
	list, err := filepath.Glob("[at]*s/*.*") // assets and templates
	if err != nil || len(list) < 7 {
		t.Fatalf("%v, %v", list, err)
	}
	foreign := regexp.MustCompile(`(?i)https?://|src="[^/]|url\(|@import|\sstyle=|\son[a-z]+=|<style|<form|innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function`)
	for _, name := range list {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if found := foreign.FindString(strings.ReplaceAll(string(text), `xmlns="http://www.w3.org/2000/svg"`, "")); found != "" {
			t.Errorf("%s holds %s", name, found)
		}
	}
}

// A host that cannot be asked, or that asks for patience, is an answer that says so.
func TestTroubles(t *testing.T) {
	s := one(t, "word", false)
	s.err = errors.New("the host's loop does not answer")
	w := ask(t, s.handler(), "/")
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "the host&#39;s loop does not answer") {
		t.Errorf("%d %v\n%s", w.Code, w.Header(), w.Body)
	}
	s.err = fmt.Errorf("%w: it fits several runs", admin.ErrInput)
	if w := ask(t, s.handler(), "/runs/word"); w.Code != http.StatusBadRequest {
		t.Errorf("status %d", w.Code)
	}
}

// More questions than can be answered at once are refused at once, and those that were accepted are answered.
func TestManyAtOnce(t *testing.T) {
	s := one(t, "word", false)
	s.blocked = make(chan struct{})
	h := s.handler()
	const asked = 40
	codes := make(chan int, asked)
	for range asked {
		go func() {
			w := httptest.NewRecorder()
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Host = "localhost"
			h.ServeHTTP(w, r)
			codes <- w.Code
		}()
	}
	for range asked - 16 {
		if code := <-codes; code != http.StatusServiceUnavailable {
			t.Fatalf("status %d while the others wait", code)
		}
	}
	close(s.blocked)
	for range 16 {
		if code := <-codes; code != http.StatusOK {
			t.Errorf("status %d", code)
		}
	}
}

// Served as wcron serves it, headers are bounded and an answer is whole.
func TestServed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- admin.Serve(ctx, l, one(t, "word", false).handler()) }()
	client := http.Client{Timeout: 20 * time.Second}
	for size, want := range map[int]int{10: 200, 1 << 20: http.StatusRequestHeaderFieldsTooLarge} {
		req, err := http.NewRequest(http.MethodGet, "http://"+l.Addr().String()+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Large", strings.Repeat("x", size))
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("a header of %d bytes: status %d", size, res.StatusCode)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
