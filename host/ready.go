package host

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/wcron/wcron/claims"
)

// Ready says why this host could not start a run now although one was due: it has not read the ledger yet, it drains, the ledger
// fails, or another process holds the ledger's lock for longer than LockPatience. No reason means that it is ready. It returns
// ErrNotRunning when Run has ended. A job of its own that cannot run, and full run slots, are no reasons: see Status and Load.
func (h *Host) Ready(ctx context.Context) (reasons []string, err error) {
	err = h.do(ctx, func(l *loop) {
		switch {
		case l.draining:
			reasons = append(reasons, "the host is draining: it starts nothing more")
		case !l.first:
			reasons = append(reasons, "the ledger has not been read yet")
		}
		for _, op := range slices.Sorted(maps.Keys(l.troubles)) {
			if op == opClaim || op == opPoll || op == opRenew {
				reasons = append(reasons, op+": "+l.troubles[op])
			}
		}
	})
	if err != nil {
		return nil, err
	}
	if why := h.lockedOut(); why != "" {
		reasons = append(reasons, why)
	}
	return reasons, nil
}

// lockedOut says who keeps the ledger's lock for too long; empty: nobody does.
func (h *Host) lockedOut() string {
	w, ok := h.LedgerWait()
	if !ok || w.For < LockPatience {
		return ""
	}
	return fmt.Sprintf("the ledger's lock has been held for %s by %s: continue or end that process", w.For.Round(100*time.Millisecond),
		firstOf(w.Holder, "another process"))
}

// LedgerWait tells of the waits for the ledger's lock; false: the store does not tell.
func (h *Host) LedgerWait() (claims.LockWait, bool) {
	s, ok := h.cfg.Store.(claims.Waiting)
	if !ok {
		return claims.LockWait{}, false
	}
	return s.LockWait(), true
}

// lockWait tells once of each wait that is too long. told is whether the present one was told.
func (l *loop) lockWait(told bool) bool {
	why := l.h.lockedOut()
	if why != "" && !told {
		l.h.emit(Event{Kind: LockWait, Reason: why})
	}
	return why != ""
}
