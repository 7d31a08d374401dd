//go:build !wasip1

package guesthttp_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/wcron/wcron/capability"
	"github.com/wcron/wcron/guest"
	"github.com/wcron/wcron/guest/guesthttp"
	"github.com/wcron/wcron/guest/internal/host"
	"github.com/wcron/wcron/sandbox"
)

// server is where the requests go that are granted.
var server *httptest.Server

func serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("X-Made", "here")
	w.Header().Add("X-Twice", "1")
	w.Header().Add("X-Twice", "2")
	switch r.URL.Path {
	case "/moved":
		http.Redirect(w, r, "/health", http.StatusFound)
	case "/missing":
		w.WriteHeader(http.StatusNotFound)
	case "/health":
		_, _ = io.WriteString(w, "all is well")
	default:
		_, _ = fmt.Fprintf(w, "%s %s %s %s", r.Method, r.URL.RequestURI(), r.Header.Get("X-Own"), body)
	}
}

// TestMain puts the door that real guests pass around this process, with the host's own client behind it.
func TestMain(m *testing.M) {
	server = httptest.NewServer(http.HandlerFunc(serve))
	address := strings.TrimPrefix(server.URL, "http://")
	door := capability.NewDoor(capability.Setup{
		State: capability.NewState(nil, 0),
		Grants: capability.Grants{
			Config: map[string]string{"url": server.URL + "/health"},
			HTTP: []capability.HTTPRule{{
				Host: address, Schemes: []string{"http"}, Methods: []string{"GET", "HEAD", "POST"},
				Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
			}},
			HTTPRequests: 100,
		},
	})
	calls := door.Calls()
	host.Inside = func(name string, blocks ...[]byte) (status int, header, block []byte) {
		var args []sandbox.Arg
		for _, b := range blocks {
			args = append(args, sandbox.Arg{Block: b})
		}
		answer, err := calls[name](context.Background(), args)
		if err != nil {
			panic(err)
		}
		code, _ := calls["http_status_code"](context.Background(), nil)
		h, _ := calls["http_headers"](context.Background(), nil)
		return int(code.Int), h.Block, answer.Block
	}
	code := m.Run()
	server.Close()
	os.Exit(code)
}

func TestTransport(t *testing.T) {
	client := http.Client{Transport: guesthttp.Transport{}}
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/a?b=c", "", 200, "GET /a?b=c 1, 2 "},
		{"POST", "/form", "x=1", 200, "POST /form 1, 2 x=1"},
		{"HEAD", "/a", "", 200, ""},
		{"GET", "/moved", "", 200, "all is well"},
		{"GET", "/missing", "", 404, ""},
	} {
		r, err := http.NewRequest(c.method, server.URL+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Add("X-Own", "1")
		r.Header.Add("X-Own", "2")
		resp, err := client.Do(r)
		if err != nil {
			t.Errorf("%s %s: %v", c.method, c.path, err)
			continue
		}
		body, err := io.ReadAll(resp.Body)
		if resp.StatusCode != c.status || string(body) != c.want || err != nil || resp.Body.Close() != nil {
			t.Errorf("%s %s: %s %q %v, want %d %q", c.method, c.path, resp.Status, body, err, c.status, c.want)
		}
		if made := resp.Header.Get("X-Made"); made != "here" && c.path != "/moved" {
			t.Errorf("%s %s: headers %v", c.method, c.path, resp.Header)
		}
	}
}

func TestTransportFails(t *testing.T) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name, code, text string
		change           func(*http.Request)
	}{
		{"elsewhere", guest.NotGranted, "not granted", func(r *http.Request) { r.URL.Host = "example.com" }},
		{"method", guest.NotGranted, "not granted", func(r *http.Request) { r.Method = "DELETE" }},
		{"user", "bad_url", "", func(r *http.Request) { r.URL.User = url.UserPassword("a", "b") }},
		{"body", "request_too_large", "1048577 bytes", func(r *http.Request) { r.Body = io.NopCloser(bytes.NewReader(make([]byte, 2<<20))) }},
		{"host", "", "Host", func(r *http.Request) { r.Host = "example.com" }},
		{"context", "", "context canceled", func(r *http.Request) { *r = *r.WithContext(over) }},
		{"broken", "", "read the body", func(r *http.Request) { r.Body = io.NopCloser(broken{}) }},
	} {
		r, err := http.NewRequest(http.MethodGet, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = ""
		c.change(r)
		resp, err := guesthttp.Transport{}.RoundTrip(r)
		if err == nil {
			resp.Body.Close()
			t.Errorf("%s: %s", c.name, resp.Status)
			continue
		}
		if guest.Code(err) != c.code || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v, want %s %s", c.name, err, c.code, c.text)
		}
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
