// Package jobs_test builds each job with the command of its README and runs it through the whole host.
package jobs_test

import (
	"strings"
	"testing"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/examples/jobs/jobtest"
	"github.com/wcron/wcron/host"
)

// readme checks that a job does with the input of its sidecar what its README says.
func readme(t *testing.T, h *jobtest.Host, e example) {
	t.Helper()
	expect(t, h.Run(e.name, ""), 0, e.block(t, "```\n"))
}

// expect checks an exit code and the whole output.
func expect(t *testing.T, e host.Event, code int64, output string) {
	t.Helper()
	outcome, cause := claims.OK, claims.Cause("")
	if code != 0 {
		outcome, cause = claims.Failed, claims.Exit
	}
	if e.Outcome != outcome || e.Cause != cause || e.ExitCode == nil || *e.ExitCode != code {
		t.Errorf("%s: outcome %s %s (%s), want exit code %d", e.Job, e.Outcome, e.Cause, e.Reason, code)
	}
	if string(e.Output) != output {
		t.Errorf("%s prints\n%s\nwant\n%s", e.Job, e.Output, output)
	}
}

func TestDiskDigest(t *testing.T) {
	e := withGo(t, "diskdigest")
	h := jobtest.Start(t, e.plugin(t), "")
	readme(t, h, e)
	for _, c := range []struct {
		input  string
		code   int64
		output string
	}{
		{`{"listing":"3 a/b/c/d\n1\ta/e\r\n\n0 f\n","depth":1}`, 0, `
  SIZE   SHARE  FILES  FOLDER
   4 B  100.0%      2  "a"
   0 B    0.0%      1  "."
   4 B  100.0%      3  in all
`},
		{`{"listing":""}`, 0, `
  SIZE   SHARE  FILES  FOLDER
   0 B  100.0%      0  in all
`},
		{`{"listing":"1 /a\n2k /b\n"}`, 1, `
diskdigest: listing, line 2: want a size in bytes, a blank and a path, got "2k /b"
`},
		{`{"listing":"-1 /a"}`, 1, `
diskdigest: listing, line 1: want a size in bytes, a blank and a path, got "-1 /a"
`},
		{`{"listing":"9223372036854775807 /a\n1 /b"}`, 1, `
diskdigest: listing, line 2: the sizes add up to more than 9223372036854775807 bytes
`},
		{`null`, 1, `
diskdigest: want an input such as { listing = "4096 /srv/a.iso", depth = 2, top = 10 }, with numbers above 0
`},
		{`{"listing":7}`, 1, `
diskdigest: read the event: json: cannot unmarshal number into Go struct field input.Input.listing of type string
`},
	} {
		expect(t, h.Run(e.name, c.input), c.code, c.output[1:])
	}
}

// State goes from run to run, and a run that fails leaves none.
func TestNewItems(t *testing.T) {
	e := withGo(t, "newitems")
	h := jobtest.Start(t, e.plugin(t), "")
	readme(t, h, e)
	for _, c := range []struct {
		input  string
		code   int64
		output string
	}{
		{"", 0, ""},
		{`{"items":["release 1.5","release 1.6"]}`, 0, "new: release 1.6\n"},
		{`{"items":["release 1.7",""]}`, 1, "new: release 1.7\nnew: \nnewitems: an item is empty: this run does not count, and the next one reports its items again\n"},
		{`{"items":["release 1.7"]}`, 0, "new: release 1.7\n"},
		{`{"items":["release 1.7"]}`, 0, ""},
		{`{"items":["` + strings.Repeat("x", 300<<10) + `"]}`, 1, "new: " + strings.Repeat("x", 300<<10) +
			"\nnewitems: set \"seen\": a value has at most 262144 bytes, and this one has 307260 (value_too_large)\n"},
	} {
		expect(t, h.Run(e.name, c.input), c.code, c.output)
	}
}

func TestFeedDiff(t *testing.T) {
	e := withClang(t, "feeddiff")
	h := jobtest.Start(t, e.plugin(t), "")
	readme(t, h, e)
	for _, c := range []struct {
		input  string
		code   int64
		output string
	}{
		{`{"old":"b\tB\n\na\tA","new":"a\tA\r\nb\tB\r\n"}`, 0, "0 new, 0 gone, 0 changed\n"},
		{`{"old":"","new":""}`, 0, "0 new, 0 gone, 0 changed\n"},
		{
			`{"x":[{"old":"no"},"\"old\":"],"old":"a\t1","new":"a\t\u00e9 \ud83d\ude00 \\ \" \/\nb\t\u20ac \ud83d"}`, 0,
			"1 new, 0 gone, 1 changed\n~ a  é 😀 \\ \" / (was: 1)\n+ b  € \ufffd\n",
		},
		{`{"old":"a\tA\nb","new":"a\tA"}`, 1, "feeddiff: old, line 2: want a link, a tab and a title, got \"b\"\n"},
		{`{"old":"a\tA","new":"b\tB\nb\tC"}`, 1, "feeddiff: new: two entries have the link b\n"},
		{`{"old":"a\tA"}`, 1, "feeddiff: want an input with the strings \"old\" and \"new\", each line a link, a tab and a title\n"},
		{`null`, 1, "feeddiff: want an input with the strings \"old\" and \"new\", each line a link, a tab and a title\n"},
		{
			`{"nested":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `,"old":"","new":"l\tt"}`, 0,
			"1 new, 0 gone, 0 changed\n+ l  t\n",
		},
	} {
		expect(t, h.Run(e.name, c.input), c.code, c.output)
	}

	empty := h.Run(e.name, `{"old":"a\tA","new":"\n"}`)
	expect(t, empty, claims.ExitRetry, "feeddiff: the new snapshot is empty: it was probably not fetched\n")
	if empty.Retry.IsZero() {
		t.Error("no other attempt is made although the job asks for one")
	}
}

func TestLogSummary(t *testing.T) {
	e := withRust(t, "logsummary")
	h := jobtest.Start(t, e.plugin(t), `
[jobs.logsummary]

[jobs.mistaken]
plugin = "logsummary.wasm"
args = ["--top=few"]
`)
	readme(t, h, e)
	none := "FATAL      0\nERROR      0\nWARN       0\nINFO       0\nDEBUG      0\nother      0\n"
	for _, c := range []struct {
		input  string
		code   int64
		output string
	}{
		{`{"log":"\n \n"}`, 0, none},
		{
			`{"x":{"log":1},"log":"[error] \ud83d\ude00 \"a\\b\" 1\nerr: \u00e9 \ud83d!\r\nWarning\ta b c d ERROR\nno level in here at all: error\n"}`, 0,
			strings.NewReplacer("ERROR      0", "ERROR      2", "WARN       0", "WARN       1", "other      0", "other      1").Replace(none) +
				"\n     1  ERROR  é \ufffd!\n     1  ERROR  😀 \"a\\b\" #\n     1  WARN   a b c d ERROR\n",
		},
		{`{"log":["error"]}`, 1, "logsummary: want an input with the string \"log\"\n"},
		{`"log"`, 1, "logsummary: want an input with the string \"log\"\n"},
	} {
		expect(t, h.Run(e.name, c.input), c.code, c.output)
	}

	expect(t, h.Run("mistaken", ""), claims.ExitDisable, "logsummary: --top=few: want a number, such as --top=5\n")
	if why := h.Disabled("mistaken"); !strings.Contains(why, "78") {
		t.Errorf("disabled for the reason %q", why)
	}
}
