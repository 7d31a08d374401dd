package wcron_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var namedTest = regexp.MustCompile("`([a-z/]+)\\.(Test[A-Za-z0-9_]+)((?:/[A-Za-z0-9_]+)*)`")

// source is the Go text below a folder: of its tests alone, or all of it.
func source(t *testing.T, dir string, tests bool) string {
	t.Helper()
	pattern := "/*.go"
	if tests {
		pattern = "/*_test.go"
	}
	files, err := filepath.Glob(dir + pattern)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range files {
		src, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(src)
	}
	return all.String()
}

// missing says which of the tests that a text names are not there. The parts of a subtest's name stand in quotes where it is made, in
// the package's own tests or in the suite that every engine runs.
func missing(t *testing.T, text string) (gone []string, named int) {
	t.Helper()
	suite := source(t, "claims/claimstest", false)
	for _, n := range namedTest.FindAllStringSubmatch(text, -1) {
		named++
		own := source(t, n[1], true)
		found := regexp.MustCompile(`(?m)^func ` + n[2] + `\(`).MatchString(own)
		for _, part := range strings.FieldsFunc(n[3], func(r rune) bool { return r == '/' }) {
			found = found && strings.Contains(own+suite, `"`+part+`"`)
		}
		if !found {
			gone = append(gone, n[1]+"."+n[2]+n[3])
		}
	}
	return gone, named
}

// TestPromisesNameTests holds docs/promises.md to the code: each test that it names is there.
func TestPromisesNameTests(t *testing.T) {
	page, err := os.ReadFile("docs/promises.md")
	if err != nil {
		t.Fatal(err)
	}
	gone, named := missing(t, string(page))
	if named < 40 {
		t.Fatalf("only %d tests are named: the page or this pattern is wrong", named)
	}
	for _, name := range gone {
		t.Errorf("docs/promises.md names %s, and there is no such test", name)
	}
}

// TestScenariosNameTests holds docs/scenarios.md to the code: every case has its row, every row a test, and each test is there.
func TestScenariosNameTests(t *testing.T) {
	page, err := os.ReadFile("docs/scenarios.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^\| ([CRKF]\d+) \| [^|]+ \| ([^|]+) \|$`).FindAllStringSubmatch(string(page), -1) {
		rows[m[1]] = m[2]
	}
	for kind, n := range map[string]int{"C": 10, "R": 12, "K": 8, "F": 3} {
		for i := 1; i <= n; i++ {
			code := fmt.Sprintf("%s%d", kind, i)
			gone, named := missing(t, rows[code])
			if named == 0 {
				t.Errorf("%s has no test", code)
			}
			for _, name := range gone {
				t.Errorf("%s names %s, and there is no such test", code, name)
			}
			delete(rows, code)
		}
	}
	for code := range rows {
		t.Errorf("%s is no case", code)
	}
}

// A page that names what is not there is found out.
func TestMissingTestsAreNoticed(t *testing.T) {
	gone, named := missing(t, "`claims.TestJudge` `claims.TestNobody` `claims/sqlitestore.TestConformance/Claim/OnceOnly` `claims/sqlitestore.TestConformance/Claim/Nobody`")
	if named != 4 || fmt.Sprint(gone) != "[claims.TestNobody claims/sqlitestore.TestConformance/Claim/Nobody]" {
		t.Errorf("%d named, gone: %v", named, gone)
	}
}
