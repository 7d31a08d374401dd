package config_test

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/wcron/wcron/config"
)

// fuzzSize keeps inputs well below the limits, so that what they encode to is below them too.
const fuzzSize = 32 << 10

func FuzzParseJob(f *testing.F) {
	for _, seed := range []string{
		"", fullJob, "timeout = 1m", "input = [1, {a.b = 1979-05-27 07:32:00Z}]", "[[input]]\n[input.x]\n", "env.\"\\u0041\" = '''x'''",
		"manifest = 1\nname = \"a\"", "\"\"\"", "args=[\"\"\"a\\\n b\"\"\"\"]", "input = -0.0", "[input.a]\n[input]\nb=1e-7", fullRequest, "[[grant.http]]\nhost = 'a'\n[grant.secrets]\nA = { env = 'x' }", "request = { http = [{ host = 'a', reason = 'b' }] }",
	} {
		for kind := range 3 {
			f.Add([]byte(seed), kind)
		}
	}
	f.Fuzz(func(t *testing.T, src []byte, kind int) {
		if len(src) > fuzzSize || kind < 0 || kind > 2 {
			return
		}
		j, err := config.ParseJob("f", src, config.Kind(kind))
		if err != nil {
			if problemsOf(t, err, "") == nil || err.Error() == "" {
				t.Fatal("an error that says nothing")
			}
			return
		}
		text, err := config.EncodeJob(j, config.Kind(kind))
		if err != nil {
			t.Fatalf("accepted and not encodable: %v", err)
		}
		back, err := config.ParseJob("f", text, config.Kind(kind))
		if err != nil || !reflect.DeepEqual(back, j) {
			t.Fatalf("%q\nreads back as %+v, %v\nwant %+v", text, back, err, j)
		}
		again, err := config.EncodeJob(back, config.Kind(kind))
		if err != nil || string(again) != string(text) {
			t.Fatalf("no fixed point: %v\n%s\n%s", err, text, again)
		}
	})
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(fullHost), []byte(fullJob))
	f.Add([]byte("[jobs.a]\n[jobs.a.env]\nx=1"), []byte("timeout = 0"))
	f.Add([]byte(fullGrant), []byte("[[grant.dir]]\nguest = '/a'\nhost = 'b'"))
	f.Add([]byte("jobs = { a = { plugin = 'x.wasm' } }\ncaps.timeout = 0"), []byte(""))
	f.Add([]byte("[[jobs]]\n[[defaults]]"), []byte("\xff"))
	dir := f.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "jobs.d"), 0o700); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, host, job []byte) {
		path := filepath.Join(dir, "wcron.toml")
		for name, text := range map[string][]byte{path: host, filepath.Join(dir, "jobs.d", "fuzz.toml"): job} {
			if err := os.WriteFile(name, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		file, err := config.Load(path)
		if err != nil {
			if len(problemsOf(t, err, dir)) == 0 {
				t.Fatal("an error without a problem")
			}
			return
		}
		for name, entry := range file.Jobs {
			if err := config.ValidName(name); err != nil {
				t.Fatal(err)
			}
			if s := entry.Over(file.Base()).Resolve(); s.Missed == "" || s.Memory == 0 || s.HistoryRuns == 0 {
				t.Fatalf("%s resolves to %+v", name, s)
			}
		}
	})
}
