package host

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
)

var update = flag.Bool("update", false, "write testdata/traces anew from what the hosts do now")

// golden compares what the hosts of a test told, one after the other, with testdata/traces/NAME.txt. It is called after the last
// host was closed. Traces are made on virtual time, which begins at 2000-01-01 00:00 UTC; -update writes the file anew, and the one
// who does that reads every line of the difference.
func golden(t *testing.T, name string, rigs ...*rig) {
	t.Helper()
	got := told(rigs)
	path := filepath.Join("testdata", "traces", name+".txt")
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; look at what follows, and run this test with -update if it is right:\n%s", err, got)
	}
	if clean := strings.ReplaceAll(string(want), "\r\n", "\n"); got != clean {
		t.Errorf("trace %s differs; if what the host does now is right, run this test with -update\n%s", name, diff(clean, got))
	}
}

// early puts what comes from two goroutines at once in one order: that a job is known, that its module is no good, what the loop
// decided about slots, and what runs came to.
func early(e Event) int {
	switch {
	case e.Kind == JobAdded:
		return 0
	case e.Kind == JobBroken:
		return 1
	case e.RunID == "":
		return 2
	}
	return 3
}

// sudden leaves out that a run has started which was replaced in the same instant: whether it came so far is chance.
func sudden(all []Event) []Event {
	at := map[string]time.Time{} // when a run was replaced that took no time
	for i, e := range all {
		if e.Kind == EndedRun && e.Cause == claims.Replaced && e.Duration == 0 {
			all[i].Reason = "replaced at once"
			at[e.RunID] = e.Time
		}
	}
	return slices.DeleteFunc(all, func(e Event) bool {
		end, ok := at[e.RunID]
		return ok && e.Kind == Started && e.Time.Equal(end)
	})
}

// told is one line per event. Events of one instant are put in the order of their jobs, which on a real clock is chance; those of
// one job stay in the order in which they were told.
func told(rigs []*rig) string {
	var all []Event
	for _, r := range rigs {
		r.mu.Lock()
		all = append(all, r.events...)
		r.mu.Unlock()
	}
	all = slices.DeleteFunc(all, func(e Event) bool { return e.Kind == JobReady || e.Kind == HostDraining })
	all = sudden(all)
	slices.SortStableFunc(all, func(a, b Event) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Job, b.Job), cmp.Compare(early(a), early(b)))
	})
	for i := 0; i < len(all); { // runs that start or end together are told by goroutines of their own
		n := i + 1
		for n < len(all) && all[n].Time.Equal(all[i].Time) && all[n].Job == all[i].Job && all[n].Kind == all[i].Kind {
			n++
		}
		slices.SortStableFunc(all[i:n], func(a, b Event) int { return a.Slot.At.Compare(b.Slot.At) })
		i = n
	}
	var b strings.Builder
	names := renamer{}
	for _, e := range all {
		b.WriteString(names.line(e))
		b.WriteByte('\n')
	}
	return b.String()
}

// renamer gives ids that differ from run to run the numbers of their first appearance.
type renamer map[string]string

var ids = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|host-[0-9a-f]{8}-[0-9]+|#[0-9a-f]{8}\b`)

func (n renamer) replace(s string) string {
	return ids.ReplaceAllStringFunc(s, func(id string) string {
		if n[id] == "" {
			kind := "r"
			switch {
			case strings.HasPrefix(id, "host-"):
				kind = "h"
			case id[0] == '#':
				kind = "#"
			}
			n[kind] += "." // counts this kind
			n[id] = fmt.Sprintf("%s%d", kind, len(n[kind]))
		}
		return n[id]
	})
}

// since is a time as days and hours since virtual time began.
func since(at time.Time) string {
	d := at.Sub(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))
	if d < 0 {
		return at.UTC().Format(time.DateTime)
	}
	const day = 24 * time.Hour
	days := int64(d / day)
	d %= day
	s := fmt.Sprintf("%dd %02d:%02d:%02d", days, d/time.Hour, d/time.Minute%60, d/time.Second%60)
	if ms := d / time.Millisecond % 1000; ms != 0 {
		s += fmt.Sprintf(".%03d", ms)
	}
	return s
}

func (n renamer) line(e Event) string {
	parts := []string{since(e.Time)}
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if e.Job != "" {
		add("%s", e.Job)
	}
	add("%s", e.Kind)
	if e.RunID != "" {
		add("%s", n.replace(e.RunID))
	}
	if e.Slot.ID != "" {
		if e.Slot.Kind != "schedule" {
			add("%s", e.Slot.Kind)
		}
		slot := "[" + since(e.Slot.At) + "]"
		if !e.Until.IsZero() && !e.Until.Equal(e.Slot.At) {
			slot = "[" + since(e.Slot.At) + " to " + since(e.Until) + "]"
		}
		parts = append(parts, slot)
	}
	if e.Attempt > 1 {
		add("attempt %d", e.Attempt)
	}
	switch {
	case e.Kind == Started:
		parts = append(parts, startText(e))
	case e.Count > 1:
		add("x%d", e.Count)
	}
	if e.Outcome != "" {
		add("%s", strings.TrimSuffix(string(e.Outcome)+"/"+string(e.Cause), "/"))
	}
	if e.ExitCode != nil && *e.ExitCode != 0 {
		add("exit %d", *e.ExitCode)
	}
	if e.Duration > 0 {
		add("after %s", e.Duration)
	}
	if !e.Retry.IsZero() {
		add("again at %s", since(e.Retry))
	}
	if e.Policy != "" {
		add("by %s", e.Policy)
	}
	if e.Reason != "" {
		add("(%s)", n.replace(e.Reason))
	}
	if e.Err != nil {
		add("error: %s", n.replace(e.Err.Error()))
	}
	return strings.Join(parts, "  ")
}

// startText says how a start was.
func startText(e Event) string {
	s := "on time"
	if e.Lateness != 0 {
		s = "behind by " + e.Lateness.String()
	}
	if e.Late {
		s = "late by " + e.Lateness.String()
	}
	if e.Jitter > 0 {
		s += ", delayed by " + e.Jitter.String()
	}
	if e.Count > 0 {
		s += fmt.Sprintf(", stands for %d", e.Count)
	}
	return s
}

// diff shows the first lines that differ.
func diff(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	i := 0
	for i < min(len(w), len(g)) && w[i] == g[i] {
		i++
	}
	var b strings.Builder
	fmt.Fprintf(&b, "from line %d on\n", i+1)
	for _, l := range w[i:min(i+8, len(w))] {
		fmt.Fprintf(&b, "- %s\n", l)
	}
	for _, l := range g[i:min(i+8, len(g))] {
		fmt.Fprintf(&b, "+ %s\n", l)
	}
	return b.String()
}

// vtime is a time of virtual time's first days.
func vtime(hours, minutes int) time.Time {
	return time.Date(2000, 1, 1, hours, minutes, 0, 0, time.UTC)
}

// drop takes events out of a trace that would be too long to read.
func (r *rig) drop(which func(Event) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = slices.DeleteFunc(r.events, which)
}
