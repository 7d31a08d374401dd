package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/host"
	"github.com/wcron/wcron/internal/guest"
	"golang.org/x/sys/unix"
)

// The points at which a worker may kill itself.
const (
	afterClaim         = "after claim"
	afterGuestStart    = "after guest start"
	duringCommit       = "during commit"
	afterCommit        = "after commit"
	beforeNotification = "before notification"
)

func killPoints() []string {
	return []string{afterClaim, afterGuestStart, duringCommit, afterCommit, beforeNotification}
}

// witness writes down what guests say of themselves and what the ledger has acknowledged, each line with the boot clock, by one
// write to a file that every worker appends to. It stands where the guests have their clock.
type witness struct {
	file  *os.File
	order order
	hits  atomic.Int64 // of order.Point
	runs  sync.Map     // run ids that this worker has claimed, by their end
}

// witnessed puts a witness into a host's configuration.
func witnessed(cfg *host.Config, o order) error {
	file, err := os.OpenFile(folder{root: o.Root}.witness(), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open the witness file: %w", err)
	}
	w := &witness{file: file, order: o}
	cfg.Sandbox.Clock.Sleep = w.Sleep
	cfg.Store = &attested{Store: cfg.Store, w: w}
	cfg.CommitGrace = witnessCommit
	cfg.OnEvent = func(e host.Event) {
		if e.Kind == host.EndedRun {
			w.point(beforeNotification)
			w.tell("notify", e.RunID, string(e.Outcome))
		}
	}
	return nil
}

// tell appends a line. A witness that cannot write must not go on: the worker ends, as if killed.
func (w *witness) tell(fields ...string) {
	if _, err := fmt.Fprintf(w.file, "%d %s\n", bootClock(), strings.Join(fields, " ")); err != nil {
		panic(fmt.Sprintf("witness: %v", err))
	}
}

// bootClock counts the time that the machine was suspended too, and steps with no clock that anybody sets.
func bootClock() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		panic(fmt.Sprintf("read the boot clock: %v", err))
	}
	return t.Nano()
}

// Sleep is what guests sleep by, and where a guest.Witness speaks.
func (w *witness) Sleep(ctx context.Context, d time.Duration) {
	letter, tail, ok := guest.Testimony(d)
	if !ok {
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
		return
	}
	run, ok := w.runs.Load(tail)
	if !ok {
		panic(fmt.Sprintf("witness: a guest speaks for a run that ends with %q, and this worker has claimed none", tail))
	}
	switch letter {
	case guest.WitnessEnters:
		w.tell("enter", run.(string))
		w.point(afterGuestStart)
	case guest.WitnessLives:
		w.tell("beat", run.(string))
	case guest.WitnessLeaves:
		w.tell("leave", run.(string))
	}
}

// here tells whether the worker is to die at this point, this time.
func (w *witness) here(point string) bool {
	return w.order.Point == point && w.hits.Add(1) == int64(w.order.Nth)
}

func (w *witness) point(name string) {
	if w.here(name) {
		die()
		select {} // no instruction of ours runs any more
	}
}

func die() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL) }

// attested is a store whose acknowledgements are witnessed.
type attested struct {
	claims.Store
	w *witness
}

func (s *attested) Claim(ctx context.Context, now time.Time, owner string, items []claims.Claim) ([]claims.Claimed, error) {
	got, err := s.Store.Claim(ctx, now, owner, items)
	if err != nil {
		return got, err
	}
	won := false
	for i, a := range got {
		if a.Status == claims.Won {
			s.w.runs.Store(a.Token.RunID[len(a.Token.RunID)-guest.WitnessTail:], a.Token.RunID)
			s.w.tell("claim", a.Token.RunID, items[i].Slot.ID, fmt.Sprint(items[i].Attempt))
			won = true
		}
	}
	if won {
		s.w.point(afterClaim)
	}
	return got, nil
}

func (s *attested) Finalize(ctx context.Context, now time.Time, items []claims.Final) ([]claims.Finalized, error) {
	if s.w.here(duringCommit) {
		after := time.Duration(rand.Int64N(int64(2 * time.Millisecond)))
		go func() {
			for begin := time.Now(); time.Since(begin) < after; { // a timer would be too coarse
			}
			die()
		}()
	}
	got, err := s.Store.Finalize(ctx, now, items)
	if err != nil {
		return got, err
	}
	for i, a := range got {
		switch a.Status {
		case claims.Done, claims.AlreadyFinal:
			s.w.tell("commit", items[i].RunID, string(items[i].Outcome))
		case claims.Fenced:
			s.w.tell("fenced", items[i].RunID, string(items[i].Outcome))
		}
	}
	s.w.point(afterCommit)
	return got, nil
}
