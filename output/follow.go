package output

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// ErrGone says that a followed spool was removed before all of it was surely copied, or never existed because the run was short or
// silent. The finished output tells the rest.
var ErrGone = errors.New("the spool is gone: read the finished output instead")

const (
	pollTime = 100 * time.Millisecond
	// turnsMax is more than the files a spool has. So a pass ends although the writer is faster, and the pass that begins after
	// done was true has copied all that was written until then.
	turnsMax = 8
)

// Follow copies a stream that another process records to w while it is written: the head, and then what follows, looking about
// ten times a second. When the writer was so fast that a part is already deleted, the cut line stands in its place. It waits for a
// spool that does not exist yet. done is asked before each look, on the caller's goroutine; once it is true and all was copied,
// Follow returns nil, or ErrGone when it cannot tell that it has all. It returns ctx.Err() when ctx ends, and w's error wrapped.
func Follow(ctx context.Context, dir, name string, w io.Writer, done func() bool) error {
	if err := checkName(name); err != nil {
		return err
	}
	f := &follower{dir: dir, name: name, w: w, n: -1, buf: make([]byte, gatherBytes)}
	defer f.close()
	timer := time.NewTimer(pollTime)
	defer timer.Stop()
	for {
		last := done()
		more, err := f.pass(ctx)
		if err == nil && last {
			err = f.finish()
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("output %s: follow: %w", name, err)
		}
		if last {
			return nil
		}
		if more {
			continue
		}
		timer.Reset(pollTime)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// follower reads a spool without knowing its limit: a head that has a successor is full, and a segment is half a head.
type follower struct {
	dir, name string
	w         io.Writer
	f         *os.File // open even when the writer has deleted it; nil before the head is there
	n         int64    // its segment; -1 is the head
	geo       geometry // known once the head was left
	pos       int64    // stream position of the next byte to read
	held      []byte   // the start of a character that is not complete yet
	cut       int64    // bytes passed over whose line is not yet printed
	buf       []byte
}

func (f *follower) close() {
	if f.f != nil {
		f.f.Close()
	}
}

// pass copies what is there. more is true when it stopped before it came to the end.
func (f *follower) pass(ctx context.Context) (more bool, err error) {
	if f.f == nil {
		f.f, err = openRegular(headPath(f.dir, f.name))
		if err != nil {
			f.f = nil
			return false, ignoreMissing(err)
		}
	}
	for range turnsMax {
		if err := f.drain(ctx); err != nil {
			return false, err
		}
		next, n, err := f.next()
		if next == nil {
			return false, err
		}
		// The present file was full before the next one came: now the rest of it is there.
		if err := f.drain(ctx); err != nil {
			next.Close()
			return false, err
		}
		f.turn(next, n)
	}
	return true, nil
}

// drain copies the present file up to its end.
func (f *follower) drain(ctx context.Context) error {
	for ctx.Err() == nil {
		n, err := f.f.Read(f.buf)
		f.pos += int64(n)
		if err := f.emit(f.buf[:n]); err != nil {
			return err
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// next opens the file after the present one; nil when there is none yet.
func (f *follower) next() (*os.File, int64, error) {
	file, err := openRegular(tailPath(f.dir, f.name, f.n+1))
	if err == nil {
		return file, f.n + 1, nil
	}
	if !errors.Is(err, fs.ErrNotExist) || !f.full() {
		return nil, 0, ignoreMissing(err)
	}
	segments, err := tails(f.dir, f.name)
	if err != nil {
		return nil, 0, err
	}
	geo := f.geo
	if f.n < 0 {
		geo = geometry{seg: f.pos / 2}
	}
	for _, n := range segments {
		if n <= f.n || !geo.holds(n) {
			continue
		}
		file, err := openRegular(tailPath(f.dir, f.name, n))
		if err == nil {
			return file, n, nil
		}
		if ignoreMissing(err) != nil {
			return nil, 0, err
		}
	}
	return nil, 0, nil
}

// full reports whether the present file may have a successor.
func (f *follower) full() bool {
	if f.n < 0 {
		return mayBeFull(f.pos)
	}
	return f.pos >= f.geo.start(f.n+1)
}

func (f *follower) turn(file *os.File, n int64) {
	if f.n < 0 {
		f.geo = geometry{seg: f.pos / 2}
	}
	f.f.Close()
	f.f, f.n = file, n
	if skipped := f.geo.start(n) - f.pos; skipped > 0 {
		f.cut += skipped + int64(len(f.held))
		f.held = f.held[:0]
	}
	f.pos = f.geo.start(n)
}

// emit prints b, but for a character at its end that is not complete.
func (f *follower) emit(b []byte) error {
	if f.cut > 0 {
		n := leftover(b)
		f.cut += int64(n)
		b = b[n:]
	}
	if len(b) == 0 {
		return nil
	}
	if err := f.printCut(); err != nil {
		return err
	}
	if len(f.held) > 0 {
		b = append(f.held, b...)
	}
	n := len(b) - unfinished(b)
	_, err := f.w.Write(b[:n])
	f.held = append([]byte(nil), b[n:]...)
	return err
}

func (f *follower) printCut() error {
	if f.cut == 0 {
		return nil
	}
	_, err := io.WriteString(f.w, cutLine(f.cut))
	f.cut = 0
	return err
}

// finish prints what was held back, and judges whether that was all. A file that is not full has no successor, even if it is
// deleted by now; a full one has none if the spool is still there.
func (f *follower) finish() error {
	if f.f == nil {
		return ErrGone
	}
	if err := f.printCut(); err != nil {
		return err
	}
	if len(f.held) > 0 {
		if _, err := f.w.Write(f.held); err != nil {
			return err
		}
	}
	if !f.full() {
		return nil
	}
	_, err := os.Lstat(headPath(f.dir, f.name))
	if errors.Is(err, fs.ErrNotExist) {
		return ErrGone
	}
	return err
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
