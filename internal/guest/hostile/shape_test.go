package hostile_test

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/wcron/wcron/internal/guest/hostile"
)

const page = "../../../sandbox/testdata/hostile/README.md"

// The page beside the program that writes the corpus lists each shape with what must become of it. With
// WCRON_UPDATE=1 it is written anew.
func TestPageListsTheCorpus(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	intro, _, _ := strings.Cut(string(text), "| shape |")
	var want strings.Builder
	want.WriteString(intro + "| shape | what it does | what becomes of it |\n|---|---|---|\n")
	for _, s := range hostile.All() {
		fmt.Fprintf(&want, "| `%s` | %s | %s |\n", s.Name, s.About, fate(s))
	}
	if os.Getenv("WCRON_UPDATE") == "1" {
		if err := os.WriteFile(page, []byte(want.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(text) != want.String() {
		t.Errorf("%s is not what the corpus is; run this test with WCRON_UPDATE=1", page)
	}
}

func fate(s hostile.Shape) string {
	switch {
	case s.Refused != "":
		return fmt.Sprintf("refused: \"%s\"", s.Refused)
	case s.Cause == "exit":
		return fmt.Sprintf("%s, exit code %d", s.Outcome, s.Exit)
	case s.Cause == "":
		return s.Outcome
	}
	return fmt.Sprintf("%s, %s", s.Outcome, s.Cause)
}

// Each shape has a name of its own that can be that of a file, and is the same each time.
func TestShapes(t *testing.T) {
	names := map[string]bool{}
	for _, s := range hostile.All() {
		if names[s.Name] || !regexp.MustCompile(`^[a-z0-9-]+$`).MatchString(s.Name) {
			t.Errorf("the name %q is taken, or cannot be that of a file", s.Name)
		}
		names[s.Name] = true
		if (s.Outcome == "") == (s.Refused == "") || s.About == "" {
			t.Errorf("%s: it does not say what must become of it", s.Name)
		}
		if !bytes.Equal(s.Wasm(), s.Wasm()) {
			t.Errorf("%s: it is not the same each time", s.Name)
		}
	}
}
