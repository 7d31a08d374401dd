package sqlitestore

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// holder names the process that holds the flock of a file, as far as the kernel tells; empty: it does not.
func holder(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	table, err := os.ReadFile("/proc/locks")
	if err != nil {
		return ""
	}
	return findHolder(string(table), st.Ino)
}

// findHolder reads lines such as "7: FLOCK  ADVISORY  WRITE 4242 08:01:1835011 0 EOF". The device is left out of the comparison:
// some file systems show another one there than stat does.
func findHolder(table string, inode uint64) string {
	want := fmt.Sprintf(":%d", inode)
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) == 8 && f[1] == "FLOCK" && strings.HasSuffix(f[5], want) && strings.Count(f[5], ":") == 2 {
			return "pid " + f[4]
		}
	}
	return ""
}
