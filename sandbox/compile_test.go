package sandbox

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wcron/wcron/internal/guest"
	"github.com/wcron/wcron/internal/guest/asm"
	"github.com/wcron/wcron/sandbox/meter"
)

func importing(module, name string, params, results []asm.Type) []byte {
	var m asm.Module
	m.Import(module, name, params, results)
	m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil))
	return m.Bytes()
}

func TestCompileRefuses(t *testing.T) {
	const wasi = "wasi_snapshot_preview1"
	many := func() []byte {
		var m asm.Module
		for _, name := range strings.Split("abcdefg", "") {
			m.Import("env", name, nil, nil)
		}
		m.Import("other", "x", nil, nil)
		return m.Bytes()
	}
	invalid := func() []byte {
		var m asm.Module
		m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil, asm.I32(1), asm.I64(1), asm.Add, asm.Drop))
		return m.Bytes()
	}
	twice := func() []byte {
		var m asm.Module
		f := m.Func(nil, nil, nil)
		m.Export("a", asm.KindFunc, f)
		m.Export("a", asm.KindFunc, f)
		return m.Bytes()
	}
	tests := []struct {
		name string
		wasm []byte
		want string
	}{
		{"empty", nil, "the file is empty"},
		{"component", []byte("\x00asm\x0d\x00\x01\x00"), "this is a component"},
		{"481 GB of imports in 15 bytes", []byte("\x00asm\x01\x00\x00\x00\x02\x05\xff\xff\xff\xff\x0f"), "offset 0xa"},
		{"invalid code", invalid(), "it does not compile"},
		{"export twice", twice(), "it does not compile"},
		{"unknown import", guest.ImportUnknown(), `"env" what this host does not provide (mystery): the linker left these`},
		{"many", many(), `(a, b, c, d, e and 2 more; and from 1 other modules)`},
		{"unknown WASI function", importing(wasi, "fd_dance", nil, nil), "fd_dance"},
		{"wrong signature", importing(wasi, "proc_exit", nil, nil), "proc_exit with another signature"},
		{"WASI snapshot 0", importing("wasi_unstable", "fd_write", nil, nil), "snapshot 0"},
		{"WASI preview 2", importing("wasi:cli/run@0.2.0", "run", nil, nil), "preview 2"},
		{"Extism", importing("extism:host/user", "host_green", nil, nil), "registered by the program that embeds this host"},
		{"browser Go", importing("gojs", "runtime.wasmExit", nil, nil), "GOOS=wasip1"},
		{"wasm-bindgen", importing("__wbindgen_placeholder__", "x", nil, nil), "wasm-bindgen"},
		{"imported memory", []byte("\x00asm\x01\x00\x00\x00\x02\x0c\x01\x03env\x03mem\x02\x00\x01"), "(memory mem)"},
	}
	e := newEngine(t, Config{})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := e.Compile(context.Background(), test.wasm)
			var me *ModuleError
			if !errors.As(err, &me) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want a *ModuleError with %q", err, test.want)
			}
		})
	}
	_, err := e.Compile(context.Background(), nil)
	var me *meter.Error
	if !errors.As(err, &me) {
		t.Errorf("%v wraps no *meter.Error", err)
	}
}

// A broken name section is no reason to refuse a module.
func TestBrokenNamesAreDropped(t *testing.T) {
	wasm, err := meter.SetCustom(guest.Exit(4), "name", []byte("\x01\x05\xff\xff\xff\xff\x0f"))
	if err != nil {
		t.Fatal(err)
	}
	m := compile(t, newEngine(t, Config{}), wasm)
	expect(t, m.Run(context.Background(), Run{}), Failed, Exit, "")
	if m.Digest() == compile(t, m.engine, guest.Exit(4)).Digest() || len(m.Digest()) != 64 {
		t.Error("the digest is not that of the bytes given")
	}
}

func TestCompileHonoursTheContext(t *testing.T) {
	e := newEngine(t, Config{})
	e.compilers <- struct{}{} // somebody compiles
	ctx, cancel := context.WithCancelCause(context.Background())
	time.AfterFunc(time.Millisecond, func() { cancel(ErrShutdown) })
	if _, err := e.Compile(ctx, guest.Exit(0)); !errors.Is(err, ErrShutdown) {
		t.Errorf("waiting for a compiler: %v", err)
	}
	<-e.compilers
	if _, err := e.Compile(ctx, guest.Exit(0)); !errors.Is(err, ErrShutdown) {
		t.Errorf("with a free compiler: %v", err)
	}
}

func TestCompileConcurrently(t *testing.T) {
	e := newEngine(t, Config{Compilers: 2, CacheDir: filepath.Join(t.TempDir(), "cache")})
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			m, err := e.Compile(context.Background(), guest.Exit(uint32(i%3)))
			if err != nil {
				t.Error(err)
				return
			}
			if res := m.Run(context.Background(), Run{}); res.ExitCode != uint32(i%3) {
				t.Errorf("got %+v", res)
			}
			if err := m.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// A module closed while another of the same bytes is open leaves that one alone.
func TestCloseOneOfTwo(t *testing.T) {
	e := newEngine(t, Config{})
	one, two := compile(t, e, guest.Exit(5)), compile(t, e, guest.Exit(5))
	if err := one.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	expect(t, two.Run(context.Background(), Run{}), Failed, Exit, "5")
	expect(t, one.Run(context.Background(), Run{}), Failed, HostFault, "the module is closed")
}

// An ordinary Go program, built with nothing but the Go toolchain.
func TestStockGoProgram(t *testing.T) {
	goTool := tool(t, "go")
	dir := t.TempDir()
	source := `package main

import (
	"fmt"
	"io"
	"os"
	"time"
)

func main() {
	in, _ := io.ReadAll(os.Stdin)
	fmt.Println(os.Args, os.Getenv("WCRON_SLOT"), string(in), time.Now().Year() > 2024, len(os.Environ()))
	if _, err := os.ReadDir("/"); err == nil {
		fmt.Println("there are files")
	}
	switch string(in) {
	case "sleep":
		time.Sleep(time.Hour)
	case "spin":
		for {
		}
	case "panic":
		panic("oh no")
	}
}
`
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "main.wasm")
	build := exec.Command(goTool, "build", "-o", out, filepath.Join(dir, "main.go"))
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	wasm, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	m := compile(t, newEngine(t, Config{}), wasm)
	var stdout, stderr bytes.Buffer
	run := func(in string, timeout time.Duration) Result {
		stdout.Reset()
		return m.Run(context.Background(), Run{Args: []string{"job", "arg"}, Env: []string{"WCRON_SLOT=s1"},
			Stdin: strings.NewReader(in), Stdout: &stdout, Stderr: &stderr, Timeout: timeout})
	}
	res := run("x", 0)
	expect(t, res, OK, "", "")
	if got := stdout.String(); got != "[job arg] s1 x true 1\n" {
		t.Errorf("got %q", got)
	}
	if res.MemoryPeak < m.MinMemory() || res.MemoryPeak > DefaultMemory {
		t.Errorf("peak %d", res.MemoryPeak)
	}
	expect(t, run("sleep", 200*time.Millisecond), Timeout, Deadline, "")
	expect(t, run("spin", 200*time.Millisecond), Timeout, Deadline, "")
	expect(t, run("panic", 0), Failed, Exit, "exit code 2")
	if !strings.Contains(stderr.String(), "panic: oh no") {
		t.Errorf("stderr %q", &stderr)
	}
}

// The engine carries thousands of modules of the specification's tests: none of them makes the check panic, and
// whatever the engine takes, the check takes too, except for what it refuses on purpose.
func TestAcceptsWhatTheEngineAccepts(t *testing.T) {
	list := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero")
	out, err := list.Output()
	root := strings.TrimSpace(string(out))
	if err != nil || root == "" {
		missing(t, "the engine's source is not there: run go mod download github.com/tetratelabs/wazero")
	}
	e := newEngine(t, Config{})
	seen, taken := 0, 0
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".wasm" {
			return err
		}
		if seen++; testing.Short() && seen%10 != 0 {
			return nil
		}
		wasm, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if len(wasm) > 1<<20 {
			return nil // the few real programs take long to compile
		}
		if _, err = meter.Check(wasm, meter.Limits{}); err == nil {
			taken++
			return nil
		}
		if strings.Contains(err.Error(), "raise ") || strings.Contains(err.Error(), "offset 0x0") {
			return nil
		}
		// Its counts are checked only as far as the fault: give the engine what cannot hurt it.
		compiled, cerr := e.compileOnce(context.Background(), wasm)
		if cerr == nil {
			compiled.Close(context.Background())
			t.Errorf("%s: the engine takes what the check refuses: %v", path[len(root):], err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen == 0 {
		missing(t, "the engine comes without its test modules: run go mod download github.com/tetratelabs/wazero, without vendoring")
	}
	t.Logf("%d modules, %d accepted", seen, taken)
}

func FuzzCompile(f *testing.F) {
	f.Add(guest.Hello())
	f.Add(guest.WithManifest(guest.GrowForever(), "x"))
	f.Add(guest.StartLoop())
	f.Add(trapInStart())
	e := newEngine(f, Config{Limits: meter.Limits{ModuleSize: 8 << 10, FunctionSize: 1 << 10, Functions: 100, Locals: 100,
		Entries: 100, Elements: 100, Tables: 2, TableSize: 100, Memory: 1 << 20}})
	f.Fuzz(func(t *testing.T, wasm []byte) {
		m, err := e.Compile(context.Background(), wasm)
		if err != nil {
			return
		}
		defer m.Close(context.Background())
		m.CheckEntry("")
	})
}

func BenchmarkRun(b *testing.B) {
	for name, wasm := range map[string][]byte{"empty": guest.CallTree(0), "hello": guest.Hello()} {
		b.Run(name, func(b *testing.B) {
			m := compile(b, newEngine(b, Config{}), wasm)
			b.ReportAllocs()
			for b.Loop() {
				if res := m.Run(context.Background(), Run{Timeout: time.Minute}); res.Outcome != OK {
					b.Fatal(res)
				}
			}
		})
	}
}
