package sqlitestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/wcron/wcron/claims"
)

const (
	sweepEvery = time.Hour // how often Prune looks for outputs that no run names
	orphanAge  = time.Hour // how old such a file must be: a finalize moves it before it is recorded
)

// sweep removes what only takes room: locks of owners that are gone, and output files that no run names, since a host died between
// moving the file and committing.
func (s *Store) sweep(ctx context.Context, now time.Time) error {
	s.hmu.Lock()
	due := s.swept.IsZero() || now.Sub(s.swept) >= sweepEvery
	if due {
		s.swept = now
	}
	s.hmu.Unlock()
	if !due {
		return nil
	}
	if err := s.sweepOwners(ctx); err != nil {
		return fmt.Errorf("sweep the locks of owners: %w", err)
	}
	root := filepath.Join(s.dir, "output")
	folders, err := os.ReadDir(root)
	if err != nil {
		return fmt.Errorf("sweep outputs: %w", err)
	}
	for _, d := range folders {
		if !d.IsDir() {
			continue
		}
		if err := s.sweepFolder(ctx, now, d.Name()); err != nil {
			return fmt.Errorf("sweep outputs: %w", err)
		}
	}
	return nil
}

func (s *Store) sweepFolder(ctx context.Context, now time.Time, folder string) error {
	root := filepath.Join(s.dir, "output")
	files, err := os.ReadDir(filepath.Join(root, folder))
	if err != nil {
		return err
	}
	var old []string
	for _, f := range files {
		info, err := f.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		if now.Sub(info.ModTime()) > orphanAge {
			old = append(old, f.Name())
		}
	}
	if len(old) == 0 {
		return nil
	}
	return s.read(ctx, folder, func(c *conn) error {
		for _, name := range old {
			run, _, _ := strings.Cut(strings.TrimSuffix(strings.TrimSuffix(name, ".new"), ".log"), ".")
			if i := strings.LastIndexByte(run, '-'); i >= 0 {
				run = run[:i]
			}
			r, found, err := c.run(run)
			if err != nil {
				return err
			}
			if found && (r.Outcome == claims.Running || r.Output.File == folder+"/"+name) {
				continue
			}
			if err := os.Remove(filepath.Join(root, folder, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		return nil
	})
}
