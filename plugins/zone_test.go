package plugins

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMachineZone(t *testing.T) {
	dir := t.TempDir()
	link := func(name, target string) string {
		at := filepath.Join(dir, name)
		if err := os.Symlink(target, at); err != nil {
			t.Skipf("no symbolic links here: %v", err)
		}
		return at
	}
	file := func(name, text string) string {
		at := filepath.Join(dir, name)
		if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return at
	}
	none := filepath.Join(dir, "none")
	berlin := link("localtime", "../usr/share/zoneinfo/Europe/Berlin")
	tests := []struct {
		name                string
		tz                  string // "-": not set
		localtime, timezone string
		want, from          string
	}{
		{"TZ", "America/Toronto", berlin, none, "America/Toronto", zoneMachine},
		{"TZ with a colon", ":Asia/Kolkata", none, none, "Asia/Kolkata", zoneMachine},
		{"TZ as a path", ":/usr/share/zoneinfo/posix/Asia/Kolkata", none, none, "Asia/Kolkata", zoneMachine},
		{"empty TZ", "", berlin, none, "UTC", zoneMachine},
		{"TZ that is no name", "EST5EDT4,M3.2.0,M11.1.0", berlin, none, "UTC", zoneFallback},
		{"TZ that is Local", "Local", berlin, none, "UTC", zoneFallback},
		{"link", "-", berlin, file("tz1", "Asia/Tokyo\n"), "Europe/Berlin", zoneMachine},
		{"link over a link", "-", link("second", berlin), none, "Europe/Berlin", zoneMachine},
		{"macOS", "-", link("mac", "/var/db/timezone/zoneinfo/Australia/Lord_Howe"), none, "Australia/Lord_Howe", zoneMachine},
		{"loop of links", "-", link("loop", filepath.Join(dir, "loop")), file("tz2", "Asia/Tokyo"), "Asia/Tokyo", zoneMachine},
		{"copied localtime", "-", file("copy", "TZif2"), file("tz3", "Asia/Tokyo\n"), "Asia/Tokyo", zoneMachine},
		{"a file that names no zone", "-", none, file("tz4", "Middle/Earth\n"), "UTC", zoneFallback},
		{"nothing", "-", none, none, "UTC", zoneFallback},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := machine{localtime: test.localtime, timezone: test.timezone, getenv: func(key string) (string, bool) {
				return test.tz, key == "TZ" && test.tz != "-"
			}}
			z, err := m.zone()
			if z.Name != test.want || z.From != test.from || z.Location == nil || z.Location.String() != test.want {
				t.Errorf("zone() = %+v, want %s from %s", z, test.want, test.from)
			}
			if (err != nil) != (test.from == zoneFallback) {
				t.Errorf("error %v for a zone from %s", err, z.From)
			}
		})
	}
}
