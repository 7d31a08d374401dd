package output

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// geometry says where a stream's bytes lie on disk.
type geometry struct {
	seg int64 // bytes of a tail segment; the head holds two times that
}

// segUnit rounds segments up. A head whose length is no multiple of two units is therefore not full, and a reader that does not
// know the limit can tell that nothing came after it.
const segUnit = 256

func geometryOf(limit int64) geometry {
	quarter := (limit + 3) / 4
	return geometry{seg: (quarter + segUnit - 1) / segUnit * segUnit}
}

func (g geometry) head() int64         { return 2 * g.seg }
func (g geometry) start(n int64) int64 { return g.head() + n*g.seg }

// holds reports whether a segment's bytes have a place in a stream. A stray file's name may carry any number.
func (g geometry) holds(n int64) bool { return n < (1<<61)/max(g.seg, 1) }

// mayBeFull reports whether a head of this length can be complete.
func mayBeFull(head int64) bool {
	return head >= geometryOf(MinLimit).head() && head%(2*segUnit) == 0
}

const (
	segmentsKept = 3
	// undeletedMax bounds the segments that a reader keeps from being removed (on Windows an open file cannot be).
	undeletedMax = 16
)

// spool appends a stream to its files. It is not safe for concurrent use, and useless after its first error.
type spool struct {
	dir, name string
	geo       geometry
	f         *os.File // being appended to; nil before the first byte
	n         int64    // its segment; -1 is the head
	oldest    int64    // the oldest segment that is not yet removed
	pos       int64    // bytes given to the kernel
}

func newSpool(dir, name string, limit int64) *spool {
	return &spool{dir: dir, name: name, geo: geometryOf(limit), n: -1}
}

// write returns how much of p the kernel has got.
func (s *spool) write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		room, err := s.room()
		if err != nil {
			return done, err
		}
		n, err := s.f.Write(p[done : done+int(min(room, int64(len(p)-done)))])
		done += n
		s.pos += int64(n)
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// room makes sure that s.f has room, and says how much.
func (s *spool) room() (int64, error) {
	if s.f == nil {
		if err := os.MkdirAll(s.dir, 0o700); err != nil {
			return 0, err
		}
		if err := s.create(headPath(s.dir, s.name)); err != nil {
			return 0, err
		}
	}
	if room := s.geo.start(s.n+1) - s.pos; room > 0 {
		return room, nil
	}
	if err := s.f.Close(); err != nil {
		return 0, err
	}
	if err := s.prune(s.n + 1); err != nil {
		return 0, err
	}
	if err := s.create(tailPath(s.dir, s.name, s.n+1)); err != nil {
		return 0, err
	}
	s.n++
	return s.geo.seg, nil
}

// create insists on a new file: an old one means that two recorders have one name.
func (s *spool) create(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	s.f = f
	return nil
}

// prune removes what the segment next makes superfluous. It runs before that one is begun, so that the spool never exceeds its
// size; two full segments stay.
func (s *spool) prune(next int64) error {
	for s.oldest <= next-segmentsKept {
		err := os.Remove(tailPath(s.dir, s.name, s.oldest))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			if next-s.oldest > undeletedMax {
				return err
			}
			return nil
		}
		s.oldest++
	}
	return nil
}

// end closes the file; what was written stays.
func (s *spool) end() error {
	if s.f == nil {
		return nil
	}
	err := s.f.Close()
	if errors.Is(err, fs.ErrClosed) {
		return nil
	}
	return err
}

func (s *spool) segments() []int64 {
	var list []int64
	for n := max(s.oldest, s.n-segmentsKept+1); n <= s.n; n++ {
		list = append(list, n)
	}
	return list
}

// empty gives back the room that the files of the spool take.
func (s *spool) empty() {
	if s.f == nil {
		return
	}
	paths := []string{headPath(s.dir, s.name), partPath(s.dir, s.name), outPath(s.dir, s.name)}
	for n := s.oldest; n <= s.n; n++ {
		paths = append(paths, tailPath(s.dir, s.name, n))
	}
	for _, path := range paths {
		_ = os.Truncate(path, 0) // most are not there
	}
}

// remove deletes all files of the spool. The head goes first: without it a reader knows that the rest is going.
func (s *spool) remove() {
	if s.f == nil {
		return
	}
	os.Remove(headPath(s.dir, s.name))
	for n := s.oldest; n <= s.n; n++ {
		os.Remove(tailPath(s.dir, s.name, n))
	}
	os.Remove(partPath(s.dir, s.name))
	os.Remove(outPath(s.dir, s.name))
}

// diskError says what happened to a spool and what a person can do about it.
func diskError(dir, name string, kept int64, err error) error {
	advice := "check that the folder exists, is writable and has space"
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EFBIG) || errors.Is(err, syscall.EDQUOT) {
		advice = "free space there, or lower the output limit"
	}
	return fmt.Errorf("output %s: %w after %d bytes, the rest is not kept: %w; spool folder %s: %s", name, ErrDisk, kept, err, dir, advice)
}
