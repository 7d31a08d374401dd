//go:build unix

package plugins

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// openFlags keeps an open from waiting for the other end of a FIFO that took the place of the file that was looked at.
const openFlags = os.O_RDONLY | syscall.O_NONBLOCK | syscall.O_NOCTTY

// identity is the number of the file itself, which a rename over it changes.
func identity(info fs.FileInfo) (dev, ino uint64) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Dev), uint64(st.Ino)
	}
	return 0, 0
}

func isLinkLoop(err error) bool { return errors.Is(err, syscall.ELOOP) }

// othersMayWrite tells whether any user of the machine may change the file, or put files into the folder.
func othersMayWrite(info fs.FileInfo) bool { return info.Mode().Perm()&0o002 != 0 }
