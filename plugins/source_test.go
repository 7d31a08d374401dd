package plugins

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/config"
	"github.com/wcron/wcron/internal/guest"
)

const daily = "schedule = \"@daily\"\n"

func TestMain(m *testing.M) {
	os.Setenv("TZ", "UTC") // the machine's zone must not matter
	os.Exit(m.Run())
}

// world is a host file with its folders.
type world struct {
	testing.TB
	dir, plugins, host string
}

func newWorld(t testing.TB, host string) world {
	t.Helper()
	dir := t.TempDir()
	w := world{t, dir, filepath.Join(dir, "plugins"), filepath.Join(dir, "wcron.toml")}
	w.must(os.Mkdir(w.plugins, 0o700))
	w.write("wcron.toml", []byte(host))
	return w
}

func (w world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w world) path(name string) string { return filepath.Join(w.dir, filepath.FromSlash(name)) }

// write puts a file in place at once, as a careful program does.
func (w world) write(name string, b []byte) {
	w.Helper()
	w.must(os.MkdirAll(filepath.Dir(w.path(name)), 0o700))
	w.must(writeAtomic(w.path(name), b, 0o600))
}

func (w world) text(name, text string) { w.Helper(); w.write(name, []byte(text)) }

func (w world) remove(name string) { w.Helper(); w.must(os.Remove(w.path(name))) }

func (w world) config() Config { return Config{File: w.host, Content: w.path("content")} }

func (w world) open() *Source {
	w.Helper()
	s, err := Open(w.config())
	w.must(err)
	return s
}

func (w world) check() *Set {
	w.Helper()
	set, _, err := Check(Config{File: w.host})
	w.must(err)
	if set == nil {
		w.Fatal("no set")
	}
	return set
}

// step scans as if a second had passed since the last change of anything.
func (s *Source) step() *Set {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scan(s.at)
	return s.Snapshot()
}

// run follows the files until the test ends.
func (w world) run(cfg Config) *Source {
	w.Helper()
	s, err := Open(cfg)
	w.must(err)
	w.follow(s)
	return s
}

func (w world) follow(s *Source) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	w.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			w.Errorf("Run returned %v", err)
		}
	})
}

// until waits for a set.
func (w world) until(s *Source, what string, ok func(*Set) bool) *Set {
	w.Helper()
	limit := time.After(20 * time.Second)
	for {
		if set := s.Snapshot(); ok(set) {
			return set
		}
		select {
		case <-s.Changed():
		case <-limit:
			w.Fatalf("never: %s\n%s", what, dump(s.Snapshot()))
		}
	}
}

func dump(set *Set) string {
	var b strings.Builder
	for _, j := range set.Jobs {
		b.WriteString("job " + j.Name + " " + j.State.String() + " " + j.Reason + " | " + j.Remedy + "\n")
	}
	for _, p := range set.Problems {
		b.WriteString("problem " + p.String() + "\n")
	}
	return b.String()
}

func (w world) job(set *Set, name string) Job {
	w.Helper()
	j, ok := set.Job(name)
	if !ok {
		w.Fatalf("no job %s in\n%s", name, dump(set))
	}
	return j
}

func names(set *Set) string {
	var list []string
	for _, j := range set.Jobs {
		list = append(list, j.Name+":"+j.State.String())
	}
	return strings.Join(list, " ")
}

func (w world) wantProblem(set *Set, file string, parts ...string) {
	w.Helper()
	for _, p := range set.Problems {
		if strings.Contains(p.File, file) && contains(p.String(), parts...) {
			if p.Remedy == "" {
				w.Errorf("no remedy: %v", p)
			}
			return
		}
	}
	w.Errorf("no problem of %s with %q in\n%s", file, parts, dump(set))
}

func contains(s string, parts ...string) bool {
	for _, p := range parts {
		if !strings.Contains(s, p) {
			return false
		}
	}
	return true
}

func TestDroppedReplacedRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	s := w.run(w.config())
	w.write("plugins/hello.wasm", guest.WithManifest(guest.Greet("one"), daily))
	set := w.until(s, "hello is active", func(set *Set) bool {
		j, ok := set.Job("hello")
		return ok && j.State == Active
	})
	first := w.job(set, "hello")
	if first.Schedule == nil || first.ScheduleText != "@daily" || first.Origin["schedule"] != "manifest" {
		t.Errorf("schedule %v %q from %q", first.Schedule, first.ScheduleText, first.Origin["schedule"])
	}
	second := guest.WithManifest(guest.Greet("two"), daily)
	w.write("plugins/hello.wasm", second)
	set = w.until(s, "hello has another digest", func(set *Set) bool {
		j, ok := set.Job("hello")
		return ok && j.Digest != first.Digest
	})
	if b, err := w.job(set, "hello").Load(); err != nil || !bytes.Equal(b, second) {
		t.Errorf("Load of the new version: %d bytes, %v", len(b), err)
	}
	if b, err := first.Load(); err != nil || digestOf(b) != first.Digest {
		t.Errorf("Load of the version before: %d bytes, %v", len(b), err)
	}
	w.remove("plugins/hello.wasm")
	w.until(s, "hello is gone", func(set *Set) bool { return len(set.Jobs) == 0 })
}

func TestRunNeedsNoHints(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	s := w.open()
	s.watcher = noWatcher
	w.follow(s)
	w.until(s, "the missing hints are told", func(set *Set) bool { return len(set.Problems) == 1 })
	w.wantProblem(s.Snapshot(), "plugins", "no watches left", "1.5s")
	w.write("plugins/hello.wasm", guest.Greet("x"))
	w.until(s, "hello is there", func(set *Set) bool { return len(set.Jobs) == 1 })
	w.write("jobs.d/other.toml", []byte("plugin = \"hello.wasm\"\n"+daily))
	w.until(s, "the job of jobs.d is there", func(set *Set) bool { return names(set) == "hello:manual other:active" })
}

func TestRunOnce(t *testing.T) {
	w := newWorld(t, "")
	s := w.run(w.config())
	w.write("plugins/a.wasm", good())
	w.until(s, "Run has begun", func(set *Set) bool { return len(set.Jobs) == 1 })
	if err := s.Run(t.Context()); !errors.Is(err, ErrRunning) {
		t.Errorf("second Run: %v, want ErrRunning", err)
	}
}

func TestLayers(t *testing.T) {
	w := newWorld(t, `
timezone = "Europe/Berlin"
[defaults]
timeout = "11s"
retries = 1
env = { A = "default", B = "default" }
[caps]
memory = "128MiB"
timeout = "1h"
[jobs.hello]
output = "5MiB"
timeout = "3h"
`)
	w.write("plugins/hello.wasm", guest.WithManifest(guest.Greet("x"), `
schedule = "@hourly"
memory = "1GiB"
retries = 2
timeout = "2h"
output = "2MiB"
description = "from the manifest"
env = { B = "manifest" }
`))
	w.text("plugins/hello.toml", "schedule = \"0 9 * * *\"\ndescription = \"from the sidecar\"\n")
	w.write("plugins/bare.wasm", guest.WithManifest(guest.Greet("x"), "timeout = \"2h\"\n"+daily))
	w.text("jobs.d/again.toml", "plugin = \"bare.wasm\"\nschedule = \"@weekly\"\ntimezone = \"Asia/Tokyo\"\n")
	set := w.check()
	if set.Zone.Name != "Europe/Berlin" || set.Zone.From != zoneHostFile {
		t.Errorf("zone %+v", set.Zone)
	}
	if len(set.Problems) > 0 {
		t.Errorf("problems:\n%s", dump(set))
	}
	if got := names(set); got != "again:active bare:active hello:active" {
		t.Fatalf("jobs %s", got)
	}
	j := w.job(set, "hello")
	for key, want := range map[string]string{
		"schedule": "sidecar", "description": "sidecar", "retries": "manifest", "memory": "manifest, cut to [caps]",
		"output": "host file", "timeout": "host file", "timezone": "default", "missed": "default", "env": "manifest",
	} {
		if j.Origin[key] != want {
			t.Errorf("%s comes from %q, want %q", key, j.Origin[key], want)
		}
	}
	v := j.Settings
	if v.Memory != 128<<20 || v.Output != 5<<20 || v.Timeout != 3*time.Hour || v.Retries != 2 || v.Description != "from the sidecar" {
		t.Errorf("settings %+v", v)
	}
	if v.Env["A"] != "default" || v.Env["B"] != "manifest" {
		t.Errorf("env %v", v.Env)
	}
	if j.Timezone != "Europe/Berlin" || j.Schedule == nil || j.Schedule.Location().String() != "Europe/Berlin" {
		t.Errorf("zone of the job: %q", j.Timezone)
	}
	again := w.job(set, "again")
	if again.Settings.Timeout != time.Hour || again.Timezone != "Asia/Tokyo" || again.Origin["schedule"] != "jobs.d/again.toml" {
		t.Errorf("again: %v %s %v", again.Settings.Timeout, again.Timezone, again.Origin)
	}
}

func TestZoneOfTheMachineIsTheDefault(t *testing.T) {
	for _, test := range []struct{ host, tz, want, from string }{
		{"", "Asia/Tokyo", "Asia/Tokyo", zoneMachine},
		{"# timezone = \"Europe/Berlin\"\n", "Asia/Tokyo", "Asia/Tokyo", zoneMachine},
		{"[defaults]\ntimezone = \"UTC\"\n", "Asia/Tokyo", "Asia/Tokyo", zoneMachine},
		{"timezone = \"UTC\"\n", "Asia/Tokyo", "UTC", zoneHostFile},
		{" \"timezone\"=\"UTC\"\n", "Asia/Tokyo", "UTC", zoneHostFile},
		{"timezone = \"Europe/Berlin\"\n", "Asia/Tokyo", "Europe/Berlin", zoneHostFile},
		{"", "No/Where", "UTC", zoneFallback},
	} {
		w := newWorld(t, test.host)
		t.Setenv("TZ", test.tz)
		w.write("plugins/a.wasm", guest.WithManifest(guest.Greet("x"), daily))
		set := w.check()
		if set.Zone.Name != test.want || set.Zone.From != test.from {
			t.Errorf("host file %q, TZ %q: zone %+v, want %s from %s", test.host, test.tz, set.Zone, test.want, test.from)
		}
		want := test.want
		if strings.Contains(test.host, "[defaults]") {
			want = "UTC"
		}
		if j := w.job(set, "a"); j.Timezone != want {
			t.Errorf("host file %q: the job's zone is %s, want %s", test.host, j.Timezone, want)
		}
		if test.from == zoneFallback {
			w.wantProblem(set, "wcron.toml", "TZ", "UTC", "timezone =")
		}
	}
}

func TestManualTellsTheLine(t *testing.T) {
	w := newWorld(t, "[jobs.mine]\nplugin = \"two.wasm\"\n")
	w.write("plugins/one.wasm", guest.Greet("x"))
	w.write("plugins/two.wasm", guest.Greet("y"))
	set := w.check()
	if got := names(set); got != "mine:manual one:manual two:manual" {
		t.Fatalf("jobs %s", got)
	}
	if j := w.job(set, "one"); !contains(j.Remedy, `schedule = "@daily"`, "one.toml", "[jobs.one]") {
		t.Errorf("remedy %q", j.Remedy)
	}
	if j := w.job(set, "mine"); !contains(j.Remedy, `schedule = "@daily"`, "mine", "wcron.toml") {
		t.Errorf("remedy %q", j.Remedy)
	}
}

func TestMissingPluginIsBroken(t *testing.T) {
	w := newWorld(t, "[jobs.a]\n"+daily+"[jobs.b]\nplugin = \"sub/b.wasm\"\n"+daily)
	w.write("plugins/sub/b.wasm", guest.Greet("x"))
	set := w.check()
	if got := names(set); got != "a:broken b:active" {
		t.Fatalf("jobs %s\n%s", got, dump(set))
	}
	if j := w.job(set, "a"); !contains(j.Reason, "a.wasm", "missing") || j.Remedy == "" || j.Schedule == nil {
		t.Errorf("job a: %q, %q, %v", j.Reason, j.Remedy, j.Schedule)
	}
	if _, err := w.job(set, "a").Load(); !errors.Is(err, ErrContent) {
		t.Errorf("Load of a missing plugin: %v", err)
	}
	w.wantProblem(set, "wcron.toml", "a.wasm", "missing")
}

func TestPluginLeavesTheFolderNot(t *testing.T) {
	for _, p := range []string{"../x.wasm", "/etc/x.wasm", "sub/../../x.wasm", `..\\x.wasm`} {
		w := newWorld(t, "[jobs.a]\nplugin = \""+p+"\"\n")
		_, err := Open(w.config())
		var refused *config.Error
		if !errors.As(err, &refused) {
			t.Errorf("plugin %q: %v, want a *config.Error", p, err)
		}
	}
}

func TestOpenRefusesABadHostFile(t *testing.T) {
	w := newWorld(t, "plugin = \"typo\"\n")
	_, err := Open(w.config())
	var refused *config.Error
	if !errors.As(err, &refused) || len(refused.Problems) == 0 {
		t.Errorf("Open: %v, want a *config.Error", err)
	}
	set, problems, err := Check(w.config())
	if set != nil || len(problems) == 0 || err != nil {
		t.Errorf("Check: %v, %v, %v", set, problems, err)
	}
	w.remove("wcron.toml")
	if _, err = Open(w.config()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open without a host file: %v", err)
	}
}

func TestBadReloadKeepsTheLastGoodConfiguration(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "[jobs.hello]\n"+daily)
	w.write("plugins/hello.wasm", guest.Greet("x"))
	s := w.run(w.config())
	w.text("wcron.toml", "[jobs.hello]\nschedule = 3\n")
	set := w.until(s, "the problem is told", func(set *Set) bool { return len(set.Problems) > 0 })
	w.wantProblem(set, "wcron.toml", "schedule", "the last good configuration goes on")
	if got := names(set); got != "hello:active" {
		t.Errorf("jobs %s", got)
	}
	w.text("wcron.toml", "[jobs.hello]\nschedule = \"@hourly\"\n")
	set = w.until(s, "the next good one heals", func(set *Set) bool { return len(set.Problems) == 0 })
	if j := w.job(set, "hello"); j.ScheduleText != "@hourly" {
		t.Errorf("schedule %q", j.ScheduleText)
	}
	w.text("jobs.d/bad.toml", "schedule = ")
	set = w.until(s, "a bad file of jobs.d is told", func(set *Set) bool { return len(set.Problems) > 0 })
	w.wantProblem(set, "bad.toml")
	if got := names(set); got != "hello:active" {
		t.Errorf("jobs %s", got)
	}
	w.remove("jobs.d/bad.toml")
	w.until(s, "its removal heals", func(set *Set) bool { return len(set.Problems) == 0 })
	w.text("wcron.toml", "plugins = \"nowhere\"\n")
	set = w.until(s, "a plugin folder that is not there is told", func(set *Set) bool { return len(set.Problems) > 0 })
	if got := names(set); got != "hello:active" {
		t.Errorf("jobs %s", got)
	}
	w.must(os.Mkdir(w.path("nowhere"), 0o700))
	w.until(s, "the folder is there and counts", func(set *Set) bool { return len(set.Problems) == 0 && len(set.Jobs) == 0 })
}

func TestReloadReadsWhatLooksTheSame(t *testing.T) {
	w := newWorld(t, "")
	w.write("plugins/a.wasm", guest.Greet("one"))
	s := w.open()
	before := w.job(s.Snapshot(), "a").Digest
	// A write that leaves size and times alone, as one through a shared memory map can.
	s.folder.units["a.wasm"].module.taken = true
	w.write("plugins/a.wasm", guest.Greet("two"))
	st, _, err := look(w.path("plugins/a.wasm"))
	w.must(err)
	s.folder.units["a.wasm"].module.stamp = st
	if got := w.job(s.step(), "a").Digest; got != before {
		t.Fatal("a file that looks the same was read")
	}
	s.Reload()
	if got := w.job(s.Snapshot(), "a").Digest; got == before {
		t.Error("Reload did not read it")
	}
}

func TestLostContentIsTakenFromThePlugin(t *testing.T) {
	w := newWorld(t, "")
	wasm := guest.Greet("one")
	w.write("plugins/a.wasm", wasm)
	s := w.open()
	j := w.job(s.Snapshot(), "a")
	w.must(os.WriteFile(s.content.path(j.Digest), []byte("damaged"), 0o600))
	if b, err := j.Load(); err != nil || !bytes.Equal(b, wasm) {
		t.Errorf("Load: %d bytes, %v", len(b), err)
	}
	if b, err := s.Load(j.Digest); err != nil || !bytes.Equal(b, wasm) {
		t.Errorf("the store was not mended: %v", err)
	}
	w.must(os.Remove(s.content.path(j.Digest)))
	w.remove("plugins/a.wasm")
	if _, err := j.Load(); !errors.Is(err, ErrContent) {
		t.Errorf("Load of what is gone: %v, want ErrContent", err)
	}
}

func TestContentInMemory(t *testing.T) {
	w := newWorld(t, "")
	s, err := Open(Config{File: w.host})
	w.must(err)
	var digests []string
	for _, text := range []string{"one", "two", "three", "four"} {
		w.write("plugins/a.wasm", guest.Greet(text))
		digests = append(digests, w.job(s.step(), "a").Digest)
		s.Pin(digests[:1])
	}
	for i, want := range []bool{true, false, true, true} { // pinned, old, the one before, the present one
		if _, err := s.Load(digests[i]); (err == nil) != want {
			t.Errorf("version %d: %v, want it kept: %v", i, err, want)
		}
	}
	if _, err := os.Stat(w.path("content")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a content folder was made")
	}
}

func TestCheckWritesNothing(t *testing.T) {
	w := newWorld(t, "")
	wasm := guest.Greet("x")
	w.write("plugins/a.wasm", wasm)
	set, _, err := Check(w.config())
	w.must(err)
	if b, err := w.job(set, "a").Load(); err != nil || !bytes.Equal(b, wasm) {
		t.Errorf("Load: %d bytes, %v", len(b), err)
	}
	entries, err := os.ReadDir(w.dir)
	w.must(err)
	if len(entries) != 2 {
		t.Errorf("the folder holds %v", entries)
	}
	w.write("plugins/a.wasm", guest.Greet("y"))
	if _, err := w.job(set, "a").Load(); !errors.Is(err, ErrContent) {
		t.Errorf("Load after a change: %v, want ErrContent", err)
	}
}

// Other limits hold for the modules that are there already: one that was refused is taken without being touched, and the other
// way round the version in use goes on.
func TestLimitsAreFollowed(t *testing.T) {
	w := newWorld(t, "[limits]\nlocals = 999\n")
	w.write("plugins/wide.wasm", guest.SlowToCompile(10))
	s := w.open()
	w.wantProblem(s.Snapshot(), "wide.wasm", "function 0: 1000 locals", "raise limits.locals in the host file")
	w.text("wcron.toml", "[limits]\nlocals = 1000\n")
	set := s.step()
	if j := w.job(set, "wide"); j.State != Manual || len(set.Problems) > 0 {
		t.Fatalf("got %+v\n%s", j, dump(set))
	}
	w.text("wcron.toml", "[limits]\nmodule_size = \"1KiB\"\n")
	set = s.step()
	w.wantProblem(set, "wide.wasm", "at most 1 KiB", "raise limits.module_size in the host file")
	if j := w.job(set, "wide"); j.State != Manual || !contains(j.Reason, "the version in use goes on") {
		t.Errorf("got %+v", j)
	}
}

// A schedule that cannot be read is reported where it stands, in whatever file that is.
func TestBadScheduleIsReportedWhereItStands(t *testing.T) {
	w := newWorld(t, "[jobs.host]\nplugin = \"a.wasm\"\nschedule = \"nope\"\n[jobs.lost]\nplugin = \"lost.wasm\"\n")
	w.write("plugins/a.wasm", guest.Greet("x"))
	w.write("plugins/side.wasm", guest.Greet("x"))
	w.text("plugins/side.toml", "timeout = \"5s\"\nschedule = \"nope\"\n")
	w.write("plugins/mani.wasm", guest.WithManifest(guest.Greet("x"), "\n\n  schedule = \"nope\"\n"))
	w.text("jobs.d/extra.toml", "plugin = \"a.wasm\"\n\nschedule = \"nope\"\n")
	set, problems, err := Check(w.config())
	w.must(err)
	if set == nil {
		t.Fatal("no set")
	}
	var got []string
	for _, p := range problems {
		got = append(got, filepath.Base(config.Position{File: p.File, Line: p.Line, Col: p.Col}.String()))
	}
	want := []string{"extra.toml:3:12", "mani.wasm (manifest):3:14", "side.toml:2:12", "wcron.toml:3:12", "wcron.toml:4:7"}
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	w = newWorld(t, "[defaults]\nschedule = \"nope\"\n")
	w.write("plugins/a.wasm", guest.Greet("x"))
	_, problems, err = Check(w.config())
	if w.must(err); len(problems) != 1 || problems[0].Line != 2 || problems[0].Col != 12 {
		t.Errorf("%+v", problems)
	}
}
