package sqlitestore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
)

const (
	childMode = "SQLITESTORE_CHILD" // what a copy of the test binary is to do instead of testing
	childDir  = "SQLITESTORE_DIR"
	childArg  = "SQLITESTORE_ARG"
)

func TestMain(m *testing.M) {
	mode := os.Getenv(childMode)
	if mode == "" {
		os.Exit(m.Run())
	}
	if err := child(mode, os.Getenv(childDir), os.Getenv(childArg)); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func child(mode, dir, arg string) error {
	s, err := Open(context.Background(), Config{Dir: dir})
	if err != nil {
		return err
	}
	switch mode {
	case "hammer":
		return errors.Join(hammer(s, arg), s.Close())
	case "work":
		return work(s, arg)
	case "join":
		if _, err := s.Join(context.Background(), t0, claims.Owner{ID: arg}); err != nil {
			return err
		}
		fmt.Println("joined")
		_, err := io.Copy(io.Discard, os.Stdin) // until it is killed, or the test is gone
		return err
	case "hold":
		if _, err := s.gate.acquire(nil); err != nil {
			return err
		}
		fmt.Println("held")
		_, err := io.Copy(io.Discard, os.Stdin) // until it is killed, or the test is gone
		return err
	}
	return limited(mode, s)
}

// process is a copy of the test binary at work.
type process struct {
	cmd *exec.Cmd
	out *bufio.Scanner
}

func spawn(t *testing.T, mode, dir, arg string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(self)}
	p.cmd.Env = append(os.Environ(), childMode+"="+mode, childDir+"="+dir, childArg+"="+arg)
	p.cmd.Stderr = os.Stderr
	if _, err := p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewScanner(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.kill() })
	return p
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended already
	_ = p.cmd.Wait()
}

// hammer triggers one job as often as it can for a second, and says how often that was.
func hammer(s *Store, name string) error {
	ctx, stop := context.WithTimeout(context.Background(), time.Second)
	defer stop()
	for n := 0; ; n++ {
		r := claims.Request{Kind: claims.Trigger, Job: "a", ID: fmt.Sprintf("%s-%d", name, n)}
		if ctx.Err() != nil {
			fmt.Println(n)
			return nil
		}
		if err := s.Request(context.Background(), t0, r); err != nil {
			return err
		}
	}
}

// Several processes share a folder: none starves, and no update is lost.
func TestProcessesShareTheFolder(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	put(t, s, "a")
	const n = 4
	var ps []*process
	for i := range n {
		ps = append(ps, spawn(t, "hammer", s.Dir(), fmt.Sprintf("p%d", i)))
	}
	total, least, most := 0, 1<<30, 0
	for _, p := range ps {
		if !p.out.Scan() {
			t.Fatal("a process said nothing")
		}
		done, err := strconv.Atoi(p.out.Text())
		if err != nil {
			t.Fatal(p.out.Text())
		}
		total, least, most = total+done, min(least, done), max(most, done)
	}
	t.Logf("%d commits by %d processes, fairness %.2f", total, n, float64(least)/float64(most))
	if least*10 < most {
		t.Errorf("one process made %d commits and another %d", least, most)
	}
	pending, err := s.Pending(t.Context())
	if err != nil || len(pending) != total {
		t.Fatalf("%d of %d acknowledged requests are there: %v", len(pending), total, err)
	}
}

// work claims and finalizes its job over and over, and prints each step once it was acknowledged.
func work(s *Store, job string) error {
	ctx := context.Background()
	if _, err := s.Put(ctx, t0, job, []claims.Put{{Name: job, Definition: "d", Schedule: "* * * * *", Timezone: "UTC", First: t0}}); err != nil {
		return err
	}
	for {
		j, err := s.Job(ctx, job)
		if err != nil {
			return err
		}
		d := j.Next.Sub(t0)
		run := fmt.Sprintf("%s-%06d", job, int(d/time.Minute))
		c := due(job, run, d)
		got, err := s.Claim(ctx, at(d), "owner-"+job, []claims.Claim{c})
		if err != nil || got[0].Status != claims.Won {
			return fmt.Errorf("claim %s: %+v %w", run, got, err)
		}
		fmt.Println("claimed", run)
		f := final(got[0].Token, claims.OK, at(d+time.Second))
		f.Output = claims.Output{Inline: []byte(run), Bytes: int64(len(run)), Digest: "0123456789abcdef"}
		if d/time.Minute%8 == 0 { // a file now and then
			f.Output.Inline = []byte(strings.Repeat(run, inlineLimit/len(run)+1))
			f.Output.Bytes = int64(len(f.Output.Inline))
		}
		done, err := s.Finalize(ctx, at(d+time.Second), []claims.Final{f})
		if err != nil || done[0].Status != claims.Done {
			return fmt.Errorf("finalize %s: %+v %w", run, done, err)
		}
		fmt.Println("done", run)
	}
}

// kill -9 in the middle of commits: what was acknowledged is there, the database is whole, and nobody waits for the dead.
func TestKillInTheMiddleOfCommits(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	for round := range rounds {
		var wg sync.WaitGroup
		for i := range 2 {
			job := fmt.Sprintf("job-%d-%d", round, i)
			p := spawn(t, "work", s.Dir(), job)
			wg.Go(func() {
				acked, after := map[string]string{}, 20+rand.IntN(60)
				for p.out.Scan() {
					step, run, _ := strings.Cut(p.out.Text(), " ")
					if step == "error:" {
						t.Error(p.out.Text())
						return
					}
					acked[run] = step
					if after--; after == 0 {
						_ = p.cmd.Process.Kill() // the lines that it has written by now are read and checked too
					}
				}
				p.kill()
				checkAcked(t, s, job, acked)
			})
		}
		wg.Wait()
	}
	c, err := openConn(s.path(), s.cfg, true)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if n, err := c.number("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"); n != 0 || err != nil {
		t.Errorf("integrity check: %d findings, %v", n, err)
	}
	found, err := claims.Audit(t.Context(), s, claims.AuditOptions{Now: t0, CheckOutput: false})
	if err != nil || len(found) != 0 {
		t.Errorf("audit: %+v %v", found, err)
	}
	put(t, s, "after")
}

// checkAcked compares what a killed process was told with what is stored.
func checkAcked(t *testing.T, s *Store, job string, acked map[string]string) {
	if len(acked) == 0 {
		t.Errorf("%s did nothing", job)
	}
	for run, step := range acked {
		rows, err := s.Runs(t.Context(), claims.RunQuery{RunID: run})
		switch {
		case err != nil || len(rows) != 1:
			t.Errorf("run %s was %s and is not there: %v", run, step, err)
		case step == "done" && rows[0].Outcome != claims.OK:
			t.Errorf("run %s was done and is %s", run, rows[0].Outcome)
		case step == "done":
			in, err := s.Output(t.Context(), run)
			if err != nil {
				t.Errorf("run %s: %v", run, err)
				continue
			}
			in.Close()
		}
	}
}

// kill -9 of a process that holds the short lock: the next writer goes on at once.
func TestKillOfTheLockHolder(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	put(t, s, "a")
	p := spawn(t, "hold", s.Dir(), "")
	if !p.out.Scan() || p.out.Text() != "held" {
		t.Fatalf("the child says %q", p.out.Text())
	}
	if who := holder(filepath.Join(s.Dir(), "ledger.lock")); who != "" && who != fmt.Sprintf("pid %d", p.cmd.Process.Pid) {
		t.Errorf("the holder is %s, want pid %d", who, p.cmd.Process.Pid)
	}
	done := make(chan error, 1)
	go func() { done <- s.Request(t.Context(), t0, claims.Request{Kind: claims.Pause, Job: "a"}) }()
	select {
	case err := <-done:
		t.Fatalf("a write went past the held lock: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	p.kill()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// ignored keeps a signal from ending the child.
func ignored(sig os.Signal) { signal.Ignore(sig) }
