package plugins

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// ErrContent says that the bytes of a digest are not to be had: neither kept nor in the plugin folder any more.
var ErrContent = errors.New("the bytes of this digest are gone")

// contentStore keeps the bytes of plugins by digest: in a folder as DIGEST.wasm, or in memory if it has none.
// All methods may be called concurrently, and several processes may share the folder: a file in it never changes, and a file
// that any of them has used of late is not removed.
type contentStore struct {
	dir    string
	limit  int64 // most bytes that are read back
	frozen bool  // nothing is kept, and nothing that is there is changed

	mu  sync.Mutex
	mem map[string][]byte // guarded by mu; used without a folder
}

func openContent(dir string, limit int64) (*contentStore, error) {
	c := &contentStore{dir: dir, limit: limit, mem: map[string][]byte{}}
	if dir == "" {
		return c, nil
	}
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = os.Chmod(dir, 0o700) // one that was there may be open to others
	}
	if err != nil {
		return nil, fmt.Errorf("open content store: %w", err)
	}
	return c, nil
}

// frozenContent is a store of which what is there can be read, and that never changes. The folder need not exist.
func frozenContent(dir string, limit int64) *contentStore {
	return &contentStore{dir: dir, limit: limit, frozen: true}
}

func (c *contentStore) path(digest string) string { return filepath.Join(c.dir, digest+moduleExt) }

// put keeps the bytes. Bytes that are there already are left as they are: what is read back is checked.
func (c *contentStore) put(digest string, b []byte) error {
	if c.frozen {
		return nil
	}
	if c.dir == "" {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.mem[digest] = b
		return nil
	}
	if info, err := os.Lstat(c.path(digest)); err == nil && info.Mode().IsRegular() && info.Size() == int64(len(b)) {
		return nil
	}
	if err := writeAtomic(c.path(digest), b, 0o600); err != nil {
		return fmt.Errorf("keep plugin %.12s in %s: %w", digest, c.dir, err)
	}
	return nil
}

// get returns the bytes of the digest, checked, or ErrContent.
func (c *contentStore) get(digest string) ([]byte, error) {
	if !isDigest(digest) {
		return nil, fmt.Errorf("%w: %q is not a SHA-256 in hex", ErrContent, digest)
	}
	if c.dir == "" {
		c.mu.Lock()
		defer c.mu.Unlock()
		if b, ok := c.mem[digest]; ok {
			return b, nil
		}
		return nil, ErrContent
	}
	f, err := os.OpenFile(c.path(digest), openFlags, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrContent
	}
	if err != nil {
		return nil, fmt.Errorf("read plugin %.12s: %w", digest, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, c.limit+1))
	if err != nil {
		return nil, fmt.Errorf("read plugin %.12s: %w", digest, err)
	}
	if digestOf(b) != digest {
		return nil, fmt.Errorf("%w: %s is damaged", ErrContent, c.path(digest))
	}
	return b, nil
}

// drop forgets the bytes of a digest, so that the next put writes them anew.
func (c *contentStore) drop(digest string) {
	if c.frozen {
		return
	}
	if c.dir == "" {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.mem, digest)
		return
	}
	os.Remove(c.path(digest)) // a file that stays is seen to be damaged again, and said again
}

// retain makes a store in memory forget what is not in keep.
func (c *contentStore) retain(keep map[string]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.mem, func(digest string, _ []byte) bool { return !keep[digest] })
}

// sweep removes the files that are not in keep and that nobody has kept for the time retain. Each file in keep is marked with now,
// so that other processes leave it alone.
func (c *contentStore) sweep(keep map[string]bool, now time.Time, retain time.Duration) error {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return fmt.Errorf("sweep content store: %w", err)
	}
	var first error
	for _, e := range entries {
		digest, ok := strings.CutSuffix(e.Name(), moduleExt)
		ours := ok && isDigest(digest)
		if !ours && !strings.HasPrefix(e.Name(), tempPrefix) {
			continue
		}
		path := filepath.Join(c.dir, e.Name())
		if ours && keep[digest] {
			err = os.Chtimes(path, now, now)
		} else if info, ierr := e.Info(); ierr == nil && now.Sub(info.ModTime()) > retain {
			err = os.Remove(path)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) && first == nil {
			first = fmt.Errorf("sweep content store: %w", err)
		}
		err = nil
	}
	return first
}

func isDigest(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}
