package web

import (
	"bytes"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func TestHarmless(t *testing.T) {
	for text, want := range map[string]string{
		"": "",
		"plain, ünïcode, 日本語, \U0001f600": "plain, ünïcode, 日本語, \U0001f600",
		"a\nb\tc":                  "a\nb\tc",
		"a\r\nb\rc\r":              "a\nb\u240dc\u240d",
		"\x00\x07\x1b[0m\x7f":      "\u2400\u2407\u241b[0m\u2421",
		"\u0085\u009b\u00a0":       "\ufffd\ufffd\u00a0",
		"\xff\xc0\xbc":             "\ufffd\ufffd\ufffd",
		"\u202a\u2066\ufeff\u200b": "\ufffd\ufffd\ufffd\ufffd",
		"\u200d\u200c":             "\u200d\u200c", // joiners
		"\U000e0041":               "\ufffd",
	} {
		if got := string(harmless([]byte(text))); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func FuzzHarmless(f *testing.F) {
	f.Add([]byte("a\r\n\x1b[31m\xff\u202e<b>"))
	f.Fuzz(func(t *testing.T, text []byte) {
		got := harmless(text)
		if !utf8.Valid(got) {
			t.Fatalf("%q is no UTF-8", got)
		}
		for _, r := range string(got) {
			if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
				t.Fatalf("%q holds %U", got, r)
			}
		}
		if again := harmless(got); !bytes.Equal(again, got) {
			t.Fatalf("%q becomes %q", got, again)
		}
		for _, sign := range []string{"<", ">", `"`, "'", "&"} {
			if bytes.Count(got, []byte(sign)) != bytes.Count(text, []byte(sign)) {
				t.Fatalf("%q has more or fewer of %s than %q", got, sign, text)
			}
		}
	})
}

func FuzzCursor(f *testing.F) {
	f.Add("1772625600000~0197a2b4")
	f.Add("-1~x")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := readCursor(s)
		if err != nil {
			return
		}
		if again, err := readCursor(c.String()); err != nil || again != c {
			t.Fatalf("%q is %v, and written %q is %v, %v", s, c, c.String(), again, err)
		}
	})
}

func TestSpans(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0ms", 12 * time.Millisecond: "12ms", 3200 * time.Millisecond: "3.2s", 45 * time.Second: "45s", 90 * time.Second: "1m30s", 5 * time.Minute: "5m",
		3*time.Hour + 10*time.Minute: "3h10m", 52 * time.Hour: "2d4h",
	} {
		if got := span(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{0: "now", 90 * time.Second: "in 1m30s", -time.Hour: "1h ago", 999 * time.Millisecond: "now"} {
		if got := relative(now.Add(d), now); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1234: "-1,234"} {
		if got := digits(&n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

// Each kind of name can be linked to, but for those that a browser takes for a folder.
func TestJobPath(t *testing.T) {
	for name, want := range map[string]string{
		"nightly": "/jobs/nightly", "a/b": "/jobs/a%2Fb", "a b?c#d%": "/jobs/a%20b%3Fc%23d%25", "..a": "/jobs/..a", "": "", ".": "", "..": "",
	} {
		if got := jobPath(name); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
}
