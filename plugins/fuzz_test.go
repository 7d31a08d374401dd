package plugins

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/config"
	"github.com/wcron/wcron/internal/guest"
	"github.com/wcron/wcron/sandbox/meter"
)

// FuzzManifest merges whatever a plugin says of itself. The caps must hold, and a job that cannot run must say why.
func FuzzManifest(f *testing.F) {
	f.Add([]byte("schedule = \"@daily\"\nmemory = \"1GiB\"\n"), []byte("timeout = \"0\"\n"))
	f.Add([]byte("schedule = \"H H * * *\"\ntimezone = \"Asia/Tokyo\"\n[env]\nA = \"1\"\n"), []byte("retries = 3"))
	f.Add([]byte("timeout = 0\noutput = \"1GiB\""), []byte("\xff"))
	f.Add([]byte("schedule = \"CRON_TZ=Europe/Berlin 0 9 * * *\""), []byte("timezone = \"UTC\""))
	f.Add([]byte("manifest = 2"), []byte(""))
	f.Add([]byte("schedule = \"@in 20m\"\nargs = []"), []byte("input = { a = [1, 2] }"))
	file := config.Default("/nowhere")
	file.Caps = config.Caps{Timeout: time.Minute, Memory: 32 << 20, Output: 1 << 20}
	base := guest.MemoryMin(300)
	origins := []string{fromDefault, fromManifest, fromSidecar}
	f.Fuzz(func(t *testing.T, manifest, side []byte) {
		folder := newFolder(file)
		u := folder.unit("job.wasm")
		u.module.present, u.sidecar.present = true, true
		folder.units["job.wasm"] = u
		var problems []config.Problem
		if u.fromModule, problems = inspect(u.module.shown, guest.WithManifest(base, string(manifest)), meter.Limits{}); len(problems) > 0 {
			u.module.refuse(problems...)
		}
		job, err := config.ParseJob(u.sidecar.shown, side, config.KindSidecar)
		if u.fromSidecar = (&layer{job: job, from: fromSidecar, file: u.sidecar.shown}); err != nil {
			u.sidecar.refuse(problemsOf(err)...)
		}
		u.adopt()
		b := &builder{file: file, base: file.Base(), folder: folder, zone: Zone{"UTC", time.UTC, zoneMachine}}
		set := b.build()
		if names := names(set); !strings.HasPrefix(names, "job:") || len(set.Jobs) != 1 {
			t.Fatalf("jobs %q", names)
		}
		j := set.Jobs[0]
		v := j.Settings
		if v.Memory > file.Caps.Memory && strings.HasPrefix(j.Origin["memory"], fromManifest) || v.Output > file.Caps.Output ||
			v.Timeout > file.Caps.Timeout || v.Timeout <= 0 {
			t.Errorf("above the caps: memory %d, output %d, timeout %v", v.Memory, v.Output, v.Timeout)
		}
		if v.Plugin != "job.wasm" || j.Name != "job" {
			t.Errorf("the plugin calls itself %q, %q", j.Name, v.Plugin)
		}
		for key, from := range j.Origin {
			if !slices.Contains(origins, strings.TrimSuffix(from, cutToCaps)) {
				t.Errorf("%s comes from %q", key, from)
			}
		}
		switch {
		case j.State == Broken && (j.Reason == "" || len(set.Problems) == 0):
			t.Error("broken for no reason")
		case j.State == Active && (j.Schedule == nil || u.good == nil || j.MinMemory > v.Memory):
			t.Error("active without what it needs")
		case j.State == Manual && (j.ScheduleText != "" || j.Remedy == ""):
			t.Error("manual with a schedule, or without a remedy")
		}
	})
}

// FuzzModule looks at whatever lies in the folder.
func FuzzModule(f *testing.F) {
	f.Add(good())
	f.Add([]byte("\x00asm\x01\x00\x00\x00\x0b\x05\xff\xff\xff\xff\x0f"))
	f.Add([]byte("<html>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, problems := inspect("x.wasm", b, meter.Limits{})
		if (p == nil) != (len(problems) > 0) {
			t.Errorf("plugin %v, problems %v", p, problems)
		}
		for _, problem := range problems {
			if problem.What == "" {
				t.Error("a problem that says nothing")
			}
		}
	})
}
