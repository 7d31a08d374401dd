package jobs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/examples/jobs/jobtest"
)

// put writes a file below a folder, with a path that has / in it.
func put(t *testing.T, folder, path, text string) {
	t.Helper()
	file := filepath.Join(folder, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// digested is what logdigest prints.
func digested(rows string, changed, files int, errors string) string {
	return fmt.Sprintf("   LINES   ERRORS WARNINGS  FILE\n%snew lines in %d of %d files\n%s", rows, changed, files, errors)
}

const (
	appLog = `2026-03-08T02:30:00Z INFO  listening on :8080
2026-03-08T02:30:04Z WARN  request 17 took 2100 ms
2026-03-08T02:30:09Z ERROR upstream 10.0.0.7 refused the connection
level=fatal msg="going down"
`
	accessLog = "GET / 200\nDEBUG no error here\n"
)

// A granted folder is read on from where the last run has stopped.
func TestLogDigest(t *testing.T) {
	e := withClang(t, "logdigest")
	logs := t.TempDir()
	h := jobtest.Start(t, e.plugin(t), fmt.Sprintf(`
[[jobs.logdigest.grant.dir]]
guest = "/logs"
host = '%[1]s'

[jobs.mistaken]
plugin = "logdigest.wasm"
config = { show = "few" }
[jobs.mistaken.grant]

[jobs.homeless]
plugin = "logdigest.wasm"
[jobs.homeless.grant]
`, logs))
	put(t, logs, "app.log", appLog)
	put(t, logs, "web/access.log", accessLog)
	put(t, logs, "web/access.txt", "ERROR in no log\n")
	readme(t, h, e)
	long := strings.Repeat("x", 40_000)
	for _, c := range []struct {
		what, path, text string
		output           string
	}{
		{what: "nothing", output: digested("", 0, 2, "")},
		{"a line and the beginning of one", "app.log", appLog + "[warning] disk\nERROR hal", digested("       1        0        1  app.log\n", 1, 2, "")},
		{"its end", "app.log", appLog + "[warning] disk\nERROR half\n", digested("       1        1        0  app.log\n", 1, 2, "\napp.log:6: ERROR half\n")},
		{"another one, as long", "app.log", strings.Replace(appLog+"[warning] disk\nERROR half\n", "8080", "8081", 1), digested(
			"       6        3        2  app.log\n", 1, 2, "\napp.log:3: 2026-03-08T02:30:09Z ERROR upstream 10.0.0.7 refused the connection\n"+
				"app.log:4: level=fatal msg=\"going down\"\napp.log:6: ERROR half\n")},
		{"a shorter one", "app.log", "a\nerr: \x1b[1m" + long + "\nb c d e f error\n", digested("       3        1        0  app.log\n", 1, 2,
			"\napp.log:2: err:  [1m"+long[:512-len("err: .[1m")]+"\n")},
		{"a new file", "a b/é.log", "ERROR 1\nERROR 2\nERROR 3\nERROR 4\nERROR 5", digested("       4        4        0  a b/é.log\n", 1, 3,
			"\na b/é.log:1: ERROR 1\na b/é.log:2: ERROR 2\na b/é.log:3: ERROR 3\nand 1 more\n")},
		{"an empty file", "app.log", "", digested("", 0, 3, "")},
	} {
		if c.path != "" {
			put(t, logs, c.path, c.text)
		}
		expect(t, h.Run(e.name, ""), 0, c.output)
		if t.Failed() {
			t.Fatalf("after %s", c.what)
		}
	}
	if err := os.RemoveAll(filepath.Join(logs, "web")); err != nil {
		t.Fatal(err)
	}
	expect(t, h.Run(e.name, ""), 0, digested("", 0, 2, ""))
	put(t, logs, "web/access.log", accessLog)
	expect(t, h.Run(e.name, ""), 0, digested("       2        0        0  web/access.log\n", 1, 3, ""))

	expect(t, h.Run("mistaken", ""), claims.ExitDisable, "logdigest: config: show = \"few\": want a number, such as \"10\"\n")
	homeless := h.Run("homeless", "")
	if out := string(homeless.Output); *homeless.ExitCode != 1 || !strings.Contains(out, "open /logs: ") {
		t.Errorf("without a folder: exit code %d, output\n%s", *homeless.ExitCode, out)
	}
}
