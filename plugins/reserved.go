package plugins

import (
	"path/filepath"

	"github.com/wcron/wcron/config"
)

// Reserved says why a folder is given to no job: what lies there is the host's own, and who reads or writes it needs no further grant. It is
// empty for every other folder. Links are followed as they are now.
func Reserved(f *config.File, d config.DirGrant) string {
	if d.Host == "" {
		return ""
	}
	dir := real(d.Host)
	switch {
	case f.State != "" && (within(dir, real(f.State)) || within(real(f.State), dir)):
		return "it has to do with the state folder " + f.State + ", where all that jobs write and all grants are"
	case d.Mode != config.ModeWrite:
	case f.Plugins != "" && (within(dir, real(f.Plugins)) || within(real(f.Plugins), dir)):
		return "who writes there writes to the plugin folder " + f.Plugins
	case f.Path != "" && within(dir, real(f.Path)):
		return "who writes there writes to the host file " + f.Path
	}
	return ""
}

// real is a path with its links followed, as far as it is there.
func real(path string) string {
	for rest := ""; ; {
		if to, err := filepath.EvalSymlinks(path); err == nil {
			return filepath.Join(to, rest)
		}
		above := filepath.Dir(path)
		if above == path {
			return filepath.Join(path, rest)
		}
		path, rest = above, filepath.Join(filepath.Base(path), rest)
	}
}

// within tells whether a path lies in a folder, or is it.
func within(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}
