package claims

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/wcron/wcron/fingerprint"
)

// ended gives the pid of a process that is gone.
func ended(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid
}

// witnesses makes the owner record of each wording in the table, out of the true evidence of this process.
func witnesses(t *testing.T) map[string]Owner {
	t.Helper()
	self, err := Self("host-x-1", os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	with := func(change func(e map[string]any)) Owner {
		e := map[string]any{}
		if err := json.Unmarshal(self.Evidence, &e); err != nil {
			t.Fatal(err)
		}
		change(e)
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		return Owner{ID: self.ID, Evidence: text}
	}
	const otherBoot = "00000000-0000-4000-8000-000000000000"
	return map[string]Owner{
		"no record":                                       {ID: "host-x-1"},
		"malformed record":                                {ID: "host-x-1", Evidence: []byte(`{"version":`)},
		"record of a newer version":                       {ID: "host-x-1", Evidence: []byte(`{"version":999}`)},
		"the very process runs":                           self,
		"another boot of this machine":                    with(func(e map[string]any) { e["boot"] = otherBoot }),
		"another boot, of a machine that is not this one": with(func(e map[string]any) { e["boot"], e["host"] = otherBoot, "elsewhere" }),
		"another pid namespace":                           with(func(e map[string]any) { e["pid_namespace"] = 1 }),
		"no process has the pid":                          with(func(e map[string]any) { e["pid"] = ended(t) }),
		"same pid, another process":                       with(func(e map[string]any) { e["start"] = "1"; delete(e, "pidfs_inode") }),
		`"pid-suffix" alone, and no process has the pid`:  {ID: "4000001-a"},
		`"pid-suffix" alone, and a process has the pid`:   {ID: "1-a"},
	}
}

// The table of the package's documentation is what JudgeOwner does, with the true evidence of this machine.
func TestWitnessTable(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	owners := witnesses(t)
	rows, used := 0, map[string]bool{}
	for line := range strings.Lines(string(doc)) {
		row, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "//\t")
		lock, rest, two := strings.Cut(row, "  ")
		switch LockState(lock) {
		case LockFree, LockHeld, LockMissing:
		default:
			continue
		}
		if !ok || !two {
			continue
		}
		rest = strings.TrimSpace(rest)
		i := strings.LastIndex(rest, " ")
		wording, want := strings.TrimSpace(rest[:i]), fingerprint.Verdict(rest[i+1:])
		owner, known := owners[wording]
		if !known {
			t.Errorf("nothing is made for the row %q", row)
			continue
		}
		rows++
		used[wording] = true
		if wording == "another boot of this machine" && LockState(lock) == LockMissing && !named(t) {
			want = fingerprint.Unknown // in a container the machine has no name
		}
		got, why := JudgeOwner(owner, Probe{Lock: LockState(lock), Reason: "the engine's sentence"})
		if got != want || why == "" {
			t.Errorf("%s: %s (%s)", row, got, why)
		}
	}
	if rows != 19 || len(used) != len(owners) {
		t.Errorf("the table has %d rows and %d of %d wordings", rows, len(used), len(owners))
	}
}

// named tells whether this machine has a name that is trusted.
func named(t *testing.T) bool {
	t.Helper()
	e, err := fingerprint.Self()
	if err != nil {
		t.Fatal(err)
	}
	return e.Machine != ""
}
