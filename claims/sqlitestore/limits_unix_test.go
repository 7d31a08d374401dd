//go:build linux || darwin

package sqlitestore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
)

// limited runs in a child that lowers a limit of its own, since a test process cannot raise it again. It fails unless the store
// reports the limit loudly and goes on when it is lifted as far as it can be.
func limited(mode string, s *Store) error {
	ctx := context.Background()
	if _, err := s.Put(ctx, t0, "test", []claims.Put{{Name: "a", Definition: "d", Schedule: "* * * * *", Timezone: "UTC", First: t0}}); err != nil {
		return err
	}
	switch mode {
	case "descriptors":
		return outOfDescriptors(ctx, s)
	case "disk":
		return outOfDisk(ctx, s)
	case "folder":
		return foreignFolder(ctx, s)
	}
	return fmt.Errorf("no mode %q", mode)
}

func outOfDescriptors(ctx context.Context, s *Store) error {
	var files []*os.File
	for {
		f, err := os.Open(os.DevNull)
		if errors.Is(err, syscall.EMFILE) {
			break
		} else if err != nil {
			return err
		}
		if files = append(files, f); len(files) == 1 {
			var lim syscall.Rlimit
			if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
				return err
			}
			lim.Cur = min(lim.Cur, 64)
			if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
				return err
			}
		}
	}
	_, claim := s.Claim(ctx, t0, "owner-1", []claims.Claim{due("a", "run-0001", 0)})
	_, lock := s.LockJob(ctx, "a", 0)
	_, join := s.Join(ctx, t0, claims.Owner{ID: "owner-1"})
	for name, err := range map[string]error{"claim": claim, "lock": lock, "join": join} {
		if !errors.Is(err, syscall.EMFILE) || errors.Is(err, claims.ErrBusy) || !strings.Contains(err.Error(), "ulimit") {
			return fmt.Errorf("%s without descriptors: %w", name, err)
		}
	}
	for _, f := range files {
		f.Close()
	}
	got, err := s.Claim(ctx, t0, "owner-1", []claims.Claim{due("a", "run-0001", 0)})
	if err != nil || got[0].Status != claims.Won {
		return fmt.Errorf("claim with descriptors again: %+v %w", got, err)
	}
	return s.Close()
}

func outOfDisk(ctx context.Context, s *Store) error {
	ignored(syscall.SIGXFSZ)
	lim := syscall.Rlimit{Cur: 256 << 10, Max: 256 << 10}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &lim); err != nil {
		return err
	}
	acked := 0
	var err error
	for ; err == nil && acked < 10_000; acked++ {
		err = s.Request(ctx, t0, claims.Request{Kind: claims.Trigger, Job: "a", ID: fmt.Sprint(acked), Input: make([]byte, 4096)})
	}
	acked--
	if err == nil || errors.Is(err, claims.ErrBusy) || errors.Is(err, claims.ErrCorrupt) || !strings.Contains(err.Error(), s.path()) {
		return fmt.Errorf("a write to a full disk: %w", err)
	}
	pending, err := s.Pending(ctx)
	if err != nil || len(pending) != acked {
		return fmt.Errorf("%d of %d acknowledged requests are there: %w", len(pending), acked, err)
	}
	fmt.Println(acked)
	return nil
}

func foreignFolder(ctx context.Context, s *Store) error {
	dir := s.Dir()
	if err := s.Close(); err != nil {
		return err
	}
	for name, mode := range map[string]os.FileMode{dir: 0o500, s.path(): 0o400} {
		if err := os.Chmod(name, mode); err != nil {
			return err
		}
	}
	if os.Getuid() == 0 { // root may write everywhere
		if err := os.Chown(dir, 65534, 65534); err != nil {
			return err
		}
		if err := syscall.Setuid(65534); err != nil {
			return err
		}
	}
	s, err := Open(ctx, Config{Dir: dir})
	if err == nil {
		err = s.Request(ctx, t0, claims.Request{Kind: claims.Pause, Job: "a"})
	}
	if err == nil || errors.Is(err, claims.ErrBusy) || errors.Is(err, claims.ErrCorrupt) || !strings.Contains(err.Error(), "cannot be written") {
		return fmt.Errorf("a folder that may not be written: %w", err)
	}
	return nil
}

func runLimited(t *testing.T, mode string) (string, string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "sqlitestore") // a user without rights has to get there, which t.TempDir is not for
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	p := spawn(t, mode, dir+"/state", "")
	var lines []string
	for p.out.Scan() {
		lines = append(lines, p.out.Text())
	}
	if err := p.cmd.Wait(); err != nil {
		t.Fatalf("%v: %s", err, strings.Join(lines, "\n"))
	}
	return dir + "/state", strings.Join(lines, "\n")
}

// K8: running out of file descriptors is loud, and nothing like a busy lock.
func TestOutOfDescriptors(t *testing.T) { runLimited(t, "descriptors") }

func TestFullDisk(t *testing.T) {
	dir, acked := runLimited(t, "disk")
	s := open(t, dir)
	pending, err := s.Pending(t.Context())
	if err != nil || fmt.Sprint(len(pending)) != acked {
		t.Fatalf("%d of %s acknowledged requests are there after the restart: %v", len(pending), acked, err)
	}
	if err := s.Request(t.Context(), t0.Add(time.Second), claims.Request{Kind: claims.Trigger, Job: "a", ID: "x"}); err != nil {
		t.Fatalf("with space again: %v", err)
	}
}

func TestFolderOfAnotherUser(t *testing.T) { runLimited(t, "folder") }
