package browser

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/wcron/wcron/internal/guest"
)

// attack would show that it ran in more than one way, and ask somebody else for something.
const attack = `</pre></title><script>window.owned = 1</script><img src="http://127.0.0.1:9/x" onerror="window.owned = 1"><style>body{display:none}</style>`

// moving tells how far it is each 200 ms, for a bit more than n of these, and writes a line each time.
func moving(n int) []byte {
	var calls []guest.Call
	for i := range n {
		calls = append(calls, guest.Call{Function: "wcron_progress", Nap: 200 * time.Millisecond,
			Request: fmt.Sprintf(`{"percent":%.1f,"text":%q}`, 100*float64(i)/float64(n), fmt.Sprintf("<b>step</b> %d", i))})
	}
	return guest.Calling(guest.ThenReturn, calls...)
}

const (
	row      = `document.querySelector('tr[data-key="mover"]')`
	progress = `document.querySelector('main progress')`
)

// What runs is seen to move without a reload, on the page of all jobs and on its own, to its end; the page says when the host is away, and goes on when one
// is back.
func TestLive(t *testing.T) {
	s := newSite(t)
	s.drop("mover", moving(75), "timeout = \"5m\"\n")
	kill := s.serve()
	b := s.open()
	b.visit("/")
	b.await("the job", row+" !== null")
	s.run("mover")
	b.await("its progress", row+".querySelector('progress') !== null")
	before := read[float64](b, row+".querySelector('progress').value")
	b.await("more progress", fmt.Sprintf("%s.querySelector('progress') !== null && %[1]s.querySelector('progress').value > %v", row, before))
	if text := read[string](b, row+".innerText"); !strings.Contains(text, "<b>step</b> ") || !strings.Contains(text, " %") || !strings.Contains(text, "running") {
		t.Errorf("the line of the job says %q", text)
	}
	b.stayed()

	b.visit(read[string](b, "new URL("+row+".querySelector('.run a').href).pathname"))
	b.await("progress on the page of the run", progress+" !== null")
	before = read[float64](b, progress+".value")
	lines := read[int](b, "document.querySelector('pre') ? document.querySelector('pre').textContent.length : 0")
	b.await("more progress", fmt.Sprintf("%s !== null && %[1]s.value > %v", progress, before))
	b.await("more output", fmt.Sprintf("document.querySelector('pre') !== null && document.querySelector('pre').textContent.length > %d", lines))
	b.await("the end of the output is in view", `((p) => p.scrollHeight > p.clientHeight + 100 && p.scrollTop + p.clientHeight > p.scrollHeight - 8)(document.querySelector('pre'))`)
	b.await("the end", `document.querySelector('h1').innerText.includes('ok') && document.querySelector('#link').textContent.startsWith('It has ended')`)
	b.stayed()

	b.visit("/")
	b.await("it is up to date", `document.querySelector('#link').textContent.startsWith('Live')`)
	b.quiet()
	kill()
	b.await("the page says that the host is away", `document.querySelector('#link.away') !== null && document.querySelector('#link').textContent.includes('Not up to date since')`)
	s.serve()
	b.await("the page is up to date again", `document.querySelector('#link.away') === null && document.querySelector('#link').textContent.startsWith('Live')`)
	b.stayed()
}

// What a guest and its author say is text, whatever it says; the browser has nothing to complain of, and asks nobody but the dashboard.
func TestHostileTextIsText(t *testing.T) {
	s := newSite(t)
	quoted := strings.ReplaceAll(attack, `"`, `\"`)
	s.drop("prints", guest.Print(attack+"\n", "\x1b]0;owned\x07\u202eabc\n", 3), "schedule = \"@reboot\"\n")
	s.drop("tells", guest.Calling(guest.ThenClock, guest.Call{Function: "wcron_progress", Request: `{"percent":40,"text":"` + quoted + `"}`}), "schedule = \"@reboot\"\ntimeout = \"5m\"\noutput = \"8MiB\"\n")
	s.drop("wants", guest.Fetch(`{"url":"https://api.example.com/"}`), "schedule = \"@daily\"\n[[request.http]]\nhost = \"api.example.com\"\nreason = \""+quoted+"\"\n")
	s.serve()
	b := s.open()
	harmless := func() {
		t.Helper()
		if read[bool](b, `window.owned === 1 || document.querySelector('main img, main script, main style, main iframe') !== null || getComputedStyle(document.body).display === 'none'`) {
			t.Errorf("the text has become a part of the page:\n%s", read[string](b, "document.querySelector('main').innerHTML"))
		}
	}
	b.visit("/")
	b.await("all jobs", `document.querySelector('main').innerText.includes('failed') && document.querySelectorAll('progress').length === 1`)
	if text := read[string](b, "document.querySelector('main').innerText"); strings.Count(text, "window.owned = 1") < 4 {
		t.Errorf("the progress and the reason are not there as text: %s", text)
	}
	harmless()
	var pages []string
	for _, job := range []string{"prints", "tells", "wants"} {
		pages = append(pages, "/jobs/"+job)
	}
	pages = append(pages, read[[]string](b, `[...document.querySelectorAll('a[href^="/runs/"]')].map((a) => new URL(a.href).pathname)`)...)
	if len(pages) < 5 {
		t.Fatalf("pages %v", pages)
	}
	for _, path := range pages {
		b.visit(path)
		b.await(path+" is live or over", `document.readyState === 'complete'`)
		harmless()
	}
	b.visit("/jobs/prints")
	b.visit(read[string](b, `new URL(document.querySelector('#runs ~ table a').href).pathname`))
	if text := read[string](b, "document.querySelector('pre').textContent"); !strings.Contains(text, attack+"\n") || !strings.Contains(text, "\u241b]0;owned\u2407\ufffdabc") {
		t.Errorf("the output is shown as %q", text)
	}
	b.quiet()
	// The rig hears what it must not hear: with the same text as markup, the browser complains.
	b.do(chromedp.Evaluate[chromedp.Void]("document.querySelector('main').innerHTML = document.querySelector('pre').textContent"))
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		if troubles, _ := b.heard(); strings.Contains(strings.Join(troubles, "\n"), "Content Security Policy") {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the browser did not complain of an image from elsewhere")
		}
	}
	if read[bool](b, "window.owned === 1") {
		t.Error("the policy let a script of the page run")
	}
}

// Pages fit a narrow window, need no JavaScript, have what those who do not see them need, and ask for nothing while nobody looks.
func TestForEverybody(t *testing.T) {
	s := newSite(t)
	s.drop("mover", moving(600), "schedule = \"@reboot\"\ntimeout = \"10m\"\n")
	s.drop("fails", guest.Print(strings.Repeat("a-long-word", 100)+"\n", "", 3), "schedule = \"@reboot\"\n")
	s.drop("wants", guest.Fetch(`{"url":"https://api.example.com/"}`), "schedule = \"@daily\"\n[[request.http]]\nhost = \"api.example.com\"\nreason = \"reads\"\n")
	s.serve()
	b := s.open()
	b.visit("/")
	b.await("all jobs", `document.querySelector('main').innerText.includes('failed') && document.querySelector('progress') !== null`)
	paths := append([]string{"/", "/jobs/fails", "/jobs/wants"}, read[[]string](b, `[...document.querySelectorAll('a[href^="/runs/"]')].map((a) => new URL(a.href).pathname)`)...)
	for _, path := range paths {
		b.do(chromedp.EmulateViewport(400, 800))
		b.visit(path)
		if wide := read[int](b, "document.documentElement.scrollWidth"); wide > 400 {
			t.Errorf("%s is %d wide", path, wide)
		}
		if missing := read[[]string](b, `[
			document.documentElement.lang !== 'en' && 'lang', document.title === '' && 'title', document.querySelectorAll('h1').length !== 1 && 'one h1',
			document.querySelectorAll('main').length !== 1 && 'one main',
			[...document.querySelectorAll('table')].some((t) => !t.querySelector('thead th[scope="col"]')) && 'column headers',
			[...document.querySelectorAll('progress, pre, nav, section')].some((e) => !e.getAttribute('aria-label') && !document.getElementById(e.getAttribute('aria-labelledby'))) && 'labels',
			[...document.querySelectorAll('[id]')].some((e) => document.querySelectorAll('#' + e.id).length > 1) && 'ids that differ',
			[...document.querySelectorAll('a')].some((a) => a.innerText.trim() === '' && a.textContent.trim() === '') && 'text of links',
		].filter(Boolean)`); len(missing) > 0 {
			t.Errorf("%s lacks %v", path, missing)
		}
	}
	colours := map[string]bool{}
	for _, scheme := range []string{"light", "dark"} {
		call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		colours[read[string](b, "getComputedStyle(document.body).backgroundColor")] = true
	}
	if len(colours) != 2 {
		t.Errorf("light and dark are both %v", colours)
	}

	b.visit("/")
	b.await("it is live", `document.querySelector('#link').textContent.startsWith('Live')`)
	b.do(chromedp.Evaluate[chromedp.Void](`Object.defineProperty(document, 'hidden', { configurable: true, get: () => true })`), chromedp.Sleep(time.Second)) // what was asked before is answered
	_, before := b.heard()
	b.do(chromedp.Sleep(5 * time.Second)) // time for two questions
	if _, now := b.heard(); now != before {
		t.Errorf("a page that is not seen asked %d times", now-before)
	}
	at := read[string](b, "document.querySelector('#status time').dateTime")
	b.do(chromedp.Evaluate[chromedp.Void](`delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))`))
	b.await("it goes on when it is seen", fmt.Sprintf("document.querySelector('#status time').dateTime !== %q", at))
	b.stayed()
	b.quiet()

	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.do(chromedp.Navigate(s.url("/")))
	text, err := chromedp.Run(b.ctx, chromedp.Text(chromedp.CSS("body")))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text, "mover") || !strings.Contains(text, "Without JavaScript") || !strings.Contains(text, " %") {
		t.Errorf("without JavaScript the page says %q", text)
	}
}
