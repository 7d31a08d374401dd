package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"
)

// What is printed for programs can be read back, and is harmless where a person prints it.
func TestEmitIsHarmlessOnATerminal(t *testing.T) {
	for _, text := range []string{"plain é 日本 🙂 \"q\" \\ <&>", "\x1b[2J\u009b2J\u202e\u2028\U000e0041\x7f\u00ad\ufeff", "bad \xff utf-8", "a\nb\tc"} {
		var out bytes.Buffer
		a := &app{stdout: &out}
		if err := a.emit(map[string]string{"k": text}); err != nil {
			t.Fatal(err)
		}
		var back map[string]string
		if err := json.Unmarshal(out.Bytes(), &back); err != nil || back["k"] != strings.ToValidUTF8(text, "\ufffd") {
			t.Errorf("%q comes back as %q, %v", text, back["k"], err)
		}
		line := strings.TrimSuffix(out.String(), "\n")
		if strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q", line)
		}
		if strings.HasPrefix(text, "plain") && !strings.Contains(line, "é 日本 🙂 \\\"q\\\" \\\\ <&>") {
			t.Errorf("more than needed is escaped: %s", line)
		}
	}
}
