package main

import (
	"context"
	"fmt"

	"github.com/wcron/wcron/claims/sqlitestore"
	"github.com/wcron/wcron/config"
	"github.com/wcron/wcron/plugins"
)

// look has the set that the files at path and what the ledger decided make now. It writes nothing. unread says why the ledger, where
// there is one, could not be asked: then nothing counts as decided. Where the configuration is refused there is no set, and the
// problems say why.
func look(ctx context.Context, path string) (set *plugins.Set, problems []config.Problem, unread, err error) {
	cfg := plugins.Config{File: path}
	if f, ferr := config.Load(path); ferr == nil {
		p := placeOf(f)
		cfg.Content = p.modules
		if sqlitestore.Exists(p.state) {
			var store *sqlitestore.Store
			if store, unread = sqlitestore.Open(ctx, sqlitestore.Config{Dir: p.state, LockWait: storePatience, ReadOnly: true}); unread == nil {
				defer func() { _ = store.Close() }() // nothing was written
				cfg.Decided = recordsOf(store)
			} else {
				cfg.Decided = func(int64) ([]plugins.Record, int64, error) { return nil, 0, unread }
			}
		}
	}
	set, problems, err = plugins.Check(cfg)
	return set, problems, unread, err
}

// undecided says what keeps a job from running, or its update, that a word of the operator would let run; "" for every other job.
func undecided(j plugins.Job) (what, remedy string) {
	if j.State == plugins.Pending || j.State == plugins.Denied || j.Access.Update != nil {
		return j.Reason, j.Remedy
	}
	return "", ""
}

// held counts what waits for a word, for a line.
func held(pending, denied int) string {
	text := ""
	switch {
	case pending == 1:
		text = "; 1 waits for approval"
	case pending > 1:
		text = fmt.Sprintf("; %d wait for approval", pending)
	}
	switch {
	case denied == 1:
		text += "; 1 is denied"
	case denied > 1:
		text += fmt.Sprintf("; %d are denied", denied)
	}
	return text
}
