package admin

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
)

// Readiness is the answer of /readyz.
type Readiness struct {
	Ready   bool     `json:"ready"`
	Reasons []string `json:"reasons"` // why it is not
}

// Probes serves /metrics, /healthz and /readyz alone, which tell and change nothing: what may be shown where the operator's API may not.
func Probes(api API) http.Handler {
	mux := http.NewServeMux()
	probes(mux, api)
	return guarded(mux)
}

func probes(mux *http.ServeMux, api API) {
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		asking, cancel := context.WithTimeout(r.Context(), askTimeout)
		defer cancel()
		_, err := ready(asking, api)
		reply(w, struct {
			Alive bool `json:"alive"`
		}{true}, err)
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		asking, cancel := context.WithTimeout(r.Context(), askTimeout)
		defer cancel()
		reasons, err := ready(asking, api)
		if err != nil {
			reasons = []string{err.Error()}
		}
		status := http.StatusOK
		if len(reasons) > 0 {
			status = http.StatusServiceUnavailable
		}
		replyAs(w, status, Readiness{Ready: len(reasons) == 0, Reasons: append([]string{}, reasons...)})
	})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		s, ok := api.(interface{ Metrics(io.Writer) error })
		if !ok {
			reply(w, nil, errNoHost)
			return
		}
		var body bytes.Buffer
		if err := s.Metrics(&body); err != nil {
			reply(w, nil, err)
			return
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, _ = w.Write(body.Bytes()) // the caller is gone
	})
}

var errNoHost = fmt.Errorf("%w: no host runs here", ErrInput)

func ready(ctx context.Context, api API) ([]string, error) {
	s, ok := api.(interface {
		Ready(context.Context) ([]string, error)
	})
	if !ok {
		return nil, errNoHost
	}
	return s.Ready(ctx)
}

// Ready says why the host could not start a run now; empty: it could. The error says that its loop does not answer.
func (s *Served) Ready(ctx context.Context) ([]string, error) {
	reasons, err := s.h.Ready(ctx)
	if err != nil {
		return nil, fmt.Errorf("the host's loop does not answer: %w", err)
	}
	return reasons, nil
}

// Metrics writes the host's metrics in the text format of Prometheus.
func (s *Served) Metrics(w io.Writer) error {
	if s.cfg.Metrics == nil {
		return fmt.Errorf("%w: this host keeps no metrics", ErrInput)
	}
	return s.cfg.Metrics(w)
}
