package jobs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The table of examples/README.md has a row for each job, with the command that builds it.
func TestTableOfJobs(t *testing.T) {
	table, err := os.ReadFile(filepath.Join("..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for line := range strings.Lines(string(table)) {
		if name, ok := strings.CutPrefix(line, "| ["); ok {
			name, _, _ = strings.Cut(name, "]")
			rows[name] = line
		}
	}
	readmes, err := filepath.Glob("*/README.md")
	if err != nil || len(readmes) < 8 {
		t.Fatalf("%d jobs are there: %v", len(readmes), err)
	}
	for _, file := range readmes {
		e := example{name: filepath.Dir(file)}
		want := "](jobs/" + e.name + ") |"
		if command := strings.TrimSpace(e.block(t, "```sh\n")); !strings.Contains(rows[e.name], want) || !strings.Contains(rows[e.name], "| `"+command+"` |") {
			t.Errorf("examples/README.md has no row for %s that links to it and has the command\n%s\nbut %q", e.name, command, rows[e.name])
		}
	}
}
