package capability

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode"

	"github.com/wcron/wcron/sandbox"
)

// hanging answers nothing until its context ends, and says when it has gone.
type hanging struct{ begun, gone chan struct{} }

func newHanging() hanging { return hanging{make(chan struct{}, 1), make(chan struct{})} }

func (h hanging) wait(ctx context.Context) error {
	h.begun <- struct{}{}
	<-ctx.Done()
	close(h.gone)
	return ctx.Err()
}

func (h hanging) LookupNetIP(ctx context.Context, _, _ string) ([]netip.Addr, error) {
	return nil, h.wait(ctx)
}

// Whatever a request waits for when its run ends, it waits no longer: not for a name, not for a connection, not for its handshake.
func TestNothingOfARequestIsLeft(t *testing.T) {
	request := func(t *testing.T, c *NetClient, url string, begun <-chan struct{}) {
		t.Helper()
		r := newHTTPRig(t)
		r.client = c
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-begun; cancel() }()
		if _, err := r.door(anyway("example.com")).Calls()["http_request"](ctx, []sandbox.Arg{{Block: []byte(get(url))}, {}}); err == nil {
			t.Error("the request has come back well")
		}
	}
	soon := func(t *testing.T, gone <-chan struct{}) {
		t.Helper()
		select {
		case <-gone:
		case <-time.After(2 * time.Second):
			t.Error("it is still there after two seconds")
		}
	}
	t.Run("name", func(t *testing.T) {
		h := newHanging()
		request(t, &NetClient{Resolver: h}, "https://example.com/", h.begun)
		soon(t, h.gone)
	})
	world := newHTTPRig(t)
	t.Run("connection", func(t *testing.T) {
		h := newHanging()
		request(t, &NetClient{Resolver: world, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) { return nil, h.wait(ctx) }}, "https://example.com/", h.begun)
		soon(t, h.gone)
	})
	for name, says := range map[string]string{
		"handshake": "", "response": "", "header": "HTTP/1.1 200 OK\r\nX: ", "body": "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n1",
		"trailer": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX: ", "early hints": "HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			begun, gone := make(chan struct{}, 1), make(chan struct{})
			go func() {
				defer close(gone)
				conn, err := l.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				read := bufio.NewReader(conn)
				_, _ = read.ReadByte()
				_, _ = io.WriteString(conn, says)
				begun <- struct{}{}
				_, _ = io.Copy(io.Discard, read) // until the other side closes
			}()
			scheme := "http"
			if name == "handshake" {
				scheme = "https"
			}
			request(t, &NetClient{Resolver: world, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, l.Addr().String())
			}}, scheme+"://example.com/", begun)
			soon(t, gone)
		})
	}
}

// A server that sends without end ends with the request's time, or its bounds.
func TestServersWithoutEnd(t *testing.T) {
	for name, test := range map[string]struct {
		first, again string
		code         string
	}{
		"early hints": {"", "HTTP/1.1 103 Early Hints\r\nX: " + strings.Repeat("y", 1000) + "\r\n\r\n", "either"},
		"headers":     {"HTTP/1.1 200 OK\r\n", "X: " + strings.Repeat("y", 1000) + "\r\n", ResponseTooLarge},
		"one header":  {"HTTP/1.1 200 OK\r\nX: ", strings.Repeat("y", 1000), ResponseTooLarge},
		"status":      {"HTTP/1.1 200 ", strings.Repeat("y", 1000), ResponseTooLarge},
		"trailers":    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n", "X: " + strings.Repeat("y", 1000) + "\r\n", "either"},
		"chunks":      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1;x=" + strings.Repeat("y", 1000) + "\r\nx\r\n", "either"},
		"extension":   {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", strings.Repeat("y", 1000), "either"},
		"body":        {"HTTP/1.1 200 OK\r\n\r\n", strings.Repeat("y", 1000), ResponseTooLarge},
		"two lengths": {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "x", NoConnection},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			var sent atomic.Int64
			go func() {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				_, _ = conn.Read(make([]byte, 4096))
				_, err = io.WriteString(conn, test.first)
				for err == nil {
					var n int
					n, err = io.WriteString(conn, test.again)
					sent.Add(int64(n))
				}
			}()
			r := newHTTPRig(t)
			r.client.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, l.Addr().String())
			}
			g := anyway("example.com")
			g.HTTPTime = 3 * time.Second
			got := send(t, r.door(g), get("http://example.com/"), nil)
			if got.code == "" || test.code != "either" && got.code != test.code {
				t.Errorf("%.300v after %d bytes", got, sent.Load())
			}
		})
	}
}

// What people are told of a refusal is one short line, whatever the guest has written.
func TestRefusalsAreShortLines(t *testing.T) {
	r := newHTTPRig(t)
	d := r.door(Grants{Emit: []string{"a"}})
	long := strings.Repeat("x", 500_000)
	for _, request := range []string{
		ask(long, "https://example.com/", nil), ask("GET\x1b[2J", "https://example.com/\x1b]0;pwned\x07", nil), get("https://" + long + "/"),
		get("https://example.com/" + long), get("https://example.com/\x1b[2J\n\u202e\u2028" + long), ask("GET", "https://example.com/", map[string]string{long: long}),
	} {
		if got := send(t, d, request, nil); got.code == "" || len(got.body) > 1000 || len(got.note) > 1000 {
			t.Errorf("%s: %d bytes, a note of %d", got.code, len(got.body), len(got.note))
		}
	}
	for _, job := range []string{long, `\u001b[2J\u2028`} {
		a, err := d.emit(t.Context(), []byte(`{"job":"`+job+`"}`))
		if err != nil || !strings.Contains(a.Note, "grant it with emit") || len(a.Note) > 1000 {
			t.Errorf("%v, a note of %d bytes", err, len(a.Note))
		}
	}
	list := d.Refusals()
	if len(list) == 0 {
		t.Fatal("nothing was refused")
	}
	for _, why := range list {
		if len(why) > 1000 || strings.ContainsFunc(why, func(c rune) bool { return !unicode.IsPrint(c) }) {
			t.Errorf("%d bytes: %.200q", len(why), why)
		}
	}
}

// What a request's line is made of has one reading: a space in a query is none on the wire.
func TestRequestLines(t *testing.T) {
	r := newHTTPRig(t)
	lines := make(chan string, 1)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			line, _ := bufio.NewReader(conn).ReadString('\n')
			lines <- strings.TrimSpace(line)
			_, _ = io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n")
			_ = conn.Close()
		}
	}()
	r.client.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, l.Addr().String())
	}
	for query, want := range map[string]string{
		"?a b": "?a%20b", "?x HTTP/1.1": "?x%20HTTP/1.1", "?\u00fc": "?%C3%BC", "?a=1&b=%20+": "?a=1&b=%20+", "?": "?", "?a\"<>`{}|^": "?a%22%3C%3E%60%7B%7D%7C%5E", "?'[]/?:@!$(),;*": "?'[]/?:@!$(),;*",
	} {
		if got := send(t, r.door(anyway("example.com")), get("http://example.com/p"+query), nil); got.status != 204 {
			t.Errorf("%q: %+v", query, got)
			continue
		}
		if got := <-lines; got != "GET /p"+want+" HTTP/1.1" {
			t.Errorf("%q: %q", query, got)
		}
	}
}

// A path that a server behind a proxy could read as another one fits no glob.
func TestPathsWithTwoReadings(t *testing.T) {
	rule := HTTPRule{Host: "example.com", Paths: []string{"/v1/**", "/a/*/c"}}
	for path, want := range map[string]bool{
		"/v1/..%3b/admin": false, "/v1/..%3B/admin": false, "/v1/x%3by": false, "/v1/..%20/admin": false, "/v1/...": false, "/v1/.%09./x": false, "/v1/%c0%ae%c0%ae/x": false,
		"/v1/%ff": false, "/a//c": false, "/v1//x": false, "/v1//": false, "/v1/": true, "/v1/x/": true, "/v1/x.y": true, "/v1/.well-known": true, "/v1/..a": true,
		"/v1/%e2%82%ac": true, "/v1/%0d%0aX": false, "/v1/%7f": false, "/v1/a%3fb": true,
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

// Bytes that were moved count, whether or not they came to a response.
func TestFailedResponsesCount(t *testing.T) {
	r := newHTTPRig(t)
	r.handler = func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/broken" {
			w.Header().Set("Content-Length", fmt.Sprint(MaxResponseBody-1))
		}
		w.(http.Flusher).Flush()
		_, _ = io.WriteString(w, strings.Repeat("x", MaxResponseBody-2))
		if req.URL.Path == "/large" {
			_, _ = io.WriteString(w, "12345")
		}
	}
	for path, codes := range map[string][]string{
		"/large": {ResponseTooLarge, ResponseTooLarge, OverBudget}, "/broken": {NoConnection, NoConnection, ResponseTooLarge},
	} {
		g := anyway("example.com")
		g.HTTPBytes = 2 * MaxResponseBody
		d := r.door(g)
		for i, want := range codes {
			if got := send(t, d, get("https://example.com"+path), nil); got.code != want {
				t.Errorf("%s, request %d: %.200v, want %s", path, i, got, want)
			}
		}
	}
}

// Of two headers that differ in case alone it is not left to chance which one is sent.
func TestHeadersOfOneName(t *testing.T) {
	r := newHTTPRig(t)
	for range 20 {
		request := `{"url":"https://example.com/","headers":{"x-key":"1","X-KEY":"2","X-Key":"3"}}`
		if got := send(t, r.door(anyway("example.com")), request, nil); got.code != BadRequest {
			t.Fatalf("%+v", got)
		}
	}
}
