package jobs_test

import (
	"os"
	"path/filepath"
	"testing"
)

// copied is a copy of the example to build in. It stands in a copy of what else of this module a job may import: its package guest.
func (e example) copied(t *testing.T) string {
	t.Helper()
	root, above := t.TempDir(), filepath.Join("..", "..")
	for _, dir := range []string{filepath.Join("examples", "jobs", e.name), "guest"} {
		if err := os.CopyFS(filepath.Join(root, dir), os.DirFS(filepath.Join(above, dir))); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(above, file))
		if err == nil {
			err = os.WriteFile(filepath.Join(root, file), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(root, "examples", "jobs", e.name)
}
