package admin

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/fingerprint"
	"github.com/wcron/wcron/output"
)

// MaxInput bounds the input that a request may carry, in bytes.
const MaxInput = 1 << 20

// maxText bounds names and reasons in a request, in bytes.
const maxText = 1024

// Do implements API. A job that the ledger does not have yet, because no host has run since it was defined, is put there as one
// without a schedule; the next host gives it its own.
func (d *Direct) Do(ctx context.Context, r Request) (Answer, error) {
	if err := r.check(); err != nil {
		return Answer{}, err
	}
	if r.Kind == claims.Cancel {
		return d.cancel(ctx, r, func(string) {})
	}
	if err := d.ensure(ctx, r.Job); err != nil {
		return Answer{}, err
	}
	return d.request(ctx, r)
}

// check refuses what no ledger should see.
func (r Request) check() error {
	for _, s := range []string{r.Job, r.RunID, r.By, r.Reason} {
		if len(s) > maxText || strings.ContainsRune(s, 0) {
			return fmt.Errorf("%w: a text of it is longer than %d bytes or holds a NUL", ErrInput, maxText)
		}
	}
	switch r.Kind {
	case claims.Cancel:
		return nil
	case claims.Pause, claims.Resume, claims.Fill, claims.Unfill, claims.Skip, claims.Unskip:
	case claims.Trigger:
		if len(r.Input) > MaxInput {
			return fmt.Errorf("%w: the input has %d bytes, and at most %d are taken", ErrInput, len(r.Input), MaxInput)
		}
		if len(r.Input) > 0 && !json.Valid(r.Input) {
			return fmt.Errorf("%w: the input is not JSON", ErrInput)
		}
	default:
		return fmt.Errorf("%w: there is no request %q; there are pause, resume, trigger, backfill, unfill, skip, unskip and cancel", ErrInput, r.Kind)
	}
	if r.Job == "" {
		return fmt.Errorf("%w: %s: name a job", ErrInput, r.Kind)
	}
	return nil
}

// request carries out everything but cancel.
func (d *Direct) request(ctx context.Context, r Request) (Answer, error) {
	switch r.Kind {
	case claims.Fill:
		return d.backfill(ctx, r)
	case claims.Skip:
		return d.skip(ctx, r)
	case claims.Unfill:
		if r.Reason == "" {
			r.Reason = "the backfill was taken back"
		}
	}
	now := d.now()
	req := claims.Request{Kind: r.Kind, Job: r.Job, By: r.By, Reason: r.Reason}
	a := Answer{Job: r.Job, ScheduledAt: now}
	if r.Kind == claims.Trigger {
		if err := d.mayRun(ctx, r.Job); err != nil {
			return Answer{}, err
		}
		req.ID = shortID()
		if len(r.Input) > 0 {
			req.Input = r.Input
		}
		a.Slot = new(claims.ManualSlot(r.Job, now, req.ID).ID)
	}
	if err := d.cfg.Store.Request(ctx, now, req); err != nil {
		return Answer{}, err
	}
	return a, nil
}

// mayRun refuses a run that would wait until somebody mends the job.
func (d *Direct) mayRun(ctx context.Context, name string) error {
	if def, ok := d.find(name); ok && def.Broken != "" {
		return fmt.Errorf("job %q: %w: %s", name, ErrCannotRun, def.Broken)
	}
	row, err := d.cfg.Store.Job(ctx, name)
	if err != nil {
		return fmt.Errorf("job %q: %w", name, err)
	}
	if row.Disabled != "" && row.Removed.IsZero() {
		return fmt.Errorf("job %q: %w: it is disabled: %s", name, ErrCannotRun, row.Disabled)
	}
	return nil
}

// shortID makes two requests of one second two slots.
func shortID() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}

// ensure makes sure that the ledger has a job of the present set.
func (d *Direct) ensure(ctx context.Context, name string) error {
	row, err := d.cfg.Store.Job(ctx, name)
	if err == nil && row.Removed.IsZero() {
		return nil
	}
	if err != nil && !errors.Is(err, claims.ErrNoJob) {
		return err
	}
	def, ok := d.find(name)
	if !ok {
		return fmt.Errorf("job %q: %w", name, claims.ErrNoJob)
	}
	now := d.now()
	put, bad := def.Registration(now)
	if _, err := d.cfg.Store.Put(ctx, now, d.cfg.Source, []claims.Put{{Name: name, Definition: put.Definition}}); err != nil {
		return err
	}
	// A host that joined meanwhile may have registered the job before that; what it put is put again. One that joins later
	// puts it itself.
	hosts, _, err := Hosts(ctx, d.cfg.Store)
	if err != nil || len(hosts) == 0 {
		return err
	}
	// A schedule that cannot be read is not registered by a host either.
	if bad == nil {
		_, err = d.cfg.Store.Put(ctx, now, d.cfg.Source, []claims.Put{put})
	}
	return err
}

// cancel asks the owner to end a run; now is told its id, so that a host in this process can act at once.
func (d *Direct) cancel(ctx context.Context, r Request, tell func(runID string)) (Answer, error) {
	run, err := d.run(ctx, r.RunID)
	if err != nil {
		return Answer{}, err
	}
	now := d.now()
	if err := d.cfg.Store.Request(ctx, now, claims.Request{Kind: claims.Cancel, RunID: run.RunID, By: r.By}); err != nil {
		return Answer{}, err
	}
	tell(run.RunID)
	a := Answer{Job: run.Job, RunID: &run.RunID, ScheduledAt: now}
	if !r.Force {
		a.Note = d.whoActs(ctx, run)
		return a, nil
	}
	ended, err := d.await(ctx, run.RunID, ForceAfter)
	if err != nil || ended {
		return a, err
	}
	a.Note, err = d.fence(ctx, run.RunID)
	return a, err
}

// await waits for a run's end.
func (d *Direct) await(ctx context.Context, runID string, limit time.Duration) (ended bool, err error) {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for {
		run, err := d.run(ctx, runID)
		if err != nil || run.Outcome != claims.Running {
			return err == nil, err
		}
		select {
		case <-look.C:
		case <-deadline.C:
			return false, nil
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// fence closes a run with its own token, which its owner then holds no more.
func (d *Direct) fence(ctx context.Context, runID string) (*string, error) {
	run, err := d.run(ctx, runID)
	if err != nil {
		return nil, err
	}
	def, _ := d.find(run.Job)
	f := claims.Final{
		Token: run.Token, Outcome: claims.Killed, Cause: claims.Cancelled, Reason: "fenced by operator", StartedAt: run.StartedAt,
		EndedAt: d.now(), Counts: run.Slot.Kind == claims.Scheduled, Repeat: def.Repeat,
	}
	// The owner may still write its spool. So nothing is put there: what fits into the commit is kept, and the spool stays.
	if d.cfg.Spool != "" {
		if kept, ok, err := output.Recover(d.cfg.Spool, run.RunID, output.DefaultInline); err == nil && ok && kept.File == "" {
			f.Output = claims.Output{Inline: kept.Inline, Bytes: kept.Bytes, Cut: kept.Cut, Digest: kept.Digest, Partial: true}
		}
	}
	done, err := d.cfg.Store.Finalize(ctx, d.now(), []claims.Final{f})
	if err != nil {
		return nil, fmt.Errorf("fence run %s: %w", run.RunID, err)
	}
	if len(done) == 1 && done[0].Status == claims.Fenced {
		return new("it ended by itself just before"), nil
	}
	return new(fmt.Sprintf("its owner %s had not ended it within %s: the run is closed, and nothing of it will be committed", run.Owner, ForceAfter)), nil
}

// whoActs says so when nobody is there to act on a cancellation.
func (d *Direct) whoActs(ctx context.Context, run claims.Run) *string {
	owners, err := d.cfg.Store.Owners(ctx)
	if err != nil {
		return nil
	}
	for _, o := range owners {
		if o.ID != run.Owner {
			continue
		}
		if v, why := alive(ctx, d.cfg.Store, o); v == fingerprint.Dead {
			return new(fmt.Sprintf("its owner %s is dead (%s): the next host recovers the run, and wcron cancel --force %s closes it now",
				o.ID, why, run.RunID))
		}
		return nil
	}
	return nil
}
