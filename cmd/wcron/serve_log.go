package main

import (
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/wcron/wcron/config"
	"github.com/wcron/wcron/plugins"
)

// teller logs what is new of what is wrong, once: a problem when it comes, and again when it has gone. Its zero value has told
// nothing. It is safe for concurrent use.
type teller struct {
	mu    sync.Mutex
	known map[config.Problem]bool
	warns map[[2]string]bool // by job and warning
	lists map[string]string
}

// tell logs how the problems of a set differ from those of the set before, and what is new of warnings about schedules. It reports
// whether there are new problems.
func (t *teller) tell(log *slog.Logger, set *plugins.Set) (fresh bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := map[config.Problem]bool{}
	for _, p := range set.Problems {
		if !t.known[p] && !now[p] {
			log.Warn("problem", attributes(p)...)
			fresh = true
		}
		now[p] = true
	}
	gone := slices.SortedFunc(maps.Keys(t.known), func(a, b config.Problem) int { return strings.Compare(a.String(), b.String()) })
	for _, p := range gone {
		if !now[p] {
			log.Info("problem_gone", "file", p.File, "what", p.What)
		}
	}
	t.known = now
	warns := map[[2]string]bool{}
	for _, j := range set.Jobs {
		for _, w := range j.Warnings {
			key := [2]string{j.Name, w}
			if !t.warns[key] && !warns[key] {
				log.Warn("schedule_warning", "job", j.Name, "schedule", strings.ReplaceAll(j.ScheduleText, "\n", "; "), "what", w)
			}
			warns[key] = true
		}
	}
	t.warns = warns
	return fresh
}

// same reports whether a list is the one that was given under that name before, and keeps it.
func (t *teller) same(name string, list []string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lists == nil {
		t.lists = map[string]string{}
	}
	text := strings.Join(list, " ")
	last := t.lists[name]
	t.lists[name] = text
	return text == last
}

// attributes are what the log tells of a problem.
func attributes(p config.Problem) []any {
	out := []any{"file", p.File}
	if p.Line > 0 {
		out = append(out, "line", p.Line, "col", p.Col)
	}
	return append(out, "what", p.What, "remedy", p.Remedy)
}
