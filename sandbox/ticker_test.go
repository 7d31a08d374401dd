package sandbox

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"
)

// slack is how late a guest may be gone in a test: the promise is 100 ms, and the machine of a test may be shared.
const slack = 250 * time.Millisecond

// worstSlack is the same for the latest of many: what else the machine does hits one of them.
const worstSlack = 4 * slack

// thorough tells whether tests take the time for their long forms, which the race detector makes too long.
func thorough() bool { return os.Getenv("WCRON_CI") == "1" && !racing }

// spans are durations of one kind.
type spans []time.Duration

func (s spans) sorted() spans {
	s = slices.Clone(s)
	slices.Sort(s)
	return s
}

// of gives the percentile of sorted spans.
func (s spans) of(percent int) time.Duration { return s[(len(s)-1)*percent/100] }

func (s spans) String() string {
	s = s.sorted()
	round := func(p int) time.Duration { return s.of(p).Round(10 * time.Microsecond) }
	return fmt.Sprintf("median %v, p99 %v, worst %v of %d", round(50), round(99), round(100), len(s))
}

// ticker measures how late the host's own timers are.
type ticker struct {
	late spans
	stop chan struct{}
	done sync.WaitGroup
}

func startTicker() *ticker {
	k := &ticker{stop: make(chan struct{})}
	k.done.Go(func() {
		const every = 2 * time.Millisecond
		for {
			begun := time.Now()
			select {
			case <-k.stop:
				k.late = append(k.late, 0) // never empty
				return
			case <-time.After(every):
			}
			k.late = append(k.late, time.Since(begun)-every)
		}
	})
	return k
}

// end stops it and gives what it measured.
func (k *ticker) end() spans {
	close(k.stop)
	k.done.Wait()
	return k.late.sorted()
}

// collect forces a garbage collection every 10 ms. The function that it returns stops that.
func collect() (stop func()) {
	quit := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		every := time.NewTicker(10 * time.Millisecond)
		defer every.Stop()
		for {
			select {
			case <-every.C:
				runtime.GC()
			case <-quit:
				return
			}
		}
	})
	return func() {
		close(quit)
		done.Wait()
	}
}
