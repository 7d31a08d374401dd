package plugins

import (
	"os"
	"path/filepath"
	"time"

	"github.com/wcron/wcron/config"
)

// hostFile follows the host file and jobs.d, and keeps the last configuration that was sound.
type hostFile struct {
	path    string // absolute
	jobsDir string
	tracks  map[string]*track // of the host file, jobs.d and the files in it, by path

	file     *config.File     // the last sound one; nil: none yet
	zoneSet  bool             // it says a timezone
	problems []config.Problem // why what is there now is not in use
	waiting  bool             // something has not settled
}

func newHostFile(path string) (*hostFile, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	return &hostFile{path: abs, jobsDir: config.Default(filepath.Dir(abs)).JobsDir, tracks: map[string]*track{}}, nil
}

// candidate is a configuration that was just read.
type candidate struct {
	file    *config.File
	zoneSet bool
}

// refresh looks at all files. If they have changed and settled it reads them: due is true, and the result is the configuration,
// or why there is none. The caller then decides with use or refuse.
func (h *hostFile) refresh(now time.Time, settle time.Duration) (c candidate, due bool, err error) {
	settled, due := h.look(now, settle)
	h.waiting = !settled
	if !settled || !due {
		return c, false, nil
	}
	c.file, err = config.Load(h.path)
	if err == nil {
		c.zoneSet = c.file.Timezone != ""
	}
	for _, t := range h.tracks {
		t.taken, t.retry = true, false
	}
	if settled, due = h.look(now, settle); !now.IsZero() && (!settled || due) {
		h.waiting = true // it changed while it was read
		return candidate{}, false, nil
	}
	return c, true, err
}

// look updates the tracks and returns whether all have settled, and whether one of them is due.
func (h *hostFile) look(now time.Time, settle time.Duration) (settled, due bool) {
	for _, path := range append(jobFiles(h.jobsDir), h.path, h.jobsDir) {
		if h.tracks[path] == nil {
			h.tracks[path] = &track{path: path}
		}
	}
	settled = true
	for path, t := range h.tracks {
		calm := t.look(now, settle, false)
		settled, due = settled && calm, due || t.due()
		if calm && t.taken && !t.present && path != h.path && path != h.jobsDir {
			delete(h.tracks, path)
		}
	}
	return settled, due
}

func (h *hostFile) use(c candidate) { h.file, h.zoneSet, h.problems = c.file, c.zoneSet, nil }

// refuse keeps the last good configuration. retry: the reason can go without a file changing.
func (h *hostFile) refuse(problems []config.Problem, retry bool) {
	h.problems = nil
	for _, p := range problems {
		if p.File == "" {
			p.File = readable(h.path)
		}
		p.What += " (the last good configuration goes on)"
		h.problems = append(h.problems, p)
	}
	h.tracks[h.path].retry = retry
}

// reread makes the next refresh load the files, whatever their stamps say.
func (h *hostFile) reread() {
	for _, t := range h.tracks {
		t.taken = false
	}
}

// named are the modules that jobs name.
func (h *hostFile) named() []string {
	var list []string
	for name, e := range h.file.Jobs {
		list = append(list, pluginOf(name, e))
	}
	return list
}

// watched are the folders in which a change can be one of these files.
func (h *hostFile) watched() []string { return []string{filepath.Dir(h.path), h.jobsDir} }

// jobFiles lists the files of jobs.d that count; a folder that is not there has none.
func jobFiles(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var list []string
	for _, e := range entries {
		if k, _ := kindOf(e.Name()); k == sidecar {
			list = append(list, filepath.Join(dir, e.Name()))
		}
	}
	return list
}
