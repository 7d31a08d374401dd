package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/claims/sqlitestore"
	"github.com/wcron/wcron/internal/guest"
	"github.com/wcron/wcron/plugins"
)

// A denial between the look at the plugin folder and the record of what was accepted there stays.
func TestAcceptedVersionGivesWayToADenial(t *testing.T) {
	dir := t.TempDir()
	err := errors.Join(os.Mkdir(filepath.Join(dir, "plugins"), 0o700), os.WriteFile(filepath.Join(dir, "wcron.toml"), nil, 0o600),
		os.WriteFile(filepath.Join(dir, "plugins", "a.wasm"), guest.Hello(), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	store, err := sqlitestore.Open(t.Context(), sqlitestore.Config{Dir: filepath.Join(dir, "state")})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	source, err := openSource(filepath.Join(dir, "wcron.toml"), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	source.Records(recordsOf(store))
	list := accepted(source.Snapshot())
	if len(list) != 1 {
		t.Fatalf("%+v", list)
	}
	denied := list[0]
	denied.Approved, denied.Auto, denied.By = false, false, "ann"
	if err := record(t.Context(), store, time.Now(), denied); err != nil {
		t.Fatal(err)
	}
	if err := record(t.Context(), store, time.Now(), list...); err != nil {
		t.Fatal(err)
	}
	all, _, err := store.Grants(t.Context(), 0)
	if err != nil || len(all) != 1 || all[0].Decision != claims.Denied || all[0].By != "ann" {
		t.Errorf("%+v %v", all, err)
	}
	source.Reload()
	if j, _ := source.Snapshot().Job("a"); j.State != plugins.Denied {
		t.Errorf("%v: %s", j.State, j.Reason)
	}
}
