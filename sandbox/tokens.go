package sandbox

import (
	"context"
	"runtime"
	"slices"
	"sync"
)

// tokens lets so many guests compute at a time; all others wait for their turn. A guest that comes back from waiting
// for the world goes before those that were interrupted, since it mostly has little to do, but not always.
type tokens struct {
	mu     sync.Mutex
	free   int             // guarded by mu; 0 while somebody waits
	woken  []chan struct{} // guarded by mu; those who come back or begin, oldest first
	paused []chan struct{} // guarded by mu; those whose slice was spent
	passed int             // guarded by mu; how often in a row the woken went first
}

// mostPassed is how often in a row the paused are passed by.
const mostPassed = 3

func newTokens() *tokens { return &tokens{free: max(runtime.GOMAXPROCS(0), 1)} }

// take waits for a token. It fails if the context is done first.
func (t *tokens) take(ctx context.Context) bool {
	t.mu.Lock()
	if t.free > 0 {
		t.free--
		t.mu.Unlock()
		return true
	}
	turn := make(chan struct{})
	t.woken = append(t.woken, turn)
	t.mu.Unlock()
	return t.wait(ctx, turn)
}

// give returns a token: to who waits longest.
func (t *tokens) give() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pass()
}

// pass hands a token on. The caller holds mu.
func (t *tokens) pass() {
	queue := &t.woken
	if len(t.woken) == 0 || len(t.paused) > 0 && t.passed >= mostPassed {
		queue = &t.paused
	}
	if len(*queue) == 0 {
		t.free++
		return
	}
	if t.passed++; queue == &t.paused {
		t.passed = 0
	}
	close((*queue)[0])
	*queue = slices.Delete(*queue, 0, 1)
}

// rotate lets others compute, and returns when it is this one's turn again. If it fails, the token is gone.
func (t *tokens) rotate(ctx context.Context) bool {
	t.mu.Lock()
	if len(t.woken)+len(t.paused) == 0 {
		t.mu.Unlock()
		runtime.Gosched() // for everybody else in the process
		return true
	}
	turn := make(chan struct{})
	t.paused = append(t.paused, turn)
	t.pass()
	t.mu.Unlock()
	return t.wait(ctx, turn)
}

func (t *tokens) wait(ctx context.Context, turn chan struct{}) bool {
	select {
	case <-turn:
		return true
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, queue := range []*[]chan struct{}{&t.woken, &t.paused} {
		if i := slices.Index(*queue, turn); i >= 0 {
			*queue = slices.Delete(*queue, i, i+1)
			return false
		}
	}
	t.pass() // it came at the same time
	return false
}
