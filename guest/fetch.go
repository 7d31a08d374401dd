package guest

import (
	"encoding/json"
	"fmt"

	"github.com/wcron/wcron/guest/internal/host"
)

// Request is a request over HTTP.
type Request struct {
	URL    string
	Method string            // empty: GET
	Header map[string]string // what belongs to the connection, Host included, is the host's, and passed over
	Body   []byte            // at most 1 MiB
}

// Response is what came back, whatever its status.
type Response struct {
	Status int
	Header map[string]string // names in small letters; several of a name are joined with a comma
	Body   []byte            // at most 4 MiB
}

// Fetch carries out a request. It follows up to 3 redirects, each held against the grant as the request itself, verifies
// certificates, and puts in the secrets that are granted for the server. It needs a grant.
//
// A request that came to no response is an [Error]. Its code is [NotGranted], [BadRequest], or one of bad_url, address_refused,
// redirect_refused, request_too_large, response_too_large, budget, timeout, connection_failed and secret_unavailable.
//
// Package guesthttp has the same for net/http, which makes a module about 2 MB larger, and 7 MB with an http.Client.
func Fetch(r Request) (Response, error) {
	const call = "http_request"
	text, err := json.Marshal(struct {
		URL    string            `json:"url"`
		Method string            `json:"method,omitempty"`
		Header map[string]string `json:"headers,omitempty"`
	}{r.URL, r.Method, r.Header})
	if err != nil {
		return Response{}, fmt.Errorf("%s: %w", call, err)
	}
	status, header, body, err := host.HTTP(text, r.Body)
	if err != nil {
		return Response{}, fmt.Errorf("%s: %w", call, err)
	}
	if status == 0 {
		var f failure
		if err := json.Unmarshal(body, &f); err != nil || f.Error == nil {
			return Response{}, fmt.Errorf("%s %s: the host gave neither a response nor an error", call, r.URL)
		}
		return Response{}, f.as(call)
	}
	out := Response{Status: status, Body: body}
	if len(header) > 0 {
		if err := json.Unmarshal(header, &out.Header); err != nil {
			return Response{}, fmt.Errorf("%s %s: read the headers: %w", call, r.URL, err)
		}
	}
	return out, nil
}
