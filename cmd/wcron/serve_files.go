package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/wcron/wcron/admin"
	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/output"
)

// socketPath is where a host's socket is: beside its lock if the platform takes so long a path, else in a folder of the user's own.
func socketPath(p place, instance string) string {
	name := instance + ".sock"
	if path := filepath.Join(p.owners, name); len(path) <= admin.MaxSocketPath {
		return path
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("wcron-%d", os.Getuid()), name)
}

// listen makes the host's socket. With an error there is none, and the path is empty.
func listen(p place, instance string) (string, net.Listener, error) {
	path := socketPath(p, instance)
	l, err := admin.Listen(path)
	if err != nil {
		return "", nil, err
	}
	return path, l, nil
}

// sweep removes what killed hosts have left: spools of runs that have ended, and sockets that nobody listens on.
func (s *server) sweep(ctx context.Context) error {
	err := output.Sweep(s.place.spool, func(runID string) bool { return !s.mayGo(ctx, runID) })
	sockets, globbing := filepath.Glob(filepath.Join(s.place.owners, "*.sock"))
	err = errors.Join(err, globbing)
	for _, path := range sockets {
		if s.stale(ctx, path) {
			err = errors.Join(err, os.Remove(path))
		}
	}
	return err
}

// mayGo reports whether the spool of a run may go: the run has ended, and its owner, if it was given up, writes no more.
func (s *server) mayGo(ctx context.Context, runID string) bool {
	runs, err := s.store.Runs(ctx, claims.RunQuery{RunID: runID, Limit: 1})
	switch {
	case err != nil:
		return false
	case len(runs) == 0:
		return true // its history was pruned
	case runs[0].Outcome == claims.Running:
		return false
	case runs[0].Outcome != claims.Orphaned:
		return true
	}
	return !s.held(ctx, runs[0].Owner)
}

// held reports whether the lock of an owner is held, or it is not known.
func (s *server) held(ctx context.Context, owner string) bool {
	probe, err := s.store.Probe(ctx, owner)
	if err != nil {
		return true
	}
	defer probe.Release()
	return probe.Lock == claims.LockHeld
}

// stale reports whether a socket is that of a host which has ended. A host makes its socket before it takes its lock, so both must
// tell it.
func (s *server) stale(ctx context.Context, path string) bool {
	if s.held(ctx, strings.TrimSuffix(filepath.Base(path), ".sock")) {
		return false
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err != nil {
		return true
	}
	_ = conn.Close() // nothing was said
	return false
}
