package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/claims/sqlitestore"
	"github.com/wcron/wcron/config"
)

type backupCmd struct {
	File string `arg:"" help:"The file to write. It must not exist, nor lie in the state folder."`
}

// Help implements kong.HelpProvider.
func (*backupCmd) Help() string {
	return "Writes the ledger as of one moment, with all outputs, the jobs' state and the bytes of approved plugins, into one tar file. Hosts go on meanwhile and " +
		"wait for nothing. The copy is checked before it counts. Not in it: the configuration, the plugin folder, and what runs in flight have written so far.\n\n" +
		"Exit codes: 0 the backup is whole and on the disk, 2 usage or configuration, 3 it could not be made; then there is no such file."
}

type backedUp struct {
	File  string `json:"file"`
	Bytes int64  `json:"bytes"`
}

// Run makes a backup.
func (c *backupCmd) Run(ctx context.Context, a *app) (err error) {
	f, err := a.load()
	if err != nil {
		return err
	}
	if _, err := filepath.Abs(c.File); err != nil {
		return usage("%w", err)
	}
	p := placeOf(f)
	if !sqlitestore.Exists(p.state) {
		return unreachable(fmt.Errorf("there is no ledger in %s: nothing to back up", p.state))
	}
	store, err := sqlitestore.Open(ctx, sqlitestore.Config{Dir: p.state, LockWait: storePatience})
	if err != nil {
		return unreachable(err)
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	defer a.slow("writing the backup")()
	n, err := store.Backup(ctx, c.File, pinned(f)...)
	if err != nil {
		return unreachable(err)
	}
	if a.json {
		return a.emit(backedUp{c.File, n})
	}
	fmt.Fprintf(a.stdout, "%s has the ledger of %s, %d bytes; put it back with: wcron restore %s\n", c.File, p.state, n, quoted(c.File))
	return nil
}

// pinned are the versions that grants of the configuration are for.
func pinned(f *config.File) []string {
	var list []string
	for _, e := range f.Jobs {
		if e.Grant != nil && e.Grant.Digest != "" {
			list = append(list, e.Grant.Digest)
		}
	}
	return list
}

type restoreCmd struct {
	File    string `arg:"" help:"A file that wcron backup has written."`
	Replace bool   `help:"Move a ledger that is there aside, within the state folder, and put the backup in its place."`
}

// Help implements kong.HelpProvider.
func (*restoreCmd) Help() string {
	return "Puts a backup into the state folder of the configuration. It refuses while any host or guest uses that folder, a backup that is not whole, and " +
		"one of a newer version, and changes nothing then. What ran after the backup was made is forgotten: its slots that are due again by the restored " +
		"ledger count as missed while no host ran, and each job's policy for those holds.\n\n" +
		"Exit codes: 0 done, 1 the backup cannot be used, 2 usage or configuration, 3 the state folder is in use or cannot be written."
}

type restored struct {
	State string  `json:"state"`
	Aside *string `json:"aside"` // where the ledger is that was there
}

// Run restores a backup.
func (c *restoreCmd) Run(_ context.Context, a *app) error {
	f, err := a.load()
	if err != nil {
		return err
	}
	p := placeOf(f)
	defer a.slow("restoring the backup")()
	aside, err := sqlitestore.Restore(sqlitestore.Config{Dir: p.state, LockWait: storePatience}, c.File, c.Replace, a.now())
	switch {
	case errors.Is(err, claims.ErrCorrupt), errors.Is(err, claims.ErrNewer), errors.Is(err, fs.ErrNotExist):
		return exitError{exitBad, err}
	case err != nil:
		return unreachable(err)
	}
	out := restored{State: p.state}
	if aside != "" {
		path := filepath.Join(p.state, aside)
		out.Aside = &path
	}
	if a.json {
		return a.emit(out)
	}
	if out.Aside != nil {
		fmt.Fprintf(a.stdout, "the ledger that was there is in %s\n", *out.Aside)
	}
	fmt.Fprintf(a.stdout, "%s is restored; check it with: wcron audit\n", p.state)
	return nil
}
