package capability

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"

	"github.com/wcron/wcron/sandbox"
)

// public is an address that stands for the world; the rig's dialer leads it to the outer server.
var public = netip.MustParseAddr("93.184.216.34")

// httpRig has a server that stands for the world and one that stands for everything inside. Both are real, on loopback, and count
// what reaches them. The dialer leads the public address to the former and every other one to the latter, so that a check that
// fails is seen there.
type httpRig struct {
	t            *testing.T
	outer, inner *httptest.Server
	client       *NetClient
	handler      http.HandlerFunc // of the outer one

	mu      sync.Mutex // guards what follows
	outerN  int
	innerN  int
	dialed  []string
	names   map[string][][]string // what each lookup of a name gives, the last one again and again
	lookups int
}

func newHTTPRig(t *testing.T) *httpRig {
	r := &httpRig{t: t, names: map[string][][]string{"example.com": {{public.String()}}, "www.example.com": {{public.String()}}}}
	count := func(n *int, next func() http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, req *http.Request) {
			r.mu.Lock()
			*n++
			r.mu.Unlock()
			if h := next(); h != nil {
				h(w, req)
			}
		}
	}
	r.inner = httptest.NewServer(count(&r.innerN, func() http.HandlerFunc { return nil }))
	t.Cleanup(r.inner.Close)
	outer := count(&r.outerN, func() http.HandlerFunc { return r.handler })
	r.outer = httptest.NewTLSServer(outer)
	t.Cleanup(r.outer.Close)
	plain := httptest.NewServer(outer)
	t.Cleanup(plain.Close)
	roots := x509.NewCertPool()
	roots.AddCert(r.outer.Certificate())
	r.client = &NetClient{Resolver: r, RootCAs: roots, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		r.mu.Lock()
		r.dialed = append(r.dialed, address)
		r.mu.Unlock()
		to := r.inner.Listener.Addr()
		switch address {
		case net.JoinHostPort(public.String(), "443"), net.JoinHostPort(public.String(), "8443"):
			to = r.outer.Listener.Addr()
		case net.JoinHostPort(public.String(), "80"):
			to = plain.Listener.Addr()
		}
		var d net.Dialer
		return d.DialContext(ctx, network, to.String())
	}}
	return r
}

// LookupNetIP implements Resolver.
func (r *httpRig) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lookups++
	list := r.names[host]
	if len(list) == 0 {
		return nil, errors.New("no such host")
	}
	if len(list) > 1 {
		r.names[host] = list[1:]
	}
	var addrs []netip.Addr
	for _, a := range list[0] {
		addrs = append(addrs, netip.MustParseAddr(a))
	}
	return addrs, nil
}

// reply is what a guest sees of a request.
type reply struct {
	status int
	header map[string]string
	body   string
	code   string // of the error
	note   string
}

// door is one run's.
func (r *httpRig) door(g Grants) *Door {
	return NewDoor(Setup{RunInfo: RunInfo{Job: "job", RunID: "run"}, Grants: g, State: NewState(nil, 0), HTTP: r.client})
}

// send makes a request as a guest does.
func send(t *testing.T, d *Door, request string, body []byte) (out reply) {
	t.Helper()
	ctx := context.Background()
	calls := d.Calls()
	a, err := calls["http_request"](ctx, []sandbox.Arg{{Block: []byte(request)}, {Block: body}})
	if err != nil {
		t.Fatal(err)
	}
	status, _ := calls["http_status_code"](ctx, nil)
	header, err := calls["http_headers"](ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	out = reply{status: int(status.Int), body: string(a.Block), note: a.Note}
	if err := json.Unmarshal(header.Block, &out.header); err != nil {
		t.Fatalf("headers %q: %v", header.Block, err)
	}
	if out.status == 0 {
		var e struct{ Error callError }
		if err := json.Unmarshal(a.Block, &e); err != nil || e.Error.Message == "" || e.Error.Code != out.header["wcron-error"] {
			t.Fatalf("an error that reads %q, with headers %v (%v)", a.Block, out.header, err)
		}
		out.code = e.Error.Code
	}
	return out
}

// get is a request for a URL.
func get(url string) string { return ask("GET", url, nil) }

func ask(method, url string, headers map[string]string) string {
	b, err := json.Marshal(map[string]any{"url": url, "method": method, "headers": headers})
	if err != nil {
		panic(err)
	}
	return string(b)
}

func (r *httpRig) seen() (outer, inner int, dialed []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.outerN, r.innerN, r.dialed
}
