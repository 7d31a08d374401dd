package schedule

import (
	"errors"
	"slices"
	"strings"
	"time"
)

// parseList reads the schedules of a list. Equal ones count once, and a list of one is that one.
func parseList(lines []string, opt Options) (*Spec, error) {
	if len(lines) > maxList {
		return nil, fault("", "", "%d schedules are more than %d; divide them among several jobs", len(lines), maxList)
	}
	s := &Spec{kind: List, over: never, wall: noWall}
	var texts []string
	for i, line := range lines {
		m, err := parseOne(line, opt)
		if at := new(Error); errors.As(err, &at) {
			at.Part = i + 1
			return nil, at
		}
		if err != nil {
			return nil, err
		}
		// The name of a slot has whole seconds; two schedules must not meet within one.
		if m.kind == Every && m.period%time.Second != 0 {
			return nil, &Error{Field: "@every", Value: compact(m.period), Reason: "is not in whole seconds, which a list needs", Part: i + 1}
		}
		for _, w := range m.warnings {
			if !slices.Contains(s.warnings, w) {
				s.warnings = append(s.warnings, w)
			}
		}
		if slices.Contains(texts, m.text) {
			s.warnings = append(s.warnings, "the schedule "+m.text+" is listed twice and counts once; remove one")
			continue
		}
		texts, s.list = append(texts, m.text), append(s.list, m)
	}
	if len(s.list) == 1 {
		s.list[0].warnings = s.warnings
		return s.list[0], nil
	}
	s.text, s.loc = strings.Join(texts, "\n"), commonZone(s.list, opt.Location)
	return s, nil
}

// commonZone is the zone that the schedules agree on, as far as a zone matters to them, or else the given one. A schedule
// whose text names no zone is in the given one, so that the list's text and this zone tell each schedule's zone again.
func commonZone(list []*Spec, given *time.Location) *time.Location {
	if given == nil {
		given = time.UTC
	}
	var common *time.Location
	for _, m := range list {
		if m.kind != Cron && m.wall == noWall {
			continue
		}
		if common != nil && common.String() != m.loc.String() {
			return given
		}
		common = m.loc
	}
	if common == nil {
		return given
	}
	return common
}

// nextOfList is the earliest of the schedules' next times.
func (s *Spec) nextOfList(after time.Time) (first time.Time) {
	for _, m := range s.list {
		if t := m.Next(after); !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}
