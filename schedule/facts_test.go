package schedule_test

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/schedule"
)

var update = flag.Bool("update", false, "rewrite the last column of testdata/facts.tsv from the oracle")

const factsFile = "testdata/facts.tsv"

// jobName seeds H in the tables.
const jobName = "backup"

type fact struct {
	line        int
	expr, zone  string
	after, next string
}

func readFacts(t *testing.T, path string) (head string, facts []fact) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSuffix(line, "\r")
		if line == "" || line[0] == '#' {
			head += line
			continue
		}
		cols := strings.Split(line, "\t")
		if len(cols) < 4 {
			t.Fatalf("%s:%d: %d columns", path, i+1, len(cols))
		}
		facts = append(facts, fact{i + 1, cols[0], cols[1], cols[2], cols[3]})
	}
	return head, facts
}

func instant(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func list(times []time.Time) string {
	texts := make([]string, len(times))
	for i, at := range times {
		texts[i] = at.Format(time.RFC3339)
	}
	return strings.Join(texts, " ")
}

// chain follows Next up to n times; "never" ends it.
func chain(s schedule.Schedule, after time.Time, n int) string {
	var texts []string
	for range n {
		if after = s.Next(after); after.IsZero() {
			return strings.Join(append(texts, "never"), " ")
		}
		texts = append(texts, after.Format(time.RFC3339))
	}
	return strings.Join(texts, " ")
}

// TestFacts holds the rows of facts.tsv, which the oracle wrote, against both the package and the oracle.
// Without WCRON_CI=1 Go's own zone data is held against every fourth row only.
func TestFacts(t *testing.T) {
	if *update {
		holdFacts(t, 1)
		return
	}
	every := map[bool]int{true: 1, false: 4}[os.Getenv("WCRON_CI") == "1"]
	eachZoneData(t, func(t *testing.T) {
		if strings.HasSuffix(t.Name(), "/machine") {
			holdFacts(t, 1)
		} else {
			holdFacts(t, every)
		}
	})
}

func holdFacts(t *testing.T, every int) {
	head, facts := readFacts(t, factsFile)
	if len(facts) < 600 {
		t.Errorf("%d rows, want at least 600", len(facts))
	}
	var out strings.Builder
	out.WriteString(head + "\n")
	for i, f := range facts {
		if i%every != 0 {
			continue
		}
		after := instant(t, f.after)
		found := newBrute(t, f.expr, zone(t, f.zone)).times(after, horizon(f.expr, after), 3)
		want := list(found)
		if len(found) < 3 {
			want = strings.TrimSpace(want + " never")
		}
		out.WriteString(strings.Join([]string{f.expr, f.zone, f.after, want}, "\t") + "\n")
		if *update {
			continue
		}
		if want != f.next {
			t.Errorf("line %d: oracle: %q in %s after %s\n got %s\nwant %s", f.line, f.expr, f.zone, f.after, want, f.next)
		}
		s := mustParse(t, f.expr, tableOptions(zone(t, f.zone)))
		if got := chain(s, after, strings.Count(f.next, " ")+1); got != f.next {
			t.Errorf("line %d: %q in %s after %s\n got %s\nwant %s", f.line, f.expr, f.zone, f.after, got, f.next)
		}
	}
	if *update {
		if err := os.WriteFile(factsFile, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// tableOptions is what the rows are read with, beside their zone.
func tableOptions(loc *time.Location) schedule.Options {
	return schedule.Options{Location: loc, Name: jobName, Anchor: present}
}

// horizon is how far the oracle looks: until the last year that a text may name, where it names years, and three years for lists.
func horizon(text string, after time.Time) time.Time {
	switch {
	case strings.Contains(text, ";"):
		return after.AddDate(3, 0, 0)
	case len(strings.Fields(text)) == 7:
		return time.Date(2100, 1, 2, 0, 0, 0, 0, time.UTC)
	}
	return after.AddDate(101, 0, 0)
}

// TestHandChecked holds the rows of checked.tsv, each of which a person worked out with a calendar, against the package.
func TestHandChecked(t *testing.T) { eachZoneData(t, handChecked) }

func handChecked(t *testing.T) {
	_, facts := readFacts(t, "testdata/checked.tsv")
	for _, f := range facts {
		s := mustParse(t, f.expr, tableOptions(zone(t, f.zone)))
		if got := chain(s, instant(t, f.after), strings.Count(f.next, " ")+1); got != f.next {
			t.Errorf("line %d: %q in %s after %s\n got %s\nwant %s", f.line, f.expr, f.zone, f.after, got, f.next)
		}
	}
}
