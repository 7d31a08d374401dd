package host

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/output"
)

// recover closes the claims of owners that are gone, until ctx ends.
func (l *loop) recover(ctx context.Context) {
	every := time.NewTicker(l.h.cfg.rhythm.recover)
	defer every.Stop()
	w := watcher{l: l, firstSeen: map[string]time.Time{}, stalled: map[string]bool{}, signs: map[string]sign{}}
	for {
		if err := w.look(ctx); err != nil && ctx.Err() == nil {
			l.post(func() { l.fail("recover orphans", err) })
		}
		select {
		case <-every.C:
		case <-ctx.Done():
			return
		}
	}
}

// watcher is what recovery remembers from one look to the next.
type watcher struct {
	l         *loop
	firstSeen map[string]time.Time // by run id
	stalled   map[string]bool      // runs whose owner was reported
	signs     map[string]sign      // by owner
}

// sign is an owner's latest sign of life as this host saw it.
type sign struct {
	seen    time.Time // what the record says
	noticed time.Time // when it was first read
	over    time.Time // by instant: since when the silence is longer than the lease; zero: it is not
}

// silence is how long an owner has been silent, and since when (by instant) that is longer than the lease. A sign that is dated in
// the future (the clock went back) counts from when it was read.
func (w *watcher) silence(owner claims.Owner, now time.Time) (seen time.Time, over time.Time) {
	s, known := w.signs[owner.ID]
	if !known || !s.seen.Equal(owner.Seen) || s.noticed.After(now) {
		s = sign{seen: owner.Seen, noticed: now}
	}
	if seen = s.seen; seen.After(now) {
		seen = s.noticed
	}
	if now.Sub(seen) <= w.l.h.cfg.Lease {
		s.over = time.Time{}
	} else if s.over.IsZero() {
		s.over = w.l.h.instant()
	}
	w.signs[owner.ID] = s
	return seen, s.over
}

// look judges the owner of every claim that is not this host's, and this host's own claims by their deadline.
func (w *watcher) look(ctx context.Context) error {
	open, err := w.l.h.cfg.Store.Open(ctx)
	if err != nil {
		return err
	}
	now := w.l.h.now()
	var errs []error // what cannot be recovered keeps nobody else from it
	byOwner := map[string][]claims.Open{}
	seen := map[string]time.Time{}
	for _, o := range open {
		at, ok := w.firstSeen[o.RunID]
		if !ok || at.After(now) { // the clock went back
			at = now
		}
		seen[o.RunID] = at
		if o.Owner != w.l.h.cfg.Instance {
			byOwner[o.Owner] = append(byOwner[o.Owner], o)
		} else if !o.Deadline.IsZero() && now.After(o.Deadline) {
			errs = append(errs, w.close(ctx, o, "its deadline passed and its guest was not gone", "this host's own claim", false))
		}
	}
	w.firstSeen = seen
	for id := range w.signs { // of owners that have nothing open any more
		if len(byOwner[id]) == 0 {
			delete(w.signs, id)
		}
	}
	if len(byOwner) == 0 {
		return errors.Join(errs...)
	}
	owners, err := w.l.h.cfg.Store.Owners(ctx)
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	records := map[string]claims.Owner{}
	for _, o := range owners {
		records[o.ID] = o
	}
	for id, of := range byOwner {
		record, ok := records[id]
		if !ok {
			record = claims.Owner{ID: id}
		}
		errs = append(errs, w.judge(ctx, record, of))
	}
	return errors.Join(errs...)
}

// judge recovers what an owner has left, holding its lock meanwhile so that nobody comes back as it.
func (w *watcher) judge(ctx context.Context, owner claims.Owner, open []claims.Open) error {
	probe, err := w.l.h.cfg.Store.Probe(ctx, owner.ID)
	if err != nil {
		return fmt.Errorf("probe owner %s: %w", owner.ID, err)
	}
	defer probe.Release()
	verdict, why := claims.JudgeOwner(owner, probe)
	now := w.l.h.now()
	var errs []error
	graces := claims.Graces{OrphanGrace: w.l.h.cfg.OrphanGrace, Lease: w.l.h.cfg.Lease}
	seen, over := w.silence(owner, now)
	// After a machine was suspended every owner looks silent, until it has had the time to renew its lease and this host to see it.
	rhythm := w.l.h.cfg.rhythm
	stalled := !over.IsZero() && w.l.h.instant().Sub(over) >= rhythm.renew+2*rhythm.recover
	for _, o := range open {
		ok, reason := claims.Recoverable(o, verdict, why, seen, w.firstSeen[o.RunID], now, graces)
		if ok {
			errs = append(errs, w.close(ctx, o, reason, fmt.Sprintf("%s: %s", verdict, why), verdict == "dead"))
		} else if o.Deadline.IsZero() && stalled && !w.stalled[o.RunID] {
			w.stalled[o.RunID] = true
			w.l.h.emit(Event{
				Kind: Stalled, Job: o.Job, RunID: o.RunID, Slot: o.Slot,
				Reason: fmt.Sprintf("owner %s has not renewed its lease for %s (%s); if it is wedged: wcron cancel --force %s", owner.ID, now.Sub(seen).Round(time.Second), why, o.RunID),
			})
		}
	}
	return errors.Join(errs...)
}

// close finalizes an orphan with its own token: a failed attempt, which the job's policy may try again.
func (w *watcher) close(ctx context.Context, o claims.Open, reason, evidence string, dead bool) error {
	w.l.shared.mu.Lock()
	def, known := w.l.shared.defs[o.Job]
	w.l.shared.mu.Unlock()
	now := w.l.h.now()
	f := claims.Final{
		Token: o.Token, Outcome: claims.Orphaned, Reason: reason, Evidence: evidence, EndedAt: now, Counts: o.Slot.Kind == claims.Scheduled, Repeat: def.Repeat,
	}
	if w.l.h.cfg.Spool != "" {
		if kept, ok, err := output.Recover(w.l.h.cfg.Spool, o.RunID, def.output()); err == nil && ok {
			f.Output = claims.Output{Inline: kept.Inline, File: kept.File, Bytes: kept.Bytes, Cut: kept.Cut, Digest: kept.Digest, Partial: true}
		}
	}
	if known {
		row, err := w.l.h.cfg.Store.Job(ctx, o.Job)
		if err != nil {
			return err
		}
		def.judge(&f, claims.Ended{Outcome: claims.Orphaned, Attempt: o.Attempt, At: now, Slot: o.Slot, Next: row.Next})
	}
	done, err := w.l.h.cfg.Store.Finalize(ctx, now, []claims.Final{f})
	if err != nil {
		return fmt.Errorf("recover run %s: %w", o.RunID, err)
	}
	if len(done) == 1 && done[0].Status == claims.Done {
		w.l.h.emit(Event{
			Kind: Recovered, Time: now, Job: o.Job, RunID: o.RunID, Slot: o.Slot, Attempt: o.Attempt, Outcome: claims.Orphaned,
			Reason: reason, Evidence: evidence, Retry: f.Retry,
		})
	}
	// What it had written is recorded, or was by whoever was quicker. An owner that may live still writes: it tidies up itself.
	if w.l.h.cfg.Spool != "" && dead {
		_ = output.Remove(w.l.h.cfg.Spool, o.RunID) // leftovers only take room: the next sweep tries again
	}
	w.l.h.Poll()
	return nil
}
