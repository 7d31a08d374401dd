package config_test

import (
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/config"
)

func TestSyntaxProblems(t *testing.T) {
	tests := []struct {
		src  string
		want string
	}{
		{"timeout\n", `f:1:8: expected = after the key; `},
		{"timeout: 5\n", `f:1:8: expected = after the key; `},
		{"= 5\n", `f:1:1: expected a key; `},
		{"a.. = 5\n", `f:1:3: expected a key; `},
		{"ä = 5\n", `f:1:1: expected a key; `},
		{`"""a""" = 5`, `f:1:1: a key cannot be a multi-line string; use one pair of quotes`},
		{"timeout =\n", `f:1:10: expected a value; `},
		{"timeout = # none\n", `f:1:11: expected a value; `},
		{"entry = run\n", `f:1:9: run is no TOML value; put text, durations and sizes in quotes: "run"`},
		{"entry = \"run\n", `f:1:9: the string is not closed; close it with " on the same line, or use """ for several lines`},
		{"entry = 'run", `f:1:9: the string is not closed; close it with ' on the same line, or use ''' for several lines`},
		{"entry = \"\"\"run\n\n", `f:1:9: the multi-line string is not closed; close it with """`},
		{"entry = \"a\" b\n", `f:1:13: unexpected text after the end of a value or header; start a new line, or put # before a comment`},
		{"args = [\n\"a\"\n\"b\"]\n", `f:3:1: expected , or ] in the array; put a comma between the values`},
		{"args = [\n\"a\",\n", `f:3:1: expected a value; `},
		{"args = [\n\"a\"\n", `f:1:8: the array is not closed; close it with ]`},
		{"env = { A = \"1\"\n", `f:1:7: the inline table is not closed; close it with }`},
		{"env = { A = \"1\" B = 2 }\n", `f:1:17: expected , or } in the inline table; put a comma between the values`},
		{"[env\nA = \"1\"\n", `f:1:5: the table header is not closed; close it with ]`},
		{"[[env]\n", `f:1:6: the table header is not closed; close it with ]]`},
		{"[]\n", `f:1:2: expected a key; `},
		{"[env] A = \"1\"\n", `f:1:7: unexpected text after the end of a value or header; `},
		{"retries = 01\n", `f:1:11: invalid integer "01": cannot have leading zeroes; write it as TOML 1.0 wants it`},
		{"retries = 99999999999999999999\n", `f:1:11: 99999999999999999999 is out of range for int64; write it as TOML 1.0 wants it`},
		{"input = 2026-13-01\n", `f:1:9: invalid datetime: "2026-13-01"; write it as TOML 1.0 wants it`},
		{"retries = 1\n# ä\n  retries = 2\n", `f:3:3: retries is defined twice; keep one of the two; the other is on line 1`},
		{"\"retries\" = 1\n'retries' = 2\n\"\\u0072etries\" = 3", `f:2:1: 'retries' is defined twice; keep one of the two; the other is on line 1`},
		{"env = { A = \"1\", A = \"2\" }\n", `f:1:18: A is defined twice; keep one of the two; the other is on line 1`},
		{"[env]\n\n[env]\n", `f:3:1: env is defined twice; keep one of the two; the other is on line 1`},
		{"[input.a]\n[input]\nx = 1\n[input.b]\n[input.a]\n", `f:5:1: a is defined twice; keep one of the two; the other is on line 1`},
		{"retries = 1\nretries.a = 2\n", `f:2:1: `},
		{"entry = \"a\x00\"\n", `f:1:11: control character U+0000; `},
		{"entry = \"ä\x7f\"\n", `f:1:11: control character U+007F; `},
		{"entry = \"a\"\rretries = 1\n", `f:1:12: control character U+000D; `},
		{"# fine\nentry = \"\xff\"\n", `f:2:10: byte 0xff is not valid UTF-8; save the file as UTF-8`},
		{"\xff\xfea\x00", `f:1:1: byte 0xff is not valid UTF-8; save the file as UTF-8`},
	}
	for _, tt := range tests {
		j, err := config.ParseJob("f", []byte(tt.src), config.KindSidecar)
		if err == nil {
			t.Errorf("accepted %q: %+v", tt.src, j)
			continue
		}
		if got := problemsOf(t, err, "")[0]; !strings.HasPrefix(got, tt.want) {
			t.Errorf("%q: got\n%s\nwant\n%s", tt.src, got, tt.want)
		}
	}
}

func TestAllDuplicatesAreReported(t *testing.T) {
	_, err := config.ParseJob("f", []byte("retries = 1\nretries = 2\nrepeat = 1\nrepeat = 2\nretries = 3\n"), config.KindSidecar)
	want := []string{
		"f:2:1: retries is defined twice; keep one of the two; the other is on line 1",
		"f:4:1: repeat is defined twice; keep one of the two; the other is on line 3",
		"f:5:1: retries is defined twice; keep one of the two; the other is on line 1",
	}
	if got := problemsOf(t, err, ""); !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
}

// TestSyntaxAccepted holds the scan to what TOML allows: text that looks like structure inside strings and comments, and blanks in
// every place.
func TestSyntaxAccepted(t *testing.T) {
	tests := []struct{ src, json string }{
		{"input = \"[{#=.\" # [[[\"\n", `"[{#=."`},
		{"input = '\\'\n", `"\\"`},
		{"input = \"\\\\\\\"]\"\n", `"\\\"]"`},
		{"input = \"\"\"\n[\"\"a\\\"\"\"\\\n   ]\"\"\"\"\"\n", `"[\"\"a\"\"\"]\"\""`},
		{"input = '''''''' # six, then two\n", `"''"`},
		{"input = \"\"\"\"\"\"\n", `""`},
		{"input = [ # [\n  1, # ]\n\n  [2 , 3,] , {a=1,b . c=2} ,\n]\n", `[1,[2,3],{"a":1,"b":{"c":2}}]`},
		{"input . \"a.b\" . 'c' = 1\n", `{"a.b":{"c":1}}`},
		{"[ input . a ]\nb = 1\n[input]\nc = 2\n", `{"a":{"b":1},"c":2}`},
		{"input = {\r\n  a = 1, # one\r\n  b = 2\r\n}\r\n", `{"a":1,"b":2}`},
		{"input = [0xfF, 0o7, 0b1, +1_000, -1, 1e3, 6.5E-1, true, false]", `[255,7,1,1000,-1,1000,0.65,true,false]`},
		{"input = [1979-05-27 07:32:00Z ,1979-05-27 ]", `["1979-05-27T07:32:00Z","1979-05-27"]`},
		{"input = {\"\\u00e9\\x41\\t\" = 1}", `{"éA\t":1}`},
	}
	for _, tt := range tests {
		j, err := config.ParseJob("f", []byte(tt.src), config.KindSidecar)
		if err != nil || string(j.Input) != tt.json {
			t.Errorf("%q: got %s, %v; want %s", tt.src, j.Input, err, tt.json)
		}
	}
}

func TestNesting(t *testing.T) {
	array := func(n int) string { return "input = " + strings.Repeat("[", n) + strings.Repeat("]", n) }
	table := func(n int) string { return "input = " + strings.Repeat("{a=", n) + "1" + strings.Repeat("}", n) }
	dotted := func(n int) string { return "input" + strings.Repeat(".a", n) + " = 1" }
	header := func(n int) string { return "[input" + strings.Repeat(".a", n) + "]" }
	for name, shape := range map[string]func(int) string{"array": array, "table": table, "dotted": dotted, "header": header} {
		if _, err := config.ParseJob("f", []byte(shape(31)), config.KindSidecar); err != nil {
			t.Errorf("%s of 32 levels: %v", name, err)
		}
		_, err := config.ParseJob("f", []byte(shape(33)), config.KindSidecar)
		if err == nil || !strings.Contains(err.Error(), "nested more than 32 levels deep; use fewer dots, brackets and braces") {
			t.Errorf("%s of 34 levels: %v", name, err)
		}
	}
	for _, src := range []string{
		"[" + strings.Repeat("k", 600) + "]\n",
		strings.Repeat("k", 600) + " = 1\n",
		"[input." + strings.Repeat("k", 300) + "]\n" + strings.Repeat("k", 300) + " = 1\n",
		"input = { " + strings.Repeat("k", 300) + " = { " + strings.Repeat("k", 300) + " = 1 } }\n",
	} {
		_, err := config.ParseJob("f", []byte(src), config.KindSidecar)
		if err == nil || !strings.Contains(err.Error(), "the full key is longer than 512 bytes; use shorter names") {
			t.Errorf("%.40s: %v", src, err)
		}
	}
}

// bombs are texts that cost the parser gigabytes, minutes or the process.
func bombs() map[string]string {
	const size = 255 << 10
	fill := func(f func(i int) string) string {
		var b strings.Builder
		for i := 0; b.Len() < size-600; i++ {
			b.WriteString(f(i))
		}
		return b.String()
	}
	return map[string]string{
		"arrays":        "x = " + strings.Repeat("[", size),
		"closed arrays": "x = " + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000),
		"inline tables": "x = " + strings.Repeat("{a=", 10_000) + "1" + strings.Repeat("}", 10_000),
		"dotted key":    strings.Repeat("a.", 30_000) + "a = 1",
		"dotted keys":   fill(func(i int) string { return fmt.Sprintf("k%d%s = 1\n", i, strings.Repeat(".a", 200)) }),
		"header":        "[" + strings.Repeat("a.", 30_000) + "a]",
		"long header":   "[" + strings.Repeat("a", 100_000) + "]\n" + fill(func(i int) string { return fmt.Sprintf("%x=1\n", i) })[:150_000],
		"large":         strings.Repeat("[", 5<<20),
	}
}

func TestBombsAreRefusedBeforeParsing(t *testing.T) {
	for name, src := range bombs() {
		t.Run(name, func(t *testing.T) {
			text := []byte(src)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			_, err := config.ParseJob("f", text, config.KindSidecar)
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Fatal("accepted")
			}
			if got := after.TotalAlloc - before.TotalAlloc; got > 16<<20 {
				t.Errorf("%d MiB allocated", got>>20)
			}
			if took > time.Second { // milliseconds on an idle machine, minutes without the scan
				t.Errorf("took %v", took)
			}
		})
	}
}

// TestWorstAccepted is what the limits let through: it must stay in proportion to the text.
func TestWorstAccepted(t *testing.T) {
	fill := func(f func(i int) string) string {
		var b strings.Builder
		for i := 0; b.Len() < 250<<10; i++ {
			b.WriteString(f(i))
		}
		return b.String()
	}
	deep := strings.Repeat(".a", 29)
	for name, src := range map[string]string{
		"dotted":      fill(func(i int) string { return fmt.Sprintf("input.k%d%s=1\n", i, deep) }),
		"one line":    "env={" + fill(func(i int) string { return fmt.Sprintf("k%d=1,", i) }) + "}",
		"unknown":     fill(func(i int) string { return fmt.Sprintf("retrie%x=1\n", i) }),
		"duplicates":  fill(func(i int) string { return "a=1\n" }),
		"long header": "[input." + strings.Repeat("a", 480) + "]\n" + fill(func(i int) string { return fmt.Sprintf("a%x=1\n", i) }),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			_, err := config.ParseJob("f", []byte(src), config.KindSidecar)
			runtime.ReadMemStats(&after)
			if err != nil {
				_ = err.Error()
			}
			t.Logf("%v, %d MiB", time.Since(start), (after.TotalAlloc-before.TotalAlloc)>>20)
			if got := after.TotalAlloc - before.TotalAlloc; got > 1<<30 {
				t.Errorf("%d MiB allocated", got>>20)
			}
		})
	}
}
