package output

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"
)

var (
	// ErrDisk says that the spool could not be written, most often because the disk is full. It stays with the recorder.
	ErrDisk = errors.New("disk error")
	// ErrFinished says that a recorder was used after Finish or Discard.
	ErrFinished = errors.New("recording has ended")
)

const (
	// DefaultLimit is the Limit of a zero Config, in bytes.
	DefaultLimit = 1 << 20
	// MinLimit is the least Limit, in bytes; a smaller one is raised to it.
	MinLimit = 4 << 10
	// MaxLimit is the greatest Limit, in bytes; a greater one is lowered to it.
	MaxLimit = 1 << 30
	// DefaultAfter is the After of a zero Config.
	DefaultAfter = 100 * time.Millisecond
	// DefaultInline is the Inline of a zero Config, in bytes, and what Recover keeps in memory.
	DefaultInline = 64 << 10
)

const (
	gatherTime  = 20 * time.Millisecond
	gatherBytes = 32 << 10
)

// Config says how one stream is kept. The zero value keeps up to 1 MiB in memory.
type Config struct {
	// Dir is the spool folder, made with mode 0700 when it is first needed. "" keeps everything in memory, whatever Inline says.
	Dir string
	// Limit is the number of bytes kept, cut line included. 0 or less is DefaultLimit; MinLimit and MaxLimit bound it.
	Limit int64
	// After is the age, counted from Begin, at which a run begins to spool. 0 or less is DefaultAfter.
	After time.Duration
	// Inline is the number of bytes that may stay in memory: a greater result becomes a file, and a run that has written more spools
	// at once. 0 or less is DefaultInline; it is never more than Limit.
	Inline int64
}

func (c Config) complete() Config {
	c.Limit = boundLimit(c.Limit)
	if c.After <= 0 {
		c.After = DefaultAfter
	}
	if c.Inline <= 0 {
		c.Inline = DefaultInline
	}
	c.Inline = min(c.Inline, c.Limit)
	return c
}

func boundLimit(limit int64) int64 {
	if limit <= 0 {
		return DefaultLimit
	}
	return min(max(limit, MinLimit), MaxLimit, math.MaxInt/4)
}

// Recorder keeps one stream. All methods are safe for concurrent use; writes are kept in the order in which they are made.
type Recorder struct {
	name string
	cfg  Config

	mu        sync.Mutex // guards what follows
	ring      *ring      // memory only; else nil
	spool     *spool
	spooling  bool
	pending   []byte // not yet given to the kernel
	begun     bool
	ended     bool
	gathering bool // the gather timer runs
	after     *time.Timer
	gather    *time.Timer
	err       error // sticky
	kept      Kept
	result    error // of Finish
}

// New returns a recorder that has not begun. It touches no file. A name that is not valid is the error of every Write and of
// Finish. No two recorders may have one name and one folder.
func New(name string, cfg Config) *Recorder {
	cfg = cfg.complete()
	r := &Recorder{name: name, cfg: cfg, err: checkName(name)}
	if cfg.Dir == "" {
		r.ring = newRing(cfg.Limit)
	} else {
		r.spool = newSpool(cfg.Dir, name, cfg.Limit)
	}
	return r
}

// Begin starts the time after which the stream is spooled. Only its first call counts. Without it only a stream of more than
// Inline bytes is spooled.
func (r *Recorder) Begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.begun || r.ended || r.ring != nil || r.err != nil {
		return
	}
	r.begun = true
	r.after = time.AfterFunc(r.cfg.After, r.old)
}

func (r *Recorder) old() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ended && r.err == nil && !r.spooling {
		_ = r.startSpool() // its error is the next Write's, and Finish's
	}
}

// Write keeps p. It waits for nothing but the kernel's page cache. A byte counts as written once it is in memory: an ErrDisk may
// come one call late. It is then the answer to every further call, with 0 bytes taken.
func (r *Recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.err != nil:
		return 0, r.err
	case r.ended:
		return 0, fmt.Errorf("output %s: write: %w", r.name, ErrFinished)
	case r.ring != nil:
		r.ring.write(p)
		return len(p), nil
	case !r.spooling && int64(len(r.pending))+int64(len(p)) <= r.cfg.Inline:
		r.pending = extend(r.pending, p, int(r.cfg.Inline))
		return len(p), nil
	case !r.spooling:
		if err := r.startSpool(); err != nil {
			return 0, err
		}
	}
	return r.gatherWrite(p)
}

func (r *Recorder) gatherWrite(p []byte) (int, error) {
	full := int(min(gatherBytes, r.cfg.Limit/2))
	done := 0
	for done < len(p) {
		n := min(len(p)-done, full-len(r.pending))
		r.pending = extend(r.pending, p[done:done+n], full)
		done += n
		if len(r.pending) == full || !r.gathering {
			if err := r.flush(); err != nil {
				return done, err
			}
		}
	}
	if done > 0 && !r.gathering {
		r.startGather()
	}
	return done, nil
}

// startSpool hands what is in memory to the disk, and gives the memory back.
func (r *Recorder) startSpool() error {
	r.spooling = true
	if err := r.flush(); err != nil {
		return err
	}
	r.pending = nil
	return nil
}

func (r *Recorder) startGather() {
	r.gathering = true
	if r.gather == nil {
		r.gather = time.AfterFunc(gatherTime, r.gathered)
		return
	}
	r.gather.Reset(gatherTime)
}

// gathered ends a gather time. When nothing came in it, the next write goes out at once.
func (r *Recorder) gathered() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gathering = false
	if r.ended || r.err != nil || len(r.pending) == 0 {
		return
	}
	if r.flush() == nil {
		r.startGather()
	}
}

// flush keeps in pending what the disk did not take, so that Finish still has it.
func (r *Recorder) flush() error {
	if len(r.pending) == 0 {
		return nil
	}
	n, err := r.spool.write(r.pending)
	r.pending = r.pending[:copy(r.pending, r.pending[n:])]
	if err != nil {
		r.err = diskError(r.cfg.Dir, r.name, r.spool.pos+int64(len(r.pending)), err)
	}
	return r.err
}

// Finish ends the recording and returns what is kept of it: in memory up to Inline bytes, else in a synced file. The spool stays
// until Discard, so that the output can be recovered until the caller has recorded it. With an error the result is still what
// could be saved, in memory, cut to Inline bytes (or MinLimit, if that is more): an ErrDisk of any earlier moment, or that of the
// file. A second call returns the same. After Discard it is ErrFinished.
func (r *Recorder) Finish() (Kept, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ended {
		r.stop()
		r.kept, r.result = r.assemble()
		r.pending, r.ring = nil, nil
	}
	return r.kept, r.result
}

// stop ends the timers; a callback that is already under way finds ended set.
func (r *Recorder) stop() {
	r.ended = true
	if r.after != nil {
		r.after.Stop()
	}
	if r.gather != nil {
		r.gather.Stop()
	}
}

func (r *Recorder) assemble() (Kept, error) {
	if r.ring != nil {
		k, err := r.ring.view().keep(r.cfg.Limit, 0, "", r.name)
		return k, errors.Join(r.err, err)
	}
	if r.spooling && r.err == nil {
		err := r.flush()
		if endErr := r.spool.end(); err == nil && endErr != nil {
			r.err = diskError(r.cfg.Dir, r.name, r.spool.pos, endErr)
		}
	}
	if r.err == nil {
		k, err := r.keep(r.cfg.Limit, r.cfg.Dir)
		if err == nil {
			return k, nil
		}
		r.err = fmt.Errorf("output %s: %w: finish: %w: check the spool folder %s and the space there", r.name, ErrDisk, err, r.cfg.Dir)
	}
	_ = r.spool.end()
	k, err := r.keep(min(r.cfg.Limit, max(r.cfg.Inline, MinLimit)), "")
	return k, errors.Join(r.err, err)
}

func (r *Recorder) keep(limit int64, dir string) (Kept, error) {
	v := &view{}
	defer v.close()
	if r.spool.f != nil {
		if err := v.load(r.cfg.Dir, r.name, r.spool.geo, r.spool.segments()); err != nil {
			return Kept{}, err
		}
	}
	v.add(r.spool.pos, int64(len(r.pending)), bytes.NewReader(r.pending))
	return v.keep(limit, r.cfg.Inline, dir, r.name)
}

// Abandon is Discard where the room is needed at once: a reader that has the spool open would keep it taken otherwise. What that reader
// has not read yet is gone.
func (r *Recorder) Abandon() {
	r.mu.Lock()
	if r.spool != nil {
		r.spool.empty()
	}
	r.mu.Unlock()
	r.Discard()
}

// Discard ends the recording if Finish has not, and removes the spool, with Kept.File if it was not renamed away. It may be called
// any number of times. What cannot be removed is left to [Sweep].
func (r *Recorder) Discard() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ended {
		r.stop()
		r.pending, r.ring = nil, nil
		r.result = fmt.Errorf("output %s: finish: %w", r.name, ErrFinished)
	}
	if r.spool != nil {
		_ = r.spool.end()
		r.spool.remove()
	}
}
