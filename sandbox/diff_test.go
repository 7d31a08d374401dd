package sandbox

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"

	"github.com/wcron/wcron/sandbox/meter"
)

// bench is a bare engine with the functions that the specification's tests import, and a slice function that grants
// slices of a fixed length until the fuel runs out.
type bench struct {
	rt      wazero.Runtime
	slice   int64
	fuel    int64
	granted int64
	spent   int64 // by the last module that was observed and metered

	spectest wazero.CompiledModule // what the specification's tests import; nil if it is not there
}

var errSpent = errors.New("the fuel is spent")

func newBench(t testing.TB, slice int64) *bench {
	t.Helper()
	ctx := context.Background()
	b := &bench{slice: slice, fuel: 1 << 40}
	b.rt = wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCoreFeatures(api.CoreFeaturesV2).
		WithMemoryLimitPages(128))
	t.Cleanup(func() { b.rt.Close(ctx) })
	_, err := b.rt.NewHostModuleBuilder(meter.ImportModule).NewFunctionBuilder().
		WithGoFunction(api.GoFunc(func(_ context.Context, stack []uint64) {
			left, room := int64(stack[0]), int64(stack[1])
			if room < 0 {
				panic(errors.New("stack overflow"))
			}
			b.spent = b.granted - left
			if b.spent > b.fuel {
				panic(errSpent)
			}
			b.granted = b.spent + b.slice
			stack[0] = uint64(b.slice)
		}), []api.ValueType{api.ValueTypeI64, api.ValueTypeI64}, []api.ValueType{api.ValueTypeI64}).
		Export(meter.ImportName).Instantiate(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// observe instantiates a module, calls each exported function that takes no parameters, and writes down all that can be
// seen: results, traps, memory, globals.
func (b *bench) observe(wasm []byte) (out []string, compiled bool) {
	ctx := context.Background()
	m, err := b.rt.CompileModule(ctx, wasm)
	if err != nil {
		return []string{"refused"}, false
	}
	b.granted = 0
	defer m.Close(ctx)
	if b.spectest != nil {
		host, err := b.rt.InstantiateModule(ctx, b.spectest, wazero.NewModuleConfig().WithName("spectest"))
		if err != nil {
			return []string{err.Error()}, false
		}
		defer host.Close(ctx)
	}
	mod, err := b.rt.InstantiateModule(ctx, m, wazero.NewModuleConfig().WithName("").WithStartFunctions())
	if err != nil {
		return []string{"instantiate: " + trapOf(err)}, true
	}
	defer mod.Close(ctx)
	defer func() {
		if left := mod.ExportedGlobal(meter.FuelExport); left != nil {
			b.spent = b.granted - int64(left.Get())
		}
	}()
	defs := mod.ExportedFunctionDefinitions()
	for _, name := range slices.Sorted(maps.Keys(defs)) {
		for i := range uint64(3) {
			args := make([]uint64, len(defs[name].ParamTypes()))
			for j, t := range defs[name].ParamTypes() {
				if strings.Contains(name, "grow") { // without metering a table grows to gigabytes
					args[j] = i
					continue
				}
				if t != api.ValueTypeExternref && t != 0x70 { // a made-up reference would be followed
					args[j] = [...]uint64{3, 0x40490fdb, 0xffff_ffff_ffff_fffe}[(i+uint64(j))%3]
				}
			}
			results, err := mod.ExportedFunction(name).Call(ctx, args...)
			if errors.Is(err, errSpent) {
				return append(out, "endless"), true
			}
			if trapOf(err) == "stack overflow" { // without metering it takes hundreds of megabytes
				return append(out, "overflow"), true
			}
			for j, t := range defs[name].ResultTypes() {
				if len(results) > j && t != api.ValueTypeI64 && t != api.ValueTypeF64 && results[j] != 0 && (t == api.ValueTypeExternref || t == 0x70) {
					results[j] = 1 // an address of the host
				}
				if len(results) > j && (t == api.ValueTypeI32 || t == api.ValueTypeF32) { // the upper half is not defined
					results[j] = uint64(uint32(results[j]))
				}
			}
			out = append(out, fmt.Sprintf("%s: %x %s", name, results, trapOf(err)))
			if len(args) == 0 {
				break
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(mod.ExportedMemoryDefinitions())) {
		mem := mod.ExportedMemory(name)
		content, _ := mem.Read(0, mem.Size())
		h := fnv.New64a()
		h.Write(content)
		out = append(out, fmt.Sprintf("memory: %d %x", mem.Size(), h.Sum64()))
	}
	return out, true
}

// startIndex is how the engine names the start function, by an index that metering moves.
var startIndex = regexp.MustCompile(`start function\[\d+\]`)

var notThere = regexp.MustCompile(`module\[.*\] not instantiated`)

func trapOf(err error) string {
	var exit *sys.ExitError
	if err == nil || errors.As(err, &exit) {
		return fmt.Sprint(err)
	}
	first, _, _ := strings.Cut(err.Error(), "\n")
	first = notThere.ReplaceAllString(first, "not instantiated") // the engine says of one
	first = startIndex.ReplaceAllString(first, "start function")
	return strings.TrimSuffix(first, " (recovered by wazero)")
}

func engineSource(t *testing.T) string {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	root := strings.TrimSpace(string(out))
	if err != nil || root == "" {
		missing(t, "the engine's source is not there: run go mod download github.com/tetratelabs/wazero")
	}
	return root
}

func walkModules(t *testing.T, root string, visit func(name string, wasm []byte)) {
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".wasm" {
			return err
		}
		wasm, err := os.ReadFile(path)
		if err == nil && len(wasm) < 1<<20 {
			visit(path[len(root):], wasm)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The specification's own tests behave the same with metering and without, and whatever the engine takes is metered.
func TestMeteringChangesNothing(t *testing.T) {
	root := engineSource(t)
	b := newBench(t, 100)
	if host, err := os.ReadFile(filepath.Join(root, "internal/integration_test/spectest/testdata/spectest.wasm")); err == nil {
		if b.spectest, err = b.rt.CompileModule(context.Background(), host); err != nil {
			t.Fatal(err)
		}
	}
	seen, same, endless := 0, 0, 0
	walkModules(t, root, func(name string, wasm []byte) {
		if seen++; !thorough() && seen%6 != 0 {
			return
		}
		metered, _, err := meter.Meter(wasm, meter.Options{Limits: meter.Limits{TableSize: 10_000_000}})
		if err != nil {
			if strings.Contains(err.Error(), "raise ") || strings.Contains(err.Error(), "typed function references") || binary.LittleEndian.Uint32(append(slices.Clone(wasm), 0, 0, 0, 0)) != 0x6d736100 {
				return
			}
			if _, cerr := b.rt.CompileModule(context.Background(), wasm); cerr == nil {
				t.Errorf("%s: the engine takes what is not metered: %v", name, err)
			}
			return
		}
		begun := time.Now()
		defer func() {
			if d := time.Since(begun); d > 300*time.Millisecond {
				fmt.Fprintln(os.Stderr, name, d)
			}
		}()
		b.fuel = 1_000_000
		got, ok := b.observe(metered)
		if len(got) > 0 && (got[len(got)-1] == "endless" || got[len(got)-1] == "overflow") {
			endless++
			return
		}
		want, wanted := b.observe(wasm)
		if ok != wanted || !slices.Equal(got, want) {
			t.Errorf("%s: metered %q, else %q", name, got, want)
		}
		if ok && len(got) > 0 {
			same++
		}
	})
	t.Logf("%d modules, %d ran the same, %d endless", seen, same, endless)
	if same == 0 {
		missing(t, "the engine comes without its test modules: run go mod download github.com/tetratelabs/wazero, without vendoring")
	}
}
