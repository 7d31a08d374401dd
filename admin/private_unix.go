//go:build unix

package admin

import (
	"fmt"
	"os"
	"syscall"
)

// private refuses a folder that others may change: they could put their own socket in the place of ours.
func private(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("the folder %s belongs to user %d and not to this one: remove it, or use another", dir, st.Uid)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("the folder's mode is %04o, so that others on this machine may enter it: run chmod 700 %s", info.Mode().Perm(), dir)
	}
	return nil
}
