package config_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/config"
)

const fullJob = `description = "All keys"
plugin = "team/report.wasm"
schedule = "15 3 * * *"
timezone = "America/New_York"
dst = "both"
timeout = 0
start_timeout = "90s"
memory = "1GiB"
fuel = 5_000_000_000
output = "2MB"
state_size = "3MB"
entry = "run"
args = ["--full", ""]
history_runs = 5
history_bytes = "1000B"
not_before = 2026-01-02T03:04:05
not_after = "2027-01-02T03:04:05+01:00"
missed = "all"
missed_limit = 5
missed_window = "24h"
starting_deadline = "10m"
grace = "1m"
jitter = "30s"
pause_after = 4
retries = 3
backoff = "1s..2m"
retry_on = ["orphaned"]
overlap = "allow"
queue_limit = 4
max_concurrent = 6
repeat = 7
env.REGION = "eu"
config.days = "7"
[input]
mode = "full"
[grant]
state = "2MiB"
`

func job(t *testing.T, src string) config.Job {
	t.Helper()
	j, err := config.ParseJob("job.toml", []byte(src), config.KindJobFile)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func TestParseJob(t *testing.T) {
	want := config.Job{
		Description: new("All keys"), Plugin: new("team/report.wasm"), Schedule: new("15 3 * * *"), Timezone: new("America/New_York"), DST: new(config.DSTBoth),
		Timeout: new(config.Duration(0)), StartTimeout: new(config.Duration(90 * time.Second)),
		Memory: new(config.GiB), Fuel: new(int64(5_000_000_000)), Output: new(config.Size(2_000_000)), StateSize: new(config.Size(3_000_000)), Entry: new("run"),
		Args: []string{"--full", ""}, Env: map[string]string{"REGION": "eu"}, Input: []byte(`{"mode":"full"}`),
		NotBefore: &config.Moment{Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Local: true},
		NotAfter:  &config.Moment{Time: time.Date(2027, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600))},
		Missed:    new(config.MissedAll), MissedLimit: new(5), MissedWindow: new(config.Duration(24 * time.Hour)),
		StartingDeadline: new(config.Duration(10 * time.Minute)), Grace: new(config.Duration(time.Minute)),
		Jitter: new(config.Duration(30 * time.Second)), PauseAfter: new(4),
		Retries: new(3), Backoff: &config.Backoff{Min: time.Second, Max: 2 * time.Minute},
		RetryOn: []string{config.RetryOrphaned}, Overlap: new(config.OverlapAllow), QueueLimit: new(4), MaxConcurrent: new(6), Repeat: new(7), HistoryRuns: new(5), HistoryBytes: new(config.Size(1000)),
		Config: map[string]string{"days": "7"}, Grant: &config.Grant{State: 2 * config.MiB},
	}
	if got := job(t, fullJob); !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
	if got := job(t, "\uFEFF# nothing\r\n"); !reflect.DeepEqual(got, config.Job{}) {
		t.Errorf("an empty file sets %+v", got)
	}
}

func TestParseManifest(t *testing.T) {
	j, err := config.ParseJob("m", []byte("manifest = 1\nname = \"report\"\nversion = \"1.2\"\nschedule = \"@daily\"\n"), config.KindManifest)
	if err != nil {
		t.Fatal(err)
	}
	want := config.Job{Name: new("report"), Version: new("1.2"), Schedule: new("@daily")}
	if !reflect.DeepEqual(j, want) {
		t.Errorf("got %+v", j)
	}
}

func TestParseJobProblems(t *testing.T) {
	tests := []struct {
		kind config.Kind
		src  string
		want []string
	}{
		{config.KindManifest, "manifest = 2\nnew_key = 1\n", []string{`f:1:12: manifest: want version 1, got the integer 2; update wcron, or build the plugin with manifest = 1`}},
		{config.KindManifest, "manifest = \"1\"\n", []string{`f:1:12: manifest: want version 1, got the string "1"; update wcron, or build the plugin with manifest = 1`}},
		{config.KindManifest, strings.Repeat("#", 64<<10) + "\n", []string{`f: larger than 64 KiB; split it or shorten it`}},
		{config.KindManifest, "plugin = \"a.wasm\"\n", []string{`f:1:1: plugin: does not belong in a manifest; write it in [jobs.NAME] of the host file or in jobs.d/NAME.toml`}},
		{config.KindSidecar, "version = \"1\"\nmanifest = 1\n", []string{
			`f:1:1: version: does not belong in a sidecar; only the manifest inside a module says it`,
			`f:2:1: manifest: unknown key; only the manifest inside a module says it`}},
		{config.KindJobFile, "name = \"x\"\n", []string{`f:1:1: name: does not belong in a file of jobs.d; only the manifest inside a module says it`}},

		{config.KindSidecar, "Timeout = \"1m\"\ntimeout = \"2m\"\n", []string{`f:1:1: Timeout: unknown key; keys are case-sensitive: write timeout`}},
		{config.KindSidecar, "timeuot = \"1m\"\n", []string{`f:1:1: timeuot: unknown key; did you mean timeout?`}},
		{config.KindSidecar, "timeout.seconds = 3\n", []string{`f:1:1: timeout: want a duration, got a table; write a number with a unit in quotes, such as "90s"`}},
		{config.KindSidecar, "timeout = 1m\n", []string{`f:1:11: 1m is no TOML value; put text, durations and sizes in quotes: "1m"`}},
		{config.KindSidecar, "timeout = 60\nmemory = 64.0\noutput = 5\n", []string{
			`f:1:11: timeout: want a duration, got the integer 60; write a number with a unit in quotes, such as "90s"`,
			`f:2:10: memory: want a size, got the float 64; write a number with a unit in quotes, such as "64MiB"`,
			`f:3:10: output: want a size, got the integer 5; write a number with a unit in quotes, such as "64MiB"`}},
		{config.KindSidecar, "timeout = \"-1m\"\nstart_timeout = \"0\"\n", []string{
			`f:1:11: timeout: "-1m" is negative; write a duration of 0 or more`,
			`f:2:17: start_timeout: 0s is out of range; write 1ms to 8760h`}},
		{config.KindSidecar, "timeout = \"1ns\"\nstart_timeout = \"7d\"\n", []string{
			`f:1:11: timeout: 1ns is out of range; write 0, or 1ms to 8760h`,
			`f:2:17: start_timeout: "7d" is no duration: a day is not always 24 hours; count in hours, such as "24h"`}},
		{config.KindSidecar, "timeout = \"9000h\"\nmemory = 0\noutput = \"0\"\n", []string{
			`f:1:11: timeout: 9000h is out of range; write 0, or 1ms to 8760h`,
			`f:2:10: memory: 0B is out of range; write 64KiB to 4GiB`,
			`f:3:10: output: 0B is out of range; write 1B to 1GiB`}},
		{config.KindSidecar, "memory = \"64M\"\noutput = \"1.5MiB\"\nhistory_bytes = \"99999999TiB\"", []string{
			`f:1:10: memory: "64M" is no size; write a whole number with a unit, such as "64MiB" or "1GiB"`,
			`f:2:10: output: "1.5MiB" is no size; write a whole number with a unit, such as "64MiB" or "1GiB"`,
			`f:3:17: history_bytes: "99999999TiB" is too large; write a size below "8388608TiB"`}},
		{config.KindSidecar, "backoff = \"10m..10s\"\n", []string{`f:1:11: backoff: "10m..10s" runs backwards; write the shorter duration first: "10s..10m"`}},
		{config.KindSidecar, "backoff = 10\n", []string{`f:1:11: backoff: want a range of durations, got the integer 10; write a string such as "10s..10m"`}},
		{config.KindSidecar, "backoff = \"0s..1m\"\n", []string{`f:1:11: backoff: 0s is out of range; write 1ms to 8760h`}},
		{config.KindSidecar, "retries = -1\nrepeat = 1.5\nhistory_runs = 0\n", []string{
			`f:1:11: retries: -1 is out of range; write 0 to 1000`,
			`f:2:10: repeat: want an integer, got the float 1.5; write a whole number without quotes`,
			`f:3:16: history_runs: 0 is out of range; write 1 to 1000000`}},
		{config.KindSidecar, "missed = \"onse\"\n", []string{`f:1:10: missed: "onse" is none of "once", "skip" or "all"; did you mean "once"?`}},
		{config.KindSidecar, "missed = \"never\"\n", []string{`f:1:10: missed: "never" is not known; write "once", "skip" or "all"`}},
		{config.KindSidecar, "missed_limit = 0\n", []string{`f:1:16: missed_limit: 0 is out of range; write 1 to 1000`}},
		{config.KindSidecar, "missed_window = \"10ms\"\n", []string{`f:1:17: missed_window: 10ms is out of range; write 0, or 1s to 8760h`}},
		{config.KindSidecar, "starting_deadline = 60\n", []string{`f:1:21: starting_deadline: want a duration, got the integer 60; write a number with a unit in quotes, such as "90s"`}},
		{config.KindSidecar, "grace = 0\n", []string{`f:1:9: grace: 0s is out of range; write 1s to 8760h`}},
		{config.KindSidecar, "jitter = \"25h\"\n", []string{`f:1:10: jitter: 25h is out of range; write 0, or 1ms to 24h`}},
		{config.KindSidecar, "pause_after = -1\n", []string{`f:1:15: pause_after: -1 is out of range; write 0 to 1000000`}},
		{config.KindSidecar, "not_before = 10:00:00\n", []string{`f:1:14: not_before: want a date and time, got a date or time; write it as 2026-12-24T18:00:00, or with an offset as 2026-12-24T18:00:00+01:00`}},
		{config.KindSidecar, "not_after = \"tomorrow\"\n", []string{`f:1:13: not_after: "tomorrow" is no date and time; write it as 2026-12-24T18:00:00, or with an offset as 2026-12-24T18:00:00+01:00`}},
		{config.KindSidecar, "not_after = 1066-10-14\n", []string{`f:1:13: not_after: the year 1066 is out of range; write a year from 1970 to 2200`}},
		{config.KindSidecar, "retry_on = [\n  \"failed\", # ok\n  \"failed\",\n  \"nonsense\", 3]\n", []string{
			`f:3:3: retry_on[1]: "failed" is listed twice; remove one of them`,
			`f:4:3: retry_on[2]: "nonsense" is not known; write "failed", "timeout", "trapped", "shutdown" or "orphaned"`,
			`f:4:15: retry_on[3]: want a string, got the integer 3; write text in quotes`}},
		{config.KindSidecar, "args = \"--full\"\n", []string{`f:1:8: args: want an array of strings, got the string "--full"; write an array such as ["--full"]`}},
		{config.KindSidecar, "args = [\"a\", \"b\\u0000\"]\n", []string{`f:1:14: args[1]: holds a NUL character; remove it`}},
		{config.KindSidecar, "[env]\nWCRON_X = \"1\"\n\"a=b\" = \"\"\n\"\" = \"\"\nok = 5\nb = \"\\u0000\"\n", []string{
			`f:2:1: env.WCRON_X: is a variable of wcron itself; use a name that does not begin with WCRON_`,
			`f:3:1: env."a=b": is no variable's name; use a name without = and NUL`,
			`f:4:1: env."": is no variable's name; use a name without = and NUL`,
			`f:5:6: env.ok: want a string, got the integer 5; write text in quotes`,
			`f:6:5: env.b: holds a NUL character; remove it`}},
		{config.KindSidecar, "env = 1\n", []string{`f:1:7: env: want a table, got the integer 1; write [env] on a line of its own and the keys below it`}},
		{config.KindSidecar, "schedule = [\"@daily\", \"\"]\n", []string{`f:1:23: schedule[1]: is empty; write a value, or remove the key`}},
		{config.KindSidecar, "schedule = [1]\n", []string{`f:1:13: schedule[0]: want a string, got the integer 1; write text in quotes`}},
		{config.KindSidecar, "schedule = [" + strings.Repeat("\"@daily\",", 17) + "]\n", []string{`f:1:12: schedule: holds 17 schedules; write at most 16; define another job for the others`}},
		{config.KindSidecar, "dst = \"booth\"\n", []string{`f:1:7: dst: "booth" is none of "once", "skip" or "both"; did you mean "both"?`}},
		{config.KindSidecar, "schedule = \"\"\n", []string{`f:1:12: schedule: is empty; write a value, or remove the key`}},
		{config.KindSidecar, "timezone = \"Mars/Olympus\"\n", []string{`f:1:12: timezone: "Mars/Olympus" is no known time zone; write a name such as "Europe/Berlin" or "UTC"`}},
		{config.KindSidecar, "timezone = \"../etc/passwd\"\n", []string{`f:1:12: timezone: "../etc/passwd" is no known time zone; write a name such as "Europe/Berlin" or "UTC"`}},
		{config.KindSidecar, "timezone = \"\"\n", []string{`f:1:12: timezone: is empty; write a value, or remove the key`}},
		{config.KindSidecar, "state_size = \"4MiB\"\n", []string{`f:1:1: state_size: does not belong in a sidecar; a plugin asks for more state with request.state = { size = "4MiB" }; what every job has is the operator's to say, in the host file or jobs.d`}},
		{config.KindManifest, "state_size = \"1KiB\"\n", []string{`f:1:1: state_size: does not belong in a manifest; a plugin asks for more state with request.state = { size = "4MiB" }; what every job has is the operator's to say, in the host file or jobs.d`}},
		{config.KindSidecar, "description = \"a\\nb\"\n", []string{`f:1:15: description: holds the control character U+000A; write plain text on one line`}},
		{config.KindSidecar, "entry = \"" + strings.Repeat("x", 257) + "\"\n", []string{`f:1:9: entry: is 257 bytes long; write at most 256 bytes`}},
		{config.KindSidecar, "input = { a = [1, { b = inf }] }\n", []string{`f:1:9: input: holds +Inf, which JSON cannot; write a number, or text in quotes`}},
		{config.KindSidecar, "input = -nan\n", []string{`f:1:9: input: holds NaN, which JSON cannot; write a number, or text in quotes`}},
		{config.KindJobFile, "plugin = \"../a.wasm\"\n", []string{`f:1:10: plugin: "../a.wasm" does not lie in the plugin folder; write the file's name there, such as "report.wasm"`}},
		{config.KindJobFile, "plugin = \"/a.wasm\"\n", []string{`f:1:10: plugin: "/a.wasm" does not lie in the plugin folder; write the file's name there, such as "report.wasm"`}},
		{config.KindJobFile, "plugin = 'a\\b.wasm'\n", []string{`f:1:10: plugin: "a\\b.wasm" does not lie in the plugin folder; write the file's name there, such as "report.wasm"`}},
		{config.KindSidecar, "env = { \"ä\" = 1, b = 2 }\n", []string{
			`f:1:15: env."ä": want a string, got the integer 1; write text in quotes`,
			`f:1:22: env.b: want a string, got the integer 2; write text in quotes`}},
	}
	for i, tt := range tests {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			j, err := config.ParseJob("f", []byte(tt.src), tt.kind)
			if err == nil {
				t.Fatalf("accepted %q", tt.src)
			}
			if !reflect.DeepEqual(j, config.Job{}) {
				t.Errorf("values beside the error: %+v", j)
			}
			if got := problemsOf(t, err, ""); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%q: got\n%s\nwant\n%s", tt.src, strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

func TestInput(t *testing.T) {
	tests := []struct{ toml, json string }{
		{`input = "text"`, `"text"`},
		{`input = true`, `true`},
		{`input = [1, 2.5, 1.0, 1e21, -0.0]`, `[1,2.5,1,1e+21,-0]`},
		{`input = 9223372036854775807`, `9223372036854775807`},
		{`input = "<a>&\u0000\u001F"`, `"<a>&\u0000\u001f"`},
		{`input = []`, `[]`},
		{`input = {}`, `{}`},
		{`input = 1979-05-27T07:32:00Z`, `"1979-05-27T07:32:00Z"`},
		{`input = 1979-05-27 07:32:00.5-07:00`, `"1979-05-27T07:32:00.5-07:00"`},
		{`input = 1979-05-27T07:32:00`, `"1979-05-27T07:32:00"`},
		{`input = [1979-05-27, 07:32:00.25]`, `["1979-05-27","07:32:00.25"]`},
		{"[[input]]\na = 1\n[[input]]\nb.c = 2\n[input.d]\ne = 3\n", `[{"a":1},{"b":{"c":2},"d":{"e":3}}]`},
	}
	for _, tt := range tests {
		if got := string(job(t, tt.toml).Input); got != tt.json {
			t.Errorf("%s: got %s, want %s", tt.toml, got, tt.json)
		}
	}
}

func TestOver(t *testing.T) {
	base := job(t, fullJob)
	if got := (config.Job{}).Over(base); !reflect.DeepEqual(got, base) {
		t.Errorf("nothing over all: %+v", got)
	}
	top := job(t, "retries = 9\nargs = []\nretry_on = []\ninput = 1\ntimeout = \"5s\"\nenv = { REGION = \"us\", X = \"\" }\n")
	want := base
	want.Retries, want.Timeout, want.Input = new(9), new(config.Duration(5*time.Second)), []byte("1")
	want.Args, want.RetryOn = []string{}, []string{}
	want.Env = map[string]string{"REGION": "us", "X": ""}
	if got := top.Over(base); !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
	if base.Env["REGION"] != "eu" || len(base.Env) != 1 {
		t.Errorf("merging changed the base: %v", base.Env)
	}
	lower := job(t, "env = { LOW = \"1\", REGION = \"de\" }")
	got := top.Over(lower).Env
	if want := map[string]string{"LOW": "1", "REGION": "us", "X": ""}; !reflect.DeepEqual(got, want) {
		t.Errorf("env %v, want %v", got, want)
	}
}

// TestOverMergesEveryField fails for a field of Job that the key table does not know.
func TestOverMergesEveryField(t *testing.T) {
	base := job(t, fullJob)
	base.Name, base.Version, base.Request = new("n"), new("v"), &config.Request{}
	from, merged := reflect.ValueOf(base), reflect.ValueOf(config.Job{}.Over(base))
	for i := range from.NumField() {
		name := from.Type().Field(i).Name
		if from.Field(i).IsZero() {
			t.Errorf("%s: the test's job does not set it", name)
		}
		if merged.Field(i).IsZero() {
			t.Errorf("%s is lost in a merge", name)
		}
	}
}

func TestResolve(t *testing.T) {
	got := config.Job{}.Resolve()
	want := config.Settings{DST: config.DSTOnce,
		Timeout: time.Minute, StartTimeout: time.Minute, Memory: 64 << 20, Output: 1 << 20, StateSize: 1 << 20, Missed: "once", MissedLimit: 100,
		Backoff: config.Backoff{Min: 10 * time.Second, Max: 10 * time.Minute},
		RetryOn: []string{"failed", "timeout", "trapped", "shutdown"}, Overlap: "skip", QueueLimit: 10, MaxConcurrent: 2, HistoryRuns: 1000, HistoryBytes: 64 << 20,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("built-in: got\n%+v\nwant\n%+v", got, want)
	}
	full := job(t, fullJob)
	full.Name, full.Version, full.Request = new("n"), new("v"), &config.Request{}
	s := reflect.ValueOf(full.Resolve())
	for i := range s.NumField() {
		if name := s.Type().Field(i).Name; s.Field(i).IsZero() && name != "Timeout" {
			t.Errorf("%s is lost in Resolve", name)
		}
	}
}

func TestCapsLimit(t *testing.T) {
	caps := config.Caps{Timeout: time.Hour, Memory: 1 << 30, Output: 1 << 20}
	tests := []struct{ own, want, cut string }{
		{"retries = 1", "retries = 1", "[]"},
		{"timeout = \"1h\"\nmemory = \"1GiB\"\noutput = \"1MiB\"", "timeout = \"1h\"\nmemory = \"1GiB\"\noutput = \"1MiB\"", "[]"},
		{"timeout = 0\nmemory = \"4GiB\"\noutput = \"2MiB\"", "timeout = \"1h\"\nmemory = \"1GiB\"\noutput = \"1MiB\"", "[timeout memory output]"},
		{"timeout = \"61m\"", "timeout = \"1h\"", "[timeout]"},
	}
	for _, tt := range tests {
		got, cut := caps.Limit(job(t, tt.own))
		if !reflect.DeepEqual(got, job(t, tt.want)) || fmt.Sprint(cut) != tt.cut {
			t.Errorf("%s: got %+v, cut %v", tt.own, got, cut)
		}
		if free, cut := (config.Caps{}).Limit(job(t, tt.own)); cut != nil || !reflect.DeepEqual(free, job(t, tt.own)) {
			t.Errorf("no caps cut %v", cut)
		}
	}
}

func TestValidName(t *testing.T) {
	for _, name := range []string{"a", "A9", "0", "a.b_c-D", strings.Repeat("x", 64)} {
		if err := config.ValidName(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"", ".", "..", "-a", "_a", ".a", "a b", "a/b", `a\b`, "ä", "a\x00", strings.Repeat("x", 65)} {
		if err := config.ValidName(name); err == nil {
			t.Errorf("%q is accepted", name)
		}
	}
}

func TestUnits(t *testing.T) {
	for text, want := range map[string]string{"90s": "1m30s", "1h30m": "1h30m", "60m": "1h", "0": "0s", "1.5s": "1.5s", "100us": "100µs", "10m": "10m", "1h0m10s": "1h0m10s"} {
		var d, back config.Duration
		if err := d.UnmarshalText([]byte(text)); err != nil || d.String() != want {
			t.Errorf("duration %s: %v, %v; want %s", text, d, err, want)
		}
		if err := back.UnmarshalText([]byte(d.String())); err != nil || back != d {
			t.Errorf("duration %s does not read back: %v", d, err)
		}
	}
	for text, want := range map[string]string{"64MiB": "64MiB", "1024KiB": "1MiB", "1MB": "1000000B", "0": "0B", "0MiB": "0B", "5B": "5B", "1TB": "976562500KiB"} {
		var s, back config.Size
		if err := s.UnmarshalText([]byte(text)); err != nil || s.String() != want {
			t.Errorf("size %s: %v, %v; want %s", text, s, err, want)
		}
		if err := back.UnmarshalText([]byte(s.String())); err != nil || back != s {
			t.Errorf("size %s does not read back: %v", s, err)
		}
	}
	for _, bad := range []string{"", "MiB", "1", "1mib", "1 MiB", "1KIB", "0x1B", "-1B", "+1B", "9223372036854775808B"} {
		if err := new(config.Size).UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("size %q is accepted", bad)
		}
	}
	for _, bad := range []string{"", "5", "1", "1x", "-1s", "s", "999999999h"} {
		if err := new(config.Duration).UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("duration %q is accepted", bad)
		}
	}
	for _, bad := range []string{"", "%", "0%", "101%", "-5%", "+5%", "1.5%", "0", "0MiB", "5"} {
		if err := new(config.Budget).UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("budget %q is accepted", bad)
		}
	}
}

func TestBudgetOf(t *testing.T) {
	tests := []struct {
		b           config.Budget
		total, want int64
	}{
		{config.Budget{Percent: 50}, 101, 50},
		{config.Budget{Percent: 100}, 1<<63 - 1, 1<<63 - 1},
		{config.Budget{Percent: 1}, 99, 0},
		{config.Budget{Bytes: 7}, 3, 7},
	}
	for _, tt := range tests {
		if got := tt.b.Of(tt.total); got != tt.want {
			t.Errorf("%v of %d: %d, want %d", tt.b, tt.total, got, tt.want)
		}
	}
}
