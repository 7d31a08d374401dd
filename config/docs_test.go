package config

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	_ "time/tzdata"
)

// docRow is one key of docs/configuration.md.
type docRow struct {
	key, typ, def, span, example string
}

var rowPattern = regexp.MustCompile("(?m)^\\| `([a-zA-Z_.]+)` \\| ([^|]+) \\| ([^|]+) \\| ([^|]+) \\| `([^|]+)` \\| [^|]+ \\|$")

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
		if !tags[k.name] {
			t.Errorf("no field of Job has the tag %s", k.name)
		}
		delete(tags, k.name)
		if k.name == "request" || k.name == "grant" {
			continue // tables with a section of their own
		}
		if k.allowed(KindSidecar) || k.allowed(KindJobFile) {
			job = append(job, row)
		} else {
			manifest = append(manifest, row)
		}
	}
	if len(tags) > 0 {
		t.Errorf("fields that no key reads: %v", tags)
	}
	checkRows(t, "Job keys", job)
	checkRows(t, "Manifest keys", manifest)
}

// nested is a key of a table within request or grant.
type nested struct {
	row docRow
	try func(value) bool
}

func nestedKeys[T any](t *testing.T, prefix string, keys []tableKey[T]) []nested {
	t.Helper()
	var zero T
	tags := tagsOf(zero)
	var list []nested
	for _, k := range keys {
		def := orNone(k.def)
		if k.need {
			def = "required"
		}
		list = append(list, nested{docRow{prefix + k.name, k.typ, strings.Trim(def, "`"), k.span, ""}, func(v value) bool {
			var x T
			return k.read(&x, v) && k.show(x) != ""
		}})
		if !tags[k.name] {
			t.Errorf("no field of %T has the tag %s", zero, k.name)
		}
		delete(tags, k.name)
	}
	if len(tags) > 0 {
		t.Errorf("fields of %T that no key reads: %v", zero, tags)
	}
	return list
}

func TestDocumentedRequestsAndGrants(t *testing.T) {
	only := func(list []nested, names ...string) (out []nested) {
		for _, n := range list {
			if slices.Contains(names, n.row.key) {
				out = append(out, n)
			}
		}
		return out
	}
	nestedKeys(t, "", requestKeys())
	for section, list := range map[string][]nested{
		"Requests": slices.Concat(nestedKeys(t, "http.", httpRequestKeys()), nestedKeys(t, "secrets.NAME.", secretRequestKeys()),
			nestedKeys(t, "state.", stateRequestKeys()), nestedKeys(t, "dir.", dirRequestKeys()), nestedKeys(t, "emit.", emitRequestKeys())),
		"Grants": slices.Concat(only(nestedKeys(t, "", grantKeys()), "digest", "state"), nestedKeys(t, "http.", httpGrantKeys()),
			nestedKeys(t, "secrets.NAME.", secretGrantKeys()), nestedKeys(t, "dir.", dirGrantKeys()), nestedKeys(t, "emit.", emitGrantKeys())),
	} {
		var rows []docRow
		for _, n := range list {
			rows = append(rows, n.row)
		}
		checkRows(t, section, rows)
		for i, row := range docRows(t, section) {
			for _, text := range []string{row.example, row.def} {
				if text == "none" || text == "required" || i >= len(list) {
					continue
				}
				var out problems
				doc := parse("f", []byte("x = "+text), maxFile, &out)
				if doc == nil {
					t.Fatalf("%s: %v", row.key, out.err())
				}
				entries, _ := doc.top().table()
				if !list[i].try(entries[0].value) {
					t.Errorf("%s: %s is not read: %v", row.key, text, out.err())
				}
			}
		}
	}
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

	rows, tags = nil, tagsOf(Dashboard{})
	for _, k := range dashboardKeys() {
		shown := k.show(f)
		if shown == `""` {
			shown = "" // it is off
		}
		rows = append(rows, docRow{k.name, k.typ, orNone(shown), k.span, ""})
		delete(tags, k.name)
	}
	if len(tags) > 0 {
		t.Errorf("keys of the dashboard that no key reads: %v", tags)
	}
	checkRows(t, "[dashboard]", rows)

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
	for section, table := range map[string]string{"Host keys": "", "[caps]": "[caps]\n", "[limits]": "[limits]\n", "[dashboard]": "[dashboard]\n", "Job keys": "[jobs.x]\n", "Manifest keys": "manifest"} {
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
	kinds := []Kind{kindHostJob, KindManifest, kindHostJob, KindJobFile, KindSidecar} // kindHostJob: a whole host file
	if len(blocks) != len(kinds) {
		t.Fatalf("%d blocks of TOML, want the host file, a request, a grant, the job and the sidecar", len(blocks))
	}
	path := filepath.Join(t.TempDir(), "wcron.toml")
	for i, kind := range kinds {
		text := []byte(blocks[i][1])
		var err error
		if kind != kindHostJob {
			_, err = ParseJob(kind.String(), text, kind)
		} else if err = os.WriteFile(path, text, 0o600); err == nil {
			_, err = Load(path)
		}
		if err != nil {
			t.Errorf("block %d: %v", i+1, err)
		}
	}
}

// TestDocumentedPolicies reads the examples of the page on policies: each is a host file.
func TestDocumentedPolicies(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "policies.md"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "wcron.toml")
	keys := map[string]bool{}
	for _, block := range regexp.MustCompile("(?s)```toml\r?\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		if err := os.WriteFile(path, []byte(block[1]), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path); err != nil {
			t.Errorf("%s\n%v", block[1], err)
		}
		for _, key := range regexp.MustCompile("(?m)^([a-z_]+) =").FindAllStringSubmatch(block[1], -1) {
			keys[key[1]] = true
		}
	}
	for _, k := range append(policyKeys(), jobKey{name: "retries"}, jobKey{name: "backoff"}, jobKey{name: "retry_on"}, jobKey{name: "repeat"}, jobKey{name: "catch_up"}) {
		if !keys[k.name] {
			t.Errorf("no example has %s", k.name)
		}
	}
}
