package admin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/host"
)

// Served is the API inside the process of a running host.
type Served struct {
	*Direct
	h *host.Host
}

var _ API = (*Served)(nil)

// NewServed makes a Served of the host's own store and jobs.
func NewServed(cfg Config, h *host.Host) *Served { return &Served{NewDirect(cfg), h} }

// Instance is the id of the host.
func (s *Served) Instance() string { return s.h.Instance() }

// Reload makes the host take over what the files that define its jobs say now, and returns when it has. Files that are being
// written are waited for, up to a bound.
func (s *Served) Reload(ctx context.Context) error {
	patient, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	for s.cfg.Reload != nil && !s.cfg.Reload() && patient.Err() == nil {
		select {
		case <-patient.Done():
		case <-time.After(settleTime / 50):
		}
	}
	return s.h.Reload(ctx)
}

// settleTime is how long a change of the files is waited for.
const settleTime = 5 * time.Second

// askTimeout bounds a question to the host's loop, which answers within microseconds unless it has ended or never began.
const askTimeout = 2 * time.Second

// Status implements API.
func (s *Served) Status(ctx context.Context) (Status, error) {
	hosts, last, err := hostsBut(ctx, s.cfg.Store, s.h.Instance())
	if err != nil {
		return Status{}, err
	}
	asking, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	load, err := s.h.Load(asking)
	if err != nil {
		return Status{}, fmt.Errorf("ask the host for its load: %w", err)
	}
	out := s.status(hosts, last)
	out.Instance = new(s.h.Instance())
	out.Load = &Load{
		Running: load.Running, MaxRuns: load.MaxRuns, MemoryBytes: load.Memory, MemoryBudgetBytes: load.MemoryBudget, Draining: load.Draining,
		Holders: []Holder{},
	}
	if w, ok := s.h.LedgerWait(); ok {
		out.Load.LockWaits, out.Load.LockWaitMS = w.Waits, w.Total.Milliseconds()
	}
	for _, t := range load.Holders {
		out.Load.Holders = append(out.Load.Holders, Holder{t.Job, t.RunID})
	}
	reasons, err := s.h.Ready(asking)
	if err != nil {
		return Status{}, fmt.Errorf("ask the host whether it is ready: %w", err)
	}
	out.NotReady = append(out.NotReady, reasons...)
	return out, nil
}

// Jobs implements API.
func (s *Served) Jobs(ctx context.Context) ([]Job, error) {
	rows, running, err := s.rows(ctx)
	if err != nil {
		return nil, err
	}
	asking, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	list, err := s.h.Status(asking)
	if err != nil {
		return nil, fmt.Errorf("ask the host for its jobs: %w", err)
	}
	var out []Job
	mine := map[string]bool{}
	for _, st := range list {
		mine[st.Job.Name] = true
		if row, ok := rows[st.Job.Name]; ok && row.Rev > st.Row.Rev && st.Row.Name != "" {
			st = newer(st, row) // the host has not read this change yet
		}
		out = append(out, s.view(st, s.cfg.Source, running))
	}
	return s.withQueue(ctx, s.withOthers(out, mine, rows, running))
}

// newer is a job's status with a later row of the ledger.
func newer(st host.JobStatus, row claims.Job) host.JobStatus {
	if !row.Next.Equal(st.Next) {
		st.Starts = time.Time{}
	}
	st.Row, st.Next = row, row.Next
	switch {
	case row.Disabled != "":
		st.State, st.Reason = host.Disabled, row.Disabled
	case row.Paused && (st.State == host.Active || st.State == host.Finished || st.State == host.OnDemand):
		st.State, st.Reason = host.Paused, row.Reason
	case !row.Paused && st.State == host.Paused:
		st.State, st.Reason = host.Active, ""
		if row.Next.IsZero() {
			st.State = host.OnDemand
		}
	}
	return st
}

// Do implements API. The host acts on the request at once.
func (s *Served) Do(ctx context.Context, r Request) (Answer, error) {
	if err := r.check(); err != nil {
		return Answer{}, err
	}
	defer s.h.Poll()
	if r.Kind == claims.Cancel {
		return s.cancel(ctx, r, func(runID string) {
			asking, cancel := context.WithTimeout(ctx, askTimeout)
			defer cancel()
			_, _ = s.h.Cancel(asking, runID) // the request is in the ledger: a host that does not answer reads it there
		})
	}
	a, err := s.request(ctx, r)
	if errors.Is(err, claims.ErrNoJob) {
		if def, ok := s.find(r.Job); ok {
			why := def.Broken
			if why == "" {
				why = "the host is about to register it; try again in a second"
			}
			return Answer{}, fmt.Errorf("job %q: %w in the ledger: %s", r.Job, claims.ErrNoJob, why)
		}
		return Answer{}, fmt.Errorf("job %q: %w", r.Job, claims.ErrNoJob)
	}
	return a, err
}
