package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/wcron/wcron/claims"
)

// Bounds of what the handler takes and gives.
const (
	maxBody     = MaxInput + 64<<10
	maxRows     = 100_000
	rowsDefault = 100
	writeTime   = 30 * time.Second // for one piece of a streamed output
)

// trailerError is set after a streamed output that is not all of it.
const trailerError = "Wcron-Error"

// Handler serves an API. It bounds what it reads, answers whatever it is sent, and leaves the authentication to the socket.
func Handler(api API) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/ping", func(w http.ResponseWriter, r *http.Request) {
		var id string
		if s, ok := api.(interface{ Instance() string }); ok {
			id = s.Instance()
		}
		reply(w, struct {
			Instance string `json:"instance"`
		}{id}, nil)
	})
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, r *http.Request) {
		s, err := api.Status(r.Context())
		reply(w, s, err)
	})
	mux.HandleFunc("GET /v1/jobs", func(w http.ResponseWriter, r *http.Request) {
		list, err := api.Jobs(r.Context())
		replyLines(w, list, err)
	})
	mux.HandleFunc("GET /v1/runs", func(w http.ResponseWriter, r *http.Request) {
		q, err := runQuery(r.URL.Query())
		var list []Run
		if err == nil {
			list, err = api.Runs(r.Context(), q)
		}
		replyLines(w, list, err)
	})
	mux.HandleFunc("GET /v1/slots", func(w http.ResponseWriter, r *http.Request) {
		q, err := slotQuery(r.URL.Query())
		var list []Slot
		if err == nil {
			list, err = api.Slots(r.Context(), q)
		}
		replyLines(w, list, err)
	})
	mux.HandleFunc("GET /v1/output", func(w http.ResponseWriter, r *http.Request) { serveOutput(api, w, r) })
	mux.HandleFunc("POST /v1/reload", func(w http.ResponseWriter, r *http.Request) {
		s, ok := api.(interface{ Reload(context.Context) error })
		if !ok {
			reply(w, nil, errNoHost)
			return
		}
		reply(w, struct{}{}, s.Reload(r.Context()))
	})
	probes(mux, api)
	mux.HandleFunc("POST /v1/do", func(w http.ResponseWriter, r *http.Request) { serveDo(api, w, r) })
	return guarded(mux)
}

// guarded turns a panic into an answer, and keeps a caller that does not read from holding on to the request.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil {
				reply(w, nil, fmt.Errorf("panic: %v", p))
			}
		}()
		if r.URL.Path != "/v1/output" { // which may be silent for as long as a run is
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTime)) // a recorder in a test has no deadlines
		}
		next.ServeHTTP(w, r)
	})
}

func serveDo(api API, w http.ResponseWriter, r *http.Request) {
	var req Request
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&req); err != nil {
		reply(w, nil, fmt.Errorf("%w: %w", ErrInput, err))
		return
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		reply(w, nil, fmt.Errorf("%w: more than one JSON value", ErrInput))
		return
	}
	if bytes.Equal(req.Input, []byte("null")) { // an absent input and null come to the same in JSON
		req.Input = nil
	}
	a, err := api.Do(r.Context(), req)
	reply(w, a, err)
}

// serveOutput streams. What goes wrong before the first byte is an ordinary error, and later the trailer tells.
func serveOutput(api API, w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	out := &stream{w: w, control: http.NewResponseController(w)}
	err := api.Output(r.Context(), q.Get("run"), q.Get("follow") != "", out)
	if err != nil && !out.begun {
		reply(w, nil, err)
		return
	}
	out.begin()
	if err != nil {
		w.Header().Set(trailerError, strconv.QuoteToASCII(err.Error()))
	}
}

// stream passes on each write at once.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	begun   bool
}

func (s *stream) begin() {
	if s.begun {
		return
	}
	s.begun = true
	s.w.Header().Set("Content-Type", "application/octet-stream")
	s.w.Header().Set("Trailer", trailerError)
	s.w.WriteHeader(http.StatusOK)
}

func (s *stream) Write(p []byte) (int, error) {
	s.begin()
	_ = s.control.SetWriteDeadline(time.Now().Add(writeTime))
	defer func() { _ = s.control.SetWriteDeadline(time.Time{}) }()
	n, err := s.w.Write(p)
	if err == nil {
		_ = s.control.Flush()
	}
	return n, err
}

func reply(w http.ResponseWriter, v any, err error) {
	status := http.StatusOK
	if err != nil {
		v, status = problemOf(err)
	}
	replyAs(w, status, v)
}

func replyAs(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil { // a time outside the years 0 to 9999
		v, status = problemOf(err)
		body, _ = json.Marshal(v)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the caller is gone
}

func replyLines[T any](w http.ResponseWriter, list []T, err error) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	for i := 0; i < len(list) && err == nil; i++ {
		err = enc.Encode(list[i])
	}
	if err != nil {
		reply(w, nil, err)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	_, _ = w.Write(body.Bytes()) // the caller is gone
}

func runQuery(v url.Values) (q claims.RunQuery, err error) {
	q = claims.RunQuery{Job: v.Get("job"), RunID: v.Get("run"), Slot: v.Get("slot")}
	if q.Before, err = timeOf(v, "before"); err == nil {
		q.Limit, err = limitOf(v)
	}
	return q, err
}

func slotQuery(v url.Values) (q claims.SlotQuery, err error) {
	q.Job = v.Get("job")
	if q.Before, err = timeOf(v, "before"); err != nil {
		return q, err
	}
	if q.Since, err = timeOf(v, "since"); err == nil {
		q.Limit, err = limitOf(v)
	}
	return q, err
}

func timeOf(v url.Values, key string) (time.Time, error) {
	s := v.Get(key)
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return t, fmt.Errorf("%w: %s: %w", ErrInput, key, err)
	}
	return t, nil
}

// limitOf keeps one answer from taking all of the host's memory.
func limitOf(v url.Values) (int, error) {
	s := v.Get("limit")
	if s == "" {
		return rowsDefault, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0, fmt.Errorf("%w: limit %q is no number", ErrInput, s)
	}
	if n < 0 || n > maxRows {
		n = maxRows
	}
	return n, nil
}
