package config_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/config"
)

const fullHost = `plugins = "plugins"             # relative to this file
state   = "state"
max_runs = 0                    # 0: no limit of its own
memory_budget = "50%"           # of RAM or of the cgroup's limit, or a size
orphan_grace = "5s"
drain_timeout = "30s"
commit_grace = "20s"
lease = "2m"
metrics = "127.0.0.1:9464"
timezone = "Europe/Berlin"
[dashboard]
listen = "[::1]:8080"
hosts = ["wcron.example.com"]
[defaults]                      # any job key
timeout = "1m"
memory = "64MiB"
output = "1MiB"
[caps]
timeout = "1h"
memory = "1GiB"
output = "16MiB"
[jobs.report]
plugin = "report.wasm"
schedule = "15 3 * * *"
timezone = "Europe/Paris"
timeout = "5m"
args = ["--full"]
env = { REGION = "eu" }
input = { mode = "full" }
`

func TestLoadHostFile(t *testing.T) {
	f, dir := mustLoad(t, map[string]string{"wcron.toml": fullHost, "jobs.d/nightly.toml": "plugin = \"report.wasm\"\nretries = 2\n"})
	path := filepath.Join(dir, "wcron.toml")
	want := &config.File{
		Path: path, Plugins: filepath.Join(dir, "plugins"), State: filepath.Join(dir, "state"),
		MemoryBudget: config.Budget{Percent: 50},
		OrphanGrace:  5 * time.Second, DrainTimeout: 30 * time.Second, CommitGrace: 20 * time.Second, CatchUp: 250 * time.Millisecond, Lease: 2 * time.Minute, Metrics: "127.0.0.1:9464",
		Timezone: "Europe/Berlin", Dashboard: config.Dashboard{Listen: "[::1]:8080", Hosts: []string{"wcron.example.com"}},
		Defaults: config.Job{Timeout: new(config.Duration(time.Minute)), Memory: new(64 * config.MiB), Output: new(config.MiB)},
		Limits:   config.DefaultLimits(),

		CompileTimeout: 3 * time.Minute, CompileMemory: 2 << 30,
		AutoApprove: "no-capabilities", OnUpdate: "same-or-less",

		Caps: config.Caps{Timeout: time.Hour, Memory: 1 << 30, Output: 16 << 20, State: 16 * config.MiB, Quota: config.GiB},
		Jobs: map[string]config.JobEntry{
			"report": {
				Job: config.Job{
					Plugin: new("report.wasm"), Schedule: new("15 3 * * *"), Timezone: new("Europe/Paris"),
					Timeout: new(config.Duration(5 * time.Minute)), Args: []string{"--full"},
					Env: map[string]string{"REGION": "eu"}, Input: []byte(`{"mode":"full"}`),
				},
				Pos: config.Position{File: path, Line: 22, Col: 7},
			},
			"nightly": {
				Job: config.Job{Plugin: new("report.wasm"), Retries: new(2)},
				Pos: config.Position{File: filepath.Join(dir, "jobs.d", "nightly.toml"), Line: 1, Col: 1},
			},
		},
		Sources: []string{path, filepath.Join(dir, "jobs.d", "nightly.toml")},
		JobsDir: filepath.Join(dir, "jobs.d"),
	}
	if !reflect.DeepEqual(f, want) {
		t.Errorf("got\n%+v\nwant\n%+v", f, want)
	}
}

func TestLoadEmptyIsDefault(t *testing.T) {
	f, dir := mustLoad(t, map[string]string{"wcron.toml": ""})
	want := config.Default(dir)
	want.Path = filepath.Join(dir, "wcron.toml")
	want.Sources = []string{want.Path}
	if !reflect.DeepEqual(f, want) {
		t.Errorf("got\n%+v\nwant\n%+v", f, want)
	}
}

func TestLoadFolders(t *testing.T) {
	elsewhere := t.TempDir()
	f, dir := mustLoad(t, map[string]string{"wcron.toml": "plugins = \"a/../b\"\nstate = '" + elsewhere + "'\n"})
	if f.Plugins != filepath.Join(dir, "b") || f.State != elsewhere {
		t.Errorf("plugins %s, state %s", f.Plugins, f.State)
	}
}

func TestLoadProblems(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		want  []string
	}{
		{"unknown key", map[string]string{"wcron.toml": "max_run = 3\n"},
			[]string{`wcron.toml:1:1: max_run: unknown key; did you mean max_runs?`}},
		{"unknown table", map[string]string{"wcron.toml": "[job.a]\nplugin = \"a.wasm\"\n"},
			[]string{`wcron.toml:1:2: job: unknown key; did you mean jobs?`}},
		{"metrics", map[string]string{"wcron.toml": "metrics = \":9464\"\nlease = \"10ms\"\n"},
			[]string{`wcron.toml:1:11: metrics: ":9464" is no IP address with a port; write both, such as "127.0.0.1:9464" or "[::1]:9464"`,
				`wcron.toml:2:9: lease: 10ms is out of range; write 1s to 24h`}},
		{"dashboard", map[string]string{"wcron.toml": "[dashboard]\nlisten = \"0.0.0.0:8080\"\nhosts = [\"Example.com\", \"a.example:80\", \"10.0.0.7\", \"::1\"]\nport = 1\n"},
			[]string{
				`wcron.toml:2:10: dashboard.listen: "0.0.0.0:8080" is no loopback address, and the dashboard asks nobody for a password; ` +
					`write "127.0.0.1:8080", and let others in through ssh -L or through a proxy that asks for one, whose name you add to hosts`,
				`wcron.toml:3:10: dashboard.hosts[0]: "Example.com" is no host name; write a name in small letters, without a port or *, such as "wcron.example.com"`,
				`wcron.toml:3:25: dashboard.hosts[1]: "a.example:80" is no host name; write a name in small letters, without a port or *, such as "wcron.example.com"`,
				`wcron.toml:4:1: dashboard.port: unknown key; the keys here are listen, hosts`,
			}},
		{"dashboard without a port", map[string]string{"wcron.toml": "[dashboard]\nlisten = \"localhost:8080\"\n"},
			[]string{`wcron.toml:2:10: dashboard.listen: "localhost:8080" is no IP address with a port; write both, such as "127.0.0.1:8080" or "[::1]:8080"`}},
		{"dashboard on any address of a version", map[string]string{"wcron.toml": "[dashboard]\nlisten = \"[::]:80\"\n"},
			[]string{`wcron.toml:2:10: dashboard.listen: "[::]:80" is no loopback address, and the dashboard asks nobody for a password; ` +
				`write "127.0.0.1:80", and let others in through ssh -L or through a proxy that asks for one, whose name you add to hosts`}},
		{"metrics by name", map[string]string{"wcron.toml": "metrics = \"localhost:9464\"\n"},
			[]string{`wcron.toml:1:11: metrics: "localhost:9464" is no IP address with a port; write both, such as "127.0.0.1:9464" or "[::1]:9464"`}},
		{"case", map[string]string{"wcron.toml": "State = \"a\"\nstate = \"b\"\n"},
			[]string{`wcron.toml:1:1: State: unknown key; keys are case-sensitive: write state`}},
		{"job key at the top", map[string]string{"wcron.toml": "timeout = \"3m\"\nschedule = \"@daily\"\nplugin = \"x.wasm\"\nname = \"x\""},
			[]string{
				`wcron.toml:1:1: timeout: unknown key; it is a key of a job: write it in [jobs.NAME], or in [defaults] for all jobs`,
				`wcron.toml:2:1: schedule: unknown key; it is a key of a job: write it in [jobs.NAME], or in [defaults] for all jobs`,
				`wcron.toml:3:1: plugin: unknown key; write it in [jobs.NAME] of the host file or in jobs.d/NAME.toml`,
				`wcron.toml:4:1: name: unknown key; only the manifest inside a module says it`,
			}},
		{"host values", map[string]string{"wcron.toml": "plugins = 1\nmax_runs = -1\nmemory_budget = \"101%\"\norphan_grace = \"48h\"\n" +
			"commit_grace = 0\ndrain_timeout = 30\ntimezone = \"Local\"\nstate = \"~/state\"\n"},
			[]string{
				`wcron.toml:1:11: plugins: want a string, got the integer 1; write text in quotes`,
				`wcron.toml:2:12: max_runs: -1 is out of range; write 0 to 10000`,
				`wcron.toml:3:17: memory_budget: "101%" is no share; write a whole number from 1% to 100%`,
				`wcron.toml:4:16: orphan_grace: 48h is out of range; write 0, or 1ms to 24h`,
				`wcron.toml:5:16: commit_grace: 0s is out of range; write 1ms to 24h`,
				`wcron.toml:6:17: drain_timeout: want a duration, got the integer 30; write a number with a unit in quotes, such as "90s"`,
				`wcron.toml:7:12: timezone: "Local" is another zone on every machine; write a name such as "Europe/Berlin" or "UTC"`,
				`wcron.toml:8:9: state: "~/state" begins with ~, which only a shell understands; write the path in full`,
			}},
		{"same folder", map[string]string{"wcron.toml": "plugins = \"x\"\nstate = \"./x/\"\n"},
			[]string{`wcron.toml:2:9: state: plugins and state are the same folder; give each a folder of its own`}},
		{"same folder as a default", map[string]string{"wcron.toml": "plugins = \"state\"\n"},
			[]string{`wcron.toml:1:11: plugins: plugins and state are the same folder; give each a folder of its own`}},
		{"tables of the wrong type", map[string]string{"wcron.toml": "jobs = 1\ncaps = []\ndefaults = \"x\"\n"},
			[]string{
				`wcron.toml:1:8: jobs: want a table, got the integer 1; write [jobs] on a line of its own and the keys below it`,
				`wcron.toml:2:8: caps: want a table, got an array; write [caps] on a line of its own and the keys below it`,
				`wcron.toml:3:12: defaults: want a table, got the string "x"; write [defaults] on a line of its own and the keys below it`,
			}},
		{"array of tables", map[string]string{"wcron.toml": "[[jobs]]\nname = \"a\"\n"},
			[]string{`wcron.toml:1:3: jobs: want a table, got an array of tables; write [jobs] on a line of its own and the keys below it`}},
		{"defaults", map[string]string{"wcron.toml": "[defaults]\nplugin = \"a.wasm\"\nstate = \"b\"\nname=\"c\"\n"},
			[]string{
				`wcron.toml:2:1: defaults.plugin: does not belong in [defaults]; write it in [jobs.NAME] of the host file or in jobs.d/NAME.toml`,
				`wcron.toml:3:1: defaults.state: unknown key; it is a key of the host file's top level`,
				`wcron.toml:4:1: defaults.name: does not belong in [defaults]; only the manifest inside a module says it`,
			}},
		{"caps", map[string]string{"wcron.toml": "[caps]\nretries = 1\nmemory = \"5GiB\"\nstate_size = \"4MiB\"\n"},
			[]string{
				`wcron.toml:2:1: caps.retries: unknown key; the keys here are timeout, memory, output, state, dir_quota, http_hosts, dirs`,
				`wcron.toml:3:10: caps.memory: 5GiB is out of range; write 0, or 64KiB to 4GiB`,
				`wcron.toml:4:1: caps.state_size: unknown key; it is called state: the most that any grant gives`,
			}},
		{"job names", map[string]string{"wcron.toml": "[jobs.\"a b\"]\n[jobs.-x]\n"},
			[]string{
				`wcron.toml:1:7: jobs."a b": invalid job name "a b": use only letters, digits, '.', '_' and '-'; rename the job`,
				`wcron.toml:2:7: jobs.-x: invalid job name "-x": begin it with a letter or a digit; rename the job`,
			}},
		{"several files", map[string]string{"wcron.toml": "x = 1\n[jobs.a]\n[jobs.b]\n", "jobs.d/b.toml": "\nretrys = 1\n", "jobs.d/a.toml": "", "jobs.d/_c.toml": "", "jobs.d/d.toml": "x"},
			[]string{
				`wcron.toml:1:1: x: unknown key; the keys here are auto_approve, caps, catch_up, commit_grace, compile_memory, compile_timeout, dashboard, defaults, drain_timeout, jobs, lease, limits, max_runs, memory_budget, metrics, on_update, orphan_grace, plugins, state, timezone`,
				`jobs.d/_c.toml: invalid job name "_c": begin it with a letter or a digit; rename the file`,
				`jobs.d/a.toml:1:1: job a is defined twice, here and at wcron.toml:2:7; keep one of the two`,
				`jobs.d/b.toml:1:1: job b is defined twice, here and at wcron.toml:3:7; keep one of the two`,
				`jobs.d/b.toml:2:1: retrys: unknown key; did you mean retries?`,
				`jobs.d/d.toml:1:2: expected = after the key; write key = value; quote keys that hold more than letters, digits, - and _`,
			}},
		{"jobs.d is a file", map[string]string{"wcron.toml": "", "jobs.d": ""},
			[]string{`jobs.d: is not a folder; remove it, or make a folder of that name`}},
		{"a job that is a folder", map[string]string{"wcron.toml": "", "jobs.d/a.toml/x": ""},
			[]string{`jobs.d/a.toml: is not a regular file; put a file there`}},
		{"too large", map[string]string{"wcron.toml": strings.Repeat("#", 256<<10) + "\n"},
			[]string{`wcron.toml: larger than 256 KiB; split it or shorten it`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, dir, err := load(t, tt.files)
			if f != nil || err == nil {
				t.Fatalf("got %v, %v; want no file and an error", f, err)
			}
			if got := problemsOf(t, err, dir); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

func TestLoadLeavesOtherFilesAlone(t *testing.T) {
	f, _ := mustLoad(t, map[string]string{"wcron.toml": "", "jobs.d/a.toml": "", "jobs.d/README": "?", "jobs.d/.b.toml": "?", "jobs.d/c.toml~": "?", "jobs.d/sub/d.toml": "?"})
	if len(f.Jobs) != 1 || len(f.Sources) != 2 {
		t.Errorf("jobs %v, sources %v", f.Jobs, f.Sources)
	}
}

func TestLoadMissing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.toml")
	f, err := config.Load(path)
	if f != nil || !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, %v", f, err)
	}
}

func TestLoadKeepsNothingOfAnEarlierLoad(t *testing.T) {
	dir := write(t, map[string]string{"wcron.toml": fullHost})
	path := filepath.Join(dir, "wcron.toml")
	if _, err := config.Load(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("max_runs = 3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	want := config.Default(dir)
	want.Path, want.Sources, want.MaxRuns = path, []string{path}, 3
	if !reflect.DeepEqual(f, want) {
		t.Errorf("got\n%+v\nwant\n%+v", f, want)
	}
}

func TestLoadWritableByEverybody(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such mode bit")
	}
	for _, name := range []string{"wcron.toml", "jobs.d", "jobs.d/a.toml"} {
		dir := write(t, map[string]string{"wcron.toml": "", "jobs.d/a.toml": ""})
		path := filepath.Join(dir, name)
		if err := os.Chmod(path, 0o707); err != nil {
			t.Fatal(err)
		}
		_, err := config.Load(filepath.Join(dir, "wcron.toml"))
		want := []string{name + ": is writable by everybody; run chmod o-w " + name}
		if got := problemsOf(t, err, dir); !reflect.DeepEqual(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestLoadDanglingLink(t *testing.T) {
	dir := write(t, map[string]string{"wcron.toml": "", "jobs.d/a.toml": ""})
	if err := os.Symlink(filepath.Join(dir, "none"), filepath.Join(dir, "jobs.d", "b.toml")); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	_, err := config.Load(filepath.Join(dir, "wcron.toml"))
	if got := problemsOf(t, err, dir); len(got) != 1 || !strings.HasPrefix(got[0], "jobs.d/b.toml: cannot be read") {
		t.Errorf("got %q", got)
	}
}

func TestBase(t *testing.T) {
	f, _ := mustLoad(t, map[string]string{"wcron.toml": "timezone = \"Asia/Tokyo\"\n[defaults]\nretries = 4\n"})
	s := f.Base().Resolve()
	if s.Timezone != "Asia/Tokyo" || s.Retries != 4 || s.Timeout != time.Minute {
		t.Errorf("%+v", s)
	}
	f, _ = mustLoad(t, map[string]string{"wcron.toml": "timezone = \"Asia/Tokyo\"\n[defaults]\ntimezone = \"UTC\"\n"})
	if s := f.Base().Resolve(); s.Timezone != "UTC" {
		t.Errorf("[defaults] lost against the host's zone: %s", s.Timezone)
	}
	f, _ = mustLoad(t, map[string]string{"wcron.toml": ""})
	if s := f.Base().Resolve(); s.Timezone != "" || f.Timezone != "" {
		t.Errorf("a zone that nobody says: %q, %q", s.Timezone, f.Timezone)
	}
}

func TestLocate(t *testing.T) {
	dir := write(t, map[string]string{"work/wcron.toml": "", "home/wcron/wcron.toml": "", "other.toml": "", "empty/x": ""})
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(dir, "home"))
	t.Setenv("HOME", filepath.Join(dir, "empty"))
	t.Chdir(filepath.Join(dir, "work"))
	if got, err := config.Locate(""); err != nil || filepath.Base(filepath.Dir(got)) != "work" {
		t.Errorf("in the working folder: %s, %v", got, err)
	}
	if got, err := config.Locate("../other.toml"); err != nil || !filepath.IsAbs(got) || filepath.Base(got) != "other.toml" {
		t.Errorf("named: %s, %v", got, err)
	}
	if _, err := config.Locate("none.toml"); !errors.Is(err, config.ErrNotFound) || !strings.Contains(err.Error(), "none.toml") {
		t.Errorf("named and missing: %v", err)
	}
	if runtime.GOOS == "linux" {
		t.Chdir(filepath.Join(dir, "empty"))
		if got, err := config.Locate(""); err != nil || got != filepath.Join(dir, "home", "wcron", "wcron.toml") {
			t.Errorf("of the user: %s, %v", got, err)
		}
	}
}
