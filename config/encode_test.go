package config_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/config"
)

func TestEncodeJob(t *testing.T) {
	want := `description = "All keys"
plugin = "team/report.wasm"
schedule = "15 3 * * *"
timezone = "America/New_York"
dst = "both"
timeout = 0
start_timeout = "1m30s"
memory = "1GiB"
fuel = 5000000000
output = "2000000B"
state_size = "3000000B"
entry = "run"
args = ["--full", ""]
env = { REGION = "eu" }
config = { days = "7" }
input = { mode = "full" }
not_before = 2026-01-02T03:04:05
not_after = 2027-01-02T03:04:05+01:00
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
history_runs = 5
history_bytes = "1000B"
grant = { state = "2MiB" }
`
	full := job(t, fullJob)
	got, err := config.EncodeJob(full, config.KindJobFile)
	if err != nil || string(got) != want {
		t.Fatalf("got %v\n%s", err, got)
	}
	if back := job(t, string(got)); !reflect.DeepEqual(back, full) {
		t.Errorf("reads back as %+v", back)
	}
}

func TestEncodeJobRoundTrip(t *testing.T) {
	for _, src := range []string{
		"schedule = [\"0 9 * * *\", \"@reboot\"]\ndst = \"both\"", "schedule = []",
		"", "args = []\nretry_on = []\nenv = {}\ninput = {}", "backoff = \"1m\"",
		`input = [1.5, -0.0, 1e300, 100000000000000000000.0, "a\"\\\t\n\u0000\u007F\u00e9\U0001F600", { "" = [], "x y" = [[]] }]`,
		`env = { "x y" = "\u0001", '"' = "'" }`,
		`args = ["""` + "\n" + `two\` + "\n" + `  lines""", '''raw\''']`,
	} {
		j := job(t, src)
		text, err := config.EncodeJob(j, config.KindJobFile)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		if back := job(t, string(text)); !reflect.DeepEqual(back, j) {
			t.Errorf("%s\nwritten as\n%s\nreads back as %+v, want %+v", src, text, back, j)
		}
	}
	m := config.Job{Name: new("a"), Version: new("2"), Schedule: new("@daily")}
	text, err := config.EncodeJob(m, config.KindManifest)
	if err != nil || !strings.HasPrefix(string(text), "manifest = 1\n") {
		t.Fatalf("%v\n%s", err, text)
	}
	if back, err := config.ParseJob("m", text, config.KindManifest); err != nil || !reflect.DeepEqual(back, m) {
		t.Errorf("reads back as %+v, %v", back, err)
	}
}

func TestEncodeJobRefuses(t *testing.T) {
	tests := []struct {
		name string
		job  config.Job
		says string
	}{
		{"range", config.Job{Timeout: new(config.Duration(-time.Second))}, "timeout"},
		{"place", config.Job{Plugin: new("a.wasm")}, "plugin: does not belong in a sidecar"},
		{"null", config.Job{Input: []byte(`{"a":[null]}`)}, "null"},
		{"no JSON", config.Job{Input: []byte(`{`)}, "not JSON"},
		{"two values", config.Job{Input: []byte(`1 2`)}, "more than one"},
		{"empty input", config.Job{Input: []byte{}}, "not JSON"},
		{"number", config.Job{Input: []byte(`1e999`)}, "out of range"},
		{"nesting", config.Job{Input: []byte(strings.Repeat("[", 40) + strings.Repeat("]", 40))}, "nested"},
		{"UTF-8", config.Job{Args: []string{"a\xff"}}, "UTF-8"},
		{"size", config.Job{Args: []string{strings.Repeat("x", 300<<10)}}, "larger than"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text, err := config.EncodeJob(tt.job, config.KindSidecar)
			if err == nil || text != nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %q, %v; want an error that says %q", text, err, tt.says)
			}
		})
	}
}
