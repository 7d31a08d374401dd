package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/wcron/wcron/sandbox/meter"
)

// script is one of the specification's test scripts, as wast2json writes it.
type script struct {
	Commands []command `json:"commands"`
}

type command struct {
	Type       string `json:"type"`
	Line       int    `json:"line"`
	Filename   string `json:"filename"`
	ModuleType string `json:"module_type"`
	Name       string `json:"name"`
	As         string `json:"as"`
	Action     action `json:"action"`
}

type action struct {
	Type   string  `json:"type"`
	Module string  `json:"module"`
	Field  string  `json:"field"`
	Args   []value `json:"args"`
}

type value struct {
	Type  string          `json:"type"`
	Value json.RawMessage `json:"value"`
}

// bits is the value as the engine takes it; two words for a vector.
func (v value) bits() []uint64 {
	var one string
	if json.Unmarshal(v.Value, &one) != nil || v.Type == "v128" {
		return []uint64{0, 0} // no script's result depends on which
	}
	if n, err := strconv.ParseUint(one, 10, 64); err == nil {
		if v.Type == "externref" {
			n++ // null is 0 to the engine
		}
		return []uint64{n}
	}
	switch {
	case one == "null":
		return []uint64{0}
	case v.Type == "f32":
		return []uint64{uint64(math.Float32bits(float32(math.NaN())))}
	}
	return []uint64{math.Float64bits(math.NaN())}
}

// stage plays a script, with metering or without.
type stage struct {
	*bench
	dir     string
	metered bool
	host    api.Module
	last    api.Module
	named   map[string]api.Module
	all     []api.Module
}

func newStage(t *testing.T, root, dir string, metered bool) *stage {
	s := &stage{bench: newBench(t, 5000), dir: dir, metered: metered, named: map[string]api.Module{}}
	s.fuel = 20_000_000
	wasm, err := os.ReadFile(filepath.Join(root, "internal/integration_test/spectest/testdata/spectest.wasm"))
	if err != nil {
		missing(t, "the engine comes without its test modules: run go mod download github.com/tetratelabs/wazero, without vendoring")
	}
	if s.host, err = s.rt.InstantiateWithConfig(context.Background(), wasm, wazero.NewModuleConfig().WithName("spectest")); err != nil {
		t.Fatal(err)
	}
	return s
}

// load instantiates a file under a name. What the meter refuses the engine must refuse as well, so both say no more.
func (s *stage) load(file, name string) string {
	ctx := context.Background()
	wasm, err := os.ReadFile(filepath.Join(s.dir, file))
	if err != nil {
		return "not there"
	}
	if s.metered {
		if wasm, _, err = meter.Meter(wasm, meter.Options{Limits: meter.Limits{TableSize: 10_000_000}}); err != nil {
			if strings.Contains(err.Error(), "; raise ") {
				return "above a limit"
			}
			return "refused"
		}
	}
	compiled, err := s.rt.CompileModule(ctx, wasm)
	if err != nil {
		return "refused"
	}
	s.granted = 0
	mod, err := s.rt.InstantiateModule(ctx, compiled, wazero.NewModuleConfig().WithName(name).WithStartFunctions())
	if err != nil {
		got, _, _ := strings.Cut(trapOf(err), "maximum size mismatch") // each metered table has a maximum
		return "instantiate: " + got
	}
	s.last = mod
	s.all = append(s.all, mod)
	return "loaded"
}

// play does what a command says, and tells all that can be seen of it.
func (s *stage) play(c command) string {
	switch c.Type {
	case "module":
		got := s.load(c.Filename, c.As)
		if got == "loaded" && c.Name != "" {
			s.named[c.Name] = s.last
		}
		return got
	case "register": // it got its name when it was loaded, which is when the engine wants to know
		return ""
	case "assert_malformed", "assert_invalid", "assert_unlinkable", "assert_uninstantiable", "assert_exhaustion":
		if c.ModuleType == "text" {
			return ""
		}
		if c.Type != "assert_exhaustion" {
			last := s.last
			got := s.load(c.Filename, "")
			s.last = last
			return got
		}
	}
	mod := s.last
	if c.Action.Module != "" {
		mod = s.named[c.Action.Module]
	}
	if mod == nil {
		return "no module"
	}
	if c.Action.Type == "get" {
		g := mod.ExportedGlobal(c.Action.Field)
		if g == nil {
			return "no global"
		}
		return fmt.Sprint(seen(g.Type(), g.Get()))
	}
	return s.invoke(mod, c.Action)
}

func (s *stage) invoke(mod api.Module, a action) string {
	f := mod.ExportedFunction(a.Field)
	if f == nil {
		return "no function"
	}
	var args []uint64
	for _, v := range a.Args {
		args = append(args, v.bits()...)
	}
	s.granted, s.spent = 0, 0
	results, err := f.Call(context.Background(), args...)
	if errors.Is(err, errSpent) {
		return "endless"
	}
	types := f.Definition().ResultTypes()
	var out []string
	for i, at := 0, 0; i < len(types) && at < len(results); i, at = i+1, at+1 {
		out = append(out, fmt.Sprint(seen(types[i], results[at])))
	}
	return strings.Join(out, " ") + trapOf(err)
}

// seen is what of a value is defined: half of it for some, and for a reference whether there is one.
func seen(t api.ValueType, v uint64) uint64 {
	switch {
	case t == api.ValueTypeI32 || t == api.ValueTypeF32:
		return uint64(uint32(v))
	case (t == api.ValueTypeExternref || t == 0x70) && v != 0:
		return 1
	}
	return v
}

// register tells each module the name under which a later command makes it known to others.
func (sc *script) register() {
	for i, c := range sc.Commands {
		if c.Type != "register" {
			continue
		}
		for j := i - 1; j >= 0; j-- {
			if m := &sc.Commands[j]; m.Type == "module" && (c.Name == "" || c.Name == m.Name) {
				if m.As == "" {
					m.As = c.As
				}
				break
			}
		}
	}
}

// memories tells what is in the memory of each module that was loaded.
func (s *stage) memories() (out []string) {
	for i, mod := range s.all {
		if len(mod.ExportedMemoryDefinitions()) > 0 { // otherwise there may be none
			content, _ := mod.Memory().Read(0, mod.Memory().Size())
			out = append(out, fmt.Sprintf("module %d: %s", i, hashOf(content)))
		}
	}
	return out
}

// Each command of the specification's scripts comes to the same with metering and without: results, traps, globals,
// and what is in memory at the end.
func TestSpecificationScripts(t *testing.T) {
	root := engineSource(t)
	files, err := filepath.Glob(filepath.Join(root, "internal/integration_test/spectest/v[12]/testdata/*.json"))
	if err != nil {
		t.Fatal(err)
	}
	played, cut, refused := 0, 0, 0
	for i, file := range files {
		if !thorough() && i%8 != 0 {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var sc script
		if err := json.Unmarshal(text, &sc); err != nil {
			t.Fatal(err)
		}
		sc.register()
		dir := filepath.Dir(file)
		plain, metered := newStage(t, root, dir, false), newStage(t, root, dir, true)
		name := filepath.Base(file)
		for _, c := range sc.Commands {
			got := metered.play(c)
			if strings.Contains(got, "stack overflow") {
				continue // without metering that takes hundreds of megabytes
			}
			if got == "endless" || got == "above a limit" {
				cut++
				break // without metering it never ends, or takes the memory of the machine
			}
			want := plain.play(c)
			if got != want {
				t.Errorf("%s:%d: %s %s: metered %q, else %q", name, c.Line, c.Type, c.Action.Field, got, want)
				break
			}
			if played++; got == "refused" {
				refused++
			}
		}
		if got, want := metered.memories(), plain.memories(); !slices.Equal(got, want) {
			t.Errorf("%s: metered the memories are %q, else %q", name, got, want)
		}
		plain.rt.Close(context.Background())
		metered.rt.Close(context.Background())
	}
	t.Logf("%d commands of %d scripts, %d of them refused by both, %d scripts cut short", played, len(files), refused, cut)
}
