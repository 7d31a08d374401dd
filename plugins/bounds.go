package plugins

import (
	"fmt"
	"time"

	"github.com/wcron/wcron/config"
	"github.com/wcron/wcron/schedule"
)

// bounds takes over when the schedule begins and ends. A job that would never be due for that reason is broken: nobody means it so.
func (b *builder) bounds(j *Job, m merged) {
	loc := j.Schedule.Location()
	j.NotBefore, j.NotAfter = MomentIn(m.settings.NotBefore, loc), MomentIn(m.settings.NotAfter, loc)
	if j.NotBefore.IsZero() || j.NotAfter.IsZero() || !j.NotAfter.Before(j.NotBefore) {
		return
	}
	at := b.placeOf("not_after", j.Name, m)
	p := config.Problem{
		File: at.File, Line: at.Line, Col: at.Col, Remedy: "write a not_after that is later than not_before",
		What: fmt.Sprintf("job %s: not_after %s lies before not_before %s", j.Name, m.settings.NotAfter, m.settings.NotBefore),
	}
	b.complain(p)
	j.breakBy(p)
}

// MomentIn is a moment on the clock of a zone, in UTC; the zero time where there is none. A time that a change of the clock skips is right after it, one that comes twice is the
// first: that is what @at means as well.
func MomentIn(m *config.Moment, loc *time.Location) time.Time {
	if m == nil {
		return time.Time{}
	}
	if !m.Local {
		return m.Time.UTC()
	}
	spec, err := schedule.Parse("@at "+m.String(), schedule.Options{Location: loc})
	if err != nil { // which it is not: both know the same years
		return time.Date(m.Time.Year(), m.Time.Month(), m.Time.Day(), m.Time.Hour(), m.Time.Minute(), m.Time.Second(), 0, loc).UTC()
	}
	return spec.Next(time.Time{}).UTC()
}

// placeOf looks up where a key of a job is written.
func (b *builder) placeOf(key, job string, m merged) config.Position {
	switch file := m.file[key]; file {
	case "":
		return config.PlaceInFile(b.file.Path, b.file.Path, "defaults", key)
	case b.file.Path:
		return config.PlaceInFile(file, file, "jobs", job, key)
	default:
		return config.PlaceInFile(file, file, key)
	}
}
