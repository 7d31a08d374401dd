package capability

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

// Exchange is one request, which was granted, and is not followed to where it is redirected.
type Exchange struct {
	Method string
	URL    *url.URL
	Header http.Header
	Body   []byte

	// Secret is headers that are sent above Header, and must be neither recorded nor shown.
	Secret http.Header

	// Judge says whether the exchange may go to an address. Each address that is connected to must pass it, after all names
	// were resolved.
	Judge func(netip.Addr) error

	// MaxBody bounds the body of the response, in bytes as the guest gets it.
	MaxBody int64
}

// Response is what came of an Exchange.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Client carries out exchanges. It is all by which a run reaches the network, so that one that records, or that answers from
// records, is the only path. It must be safe for concurrent use, and return when ctx ends. An *AddressError and ErrTooLarge are
// told apart from other errors. Beside an error there may be a response: its body is what had come until then, which is not given to
// the guest, and counts.
type Client interface {
	Do(ctx context.Context, e *Exchange) (*Response, error)
}

// ErrTooLarge is the error of a response whose body is larger than Exchange.MaxBody, or its header than 64 KiB.
var ErrTooLarge = errors.New("the response is larger than it may be")

// AddressError is an address that Exchange.Judge has refused.
type AddressError struct{ Err error }

// Error returns the message of Err.
func (e *AddressError) Error() string { return e.Err.Error() }

// Unwrap gives what Judge said.
func (e *AddressError) Unwrap() error { return e.Err }

// Resolver looks names up. *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// NetClient is the Client of the real network: HTTP/1.1, a connection for each exchange, no proxy, no cookies, and certificates
// that are always verified. The zero value is ready for use.
type NetClient struct {
	Resolver Resolver                                                             // nil: the system's
	Dial     func(ctx context.Context, network, address string) (net.Conn, error) // address is never a name; nil: the network
	RootCAs  *x509.CertPool                                                       // nil: the system's
}

const maxHeader = 64 << 10

// Do implements Client.
func (c *NetClient) Do(ctx context.Context, e *Exchange) (*Response, error) {
	var body io.Reader
	if len(e.Body) > 0 {
		body = bytes.NewReader(e.Body)
	}
	req, err := http.NewRequestWithContext(ctx, e.Method, e.URL.String(), body)
	if err != nil {
		return nil, err
	}
	req.Header = e.Header.Clone()
	if req.Header == nil {
		req.Header = http.Header{}
	}
	for name, values := range e.Secret {
		req.Header[name] = values
	}
	t := c.transport(e.Judge)
	defer t.CloseIdleConnections()
	resp, err := t.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return nil, errors.New("the server switches to another protocol")
	}
	if resp.ContentLength > e.MaxBody && e.Method != http.MethodHead {
		return nil, fmt.Errorf("%w: it has %d bytes, and may have %d", ErrTooLarge, resp.ContentLength, e.MaxBody)
	}
	content, err := io.ReadAll(io.LimitReader(resp.Body, e.MaxBody+1))
	come := &Response{Status: resp.StatusCode, Header: resp.Header, Body: content}
	if err != nil {
		return come, err
	}
	if int64(len(content)) > e.MaxBody {
		return come, fmt.Errorf("%w: it has more than the %d bytes that it may have", ErrTooLarge, e.MaxBody)
	}
	return come, nil
}

// transport is for one exchange: what it may connect to belongs to that exchange alone.
func (c *NetClient) transport(judge func(netip.Addr) error) *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  nil, // the environment has no say in where a guest's requests go
		DialContext:            func(ctx context.Context, _, address string) (net.Conn, error) { return c.dial(ctx, address, judge) },
		TLSClientConfig:        &tls.Config{RootCAs: c.RootCAs, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    10 * time.Second,
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: maxHeader,
		Protocols:              &protocols,
	}
}

// dial resolves a name once, has every address judged, and connects to the first that answers.
func (c *NetClient) dial(ctx context.Context, address string, judge func(netip.Addr) error) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	addrs, err := c.lookup(ctx, host)
	if err != nil {
		return nil, err
	}
	for _, a := range addrs {
		if err := judge(a); err != nil {
			return nil, &AddressError{err}
		}
	}
	err = fmt.Errorf("%s has no address", host)
	for _, a := range addrs {
		var conn net.Conn
		if conn, err = c.connect(ctx, net.JoinHostPort(a.Unmap().String(), port), judge); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

func (c *NetClient) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	var r Resolver = net.DefaultResolver
	if c.Resolver != nil {
		r = c.Resolver
	}
	return r.LookupNetIP(ctx, "ip", host)
}

// connect opens a connection. What the socket is about to be connected to is judged once more, whatever led there.
func (c *NetClient) connect(ctx context.Context, address string, judge func(netip.Addr) error) (net.Conn, error) {
	if c.Dial != nil {
		return c.Dial(ctx, "tcp", address)
	}
	d := net.Dialer{
		Timeout: 10 * time.Second,
		Control: func(_, address string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err == nil {
				err = judge(to.Addr())
			}
			if err != nil {
				return &AddressError{err}
			}
			return nil
		},
	}
	return d.DialContext(ctx, "tcp", address)
}
