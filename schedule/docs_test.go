package schedule_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/schedule"
)

const docsFile = "../docs/schedules.md"

// clockChanges are the days of the table in docs/schedules.md, each with the schedules that show what happens there.
var clockChanges = []struct {
	zone, from, through string
	what                string
	texts               []string
}{
	{"America/New_York", "2026-03-08T01:45:00-05:00", "2026-03-08T04:00:00-04:00", "2026-03-08, New York: 02:00 becomes 03:00", []string{
		"30 2 * * *", "15,45 2 * * *", "0 3 * * *", "0 2-3 * * *", "30 1-9 * * *", "*/30 2 * * *", "30 */2 * * *", "*/30 * * * *", "@hourly",
	}},
	{"America/New_York", "2026-11-01T00:45:00-04:00", "2026-11-01T02:30:00-05:00", "2026-11-01, New York: 02:00 becomes 01:00", []string{
		"30 1 * * *", "0,30 1 * * *", "0 2 * * *", "30 1-9 * * *", "*/30 1 * * *", "30 */1 * * *", "*/30 * * * *", "@hourly",
	}},
	{"Australia/Lord_Howe", "2026-10-04T01:45:00+10:30", "2026-10-04T03:00:00+11:00", "2026-10-04, Lord Howe: 02:00 becomes 02:30", []string{
		"15 2 * * *", "*/15 * * * *",
	}},
	{"America/Sao_Paulo", "2018-11-03T12:00:00-03:00", "2018-11-04T02:00:00-02:00", "2018-11-04, São Paulo: midnight becomes 01:00", []string{
		"0 0 * * *", "@hourly",
	}},
	{"Pacific/Apia", "2011-12-29T22:30:00-10:00", "2011-12-31T01:00:00+14:00", "2011-12-30, Apia: the day is left out", []string{
		"0 12 * * *", "0 0 * * *", "@hourly",
	}},
}

// clockTable is the table as the package has it.
func clockTable(t *testing.T) string {
	var b strings.Builder
	for _, c := range clockChanges {
		from, through := instant(t, c.from), instant(t, c.through)
		fmt.Fprintf(&b, "**%s.** Due after %s and until %s:\n\n", c.what, from.Format("15:04"), through.Format("15:04"))
		b.WriteString("| schedule | `once`, the default | `skip` | `both` |\n|---|---|---|---|\n")
		for _, text := range c.texts {
			fmt.Fprintf(&b, "| `%s` |", text)
			for _, dst := range []schedule.DST{schedule.Once, schedule.Skip, schedule.Both} {
				s := mustParse(t, text, schedule.Options{Location: zone(t, c.zone), DST: dst})
				fmt.Fprintf(&b, " %s |", dueText(s, from, through))
			}
			b.WriteString("\n")
		}
		b.WriteString("\n")
	}
	return b.String()
}

func dueText(s *schedule.Spec, from, through time.Time) string {
	var due []string
	for at := s.Next(from); !at.IsZero() && !at.After(through); at = s.Next(at) {
		due = append(due, at.Format("15:04 -07"))
	}
	switch n := len(due); {
	case n == 0:
		return "nothing"
	case n > 6:
		return fmt.Sprintf("%s, %s … %s (%d times)", due[0], due[1], due[n-1], n)
	}
	return strings.Join(due, ", ")
}

// TestClockTable holds the table of clock changes in the documentation to what the package does: go test -run ClockTable -update
// writes it anew.
func TestClockTable(t *testing.T) {
	const begin, end = "<!-- begin: clock changes, written by go test ./schedule -run TestClockTable -update -->\n\n", "<!-- end: clock changes -->"
	page, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(strings.ReplaceAll(string(page), "\r\n", "\n"), begin)
	old, tail, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s lacks the marks of the table", docsFile)
	}
	want := clockTable(t)
	if *update {
		if err := os.WriteFile(docsFile, []byte(head+begin+want+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if old != want {
		t.Errorf("%s is not what the package does; run go test ./schedule -run TestClockTable -update. It should be\n%s", docsFile, want)
	}
}

// TestDocumentedTexts reads every schedule of the documentation's table of texts.
func TestDocumentedTexts(t *testing.T) {
	page, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(strings.ReplaceAll(string(page), "\r\n", "\n"), "\n## Texts\n")
	text, _, _ = strings.Cut(text, "\n## ")
	n := 0
	for line := range strings.SplitSeq(text, "\n") {
		if cell, ok := strings.CutPrefix(line, "| `"); ok {
			cell, _, _ = strings.Cut(cell, "` |")
			mustParse(t, cell, tableOptions(time.UTC))
			n++
		}
	}
	if n < 20 {
		t.Errorf("%d texts in the table, want at least 20", n)
	}
}
