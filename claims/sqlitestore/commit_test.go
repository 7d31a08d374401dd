package sqlitestore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gofrs/flock"
	"github.com/wcron/wcron/claims"
)

// jam holds the short lock until release is called.
func jam(t *testing.T, s *Store) (release func()) {
	t.Helper()
	f := flock.New(filepath.Join(s.Dir(), "ledger.lock"))
	// A waiter that was given up may hold it for a moment.
	if ok, err := f.TryLockContext(t.Context(), time.Millisecond); !ok {
		t.Fatalf("lock: %v", err)
	}
	once := sync.OnceFunc(func() { f.Unlock() })
	t.Cleanup(once)
	return once
}

// plug jams the short lock and gives the committer something to wait there with, so that what comes next piles up in the queue.
func plug(t *testing.T, s *Store) (release func()) {
	t.Helper()
	release = jam(t, s)
	r := &request{ctx: t.Context(), apply: func(*tx) error { return nil }, answer: make(chan error, 1)}
	s.mu.Lock()
	s.queue = append(s.queue, r)
	s.mu.Unlock()
	s.rouse()
	await(t, func() bool { return s.queued() == 0 })
	return release
}

func (s *Store) queued() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue)
}

func await(t *testing.T, ok func() bool) {
	t.Helper()
	for range 10_000 {
		if ok() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("it did not come to it in 10 s")
}

func TestCommitsShareATransaction(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	const n = 50
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("job-%02d", i)
	}
	put(t, s, names...)
	before := s.commits.Load()
	release := plug(t, s)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			a, err := s.Claim(t.Context(), t0, "owner-1", []claims.Claim{due(names[i], fmt.Sprintf("run-%04d", i), 0)})
			if err != nil || a[0].Status != claims.Won {
				t.Errorf("claim: %+v %v", a, err)
			}
		})
	}
	await(t, func() bool { return s.queued() == n })
	release()
	wg.Wait()
	if got := s.commits.Load() - before; got != 2 { // the plug's, and one for all of them
		t.Fatalf("%d claims took %d transactions, want 1", n, got-1)
	}
}

func TestBatchIsBounded(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	s.mu.Lock()
	for range batchRequests + 10 {
		s.queue = append(s.queue, &request{ctx: t.Context(), answer: make(chan error, 1)})
	}
	s.mu.Unlock()
	first, _ := s.drain()
	rest, _ := s.drain()
	if len(first) != batchRequests || len(rest) != 10 {
		t.Fatalf("batches of %d and %d", len(first), len(rest))
	}
	s.mu.Lock()
	for range 3 {
		s.queue = append(s.queue, &request{ctx: t.Context(), size: batchBytes / 2, answer: make(chan error, 1)})
	}
	s.mu.Unlock()
	first, _ = s.drain()
	rest, _ = s.drain()
	if len(first) != 2 || len(rest) != 1 {
		t.Fatalf("batches of %d and %d by size", len(first), len(rest))
	}
}

func TestAFailedRequestSpoilsNothing(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	put(t, s, "a", "b")
	before := s.commits.Load()
	release := plug(t, s)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Request(t.Context(), t0, claims.Request{Kind: claims.Pause, Job: "no such"}); !errors.Is(err, claims.ErrNoJob) {
			t.Errorf("pause: %v", err)
		}
	})
	wg.Go(func() {
		err := s.write(t.Context(), "half", 0, func(t *tx) error {
			if _, err := t.exec("UPDATE jobs SET reason = 'half done' WHERE name = 'a'"); err != nil {
				return err
			}
			return claims.ErrNoRun
		})
		if !errors.Is(err, claims.ErrNoRun) {
			t.Errorf("half: %v", err)
		}
	})
	wg.Go(func() { put(t, s, "c") })
	await(t, func() bool { return s.queued() == 3 })
	release()
	wg.Wait()
	if n := s.commits.Load() - before; n != 2 {
		t.Errorf("%d transactions, want the plug's and one", n)
	}
	if j, err := s.Job(t.Context(), "a"); err != nil || j.Reason != "" {
		t.Fatalf("half a request was committed: %+v %v", j, err)
	}
	if _, err := s.Job(t.Context(), "c"); err != nil {
		t.Fatalf("the good one: %v", err)
	}
}

func TestBusyLockIsNamedAndBounded(t *testing.T) {
	s, err := Open(t.Context(), Config{Dir: t.TempDir() + "/state", LockWait: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, "a")
	release := jam(t, s)
	_, err = s.Claim(t.Context(), t0, "owner-1", []claims.Claim{due("a", "run-0001", 0)})
	if !errors.Is(err, claims.ErrBusy) {
		t.Fatalf("claim behind a held lock: %v", err)
	}
	if holder(s.gate.path) != "" && !strings.Contains(err.Error(), fmt.Sprintf("pid %d", os.Getpid())) {
		t.Errorf("the holder is not named: %v", err)
	}
	// The waiter that was given up is still in the kernel's queue. It must not keep the lock when its turn comes.
	if err := s.Request(t.Context(), t0, claims.Request{Kind: claims.Pause, Job: "a"}); !errors.Is(err, claims.ErrBusy) {
		t.Fatalf("pause behind a held lock: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := s.Request(ctx, t0, claims.Request{Kind: claims.Pause, Job: "a"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a caller waited past its context: %v", err)
	}
	release()
	if got := claim(t, s, t0, due("a", "run-0001", 0))[0]; got.Status != claims.Won {
		t.Fatalf("after the lock was free again: %+v", got)
	}
	release = jam(t, s) // would block if the waiter had kept it
	done := make(chan error, 1)
	go func() { done <- s.Request(context.Background(), t0, claims.Request{Kind: claims.Pause, Job: "a"}) }()
	if err := s.Close(); err != nil {
		t.Errorf("close behind a held lock: %v", err)
	}
	if err := <-done; err == nil {
		t.Error("a write behind a held lock was acknowledged")
	}
	release()
}

func TestRequestOfACallerThatLeftIsDropped(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	put(t, s, "a")
	release := plug(t, s)
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	wg.Go(func() {
		if err := s.Request(ctx, t0, claims.Request{Kind: claims.Pause, Job: "a"}); !errors.Is(err, context.Canceled) {
			t.Errorf("pause: %v", err)
		}
	})
	await(t, func() bool { return s.queued() == 1 })
	cancel()
	wg.Wait()
	release()
	put(t, s, "b") // the queue up to here has been looked at
	if j, _ := s.Job(t.Context(), "a"); j.Paused {
		t.Error("the request of a caller that had left was carried out")
	}
}

// K4: two ticks at once, in one store and in two.
func TestTwoTicksAtOnce(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	other := open(t, s.Dir())
	const n = 20
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("job-%02d", i))
	}
	put(t, s, names...)
	for name, pair := range map[string][2]*Store{"one process": {s, s}, "two openers": {s, other}} {
		t.Run(name, func(t *testing.T) {
			j, err := s.Job(t.Context(), names[0])
			if err != nil {
				t.Fatal(err)
			}
			d := j.Next.Sub(t0)
			var wg sync.WaitGroup
			var won [2]int
			for side, st := range pair {
				var items []claims.Claim
				for i, job := range names {
					items = append(items, due(job, fmt.Sprintf("run-%s-%d-%04d", strings.ReplaceAll(name, " ", "-"), side, i), d))
				}
				wg.Go(func() {
					got, err := st.Claim(t.Context(), at(d), fmt.Sprintf("owner-%d", side), items)
					if err != nil {
						t.Error(err)
					}
					for _, a := range got {
						if a.Status == claims.Won {
							won[side]++
						}
					}
				})
			}
			wg.Wait()
			if won[0]+won[1] != n || won[0] != 0 && won[1] != 0 {
				t.Fatalf("claims %v, want {%d, 0}", won, n)
			}
			all, err := s.Open(t.Context())
			if err != nil || len(all) != n {
				t.Fatalf("%d open claims: %v", len(all), err)
			}
			for _, o := range all {
				finalize(t, s, at(d), final(o.Token, claims.OK, at(d)))
			}
		})
	}
}

// K7: several finish at once, and all land.
func TestSeveralFinishAtOnce(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	const n = 30
	var toks []claims.Token
	for i := range n {
		name := fmt.Sprintf("job-%02d", i)
		put(t, s, name)
		toks = append(toks, claim(t, s, t0, due(name, fmt.Sprintf("run-%04d", i), 0))[0].Token)
	}
	var wg sync.WaitGroup
	for _, tok := range toks {
		wg.Go(func() {
			got, err := s.Finalize(t.Context(), t0, []claims.Final{final(tok, claims.OK, t0)})
			if err != nil || got[0].Status != claims.Done {
				t.Errorf("%+v %v", got, err)
			}
		})
	}
	wg.Wait()
	if left, err := s.Open(t.Context()); err != nil || len(left) != 0 {
		t.Fatalf("%d claims are open: %v", len(left), err)
	}
	for _, r := range runs(t, s, claims.RunQuery{Limit: -1}) {
		if r.Outcome != claims.OK {
			t.Errorf("%+v", r)
		}
	}
}

func TestClosed(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Jobs(t.Context()); !errors.Is(err, claims.ErrClosed) {
		t.Errorf("read: %v", err)
	}
	if err := s.Request(t.Context(), t0, claims.Request{Kind: claims.Pause, Job: "a"}); !errors.Is(err, claims.ErrClosed) {
		t.Errorf("write: %v", err)
	}
	if _, err := s.LockJob(t.Context(), "a", 0); !errors.Is(err, claims.ErrClosed) {
		t.Errorf("lock: %v", err)
	}
	if _, err := s.Join(t.Context(), t0, claims.Owner{ID: "owner-1"}); !errors.Is(err, claims.ErrClosed) {
		t.Errorf("join: %v", err)
	}
}

// A bubble ends only when every goroutine in it has, so this also shows that Close leaves none.
func TestWorksInABubble(t *testing.T) {
	dir := t.TempDir() + "/state"
	synctest.Test(t, func(t *testing.T) {
		s, err := Open(t.Context(), Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		put(t, s, "a")
		leave, err := s.Join(t.Context(), t0, claims.Owner{ID: "owner-1"})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(24 * time.Hour) // the committer must not keep the bubble's clock from moving
		if got := claim(t, s, t0, due("a", "run-0001", 0))[0]; got.Status != claims.Won {
			t.Errorf("%+v", got)
		}
		if err := leave(t.Context(), t0); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}
