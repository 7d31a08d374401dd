package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/wcron/wcron/admin"
	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/plugins"
)

// recordsTime bounds a look at what was decided, which a scan of the plugin folder waits for.
const recordsTime = 2 * time.Second

// recordsOf reads what was decided about plugins, as a plugins.Source wants it.
func recordsOf(store claims.Grants) func(since int64) ([]plugins.Record, int64, error) {
	return func(since int64) ([]plugins.Record, int64, error) {
		ctx, cancel := context.WithTimeout(context.Background(), recordsTime)
		defer cancel()
		list, rev, err := store.Grants(ctx, since)
		if err != nil {
			return nil, 0, err
		}
		out := make([]plugins.Record, len(list))
		for i, g := range list {
			if out[i], err = recordOf(g); err != nil { // nobody knows what it allows: it allows nothing, and only here
				out[i] = plugins.Record{Job: g.Job, Plugin: g.Plugin, Digest: g.Digest, Sidecar: g.Sidecar, At: g.At,
					By: fmt.Sprintf("wcron, since what %s decided cannot be read", g.By)}
			}
		}
		return out, rev, nil
	}
}

func recordOf(g claims.Grant) (plugins.Record, error) {
	r := plugins.Record{Job: g.Job, Plugin: g.Plugin, Digest: g.Digest, Sidecar: g.Sidecar, Approved: g.Decision == claims.Approved, By: g.By, At: g.At}
	if err := errors.Join(json.Unmarshal([]byte(g.Requested), &r.Requested), json.Unmarshal([]byte(g.Granted), &r.Granted)); err != nil {
		return r, fmt.Errorf("the decision about job %q of %s cannot be read: %w", g.Job, g.At, err)
	}
	return r, nil
}

func grantOf(r plugins.Record) (claims.Grant, error) {
	g := claims.Grant{Job: r.Job, Plugin: r.Plugin, Digest: r.Digest, Sidecar: r.Sidecar, Decision: claims.Denied, By: r.By, Auto: r.Auto, Seen: r.Seen}
	if r.Approved {
		g.Decision = claims.Approved
	}
	requested, err := json.Marshal(r.Requested)
	if err != nil {
		return g, err
	}
	granted, err := json.Marshal(r.Granted)
	g.Requested, g.Granted = string(requested), string(granted)
	return g, err
}

// record writes decisions into the ledger.
func record(ctx context.Context, store claims.Grants, now time.Time, list ...plugins.Record) error {
	var out []claims.Grant
	for _, r := range list {
		g, err := grantOf(r)
		if err != nil {
			return err
		}
		out = append(out, g)
	}
	for part := range slices.Chunk(out, 1000) { // others want to write, too
		if err := store.Grant(ctx, now, part); err != nil {
			return err
		}
	}
	return nil
}

// accepted are the versions that a set takes without anybody's word, and of which the ledger does not know yet.
func accepted(set *plugins.Set) []plugins.Record {
	var list []plugins.Record
	for _, j := range set.Jobs {
		if j.Access.Accept != nil {
			list = append(list, *j.Access.Accept)
		}
	}
	return list
}

// acceptRetry is how long a host waits before it tries again to record what it has accepted.
const acceptRetry = 5 * time.Second

// accept records what the present set takes without anybody's word, whenever there is a new set, so that the version in use is known
// when the next one comes.
func (s *server) accept(ctx context.Context) {
	for {
		var again <-chan time.Time
		list := accepted(s.source.Snapshot())
		if err := record(ctx, s.store, s.app.now(), list...); err != nil && ctx.Err() == nil {
			s.log.Warn("record_versions", "plugins", len(list), "error", err, "remedy", "it is tried again; until then an update of these plugins is not held up by what they asked for before")
			again = time.After(acceptRetry)
		}
		select {
		case <-ctx.Done():
			return
		case <-s.newSet:
		case <-again:
		}
	}
}

// accessView is what the operator's API tells of a job's access, and what to do about what is wrong with the job.
func accessView(set *plugins.Set, name string) (*admin.Access, string) {
	j, ok := set.Job(name)
	if !ok {
		return nil, ""
	}
	if j.Digest == "" {
		return nil, j.Remedy
	}
	x := j.Access
	v := &admin.Access{State: admin.Granted, Requested: asksView(plugins.Asks(x.Request)), Denied: asksView(x.Denied)}
	switch j.State {
	case plugins.Pending:
		v.State = admin.Pending
	case plugins.Denied:
		v.State = admin.Denied
	}
	if x.From != "" {
		v.By = &x.From
	}
	if !x.At.IsZero() {
		v.At = new(x.At.UTC())
	}
	if up := x.Update; up != nil {
		v.Update = &admin.Update{Digest: up.Digest, More: asksView(up.More), Less: asksView(up.Less), Denied: up.Denied}
	}
	return v, j.Remedy
}

func asksView(list []plugins.Ask) []admin.Ask {
	out := make([]admin.Ask, len(list))
	for i, a := range list {
		out[i] = admin.Ask(a)
	}
	return out
}
