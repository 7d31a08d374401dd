package wcron_test

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/wcron/wcron"

// arrows is the table of design.md: which package may import which of our own. Arrows point down only; tests are free.
var arrows = map[string][]string{
	// floor 0
	"fingerprint":            {},
	"schedule":               {},
	"config":                 {},
	"output":                 {},
	"sandbox/meter":          {},
	"sandbox":                {"sandbox/meter"},
	"internal/crontab":       {},
	"internal/guest/asm":     {},
	"internal/guest":         {"internal/guest/asm", "sandbox/meter"},                   // the section that carries a manifest is written there
	"internal/guest/hostile": {"internal/guest", "internal/guest/asm", "sandbox/meter"}, // the names that forgeries use are there
	// floor 1
	"claims":     {"fingerprint"},
	"capability": {"sandbox"}, // what answers the sandbox's functions
	"plugins":    {"config", "schedule", "sandbox/meter"},
	// floor 2
	"host":               {"capability", "claims", "sandbox", "schedule", "output"},
	"claims/sqlitestore": {"claims"},
	"claims/memstore":    {"claims"},
	"claims/claimstest":  {"claims"},
	// floor 3
	"admin":   {"host", "claims", "fingerprint", "output"}, // fingerprint: whether an owner lives, for list
	"metrics": {"host"},
	// floor 4
	"web": {"admin"},
	// floor 5
	"cmd/wcron": {"admin", "capability", "claims", "claims/memstore", "claims/sqlitestore", "config", "fingerprint", "host", "internal/crontab", "internal/guest", "metrics", "output", "plugins", "sandbox", "sandbox/meter", "schedule", "web"},
	// beside the house
	"guest":               {"guest/internal/host"}, // for guests: they run in the sandbox, and bring the standard library alone
	"guest/guesthttp":     {"guest"},
	"guest/internal/host": {},
	"examples/thirdparty": {}, // tests alone
	"examples/embed":      {"claims/sqlitestore", "host"},
	"examples/functions":  {"capability", "claims/sqlitestore", "host"},
}

// engines is which package alone imports a third-party engine.
var engines = map[string][]string{
	"github.com/tetratelabs/wazero":         {"sandbox", "bench"}, // bench measures beside the bare engine
	"github.com/adhocore/gronx":             {"schedule"},
	"github.com/BurntSushi/toml":            {"config"},
	"github.com/ncruces/go-sqlite3":         {"claims/sqlitestore"},
	"github.com/gofrs/flock":                {"claims/sqlitestore"},
	"github.com/prometheus":                 {"metrics"},
	"github.com/fsnotify/fsnotify":          {"plugins"},
	"github.com/alecthomas/kong":            {"cmd/wcron"},
	"github.com/KimMachineGun/automemlimit": {"cmd/wcron"},
	"github.com/google/uuid":                {"host"},
	"golang.org/x/term":                     {"cmd/wcron"},
}

// bans is what a package must not import of the standard library, with the reason.
var bans = []struct {
	imports string
	only    []string // the packages that may
	reason  string
}{
	{"log/slog", []string{"host", "cmd/wcron"}, "below the host things are told by errors and events"},
	{"net/http", []string{"admin", "capability", "guest/guesthttp", "web"}, "three packages speak HTTP: the operator's API, the dashboard over it, and the door through which guests do; guesthttp has its names for guests"},
	{"log", nil, "it writes to a global; use slog in host and cmd"},
	{"os/signal", []string{"cmd/wcron"}, "signals belong to the program, never to a library"},
	{"unsafe", []string{}, "no package of ours needs it"},
	{"plugin", nil, "jobs are WebAssembly modules"},
}

type pkg struct {
	ImportPath string
	Imports    []string
}

// under reports whether path is pkg or lies below it.
func under(path, pkg string) bool { return path == pkg || strings.HasPrefix(path, pkg+"/") }

func packages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p pkg
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

func TestArrows(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		if name == "" || under(name, "examples/jobs") {
			continue // guests: they run in the sandbox
		}
		allowed, known := arrows[name]
		if under(name, "bench") { // programs that measure the house from outside
			allowed, known = nil, true
		}
		if !known {
			t.Errorf("package %s is not in the table of arrows: decide on its floor, and add it here and to docs/design.md", name)
			continue
		}
		for _, imp := range p.Imports {
			if own, ok := strings.CutPrefix(imp, module+"/"); ok && allowed != nil && !slices.Contains(allowed, own) {
				t.Errorf("%s imports %s: a new arrow; either it points up, or the table here and in docs/design.md needs it with a reason", name, own)
			}
		}
	}
}

func TestEachEngineHasOneImporter(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		for _, imp := range p.Imports {
			for engine, importers := range engines {
				if under(imp, engine) && !slices.Contains(importers, name) {
					t.Errorf("%s imports %s, which only %s may: the rest of the program must not depend on an engine", name, imp, importers)
				}
			}
		}
	}
}

func TestBans(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		if under(name, "examples") || under(name, "bench") {
			continue
		}
		for _, ban := range bans {
			if slices.Contains(p.Imports, ban.imports) && !slices.Contains(ban.only, name) {
				t.Errorf("%s imports %s: %s", name, ban.imports, ban.reason)
			}
		}
	}
}
