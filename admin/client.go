package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/wcron/wcron/claims"
)

// Client asks a host over its socket. It holds no connection between calls.
type Client struct {
	path string
	http *http.Client
}

var _ API = (*Client)(nil)

// callTime bounds a call whose context has no earlier end, but for Output. A forced cancel takes ForceAfter of it.
const callTime = 20 * time.Second

// NewClient makes a client of the socket at path. It does not look whether one is there.
func NewClient(path string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
	return &Client{path: path, http: &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true, DisableCompression: true}}}
}

// Ping asks for the host's instance id.
func (c *Client) Ping(ctx context.Context) (string, error) {
	var out struct {
		Instance string `json:"instance"`
	}
	err := c.call(ctx, "/v1/ping", nil, func(r io.Reader) error { return json.NewDecoder(r).Decode(&out) })
	return out.Instance, err
}

// Status implements API.
func (c *Client) Status(ctx context.Context) (out Status, err error) {
	err = c.call(ctx, "/v1/status", nil, func(r io.Reader) error { return json.NewDecoder(r).Decode(&out) })
	return out, err
}

// Jobs implements API.
func (c *Client) Jobs(ctx context.Context) ([]Job, error) { return lines[Job](ctx, c, "/v1/jobs", nil) }

// Runs implements API.
func (c *Client) Runs(ctx context.Context, q claims.RunQuery) ([]Run, error) {
	v := url.Values{}
	set(v, "job", q.Job)
	set(v, "run", q.RunID)
	set(v, "slot", q.Slot)
	setTime(v, "before", q.Before)
	setLimit(v, q.Limit)
	return lines[Run](ctx, c, "/v1/runs", v)
}

// Slots implements API.
func (c *Client) Slots(ctx context.Context, q claims.SlotQuery) ([]Slot, error) {
	v := url.Values{}
	set(v, "job", q.Job)
	setTime(v, "before", q.Before)
	setTime(v, "since", q.Since)
	setLimit(v, q.Limit)
	return lines[Slot](ctx, c, "/v1/slots", v)
}

// Do implements API.
func (c *Client) Do(ctx context.Context, r Request) (out Answer, err error) {
	if err := r.check(); err != nil { // the same words as everywhere, and no JSON that cannot be written
		return Answer{}, err
	}
	body, err := json.Marshal(r)
	if err != nil {
		return Answer{}, fmt.Errorf("%w: %w", ErrInput, err)
	}
	err = c.send(ctx, http.MethodPost, "/v1/do", bytes.NewReader(body), func(r io.Reader) error { return json.NewDecoder(r).Decode(&out) })
	return out, err
}

// Reload makes the host take over what the files that define its jobs say now, and returns when it has.
func (c *Client) Reload(ctx context.Context) error {
	return c.send(ctx, http.MethodPost, "/v1/reload", nil, func(io.Reader) error { return nil })
}

// Metrics copies the host's metrics to w, in the text format of Prometheus.
func (c *Client) Metrics(ctx context.Context, w io.Writer) error {
	return c.call(ctx, "/metrics", nil, func(r io.Reader) error { _, err := io.Copy(w, r); return err })
}

// Output implements API.
func (c *Client) Output(ctx context.Context, runID string, follow bool, w io.Writer) error {
	v := url.Values{"run": {runID}}
	if follow {
		v.Set("follow", "1")
	}
	res, err := c.open(ctx, http.MethodGet, "/v1/output?"+v.Encode(), nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	into := &sink{w: w}
	_, err = io.Copy(into, res.Body)
	switch {
	case into.err != nil:
		return into.err
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return c.unreachable(err)
	}
	if text := res.Trailer.Get(trailerError); text != "" {
		if plain, err := strconv.Unquote(text); err == nil {
			text = plain
		}
		return errors.New(text)
	}
	return nil
}

// sink tells an error of the writer from one of the connection.
type sink struct {
	w   io.Writer
	err error
}

func (s *sink) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	s.err = err
	return n, err
}

func lines[T any](ctx context.Context, c *Client, path string, v url.Values) ([]T, error) {
	out := []T{}
	err := c.call(ctx, path, v, func(r io.Reader) error {
		for dec := json.NewDecoder(r); ; {
			var one T
			if err := dec.Decode(&one); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
			out = append(out, one)
		}
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (c *Client) call(ctx context.Context, path string, v url.Values, read func(io.Reader) error) error {
	if len(v) > 0 {
		path += "?" + v.Encode()
	}
	return c.send(ctx, http.MethodGet, path, nil, read)
}

func (c *Client) send(ctx context.Context, method, path string, body io.Reader, read func(io.Reader) error) error {
	asking, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	res, err := c.open(asking, method, path, body)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if err := read(res.Body); err != nil {
		return c.unreachable(err)
	}
	return nil
}

// open sends a request and returns its answer if that is a good one.
func (c *Client) open(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://wcron"+path, body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInput, err)
	}
	res, err := c.http.Do(req)
	if err != nil {
		if errors.Is(err, context.Canceled) {
			return nil, ctx.Err()
		}
		return nil, c.unreachable(err)
	}
	if res.StatusCode == http.StatusOK {
		return res, nil
	}
	defer res.Body.Close()
	var p problem
	if err := json.NewDecoder(io.LimitReader(res.Body, maxBody)).Decode(&p); err != nil || p.Error == "" {
		return nil, c.unreachable(errors.New(res.Status))
	}
	return nil, p.err()
}

func (c *Client) unreachable(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return fmt.Errorf("socket %s: %w: %w", c.path, ErrUnreachable, err)
}

func set(v url.Values, key, value string) {
	if value != "" {
		v.Set(key, value)
	}
}

func setTime(v url.Values, key string, t time.Time) {
	if !t.IsZero() {
		v.Set(key, t.UTC().Format(time.RFC3339Nano))
	}
}

func setLimit(v url.Values, n int) {
	if n != 0 {
		v.Set("limit", strconv.Itoa(n))
	}
}
