package sqlitestore

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ncruces/go-sqlite3"
	"github.com/wcron/wcron/claims"
)

const (
	queryState    = `SELECT key, value, seq, run_id FROM state WHERE job = ? ORDER BY key`
	queryStateRev = `SELECT state_rev FROM jobs WHERE name = ?`
	putState      = `INSERT INTO state (job, key, value, seq, run_id, rev) VALUES (?1,?2,?3,?4,?5,?6)
	ON CONFLICT (job, key) DO UPDATE SET value = ?3, seq = ?4, run_id = ?5, rev = ?6`
	deleteStateKey = `DELETE FROM state WHERE job = ? AND key = ?`
	deleteState    = `DELETE FROM state WHERE job = ?`
)

// A key that is deleted leaves a row behind as long as a claim is open that is older: else it would look as if it had not changed.
const (
	putGone      = `INSERT INTO state_gone (job, key, rev, run_id) VALUES (?1,?2,?3,?4) ON CONFLICT (job, key) DO UPDATE SET rev = ?3, run_id = ?4`
	deleteGone   = `DELETE FROM state_gone WHERE job = ?`
	forgetGone   = `DELETE FROM state_gone WHERE job = ?1 AND rev <= coalesce((SELECT min(state_rev) FROM claims WHERE job = ?1), rev)`
	queryChanged = `SELECT key, run_id FROM state WHERE job = ?1 AND rev > ?2
	UNION ALL SELECT key, run_id FROM state_gone WHERE job = ?1 AND rev > ?2`
)

// State reads a job's state by key, and its revision.
func (s *Store) State(ctx context.Context, job string) (all []claims.StateEntry, rev int64, err error) {
	err = s.read(ctx, fmt.Sprintf("read the state of job %q", job), func(c *conn) error {
		if _, err := c.one(func(st *sqlite3.Stmt) { rev = st.ColumnInt64(0) }, queryStateRev, job); err != nil {
			return err
		}
		return c.each(func(st *sqlite3.Stmt) error {
			all = append(all, claims.StateEntry{
				Token: claims.Token{Job: job, Seq: st.ColumnInt64(2), RunID: st.ColumnText(3)},
				Key:   st.ColumnText(0),
				Value: blob(st, 1),
			})
			return nil
		}, queryState, job)
	})
	return all, rev, err
}

// conflict says which key that a run used has changed since it saw the state at a revision; nothing when none has.
func (t *tx) conflict(job *jobRow, since int64, f *claims.Final) (reason string, err error) {
	if f.Outcome != claims.OK || job.stateRev <= since || len(f.Used)+len(f.State) == 0 {
		return "", nil
	}
	used := make(map[string]bool, len(f.Used)+len(f.State))
	var prefixes []string
	for _, u := range f.Used {
		if u.Prefix {
			prefixes = append(prefixes, u.Key)
		} else {
			used[u.Key] = true
		}
	}
	for _, w := range f.State {
		used[w.Key] = true
	}
	prefixes = shortest(prefixes)
	err = t.each(func(st *sqlite3.Stmt) error {
		key := st.ColumnText(0)
		if reason == "" && (used[key] || beginsWithOne(prefixes, key)) {
			reason = fmt.Sprintf("run %s has changed key %.80q of the state since this run saw it; its state is dropped", st.ColumnText(1), key)
		}
		return nil
	}, queryChanged, job.Name, since)
	return reason, err
}

// shortest puts prefixes in order, without those that begin with another one.
func shortest(prefixes []string) []string {
	slices.Sort(prefixes)
	kept := prefixes[:0]
	for _, p := range prefixes {
		if last := len(kept) - 1; last < 0 || !strings.HasPrefix(p, kept[last]) {
			kept = append(kept, p)
		}
	}
	return kept
}

// beginsWithOne says whether a key begins with one of the shortest prefixes: that is the last one that does not stand behind the key.
func beginsWithOne(prefixes []string, key string) bool {
	at, found := slices.BinarySearch(prefixes, key)
	return found || at > 0 && strings.HasPrefix(key, prefixes[at-1])
}

// writeState keeps what a run that is ok has written.
func (t *tx) writeState(job *jobRow, tok claims.Token, writes []claims.StateWrite) error {
	if len(writes) > 0 {
		job.stateRev++
	}
	for _, w := range writes {
		if err := t.writeKey(job, tok, w); err != nil {
			return fmt.Errorf("write key %q of the state: %w", w.Key, err)
		}
	}
	return nil
}

func (t *tx) writeKey(job *jobRow, tok claims.Token, w claims.StateWrite) error {
	if !w.Delete {
		_, err := t.exec(putState, tok.Job, w.Key, append([]byte{}, w.Value...), tok.Seq, tok.RunID, job.stateRev)
		return err
	}
	n, err := t.exec(deleteStateKey, tok.Job, w.Key)
	if n > 0 && err == nil && job.Lanes > 1 {
		_, err = t.exec(putGone, tok.Job, w.Key, job.stateRev, tok.RunID)
	}
	return err
}
