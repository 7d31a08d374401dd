package output

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ErrName says that a name is empty, longer than 128 bytes, or holds something else than A-Z, a-z, 0-9 and '-'.
var ErrName = errors.New("not a valid name: use 1 to 128 letters, digits and '-'")

const maxName = 128

func checkName(name string) error {
	ok := name != "" && len(name) <= maxName
	for i := 0; ok && i < len(name); i++ {
		c := name[i]
		ok = c == '-' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
	}
	if !ok {
		return fmt.Errorf("output %q: %w", name, ErrName)
	}
	return nil
}

func headPath(dir, name string) string { return filepath.Join(dir, name+".head") }
func partPath(dir, name string) string { return filepath.Join(dir, name+".part") }
func outPath(dir, name string) string  { return filepath.Join(dir, name+".out") }
func tailPath(dir, name string, n int64) string {
	return filepath.Join(dir, name+".tail."+strconv.FormatInt(n, 10))
}

// parseBase tells whose spool a file belongs to. The segment number is -1 for all but tails.
func parseBase(base string) (name string, segment int64, ok bool) {
	name, kind, _ := strings.Cut(base, ".")
	if checkName(name) != nil {
		return "", 0, false
	}
	switch kind {
	case "head", "part", "out":
		return name, -1, true
	}
	digits, ok := strings.CutPrefix(kind, "tail.")
	if !ok {
		return "", 0, false
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != digits {
		return "", 0, false
	}
	return name, n, true
}

// tails lists the segments of a spool, oldest first. A missing folder has none.
func tails(dir, name string) ([]int64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var found []int64
	for _, e := range entries {
		if owner, n, ok := parseBase(e.Name()); ok && owner == name && n >= 0 {
			found = append(found, n)
		}
	}
	slices.Sort(found)
	return found, nil
}

// openRegular opens a file for reading and refuses anything else: opening a pipe would wait for a writer.
func openRegular(path string) (*os.File, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: path, Err: errors.New("not a regular file: remove it")}
	}
	return os.Open(path)
}
