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
	"time"

	"github.com/wcron/wcron/claims"
)

func TestMembership(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	other := open(t, s.Dir())
	o := claims.Owner{ID: "owner-1", PID: 42, Host: "here", Evidence: []byte(`{}`), Socket: "/run/x", Version: "v1", Started: t0, Seen: t0}
	leave, err := s.Join(t.Context(), t0, o)
	if err != nil {
		t.Fatal(err)
	}
	probe := func(id string, want claims.LockState) claims.Probe {
		t.Helper()
		p, err := other.Probe(t.Context(), id)
		if err != nil || p.Lock != want || p.Reason == "" {
			t.Fatalf("probe %s: %+v %v, want %s", id, p, err, want)
		}
		return p
	}
	probe("owner-1", claims.LockHeld).Release()
	probe("owner-2", claims.LockMissing).Release()
	probe("../ledger", claims.LockMissing).Release()
	if exists(s.ownerPath("owner-2")) {
		t.Error("a probe made the lock that it looked for")
	}
	if err := s.Renew(t.Context(), at(time.Minute), "owner-1"); err != nil {
		t.Fatal(err)
	}
	if err := other.Renew(t.Context(), at(time.Minute), "owner-1"); !errors.Is(err, claims.ErrFenced) {
		t.Errorf("renewed by somebody else: %v", err)
	}
	all, err := other.Owners(t.Context())
	o.Seen = at(time.Minute)
	if err != nil || len(all) != 1 || fmt.Sprintf("%+v", all[0]) != fmt.Sprintf("%+v", o) {
		t.Fatalf("owners: %+v %v", all, err)
	}
	for range 2 {
		if err := leave(t.Context(), at(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	p := probe("owner-1", claims.LockFree)
	probe("owner-1", claims.LockHeld).Release() // whoever has it keeps others from coming back as that owner
	p.Release()
	p.Release()
	probe("owner-1", claims.LockFree).Release()
	if all, err = s.Owners(t.Context()); err != nil || len(all) != 1 || !all[0].Left.Equal(at(time.Hour)) {
		t.Fatalf("after it left: %+v %v", all, err)
	}
	for i := range 3 {
		id := fmt.Sprintf("next-%d", i)
		if leave, err = s.Join(t.Context(), at(2*time.Hour), claims.Owner{ID: id}); err != nil {
			t.Fatal(err)
		}
		if i < 2 {
			if err := leave(t.Context(), at(time.Duration(3+i)*time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if all, err = s.Owners(t.Context()); err != nil || len(all) != 2 || all[0].ID != "next-2" || all[1].ID != "next-1" {
		t.Fatalf("the one here and the one that left last: %+v %v", all, err)
	}
	if _, err := s.Prune(t.Context(), at(5*time.Hour), nil); err != nil {
		t.Fatal(err)
	}
	if again, err := s.Owners(t.Context()); err != nil || fmt.Sprint(again) != fmt.Sprint(all) {
		t.Fatalf("after pruning: %+v %v", again, err)
	}
	err = s.read(t.Context(), "count", func(c *conn) error {
		if n, err := c.number(countLeft); n != 1 || err != nil {
			t.Errorf("%d owners that left are on record, want the last one: %v", n, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Join(t.Context(), t0, claims.Owner{ID: "a/b"}); err == nil {
		t.Error("joined with an id that is no file name")
	}
}

func TestJoinWaitsForAProber(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	leave, err := s.Join(t.Context(), t0, claims.Owner{ID: "owner-1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Join(t.Context(), t0, claims.Owner{ID: "owner-1"}); !errors.Is(err, claims.ErrBusy) {
		t.Fatalf("joined twice: %v", err)
	}
	if err := leave(t.Context(), t0); err != nil {
		t.Fatal(err)
	}
	p, err := s.Probe(t.Context(), "owner-1")
	if err != nil || p.Lock != claims.LockFree {
		t.Fatalf("%+v %v", p, err)
	}
	time.AfterFunc(50*time.Millisecond, p.Release)
	if _, err := s.Join(t.Context(), t0, claims.Owner{ID: "owner-1"}); err != nil {
		t.Fatalf("behind a prober: %v", err)
	}
}

func TestOwnerWhoseLockIsGoneIsFenced(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"removed":  os.Remove,
		"replaced": func(path string) error { return errors.Join(os.Remove(path), os.WriteFile(path, nil, 0o600)) },
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, t.TempDir()+"/state")
			if _, err := s.Join(t.Context(), t0, claims.Owner{ID: "owner-1"}); err != nil {
				t.Fatal(err)
			}
			if err := spoil(s.ownerPath("owner-1")); err != nil {
				t.Skip("this platform keeps a locked file in its place")
			}
			if err := s.Renew(t.Context(), t0, "owner-1"); !errors.Is(err, claims.ErrFenced) {
				t.Fatal(err)
			}
		})
	}
}

func TestLockJob(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	other := open(t, s.Dir())
	unlock, err := s.LockJob(t.Context(), "a", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, st := range []*Store{s, other} {
		_, err := st.LockJob(t.Context(), "a", 0)
		if !errors.Is(err, claims.ErrBusy) {
			t.Fatalf("taken twice: %v", err)
		}
		if holder(s.gate.path) != "" && !strings.Contains(err.Error(), fmt.Sprintf("pid %d", os.Getpid())) {
			t.Errorf("the holder is not named: %v", err)
		}
	}
	for _, free := range []struct {
		job  string
		lane int
	}{{"a", 1}, {"b", 0}} {
		u, err := other.LockJob(t.Context(), free.job, free.lane)
		if err != nil {
			t.Fatal(err)
		}
		u()
	}
	unlock()
	unlock()
	again, err := other.LockJob(t.Context(), "a", 0)
	if err != nil {
		t.Fatal(err)
	}
	unlock() // must not take away what is another's by now
	if _, err := s.LockJob(t.Context(), "a", 0); !errors.Is(err, claims.ErrBusy) {
		t.Fatalf("taken twice: %v", err)
	}
	again()
}

// A process that dies leaves its locks free and its claims open.
func TestOwnerThatDied(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	p := spawn(t, "join", s.Dir(), "owner-9")
	if !p.out.Scan() || p.out.Text() != "joined" {
		t.Fatalf("the child says %q", p.out.Text())
	}
	pr, err := s.Probe(t.Context(), "owner-9")
	if err != nil || pr.Lock != claims.LockHeld {
		t.Fatalf("alive: %+v %v", pr, err)
	}
	if holder(s.gate.path) == "" && strings.Contains(pr.Reason, "pid") && !strings.Contains(pr.Reason, fmt.Sprint(p.cmd.Process.Pid)) {
		t.Errorf("the holder is named wrongly: %s", pr.Reason)
	}
	p.kill()
	await(t, func() bool {
		pr, err = s.Probe(t.Context(), "owner-9")
		return err != nil || pr.Lock == claims.LockFree
	})
	if err != nil {
		t.Fatal(err)
	}
	pr.Release()
	if all, err := s.Owners(t.Context()); err != nil || len(all) != 1 || !all[0].Left.IsZero() {
		t.Fatalf("owners: %+v %v", all, err)
	}
}

func TestCrashedOwnersAreForgotten(t *testing.T) {
	dir := t.TempDir()
	for _, id := range []string{"crashed-1", "crashed-2", "busy-1"} {
		s, err := Open(t.Context(), Config{Dir: dir + "/s"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Join(t.Context(), t0, claims.Owner{ID: id, PID: 1, Started: t0, Seen: t0}); err != nil {
			t.Fatal(err)
		}
		if id == "busy-1" {
			put(t, s, "a")
			if a, err := s.Claim(t.Context(), t0, id, []claims.Claim{due("a", "r1", 0)}); err != nil || a[0].Status != claims.Won {
				t.Fatalf("%+v, %v", a, err)
			}
		}
		if err := s.Close(); err != nil { // gives the lock back, as a death does
			t.Fatal(err)
		}
	}
	s := open(t, dir+"/s")
	if _, err := s.Join(t.Context(), t0, claims.Owner{ID: "alive-1", PID: 1, Started: t0, Seen: t0}); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{time.Hour, 4}, {25 * time.Hour, 3}} { // the last one that left is kept beside the two that have not
		if _, err := s.Prune(t.Context(), at(step.after), nil); err != nil {
			t.Fatal(err)
		}
		if owners, err := s.Owners(t.Context()); err != nil || len(owners) != step.want {
			t.Errorf("after %s: %d owners, want %d: %+v, %v", step.after, len(owners), step.want, owners, err)
		}
	}
	open := map[string]bool{}
	owners, err := s.Owners(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range owners {
		if o.Left.IsZero() {
			open[o.ID] = true
		}
	}
	if !open["busy-1"] || !open["alive-1"] || len(open) != 2 {
		t.Errorf("owners that have not left: %v", open)
	}
}

// The locks of owners that are gone go, with their sockets. Those of others stay: of one that lives, of one that is about to be
// recorded, of a dead one whose claim is open.
func TestLocksOfOwnersThatAreGoneAreSwept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "s")
	s := open(t, dir)
	put(t, s, "a")
	for i, end := range []string{"left", "crashed", "busy"} {
		other, err := Open(t.Context(), Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		id := end + "-1"
		leave, err := other.Join(t.Context(), t0, claims.Owner{ID: id, PID: 1, Started: t0, Seen: t0})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "owners", id+".sock"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		switch end {
		case "left":
			err = leave(t.Context(), t0.Add(time.Duration(i)*time.Second))
		case "busy":
			_, err = other.Claim(t.Context(), t0, id, []claims.Claim{due("a", "run-0001", 0)})
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := other.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Join(t.Context(), t0, claims.Owner{ID: "alive-1", PID: 1, Started: t0, Seen: t0}); err != nil {
		t.Fatal(err)
	}
	early := newLock(s.ownerPath("early-1")) // has its lock, and no record yet
	if ok, err := early.TryLock(); !ok || err != nil {
		t.Fatal(err)
	}
	defer early.Unlock()
	for hours := range 28 {
		if _, err := s.Prune(t.Context(), at(time.Duration(hours)*time.Hour), nil); err != nil {
			t.Fatal(err)
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, "owners", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range left {
		left[i] = filepath.Base(left[i])
	}
	if got := fmt.Sprint(left); got != "[alive-1.lock busy-1.lock busy-1.sock early-1.lock]" {
		t.Errorf("left: %s", got)
	}
}

// However owners come and go while others sweep: whoever has joined is seen to live, and nobody is lost on the way.
func TestOwnersJoinWhileOthersSweep(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "s")
	s := open(t, dir)
	rounds := 60
	if os.Getenv("WCRON_CI") == "1" {
		rounds = 1000
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	sweeper := open(t, dir)
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := sweeper.sweepOwners(context.Background()); err != nil {
				t.Error(err)
				return
			}
		}
	})
	joiner := open(t, dir)
	for n := range rounds {
		id := fmt.Sprintf("owner-%d", n)
		leave, err := joiner.Join(t.Context(), t0, claims.Owner{ID: id, PID: 1, Started: t0, Seen: t0})
		if err != nil {
			t.Fatal(err)
		}
		if p, err := s.Probe(t.Context(), id); err != nil || p.Lock != claims.LockHeld {
			t.Errorf("owner %s has joined, and its lock is %s: %v", id, p.Lock, err)
		}
		if err := joiner.Renew(t.Context(), t0, id); err != nil {
			t.Error(err)
		}
		if err := leave(t.Context(), t0); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	wg.Wait()
	if err := s.sweepOwners(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "owners", "*.lock")); err != nil || len(left) > 0 {
		t.Errorf("%d locks are left, %v", len(left), err)
	}
}
