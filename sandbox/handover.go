package sandbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/tetratelabs/wazero"
)

// A worker compiles into a folder of its own inside the cache, so that whatever it leaves behind goes with that folder.
// What is whole is then moved to where the engine finds it.

// buildPrefix begins the names of the workers' folders.
const buildPrefix = "build-"

// newBuild makes a folder for a worker.
func (c *cache) newBuild() (string, error) { return os.MkdirTemp(c.dir, buildPrefix) }

// sweep deletes workers' folders and half-written files that are older than that: who made them was killed.
func (c *cache) sweep(stale time.Duration) error {
	builds, err := filepath.Glob(filepath.Join(c.dir, buildPrefix+"*"))
	if err != nil {
		return err
	}
	halves, err := filepath.Glob(filepath.Join(c.dir, versionPrefix+"*", "*"+tempSuffix))
	if err != nil {
		return err
	}
	for _, path := range append(builds, halves...) {
		info, err := os.Lstat(path)
		if err != nil || time.Since(info.ModTime()) < stale {
			continue // it may be in use, or was just deleted
		}
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return nil
}

// findVersion learns from the engine in which folder it keeps its files.
func (c *cache) findVersion() error {
	build, err := c.newBuild()
	if err != nil {
		return err
	}
	defer os.RemoveAll(build)
	engine, err := wazero.NewCompilationCacheWithDir(build)
	if err != nil {
		return err
	}
	made, err := os.ReadDir(build)
	if err == nil && len(made) != 1 {
		err = fmt.Errorf("the engine made %d folders in an empty cache", len(made))
	}
	if err == nil {
		c.version = made[0].Name()
	}
	return errors.Join(err, engine.Close(context.Background()))
}

func (c *cache) link(metered []byte) string {
	sum := sha256.Sum256(metered)
	return filepath.Join(c.dir, c.version, hex.EncodeToString(sum[:])+linkSuffix)
}

// has tells whether the engine will find the compiled code of a metered module, whole.
func (c *cache) has(metered []byte) bool {
	name, err := os.ReadFile(c.link(metered))
	return err == nil && filepath.IsLocal(string(name)) && intact(filepath.Join(c.dir, c.version, string(name)))
}

// adopt moves what a worker compiled to where the engine finds it. The seal is there before the file, so that nobody
// who verifies the cache meanwhile takes the file for damaged; the link comes last. Where the engine interprets there is nothing to move.
func (c *cache) adopt(build string, metered []byte) error {
	made, err := filepath.Glob(filepath.Join(build, versionPrefix+"*"))
	if err != nil || len(made) != 1 || filepath.Base(made[0]) != c.version {
		return fmt.Errorf("it compiles for another version of the engine (%q) than this program (%s); "+
			"start this program again, with a worker that is the same program", baseNames(made), c.version)
	}
	files, err := os.ReadDir(made[0])
	if err != nil || len(files) == 0 {
		return err
	}
	if len(files) > 1 {
		return fmt.Errorf("it left %d files in place of one", len(files))
	}
	from, to := filepath.Join(made[0], files[0].Name()), filepath.Join(c.dir, c.version, files[0].Name())
	if !intact(to) {
		sum, err := checksum(from)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		if err := replace(to+sealSuffix, sum); err != nil {
			return err
		}
		if err := os.RemoveAll(to); err != nil { // a folder may stand there
			return err
		}
		if err := os.Rename(from, to); err != nil {
			return err
		}
	}
	return replace(c.link(metered), files[0].Name())
}

// replace writes a file that nobody sees half written.
func replace(path, content string) error {
	f, err := os.CreateTemp(filepath.Dir(path), "*"+tempSuffix)
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return err
}

// size is how large the compiled code is that a worker has left.
func size(build string) int64 {
	var n int64
	_ = filepath.WalkDir(build, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			n += info.Size()
		}
		return err
	})
	return n
}

func baseNames(paths []string) []string {
	var list []string
	for _, p := range paths {
		list = append(list, filepath.Base(p))
	}
	return list
}
