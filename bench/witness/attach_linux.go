package witness

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/host"
	"github.com/wcron/wcron/internal/guest"
)

// witness stands where the guests have their clock, and around the store.
type witness struct {
	file  *os.File
	order Order
	hits  atomic.Int64 // of order.Point
	runs  sync.Map     // run ids that this process has claimed, by their end
}

// Attach puts a witness into a host's configuration as the Order of this process says; without one the host works as ever. It
// takes cfg's store, clock and OnEvent, so they are set before.
func Attach(cfg *host.Config) error {
	text := os.Getenv(env)
	if text == "" {
		return nil
	}
	w := &witness{}
	if err := json.Unmarshal([]byte(text), &w.order); err != nil {
		return fmt.Errorf("read the order in %s: %w", env, err)
	}
	var err error
	if w.file, err = os.OpenFile(w.order.File, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600); err != nil {
		return fmt.Errorf("open the witness file: %w", err)
	}
	cfg.Sandbox.Clock.Sleep = w.sleep
	cfg.Store = &attested{Store: cfg.Store, w: w}
	also := cfg.OnEvent
	cfg.OnEvent = func(e host.Event) {
		if e.Kind == host.EndedRun {
			w.point(BeforeNotification)
			w.tell(Notify, e.RunID, string(e.Outcome))
		}
		if also != nil {
			also(e)
		}
	}
	return nil
}

// tell appends a line. A witness that cannot write must not go on: the process ends.
func (w *witness) tell(fields ...string) {
	if _, err := fmt.Fprintf(w.file, "%d %s\n", BootClock(), strings.Join(fields, " ")); err != nil {
		panic(fmt.Sprintf("witness: %v", err))
	}
}

// BootClock counts the time that the machine was suspended too, in nanoseconds, and steps with no clock that anybody sets.
func BootClock() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		panic(fmt.Sprintf("read the boot clock: %v", err))
	}
	return t.Nano()
}

// sleep is what guests sleep by, and where a guest.Witness speaks.
func (w *witness) sleep(ctx context.Context, d time.Duration) {
	letter, tail, value, ok := guest.Testimony(d)
	if !ok {
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
		return
	}
	known, ok := w.runs.Load(tail)
	if !ok {
		panic(fmt.Sprintf("witness: a guest speaks for a run that ends with %q, and this process has claimed none", tail))
	}
	run := known.(string)
	switch letter {
	case guest.WitnessEnters:
		w.tell(Enter, run)
		w.point(AfterGuestStart)
	case guest.WitnessBy:
		w.tell(By, run, value)
	case guest.WitnessCount:
		w.tell(Count, run, value)
	case guest.WitnessWrote:
		w.tell(Wrote, run, value)
	case guest.WitnessLives:
		w.tell(Beat, run)
	case guest.WitnessLeaves:
		w.tell(Leave, run)
	}
}

// here tells whether the process is to die at this point, this time.
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

func (s *attested) Remove(ctx context.Context, now time.Time, source string, names []string) error {
	for _, name := range names {
		s.w.tell(Removing, name)
	}
	return s.Store.Remove(ctx, now, source, names)
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
			s.w.tell(Claim, a.Token.RunID, items[i].Slot.ID, fmt.Sprint(items[i].Attempt))
			won = true
		}
	}
	if won {
		s.w.point(AfterClaim)
	}
	return got, nil
}

func (s *attested) Finalize(ctx context.Context, now time.Time, items []claims.Final) ([]claims.Finalized, error) {
	if s.w.here(DuringCommit) {
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
			s.w.tell(Commit, items[i].RunID, string(items[i].Outcome))
		case claims.Dropped:
			s.w.tell(Commit, items[i].RunID, string(claims.Discarded))
		case claims.Conflicted:
			s.w.tell(Commit, items[i].RunID, string(claims.Failed))
		case claims.Fenced:
			s.w.tell(Fenced, items[i].RunID, string(items[i].Outcome))
		}
	}
	s.w.point(AfterCommit)
	return got, nil
}
