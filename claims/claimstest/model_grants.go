package claimstest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/wcron/wcron/claims"
)

var _ claims.Grants = (*Model)(nil)

// decision is a grant and the revision at which it was recorded.
type decision struct {
	claims.Grant
	rev int64
}

// Grants implements claims.Grants.
func (m *Model) Grants(ctx context.Context, since int64) (all []claims.Grant, rev int64, err error) {
	leave, err := m.enter(ctx)
	if err != nil {
		return nil, 0, err
	}
	defer leave()
	rev = since
	for _, d := range m.grants {
		if d.rev > since {
			all, rev = append(all, d.Grant), d.rev
		}
	}
	return all, rev, nil
}

// Grant implements claims.Grants.
func (m *Model) Grant(ctx context.Context, now time.Time, list []claims.Grant) error {
	leave, err := m.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	for _, g := range list {
		if g.Decision != claims.Approved && g.Decision != claims.Denied {
			return fmt.Errorf("there is no decision %q", g.Decision)
		}
	}
	m.rev++
	for _, g := range list {
		if g.Auto && slices.ContainsFunc(m.grants, func(o decision) bool { return o.Job == g.Job && o.Plugin == g.Plugin && o.rev > g.Seen }) {
			continue
		}
		g.Auto, g.Seen = false, 0
		m.grants = slices.DeleteFunc(m.grants, func(o decision) bool {
			return o.Job == g.Job && o.Plugin == g.Plugin &&
				(o.Digest == g.Digest && o.Sidecar == g.Sidecar || g.Decision == claims.Approved && o.Decision == claims.Approved)
		})
		g.At = now.UTC().Truncate(time.Millisecond)
		m.grants = append(m.grants, decision{g, m.rev})
	}
	return nil
}
