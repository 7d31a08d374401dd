package plugins

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wcron/wcron/config"
	"github.com/wcron/wcron/sandbox/meter"
)

// ManifestSection is the custom section of a module that holds its manifest.
const ManifestSection = "wcron.manifest"

// layer is what one file says of a job.
type layer struct {
	job  config.Job
	from string // as in Job.Origin
	file string // the path as shown

	schedule config.Position // where the schedule stands; Line 0: nowhere, or not looked up yet
	entry    config.Position // of an operator's layer: where the job is defined
}

// plugin is one accepted version of a plugin. It never changes.
type plugin struct {
	digest    string
	minMemory int64             // bytes that an instance has from the start
	manifest  *layer            // nil: none
	sidecar   *layer            // nil: none
	sideSum   string            // digest of the sidecar
	sideText  string            // its text
	needs     map[string]string // see needsOf
}

// unit is a module and its sidecar, which are taken together or not at all.
type unit struct {
	module, sidecar track

	// What was last read from the two files, if it was sound.
	fromModule  *plugin
	fromSidecar *layer
	sideSum     string
	sideText    string

	good    *plugin // in use
	there   parts   // which files there were when they last had settled
	waiting bool    // one of the files has not settled
	early   bool    // it was there at the first look, and has not settled since: what it was before that is not known
}

// intake is what the units have in common in one scan.
type intake struct {
	now     time.Time
	settle  time.Duration
	content *contentStore
	lim     meter.Limits
}

// refresh looks at both files, but for those that are known not to be there, and takes them over if they have settled. It returns whether what a host or a person can see of
// them is different afterwards.
func (u *unit) refresh(in intake, noModule, noSidecar bool) bool {
	modSettled := u.module.look(in.now, in.settle, noModule)
	sideSettled := u.sidecar.look(in.now, in.settle, noSidecar)
	u.waiting = !modSettled || !sideSettled
	if u.waiting || (!u.module.due() && !u.sidecar.due()) {
		return false
	}
	good, problems, early := u.good, u.problems(), u.early
	if u.module.due() {
		u.waiting = u.takeModule(in) != nil
	}
	if u.sidecar.due() && !u.waiting {
		u.waiting = u.takeSidecar(in) != nil
	}
	if u.waiting {
		return false
	}
	u.adopt()
	u.early = false
	there := u.there
	u.there = parts{u.module.present, u.sidecar.present}
	return early || u.good != good || u.there != there || !slices.Equal(u.problems(), problems)
}

// unsettled tells whether a job of this unit may be one that the ledger knows, although nothing is known of the unit yet.
func (u *unit) unsettled() bool { return u.good == nil && u.waiting && u.early }

// problems is why what is there now is not in use.
func (u *unit) problems() []config.Problem {
	return slices.Concat(u.module.problems, u.sidecar.problems)
}

// adopt puts what was read into use if all of it is sound. Otherwise the version in use goes on.
func (u *unit) adopt() {
	if !u.module.present {
		u.good = nil
		return
	}
	if u.fromModule == nil || len(u.problems()) > 0 {
		return
	}
	next := *u.fromModule
	next.sidecar, next.sideSum, next.sideText = u.fromSidecar, u.sideSum, u.sideText
	if g := u.good; g == nil || g.digest != next.digest || g.sideSum != next.sideSum {
		u.good = &next
	}
}

func (u *unit) takeModule(in intake) error {
	u.fromModule = nil
	b, err := u.module.take(in.now)
	if b == nil {
		return err
	}
	p, problems := inspect(u.module.shown, b, in.lim)
	if len(problems) > 0 {
		u.module.refuse(problems...)
		return nil
	}
	p.digest = digestOf(b)
	if err := in.content.put(p.digest, b); err != nil {
		u.module.retry = true
		u.module.refuse(config.Problem{What: err.Error(), Remedy: "make room on the disk, and let wcron write to that folder"})
		return nil //nolint:nilerr // the problem is the module's, and is told there
	}
	u.fromModule = p
	return nil
}

func (u *unit) takeSidecar(in intake) error {
	u.fromSidecar, u.sideSum, u.sideText = nil, "", ""
	b, err := u.sidecar.take(in.now)
	if b == nil {
		return err
	}
	l, problems := sidecarLayer(u.sidecar.shown, b)
	if len(problems) > 0 {
		u.sidecar.refuse(problems...)
		return nil
	}
	u.fromSidecar, u.sideSum, u.sideText = l, digestOf(b), string(b)
	return nil
}

// sidecarLayer reads the text of a sidecar.
func sidecarLayer(shown string, b []byte) (*layer, []config.Problem) {
	job, err := config.ParseJob(shown, b, config.KindSidecar)
	if err != nil {
		return nil, problemsOf(err)
	}
	return &layer{job: job, from: fromSidecar, file: shown, schedule: placeOfSchedule(shown, b, job)}, nil
}

// inspect checks the shape of a module and reads its manifest. It keeps nothing of b.
func inspect(shown string, b []byte, lim meter.Limits) (*plugin, []config.Problem) {
	info, err := meter.Check(b, lim)
	if err != nil {
		return nil, []config.Problem{moduleProblem(err)}
	}
	p := &plugin{minMemory: info.MinMemory(), needs: needsOf(info.Imports)}
	text, ok, err := meter.Custom(b, ManifestSection)
	if err != nil {
		return nil, []config.Problem{moduleProblem(err)}
	}
	if !ok {
		return p, nil
	}
	name := shown + " (manifest)"
	if len(text) > maxManifest {
		return nil, []config.Problem{{File: name, What: fmt.Sprintf("the manifest has %s, and at most %s are read",
			bytesText(int64(len(text))), bytesText(maxManifest)), Remedy: "shorten it"}}
	}
	job, err := config.ParseJob(name, bytes.Clone(text), config.KindManifest)
	if err != nil {
		return nil, problemsOf(err)
	}
	p.manifest = &layer{job: job, from: fromManifest, file: name, schedule: placeOfSchedule(name, text, job)}
	return p, nil
}

// placeOfSchedule is where the text of a plugin says its schedule.
func placeOfSchedule(name string, text []byte, job config.Job) config.Position {
	if job.Schedule == nil {
		return config.Position{File: name}
	}
	return config.Place(name, text, "schedule")
}

// moduleProblem says why the bytes are no module. What is not one at all has no offset worth telling.
func moduleProblem(err error) config.Problem {
	var me *meter.Error
	if errors.As(err, &me) && me.Offset < 8 && me.Func == "" {
		return config.Problem{What: me.What, Remedy: "put a module built for wasip1 there"}
	}
	if what, key, limited := strings.Cut(err.Error(), "; raise limits."); limited {
		return config.Problem{What: what, Remedy: "raise limits." + key + " in the host file, or build a smaller module"}
	}
	return config.Problem{What: err.Error(), Remedy: "build it or copy it again"}
}

// problemsOf is the list in a *config.Error; any other error is one problem.
func problemsOf(err error) []config.Problem {
	var ce *config.Error
	if errors.As(err, &ce) {
		return ce.Problems
	}
	return []config.Problem{{What: err.Error()}}
}
