package web_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// hostile is what a guest, its author or somebody with a plugin folder may call a thing.
var hostile = map[string]string{
	"script":              `<script>alert(1)</script>`,
	"image":               `"><img src=x onerror=alert(1)>`,
	"attribute":           `" onmouseover="alert(1)" x="`,
	"single quote":        `' onfocus='alert(1)' autofocus='`,
	"end of the title":    `</title><script src=//evil.example></script>`,
	"end of the output":   `</pre></main><iframe srcdoc="<script>alert(1)</script>"></iframe>`,
	"comment":             `<!--<script>--!><svg onload=alert(1)>`,
	"data section":        `<![CDATA[<script>alert(1)</script>]]>`,
	"template":            `{{.API}}{{template "frame" .}}${alert(1)}`,
	"javascript link":     `javascript:alert(1)`,
	"data link":           `data:text/html,<script>alert(1)</script>`,
	"other site":          `//evil.example/x`,
	"up and away":         `../../etc/passwd`,
	"entity":              `&lt;script&gt;&#60;script&#62;`,
	"path and query":      `a/b?c=d&e#f%2f%3c`,
	"backslash":           `\..\x\"<b>`,
	"NUL":                 "<scr\x00ipt>a\x00b",
	"escape":              "\x1b[2J\x1b]0;owned\x07\x1b[31mred",
	"eight-bit controls":  "a\u009b31mb\u0085c\u0080",
	"carriage return":     "good\rbad\r\n",
	"delete":              "abc\x7f\b\b\b",
	"right to left":       "moc.\u202egpj.exe\u2066x\u2069",
	"invisible":           "a\u200bb\u2060c\ufeffd\U000e0041",
	"invalid UTF-8":       "\xff\xfe\x80<\xc0\xbcscript\xc0\xbe>\xed\xa0\x80",
	"cut letter":          "\xe2\x82",
	"long":                strings.Repeat("<b>", 5_000),
	"line separator":      "a\u2028b\u2029<b>",
	"only dots in a part": ". <b> .",
}

// paths are the pages that have all texts of a stub.
func paths(s string) []string {
	return []string{"/", "/?after=" + url.QueryEscape(s), "/jobs/" + url.PathEscape(s), "/runs/" + url.PathEscape(s)}
}

// Whatever a name, an output, a reason or a progress says: the page has the tags and the attributes that it has for a plain word, and
// nothing in it is unseen.
func TestHostileTexts(t *testing.T) {
	for name, s := range hostile {
		t.Run(name, func(t *testing.T) {
			for _, live := range []bool{false, true} {
				tame, wild := one(t, "word", live), one(t, s, live)
				for i, path := range paths(s) {
					got := page(t, wild.handler(), path)
					path = path[:min(len(path), 100)]
					want := page(t, tame.handler(), paths("word")[i])
					tags, rest := shape(got)
					wantTags, _ := shape(want)
					if tags != wantTags {
						t.Errorf("%s has the tags\n%s\nand not\n%s", path, tags, wantTags)
					}
					if strings.ContainsAny(rest, "<>") {
						t.Errorf("%s: a tag that is none: %s", path, rest)
					}
					checkSeen(t, path, got)
					for _, m := range linkPattern.FindAllStringSubmatch(got, -1) {
						if to := m[1]; !strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "#") || strings.HasPrefix(to, "//") || strings.Contains(to, "/../") {
							t.Errorf("%s links to %s", path, to)
						}
					}
				}
			}
		})
	}
}

// checkSeen fails on what is in a page and not seen.
func checkSeen(t *testing.T, path, got string) {
	t.Helper()
	if !utf8.ValidString(got) {
		t.Errorf("%s is no UTF-8", path)
	}
	for _, r := range got {
		if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == 0x200b || r == 0x2028 || r == 0xfeff) {
			t.Errorf("%s holds %U", path, r)
		}
	}
}

// What a person has to see of a hostile text is there.
func TestHostileTextIsShown(t *testing.T) {
	got := page(t, one(t, "<b>\x1b[31m\u202eend\xff", false).handler(), "/runs/"+url.PathEscape("<b>\x1b[31m\u202eend\xff"))
	if want := "&lt;b&gt;\u241b[31m\ufffdend\ufffd"; strings.Count(got, want) < 10 {
		t.Errorf("%s is not in\n%s", want, got)
	}
}

// An error says what is wrong, and nothing of it is markup.
func TestHostileErrors(t *testing.T) {
	s := one(t, "word", false)
	h := s.handler()
	for _, path := range []string{"/jobs/" + url.PathEscape("<b>\x1b"), "/runs/" + url.PathEscape("<b>\x1b"), "/jobs/word?runs=" + url.QueryEscape("<b>\x1b"), "/nowhere<b>"} {
		w := ask(t, h, path)
		if w.Code != http.StatusNotFound && w.Code != http.StatusBadRequest {
			t.Errorf("%s: status %d", path, w.Code)
		}
		if _, rest := shape(w.Body.String()); strings.ContainsAny(rest, "<>") || strings.Contains(w.Body.String(), "<b>") {
			t.Errorf("%s: %s", path, w.Body)
		}
		checkSeen(t, path, w.Body.String())
	}
}

// Each of the 256 bytes of an output is shown or replaced, and the file has all of them as they are.
func TestOutputOfEveryByte(t *testing.T) {
	var all [256]byte
	for i := range all {
		all[i] = byte(i)
	}
	s := one(t, "word", false)
	s.output = func(w io.Writer) error {
		_, err := w.Write(all[:])
		return err
	}
	got := page(t, s.handler(), "/runs/word")
	checkSeen(t, "the page", strings.ReplaceAll(got, "\t", ""))
	if !strings.Contains(got, "\u2401\u2402\u2403") || !strings.Contains(got, "xyz{|}~\u2421\ufffd") {
		t.Errorf("the output is not there:\n%s", got)
	}
	w := ask(t, s.handler(), "/runs/word/output")
	if w.Body.String() != string(all[:]) {
		t.Errorf("the file is %q", w.Body)
	}
}
