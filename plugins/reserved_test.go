package plugins

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wcron/wcron/config"
)

// A folder in which the host keeps its own is given to nobody, whatever stands in a grant, by whatever name it is written.
func TestReservedFolders(t *testing.T) {
	top := t.TempDir()
	for _, dir := range []string{"home/plugins/below", "home/state/spool", "home/data", "other"} {
		if err := os.MkdirAll(filepath.Join(top, filepath.FromSlash(dir)), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	in := func(path string) string { return filepath.Join(top, filepath.FromSlash(path)) }
	f := &config.File{Path: in("home/wcron.toml"), Plugins: in("home/plugins"), State: in("home/state")}
	type want struct{ read, write string }
	list := map[string]want{
		"home/data": {}, "other": {}, "home/data/not/there": {}, "home/state-of-mine": {},
		"home/state": {"state folder", "state folder"}, "home/state/spool": {"state folder", "state folder"}, "home/state/modules/new": {"state folder", "state folder"},
		"home": {"state folder", "state folder"}, "home/data/..": {"state folder", "state folder"}, "": {"state folder", "state folder"},
		"home/plugins": {"", "plugin folder"}, "home/plugins/below": {"", "plugin folder"},
	}
	if err := os.Symlink(in("home"), in("link")); err == nil {
		list["link"], list["link/plugins"], list["link/state/x"], list["link/data"] = want{"state folder", "state folder"}, want{"", "plugin folder"}, want{"state folder", "state folder"}, want{}
	}
	for path, want := range list {
		for mode, says := range map[string]string{config.ModeRead: want.read, config.ModeWrite: want.write} {
			d := config.DirGrant{Guest: "/data", Host: in(path), Mode: mode}
			why := Reserved(f, d)
			if (why == "") != (says == "") || !strings.Contains(why, says) {
				t.Errorf("%s, %s: %q, want %q", path, mode, why, says)
			}
			var got decision
			req := config.Request{Dirs: []config.DirRequest{{Guest: "/data", Mode: mode, Reason: "x"}}}
			got.grant(req, config.Grant{Dirs: []config.DirGrant{d}}, f)
			if given := len(got.access.Allowed.Dirs) == 1; given != (says == "") || given == (len(got.access.Denied) == 1) {
				t.Errorf("%s, %s: %+v", path, mode, got.access)
			}
		}
	}
	if why := Reserved(&config.File{Path: in("other/wcron.toml"), Plugins: in("home/plugins"), State: in("home/state")}, config.DirGrant{Host: in("other"), Mode: config.ModeWrite}); !strings.Contains(why, "host file") {
		t.Errorf("the host file: %q", why)
	}
}
