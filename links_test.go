package wcron_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	link     = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	command  = regexp.MustCompile("\\bgo (?:run|test|build)[^`\n|]*? (\\./[A-Za-z0-9_/]+)")
	heading  = regexp.MustCompile(`(?m)^#{1,6} +(.+)$`)
	fenced   = regexp.MustCompile("(?ms)^```.*?^```$")
	unlinked = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors are the fragments by which the headings of a page are reached, as GitHub makes them.
func anchors(page string) map[string]bool {
	all := map[string]bool{}
	for _, h := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(page, ""), -1) {
		text := link.ReplaceAllString(strings.TrimSpace(h[1]), "]")
		slug := strings.ReplaceAll(unlinked.ReplaceAllString(strings.ToLower(text), ""), " ", "-")
		for n := 1; all[slug]; n++ {
			slug = fmt.Sprintf("%s-%d", slug, n)
		}
		all[slug] = true
	}
	return all
}

// dead says which links of a page lead nowhere, and which folders that its commands name are not there; read gives a file of root, and
// fails for what is not there.
func dead(page, file string, read func(path string) (string, error)) (gone []string, links int) {
	for _, m := range link.FindAllStringSubmatch(fenced.ReplaceAllString(page, ""), -1) {
		target := m[1]
		if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
			continue
		}
		links++
		path, anchor, _ := strings.Cut(target, "#")
		text := page
		if path != "" {
			var err error
			if text, err = read(filepath.Join(filepath.Dir(file), path)); err != nil {
				gone = append(gone, target)
				continue
			}
		}
		if anchor != "" && !anchors(text)[anchor] {
			gone = append(gone, target)
		}
	}
	for _, m := range command.FindAllStringSubmatch(page, -1) {
		if strings.HasPrefix(m[1], "./path/") { // the reader's own
			continue
		}
		if _, err := read(m[1]); err != nil {
			gone = append(gone, m[0])
		}
	}
	return gone, links
}

// TestLinksLeadSomewhere holds every page to what it links to: files, headings, and the folders that its commands name.
func TestLinksLeadSomewhere(t *testing.T) {
	read := func(path string) (string, error) {
		info, err := os.Stat(path)
		if err != nil || info.IsDir() {
			return "", err
		}
		text, err := os.ReadFile(path)
		return string(text), err
	}
	pages, links := 0, 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != "." {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ".md" {
			return nil
		}
		page, err := read(path)
		if err != nil {
			return err
		}
		gone, n := dead(page, path, read)
		for _, target := range gone {
			t.Errorf("%s: %s leads nowhere", path, target)
		}
		pages, links = pages+1, links+n
		return nil
	})
	if err != nil || pages < 20 || links < 40 {
		t.Fatalf("%d pages with %d links, %v: this test does not find what it is to look at", pages, links, err)
	}
}

// A page with links that lead nowhere is found out.
func TestDeadLinksAreNoticed(t *testing.T) {
	read := func(path string) (string, error) {
		if path == filepath.Join("docs", "b.md") || path == "./here" {
			return "## Two kinds of `grace`, twice\n## Two kinds of `grace`, twice\n", nil
		}
		return "", os.ErrNotExist
	}
	page := "# A\n[1](b.md) [2](b.md#two-kinds-of-grace-twice-1) [3](#a) [4](https://example.com/x)\n" +
		"[5](c.md) [6](b.md#three) [7](#b)\n`go run ./here` and `go test ./gone -run X`\n```\n[8](c.md)\n```\n"
	gone, links := dead(page, filepath.Join("docs", "a.md"), read)
	if links != 6 || fmt.Sprint(gone) != "[c.md b.md#three #b go test ./gone]" {
		t.Errorf("%d links, gone: %v", links, gone)
	}
}
