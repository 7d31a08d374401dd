package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/config"
	"github.com/wcron/wcron/internal/crontab"
	"github.com/wcron/wcron/schedule"
)

// importText runs the command on a text.
func importText(t testing.TB, text string, flags importCmd) (out, said string, err error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	a := &app{stdin: strings.NewReader(text), stdout: &stdout, stderr: &stderr, now: time.Now, getenv: func(string) string { return "" }}
	flags.File = "-"
	err = flags.Run(context.Background(), a)
	return stdout.String(), stderr.String(), err
}

// loaded reads an output as a host file.
func loaded(t testing.TB, dir, text string) *config.File {
	t.Helper()
	path := filepath.Join(dir, "wcron.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := config.Load(path)
	if err != nil {
		t.Fatalf("what was written cannot be read: %v\n%s", err, text)
	}
	return f
}

// Whatever a crontab holds, what is made of it is a host file with a job for each entry that is not complained about, and each has the
// schedule of its line.
func FuzzImport(f *testing.F) {
	for _, seed := range []string{
		"0 2 * * * root backup.sh%in%put\n1 2 * * * root backup.sh\n", "MAILTO=\x00\"\"\"\nA=]\n@reboot y", "* * * * * * 2030 a", "-0~3 ~ * * * '''\"\"\"#[x]\u2028", "CRON_TZ=Europe/Berlin\n0 0 * * * a",
		"CRON_TZ=Nowhere\n0 0 * * * a\n@every 5m c\n@in 5m x\n@at 2030-01-01T00:00:00 x", "\xff\xfe0 0 * * *\xff\x7f", "0 0 30 2 * x\n*/45 * * * * y",
	} {
		f.Add(seed, false)
		f.Add(seed, true)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string, system bool) {
		if len(text) > 1<<14 {
			return
		}
		columns := crontab.User
		if system {
			columns = crontab.System
		}
		out, said, err := importText(t, text, importCmd{System: system, User: !system})
		table := crontab.Parse(strings.ToValidUTF8(text, "\ufffd"), columns)
		file := loaded(t, dir, out)
		bad := strings.Count(said, "stdin:")
		if len(file.Jobs)+bad < len(table.Entries)+len(table.Problems) || (err != nil) != (bad > 0) {
			t.Fatalf("%d entries and %d problems became %d jobs and %d complaints, %v\n%s\n%s", len(table.Entries), len(table.Problems), len(file.Jobs), bad, err, out, said)
		}
		for name, j := range file.Jobs {
			if j.Job.Schedule == nil {
				t.Fatalf("job %s has no schedule:\n%s", name, out)
			}
			if _, err := schedule.Parse(*j.Job.Schedule, schedule.Options{Name: name}); err != nil {
				t.Fatalf("job %s: %v", name, err)
			}
		}
	})
}
