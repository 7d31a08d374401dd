package sqlitestore

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// A state folder may be called anything that the file system takes, and the database stays in it.
func TestFoldersOfAnyName(t *testing.T) {
	names := []string{"Application Support", "a+b", "100%25", "q=1&r=2", "#frag", "ümlaut", "semi;colon", "[v6]"}
	if runtime.GOOS != "windows" {
		names = append(names, "what?", "new\nline", `back\slash`, "colon:", "quote\"'")
	}
	if runtime.GOOS == "linux" {
		names = append(names, "not\xffutf8")
	}
	for _, name := range names {
		parent := t.TempDir()
		dir := filepath.Join(parent, name, "state")
		s, err := Open(t.Context(), Config{Dir: dir})
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		put(t, s, "a")
		if err := s.Close(); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if info, err := os.Stat(filepath.Join(dir, "ledger.db")); err != nil {
			t.Errorf("%q: %v", name, err)
		} else if runtime.GOOS != "windows" && info.Mode().Perm() != fileMode {
			t.Errorf("%q: mode %04o", name, info.Mode().Perm())
		}
		if again, err := Open(t.Context(), Config{Dir: dir, ReadOnly: true}); err != nil {
			t.Errorf("%q, again: %v", name, err)
		} else if err := again.Close(); err != nil {
			t.Errorf("%q, again: %v", name, err)
		}
		if there, err := os.ReadDir(parent); err != nil || len(there) != 1 {
			t.Errorf("%q: beside it: %v %v", name, there, err)
		}
	}
}
