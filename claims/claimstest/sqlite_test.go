package claimstest_test

import (
	"path/filepath"
	"testing"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/claims/claimstest"
	"github.com/wcron/wcron/claims/sqlitestore"
)

// The embedded engine passes the suite, alone and beside a second opening of its folder.
func TestSQLite(t *testing.T) {
	dirs := map[claims.Store]string{}
	open := func(t *testing.T, dir string) claims.Store {
		t.Helper()
		s, err := sqlitestore.Open(t.Context(), sqlitestore.Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		dirs[s] = dir
		return s
	}
	claimstest.Harness{
		Open:  func(t *testing.T) claims.Store { return open(t, filepath.Join(t.TempDir(), "state")) },
		Again: func(t *testing.T, s claims.Store) claims.Store { return open(t, dirs[s]) },
	}.Run(t)
}
