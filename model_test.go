package wcron_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestModelOfTheLedger lets spin go through every state of docs/model/ledger.pml, and through each mutant of it until the error that
// docs/model/README.md names. Without WCRON_CI it checks the model on one machine and the first mutant alone.
func TestModelOfTheLedger(t *testing.T) {
	long := os.Getenv("WCRON_CI") == "1"
	for _, tool := range []string{"spin", "gcc"} {
		if _, err := exec.LookPath(tool); err != nil {
			if long {
				t.Fatalf("%s is missing: install the package %s", tool, tool)
			}
			t.Skipf("install %s to check the model of the ledger", tool)
		}
	}
	model, err := filepath.Abs("docs/model/ledger.pml")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []struct {
		name    string
		defines []string
		finds   string // the assertion that has to fail; empty: no error
		long    bool
	}{
		{name: "one machine"},
		{name: "two machines", defines: []string{"FAR"}, long: true},
		{name: "no fence", defines: []string{"NO_FENCE"}, finds: "outcome[r]=="},
		{name: "no fence, two machines", defines: []string{"FAR", "NO_FENCE"}, finds: "outcome[r]==", long: true},
		{name: "recovery without evidence", defines: []string{"NO_EVIDENCE"}, finds: "past||", long: true},
		{name: "advance after the run", defines: []string{"ADVANCE_LATE"}, finds: "attempts[slot]<=", long: true},
		{name: "no lock of the job", defines: []string{"NO_JOB_LOCK"}, finds: "acting==1", long: true},
	} {
		t.Run(v.name, func(t *testing.T) {
			if v.long && !long {
				t.Skip("set WCRON_CI=1 for the long form")
			}
			t.Parallel()
			said := spin(t, model, v.defines)
			violated := regexp.MustCompile(`(?m)^pan:\d+: (.*)$`).FindString(said)
			switch {
			case strings.Contains(said, "max search depth") || !strings.Contains(said, "State-vector"):
				t.Errorf("the search was not completed:\n%s", said)
			case v.finds == "" && (violated != "" || !strings.Contains(said, "errors: 0")):
				t.Errorf("the model is broken:\n%s", said)
			case v.finds != "" && !strings.Contains(violated, v.finds):
				t.Errorf("the mutant should break %q, and spin says:\n%s", v.finds, said)
			}
		})
	}
}

// spin checks the model with the given definitions and returns what the checker said.
func spin(t *testing.T, model string, defines []string) string {
	t.Helper()
	dir := t.TempDir()
	args := []string{"-a"}
	for _, d := range defines {
		args = append(args, "-D"+d)
	}
	var said []byte
	for _, c := range [][]string{
		append(append([]string{"spin"}, args...), model),
		{"gcc", "-O1", "-DSAFETY", "-DCOLLAPSE", "-o", "pan", "pan.c"},
		{filepath.Join(dir, "pan"), "-m100000", "-n"},
	} {
		cmd := exec.CommandContext(t.Context(), c[0], c[1:]...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		said = out
		if err != nil && filepath.Base(c[0]) != "pan" { // pan's exit code differs between versions: its words decide
			t.Fatalf("%s: %v\n%s", strings.Join(c, " "), err, out)
		}
	}
	return string(said)
}
