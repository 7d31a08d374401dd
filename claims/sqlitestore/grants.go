package sqlitestore

import (
	"context"
	"fmt"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/wcron/wcron/claims"
)

var _ claims.Grants = (*Store)(nil)

// schemaGrants adds what operators decided about plugins.
const schemaGrants = `
CREATE TABLE grants (
	id        INTEGER PRIMARY KEY,
	job       TEXT NOT NULL,
	plugin    TEXT NOT NULL,
	digest    TEXT NOT NULL,
	sidecar   TEXT NOT NULL,
	decision  TEXT NOT NULL,
	requested TEXT NOT NULL,
	granted   TEXT NOT NULL,
	by        TEXT NOT NULL,
	at        INTEGER NOT NULL,
	rev       INTEGER NOT NULL
);
CREATE INDEX grants_job ON grants (job, plugin, digest);
CREATE INDEX grants_rev ON grants (rev);
`

const (
	queryGrants  = `SELECT job, plugin, digest, sidecar, decision, requested, granted, by, at, rev FROM grants WHERE rev > ? ORDER BY rev, id`
	newerGrants  = `SELECT COUNT(*) FROM grants WHERE job = ? AND plugin = ? AND rev > ?`
	replaceGrant = `DELETE FROM grants WHERE job = ?1 AND plugin = ?2 AND (digest = ?3 AND sidecar = ?4 OR ?5 = 'approved' AND decision = 'approved')`
	insertGrant  = `INSERT INTO grants (job, plugin, digest, sidecar, decision, requested, granted, by, at, rev) VALUES (?,?,?,?,?,?,?,?,?,?)`
)

// Grants lists the decisions that are newer than a revision.
func (s *Store) Grants(ctx context.Context, since int64) (all []claims.Grant, rev int64, err error) {
	rev = since
	err = s.read(ctx, "read the grants", func(c *conn) error {
		return c.each(func(st *sqlite3.Stmt) error {
			all = append(all, claims.Grant{
				Job: st.ColumnText(0), Plugin: st.ColumnText(1), Digest: st.ColumnText(2), Sidecar: st.ColumnText(3), Decision: claims.Decision(st.ColumnText(4)),
				Requested: st.ColumnText(5), Granted: st.ColumnText(6), By: st.ColumnText(7), At: instant(st.ColumnInt64(8)),
			})
			rev = st.ColumnInt64(9)
			return nil
		}, queryGrants, since)
	})
	if err != nil {
		return nil, 0, err
	}
	return all, rev, nil
}

// Grant records decisions.
func (s *Store) Grant(ctx context.Context, now time.Time, list []claims.Grant) error {
	return s.write(ctx, fmt.Sprintf("record %d decisions about plugins", len(list)), 0, func(t *tx) error {
		for _, g := range list {
			if g.Decision != claims.Approved && g.Decision != claims.Denied {
				return fmt.Errorf("there is no decision %q", g.Decision)
			}
			if g.Auto {
				if n, err := t.number(newerGrants, g.Job, g.Plugin, g.Seen); n > 0 || err != nil {
					if err != nil {
						return fmt.Errorf("job %q: %w", g.Job, err)
					}
					continue
				}
			}
			_, err := t.exec(replaceGrant, g.Job, g.Plugin, g.Digest, g.Sidecar, string(g.Decision))
			if err == nil {
				_, err = t.exec(insertGrant, g.Job, g.Plugin, g.Digest, g.Sidecar, string(g.Decision), g.Requested, g.Granted, g.By, now, t.rev())
			}
			if err != nil {
				return fmt.Errorf("job %q: %w", g.Job, err)
			}
		}
		return nil
	})
}
