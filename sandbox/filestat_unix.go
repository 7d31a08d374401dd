//go:build unix

package sandbox

import (
	"io/fs"
	"syscall"
)

// nonblock keeps opening what turns out to be a FIFO from waiting for its other end.
const nonblock = syscall.O_NONBLOCK

// identity is the number of a file and how many names it has.
func identity(info fs.FileInfo) (inode, links uint64) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Ino), uint64(st.Nlink) //nolint:unconvert // their types differ between systems
	}
	return 0, 1
}
