//go:build unix

package sandbox

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Pipes, sockets and devices are not opened, whatever for, and nothing waits for their other end.
func TestSpecialFiles(t *testing.T) {
	e := newEngine(t, Config{})
	s := newSite(t)
	if err := syscall.Mkfifo(filepath.Join(s.inside, "fifo"), 0o666); err != nil {
		t.Skip(err)
	}
	s.must(os.Symlink("fifo", filepath.Join(s.inside, "tofifo")))
	l, err := net.Listen("unix", filepath.Join(s.inside, "socket"))
	s.must(err)
	defer l.Close()
	names := []string{"fifo", "tofifo", "socket"}
	if err := syscall.Mknod(filepath.Join(s.inside, "device"), syscall.S_IFCHR|0o666, 1<<8|5); err == nil { // /dev/zero, for root alone
		names = append(names, "device")
	}
	for _, name := range names {
		for what, open := range map[string]wasiCall{
			"read": openAt(name, 1, 0, rightRead), "write": openAt(name, 1, 0, rightWrite), "both": openAt(name, 1, 0, both),
			"create": openAt(name, 1, openCreate|openTruncate, both),
		} {
			t.Run(name+" "+what, func(t *testing.T) {
				res, out := s.run(e, true, append([]wasiCall{open}, show()...)...)
				if res.ExitCode != errnoAcces || !res.HasExit || out != "" {
					t.Errorf("%+v, %q", res, out)
				}
			})
		}
	}
	// A name that is a file when it is asked for, and a pipe when it is opened, does not stop the guest either.
	swap := filepath.Join(s.inside, "swap")
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			_ = os.Link(filepath.Join(s.inside, "plain"), swap)
			_ = os.Remove(swap)
			_ = os.Link(filepath.Join(s.inside, "fifo"), swap)
			_ = os.Remove(swap)
		}
	}()
	wasm := fileGuest(e, 2000, openAt("swap", 1, 0, rightRead), wasiCall{"fd_read", []any{int64(firstFile), int64(16), int64(1), int64(8)}},
		wasiCall{"fd_close", []any{int64(firstFile)}}, openAt("swap", 1, 0, rightWrite), wasiCall{"fd_close", []any{int64(firstFile)}})
	res := compile(t, e, wasm).Run(context.Background(), Run{Timeout: time.Minute, Dirs: []Dir{{Guest: "/data", Host: s.inside, Write: true}}})
	close(stop)
	<-stopped
	if res.Outcome != OK {
		t.Errorf("%+v", res)
	}
}

// A loop over files ends at the deadline, and nothing that it opened stays open.
func TestFoldersEndAtTheDeadline(t *testing.T) {
	e := newEngine(t, Config{})
	s := newSite(t)
	wasm := fileGuest(e, 1<<31, openAt("plain", 1, 0, both), put("x"), wasiCall{"fd_readdir", []any{int64(firstDir), int64(2048), int64(4096), int64(0), int64(8)}})
	for range 20 {
		begun := time.Now()
		res := compile(t, e, wasm).Run(context.Background(), Run{Timeout: soon, Dirs: []Dir{{Guest: "/data", Host: s.inside, Write: true}}})
		if expect(t, res, Timeout, Deadline, ""); time.Since(begun) > patience {
			t.Errorf("it took %s", time.Since(begun))
		}
	}
}
