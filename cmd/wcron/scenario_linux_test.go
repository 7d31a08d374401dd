package main

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/claims/sqlitestore"
	"github.com/wcron/wcron/fingerprint"
	"github.com/wcron/wcron/internal/guest"
)

// awaitSkips waits until three more slots were skipped since a run was still running.
func (h home) awaitSkips(s *sqlitestore.Store, job, run string) {
	h.t.Helper()
	skips := func() (n int64) {
		slots, err := s.Slots(context.Background(), claims.SlotQuery{Job: job, Limit: -1})
		if err != nil {
			h.t.Fatal(err)
		}
		for _, slot := range slots {
			if slot.Verdict == claims.Skipped && strings.Contains(slot.Reason, run) {
				n += slot.Count
			}
		}
		return n
	}
	was := skips()
	h.await("slots are skipped for run "+run, func() bool { return skips() >= was+3 })
}

// A claim on record says which run it is, whose, since when and until when; its owner says which process that is; and a second
// claimant of the slot gets nothing.
func TestClaimOnRecord(t *testing.T) {
	t.Parallel()
	h := newHome(t, "commit_grace = \"7s\"\ndrain_timeout = 0\n")
	h.drop("slow", guest.Sleep(time.Hour), "schedule = \"@every 1s\"\ntimeout = \"2m\"\nstart_timeout = \"11s\"\n")
	p := h.serve()
	s := h.store()
	run := h.awaitRun(s, "slow", "in flight", ended(claims.Running))
	ctx := context.Background()
	open, err := s.Open(ctx)
	if err != nil || len(open) != 1 {
		t.Fatalf("%+v %v", open, err)
	}
	c := open[0]
	if c.RunID != run.RunID || c.Slot.ID != run.Slot.ID || c.Attempt != 1 || c.Seq < 1 || time.Since(c.ClaimedAt) > patience ||
		c.Deadline.Sub(c.ClaimedAt) != 2*time.Minute+11*time.Second+7*time.Second {
		t.Errorf("the claim is %+v", c)
	}
	owners, err := s.Owners(ctx)
	if err != nil || len(owners) != 1 || owners[0].ID != c.Owner || owners[0].PID != p.cmd.Process.Pid {
		t.Fatalf("%+v %v", owners, err)
	}
	evidence, err := fingerprint.Parse(owners[0].Evidence)
	if err != nil {
		t.Fatal(err)
	}
	if v, why := fingerprint.JudgeLocal(evidence); v != fingerprint.Alive {
		t.Errorf("the owner's fingerprint is that of a process which is %s: %s", v, why)
	}
	q := h.serve()
	h.awaitSkips(s, "slow", run.RunID)
	if runs := h.runs(s, "slow"); len(runs) != 1 {
		t.Errorf("%d runs", len(runs))
	}
	p.stop()
	q.stop()
	h.audit(s)
}

// An output that the disk has no room for ends its run as failed, under its own run id, with the reason; with room again all is well.
func TestOutputOnAFullDisk(t *testing.T) {
	t.Parallel()
	h := newHome(t, "[defaults]\noutput = \"4MiB\"\n[caps]\noutput = \"4MiB\"\n")
	h.drop("flood", guest.Flood(), "timeout = \"300ms\"\n")
	h.drop("hello", guest.Hello(), "")
	out, code := h.onSmallDisk("1500k", `cp -a "$HOME_OF_IT/." "$DISK/" && cd "$DISK"
		wcron run flood --wait -c wcron.toml; wcron history flood --json -c wcron.toml
		wcron run hello --wait -c wcron.toml || exit 96
		wcron audit -c wcron.toml || exit 98`)
	if code != 0 {
		t.Errorf("exit code %d\n%s", code, out)
	}
	contains(t, out, `"outcome":"failed","cause":"host_fault"`, "keep the output", "no space left", "hello from hello", "ok: every slot has its verdict")
}

// Two hosts in containers of their own on one kernel, both pid 1 there: while one lives the other leaves its run alone, and once it is
// killed recovers it. The lock decides, not the pid.
func TestHostsInContainers(t *testing.T) {
	t.Parallel()
	in := []string{"--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"}
	needProgram(t, "unshare", "util-linux")
	if err := exec.Command("unshare", append(in, "true")...).Run(); err != nil {
		t.Skipf("the kernel lets nobody make containers here: unshare: %v", err)
	}
	h := newHome(t, "orphan_grace = \"500ms\"\ndrain_timeout = 0\n[caps]\ntimeout = 0\n")
	h.drop("slow", guest.Sleep(time.Hour), "schedule = \"@every 1s\"\ntimeout = 0\n")
	contained := func() *process {
		t.Helper()
		p := &process{home: h, cmd: exec.Command("unshare", append(in, "wcron", "serve", "-c", h.file())...), ended: make(chan struct{})}
		p.cmd.Stdout, p.cmd.Stderr = p, p
		if err := p.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		go func() { p.cmd.Wait(); close(p.ended) }()
		t.Cleanup(func() { p.cmd.Process.Kill(); <-p.ended })
		p.awaitLog("msg=host_started")
		return p
	}
	p := contained()
	s := h.store()
	run := h.awaitRun(s, "slow", "in flight", ended(claims.Running))
	q := contained()
	owners, err := s.Owners(context.Background())
	if err != nil || len(owners) != 2 || owners[0].PID != 1 || owners[1].PID != 1 {
		t.Fatalf("owners %+v, %v", owners, err)
	}
	q.awaitLog("msg=job_ready", "slow")
	h.awaitSkips(s, "slow", run.RunID)
	time.Sleep(2 * time.Second) // several graces
	if r := h.runs(s, "slow"); len(r) != 1 || r[0].Outcome != claims.Running {
		t.Errorf("%d runs, the last %s: %s", len(r), r[0].Outcome, r[0].Reason)
	}
	p.signal(syscall.SIGKILL) // and with it, by --kill-child, the host in it
	p.exit()
	got := h.awaitRun(s, "slow", "that is recovered", func(r claims.Run) bool { return r.RunID == run.RunID && r.Outcome != claims.Running })
	if got.Outcome != claims.Orphaned || !strings.Contains(got.Evidence, "its lock was free") {
		t.Errorf("%s, evidence %q", got.Outcome, got.Evidence)
	}
}

// Records of owners as older versions wrote them, and such as nobody can read: an old one whose pid is gone is recovered early, and
// nobody else is taken for dead before the deadline.
func TestOwnersThatAreHardToJudge(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, owner, row string
		early            bool
	}{
		{"an old record, and its pid is gone", "4194305-ab", `X''`, true}, // above the largest pid
		{"an old record, and a process has its pid", strconv.Itoa(os.Getpid()) + "-ab", `X''`, false},
		{"evidence that cannot be read", "host-odd", `CAST('{"version":' AS BLOB)`, false},
		{"evidence of a later version", "host-later", `CAST('{"version":99}' AS BLOB)`, false},
		{"no evidence", "host-null", `NULL`, false},
		{"no record", "host-nobody", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHome(t, "orphan_grace = \"500ms\"\n")
			k := keep(t, h.path("state"))
			db := h.path("state", "ledger.db")
			now := time.Now()
			deadline := now.Add(6 * time.Second)
			damage(t, db, "UPDATE claims SET owner = '"+c.owner+"', deadline = "+strconv.FormatInt(deadline.UnixMilli(), 10))
			if c.row != "" {
				damage(t, db, "INSERT INTO owners (id, pid, host, evidence, socket, version, started_at, seen_at) VALUES ('"+c.owner+"', 1, 'h', "+c.row+", '', '', 1, 1)")
			}
			p := h.serve()
			s := h.store()
			got := h.awaitRun(s, "a", "that is recovered", func(r claims.Run) bool { return r.RunID == k.flies.RunID && r.Outcome != claims.Running })
			if got.Outcome != claims.Orphaned || got.EndedAt.Before(deadline) != c.early {
				t.Errorf("%s %s before its deadline: %s; %s", got.Outcome, deadline.Sub(got.EndedAt), got.Reason, got.Evidence)
			}
			p.stop()
		})
	}
}

// A host that has no file descriptors left says so at once, is not ready, and goes on when it has some again.
func TestHostWithoutDescriptors(t *testing.T) {
	t.Parallel()
	h := newHome(t, "")
	h.drop("due", guest.Hello(), eachSecond)
	p := h.serve()
	s := h.store()
	h.awaitRun(s, "due", "that is ok", ended(claims.OK))
	pid := p.cmd.Process.Pid
	var was unix.Rlimit
	err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &was)
	if err == nil { // the hard limit stays: to raise it takes a privilege
		err = unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 4, Max: was.Max}, nil)
	}
	if err != nil {
		t.Skipf("the kernel lets nobody set the limits of another process here: %v", err)
	}
	p.awaitLog("level=ERROR", "msg=tick_failed", "out of file descriptors", "ulimit -n")
	if strings.Contains(p.text(), "msg=lock_wait") {
		t.Error("it is told as a lock that is held")
	}
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &was, nil); err != nil {
		t.Fatal(err)
	}
	n := len(h.runs(s, "due"))
	h.await("the job runs again", func() bool { return len(h.runs(s, "due")) > n+1 })
	h.await("it is ready again", func() bool { return !strings.Contains(h.at(0, "list"), "it cannot start runs now") })
	p.stop()
	h.audit(s)
}

// Nobody else on the machine can read what a host keeps.
func TestStateFolderIsShut(t *testing.T) {
	t.Parallel()
	h := newHome(t, "")
	h.drop("due", guest.State(guest.ThenReturn, `{"op":"set","key":"by","value":"eA=="}`), eachSecond)
	h.drop("busy", guest.Sleep(time.Hour), "schedule = \"@every 1s\"\n")
	p := h.serve()
	s := h.store()
	h.awaitRun(s, "due", "that is ok", ended(claims.OK))
	h.awaitRun(s, "busy", "in flight", ended(claims.Running))
	seen := 0
	err := filepath.WalkDir(h.path("state"), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if os.IsNotExist(err) {
			return nil // it comes and goes
		}
		if err != nil {
			return err
		}
		seen++
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the mode %s", path, info.Mode())
		}
		return nil
	})
	if err != nil || seen < 10 {
		t.Errorf("%d files, %v", seen, err)
	}
	p.signal(syscall.SIGKILL)
	p.exit()
}

// A ledger that is damaged is told, with what to do, and is left as it is by every command: it is never taken for an empty one.
func TestDamagedLedgerIsLeftAsItIs(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(t *testing.T, path string){
		"a page of rubbish": func(t *testing.T, path string) {
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := f.WriteAt([]byte(strings.Repeat("\xa5", 8192)), 0); err != nil {
				t.Fatal(err)
			}
		},
		"an empty file": func(t *testing.T, path string) {
			if err := os.Truncate(path, 0); err != nil {
				t.Fatal(err)
			}
		},
		"half of it": func(t *testing.T, path string) {
			if err := os.Truncate(path, 20_480); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHome(t, "")
			keep(t, h.path("state"))
			h.drop("job", guest.Hello(), eachSecond)
			path := h.path("state", "ledger.db")
			spoil(t, path)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, args := range [][]string{{"serve"}, {"list"}, {"run", "job"}, {"audit"}, {"backup", h.path("x.tar")}} {
				out, code := h.wcron(append(args, "-c", h.file())...)
				if code != exitUnreachable {
					t.Errorf("wcron %s: exit code %d", args[0], code)
				}
				contains(t, out, "restore a backup")
			}
			if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
				t.Errorf("it was written over: %v", err)
			}
		})
	}
}
