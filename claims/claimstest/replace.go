package claimstest

import (
	"strings"
	"time"

	"github.com/wcron/wcron/claims"
)

func replaceRunning(w *world) {
	w.minutely("a", "b")
	old := w.claimed(alpha, w.replacing("a"), claims.Won).Token
	other := w.start(alpha, "b")
	c := w.replacing("a")
	if got := w.claimed(beta, c, claims.Queued); got.Holder != old.RunID || len(got.Replaced) != 0 {
		w.Errorf("queued: %+v", got)
	}
	p := w.pending(1)[0]
	ch, err := w.s.Changes(w.ctx, alpha, 0)
	w.must(err)
	if len(ch.Cancels) != 1 || ch.Cancels[0].RunID != old.RunID || ch.Cancels[0].CancelFor != claims.Replaced || !ch.Cancels[0].Cancel.Equal(w.now) ||
		ch.Cancels[0].CancelBy != c.Slot.ID {
		w.Errorf("cancels: %+v", ch.Cancels)
	}
	w.claimed(beta, w.inLine(p, claims.OverlapReplace), claims.Busy)
	f := w.final(old, claims.Killed)
	f.Cause = claims.Replaced
	w.finalize(f, claims.Done)
	w.finish(w.claimed(beta, w.inLine(p, claims.OverlapReplace), claims.Won).Token, claims.OK)
	w.finish(other, claims.OK)
	w.verdict("a", map[claims.Verdict]int64{"killed": 1, "ok": 1})
}

func replaceStorm(w *world) {
	w.minutely("a")
	old := w.claimed(alpha, w.replacing("a"), claims.Won).Token
	for i := range 20 {
		c := w.replacing("a")
		if i%2 == 1 {
			c.RunID = ""
		}
		before := w.now
		got := w.claimed(beta, c, claims.Queued)
		if n := min(i, 1); len(got.Replaced) != n || n == 1 && !got.Replaced[0].Slot.At.Equal(before.Add(-time.Minute)) {
			w.Errorf("slot %d replaced %+v", i, got.Replaced)
		}
		if p := w.pending(1)[0]; p.Slot.ID != c.Slot.ID {
			w.Errorf("slot %s waits, and %s came", p.Slot.ID, c.Slot.ID)
		}
	}
	if o := w.open(1)[0]; o.CancelFor != claims.Replaced || o.Cancel.After(w.now.Add(-19*time.Minute)) {
		w.Errorf("the first request stands: %+v", o)
	}
	w.verdict("a", map[claims.Verdict]int64{"": 2, claims.Skipped: 19})
	w.finish(old, claims.Killed)
	w.finish(w.claimed(alpha, w.inLine(w.pending(1)[0], claims.OverlapReplace), claims.Won).Token, claims.OK)
	w.verdict("a", map[claims.Verdict]int64{"killed": 1, "ok": 1, claims.Skipped: 19})
	if got := w.reasons("a", claims.Skipped); !strings.HasPrefix(got, "a newer one came x") {
		w.Errorf("skipped: %s", got)
	}
}

func replaceFree(w *world) {
	w.minutely("a")
	f := w.final(w.claimed(alpha, w.replacing("a"), claims.Won).Token, claims.Failed)
	f.Retry = w.now.Add(time.Hour)
	w.finalize(f, claims.Done)
	retry := w.pending(1)[0]
	got := w.claimed(alpha, w.replacing("a"), claims.Won)
	if len(got.Replaced) != 1 || got.Replaced[0].Slot.ID != retry.Slot.ID || got.Replaced[0].Attempt != 2 {
		w.Errorf("replaced: %+v", got.Replaced)
	}
	w.pending(0)
	w.claimed(beta, w.inLine(retry, claims.OverlapReplace), claims.Stale)
	w.finish(got.Token, claims.OK)
}

// The slot that replaces goes before further attempts and manual requests, which are not lost.
func replaceFirst(w *world) {
	w.minutely("a")
	old := w.claimed(alpha, w.replacing("a"), claims.Won).Token
	w.trigger("a", "x")
	w.claimed(alpha, w.replacing("a"), claims.Queued)
	f := w.final(old, claims.Orphaned)
	f.Retry = w.now
	w.finalize(f, claims.Done)
	var slot, retry, manual claims.Pending
	for _, p := range w.pending(3) {
		switch {
		case p.Queued():
			slot = p
		case p.Slot.Kind == claims.Manual:
			manual = p
		default:
			retry = p
		}
	}
	w.claimed(alpha, w.inLine(retry, claims.OverlapReplace), claims.Busy)
	w.claimed(alpha, w.inLine(manual, claims.OverlapReplace), claims.Busy)
	got := w.claimed(alpha, w.inLine(slot, claims.OverlapReplace), claims.Won)
	if len(got.Replaced) != 1 || got.Replaced[0].Slot.ID != retry.Slot.ID {
		w.Errorf("replaced: %+v", got.Replaced)
	}
	w.finish(got.Token, claims.OK)
	w.finish(w.claimed(alpha, w.inLine(manual, claims.OverlapReplace), claims.Won).Token, claims.OK)
	w.verdict("a", map[claims.Verdict]int64{"ok": 2, claims.Skipped: 1})
}

// What has come between since the slot began to wait is ended too; an operator's request stands.
func replaceAgain(w *world) {
	w.minutely("a")
	old := w.claimed(alpha, w.replacing("a"), claims.Won).Token
	w.request(claims.Request{Kind: claims.Cancel, RunID: old.RunID, By: "ann"})
	w.claimed(alpha, w.replacing("a"), claims.Queued)
	if o := w.open(1)[0]; o.CancelFor != claims.Cancelled || o.CancelBy != "ann" {
		w.Errorf("open: %+v", o)
	}
	w.trigger("a", "x")
	w.finish(old, claims.Killed)
	var slot claims.Pending
	for _, p := range w.pending(2) {
		if p.Queued() {
			slot = p
			continue
		}
		old = w.claimed(beta, w.pendingItem(p), claims.Won).Token // by somebody who does not mind
	}
	w.claimed(alpha, w.inLine(slot, claims.OverlapReplace), claims.Busy)
	if o := w.open(1)[0]; o.CancelFor != claims.Replaced || o.RunID != old.RunID {
		w.Errorf("open: %+v", o)
	}
	w.finish(old, claims.Killed)
	w.finish(w.claimed(alpha, w.inLine(slot, claims.OverlapReplace), claims.Won).Token, claims.OK)
}
