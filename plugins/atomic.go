package plugins

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// tempPrefix begins the name of a file that is being written. It hides the file from every scan.
const tempPrefix = ".wcron-new-"

// writeTemp writes a file next to path under a hidden name, synced, and returns that name.
func writeTemp(path string, b []byte, mode os.FileMode) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(path), tempPrefix+"*")
	if err != nil {
		return "", err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		os.Remove(f.Name())
		return "", fmt.Errorf("write %s: %w", f.Name(), err)
	}
	return f.Name(), nil
}

// writeAtomic puts a whole file in place of whatever is at path: after a crash there is either the old one or the new one.
func writeAtomic(path string, b []byte, mode os.FileMode) error {
	temp, err := writeTemp(path, b, mode)
	if err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		os.Remove(temp)
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes renames and removals in a folder survive a loss of power.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // a folder cannot be synced there
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Overwrite puts a whole file at path, in place of what is there: after a crash there is either the old one or the new one. It gets the
// mode of the file at like.
func Overwrite(path string, b []byte, like string) error {
	info, err := os.Stat(like)
	if err != nil {
		return err
	}
	if to, err := filepath.EvalSymlinks(path); err == nil {
		path = to // a link stays one
	}
	return writeAtomic(path, b, info.Mode().Perm())
}

// Digest is the name of bytes in the content store: their SHA-256 in hex.
func Digest(b []byte) string { return digestOf(b) }
