package sandbox

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tetratelabs/wazero"
)

// cache is the folder of compiled modules. The engine keeps a folder for each of its versions in it, with a file for
// each module; beside each such file lies its seal, the checksum of the whole file. The engine's own checksum covers
// only a part of a file, and not the numbers by which it sizes its tables. What a worker compiled is found again by a
// link, which is named after the metered module and holds the name of its file; the engine does not tell that name.
type cache struct {
	dir     string
	version string // the folder in it that the engine of this program uses
	engine  wazero.CompilationCache
}

const (
	versionPrefix = "wazero-" // of the engine's folders
	sealSuffix    = ".crc32c"
	linkSuffix    = ".link"
	tempSuffix    = ".tmp" // of files while they are written
)

// openCache makes or checks the folder, and deletes what is damaged in it. What workers left behind is deleted if it is
// older than stale.
func openCache(dir string, stale time.Duration) (*cache, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if err := private(info); err != nil {
		return nil, err
	}
	c := &cache{dir: dir}
	if err := c.verify(); err != nil {
		return nil, err
	}
	if err := c.sweep(stale); err != nil {
		return nil, err
	}
	if err := c.evict(UnusedFor); err != nil {
		return nil, err
	}
	if err := c.findVersion(); err != nil {
		return nil, err
	}
	if c.engine, err = wazero.NewCompilationCacheWithDir(dir); err != nil {
		return nil, err
	}
	return c, nil
}

// entries calls visit for each file of the engine that is complete.
func (c *cache) entries(visit func(path string) error) error {
	versions, err := c.versions()
	if err != nil {
		return err
	}
	for _, version := range versions {
		files, err := os.ReadDir(version)
		if err != nil {
			return err
		}
		for _, f := range files {
			if slices.Contains([]string{sealSuffix, linkSuffix, tempSuffix}, filepath.Ext(f.Name())) {
				continue
			}
			if err := visit(filepath.Join(version, f.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *cache) versions() ([]string, error) {
	all, err := os.ReadDir(c.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var list []string
	for _, d := range all {
		if !strings.HasPrefix(d.Name(), versionPrefix) {
			continue
		}
		path := filepath.Join(c.dir, d.Name())
		if !d.IsDir() {
			if err := os.Remove(path); err != nil {
				return nil, err
			}
			continue
		}
		list = append(list, path)
	}
	return list, nil
}

// verify deletes each entry that does not match its seal.
func (c *cache) verify() error {
	return c.entries(func(path string) error {
		if intact(path) {
			return nil
		}
		if err := os.RemoveAll(path + sealSuffix); err != nil {
			return err
		}
		return os.RemoveAll(path)
	})
}

// seal writes the seal of each entry that has none. Another process may do the same at the same time.
func (c *cache) seal() error {
	return c.entries(func(path string) error {
		if _, err := os.Lstat(path + sealSuffix); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		sum, err := checksum(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path+sealSuffix, []byte(sum), 0o600)
	})
}

// clear empties the folders of the engine, and keeps them: the engine makes them only when it opens the cache.
func (c *cache) clear() error {
	versions, err := c.versions()
	if err != nil {
		return err
	}
	for _, version := range versions {
		if err := os.RemoveAll(version); err != nil {
			return err
		}
	}
	again, err := wazero.NewCompilationCacheWithDir(c.dir)
	if err != nil {
		return err
	}
	return again.Close(context.Background())
}

// intact tells whether a file matches its seal.
func intact(path string) bool {
	seal, err := os.ReadFile(path + sealSuffix)
	if err != nil {
		return false
	}
	sum, err := checksum(path)
	return err == nil && string(seal) == sum
}

// checksum is the CRC-32C of a file and its length, as text.
func checksum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	n, err := io.Copy(h, f)
	return fmt.Sprintf("%08x %d\n", h.Sum32(), n), err
}

// isCacheError tells an error of the cache from one of the module or of a worker.
func isCacheError(err error) bool {
	var module *ModuleError
	var worker workerError
	if errors.As(err, &module) || errors.As(err, &worker) {
		return false
	}
	var path *fs.PathError
	var link *os.LinkError
	return errors.As(err, &path) || errors.As(err, &link) || strings.HasPrefix(err.Error(), "compilationcache: ")
}
