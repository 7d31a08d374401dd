package capability

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/sandbox"
)

// A request goes out as the guest made it, without what is not the guest's, and the response comes back whole.
func TestHTTP(t *testing.T) {
	r := newHTTPRig(t)
	var got *http.Request
	var body []byte
	r.handler = func(w http.ResponseWriter, req *http.Request) {
		got = req
		body, _ = io.ReadAll(req.Body)
		w.Header().Add("X-Two", "a")
		w.Header().Add("X-Two", "b")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, "made\x00\xff")
	}
	d := r.door(Grants{HTTP: []HTTPRule{{Host: "example.com", Methods: []string{"POST"}, Paths: []string{"/v1/**"}}}})
	reply := send(t, d, ask("post", "https://EXAMPLE.com.:443/v1/a%20b?q=1#part", map[string]string{
		"content-type": "text/x", "Host": "internal", "Connection": "close", "Proxy-Authorization": "x", "X-Own": "1", "Content-Length": "1",
	}), []byte("hello"))
	if reply.status != 201 || reply.body != "made\x00\xff" || reply.header["x-two"] != "a,b" || reply.note != "" {
		t.Errorf("%+v", reply)
	}
	if got.Method != http.MethodPost || got.Host != "example.com" || got.RequestURI != "/v1/a%20b?q=1" || string(body) != "hello" ||
		got.Header.Get("X-Own") != "1" || got.Header.Get("Content-Type") != "text/x" || got.Header.Get("Proxy-Authorization") != "" || got.UserAgent() != "wcron" {
		t.Errorf("%s %s %s %v %q", got.Method, got.Host, got.RequestURI, got.Header, body)
	}
}

func TestHTTPThatFails(t *testing.T) {
	large := strings.Repeat("x", MaxResponseBody+1)
	handlers := map[string]http.HandlerFunc{
		"/length": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, large) },
		"/chunked": func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, large)
		},
		"/packed": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = io.WriteString(z, large)
			_ = z.Close()
		},
		"/header": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", large[:200<<10]) },
		"/slow":   func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() },
		"/drip": func(w http.ResponseWriter, req *http.Request) {
			for req.Context().Err() == nil {
				_, _ = io.WriteString(w, "x")
				w.(http.Flusher).Flush()
				time.Sleep(time.Millisecond)
			}
		},
		"/broken": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "x")
		},
		"/switch": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusSwitchingProtocols) },
	}
	for _, test := range []struct {
		request string
		body    string
		code    string
	}{
		{get("https://example.com/length"), "", ResponseTooLarge},
		{get("https://example.com/chunked"), "", ResponseTooLarge},
		{get("https://example.com/packed"), "", ResponseTooLarge},
		{get("https://example.com/header"), "", ResponseTooLarge},
		{get("https://example.com/slow"), "", TimedOut},
		{get("https://example.com/drip"), "", TimedOut},
		{get("https://example.com/broken"), "", NoConnection},
		{get("https://example.com/switch"), "", NoConnection},
		{get("https://www.example.com:8443/"), "", NoConnection}, // the certificate is for another name
		{get("https://nowhere.example.com/"), "", NoConnection},
		{ask("POST", "https://example.com/", nil), large[:MaxRequestBody+1], RequestTooLarge},
		{ask("DELETE", "https://example.com/", nil), "", NotGranted},
		{ask("CONNECT", "https://example.com/", nil), "", BadRequest},
		{ask("GET / HTTP/1.1\r\n", "https://example.com/", nil), "", BadRequest},
		{ask("GET", "https://example.com/", map[string]string{"X": "a\r\nHost: b"}), "", BadRequest},
		{ask("GET", "https://example.com/", map[string]string{"X: a\r\nY": "b"}), "", BadRequest},
		{ask("GET", "https://example.com/", map[string]string{"": "b"}), "", BadRequest},
		{ask("GET", "https://example.com/", map[string]string{"X": large[:70<<10]}), "", BadRequest},
		{`{"url":`, "", BadRequest},
		{`[]`, "", BadRequest},
		{``, "", BadRequest},
		{`{}`, "", BadURL},
	} {
		t.Run(test.code+" "+test.request[:min(len(test.request), 70)], func(t *testing.T) {
			r := newHTTPRig(t)
			r.handler = func(w http.ResponseWriter, req *http.Request) {
				if h := handlers[req.URL.Path]; h != nil {
					h(w, req)
				}
			}
			g := anyway("example.com", "www.example.com:8443", "nowhere.example.com")
			if test.code == TimedOut {
				g.HTTPTime = 30 * time.Millisecond
			}
			if test.request == get("https://www.example.com:8443/") {
				r.client.RootCAs = nil // what the system trusts does not vouch for the rig
			}
			if got := send(t, r.door(g), test.request, []byte(test.body)); got.code != test.code || got.note == "" {
				t.Errorf("%.300s, note %.200s; want %s", fmt.Sprint(got.code, got.body), got.note, test.code)
			}
		})
	}
}

// A run has so many requests and bytes, redirects included.
func TestHTTPBudget(t *testing.T) {
	r := newHTTPRig(t)
	r.handler = func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/hop" {
			http.Redirect(w, req, "/", http.StatusFound)
			return
		}
		_, _ = io.WriteString(w, "12345")
	}
	d := r.door(anyway("example.com"))
	for i := range DefaultHTTPRequests {
		if got := send(t, d, get("https://example.com/"), nil); got.status != 200 {
			t.Fatalf("request %d: %+v", i, got)
		}
	}
	if got := send(t, d, get("https://example.com/"), nil); got.code != OverBudget {
		t.Errorf("one more: %+v", got)
	}
	g := anyway("example.com")
	g.HTTPRequests = 3
	d = r.door(g)
	for i, want := range []string{"", OverBudget} {
		if got := send(t, d, get("https://example.com/hop"), nil); got.code != want {
			t.Errorf("hop %d: %+v", i, got)
		}
	}
	g = anyway("example.com")
	g.HTTPBytes = 12
	d = r.door(g)
	for i, want := range []string{"", ResponseTooLarge} { // 3 + 5, then 3 and only 1 is left
		if got := send(t, d, ask("POST", "https://example.com/", nil), []byte("abc")); got.code != want {
			t.Errorf("bytes %d: %+v", i, got)
		}
	}
	if got := send(t, d, ask("POST", "https://example.com/", nil), []byte("abc")); got.code != OverBudget {
		t.Errorf("bytes after all: %+v", got)
	}
}

// A redirect within what is granted is followed as browsers do; another host gets nothing of the guest's that may be a credential.
func TestRedirects(t *testing.T) {
	for _, test := range []struct {
		status       int
		method, want string
	}{
		{301, "POST", "GET "}, {302, "POST", "GET "}, {303, "POST", "GET "}, {307, "POST", "POST body"}, {308, "POST", "POST body"}, {302, "GET", "GET body"},
	} {
		t.Run(fmt.Sprint(test.status, test.method), func(t *testing.T) {
			r := newHTTPRig(t)
			r.client.RootCAs = nil
			var arrived *http.Request
			var body []byte
			r.handler = func(w http.ResponseWriter, req *http.Request) {
				if req.Host == "example.com" {
					w.Header().Set("Location", "http://www.example.com/next")
					w.WriteHeader(test.status)
					return
				}
				arrived = req
				body, _ = io.ReadAll(req.Body)
			}
			got := send(t, r.door(anyway("example.com", "www.example.com")), ask(test.method, "http://example.com/", map[string]string{
				"Authorization": "mine", "Cookie": "mine", "X-Api-Key": "mine", "Accept": "text/x",
			}), []byte("body"))
			if got.status != 200 || arrived == nil {
				t.Fatalf("%+v", got)
			}
			if is := arrived.Method + " " + string(body); is != test.want {
				t.Errorf("arrived as %q, want %q", is, test.want)
			}
			if h := arrived.Header; h.Get("Authorization")+h.Get("Cookie")+h.Get("X-Api-Key") != "" || h.Get("Accept") != "text/x" {
				t.Errorf("arrived with %v", h)
			}
		})
	}
}

// Before a request and after one that failed there is nothing to tell.
func TestHTTPBeforeARequest(t *testing.T) {
	calls := newHTTPRig(t).door(Grants{}).Calls()
	for name, want := range map[string]sandbox.Answer{"http_status_code": {}, "http_headers": {}} {
		if a, err := calls[name](context.Background(), nil); err != nil || a.Int != want.Int || a.Block != nil {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
}

// A request that is under way when the run ends goes away with it.
func TestHTTPEndsWithTheRun(t *testing.T) {
	r := newHTTPRig(t)
	ctx, cancel := context.WithCancel(context.Background())
	r.handler = func(_ http.ResponseWriter, req *http.Request) { cancel(); <-req.Context().Done() }
	a, err := r.door(anyway("example.com")).Calls()["http_request"](ctx, []sandbox.Arg{{Block: []byte(get("https://example.com/"))}, {}})
	if err == nil || a.Block != nil {
		t.Errorf("%+v, %v", a, err)
	}
}

// What was refused for want of a grant is told once each, with what to do.
func TestRefusals(t *testing.T) {
	r := newHTTPRig(t)
	d := r.door(Grants{Denied: []string{"http to api.example.com"}})
	for range 3 {
		send(t, d, get("https://example.com/"), nil)
		send(t, d, get("https://www.example.com/"), nil)
	}
	got := d.Refusals()
	if len(got) != 2 || !strings.Contains(got[0], `http = [{host = "example.com"}]`) || !strings.Contains(got[0], "requested and not granted: http to api.example.com") {
		t.Errorf("%q", got)
	}
	for i := range 20 {
		send(t, d, get(fmt.Sprintf("https://h%d.example.com/", i)), nil)
	}
	if got := d.Refusals(); len(got) != maxRefusals {
		t.Errorf("%d refusals are kept", len(got))
	}
}

func TestPaths(t *testing.T) {
	rule := HTTPRule{Host: "example.com", Paths: []string{"/v1/**", "/feed-*.xml", "/a/*/c"}}
	for path, want := range map[string]bool{
		"/v1/x": true, "/v1/": true, "/v1/x/y/z": true, "/v1": false, "/v12/x": false, "/": false, "": false, "/feed-1.xml": true, "/feed-.xml": true,
		"/feed-1/2.xml": false, "/feed-1.xml.bak": false, "/a/b/c": true, "/a/b/b/c": false, "/a//c": false, "/A/b/c": false,
		"/v1/../admin": false, "/v1/./x": false, "/v1/%2e%2e/admin": false, "/v1/%2E%2E%2Fadmin": false, "/v1/..%2fadmin": false, "/v1/a%2fb": false,
		"/v1/..\\admin": false, "/v1/..;/admin": false, "/v1/%252e%252e/admin": false, "/v1/a%20b": true, "/v1/a?x=../": true, "//v1/x": false,
	} {
		target, err := parseTarget("https://example.com" + path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if got := rule.allows(target, "GET") == ""; got != want {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
}

// No URL is granted by a rule for another host, and none panics.
func FuzzTargets(f *testing.F) {
	for _, s := range []string{"https://example.com/a", "http://user@example.com:80#x", "https://[::1]:8080/", "https://a.example.com./../x"} {
		f.Add(s)
	}
	g := Grants{HTTP: []HTTPRule{{Host: "example.com"}, {Host: "*.example.com", Schemes: []string{"http"}}}}
	f.Fuzz(func(t *testing.T, s string) {
		target, err := parseTarget(s)
		if err != nil {
			return
		}
		if _, err := g.ruleFor(target, "GET"); err != nil {
			return
		}
		host := target.url.Hostname()
		if host != "example.com" && !strings.HasSuffix(host, ".example.com") || target.url.User != nil || target.url.Port() != "" {
			t.Fatalf("%q is granted as %s", s, target.url)
		}
		again, err := parseTarget(target.url.String())
		if err != nil || again.host != target.host || again.scheme != target.scheme || again.port != target.port {
			t.Fatalf("%q becomes %s, which reads as %+v (%v)", s, target.url, again, err)
		}
	})
}
