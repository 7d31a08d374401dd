package config

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	_ "time/tzdata"
)

// docRow is one key of docs/configuration.md.
type docRow struct {
	key, typ, def, span, example string
}

var rowPattern = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([^|]+) \\| ([^|]+) \\| ([^|]+) \\| `([^|]+)` \\| [^|]+ \\|$")

// docRows is the table of one section, in the order of the page.
func docRows(t *testing.T, section string) []docRow {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "docs", "configuration.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(strings.ReplaceAll(string(page), "\r\n", "\n"), "\n## "+section+"\n")
	if !ok {
		t.Fatalf("no section %s", section)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	var rows []docRow
	for _, m := range rowPattern.FindAllStringSubmatch(text, -1) {
		rows = append(rows, docRow{m[1], m[2], strings.Trim(m[3], "`"), m[4], m[5]})
	}
	if lines := strings.Count(text, "\n| `"); lines != len(rows) {
		t.Errorf("%s: %d rows, of which %d can be read", section, lines, len(rows))
	}
	return rows
}

// orNone is a default as the page writes it.
func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func checkRows(t *testing.T, section string, want []docRow) {
	t.Helper()
	rows := docRows(t, section)
	for i := range max(len(rows), len(want)) {
		switch {
		case i >= len(rows):
			t.Errorf("%s: %s is missing", section, want[i].key)
		case i >= len(want):
			t.Errorf("%s: %s is no key", section, rows[i].key)
		default:
			got := rows[i]
			got.example = ""
			if got != want[i] {
				t.Errorf("%s: the page says\n%+v, the code\n%+v", section, got, want[i])
			}
		}
	}
}

func tagsOf(v any) map[string]bool {
	tags := map[string]bool{}
	for f := range reflect.TypeOf(v).Fields() {
		if tag := f.Tag.Get("toml"); tag != "-" {
			tags[tag] = true
		}
	}
	return tags
}

func TestDocumentedJobKeys(t *testing.T) {
	defaults := Defaults()
	tags := tagsOf(Job{})
	var job, manifest []docRow
	manifest = append(manifest, docRow{manifestKey, "integer", "1", "1", ""})
	for _, k := range jobKeys() {
		row := docRow{k.name, k.typ, orNone(k.write(defaults)), k.span, ""}
		if k.allowed(KindSidecar) || k.allowed(KindJobFile) {
			job = append(job, row)
		} else {
			manifest = append(manifest, row)
		}
		if !tags[k.name] {
			t.Errorf("no field of Job has the tag %s", k.name)
		}
		delete(tags, k.name)
	}
	if len(tags) > 0 {
		t.Errorf("fields that no key reads: %v", tags)
	}
	checkRows(t, "Job keys", job)
	checkRows(t, "Manifest keys", manifest)
}

func TestDocumentedHostKeys(t *testing.T) {
	f := Default("x")
	tags := tagsOf(*f)
	var rows []docRow
	for _, k := range hostKeys() {
		shown := k.show(f)
		if shown == `""` {
			shown = "" // an empty name is none
		}
		rows = append(rows, docRow{k.name, k.typ, orNone(shown), k.span, ""})
	}
	for _, name := range hostNames() {
		if !tags[name] {
			t.Errorf("no field of File has the tag %s", name)
		}
		delete(tags, name)
	}
	if len(tags) > 0 {
		t.Errorf("fields that no key reads: %v", tags)
	}
	checkRows(t, "Host keys", rows)

	rows, tags = nil, tagsOf(Caps{})
	for _, k := range capKeys() {
		rows = append(rows, docRow{k.name, k.typ, orNone(k.show(f)), k.span, ""})
		delete(tags, k.name)
	}
	if len(tags) > 0 {
		t.Errorf("caps that no key reads: %v", tags)
	}
	checkRows(t, "[caps]", rows)

	rows, tags = nil, tagsOf(Limits{})
	for _, k := range limitKeys() {
		rows = append(rows, docRow{k.name, k.typ, orNone(k.show(f)), k.span, ""})
		delete(tags, k.name)
	}
	if len(tags) > 0 {
		t.Errorf("limits that no key reads: %v", tags)
	}
	checkRows(t, "[limits]", rows)
}

// TestDocumentedValues reads every example and every default of the page as the page says it may be written.
func TestDocumentedValues(t *testing.T) {
	path := filepath.Join(t.TempDir(), "wcron.toml")
	for section, table := range map[string]string{"Host keys": "", "[caps]": "[caps]\n", "[limits]": "[limits]\n", "Job keys": "[jobs.x]\n", "Manifest keys": "manifest"} {
		for _, row := range docRows(t, section) {
			for _, text := range []string{row.example, row.def} {
				if text == "none" {
					continue
				}
				line := row.key + " = " + text + "\n"
				var err error
				if table == "manifest" {
					_, err = ParseJob("manifest", []byte(line), KindManifest)
				} else if err = os.WriteFile(path, []byte(table+line), 0o600); err == nil {
					_, err = Load(path)
				}
				if err != nil {
					t.Errorf("%s: %v", line, err)
				}
			}
		}
	}
}

// TestDocumentedFiles reads the page's TOML blocks.
func TestDocumentedFiles(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "configuration.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```toml\r?\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) != 3 {
		t.Fatalf("%d blocks of TOML, want the host file, the job and the sidecar", len(blocks))
	}
	path := filepath.Join(t.TempDir(), "wcron.toml")
	if err := os.WriteFile(path, []byte(blocks[0][1]), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err != nil {
		t.Error(err)
	}
	for i, kind := range []Kind{KindJobFile, KindSidecar} {
		if _, err := ParseJob(kind.String(), []byte(blocks[i+1][1]), kind); err != nil {
			t.Error(err)
		}
	}
}
