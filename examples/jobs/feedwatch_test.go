package jobs_test

import (
	"fmt"
	"hash/crc32"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/examples/jobs/jobtest"
)

// feeds is a server with one feed, which the test changes.
type feeds struct {
	mu      sync.Mutex
	body    string
	status  int // instead of 200
	full    int // answers with a body
	unasked int // requests without what the job should send
}

// ServeHTTP implements http.Handler.
func (f *feeds) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Method != http.MethodGet || !strings.Contains(r.Header.Get("Accept"), "application/rss+xml") {
		f.unasked++
	}
	tag := fmt.Sprintf(`"%x"`, crc32.ChecksumIEEE([]byte(f.body)))
	w.Header().Set("ETag", tag)
	switch {
	case f.status != 0:
		w.WriteHeader(f.status)
	case r.Header.Get("If-None-Match") == tag:
		w.WriteHeader(http.StatusNotModified)
	default:
		f.full++
		fmt.Fprint(w, f.body)
	}
}

// serve makes it answer with that from now on, and returns how many bodies it has sent so far.
func (f *feeds) serve(status int, body string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status, f.body = status, body
	return f.full
}

// rss is a feed with these items.
func rss(items ...string) string {
	return `<?xml version="1.0"?><!DOCTYPE rss><rss version="2.0"><channel><title>Feed</title><link>https://example.org/</link><!-- <item> -->
` + strings.Join(items, "\n") + `</channel></rss>`
}

func item(n int, title string) string {
	return fmt.Sprintf("<item><title>%s</title><link>https://example.org/%d</link><guid isPermaLink='false'>id-%d</guid></item>", title, n, n)
}

// edit changes a file of a plugin folder.
func edit(t *testing.T, file string, oldNew ...string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := string(text)
	for i := 0; i < len(oldNew); i += 2 {
		if !strings.Contains(changed, oldNew[i]) {
			t.Fatalf("%s has no %q", file, oldNew[i])
		}
		changed = strings.ReplaceAll(changed, oldNew[i], oldNew[i+1])
	}
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
}

// What was seen is told once, over a server that is granted with the network that it is in.
func TestFeedWatch(t *testing.T) {
	e := withRust(t, "feedwatch")
	f := &feeds{body: rss(item(1, "First light"), item(2, "Second thoughts"), item(3, "Third time"))}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	addr := strings.Replace(server.Listener.Addr().String(), "127.0.0.1", "localhost", 1)
	url := "http://" + addr + "/blog/feed.atom"
	folder := e.plugin(t)
	edit(t, filepath.Join(folder, "feedwatch.toml"), "https://go.dev/blog/feed.atom", url, `host = "go.dev"`, fmt.Sprintf("host = %q\nschemes = [\"http\"]", addr))
	h := jobtest.Start(t, folder, fmt.Sprintf(`
[[jobs.feedwatch.grant.http]]
host = %[1]q
schemes = ["http"]
networks = ["127.0.0.0/8", "::1"]

[jobs.none]
plugin = "feedwatch.wasm"
config = { feeds = " " }
[jobs.none.grant]

[jobs.private]
plugin = "feedwatch.wasm"
config = { feeds = %[2]q }
retries = 0
[[jobs.private.grant.http]]
host = %[1]q
schemes = ["http"]

[jobs.several]
plugin = "feedwatch.wasm"
config = { feeds = "https://example.org/not-granted %[2]s https://example.org/%[3]s" }
[[jobs.several.grant.http]]
host = %[1]q
schemes = ["http"]
networks = ["127.0.0.0/8", "::1"]
`, addr, url, strings.Repeat("x", 500)))

	expect(t, h.Run(e.name, ""), 0, "watching "+url+": 3 entries so far\n")
	f.serve(0, rss(item(4, "Fourth wall"), item(2, "Second thoughts, revised"), item(3, "Third time")))
	readme(t, h, e)
	before := f.serve(0, f.body)
	expect(t, h.Run(e.name, ""), 0, "")
	if after := f.serve(0, f.body); after != before {
		t.Errorf("the server has sent the same feed again: %d times, and %d before", after, before)
	}
	feedTexts(t, h, f)
	unreadable(t, h, f, url)

	expect(t, h.Run("none", ""), claims.ExitDisable,
		"feedwatch: no feeds: write config = { feeds = \"https://go.dev/blog/feed.atom\" }, with blanks between several\n")
	private := h.Run("private", "")
	if !strings.Contains(string(private.Output), "address_refused") || *private.ExitCode != claims.ExitRetry {
		t.Errorf("without the network: exit code %d, output\n%s", *private.ExitCode, private.Output)
	}
	several := h.Run("several", "")
	if out := string(several.Output); several.Outcome != claims.OK || !strings.Contains(out, "https://example.org/not-granted: not_granted") ||
		!strings.Contains(out, "watching "+url+": ") || !strings.Contains(out, "x: the address has more than 500 bytes") {
		t.Errorf("one of two feeds: %s %s, output\n%s", several.Outcome, several.Reason, out)
	}
	if f.unasked > 0 {
		t.Errorf("%d requests are not as they should be", f.unasked)
	}
}

// feedTexts are texts that feeds really have.
func feedTexts(t *testing.T, h *jobtest.Host, f *feeds) {
	t.Helper()
	for _, c := range []struct{ body, output string }{
		{rss(item(1, "First light")), ""}, // seen long ago, and back
		{rss(item(5, "a &lt;b&gt; &#x26; &#38; &eacute; <![CDATA[<i>]]>\n\x1b[31m"), item(5, "twice")), "new: a <b> & & &eacute; <i> [31m\n     https://example.org/5\n"},
		{rss("<item/>", "<item></item>", "<item><media:group><title>no</title></media:group><title>bare</title></item>"), "new: bare\n     \n"},
		{
			`<feed xmlns="http://www.w3.org/2005/Atom"><title>x</title><entry><id>urn:7</id><title type="xhtml"><div>atom <b>bold</b></div></title>
<link rel="self" href="https://example.org/self"/><link title='a > b' href = "https://example.org/7?a=1&amp;b=2"/><link href="https://example.org/more"/></entry></feed>`,
			"new: atom bold\n     https://example.org/7?a=1&b=2\n",
		},
		{`<rdf:RDF><channel></channel><item rdf:about="x"><title>old RSS</title><link>l</link></item></rdf:RDF>`, "new: old RSS\n     l\n"},
		{rss(), ""},
		{rss(item(4, "Fourth wall"), item(5, "twice")), ""},
	} {
		f.serve(0, c.body)
		expect(t, h.Run("feedwatch", ""), 0, c.output)
	}
}

// unreadable are answers that ask for another attempt, and change nothing of what is remembered.
func unreadable(t *testing.T, h *jobtest.Host, f *feeds, url string) {
	t.Helper()
	for _, c := range []struct {
		status int
		body   string
		why    string
	}{
		{500, "", "the server answers with status 500"},
		{0, "<html><item><title>x</title></item></html>", `it is no feed: its first element is "html"`},
		{0, "", "it is no feed: it has no element"},
		{0, strings.TrimSuffix(rss(item(99, "cut")), "</channel></rss>"), "it ends in the middle"},
	} {
		f.serve(c.status, c.body)
		run := h.Run("feedwatch", "")
		expect(t, run, claims.ExitRetry, "warn: "+url+": "+c.why+"\nfeedwatch: none of 1 feeds could be read\n")
	}
	f.serve(0, rss(item(99, "cut"), item(4, "Fourth wall")))
	end := h.Run("feedwatch", "")
	expect(t, end, 0, "new: cut\n     https://example.org/99\n")
}
