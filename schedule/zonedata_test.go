package schedule_test

import (
	"archive/zip"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// loadZone is where the tests get their zones from.
var loadZone = time.LoadLocation

// eachZoneData runs a test on the machine's zone data and on the data that Go brings along. The two differ in form: Debian's files
// list the changes until 2037, Go's end with a rule early on, and the code that evaluates it is another.
func eachZoneData(t *testing.T, test func(t *testing.T)) {
	t.Run("machine", test)
	t.Run("go", func(t *testing.T) {
		files := goZones(t)
		defer func(old func(string) (*time.Location, error)) { loadZone = old }(loadZone)
		loaded := map[string]*time.Location{"UTC": time.UTC}
		loadZone = func(name string) (*time.Location, error) {
			if loc := loaded[name]; loc != nil {
				return loc, nil
			}
			f, err := files.Open(name)
			if err != nil {
				return nil, err
			}
			defer f.Close()
			data, err := io.ReadAll(f)
			if err != nil {
				return nil, err
			}
			loaded[name], err = time.LoadLocationFromTZData(name, data)
			return loaded[name], err
		}
		test(t)
	})
}

// goZones opens the archive that is also what package time/tzdata is made from.
func goZones(t *testing.T) *zip.ReadCloser {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	var files *zip.ReadCloser
	if err == nil {
		files, err = zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip"))
	}
	if err != nil {
		if os.Getenv("WCRON_CI") == "1" {
			t.Fatal(err)
		}
		t.Skipf("Go's own zone data is not to be had; install Go with its lib folder: %v", err)
	}
	t.Cleanup(func() { files.Close() })
	return files
}
