package schedule_test

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// brute is an oracle for a text of any form.
type brute interface {
	// times returns the due times in (after, through], at most limit.
	times(after, through time.Time, limit int) []time.Time
}

// newBrute reads a text with the job name and the anchor of the tables.
func newBrute(t testing.TB, text string, loc *time.Location) brute {
	if strings.Contains(text, ";") {
		var all union
		for part := range strings.SplitSeq(text, ";") {
			all = append(all, newBrute(t, strings.TrimSpace(part), loc))
		}
		return all
	}
	if rest, ok := strings.CutPrefix(text, "CRON_TZ="); ok {
		name, body, _ := strings.Cut(rest, " ")
		return newBrute(t, body, zone(t, name))
	}
	word, arg, _ := strings.Cut(text, " ")
	switch strings.ToLower(word) {
	case "@reboot":
		return union{}
	case "@every":
		period, err := time.ParseDuration(arg)
		if err != nil {
			t.Fatal(err)
		}
		return grid{period, loc}
	case "@in":
		wait, err := time.ParseDuration(arg)
		if err != nil {
			t.Fatal(err)
		}
		return point{present.Add(wait).In(loc)}
	case "@at":
		return point{pointOf(t, arg, loc)}
	}
	return newOracle(text, loc)
}

// pointOf goes through the seconds until the wall clock has reached a time.
func pointOf(t testing.TB, text string, loc *time.Location) time.Time {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at.In(loc)
	}
	wall, err := time.Parse("2006-01-02T15:04:05", text)
	if err != nil {
		t.Fatal(err)
	}
	o := oracle{loc: loc}
	x := wall.Unix() - 30*3600
	for x+o.offset(x) < wall.Unix() {
		x++
	}
	return time.Unix(x, 0).In(loc)
}

type union []brute

func (u union) times(after, through time.Time, limit int) (all []time.Time) {
	for _, b := range u {
		all = append(all, b.times(after, through, limit)...)
	}
	slices.SortFunc(all, time.Time.Compare)
	all = slices.CompactFunc(all, time.Time.Equal)
	return all[:min(limit, len(all))]
}

// grid is @every, anchored at present: each second is looked at.
type grid struct {
	period time.Duration
	loc    *time.Location
}

func (g grid) times(after, through time.Time, limit int) (list []time.Time) {
	for x := after.Unix() + 1; x <= through.Unix() && len(list) < limit; x++ {
		if time.Duration(x-present.Unix())*time.Second%g.period == 0 {
			list = append(list, time.Unix(x, 0).In(g.loc))
		}
	}
	return list
}

type point struct{ at time.Time }

func (p point) times(after, through time.Time, limit int) []time.Time {
	if limit > 0 && p.at.After(after) && !p.at.After(through) {
		return []time.Time{p.at}
	}
	return nil
}
