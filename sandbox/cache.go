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
	"strings"

	"github.com/tetratelabs/wazero"
)

// cache is the folder of compiled modules. The engine keeps a folder for each of its versions in it, with a file for
// each module; beside each such file lies its seal, the checksum of the whole file. The engine's own checksum covers
// only a part of a file, and not the numbers by which it sizes its tables.
type cache struct {
	dir    string
	engine wazero.CompilationCache
}

const (
	versionPrefix = "wazero-" // of the engine's folders
	sealSuffix    = ".crc32c"
	tempSuffix    = ".tmp" // of the engine's files while it writes them
)

// openCache makes or checks the folder, and deletes what is damaged in it.
func openCache(dir string) (*cache, error) {
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
			if strings.HasSuffix(f.Name(), sealSuffix) || strings.HasSuffix(f.Name(), tempSuffix) {
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
		sum, err := checksum(path)
		seal, sealErr := os.ReadFile(path + sealSuffix)
		if err == nil && sealErr == nil && string(seal) == sum {
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

// isCacheError tells an error of the cache from one of the module.
func isCacheError(err error) bool {
	var path *fs.PathError
	var link *os.LinkError
	return errors.As(err, &path) || errors.As(err, &link) || strings.HasPrefix(err.Error(), "compilationcache: ")
}
