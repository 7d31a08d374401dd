package sqlitestore

import (
	"context"
	"fmt"

	"github.com/ncruces/go-sqlite3"
	"github.com/wcron/wcron/claims"
)

const (
	queryState     = `SELECT key, value, seq, run_id FROM state WHERE job = ? ORDER BY key`
	putState       = `INSERT INTO state (job, key, value, seq, run_id) VALUES (?1,?2,?3,?4,?5) ON CONFLICT (job, key) DO UPDATE SET value = ?3, seq = ?4, run_id = ?5`
	deleteStateKey = `DELETE FROM state WHERE job = ? AND key = ?`
	deleteState    = `DELETE FROM state WHERE job = ?`
)

// State reads a job's state by key.
func (s *Store) State(ctx context.Context, job string) (all []claims.StateEntry, err error) {
	err = s.read(ctx, fmt.Sprintf("read the state of job %q", job), func(c *conn) error {
		return c.each(func(st *sqlite3.Stmt) error {
			all = append(all, claims.StateEntry{
				Token: claims.Token{Job: job, Seq: st.ColumnInt64(2), RunID: st.ColumnText(3)},
				Key:   st.ColumnText(0),
				Value: blob(st, 1),
			})
			return nil
		}, queryState, job)
	})
	return all, err
}

// writeState keeps what a run that is ok has written.
func (t *tx) writeState(tok claims.Token, writes []claims.StateWrite) error {
	for _, w := range writes {
		var err error
		if w.Delete {
			_, err = t.exec(deleteStateKey, tok.Job, w.Key)
		} else {
			_, err = t.exec(putState, tok.Job, w.Key, append([]byte{}, w.Value...), tok.Seq, tok.RunID)
		}
		if err != nil {
			return fmt.Errorf("write key %q of the state: %w", w.Key, err)
		}
	}
	return nil
}
