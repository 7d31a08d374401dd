package capability

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// escapes are ways to write a byte.
var escapes = []func(c byte) string{
	func(c byte) string { return string([]byte{c}) },
	func(c byte) string { return string([]byte{c}) },
	func(c byte) string { return fmt.Sprintf("%%%02x", c) },
	func(c byte) string { return fmt.Sprintf("%%%02X", c) },
	func(c byte) string {
		if c == '%' { // escaped again it could as well be a percent sign and two digits
			return "%25"
		}
		return fmt.Sprintf("%%2525%02X", c)
	},
	func(c byte) string { return fmt.Sprintf(`\x%02x`, c) },
	func(c byte) string { return fmt.Sprintf(`\\\u%04x`, c) },
	func(c byte) string { return fmt.Sprintf(`\U%08X`, c) },
	func(c byte) string { return fmt.Sprintf("&#%d;", c) },
	func(c byte) string { return fmt.Sprintf("&#x%X;", c) },
}

// A secret is found in every mixture of escapes, and nothing around it is changed.
func TestRedactFindsEveryMixture(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	for range 3000 {
		value := make([]byte, 8+r.IntN(20))
		for i := range value {
			value[i] = byte(' ' + 1 + r.IntN('~'-' '))
		}
		var h hidden
		h.hide(string(value))
		var text strings.Builder
		for _, c := range value {
			ways := escapes
			if strings.IndexByte(`\%&`, c) >= 0 { // what escapes anything escapes these
				ways = escapes[2:]
			}
			text.WriteString(ways[r.IntN(len(ways))](c))
		}
		if got := string(h.redact([]byte("<" + text.String() + ">" + string(value) + "."))); got != "<[secret]>[secret]." {
			t.Fatalf("seed %d: %q as %q: %q", seed, value, text.String(), got)
		}
		other := bytes.Repeat([]byte("&#;%5c\\u12\\x+%25 &amp;\xff"), 3)
		if got := h.redact(other); !bytes.Equal(got, other) {
			t.Fatalf("seed %d: %q: %q became %q", seed, value, other, got)
		}
	}
}

// So it is where it is a part of what is written in base64, but for what its neighbours have a share in.
func TestRedactWithinBase64(t *testing.T) {
	const value = "the-secret-of-the-operator"
	var h hidden
	h.hide(value)
	for before := range 7 {
		for after := range 7 {
			text := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("u", before) + value + strings.Repeat("z", after)))
			got := h.redact([]byte(text))
			if !bytes.Contains(got, []byte(redacted)) || len(got) > len(redacted)+(before+2)/3*4+(after+2)/3*4+4 {
				t.Errorf("%d before and %d behind it: %q", before, after, got)
			}
		}
	}
}

// A secret need not be text, nor need it be long.
func TestRedactOtherBytes(t *testing.T) {
	for _, value := range []string{"\xff\xfe\xc3", "Äpfel-und-Öl", "x", "100%", `a\b`, "&amp;", "%41", `\u0041`, "a b+c"} {
		var h hidden
		h.hide(value)
		if got := string(h.redact([]byte("=" + value + "="))); got != "=[secret]=" {
			t.Errorf("%q: %q", value, got)
		}
	}
	var none hidden
	if got := none.redact([]byte("a")); string(got) != "a" {
		t.Errorf("%q", got)
	}
}

func BenchmarkRedact(b *testing.B) {
	var h hidden
	h.hide("sk-live-0123456789abcdef0123456789abcdef")
	text := bytes.Repeat([]byte(`{"key":"value","session":"skip","path":"\/a\/b"},`), MaxResponseBody/50)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		h.redact(text)
	}
}
