package plugins

import (
	"io/fs"
	"syscall"
	"time"
)

// changed is when the file's content or attributes last changed. Unlike the modification time it cannot be set back, as
// `cp -p` and `tar` do.
func changed(info fs.FileInfo) time.Time {
	at := info.ModTime()
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		if c := time.Unix(int64(st.Ctim.Sec), int64(st.Ctim.Nsec)); c.After(at) {
			return c
		}
	}
	return at
}
