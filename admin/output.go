package admin

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/output"
)

// Output implements API. A run's output can be read while it runs when its host spools on this machine.
func (d *Direct) Output(ctx context.Context, runID string, follow bool, w io.Writer) error {
	run, err := d.run(ctx, runID)
	if err != nil {
		return err
	}
	out := &counter{w: w}
	if run.Outcome == claims.Running {
		whole, err := d.live(ctx, run.RunID, follow, out)
		if err != nil || whole || !follow {
			return err
		}
		if run, err = d.run(ctx, run.RunID); err != nil {
			return err
		}
	}
	return d.rest(ctx, run, out)
}

// live copies what a running run has spooled, and all that comes if follow is true. whole is false when something may be missing:
// the run was so short or so silent that it spooled nothing, or its spool went with its end.
func (d *Direct) live(ctx context.Context, runID string, follow bool, w io.Writer) (whole bool, err error) {
	if d.cfg.Spool == "" {
		if follow {
			err = d.awaitEnd(ctx, runID)
		}
		return false, err
	}
	var failed error
	done := func() bool {
		if !follow {
			return true
		}
		run, err := d.run(ctx, runID)
		failed = err
		return err != nil || run.Outcome != claims.Running
	}
	err = output.Follow(ctx, d.cfg.Spool, runID, w, done)
	if failed != nil {
		err = failed
	}
	if errors.Is(err, output.ErrGone) {
		return false, nil
	}
	return err == nil, err
}

func (d *Direct) awaitEnd(ctx context.Context, runID string) error {
	for {
		if ended, err := d.await(ctx, runID, ForceAfter); err != nil || ended {
			return err
		}
	}
}

// rest copies the finished output but for the part that was copied from the spool.
func (d *Direct) rest(ctx context.Context, run claims.Run, w *counter) error {
	r, err := d.cfg.Store.Output(ctx, run.RunID)
	if err != nil {
		return err
	}
	defer r.Close()
	if w.n > 0 && run.Output.Cut > 0 { // the two do not match byte by byte
		if _, err := fmt.Fprintf(w.w, "\n[... its end was not followed; this is all that was kept ...]\n"); err != nil {
			return err
		}
	} else if _, err := io.CopyN(io.Discard, r, w.n); err != nil {
		if errors.Is(err, io.EOF) {
			return nil
		}
		return fmt.Errorf("read the output of run %s: %w", run.RunID, err)
	}
	if _, err := io.Copy(w.w, &until{ctx, r}); err != nil {
		return fmt.Errorf("read the output of run %s: %w", run.RunID, err)
	}
	return nil
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// until reads until its context ends.
type until struct {
	ctx context.Context
	r   io.Reader
}

func (u *until) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}
