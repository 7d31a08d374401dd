//go:build unix

package sandbox

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// private tells whether only we can write to a folder. Whoever can write to the compile cache can run native code as us.
func private(info fs.FileInfo) error {
	if !info.IsDir() {
		return fmt.Errorf("it is not a folder")
	}
	if mode := info.Mode().Perm(); mode&0o022 != 0 {
		return fmt.Errorf("others can write to it (mode %#o): run chmod go-w on it, or name another folder", mode)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("it belongs to user %d, and this process runs as user %d: name a folder of its own", st.Uid, os.Geteuid())
	}
	return nil
}
