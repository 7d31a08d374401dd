package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"time"

	"github.com/wcron/wcron/admin"
	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/claims/sqlitestore"
	"github.com/wcron/wcron/config"
	"github.com/wcron/wcron/host"
	"github.com/wcron/wcron/plugins"
)

// operator is a command's way to the ledger: through the socket of a host that has the same jobs, or else directly.
type operator struct {
	admin.API
	file   *config.File
	place  place
	store  *sqlitestore.Store
	status admin.Status
	hosted bool         // a host answers, and acts on requests
	set    *plugins.Set // the present jobs; nil while a host answers

	elsewhere map[string]string // host file by instance, of hosts that have other jobs on this ledger
}

// storePatience is how long a command waits for the ledger's lock. Longer, and it should say who holds it.
const storePatience = 5 * time.Second

// open finds the ledger of the configuration, and a host on it. Close gives back what it holds.
func (a *app) open(ctx context.Context) (*operator, error) {
	f, refused := a.load()
	if refused != nil {
		if f = a.lastGood(refused); f == nil {
			return nil, refused
		}
	}
	o := &operator{file: f, place: placeOf(f), elsewhere: map[string]string{}}
	defer a.slow("waiting for the ledger in " + o.place.state)()
	store, err := sqlitestore.Open(ctx, sqlitestore.Config{Dir: o.place.state, LockWait: storePatience})
	if err != nil {
		return nil, unreachable(err)
	}
	o.store = store
	if err := o.find(ctx, a.now); err != nil {
		return nil, errors.Join(err, o.close())
	}
	if refused != nil { // find has got that far only because a host goes on with what it had before
		_ = a.fail(refused)
		fmt.Fprintf(a.stderr, "wcron: the host goes on with the configuration that it had before, and so does this command\n\n")
	}
	return o, nil
}

// lastGood is where a configuration that is refused now most likely has its ledger. The host that runs on it tells whether that
// is so: a broken file must not keep anybody from ending a run. nil: there is nothing.
func (a *app) lastGood(refused error) *config.File {
	var broken *config.Error
	path, err := a.locate()
	if err != nil || !errors.As(refused, &broken) {
		return nil
	}
	f := config.Default(filepath.Dir(path))
	f.Path = path
	if _, err := os.Stat(filepath.Join(f.State, "ledger.db")); err != nil {
		return nil
	}
	return f
}

// takeOver waits until the host of a configuration, if there is one, has taken over a change of its files. What keeps it from that
// is said, and the host follows in its own time.
func (a *app) takeOver(ctx context.Context, f *config.File) {
	if _, err := os.Stat(filepath.Join(placeOf(f).state, "ledger.db")); err != nil {
		return // no host has been here
	}
	o, err := a.open(ctx)
	if err != nil {
		return // whoever needs the ledger will say so
	}
	defer func() { _ = o.close() }()
	client, ok := o.API.(*admin.Client)
	if !ok {
		return
	}
	if err := client.Reload(ctx); err != nil {
		fmt.Fprintf(a.stderr, "wcron: the host has not taken it over yet: %v; see wcron list\n", err)
	}
}

func (o *operator) close() error { return o.store.Close() }

// find asks the hosts for the one that has the jobs of this configuration. The newest is first: after a change of hosts the older
// one drains.
func (o *operator) find(ctx context.Context, now func() time.Time) error {
	hosts, _, err := admin.Hosts(ctx, o.store)
	if err != nil {
		return unreachable(err)
	}
	for _, h := range hosts {
		if !h.Answers {
			continue
		}
		client := admin.NewClient(*h.Socket)
		s, err := client.Status(ctx)
		if err == nil && s.Source == o.file.Path {
			o.API, o.status, o.hosted = client, s, true
			return nil
		}
		if err == nil {
			o.elsewhere[h.Instance] = s.Source
		}
	}
	source, err := openSource(o.file.Path, time.Time{}) // a command looks once, at whatever is there
	if err != nil {
		return err
	}
	source.Records(recordsOf(o.store))
	o.set = source.Snapshot()
	list := hostJobs(o.set)
	direct := admin.NewDirect(admin.Config{
		Store: o.store, Jobs: func() []host.Job { return list }, Source: o.file.Path, Zone: func() string { return o.set.Zone.Name }, Spool: o.place.spool, Now: now,
		Plugin: func(name string) string {
			j, _ := o.set.Job(name)
			return j.Settings.Plugin
		},
		Access: func(name string) (*admin.Access, string) { return accessView(o.set, name) },
	})
	if o.status, err = direct.Status(ctx); err != nil {
		return unreachable(err)
	}
	o.API = direct
	return nil
}

// Do makes a request. A host that does not know a job which the files define looks at them first.
func (o *operator) Do(ctx context.Context, r admin.Request) (admin.Answer, error) {
	asked, err := o.API.Do(ctx, r)
	client, ok := o.API.(*admin.Client)
	if !ok || !errors.Is(err, claims.ErrNoJob) || !o.defines(r.Job) || client.Reload(ctx) != nil {
		return asked, err
	}
	return o.API.Do(ctx, r)
}

// defines tells whether the files make a job of that name.
func (o *operator) defines(job string) bool {
	if _, ok := o.file.Jobs[job]; ok {
		return true
	}
	info, err := os.Stat(filepath.Join(o.file.Plugins, job+".wasm"))
	return config.ValidName(job) == nil && err == nil && info.Mode().IsRegular()
}

// ledger reads the history and the outputs without a host, and so outlives it.
func (o *operator) ledger() admin.API {
	return admin.NewDirect(admin.Config{Store: o.store, Source: o.file.Path, Spool: o.place.spool})
}

// zone is the one in which times are shown: that of jobs that name none.
func (o *operator) zone() *time.Location {
	if loc, err := time.LoadLocation(o.status.Timezone); err == nil {
		return loc
	}
	return time.UTC
}

// answer gives an error of the operator's API its exit code and, where the question was at fault, the way to a better one.
func answer(err error) error {
	var coded exitError
	switch {
	case err == nil, errors.As(err, &coded), errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, claims.ErrNoJob):
		return exitError{exitBad, fmt.Errorf("%w; see wcron list", err)}
	case errors.Is(err, claims.ErrNoRun):
		return exitError{exitBad, fmt.Errorf("%w; see wcron history", err)}
	case errors.Is(err, claims.ErrNotOpen), errors.Is(err, admin.ErrCannotRun):
		return exitError{exitBad, err}
	case errors.Is(err, admin.ErrInput):
		return exitError{exitUsage, err}
	}
	return unreachable(err)
}

// withOperator opens the ledger for a command. What the command returns decides, unless only closing fails.
func (a *app) withOperator(ctx context.Context, do func(*operator) error) error {
	o, err := a.open(ctx)
	if err != nil {
		return err
	}
	err = answer(do(o))
	if closing := o.close(); err == nil && closing != nil {
		err = unreachable(closing)
	}
	return err
}

// caller names the person at the keyboard, for the ledger.
func caller() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}

// slow tells on stderr what takes so long if it is not over within two seconds.
func (a *app) slow(what string) (over func()) {
	t := time.AfterFunc(2*time.Second, func() { fmt.Fprintf(a.stderr, "wcron: still %s\n", what) })
	return func() { t.Stop() }
}

// emitAll prints one object per line.
func emitAll[T any](a *app, list []T) error {
	for _, v := range list {
		if err := a.emit(v); err != nil {
			return err
		}
	}
	return nil
}
