package sqlitestore

import (
	"context"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/wcron/wcron/claims"
)

// crashedAfter is how long the record of an owner that never left is kept for people to see.
const crashedAfter = 24 * time.Hour

const (
	queryGone = `SELECT id FROM owners WHERE left_at = 0 AND seen_at < ? AND NOT EXISTS (SELECT 1 FROM claims WHERE claims.owner = owners.id)
	LIMIT 64`
	markGone   = `UPDATE owners SET left_at = seen_at WHERE id = ? AND left_at = 0`
	countLeft  = `SELECT count(*) FROM owners WHERE left_at > 0`
	deleteLeft = `DELETE FROM owners WHERE left_at > 0 AND id <> (SELECT id FROM owners WHERE left_at > 0 ORDER BY left_at DESC LIMIT 1)`
)

// forget drops the records of owners that have left, but for the last one. One that never left is held to have left when it was
// seen last, once that is a day ago, its claims are closed and its lock proves it dead.
func (s *Store) forget(ctx context.Context, now time.Time) error {
	var left int64
	var silent []string
	err := s.read(ctx, opPrune, func(c *conn) (err error) {
		if left, err = c.number(countLeft); err != nil {
			return err
		}
		return c.each(func(st *sqlite3.Stmt) error {
			silent = append(silent, st.ColumnText(0))
			return nil
		}, queryGone, now.Add(-crashedAfter))
	})
	if err != nil {
		return err
	}
	for _, id := range silent {
		gone, err := s.forgetDead(ctx, id)
		if err != nil {
			return err
		}
		left += gone
	}
	if left <= 1 {
		return nil
	}
	return s.write(ctx, opPrune, 0, func(t *tx) error {
		_, err := t.exec(deleteLeft)
		return err
	})
}

// forgetDead marks an owner as left while its lock is held, so that nobody can come back as it meanwhile.
func (s *Store) forgetDead(ctx context.Context, id string) (marked int64, err error) {
	probe, err := s.Probe(ctx, id)
	if err != nil {
		return 0, err
	}
	defer probe.Release()
	if probe.Lock != claims.LockFree {
		return 0, nil
	}
	err = s.write(ctx, opPrune, 0, func(t *tx) (err error) {
		marked, err = t.exec(markGone, id)
		return err
	})
	return marked, err
}
