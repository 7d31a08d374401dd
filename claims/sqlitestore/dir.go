package sqlitestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

const (
	dirMode  = 0o700
	fileMode = 0o600
)

// prepareDir makes the folder and those in it, and refuses one that others may enter or that is on a network.
func prepareDir(dir string, readOnly bool) error {
	if !readOnly {
		if err := os.MkdirAll(dir, dirMode); err != nil {
			return fmt.Errorf("make the folder: %w", err)
		}
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("look at the folder: %w", err)
	}
	if !info.IsDir() {
		return errors.New("it is not a folder")
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("the folder's mode is %04o, so that others on this machine may enter it: run chmod 700 %s",
			info.Mode().Perm(), dir)
	}
	if kind, err := networkFS(dir); err != nil {
		return fmt.Errorf("look at the file system: %w", err)
	} else if kind != "" {
		return fmt.Errorf("the folder is on %s, where locks do not hold between machines or may be lost: use a folder on a local disk", kind)
	}
	if readOnly {
		return nil
	}
	for _, sub := range []string{"owners", "jobs", "output"} {
		if err := os.Mkdir(filepath.Join(dir, sub), dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("make the folder %s: %w", sub, err)
		}
	}
	return nil
}
