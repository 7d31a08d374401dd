package host

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/internal/guest"
)

func stateSet(key, value string) string {
	return fmt.Sprintf(`{"op":"set","key":%q,"value":%q}`, key, base64.StdEncoding.EncodeToString([]byte(value)))
}

func stateGet(key string) string { return fmt.Sprintf(`{"op":"get","key":%q}`, key) }

// state is what a job has, as "key=value" by key.
func (r *rig) state(job string) string {
	r.t.Helper()
	all, _, err := r.store.State(r.t.Context(), job)
	if err != nil {
		r.t.Fatal(err)
	}
	var s []string
	for _, e := range all {
		s = append(s, e.Key+"="+string(e.Value))
	}
	return strings.Join(s, " ")
}

func (r *rig) output(run claims.Run) string {
	r.t.Helper()
	in, err := r.store.Output(r.t.Context(), run.RunID)
	if err != nil {
		r.t.Fatal(err)
	}
	defer in.Close()
	var b bytes.Buffer
	if _, err := io.Copy(&b, in); err != nil {
		r.t.Fatal(err)
	}
	return b.String()
}

// A run reads what the last one that was ok has written, and no other job's.
func TestStateGoesFromRunToRun(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		job := func(name string) Job {
			return Job{Name: name, Schedule: "@every 10s", Module: Bytes(guest.State(guest.ThenReturn,
				stateGet("last"), stateSet("last", name), stateGet("last"), stateSet("big", strings.Repeat("x", 900)))), State: 1000}
		}
		r := launch(t, privateDir(t), nil, job("a"), job("b"))
		r.await("two runs of each", func() bool { return r.told(EndedRun, "a") >= 2 && r.told(EndedRun, "b") >= 2 })
		r.closeAfter(t, func() {
			for _, name := range []string{"a", "b"} {
				runs := r.runs(name)
				first, second := r.output(runs[len(runs)-1]), r.output(runs[len(runs)-2])
				value := base64.StdEncoding.EncodeToString([]byte(name))
				want := fmt.Sprintf("{}\n{\"found\":true,\"value\":%q}\n{}\n", value)
				if first != "{\"found\":false}\n"+want || second != fmt.Sprintf("{\"found\":true,\"value\":%q}\n", value)+want {
					t.Errorf("job %s wrote\n%s\nand then\n%s", name, first, second)
				}
				if got := r.state(name); got != "big="+strings.Repeat("x", 900)+" last="+name {
					t.Errorf("state of %s: %q", name, got)
				}
			}
		})
	})
}

// Runs that fail, trap, are killed, time out or are discarded in the middle of their writes leave no trace in the state.
func TestStateOfRunsThatAreNotOK(t *testing.T) {
	writes := []string{stateSet("keep", "spoilt")}
	for i := range 100 {
		writes = append(writes, stateSet(fmt.Sprintf("key-%02d", i), "spoilt"))
	}
	for _, test := range []struct {
		name   string
		ending guest.Ending
		act    func(r *rig)
		want   string
	}{
		{"exit", guest.ThenExit, nil, "failed/exit"},
		{"trap", guest.ThenTrap, nil, "trapped/trap"},
		{"timeout", guest.ThenSpin, nil, "timeout/deadline"},
		{"cancelled", guest.ThenSpin, func(r *rig) {
			r.request(claims.Request{Kind: claims.Cancel, RunID: r.runs("a")[0].RunID, By: "test"})
		}, "killed/cancelled"},
		{"discarded", guest.ThenSpin, func(r *rig) { r.jobs.Remove("a") }, "discarded"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := privateDir(t)
			job := Job{Name: "a", Module: Bytes(guest.State(guest.ThenReturn, stateSet("keep", "good")))}
			start := func(job Job) *rig { // in real time: a guest that spins would stop the clock of a bubble
				t.Helper()
				r := launch(t, dir, nil, job)
				r.soon("the job", func() bool { return r.told(JobAdded, "a") > 0 })
				r.request(claims.Request{Kind: claims.Trigger, Job: "a", ID: job.Module.Digest[:8], By: "test"})
				r.host.Poll()
				r.soon("its run", func() bool { return r.told(Started, "a") == 1 })
				return r
			}
			r := start(job)
			r.soon("its end", func() bool { return r.told(EndedRun, "a") == 1 })
			r.close()
			job.Module, job.Timeout = Bytes(guest.State(test.ending, writes...)), 40*time.Millisecond
			if test.act != nil || test.ending != guest.ThenSpin {
				job.Timeout = 20 * time.Second
			}
			r = start(job)
			if test.act != nil {
				time.Sleep(50 * time.Millisecond) // into its writes, or behind them: neither may show
				test.act(r)
				if test.name == "discarded" {
					if err := r.host.Reload(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				r.host.Poll()
			}
			if test.name == "discarded" { // it goes on, and its end comes with the host's
				r.host.Abort()
				r.stop()
			}
			r.soon("its end", func() bool { return r.told(EndedRun, "a") == 1 })
			r.closeAfter(t, func() {
				want := "keep=good"
				if test.name == "discarded" {
					want = ""
				}
				if got := r.state("a"); got != want {
					t.Errorf("state %q, want %q", got, want)
				}
				if got := outcomes(r.runs("a")); got != "ok "+test.want {
					t.Errorf("outcomes %s; %s", got, r.runs("a")[0].Reason)
				}
			})
		})
	}
}

// soon waits in real time, in small steps.
func (r *rig) soon(what string, ok func() bool) {
	r.t.Helper()
	for range 6000 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	r.t.Fatalf("waited a minute for %s", what)
}

// closeAfter ends the host, looks at what it has left, and closes the store.
func (r *rig) closeAfter(t *testing.T, look func()) {
	t.Helper()
	r.stop()
	if err := <-r.done; err != nil {
		t.Errorf("Run: %v", err)
	}
	r.closed = true
	look()
	r.audit()
	if err := r.store.Close(); err != nil {
		t.Error(err)
	}
}

// A module that is replaced while a claim of it is under way is there for the run that was claimed.
func TestModuleReplacedDuringAClaim(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		launched := make(chan *rig, 1)
		var once sync.Once
		next := Job{Name: "a", Module: Bytes(guest.Greet("second")), Schedule: "@every 10s"}
		r := launch(t, privateDir(t), func(c *Config) {
			c.Store = &sick{Store: c.Store, fail: func(op string) error {
				if op == "claim" {
					once.Do(func() {
						r := <-launched
						r.jobs.Put(next)
						r.await("the new module", func() bool { return r.told(JobReady, "a") == 2 })
					})
				}
				return nil
			}}
		}, Job{Name: "a", Module: Bytes(guest.Greet("first")), Schedule: "@every 10s"})
		launched <- r
		time.Sleep(25 * time.Second)
		r.close()
		if got := outcomes(r.lastRuns); got != "ok ok" {
			t.Errorf("outcomes %s; %s", got, r.lastRuns[len(r.lastRuns)-1].Reason)
		}
	})
}
