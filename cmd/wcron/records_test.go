package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/claims/sqlitestore"
	"github.com/wcron/wcron/internal/guest"
	"github.com/wcron/wcron/plugins"
)

// decisionList stands for a ledger.
type decisionList []claims.Grant

func (l decisionList) Grants(context.Context, int64) ([]claims.Grant, int64, error) {
	return l, int64(len(l)), nil
}

func (decisionList) Grant(context.Context, time.Time, []claims.Grant) error { return nil }

// A decision that cannot be read lets its own version not run, and keeps no other job from running.
func TestUnreadableDecisionIsNoApproval(t *testing.T) {
	read := recordsOf(decisionList{
		{Job: "a", Plugin: "a.wasm", Digest: "1", Decision: claims.Approved, Requested: "{}", Granted: `{"http":3}`, By: "ann"},
		{Job: "b", Plugin: "b.wasm", Digest: "2", Decision: claims.Approved, Requested: "{}", Granted: "{}", By: "ann"},
	})
	list, rev, err := read(0)
	if err != nil || rev != 2 || len(list) != 2 || !list[1].Approved {
		t.Fatalf("%+v %d %v", list, rev, err)
	}
	if r := list[0]; r.Approved || r.Digest != "1" || !strings.Contains(r.By, "cannot be read") || len(r.Granted.HTTP) > 0 {
		t.Errorf("%+v", r)
	}
}

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
