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
func TestFacts(t *testing.T) {
	head, facts := readFacts(t, factsFile)
	if len(facts) < 150 {
		t.Errorf("%d rows, want at least 150", len(facts))
	}
	var out strings.Builder
	out.WriteString(head + "\n")
	for _, f := range facts {
		after := instant(t, f.after)
		o := newOracle(f.expr, zone(t, f.zone))
		want := list(o.times(after, after.AddDate(101, 0, 0), 3))
		out.WriteString(strings.Join([]string{f.expr, f.zone, f.after, want}, "\t") + "\n")
		if *update {
			continue
		}
		if want != f.next {
			t.Errorf("line %d: oracle: %q in %s after %s\n got %s\nwant %s", f.line, f.expr, f.zone, f.after, want, f.next)
		}
		s := mustParse(t, f.expr, schedule.Options{Location: zone(t, f.zone)})
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

// TestHandChecked holds the rows of checked.tsv, each of which a person worked out with a calendar, against the package.
func TestHandChecked(t *testing.T) {
	_, facts := readFacts(t, "testdata/checked.tsv")
	for _, f := range facts {
		s := mustParse(t, f.expr, schedule.Options{Location: zone(t, f.zone), Name: jobName})
		if got := chain(s, instant(t, f.after), strings.Count(f.next, " ")+1); got != f.next {
			t.Errorf("line %d: %q in %s after %s\n got %s\nwant %s", f.line, f.expr, f.zone, f.after, got, f.next)
		}
	}
}
