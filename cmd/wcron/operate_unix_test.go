//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/wcron/wcron/admin"
	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/claims/sqlitestore"
	"github.com/wcron/wcron/internal/guest"
)

// at is a command of the home's configuration. It fails the test when the exit code is another one.
func (h home) at(want int, args ...string) string {
	h.t.Helper()
	out, code := h.wcron(append(args, "-c", h.file())...)
	if code != want {
		h.t.Fatalf("wcron %s: exit code %d, want %d\n%s", strings.Join(args, " "), code, want, out)
	}
	return out
}

// lines starts a command and gathers what it prints on stdout.
func (h home) lines(args ...string) *process {
	h.t.Helper()
	p := &process{home: h, cmd: exec.Command("wcron", append(args, "-c", h.file())...), ended: make(chan struct{})}
	p.cmd.Stdout = p
	if err := p.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	go func() {
		p.cmd.Wait()
		close(p.ended)
	}()
	h.t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.ended
	})
	return p
}

// newest is the newest run of a job as history tells it.
func (h home) newest(job string) admin.Run {
	h.t.Helper()
	var r admin.Run
	out := h.at(0, "history", job, "-n", "1", "--json")
	if err := json.Unmarshal([]byte(out), &r); err != nil && out != "" {
		h.t.Fatalf("%q: %v", out, err)
	}
	return r
}

// squeeze makes the width of columns no matter.
func squeeze(s string) string { return regexp.MustCompile(` +`).ReplaceAllString(s, " ") }

func contains(t *testing.T, out string, parts ...string) {
	t.Helper()
	out = squeeze(out)
	for _, p := range parts {
		if !strings.Contains(out, p) {
			t.Errorf("no %q in:\n%s", p, out)
		}
	}
}

// A job that was defined a moment ago is known to every command, although the host takes it over a little later.
func TestRunRightAfterAdd(t *testing.T) {
	t.Parallel()
	h := newHome(t, "")
	h.serve()
	h.drop("both", guest.Print("to stdout\n", "", 0), "")
	contains(t, h.at(0, "run", "both", "--wait"), "to stdout")
	h.at(0, "add", "other", "--plugin", "both.wasm")
	h.at(0, "pause", "other")
	contains(t, h.at(0, "run", "other", "--wait"), "to stdout")
	begun := time.Now()
	h.at(1, "run", "nobody")
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("a job that nothing defines was waited for: %s", took)
	}
}

// TestOperateAHost gives every command to a host through its socket.
func TestOperateAHost(t *testing.T) {
	t.Parallel()
	h := newHome(t, "max_runs = 2\n")
	h.drop("sleeper", guest.Sleep(time.Hour), "timeout = \"2h\"\n")
	h.drop("both", guest.Print("to stdout\n", "to stderr\n", 7), "")
	h.drop("yearly", guest.Hello(), "schedule = \"@yearly\"\n")
	p := h.serve()
	h.await("the jobs are ready", func() bool { return strings.Count(h.at(0, "list"), "manual") == 2 })
	contains(t, h.at(0, "list"), "host host-", fmt.Sprintf("(pid %d on ", p.cmd.Process.Pid), "0 of 2 runs")
	contains(t, h.at(0, "run", "both"), "asked for a run of both, slot both@")
	contains(t, h.at(1, "run", "both", "--wait"), "to stdout\nto stderr\n", "of both: failed (exit 7)")

	h.at(0, "run", "sleeper")
	h.await("the sleeper runs", func() bool { return h.newest("sleeper").Outcome == "running" })
	run := h.newest("sleeper")
	contains(t, h.at(0, "list"), "1 of 2 runs", "sleeper running")
	follower := h.lines("logs", "-f", run.RunID)
	follower.await("the output is followed", func() bool { return strings.Contains(follower.text(), "sleeping 1h0m0s\n") })
	asked := time.Now()
	contains(t, h.at(0, "cancel", run.RunID[:18]), "of sleeper: killed (cancelled) after ")
	if d := time.Since(asked); d > 5*time.Second {
		t.Errorf("the cancellation took %s", d)
	}
	if code := follower.exit(); code != 0 {
		t.Errorf("logs -f ended with %d", code)
	}
	contains(t, h.at(1, "cancel", run.RunID), "the run has ended already")

	h.at(0, "pause", "yearly", "--reason", "lunch")
	contains(t, h.at(0, "list"), "yearly paused @yearly", "lunch")
	h.at(0, "resume", "yearly")
	contains(t, h.at(0, "list"), "yearly active @yearly")
	h.at(0, "add", "second", "--plugin", "both", "--schedule", "@daily")
	contains(t, h.at(0, "list"), "second active @daily")
	h.at(0, "edit", "second", "--schedule", "@hourly")
	contains(t, h.at(0, "list"), "second active @hourly")
	h.at(0, "rm", "second")
	if out := h.at(0, "list"); strings.Contains(out, "second ") {
		t.Errorf("it is not gone:\n%s", out)
	}
	h.drop("new", guest.Greet("from a file that was just written"), "")
	contains(t, h.at(0, "run", "new", "--wait"), "from a file that was just written")
	p.stop()
	contains(t, h.at(0, "list"), "no host is running since ")
	h.at(0, "audit")
}

// TestFollowAJob prints each run as it comes.
func TestFollowAJob(t *testing.T) {
	t.Parallel()
	h := newHome(t, "")
	h.drop("tick", guest.Hello(), eachSecond)
	h.serve()
	h.await("the job is there", func() bool { return strings.Contains(h.at(0, "list"), "tick ") })
	f := h.lines("logs", "-f", "tick")
	f.await("three runs are printed", func() bool { return strings.Count(f.text(), "hello from tick, slot ") >= 3 })
	slots := map[string]bool{}
	for line := range strings.Lines(f.text()) {
		if slots[line] {
			t.Errorf("printed twice: %s", line)
		}
		slots[line] = true
	}
	f.signal(os.Interrupt)
	if code := f.exit(); code != exitInterrupted {
		t.Errorf("ended with %d", code)
	}
}

// TestFollowThroughARestart goes on when the host is another one.
func TestFollowThroughARestart(t *testing.T) {
	t.Parallel()
	h := newHome(t, "")
	h.drop("tick", guest.Hello(), eachSecond)
	h.drop("slow", guest.Sleep(2*time.Second), "")
	p := h.serve()
	h.await("the jobs are there", func() bool { return strings.Contains(squeeze(h.at(0, "list")), "slow manual") })
	f := h.lines("logs", "-f", "tick")
	f.await("a run is printed", func() bool { return strings.Contains(f.text(), "hello from tick") })
	w := h.lines("run", "slow", "--wait")
	w.await("the run is printed live", func() bool { return strings.Contains(w.text(), "sleeping 2s") })
	p.stop() // which waits for the slow run
	if code := w.exit(); code != 0 {
		t.Errorf("run --wait ended with %d:\n%s", code, w.text())
	}
	n := strings.Count(f.text(), "hello from tick")
	h.serve()
	f.await("another run is printed", func() bool { return strings.Count(f.text(), "hello from tick") > n })
}

// TestOperateOnABrokenConfiguration: what is wrong in a file keeps nobody from a host that runs on.
func TestOperateOnABrokenConfiguration(t *testing.T) {
	t.Parallel()
	h := newHome(t, "")
	h.drop("sleeper", guest.Sleep(time.Hour), "timeout = \"2h\"\n")
	p := h.serve()
	h.await("the job is there", func() bool { return strings.Contains(squeeze(h.at(0, "list")), "sleeper manual") })
	h.at(0, "run", "sleeper")
	h.configure("nonsense = 1\n")
	contains(t, h.at(0, "list"), "wcron.toml:1:1: nonsense: unknown key", "the host goes on with the configuration that it had before", "host host-")
	h.await("the run is there", func() bool { return strings.Contains(h.at(0, "list"), "running") })
	out := h.at(0, "history", "sleeper", "--json")
	_, id, _ := strings.Cut(out, `{"run_id":"`)
	contains(t, h.at(0, "cancel", id[:36]), "killed (cancelled)")
	p.stop()
	contains(t, h.at(exitUsage, "list"), "nonsense: unknown key", "the configuration is refused")
}

// TestForceOnAStoppedHost closes the run of a host that does not act: nothing that it does later changes that.
func TestForceOnAStoppedHost(t *testing.T) {
	t.Parallel()
	h := newHome(t, "")
	h.drop("slow", guest.Sleep(3*time.Second), "")
	p := h.serve()
	s := h.store()
	h.await("the job is ready", func() bool { return strings.Contains(squeeze(h.at(0, "list")), "slow manual") })
	h.at(0, "run", "slow")
	run := h.awaitRun(s, "slow", "in flight", ended(claims.Running))
	p.signal(syscall.SIGSTOP) // which takes effect a little later
	h.await("the host is stopped", func() bool { return strings.Contains(h.at(0, "list"), "does not answer") })
	contains(t, h.at(0, "list"), "does not answer", "its lock is held")
	contains(t, h.at(0, "cancel", run.RunID), "has not yet; wcron cancel --force ")
	contains(t, h.at(0, "cancel", "--force", run.RunID), "of slow: killed (cancelled); fenced by operator")
	h.at(0, "audit")
	p.signal(syscall.SIGCONT)
	h.await("the host comes late", func() bool { r := h.newest("slow"); return r.LateAt != nil })
	if r := h.newest("slow"); r.Outcome != "killed" || text(r.Reason) != "fenced by operator" || !r.Partial && r.OutputBytes > 0 && text(r.LateOutcome) == "" {
		t.Errorf("got %+v", r)
	}
	p.stop()
	h.audit(s)
}

// TestRunKilled kills a run that no host makes: the next host recovers it like any other.
func TestRunKilled(t *testing.T) {
	t.Parallel()
	h := newHome(t, "orphan_grace = \"0s\"\n")
	h.drop("slow", guest.Sleep(time.Hour), "timeout = \"2h\"\n")
	one := h.lines("run", "slow")
	one.await("its output is printed live", func() bool { return strings.Contains(one.text(), "sleeping") })
	s := h.store()
	run := h.awaitRun(s, "slow", "in flight", ended(claims.Running))
	contains(t, h.at(0, "list"), "no host is running, and none has been yet", "slow running")
	one.signal(syscall.SIGKILL)
	<-one.ended
	contains(t, h.at(0, "cancel", run.RunID), "is dead", "the next host recovers the run")
	p := h.serve()
	got := h.awaitRun(s, "slow", "that is recovered", ended(claims.Orphaned))
	if got.RunID != run.RunID || !got.Output.Partial {
		t.Errorf("got %+v", got)
	}
	contains(t, h.at(0, "history", "slow"), "orphaned", "evidence: ", "output is partial")
	contains(t, h.at(0, "logs", "slow"), "sleeping 1h0m0s")
	p.stop()
	h.audit(s)

	// ctrl-C ends such a run, and says so in the ledger.
	two := h.lines("run", "slow")
	h.awaitRun(s, "slow", "in flight", ended(claims.Running))
	two.signal(os.Interrupt)
	if code := two.exit(); code != exitInterrupted {
		t.Errorf("ended with %d", code)
	}
	if r := h.newest("slow"); r.Outcome != "killed" || text(r.Cause) != "shutdown" {
		t.Errorf("got %+v", r)
	}
}

// TestTwoJobSets has two configurations on one ledger: a host runs its own jobs, and the others say so.
func TestTwoJobSets(t *testing.T) {
	t.Parallel()
	h := newHome(t, "")
	h.drop("mine", guest.Hello(), "schedule = \"@yearly\"\n")
	if err := os.MkdirAll(h.path("others"), 0o755); err != nil {
		t.Fatal(err)
	}
	other := h.path("other.toml")
	h.replace(other, []byte("plugins = \"others\"\nstate = \"state\"\n"))
	h.replace(h.path("others", "theirs.wasm"), guest.Hello())
	h.serve()
	h.await("the job is registered", func() bool { return strings.Contains(squeeze(h.at(0, "list")), "mine active") })
	out, code := h.wcron("list", "-c", other)
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	contains(t, out, "with the jobs of "+h.file(), "no host is running these jobs; start one with: wcron serve -c "+other,
		"mine active @yearly", "it belongs to the jobs of "+h.file(), "theirs manual")
	out, code = h.wcron("run", "theirs", "-c", other)
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	contains(t, out, "hello from theirs")
	// A request reaches the host that has the job, whichever configuration it was made with.
	if out, code = h.wcron("run", "mine", "--wait", "-c", other); code != 0 || !strings.Contains(out, "hello from mine") {
		t.Errorf("exit code %d: %s", code, out)
	}
	if out, code = h.wcron("pause", "mine", "-c", other); code != 0 {
		t.Errorf("exit code %d: %s", code, out)
	}
	contains(t, h.at(0, "list"), "mine paused")
}

// TestAuditFinds shows a run whose owner died ten minutes ago while no host was there to recover it.
func TestAuditFinds(t *testing.T) {
	t.Parallel()
	h := newHome(t, "")
	h.drop("lost", guest.Hello(), "")
	ctx, then := context.Background(), time.Now().Add(-10*time.Minute).UTC().Truncate(time.Millisecond)
	s, err := sqlitestore.Open(ctx, sqlitestore.Config{Dir: h.path("state")})
	if err != nil {
		t.Fatal(err)
	}
	owner, err := claims.Self("host-dead", 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Join(ctx, then, owner); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(ctx, then, h.file(), []claims.Put{{Name: "lost"}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Request(ctx, then, claims.Request{Kind: claims.Trigger, Job: "lost", ID: "x"}); err != nil {
		t.Fatal(err)
	}
	const id = "0198c3d2-7f3a-7b21-8000-000000000001"
	won, err := s.Claim(ctx, then, "host-dead", []claims.Claim{{Slot: claims.ManualSlot("lost", then, "x"), Attempt: 1, RunID: id}})
	if err != nil || won[0].Status != claims.Won {
		t.Fatalf("got %+v, %v", won, err)
	}
	if err := s.Close(); err != nil { // and so the owner's lock, as at a death
		t.Fatal(err)
	}
	contains(t, h.at(exitBad, "audit"), "dead-owner", id, "1 finding in ")
	var a audited
	if err := json.Unmarshal([]byte(h.at(exitBad, "audit", "--json")), &a); err != nil {
		t.Fatal(err)
	}
	if a.OK || len(a.Findings) != 1 || a.Findings[0].Code != "dead-owner" || text(a.Findings[0].RunID) != id || a.Findings[0].Remedy == "" {
		t.Errorf("got %+v", a)
	}
	contains(t, h.at(0, "list"), "no host is running since "+then.Format("2006-01-02"), "(10m ago)")
	contains(t, h.at(0, "cancel", "--force", id[:18]), "killed (cancelled); fenced by operator")
	contains(t, h.at(0, "audit"), "ok: ")
}

// TestEditors lets several people change one file at once: each key that was acknowledged is there.
func TestEditors(t *testing.T) {
	t.Parallel()
	h := newHome(t, "")
	h.drop("job", guest.Hello(), "")
	h.at(0, "add", "job", "--schedule", "@daily")
	const editors = 6
	acknowledged := make([]bool, editors)
	var wg sync.WaitGroup
	for i := range editors {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			cmd := exec.CommandContext(ctx, "wcron", "edit", "job", "-c", h.file(), "--env", fmt.Sprintf("K%d=v", i))
			acknowledged[i] = cmd.Run() == nil
		})
	}
	wg.Wait()
	text, err := os.ReadFile(h.path("jobs.d", "job.toml"))
	if err != nil {
		t.Fatal(err)
	}
	some := false
	for i, ok := range acknowledged {
		some = some || ok
		if there := strings.Contains(string(text), fmt.Sprintf(`K%d = "v"`, i)); there != ok {
			t.Errorf("edit %d: acknowledged %t, in the file %t:\n%s", i, ok, there, text)
		}
	}
	if !some || !strings.Contains(string(text), `schedule = "@daily"`) {
		t.Errorf("the file is\n%s", text)
	}
}
