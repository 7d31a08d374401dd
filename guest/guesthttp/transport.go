// Package guesthttp is HTTP for jobs in Go, under the names of net/http: requests go through the host, which holds each against what
// the operator has granted. It does not know TCP, TLS or names.
package guesthttp

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/wcron/wcron/guest"
)

// Transport is an http.RoundTripper on [guest.Fetch]; the zero value is ready, and may be used from several goroutines. The host
// follows up to 3 redirects, verifies certificates, and puts in the secrets that are granted for the server.
//
// A request that came to no response is an error that wraps [guest.Error]; [guest.Code] tells its code. A body is whole, in both
// directions: at most 1 MiB in a request, 4 MiB in a response. Several headers of a name arrive as one, joined with a comma. The
// request's context is looked at before and after the call; what ends it meanwhile is the job's deadline and the host's own limit.
//
//	client := http.Client{Transport: guesthttp.Transport{}}
//
// RoundTrip without a Client makes a module some 5 MB smaller, since the linker then leaves TLS out.
type Transport struct{}

// RoundTrip implements http.RoundTripper.
func (Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := whole(r)
	if err != nil {
		return nil, err
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if r.URL == nil || r.Host != "" && r.Host != r.URL.Host {
		return nil, fmt.Errorf("guesthttp: the Host of a request is that of its URL, and %q is not; leave Request.Host empty", r.Host)
	}
	header := map[string]string{}
	for name, values := range r.Header {
		header[name] = strings.Join(values, ", ")
	}
	got, err := guest.Fetch(guest.Request{URL: r.URL.String(), Method: r.Method, Header: header, Body: body})
	if err != nil {
		return nil, err
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	out := &http.Response{
		Status: strings.TrimSpace(fmt.Sprintf("%d %s", got.Status, http.StatusText(got.Status))), StatusCode: got.Status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(got.Body)), ContentLength: int64(len(got.Body)), Request: r,
	}
	for name, value := range got.Header {
		out.Header.Set(name, value)
	}
	return out, nil
}

// maxBody is what a request may have. The host refuses more; what is more is not read into the guest's memory to be told so.
const maxBody = 1 << 20

// whole reads the body of a request and closes it.
func whole(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	defer r.Body.Close()
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return nil, fmt.Errorf("guesthttp: read the body of the request: %w", err)
	}
	return body, nil
}
