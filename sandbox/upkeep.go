package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// UnusedFor is how long compiled code stays in the cache that no engine has loaded, and that no module which is open is of. Entries of
// other versions of the engine go likewise. What is gone is compiled again when it is wanted.
const UnusedFor = 30 * 24 * time.Hour

const (
	touchEvery     = 24 * time.Hour // how exactly it is known when an entry was used last
	abandonedAfter = 24 * time.Hour // the age from which the temporary folder of a dead process is removed
	temporaryName  = "wcron-cache-" // followed by the pid, and by chance
)

// Upkeep notes which compiled modules are in use, so that no other process takes them for forgotten, and removes from the cache what
// nobody has used for UnusedFor. An engine does so when it is made; one that stays calls it now and then, a day apart or less. The
// cache may be shared with engines of other processes. It does nothing without a cache on disk.
func (e *Engine) Upkeep() error {
	if e.cache == nil || !e.users.enter() {
		return nil
	}
	defer e.users.leave()
	e.loaded.mu.Lock()
	links := make([]string, 0, len(e.loaded.links))
	for link := range e.loaded.links {
		links = append(links, link)
	}
	e.loaded.mu.Unlock()
	var errs []error
	for _, link := range links {
		errs = append(errs, e.cache.touch(link))
	}
	if e.temporary != "" {
		now := time.Now()
		errs = append(errs, os.Chtimes(e.temporary, now, now))
	}
	if err := errors.Join(append(errs, e.cache.evict(UnusedFor))...); err != nil {
		return fmt.Errorf("compile cache %s: %w", e.cache.dir, err)
	}
	return nil
}

// hold notes that a module is open whose compiled code has that link.
func (e *Engine) hold(link string) {
	e.loaded.mu.Lock()
	defer e.loaded.mu.Unlock()
	if e.loaded.links == nil {
		e.loaded.links = map[string]int{}
	}
	e.loaded.links[link]++
}

func (e *Engine) drop(link string) {
	e.loaded.mu.Lock()
	defer e.loaded.mu.Unlock()
	if e.loaded.links[link]--; e.loaded.links[link] <= 0 {
		delete(e.loaded.links, link)
	}
}

// touch notes that an entry is in use: its link is written anew if it has not been for a while. One that is gone stays so.
func (c *cache) touch(link string) error {
	info, err := os.Lstat(link)
	if err != nil || time.Since(info.ModTime()) < touchEvery {
		return ignoreGone(err)
	}
	name, err := os.ReadFile(link)
	if err != nil {
		return ignoreGone(err)
	}
	return replace(link, string(name))
}

// evict removes the entries that nobody has used for so long. The link goes first: who looks for the code from then on has it compiled,
// and who has just read the link compiles it as well where the file is gone.
func (c *cache) evict(unused time.Duration) error {
	old := func(path string) bool {
		info, err := os.Lstat(path)
		return err != nil || time.Since(info.ModTime()) >= unused
	}
	links, err := filepath.Glob(filepath.Join(c.dir, versionPrefix+"*", "*"+linkSuffix))
	if err != nil {
		return err
	}
	used := map[string]bool{}
	for _, link := range links {
		name, err := os.ReadFile(link)
		if err != nil {
			continue // another process was quicker
		}
		if file := filepath.Join(filepath.Dir(link), string(name)); !old(link) {
			used[file] = true
		} else if err := ignoreGone(os.Remove(link)); err != nil {
			return err
		}
	}
	return c.entries(func(path string) error {
		if used[path] || !old(path) || !old(path+sealSuffix) {
			return nil
		}
		return errors.Join(os.RemoveAll(path), os.RemoveAll(path+sealSuffix))
	})
}

func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// newTemporary makes the folder of an engine without a CacheDir, and removes those of processes that were killed.
func newTemporary() (string, error) {
	sweepTemporary()
	return os.MkdirTemp("", temporaryName+strconv.Itoa(os.Getpid())+"-")
}

// sweepTemporary removes what it can. A folder of somebody else is none of ours.
func sweepTemporary() {
	all, err := filepath.Glob(filepath.Join(os.TempDir(), temporaryName+"*-*"))
	if err != nil {
		return
	}
	for _, dir := range all {
		info, err := os.Lstat(dir)
		if err != nil || private(info) != nil || time.Since(info.ModTime()) < abandonedAfter {
			continue
		}
		text, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), temporaryName), "-")
		if pid, err := strconv.Atoi(text); err == nil && pid > 0 && !running(pid) {
			_ = os.RemoveAll(dir)
		}
	}
}

// running tells whether a process may have that pid.
func running(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	defer p.Release() //nolint:errcheck // there is nothing to do about it
	err = p.Signal(syscall.Signal(0))
	return !errors.Is(err, os.ErrProcessDone) && !errors.Is(err, syscall.ESRCH)
}
