package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// example shows a class of differences: all libraries that have it, one question, and who is right.
type example struct {
	class             class
	parsers           []string
	text, zone, after string
	right, why        string
}

var both = []string{robfig, hashicorp}

// Appealed to are crontab(5) and cron(8) of cronie, and its entry.c.
var examples = []example{
	{starDay, both, "0 3 28 * */2", "UTC", "2030-01-01T00:00:00Z", "ours", "cronie's entry.c sets the star flag by the field's first character, so a day must match both fields; crontab(5): a field is restricted when it does not contain the \"*\" character"},
	{sunday7, []string{robfig}, "0 0 * * 7", "UTC", "2030-01-01T00:00:00Z", "ours", "crontab(5): day of week 0-7, 0 or 7 is Sunday"},
	{toSunday, both, "0 0 * * 5-7", "UTC", "2030-01-05T12:00:00Z", "ours", "crontab(5) allows 7, and ranges of it; hashicorp reads the text and leaves Sunday out. cronie takes the same with names, FRI-SUN, for an empty range, and ours for 5-7"},
	{quartz, []string{robfig}, "0 0 LW * *", "UTC", "2030-01-01T00:00:00Z", "a matter of grammar", "L, W and # are Quartz's; crontab(5) has none of them"},
	{stepAlone, both, "5/15 * * * *", "UTC", "2030-01-01T00:00:00Z", "ours", "crontab(5): steps follow a range or *; cronie's entry.c refuses a step behind a single number, other crons read it as 5 alone or as 5-59/15"},
	{longStep, []string{robfig}, "*/64 * * * *", "UTC", "2030-01-01T00:00:00Z", "a matter of taste", "cronie takes any step, and this one leaves 0 alone; whoever writes it means something else"},
	{backwards, []string{hashicorp}, "0 22-2 * * *", "UTC", "2030-01-01T00:00:00Z", "ours", "hashicorp takes it for an empty set and is never due; an error says what to write"},
	{noSuchDate, both, "0 0 30 2 *", "UTC", "2030-01-01T00:00:00Z", "ours", "both take it and are never due"},
	{strangeQ, both, "? 1 * * *", "UTC", "2030-01-01T00:00:00Z", "ours", "crontab(5) has no ?; Quartz has it in the two day fields and alone"},
	{skipped, both, "30 2 * * *", "America/New_York", "2026-03-07T12:00:00-05:00", "ours", "cron(8): jobs that would have run in a skipped stretch of up to three hours are run right after it. `dst = \"skip\"` is their answer"},
	{repeated, both, "15,45 1 * * *", "America/New_York", "2027-11-07T01:52:17-04:00", "ours", "cron(8): jobs of a repeated stretch are not run again. `dst = \"both\"` is their answer"},
	{lost, both, "* 2 * * *", "Australia/Lord_Howe", "2022-10-01T03:45:40+10:30", "ours", "the wall clock shows 02:30 on that day; robfig passes over the first half of the hour on the day that repeats it instead"},
	{invented, both, "0,7 1 19-28 * *", "Africa/Cairo", "2033-04-28T21:40:14+02:00", "ours", "the 29th is not among 19-28: midnight does not exist on that day"},
}

const (
	docsFile = "../../docs/schedules.md"
	begin    = "<!-- begin: differences, written by cd bench/schedule && WCRON_UPDATE=1 go test -run TestExamples -->\n\n"
	end      = "<!-- end: differences -->"
)

func answer(at time.Time, err error) string {
	switch {
	case err != nil:
		return "refused"
	case at.IsZero():
		return "never"
	}
	return at.Format("2006-01-02 15:04 -07")
}

// TestExamples makes sure that each example is of its class, and that the documentation's table is what comes of them.
func TestExamples(t *testing.T) {
	var b strings.Builder
	b.WriteString("| class | question | wcron | robfig/cron | hashicorp/cronexpr | who is right, and why |\n|---|---|---|---|---|---|\n")
	for _, e := range examples {
		loc := mustLoad(t, e.zone)
		after, err := time.Parse(time.RFC3339, e.after)
		if err != nil {
			t.Fatal(err)
		}
		after = after.In(loc)
		answers := make([]string, 3)
		shown := 0
		for i, p := range parsers()[:3] {
			at, err := ask(p, e.text, loc, after)
			answers[i] = answer(at, err)
			if i == 0 {
				continue
			}
			d, differs := compare(p, e.text, loc, after)
			if c := classify(p, d); differs && c != e.class {
				t.Errorf("%s: %q in %s after %s: class %q, want %q", p.name, e.text, e.zone, e.after, c, e.class)
			} else if differs {
				shown++
				if !slices.Contains(e.parsers, p.name) {
					t.Errorf("%s: %q differs, and the library is not listed for %q", p.name, e.text, e.class)
				}
			}
		}
		if shown == 0 {
			t.Errorf("%q in %s after %s: nobody differs: %q", e.text, e.zone, e.after, answers)
		}
		fmt.Fprintf(&b, "| %s (%s) | `%s`, %s, after %s | %s | %s | %s | %s: %s |\n", e.class, strings.Join(e.parsers, ", "), e.text, e.zone,
			after.Format("2006-01-02 15:04 -07"), answers[0], answers[1], answers[2], e.right, e.why)
	}
	page, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(strings.ReplaceAll(string(page), "\r\n", "\n"), begin)
	old, tail, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s lacks the marks of the table", docsFile)
	}
	if want := b.String() + "\n"; os.Getenv("WCRON_UPDATE") == "1" {
		if err := os.WriteFile(docsFile, []byte(head+begin+want+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if old != want {
		t.Errorf("%s is not what the libraries say; it should be\n%s", docsFile, want)
	}
}
