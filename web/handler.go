package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/wcron/wcron/admin"
)

// Config says what the dashboard shows. API is required.
type Config struct {
	API admin.API
	// Hosts are the names besides those of loopback under which a browser may ask, in small letters and without a port.
	Hosts []string
	// Now is the clock. nil: time.Now.
	Now func() time.Time
}

// Bounds of one answer.
const (
	askTime    = 10 * time.Second // for all that a page asks the API
	writeTime  = 30 * time.Second // for a page, or one piece of an output
	maxPages   = 16               // that are made at once
	maxOutputs = 4                // that are copied at once
	jobsShown  = 200
	rowsShown  = 50
	maxTies    = 64 // runs or slots of a job that have the same time
)

// dashboard answers. It is safe for concurrent use.
type dashboard struct {
	Config
	pages, outputs chan struct{}
}

// Handler serves the dashboard. It holds on to nothing between two requests. The listener bounds the headers and the time to read them,
// as admin.Serve does.
func Handler(cfg Config) http.Handler {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	d := &dashboard{Config: cfg, pages: make(chan struct{}, maxPages), outputs: make(chan struct{}, maxOutputs)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", d.page(d.jobs))
	mux.HandleFunc("GET /jobs/{name}", d.page(d.job))
	mux.HandleFunc("GET /runs/{id}", d.page(d.run))
	mux.HandleFunc("GET /runs/{id}/output", d.output)
	for _, name := range []string{"style.css", "script.js", "icon.svg"} {
		mux.HandleFunc("GET /"+name, asset(name))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		d.fail(w, fmt.Errorf("%w at this address; the jobs are at /", errNothing))
	})
	return guarded(cfg.Hosts, mux)
}

var (
	errNothing = errors.New("there is nothing")
	errBusy    = errors.New("too many answers are being made at once; try again in a moment")
)

// page makes a page of what show returns, or of its error.
func (d *dashboard) page(show func(ctx context.Context, r *http.Request, c clock) (view, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case d.pages <- struct{}{}:
			defer func() { <-d.pages }()
		default:
			d.fail(w, errBusy)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), askTime)
		defer cancel()
		s, err := d.API.Status(ctx)
		if err != nil {
			d.fail(w, err)
			return
		}
		c := d.clock(s)
		v, err := show(ctx, r, c)
		if err != nil {
			d.fail(w, err)
			return
		}
		v.Status = statusOf(s, c)
		render(w, http.StatusOK, v)
	}
}

// fail says in a page of its own what is wrong.
func (d *dashboard) fail(w http.ResponseWriter, err error) {
	status, title := http.StatusServiceUnavailable, "Not now"
	switch {
	case errors.Is(err, errNothing):
		status, title = http.StatusNotFound, "Nothing here"
	case errors.Is(err, admin.ErrInput):
		status, title = http.StatusBadRequest, "Not understood"
	}
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "2")
	}
	render(w, status, view{Name: "problem", Title: title, Body: clip(err.Error())})
}
