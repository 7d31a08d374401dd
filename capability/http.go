package capability

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/wcron/wcron/sandbox"
)

// Limits of one request.
const (
	MaxRequestBody  = 1 << 20
	MaxResponseBody = 4 << 20
	MaxRedirects    = 3
)

// Codes of a request that did not come to a response.
const (
	BadURL           = "bad_url"            // it cannot be read, or could be read in two ways
	AddressRefused   = "address_refused"    // the host's address is not public, and not granted
	RedirectRefused  = "redirect_refused"   // too many, or to where a request would be refused
	RequestTooLarge  = "request_too_large"  // the body is larger than MaxRequestBody
	ResponseTooLarge = "response_too_large" // the body is larger than MaxResponseBody; nothing of it is given
	OverBudget       = "budget"             // the run's requests or bytes are used up
	TimedOut         = "timeout"            // it took longer than it may
	NoConnection     = "connection_failed"  // name, connection, certificate or protocol failed
	SecretMissing    = "secret_unavailable" // a secret could not be read
)

// session is the HTTP of one run.
type session struct {
	d        *Door
	requests int   // left
	bytes    int64 // left
	time     time.Duration
	secrets  secrets
	last     result
}

// result is what http_status_code and http_headers tell of the last request.
type result struct {
	status int
	header map[string]string
}

func newSession(d *Door) session {
	return session{
		d:        d,
		requests: orDefault(d.Grants.HTTPRequests, DefaultHTTPRequests),
		bytes:    orDefault(d.Grants.HTTPBytes, DefaultHTTPBytes),
		time:     orDefault(d.Grants.HTTPTime, DefaultHTTPTime),
		secrets:  secrets{all: d.Grants.Secrets},
	}
}

// httpError is a request that did not come to a response.
type httpError struct {
	code string
	err  error
	tell bool // the operator can do something about it
}

func (e *httpError) Error() string { return e.err.Error() }

func refused(code string, err error) *httpError { return &httpError{code, err, true} }

func failed(code string, err error) *httpError { return &httpError{code, err, false} }

// guestRequest is what Extism's kits hand over.
type guestRequest struct {
	URL     string            `json:"url"`
	Method  string            `json:"method"`
	Headers map[string]string `json:"headers"`
}

// request is http_request of extism:host/env. A request that fails has the status 0, the header "wcron-error" with the code, and
// as its body the error, as other calls give it.
func (s *session) request(ctx context.Context, args []sandbox.Arg) (sandbox.Answer, error) {
	s.last = result{}
	var r guestRequest
	var resp *Response
	var failure *httpError
	if err := json.Unmarshal(args[0].Block, &r); err != nil {
		failure = failed(BadRequest, fmt.Errorf("the request cannot be read: %w", err))
	} else {
		resp, failure = s.carryOut(ctx, r, args[1].Block)
	}
	if ctx.Err() != nil {
		return sandbox.Answer{}, ctx.Err() // the run is over
	}
	if failure != nil {
		return s.fail(r, failure), nil
	}
	header := map[string]string{}
	for name, values := range resp.Header {
		header[s.redactText(strings.ToLower(name))] = s.redactText(strings.Join(values, ","))
	}
	body := s.secrets.redact(resp.Body)
	if len(body) != len(resp.Body) && header["content-length"] != "" {
		header["content-length"] = fmt.Sprint(len(body))
	}
	s.last = result{status: resp.Status, header: header}
	return sandbox.Answer{Block: body}, nil
}

func (s *session) fail(r guestRequest, e *httpError) sandbox.Answer {
	message := s.redactText(e.Error())
	s.last = result{header: map[string]string{"wcron-error": e.code}}
	a := sandbox.Answer{Block: failure(e.code, message), Note: line(s.redactText(fmt.Sprintf("%.20s %.200s: %s", methodOf(r), r.URL, message)))}
	if e.tell {
		a.Note = s.d.refuse(a.Note)
	}
	return a
}

func (s *session) statusCode(context.Context, []sandbox.Arg) (sandbox.Answer, error) {
	return sandbox.Answer{Int: uint64(s.last.status)}, nil
}

func (s *session) headers(context.Context, []sandbox.Arg) (sandbox.Answer, error) {
	if s.last.header == nil {
		return sandbox.Answer{}, nil
	}
	b, err := json.Marshal(s.last.header)
	return sandbox.Answer{Block: b}, err
}

func methodOf(r guestRequest) string {
	if r.Method == "" {
		return http.MethodGet
	}
	return strings.ToUpper(r.Method)
}

// hop is a request on its way over redirects.
type hop struct {
	target target
	method string
	header http.Header
	body   []byte
}

// carryOut sends a request and follows where it is redirected. Each step is judged as if it were the first.
func (s *session) carryOut(ctx context.Context, r guestRequest, body []byte) (*Response, *httpError) {
	if len(body) > MaxRequestBody {
		return nil, failed(RequestTooLarge, fmt.Errorf("the request has %d bytes, and may have %d", len(body), MaxRequestBody))
	}
	h := hop{method: methodOf(r), body: body}
	if !isToken(h.method) || h.method == http.MethodConnect || h.method == http.MethodTrace {
		return nil, failed(BadRequest, fmt.Errorf("there is no method %.20q here", h.method))
	}
	var err error
	if h.header, err = guestHeader(r.Headers); err != nil {
		return nil, failed(BadRequest, err)
	}
	if h.target, err = parseTarget(r.URL); err != nil {
		return nil, failed(BadURL, err)
	}
	limit := s.time
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	secretly := false // it was redirected to an address that has a secret in it
	for redirects := 0; ; redirects++ {
		resp, fail := s.step(ctx, h)
		if fail != nil {
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				fail = failed(TimedOut, fmt.Errorf("it took longer than %s", limit))
			}
			if redirects > 0 && (fail.code == NotGranted || fail.code == AddressRefused) {
				fail.code, fail.err = RedirectRefused, fmt.Errorf("redirected to %s: %w", h.target.url.Redacted(), fail.err)
				if secretly {
					fail.err = errSecretly
				}
			}
			return nil, fail
		}
		location := resp.Header.Get("Location")
		if location == "" || !slices.Contains(redirectCodes, resp.Status) {
			return resp, nil
		}
		if redirects == MaxRedirects {
			return nil, failed(RedirectRefused, fmt.Errorf("it was redirected more than %d times", MaxRedirects))
		}
		secretly = s.redactText(location) != location
		if h, err = h.next(resp.Status, location); err != nil && secretly {
			return nil, failed(RedirectRefused, errSecretly)
		} else if err != nil {
			return nil, failed(RedirectRefused, fmt.Errorf("redirected to where no request goes: %w", err))
		}
	}
}

// errSecretly says nothing of where to: what a message quotes, it may cut, and then a secret is not found in it any more.
var errSecretly = errors.New("redirected to an address that is refused, and has a secret in it")

var redirectCodes = []int{
	http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect,
}

// keptAcross is what of a guest's header goes on to another host: nothing that could be a credential.
var keptAcross = []string{"Accept", "Accept-Encoding", "Accept-Language", "Cache-Control", "Content-Type", "User-Agent"}

// next is the request after a redirect.
func (h hop) next(status int, location string) (hop, error) {
	ref, err := url.Parse(location)
	if err != nil {
		return h, errors.New("its address cannot be read")
	}
	to, err := newTarget(h.target.url.ResolveReference(ref))
	if err != nil {
		return h, err
	}
	n := hop{target: to, method: h.method, header: h.header, body: h.body}
	if status == http.StatusSeeOther && n.method != http.MethodHead ||
		(status == http.StatusMovedPermanently || status == http.StatusFound) && n.method == http.MethodPost {
		n.method, n.body = http.MethodGet, nil
	}
	if to.url.Host != h.target.url.Host || to.scheme != h.target.scheme {
		n.header = http.Header{}
		for _, name := range keptAcross {
			if v := h.header.Values(name); v != nil {
				n.header[name] = v
			}
		}
	}
	if n.body == nil {
		n.header = n.header.Clone()
		n.header.Del("Content-Type")
	}
	return n, nil
}

// step carries out one exchange within the grants and the budget.
func (s *session) step(ctx context.Context, h hop) (*Response, *httpError) {
	rule, err := s.d.Grants.ruleFor(h.target, h.method)
	if err != nil {
		return nil, refused(NotGranted, err)
	}
	switch sent := int64(len(h.body)); {
	case s.requests == 0:
		return nil, failed(OverBudget, errors.New("the run has made all the requests that it may make"))
	case s.bytes <= sent:
		return nil, failed(OverBudget, errors.New("the run has moved all the bytes that it may move"))
	default:
		s.requests, s.bytes = s.requests-1, s.bytes-sent
	}
	e := &Exchange{
		Method: h.method, URL: h.target.url, Header: h.header, Body: h.body, MaxBody: min(MaxResponseBody, s.bytes),
		Judge: rule.judge,
	}
	if e.Secret, err = s.secrets.header(ctx, h.target); err != nil {
		return nil, refused(SecretMissing, err)
	}
	if e.Secret != nil {
		e.Header = beside(e.Header)
	}
	resp, err := s.d.HTTP.Do(ctx, e)
	if resp != nil {
		s.bytes = max(s.bytes-int64(len(resp.Body)), 0)
	}
	var address *AddressError
	switch {
	case errors.As(err, &address):
		return nil, refused(AddressRefused, address)
	case errors.Is(err, ErrTooLarge), err != nil && strings.Contains(err.Error(), "server response headers exceeded"):
		return nil, failed(ResponseTooLarge, err)
	case err != nil:
		return nil, failed(NoConnection, err)
	}
	if packed := resp.Header.Get("Content-Encoding"); e.Secret != nil && packed != "" && packed != "identity" {
		return nil, failed(NoConnection, fmt.Errorf("the response is packed as %.40q, which was not asked for", packed))
	}
	return resp, nil
}

// notTheGuests are headers that belong to the connection, or to the host that makes it.
var notTheGuests = []string{
	"Connection", "Content-Length", "Expect", "Forwarded", "Host", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
	"Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

// guestHeader is what of a guest's headers is sent.
func guestHeader(given map[string]string) (http.Header, error) {
	h := http.Header{}
	seen := map[string]bool{}
	size := 0
	for name, value := range given {
		if !isToken(name) || strings.ContainsFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
			return nil, fmt.Errorf("the header %.40q has bytes that no header may have", name)
		}
		if size += len(name) + len(value) + 4; size > maxHeader {
			return nil, fmt.Errorf("the headers have more than %d bytes", maxHeader)
		}
		if name = textproto.CanonicalMIMEHeaderKey(name); seen[name] {
			return nil, fmt.Errorf("the header %.40q is given twice, in letters of different case", name)
		}
		if seen[name] = true; !slices.Contains(notTheGuests, name) {
			h.Set(name, value)
		}
	}
	if h.Get("User-Agent") == "" {
		h.Set("User-Agent", "wcron")
	}
	return h, nil
}

func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return c <= ' ' || c > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c)
	})
}

// redactText takes the secrets of the run out of a text.
func (s *session) redactText(text string) string { return string(s.secrets.redact([]byte(text))) }
