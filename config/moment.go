package config

import (
	"fmt"
	"time"
)

// Moment is a point in time as it is written: with an offset from UTC, or on the clock of a time zone that stands elsewhere.
type Moment struct {
	Time  time.Time // whole seconds; a local one is in UTC, and only what its clock shows counts
	Local bool      // no offset was written
}

const localMoment = "2006-01-02T15:04:05"

// UnmarshalText reads "2026-12-24T18:00:00+01:00", "2026-12-24T18:00:00" or "2026-12-24", which is its midnight.
func (m *Moment) UnmarshalText(text []byte) error {
	s := string(text)
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return m.set(t, false)
	}
	for _, layout := range []string{localMoment, "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return m.set(t, true)
		}
	}
	return advice{quote(clip(s)) + " is no date and time", "write it as 2026-12-24T18:00:00, or with an offset as 2026-12-24T18:00:00+01:00"}
}

func (m *Moment) set(t time.Time, local bool) error {
	if t.Year() < 1970 || t.Year() > 2200 {
		return advice{fmt.Sprintf("the year %d is out of range", t.Year()), "write a year from 1970 to 2200"}
	}
	loc := time.UTC
	if _, offset := t.Zone(); !local && offset != 0 {
		loc = time.FixedZone("", offset) // as it was written, whatever this machine's own zone is
	}
	if local {
		t = time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, loc)
	}
	*m = Moment{t.In(loc).Truncate(time.Second), local}
	return nil
}

// MarshalText is the text of [Moment.String]; it never fails.
func (m Moment) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// String is "2026-12-24T18:00:00", with its offset where it has one.
func (m Moment) String() string {
	if m.Local {
		return m.Time.Format(localMoment)
	}
	return m.Time.Format(time.RFC3339)
}

// moments reads dates of TOML, and the same as strings.
func moments() reader[Moment] {
	const remedy = "write it as 2026-12-24T18:00:00, or with an offset as 2026-12-24T18:00:00+01:00"
	return reader[Moment]{
		typ:  "date and time",
		span: "1970 to 2200; without an offset in the job's time zone",
		read: func(v value) (Moment, bool) {
			var m Moment
			t, ok := v.raw.(time.Time)
			if !ok {
				return m, readText(v, "a date and time", remedy, &m)
			}
			var err error
			switch t.Location().String() { // where the parser says that no offset was written
			case "datetime-local", "date-local":
				err = m.set(t, true)
			case "time-local":
				return m, v.want("a date and time", remedy)
			default:
				err = m.set(t, false)
			}
			if err != nil {
				v.refuse(err)
			}
			return m, err == nil
		},
		write: func(m Moment) string { return m.String() },
	}
}

// policyKeys are what a job does about slots that are late, missed or failing.
func policyKeys() []jobKey {
	return []jobKey{
		key("not_before", func(j *Job) **Moment { return &j.NotBefore }, moments()),
		key("not_after", func(j *Job) **Moment { return &j.NotAfter }, moments()),
		key("missed", func(j *Job) **string { return &j.Missed }, choices(MissedOnce, MissedSkip, MissedAll)),
		key("missed_limit", func(j *Job) **int { return &j.MissedLimit }, integers(1, 1000)),
		key("missed_window", func(j *Job) **Duration { return &j.MissedWindow }, durations(true, Duration(time.Second), maxSpan)),
		key("starting_deadline", func(j *Job) **Duration { return &j.StartingDeadline }, durations(true, Duration(time.Second), maxSpan)),
		key("grace", func(j *Job) **Duration { return &j.Grace }, durations(false, Duration(time.Second), maxSpan)),
		key("jitter", func(j *Job) **Duration { return &j.Jitter }, durations(true, minSpan, Duration(24*time.Hour))),
		key("pause_after", func(j *Job) **int { return &j.PauseAfter }, integers(0, 1_000_000)),
	}
}
