package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/admin"
	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/config"
	"github.com/wcron/wcron/host"
	"github.com/wcron/wcron/internal/guest"
	"github.com/wcron/wcron/plugins"
	"github.com/wcron/wcron/sandbox"
	"github.com/wcron/wcron/sandbox/meter"
	"github.com/wcron/wcron/schedule"
)

// TestHostConfig: a zero in the host file means none, and in a host.Config the default.
func TestHostConfig(t *testing.T) {
	f := config.Default(t.TempDir())
	f.Path, f.MemoryBudget = "/etc/wcron.toml", config.Budget{Bytes: 1 << 20}
	f.OrphanGrace, f.DrainTimeout, f.CommitGrace, f.MaxRuns = 0, 0, time.Second, 3
	f.Lease = 7 * time.Second
	cfg := new(app).hostConfig(f, placeOf(f))
	if cfg.OrphanGrace <= 0 || cfg.OrphanGrace > time.Millisecond || cfg.DrainTimeout >= 0 {
		t.Errorf("graces %s, %s", cfg.OrphanGrace, cfg.DrainTimeout)
	}
	if cfg.Source != f.Path || cfg.MemoryBudget != 1<<20 || cfg.CommitGrace != time.Second || cfg.MaxRuns != 3 || cfg.Lease != 7*time.Second ||
		len(cfg.Sandbox.Compiler) != 2 || cfg.Sandbox.CompileTimeout != 3*time.Minute || cfg.Sandbox.CompileMemory != 2<<30 || cfg.Sandbox.Limits.Nesting != 10_000 ||
		cfg.Spool != filepath.Join(f.State, "spool") || cfg.Sandbox.CacheDir != filepath.Join(f.State, "cache") {
		t.Errorf("got %+v", cfg)
	}
}

// TestDefaultsAreOne: the defaults of the host file are those of the packages that it configures.
func TestDefaultsAreOne(t *testing.T) {
	f := config.Default(t.TempDir())
	want := meter.DefaultLimits()
	got := plugins.Limits(f.Limits)
	got.Memory = min(got.Memory, meter.MaxMemory) // written as 4GiB
	if got != want {
		t.Errorf("limits: the host file has\n%+v, and package meter\n%+v", got, want)
	}
	if f.OrphanGrace != host.DefaultOrphanGrace || f.DrainTimeout != host.DefaultDrainTimeout || f.CommitGrace != host.DefaultCommitGrace ||
		f.Lease != host.DefaultLease {
		t.Errorf("the host file has %s %s %s %s", f.OrphanGrace, f.DrainTimeout, f.CommitGrace, f.Lease)
	}
	if s := (config.Job{}).Resolve(); s.StateSize != host.DefaultState || s.Output != host.DefaultOutput || s.Memory != host.DefaultMemory {
		t.Errorf("a job has %+v", s)
	}
	if f.CompileTimeout != sandbox.DefaultCompileTimeout || f.CompileMemory != sandbox.DefaultCompileMemory {
		t.Errorf("compile_timeout %v, compile_memory %d", f.CompileTimeout, f.CompileMemory)
	}
}

func TestBudget(t *testing.T) {
	for _, test := range []struct {
		b           config.Budget
		total, want int64
	}{
		{config.Budget{Percent: 50}, 1000, 500},
		{config.Budget{Percent: 50}, 0, 0},
		{config.Budget{Bytes: 7}, 1000, 7},
		{config.Budget{Bytes: 7}, 0, 7},
	} {
		if got := budget(test.b, test.total); got != test.want {
			t.Errorf("%s of %d is %d, want %d", test.b, test.total, got, test.want)
		}
	}
	if machineMemory() <= 0 {
		t.Error("the memory of this machine is not known")
	}
}

func TestSocketPath(t *testing.T) {
	short := place{owners: filepath.Join(string(filepath.Separator), "s", "owners")}
	if got, want := socketPath(short, "host-1"), filepath.Join(short.owners, "host-1.sock"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	long := place{owners: filepath.Join(string(filepath.Separator), strings.Repeat("x", admin.MaxSocketPath))}
	if got := socketPath(long, "host-1"); strings.HasPrefix(got, long.owners) || filepath.Base(got) != "host-1.sock" {
		t.Errorf("got %s", got)
	}
}

func TestRestarts(t *testing.T) {
	dir := t.TempDir()
	old := config.Default(dir)
	if got := restarts(old, config.Default(dir)); len(got) != 0 {
		t.Errorf("nothing differs, and it says %v", got)
	}
	now := config.Default(dir)
	now.State, now.MaxRuns, now.MemoryBudget = "elsewhere", 9, config.Budget{Percent: 1}
	now.OrphanGrace, now.DrainTimeout, now.CommitGrace = time.Hour, time.Hour, time.Hour
	now.Lease, now.Metrics = time.Hour, "127.0.0.1:1"
	now.CompileTimeout, now.CompileMemory, now.Limits.Nesting = time.Hour, 1<<40, 7
	now.Timezone = "Asia/Tokyo" // taken over at once
	want := []string{"state", "max_runs", "memory_budget", "orphan_grace", "drain_timeout", "commit_grace", "lease", "metrics", "compile_timeout", "compile_memory", "limits"}
	if got := restarts(old, now); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestTellerTellsOnce: a problem is logged when it comes and when it goes, and not with every set.
func TestTellerTellsOnce(t *testing.T) {
	var out strings.Builder
	log := slog.New(slog.NewTextHandler(&out, nil))
	bad := &plugins.Set{Problems: []config.Problem{{File: "f.toml", Line: 3, Col: 4, What: "odd", Remedy: "mend it"}}}
	var tell teller
	for _, set := range []*plugins.Set{bad, bad, {}, {}, bad} {
		tell.tell(log, set)
	}
	if n, m := strings.Count(out.String(), "msg=problem "), strings.Count(out.String(), "msg=problem_gone "); n != 2 || m != 1 {
		t.Errorf("told %d times, and %d times of its end:\n%s", n, m, out.String())
	}
	if !strings.Contains(out.String(), `file=f.toml line=3 col=4 what=odd remedy="mend it"`) {
		t.Errorf("got %s", out.String())
	}
	if tell.same("x", []string{"a"}) || !tell.same("x", []string{"a"}) || tell.same("x", []string{"b"}) || tell.same("y", []string{"b"}) {
		t.Error("same does not tell what is the same")
	}
}

// TestHostJobs reads a whole configuration the way a host does.
func TestHostJobs(t *testing.T) {
	dir := t.TempDir()
	m := made{File: filepath.Join(dir, "wcron.toml"), Plugins: filepath.Join(dir, "plugins"), State: filepath.Join(dir, "state")}
	if err := scaffold(dir, m); err != nil {
		t.Fatal(err)
	}
	text := `timezone = "Europe/Berlin"
[jobs.full]
plugin = "hello.wasm"
schedule = "15 3 * * *"
timezone = "Asia/Tokyo"
timeout = 0
start_timeout = "7s"
memory = "1MiB"
output = "2MiB"
state_size = "5MiB"
entry = "_start"
args = ["a", "b"]
env = { K = "v" }
input = { n = 1 }
missed = "skip"
retries = 4
backoff = "1s..2s"
retry_on = ["failed", "orphaned"]
repeat = 5
history_runs = 6
history_bytes = "3MiB"
dst = "skip"
not_before = 2026-01-02T03:04:05
not_after = 2027-01-02T03:04:05+01:00
missed_limit = 7
missed_window = "24h"
starting_deadline = "10m"
grace = "90s"
jitter = "20s"
pause_after = 8
overlap = "allow"
queue_limit = 9
max_concurrent = 3
[jobs.broken]
plugin = "ghost.wasm"
schedule = "@daily"
`
	if err := os.WriteFile(m.File, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(m.Plugins, "manual.wasm"), guest.Hello(), 0o644); err != nil {
		t.Fatal(err)
	}
	source, err := openSource(m.File, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	jobs := map[string]host.Job{}
	for _, j := range hostJobs(source.Snapshot()) {
		jobs[j.Name] = j
	}
	got := jobs["full"]
	wasm, err := got.Module.Load()
	if err != nil || host.Bytes(wasm).Digest != got.Module.Digest {
		t.Errorf("loaded %d bytes of %s, %v", len(wasm), got.Module.Digest, err)
	}
	want := host.Job{
		Name: "full", Schedule: "15 3 * * *", Timezone: "Asia/Tokyo", Timeout: host.Unlimited, StartTimeout: 7 * time.Second,
		Memory: 1 << 20, Output: 2 << 20, State: 5 << 20, Entry: "_start", Args: []string{"a", "b"}, Env: map[string]string{"K": "v"}, Input: got.Input,
		Missed: claims.MissedSkip, Repeat: 5, HistoryRuns: 6, HistoryBytes: 3 << 20, DST: schedule.Skip,
		NotBefore: time.Date(2026, 1, 1, 18, 4, 5, 0, time.UTC), NotAfter: time.Date(2027, 1, 2, 2, 4, 5, 0, time.UTC), // 03:04:05 in Tokyo; +01:00
		MissedLimit: 7, MissedWindow: 24 * time.Hour, StartingDeadline: 10 * time.Minute, Grace: 90 * time.Second, Jitter: 20 * time.Second, PauseAfter: 8,
		Overlap: claims.Overlap{Policy: claims.OverlapAllow, QueueLimit: 9, MaxConcurrent: 3},
		Retry:   claims.RetryPolicy{Retries: 4, Min: time.Second, Max: 2 * time.Second, On: []string{"failed", "orphaned"}},
	}
	got.Module = host.Module{}
	got.NotBefore, got.NotAfter = got.NotBefore.UTC(), got.NotAfter.UTC()
	if !reflect.DeepEqual(got, want) || string(got.Input) != `{"n":1}` {
		t.Errorf("got  %+v\nwant %+v\ninput %s", got, want, got.Input)
	}
	if j := jobs["broken"]; !strings.Contains(j.Broken, "ghost.wasm is missing; put the file there") || j.Schedule != "@daily" {
		t.Errorf("got %+v", j)
	}
	if j := jobs["manual"]; j.Schedule != "" || j.Broken != "" || !strings.Contains(j.Note, "it has no schedule; ") || j.Timezone != "Europe/Berlin" ||
		j.Timeout != time.Minute {
		t.Errorf("got %+v", j)
	}
}
