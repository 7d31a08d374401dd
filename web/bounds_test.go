package web_test

import (
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/admin"
)

var (
	runLink    = regexp.MustCompile(`href="/runs/(r[0-9]+)"`)
	slotCell   = regexp.MustCompile(`<bdi>slot ([0-9]+)</bdi>`)
	olderLinks = map[string]*regexp.Regexp{
		"runs":  regexp.MustCompile(`href="([^"]*)">Older runs`),
		"slots": regexp.MustCompile(`href="([^"]*)">Older slots`),
	}
)

// busy is a job with n runs and n slots, of which a few have the same time.
func busy(t *testing.T, n int) *stub {
	s := &stub{t: t, status: admin.Status{Timezone: "UTC"}, jobs: []admin.Job{{Job: "busy", State: "active"}}}
	for i := range n {
		at := noon.Add(-time.Duration(i/7) * time.Second) // by sevens
		s.runs = append(s.runs, admin.Run{RunID: fmt.Sprintf("r%d", i), Job: "busy", ClaimedAt: at, EndedAt: &at, Outcome: "ok"})
		s.slots = append(s.slots, admin.Slot{Job: "busy", Slot: fmt.Sprintf("busy@%d", i), ScheduledAt: at, Verdict: new("ok"), Reason: new(fmt.Sprintf("slot %d", i)), Count: 1})
	}
	return s
}

// From page to page each run and each slot is there once, in order, also where many have the same time. The other list stays where it is.
func TestPaging(t *testing.T) {
	const n = 431
	for list, row := range map[string]*regexp.Regexp{"runs": runLink, "slots": slotCell} {
		s := busy(t, n)
		h := s.handler()
		path, seen, pages := "/jobs/busy", 0, 0
		for path != "" {
			got := page(t, h, path)
			pages++
			for _, m := range row.FindAllStringSubmatch(got, -1) {
				if want := fmt.Sprint(seen); strings.TrimPrefix(m[1], "r") != want {
					t.Fatalf("%s: page %d has %s, want number %s", list, pages, m[1], want)
				}
				seen++
			}
			for other, rows := range map[string]*regexp.Regexp{"runs": runLink, "slots": slotCell} {
				if other != list && !strings.HasSuffix(rows.FindStringSubmatch(got)[1], "0") {
					t.Errorf("on page %d of the %s the %s are others", pages, list, other)
				}
			}
			next := olderLinks[list].FindStringSubmatch(got)
			path = ""
			if next != nil {
				path = strings.TrimSuffix(html.UnescapeString(next[1]), "#"+list)
			}
		}
		if seen != n || pages != (n+49)/50 {
			t.Errorf("%s: %d of %d on %d pages", list, seen, n, pages)
		}
	}
}

// Of a job with a hundred thousand runs a page asks for a page.
func TestAsksForNoMoreThanAPage(t *testing.T) {
	s := busy(t, 100_000)
	h := s.handler()
	got := page(t, h, "/jobs/busy?runs="+fmt.Sprint(noon.Add(-5000*time.Second).UnixMilli())+"~r35000")
	if len(runLink.FindAllString(got, -1)) != 50 || !strings.Contains(got, `"/runs/r35001"`) {
		t.Errorf("not the runs behind r35000:\n%.3000s", got)
	}
	page(t, h, "/")
	page(t, h, "/runs/r99")
	for _, limit := range s.limits {
		if limit <= 0 || limit > 200 {
			t.Errorf("%d rows were asked for", limit)
		}
	}
	if len(s.limits) < 4 {
		t.Errorf("%d questions", len(s.limits))
	}
}

// A run that the cursor names and that is gone by now does not end the list.
func TestCursorOfARunThatIsGone(t *testing.T) {
	s := busy(t, 100)
	got := page(t, s.handler(), fmt.Sprintf("/jobs/busy?runs=%d~gone", noon.Add(-5*time.Second).UnixMilli()))
	if first := runLink.FindStringSubmatch(got); first == nil || first[1] != "r42" {
		t.Errorf("it goes on with %v, want the first one of an earlier time", first)
	}
}

// Many jobs are pages of jobs, each once, and so are jobs that came or went between two pages.
func TestPagesOfJobs(t *testing.T) {
	s := &stub{t: t, status: admin.Status{Timezone: "UTC"}}
	for i := range 450 {
		s.jobs = append(s.jobs, admin.Job{Job: fmt.Sprintf("job%03d", i), State: "active"})
	}
	h := s.handler()
	next, link := regexp.MustCompile(`href="([^"]*)">Next page`), regexp.MustCompile(`href="/jobs/(job[0-9]+)"`)
	path, seen := "/", 0
	for path != "" {
		got := page(t, h, path)
		for _, m := range link.FindAllStringSubmatch(got, -1) {
			if m[1] != fmt.Sprintf("job%03d", seen) {
				t.Fatalf("%s has %s as number %d", path, m[1], seen)
			}
			seen++
		}
		path = ""
		if m := next.FindStringSubmatch(got); m != nil {
			path = m[1]
		}
	}
	if seen != 450 {
		t.Errorf("%d jobs", seen)
	}
	if got := page(t, h, "/?after=zzz"); !strings.Contains(got, "There are no jobs after this name") {
		t.Errorf("behind the last one:\n%s", got)
	}
}

// However long the texts are, a page is not.
func TestPageSize(t *testing.T) {
	long := strings.Repeat("&", 1<<20)
	s := &stub{t: t, jobs: make([]admin.Job, 300), runs: make([]admin.Run, 300), slots: make([]admin.Slot, 300)}
	filled(reflect.ValueOf(&s.status).Elem(), long)
	for i := range s.jobs {
		filled(reflect.ValueOf(&s.jobs[i]).Elem(), long)
		filled(reflect.ValueOf(&s.runs[i]).Elem(), long)
		filled(reflect.ValueOf(&s.slots[i]).Elem(), long)
		s.jobs[i].Job, s.runs[i].RunID, s.runs[i].Job, s.slots[i].Job = fmt.Sprintf("job%03d", i), fmt.Sprintf("r%03d", i), "job000", "job000"
		s.slots[i].RunIDs = []string{"r000"}
	}
	s.output = func(w io.Writer) error {
		for range 40 {
			if _, err := io.WriteString(w, long); err != nil {
				return err
			}
		}
		return nil
	}
	for _, path := range []string{"/", "/jobs/job000", "/runs/r000"} {
		if got := page(t, s.handler(), path); len(got) > 12<<20 {
			t.Errorf("%s has %d bytes", path, len(got))
		}
	}
}

// Of a long output a page has the begin and the end, and says what is left out; of one that is too long to be read the begin.
func TestOutputBounds(t *testing.T) {
	lines := func(n int) func(io.Writer) error {
		return func(w io.Writer) error {
			var piece []byte
			for i := range n {
				if piece = fmt.Appendf(piece, "line %07d ü\n", i); len(piece) < 30_000 && i < n-1 {
					continue
				}
				if _, err := w.Write(piece); err != nil {
					return err
				}
				piece = piece[:0]
			}
			return nil
		}
	}
	const each = int64(len("line 0000000 ü\n"))
	s := one(t, "word", false)
	for n, want := range map[int][]string{
		1:         {"line 0000000 ü\n</pre>", "16 B. "},
		4000:      {"line 0000000 ü\nline 0000001", "line 0003999 ü\n</pre>", "62.5 KiB. "},
		4096:      {"line 0002000 ü\n", "64.0 KiB. "},
		1_000_000: {"line 0000000 ü\n", "line 0001023 ü\n", "line 0999999 ü\n</pre>", "15.3 MiB. ", "15.2 MiB lie between"},
	} {
		s.output = lines(n)
		got := page(t, s.handler(), "/runs/word")
		for _, part := range want {
			if !strings.Contains(got, part) {
				t.Errorf("%d lines (%d bytes): %q is not there", n, int64(n)*each, part)
			}
		}
		if len(got) > 100<<10 || strings.Contains(got, "\ufffd") {
			t.Errorf("%d lines: the page has %d bytes, and a cut letter is in it: %v", n, len(got), strings.Contains(got, "\ufffd"))
		}
		if all := n <= 4096; all == strings.Contains(got, "lie between") {
			t.Errorf("%d lines: left out is said: %v", n, !all)
		}
	}
	s.output = lines(5_000_000)
	if got := page(t, s.handler(), "/runs/word"); !strings.Contains(got, "larger than 64.0 MiB") || !strings.Contains(got, "line 0000000") {
		t.Errorf("an output that is too long:\n%.2000s", got)
	}
}

// Letters that the bounds cut into two are left out as a whole.
func TestOutputCutsNoLetter(t *testing.T) {
	s := one(t, "word", false)
	for shift := range 4 {
		s.output = func(w io.Writer) error {
			_, err := io.WriteString(w, strings.Repeat("x", shift)+strings.Repeat("\U0001f600", 100_000))
			return err
		}
		if got := page(t, s.handler(), "/runs/word"); strings.Contains(got, "\ufffd") {
			t.Errorf("shifted by %d, a letter is cut", shift)
		}
	}
}

// The file of an output is offered as a file of plain text, and one that cannot be had whole does not look whole.
func TestOutputFile(t *testing.T) {
	s := one(t, "word", false)
	w := ask(t, s.handler(), "/runs/word/output")
	for name, want := range map[string]string{"Content-Type": "text/plain; charset=utf-8", "Content-Disposition": `attachment; filename="word.txt"`, "X-Content-Type-Options": "nosniff"} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	if !strings.HasPrefix(w.Header().Get("Content-Security-Policy"), "sandbox; default-src 'none'") || w.Body.String() != "word" {
		t.Errorf("%v %q", w.Header(), w.Body)
	}
	s.runs[0].RunID = "../\"\r\nX: y/ü"
	if got := ask(t, s.handler(), "/runs/..%2F%22%0D%0AX:%20y%2F%C3%BC/output").Header().Get("Content-Disposition"); got != `attachment; filename="______X__y___.txt"` {
		t.Errorf("a hostile id: %s", got)
	}
	r := httptest.NewRequest(http.MethodHead, "http://localhost/runs/word2/output", nil)
	head := httptest.NewRecorder()
	s.output = func(io.Writer) error { return errors.New("the output was read for its head") }
	if s.handler().ServeHTTP(head, r); head.Code != http.StatusOK || head.Body.Len() > 0 {
		t.Errorf("HEAD: %d %q", head.Code, head.Body)
	}
	if w := ask(t, s.handler(), "/runs/word2/output"); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "was read") {
		t.Errorf("an error before the first byte: %d %s", w.Code, w.Body)
	}
	s.output = func(w io.Writer) error {
		if _, err := io.WriteString(w, strings.Repeat("half ", 10_000)); err != nil {
			return err
		}
		return errors.New("the disk is gone")
	}
	server := httptest.NewServer(s.handler())
	defer server.Close()
	res, err := http.Get(server.URL + "/runs/word2/output")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.ReadAll(res.Body); err == nil {
		t.Error("half an output looks whole")
	}
}
