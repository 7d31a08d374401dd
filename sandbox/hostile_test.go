package sandbox

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"
)

// slack is how late a guest may be gone in a test: the promise is 100 ms, and the machine of a test may be shared.
const slack = 250 * time.Millisecond

// ticker measures how late the host's own timers are.
type ticker struct {
	worst time.Duration
	stop  chan struct{}
	done  sync.WaitGroup
}

func startTicker() *ticker {
	k := &ticker{stop: make(chan struct{})}
	k.done.Go(func() {
		const every = 2 * time.Millisecond
		for {
			begun := time.Now()
			select {
			case <-k.stop:
				return
			case <-time.After(every):
			}
			k.worst = max(k.worst, time.Since(begun)-every)
		}
	})
	return k
}

func (k *ticker) end() time.Duration {
	close(k.stop)
	k.done.Wait()
	return k.worst
}

// Whatever a guest computes, it is gone soon after its deadline, and the host goes on meanwhile, with the collector
// running all the time.
func TestHostileShapesDieOnTime(t *testing.T) {
	const timeout = 50 * time.Millisecond
	e := newEngine(t, Config{})
	for _, s := range computingShapes() {
		t.Run(s.name, func(t *testing.T) {
			m := compile(t, e, s.wasm)
			k := startTicker()
			collect := time.NewTicker(10 * time.Millisecond)
			stop, stopped := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(stopped)
				for {
					select {
					case <-collect.C:
						runtime.GC()
					case <-stop:
						return
					}
				}
			}()
			begun := time.Now()
			res := m.Run(context.Background(), Run{Timeout: timeout})
			lateness := time.Since(begun) - timeout
			close(stop)
			<-stopped
			worst := k.end()
			expect(t, res, Timeout, Deadline, "")
			t.Logf("late by %v, the host's ticker by %v at worst, fuel %d", lateness, worst, res.Fuel)
			if lateness < 0 || lateness > slack || worst > slack {
				t.Errorf("late by %v, the host's ticker by %v at worst", lateness, worst)
			}
		})
	}
}

// With neighbours that all spin, and more of them than processors, each is gone soon after its deadline.
func TestCrowdDiesOnTime(t *testing.T) {
	const timeout, crowd = 300 * time.Millisecond, 64
	e := newEngine(t, Config{})
	shapes := computingShapes()
	modules := []*Module{compile(t, e, shapes[0].wasm), compile(t, e, shapes[9].wasm), compile(t, e, shapes[14].wasm)}
	k := startTicker()
	var wg sync.WaitGroup
	late := make([]time.Duration, crowd)
	for i := range crowd {
		wg.Go(func() {
			m := modules[0]
			if i%16 == 1 {
				m = modules[1+i/16%2]
			}
			begun := time.Now()
			res := m.Run(context.Background(), Run{Timeout: timeout})
			late[i] = time.Since(begun) - timeout
			expect(t, res, Timeout, Deadline, "")
		})
	}
	wg.Wait()
	worst := k.end()
	var most time.Duration
	for _, d := range late {
		most = max(most, d)
	}
	t.Logf("late by %v at most, the host's ticker by %v", most, worst)
	if most > 2*slack || worst > 2*slack {
		t.Errorf("late by %v at most, the host's ticker by %v", most, worst)
	}
}
