package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	_ "time/tzdata" // zones must not depend on the machine

	"github.com/wcron/wcron/config"
)

// write makes files below a new folder and returns the folder. Names are slash-separated.
func write(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// load reads the host file of a folder that holds files.
func load(t testing.TB, files map[string]string) (*config.File, string, error) {
	t.Helper()
	dir := write(t, files)
	f, err := config.Load(filepath.Join(dir, "wcron.toml"))
	return f, dir, err
}

func mustLoad(t testing.TB, files map[string]string) (*config.File, string) {
	t.Helper()
	f, dir, err := load(t, files)
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	return f, dir
}

// problemsOf is the problems of an error, as text without the folder.
func problemsOf(t testing.TB, err error, dir string) []string {
	t.Helper()
	e, ok := errors.AsType[*config.Error](err)
	if !ok {
		t.Fatalf("got %v (%T), want a *config.Error", err, err)
	}
	var list []string
	for _, p := range e.Problems {
		s := p.String()
		if dir != "" {
			s = filepath.ToSlash(strings.ReplaceAll(s, dir+string(filepath.Separator), ""))
		}
		list = append(list, s)
	}
	return list
}
