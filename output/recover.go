package output

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Recover puts together what a dead process had spooled of a stream, in the shape that Finish gives it: at most limit bytes (0 or
// less is DefaultLimit), up to DefaultInline of them in memory, else in a synced file. It is false when there is no spool. The
// spool stays: call [Remove] once the result is recorded. One call at a time per name, and only when the writer is gone.
// A damaged spool gives what is left of it, and what is missing counts as cut. An ErrName or a disk error comes with no result.
func Recover(dir, name string, limit int64) (Kept, bool, error) {
	if err := checkName(name); err != nil {
		return Kept{}, false, err
	}
	limit = boundLimit(limit)
	segments, err := tails(dir, name)
	if err != nil {
		return Kept{}, false, fmt.Errorf("output %s: recover: %w", name, err)
	}
	head, err := os.Lstat(headPath(dir, name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Kept{}, false, fmt.Errorf("output %s: recover: %w", name, err)
	}
	if err != nil && len(segments) == 0 {
		return Kept{}, false, nil
	}
	// The writer's limit may have been another: a full head tells it.
	geo := geometryOf(limit)
	if err == nil && mayBeFull(head.Size()) && head.Size() <= 2*MaxLimit {
		geo = geometry{seg: head.Size() / 2}
	}
	segments = slices.DeleteFunc(segments, func(n int64) bool { return !geo.holds(n) })
	v := &view{}
	defer v.close()
	if err := v.load(dir, name, geo, segments[max(0, len(segments)-segmentsKept):]); err != nil {
		return Kept{}, true, fmt.Errorf("output %s: recover: %w", name, err)
	}
	k, err := v.keep(limit, min(DefaultInline, limit), dir, name)
	if err != nil {
		return Kept{}, true, fmt.Errorf("output %s: recover: %w: check the spool folder %s and the space there", name, err, dir)
	}
	return k, true, nil
}

// load opens the files of a spool; those that are missing leave gaps. Without segments the head is the whole stream.
func (v *view) load(dir, name string, geo geometry, segments []int64) error {
	headMax := int64(1) << 60
	if len(segments) > 0 {
		headMax = geo.head()
	}
	if err := v.open(headPath(dir, name), 0, headMax); err != nil {
		return err
	}
	for _, n := range segments {
		if err := v.open(tailPath(dir, name, n), geo.start(n), geo.seg); err != nil {
			return err
		}
	}
	return nil
}

func (v *view) open(path string, from, longest int64) error {
	f, err := openRegular(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	v.files = append(v.files, f)
	info, err := f.Stat()
	if err != nil {
		return err
	}
	v.add(from, min(info.Size(), longest), f)
	return nil
}

// Remove deletes the spool of one name, with a finished file that nobody renamed away. It is no error when there is none. It must
// not be called while a recorder of that name writes.
func Remove(dir, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	segments, err := tails(dir, name)
	if err != nil {
		return fmt.Errorf("output %s: remove spool: %w", name, err)
	}
	paths := []string{headPath(dir, name)}
	for _, n := range segments {
		paths = append(paths, tailPath(dir, name, n))
	}
	return removeAll(append(paths, partPath(dir, name), outPath(dir, name)))
}

// Sweep deletes the spools in dir that nobody needs. keep is called once per name, on the caller's goroutine, and must be true for
// a run that is open or not yet recovered. Files of other shapes are left alone, and a missing folder is no error. The errors of
// all files that could not be deleted come together; the others are gone then.
func Sweep(dir string, keep func(name string) bool) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("output: sweep: %w", err)
	}
	needed := map[string]bool{}
	var paths []string
	for _, e := range entries {
		name, _, ok := parseBase(e.Name())
		if !ok {
			continue
		}
		if _, asked := needed[name]; !asked {
			needed[name] = keep(name)
		}
		if !needed[name] {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return removeAll(paths)
}

func removeAll(paths []string) error {
	var failed []error
	for _, path := range paths {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, fmt.Errorf("output: remove spool: %w", err))
		}
	}
	return errors.Join(failed...)
}
