package jobs_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/wcron/wcron/examples/jobs/jobtest"
)

// withAssemblyScript is an example in AssemblyScript. Its compiler is looked up below $WCRON_NPM, and nothing is fetched.
func withAssemblyScript(t *testing.T, name string) example {
	t.Helper()
	shell(t)
	packages := os.Getenv("WCRON_NPM")
	asc, err := filepath.Abs(filepath.Join(packages, "node_modules", ".bin", "asc"))
	if err != nil {
		t.Fatal(err)
	}
	_, missing := os.Stat(asc)
	if _, err := exec.LookPath("node"); packages == "" || missing != nil || err != nil {
		jobtest.Missing(t, "this job needs AssemblyScript, over Node.js 18 or later: npm install --prefix DIR --ignore-scripts assemblyscript@0.27.37, and set WCRON_NPM=DIR")
	}
	return example{name: name, env: []string{"ASC=" + asc}}
}

// What has changed in a granted folder is told once.
func TestFolderSums(t *testing.T) {
	e := withAssemblyScript(t, "foldersums")
	watched, measured := t.TempDir(), t.TempDir()
	h := jobtest.Start(t, e.plugin(t), fmt.Sprintf(`
[[jobs.foldersums.grant.dir]]
guest = "/watched"
host = '%s'

[jobs.sums]
plugin = "foldersums.wasm"
config = { print = "sums" }
[[jobs.sums.grant.dir]]
guest = "/watched"
host = '%s'

[jobs.homeless]
plugin = "foldersums.wasm"
[jobs.homeless.grant]
`, watched, measured))
	put(t, watched, "app.conf", "a = 1\n")
	put(t, watched, "old.conf", "b = 1\n")
	put(t, watched, "deep/er/é 😀.conf", "")
	expect(t, h.Run(e.name, ""), 0, "watching 3 files\n")
	expect(t, h.Run(e.name, ""), 0, "3 files: 0 new, 0 changed, 0 gone\n")
	put(t, watched, "app.conf", "a = 2\n")
	put(t, watched, "conf.d/tls.conf", "c = 1\n")
	remove(t, watched, "old.conf")
	readme(t, h, e)
	put(t, watched, "deep/er/é 😀.conf", "no longer empty")
	expect(t, h.Run(e.name, ""), 0, "changed  deep/er/é 😀.conf\n3 files: 0 new, 1 changed, 0 gone\n")
	manyFiles(t, h, watched)
	if runtime.GOOS != "windows" {
		if err := os.Symlink("app.conf", filepath.Join(watched, "link.conf")); err != nil {
			t.Fatal(err)
		}
		put(t, watched, "two\nlines.conf", "")
		expect(t, h.Run(e.name, ""), 0, "foldersums: a name with control characters is passed over in the folder\n3 files: 0 new, 0 changed, 0 gone\n")
	}
	sums(t, h, measured)
	expect(t, h.Run("homeless", ""), 1, "foldersums: no folder is granted as /watched\n")
}

func remove(t *testing.T, folder, path string) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(folder, filepath.FromSlash(path))); err != nil {
		t.Fatal(err)
	}
}

// manyFiles are more than one call lists, and come and go.
func manyFiles(t *testing.T, h *jobtest.Host, watched string) {
	t.Helper()
	var fresh, gone strings.Builder
	for i := range 1500 {
		path := fmt.Sprintf("many/a rather long name, so that the block is full %04d.conf", i)
		put(t, watched, path, "")
		fmt.Fprintln(&fresh, "new      "+path)
		fmt.Fprintln(&gone, "gone     "+path)
	}
	expect(t, h.Run("foldersums", ""), 0, fresh.String()+"1503 files: 1500 new, 0 changed, 0 gone\n")
	for i := range 1500 {
		put(t, watched, fmt.Sprintf("many/more than can be remembered, and so the run fails as a whole %04d.conf", i), "")
	}
	e := h.Run("foldersums", "")
	if end := "foldersums: 3003 files are too many to remember; grant a folder with fewer\n"; *e.ExitCode != 1 || !strings.HasSuffix(string(e.Output), end) {
		t.Errorf("too many files: exit code %d, output %.500s", *e.ExitCode, e.Output)
	}
	remove(t, watched, "many")
	expect(t, h.Run("foldersums", ""), 0, gone.String()+"3 files: 0 new, 0 changed, 1500 gone\n")
}

// The sums are those of SHA-256, for lengths around the ends of blocks.
func sums(t *testing.T, h *jobtest.Host, watched string) {
	t.Helper()
	lengths := []int{0, 1, 55, 56, 57, 63, 64, 65, 119, 120, 127, 128, 129, 65535, 65536, 65537, 300_000}
	want := fmt.Sprintf("watching %d files\n\n", len(lengths))
	for _, n := range lengths {
		text := strings.Repeat("0123456789abcdefg", n/17+1)[:n]
		path := fmt.Sprintf("%06d", n)
		put(t, watched, path, text)
		want += fmt.Sprintf("%x  %s\n", sha256.Sum256([]byte(text)), path)
	}
	expect(t, h.Run("sums", ""), 0, want)
}
