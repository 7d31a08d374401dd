package admin

import (
	"context"
	"fmt"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/host"
)

// Direct is the API on a ledger alone: no host runs in this process, though one may in another.
type Direct struct {
	cfg Config
}

var _ API = (*Direct)(nil)

// NewDirect makes a Direct. It asks nothing yet.
func NewDirect(cfg Config) *Direct {
	if cfg.Jobs == nil {
		cfg.Jobs = func() []host.Job { return nil }
	}
	if cfg.Plugin == nil {
		cfg.Plugin = func(string) string { return "" }
	}
	if cfg.Access == nil {
		cfg.Access = func(string) (*Access, string) { return nil, "" }
	}
	if cfg.Source == "" {
		cfg.Source = "default"
	}
	if cfg.Zone == nil {
		cfg.Zone = func() string { return "UTC" }
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Direct{cfg: cfg}
}

// now has the ledger's precision.
func (d *Direct) now() time.Time { return d.cfg.Now().UTC().Truncate(time.Millisecond) }

// Status implements API.
func (d *Direct) Status(ctx context.Context) (Status, error) {
	hosts, last, err := Hosts(ctx, d.cfg.Store)
	if err != nil {
		return Status{}, err
	}
	return d.status(hosts, last), nil
}

func (d *Direct) status(hosts []HostInfo, last time.Time) Status {
	if hosts == nil {
		hosts = []HostInfo{}
	}
	return Status{NotReady: []string{}, Hosts: hosts, LastSeenAt: instant(last), Source: d.cfg.Source, Timezone: d.cfg.Zone()}
}

// Runs implements API.
func (d *Direct) Runs(ctx context.Context, q claims.RunQuery) ([]Run, error) {
	rows, err := d.runs(ctx, q)
	if err != nil {
		return nil, err
	}
	out := make([]Run, len(rows))
	for i, r := range rows {
		out[i] = RunView(r)
	}
	return out, nil
}

// runs tells a prefix that fits several runs from a ledger that cannot be read.
func (d *Direct) runs(ctx context.Context, q claims.RunQuery) ([]claims.Run, error) {
	rows, err := d.cfg.Store.Runs(ctx, q)
	if err == nil || q.RunID == "" {
		return rows, err
	}
	if _, other := d.cfg.Store.Runs(ctx, claims.RunQuery{Limit: 1}); other != nil {
		return nil, err
	}
	return nil, fmt.Errorf("%w: %w", ErrInput, err)
}

// run finds one run by its id or a prefix of it.
func (d *Direct) run(ctx context.Context, id string) (claims.Run, error) {
	if len(id) < minPrefix {
		return claims.Run{}, fmt.Errorf("%w: run %q: give at least %d characters of its id", ErrInput, id, minPrefix)
	}
	rows, err := d.runs(ctx, claims.RunQuery{RunID: id, Limit: 1})
	if err != nil {
		return claims.Run{}, err
	}
	if len(rows) == 0 {
		return claims.Run{}, fmt.Errorf("run %q: %w", id, claims.ErrNoRun)
	}
	return rows[0], nil
}

const minPrefix = 4

// Slots implements API.
func (d *Direct) Slots(ctx context.Context, q claims.SlotQuery) ([]Slot, error) {
	rows, err := d.cfg.Store.Slots(ctx, q)
	if err != nil {
		return nil, err
	}
	out := make([]Slot, len(rows))
	for i, r := range rows {
		out[i] = SlotView(r)
	}
	return out, nil
}
