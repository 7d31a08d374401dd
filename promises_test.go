package wcron_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestPromisesNameTests holds docs/promises.md to the code: each test that it names is there.
func TestPromisesNameTests(t *testing.T) {
	page, err := os.ReadFile("docs/promises.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`([a-z/]+)\\.(Test[A-Za-z0-9_]+)`").FindAllStringSubmatch(string(page), -1)
	if len(named) < 40 {
		t.Fatalf("only %d tests are named: the page or this pattern is wrong", len(named))
	}
	for _, n := range named {
		files, err := filepath.Glob(n[1] + "/*_test.go")
		if err != nil {
			t.Fatal(err)
		}
		declared := regexp.MustCompile(`(?m)^func ` + n[2] + `\(`)
		found := false
		for _, f := range files {
			src, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			found = found || declared.Match(src)
		}
		if !found {
			t.Errorf("docs/promises.md names %s.%s, and there is no such test", n[1], n[2])
		}
	}
}
