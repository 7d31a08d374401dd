package plugins

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/wcron/wcron/config"
	"github.com/wcron/wcron/sandbox/meter"
)

// folder is what is known of the plugin folder.
type folder struct {
	dir   string
	units map[string]*unit // by the module's slash path in the folder
	lim   meter.Limits     // what modules are held against
	odd   []string         // names that are almost ours, sorted
	fault *fault           // why the folder is not looked into; what was known before stays
	begun bool             // it was looked into
}

func newFolder(f *config.File) *folder {
	return &folder{dir: f.Plugins, units: map[string]*unit{}, lim: Limits(f.Limits)}
}

// Limits is what a host file says of modules, as those who check them want it.
func Limits(l config.Limits) meter.Limits { return meter.Limits(l) }

// relimit holds all modules against other limits from the next scan on.
func (d *folder) relimit(lim meter.Limits) {
	if d.lim == lim {
		return
	}
	d.lim = lim
	for _, u := range d.units {
		u.module.limit = lim.ModuleSize
	}
	d.reread()
}

// scan looks at everything in the folder, and at the modules that jobs name elsewhere in it. It returns whether anything that
// can be seen of them is different afterwards. except is a file that is no sidecar wherever it lies: the host file.
func (d *folder) scan(in intake, named []string, except string) bool {
	in.lim = d.lim
	before := d.fault
	names, f := d.list()
	d.fault = f
	same := (before == nil) == (f == nil) && (f == nil || *before == *f)
	if f != nil {
		return !same
	}
	odd, listed := d.sort(names, except)
	odd = slices.DeleteFunc(odd, func(name string) bool { return slices.Contains(named, name) })
	same = same && slices.Equal(odd, d.odd)
	d.odd = odd
	for _, name := range named {
		if _, ok := listed[name]; !ok {
			listed[name] = parts{module: true, sidecar: true} // a look will tell
		}
	}
	for name := range listed {
		if d.units[name] == nil {
			d.units[name] = d.unit(name)
			d.units[name].early = !d.begun
		}
	}
	d.begun = true
	for name, u := range d.units {
		has, wanted := listed[name]
		if u.refresh(in, !has.module, !has.sidecar) {
			same = false
		}
		if !wanted && !u.waiting && !u.module.present && !u.sidecar.present {
			delete(d.units, name)
		}
	}
	return !same
}

// list returns the names in the folder, or why it is not looked into.
func (d *folder) list() ([]string, *fault) {
	info, err := os.Stat(d.dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, faultf("make it (mkdir "+d.dir+"), or name another as plugins in the host file", "the plugin folder does not exist")
	case err != nil && isLinkLoop(err):
		return nil, faultf("point the link at a folder", "the plugin folder is a symbolic link that leads back to itself")
	case err != nil:
		return nil, readFault(err)
	case !info.IsDir():
		return nil, faultf("name a folder as plugins in the host file", "the plugin folder is not a folder")
	case othersMayWrite(info):
		return nil, faultf("chmod o-w "+d.dir, "every user of this machine can put files into the plugin folder, so nothing in it is taken")
	}
	f, err := os.Open(d.dir)
	if err != nil {
		return nil, readFault(err)
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil, readFault(err)
	}
	return names, nil
}

// parts says which files of a unit a listing has.
type parts struct{ module, sidecar bool }

// sort returns what the names stand for, by module, and the names that are almost ours.
func (d *folder) sort(names []string, except string) (odd []string, units map[string]parts) {
	units = map[string]parts{}
	for _, name := range names {
		switch k, base := kindOf(name); k {
		case module:
			has := units[name]
			has.module = true
			units[name] = has
		case sidecar:
			if sameFile(filepath.Join(d.dir, name), except) {
				continue
			}
			has := units[base+moduleExt]
			has.sidecar = true
			units[base+moduleExt] = has
		case oddCase:
			odd = append(odd, name)
		}
	}
	slices.Sort(odd)
	return odd, units
}

// sameFile compares paths first, so that a stat is needed only where the last parts of the two are the same.
func sameFile(a, b string) bool {
	if a == b {
		return true
	}
	if filepath.Base(a) != filepath.Base(b) {
		return false
	}
	ai, err := os.Stat(a)
	if err != nil {
		return false
	}
	bi, err := os.Stat(b)
	return err == nil && os.SameFile(ai, bi)
}

func (d *folder) unit(name string) *unit {
	at := filepath.Join(d.dir, filepath.FromSlash(name))
	side := strings.TrimSuffix(at, moduleExt) + sidecarExt
	return &unit{
		module:  track{path: at, shown: readable(at), limit: d.lim.ModuleSize},
		sidecar: track{path: side, shown: readable(side), limit: maxManifest},
	}
}

// reread makes the next scan read every file, whatever its stamp says.
func (d *folder) reread() {
	for _, u := range d.units {
		u.module.taken, u.sidecar.taken = false, false
	}
}

// waiting tells whether a file has not settled.
func (d *folder) waiting() bool {
	for _, u := range d.units {
		if u.waiting {
			return true
		}
	}
	return false
}

// problems is everything that is wrong in the folder that no job tells of, in the order of the names.
func (d *folder) problems() []config.Problem {
	var list []config.Problem
	if d.fault != nil {
		list = append(list, config.Problem{File: readable(d.dir), What: d.fault.what, Remedy: d.fault.remedy})
	}
	for _, name := range d.odd {
		list = append(list, config.Problem{File: readable(filepath.Join(d.dir, name)),
			What: "its name does not end in " + moduleExt + " or " + sidecarExt + " in small letters", Remedy: "rename it, or take it away"})
	}
	for _, name := range slices.Sorted(maps.Keys(d.units)) {
		u := d.units[name]
		if u.waiting || u.module.present || !u.sidecar.present {
			continue
		}
		list = append(list, config.Problem{File: u.sidecar.shown,
			What: "there is no " + readable(path.Base(name)) + " beside it", Remedy: "add the module, or remove this file"})
	}
	return list
}

// watched are the folders in which a change can be one of ours.
func (d *folder) watched(named []string) []string {
	list := []string{d.dir}
	for _, name := range named {
		if dir := path.Dir(name); dir != "." {
			list = append(list, filepath.Join(d.dir, filepath.FromSlash(dir)))
		}
	}
	return list
}

// interval fills in a default.
func interval(d, def time.Duration) time.Duration {
	if d <= 0 {
		return def
	}
	return d
}
