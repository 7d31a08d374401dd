package plugins

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/wcron/wcron/config"
)

// maxPath bounds what is shown of a path, in bytes.
const maxPath = 512

// track follows one path from look to look and says when what is there has settled.
type track struct {
	path  string
	shown string // path for people
	limit int64  // of its bytes

	seen    bool      // it was looked at before
	present bool      // something is there
	stamp   stamp     // of what is there
	since   time.Time // when it was first seen like this
	fault   *fault    // why it cannot be read at all
	taken   bool      // what is there now was read, or refused

	problems []config.Problem // why what was taken is refused
	retry    bool             // they can pass without the file changing
}

// look looks again and returns whether the path has been as it is now for the time settle. A zero now says that nobody waits:
// whatever is there counts. absent says that a listing of the folder does not have it, which saves the look.
func (t *track) look(now time.Time, settle time.Duration, absent bool) (settled bool) {
	var st stamp
	var f *fault
	present := false
	if !absent {
		var err error
		st, f, err = look(t.path)
		present = !errors.Is(err, fs.ErrNotExist)
	}
	if !t.seen || present != t.present || st != t.stamp || (f == nil) != (t.fault == nil) {
		first := !t.seen
		t.seen, t.present, t.stamp, t.since, t.taken = true, present, st, now, false
		if first && !present {
			t.since = time.Time{} // a sidecar that never was there keeps nobody waiting
		}
	}
	t.fault = f
	if t.taken || now.IsZero() || now.Sub(t.since) >= settle {
		return true
	}
	return present && f == nil && now.Sub(st.changed) >= settle && !st.changed.After(now)
}

// due tells whether what is there has to be read.
func (t *track) due() bool { return !t.taken || t.retry }

// take reads what is there. It returns nil without an error if that is nothing, or is refused; t.problems then says why.
// errMoved means that it changed meanwhile and has to settle anew.
func (t *track) take(now time.Time) ([]byte, error) {
	t.taken, t.problems, t.retry = true, nil, false
	if !t.present {
		return nil, nil
	}
	f := t.fault
	if f == nil {
		b, refused, err := read(t.path, t.stamp, t.limit)
		if err != nil && !now.IsZero() {
			t.stamp, t.since, t.taken = stamp{}, now, false
			return nil, err
		}
		if err != nil {
			refused = &fault{err.Error(), "wait until it is written to its end", true}
		}
		if refused == nil {
			return b, nil
		}
		f = refused
	}
	t.refuse(config.Problem{What: f.what, Remedy: f.remedy})
	t.retry = f.retry
	return nil, nil
}

// refuse keeps why what is there is not taken.
func (t *track) refuse(list ...config.Problem) {
	for _, p := range list {
		if p.File == "" {
			p.File = t.shown
		}
		t.problems = append(t.problems, p)
	}
}

// readable is a path for people: quoted if it is not text, and never endless.
func readable(path string) string {
	path = filepath.ToSlash(path)
	if len(path) > maxPath {
		path = path[:maxPath] + "..."
	}
	for _, r := range path {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return strconv.Quote(path)
		}
	}
	return path
}
