package main

import (
	"bytes"
	"strings"
	"testing"
)

// What a guest writes reaches a terminal as text and colours alone, however it is cut into pieces.
func TestShownOutput(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"plain é 日本\tx\r\ny\n", "plain é 日本\tx\r\ny\n"},
		{"\x1b[31mred\x1b[0m \x1b[1;38;5;4mblue\x1b[m", "\x1b[31mred\x1b[0m \x1b[1;38;5;4mblue\x1b[m"},
		{"\x1b[2J\x1b[1;1Hforged", "\ufffd[2J\ufffd[1;1Hforged"},
		{"\x1b]52;c;aGk=\x07 title \x1b]0;x\x1b\\", "\ufffd]52;c;aGk=\ufffd title \ufffd]0;x\ufffd\\"},
		{"ok\rforged\b\b", "ok\ufffdforged\ufffd\ufffd"},
		{"a\u009b2Jb\u202ec", "a\ufffd2Jb\ufffdc"},
		{"bad \xff\xc3 end\xe6\x97", "bad \ufffd\ufffd end\ufffd\ufffd"},
		{"end\x1b[3", "end\ufffd[3"},
		{"\x1b[" + strings.Repeat("1", 100) + "m", "\ufffd[" + strings.Repeat("1", 100) + "m"},
	} {
		for size := 1; size <= len(tt.in); size++ {
			var out bytes.Buffer
			s := &shown{to: &out}
			for rest := []byte(tt.in); len(rest) > 0; {
				n := min(size, len(rest))
				if k, err := s.Write(rest[:n]); k != n || err != nil {
					t.Fatal(k, err)
				}
				rest = rest[n:]
			}
			if err := s.end(); err != nil || out.String() != tt.want {
				t.Errorf("%q in pieces of %d: %q, want %q (%v)", tt.in, size, out.String(), tt.want, err)
				break
			}
		}
	}
}
