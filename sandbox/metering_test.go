package sandbox

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/wcron/wcron/internal/guest"
	"github.com/wcron/wcron/internal/guest/asm"
	"github.com/wcron/wcron/sandbox/meter"
)

// missing skips a test for want of what the text says how to get; where all of it must be there the test fails.
func missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("WCRON_CI") == "1" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// tool finds a compiler.
func tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		missing(t, "install %s, and put it on the path", name)
	}
	return path
}

func build(t testing.TB, source, name string, env []string, command ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(command[0], append(command[1:], "-o", "out.wasm", name)...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	wasm, err := os.ReadFile(filepath.Join(dir, "out.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	return wasm
}

func goGuest(t testing.TB, source string) []byte {
	return build(t, source, "main.go", []string{"GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=", "GOWORK=off"}, tool(t, "go"), "build")
}

func cGuest(t testing.TB, source string) []byte {
	return build(t, source, "main.c", nil, tool(t, "clang"), "--target=wasm32", "-O2", "-nostdlib", "-mbulk-memory", "-msimd128",
		"-Wl,--no-entry", "-Wl,--export=run")
}

// without runs a guest on the bare engine.
func without(t *testing.T, wasm []byte, entry, stdin string) (stdout string, result []uint64, memory []byte) {
	t.Helper()
	ctx := context.Background()
	rt := wazero.NewRuntime(ctx)
	defer rt.Close(ctx)
	wasi_snapshot_preview1.MustInstantiate(ctx, rt)
	var out bytes.Buffer
	mod, err := rt.InstantiateWithConfig(ctx, wasm, wazero.NewModuleConfig().WithStdin(strings.NewReader(stdin)).WithStdout(&out).
		WithArgs("job").WithStartFunctions())
	if err != nil {
		t.Fatal(err)
	}
	result, err = mod.ExportedFunction(entry).Call(ctx)
	if err != nil && !strings.Contains(err.Error(), "exit_code(0)") {
		t.Fatal(err)
	}
	if m := mod.Memory(); m != nil {
		memory, _ = m.Read(0, m.Size())
	}
	return out.String(), result, memory
}

const goSource = `package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"sort"
	"strings"
)

type node struct{ left, right *node; key int }

func (n *node) insert(k int) *node {
	if n == nil {
		return &node{key: k}
	}
	if k < n.key {
		n.left = n.left.insert(k)
	} else {
		n.right = n.right.insert(k)
	}
	return n
}

func (n *node) depth() int {
	if n == nil {
		return 0
	}
	return 1 + max(n.left.depth(), n.right.depth())
}

func main() {
	in, _ := io.ReadAll(os.Stdin)
	words := regexp.MustCompile("[a-z]+").FindAllString(string(in), -1)
	sort.Strings(words)
	count := map[string]int{}
	for i := 0; i < 20000; i++ {
		count[words[i%len(words)]+fmt.Sprint(i%97)]++
	}
	text, _ := json.Marshal(count)
	var tree *node
	for i := 0; i < 20000; i++ {
		tree = tree.insert(i * 7919 % 20011)
	}
	var total float64
	for i := 1; i < 100000; i++ {
		total += 1 / float64(i) / float64(i)
	}
	fmt.Printf("%x %d %.12f %s\n", sha256.Sum256(text), tree.depth(), total, strings.Repeat(words[0], 3))
	done := make(chan int)
	for i := range 10 {
		go func() { done <- i * i }()
	}
	sum := 0
	for range 10 {
		sum += <-done
	}
	defer func() { fmt.Println(recover(), sum) }()
	var none []int
	_ = none[sum]
}
`

const cSource = `
typedef unsigned int u32;
typedef float v4 __attribute__((vector_size(16)));
static unsigned char sieve[300000], copy[300000];
static u32 heap[4096];
static u32 rnd(u32 *s) { *s ^= *s << 13; *s ^= *s >> 17; return *s ^= *s << 5; }
static int ack(int m, int n) { return m == 0 ? n + 1 : n == 0 ? ack(m - 1, 1) : ack(m - 1, ack(m, n - 1)); }
static int step(u32 op, int x) {
	switch (op % 9) {
	case 0: return x + 1; case 1: return x * 3; case 2: return x ^ 0x55; case 3: return x - 7; case 4: return x << 2;
	case 5: return x >> 1; case 6: return ~x; case 7: return x % 1000003; default: return x | 1;
	}
}
static void sort(u32 *a, int lo, int hi) {
	if (lo >= hi) return;
	u32 p = a[(lo + hi) / 2]; int i = lo, j = hi;
	while (i <= j) {
		while (a[i] < p) i++;
		while (a[j] > p) j--;
		if (i <= j) { u32 t = a[i]; a[i++] = a[j]; a[j--] = t; }
	}
	sort(a, lo, j); sort(a, i, hi);
}
int run(void) {
	u32 seed = 42, h = 0; int x = 1, primes = 0;
	for (int i = 2; i < 300000; i++) sieve[i] = 1;
	for (int i = 2; i < 550; i++) if (sieve[i]) for (int j = i * i; j < 300000; j += i) sieve[j] = 0;
	for (int i = 0; i < 300000; i++) primes += sieve[i];
	__builtin_memcpy(copy, sieve, sizeof copy);
	__builtin_memmove(copy + 5, copy, sizeof copy - 5);
	__builtin_memset(copy + 1000, 7, 100000);
	for (int i = 0; i < 300000; i++) h = h * 31 + copy[i];
	for (int i = 0; i < 4096; i++) heap[i] = rnd(&seed);
	sort(heap, 0, 4095);
	for (int i = 0; i < 4096; i++) h = h * 31 + heap[i];
	for (int i = 0; i < 100000; i++) x = step(rnd(&seed), x);
	v4 v = {1, 2, 3, 4}, w = {0.5f, 0.25f, 2, 1};
	for (int i = 0; i < 1000; i++) v = v * w + (v4){1, 1, 1, 1};
	return h + x + primes + ack(2, 300) + (int)v[0] + (int)v[2];
}
`

// Real programs print, return and leave in memory the same with metering and without.
func TestRealProgramsBehaveTheSame(t *testing.T) {
	e := newEngine(t, Config{})
	t.Run("Go", func(t *testing.T) {
		const in = "the quick brown fox jumps over the lazy dog"
		wasm := goGuest(t, goSource)
		want, _, _ := without(t, wasm, "_start", in)
		var out bytes.Buffer
		res := compile(t, e, wasm).Run(context.Background(), Run{Args: []string{"job"}, Stdin: strings.NewReader(in), Stdout: &out})
		expect(t, res, OK, "", "")
		if out.String() != want || !strings.Contains(want, "index out of range") {
			t.Errorf("got %q, want %q", &out, want)
		}
	})
	t.Run("C", func(t *testing.T) {
		wasm := cGuest(t, cSource)
		_, want, memory := without(t, wasm, "run", "")
		res := compile(t, e, wasm).Run(context.Background(), Run{Entry: "run"})
		if res.ExitCode != uint32(want[0]) || !res.HasExit {
			t.Errorf("got %+v, want %d", res, uint32(want[0]))
		}
		metered, _, err := meter.Meter(wasm, meter.Options{})
		if err != nil {
			t.Fatal(err)
		}
		b := newBench(t, 77)
		mod, err := b.rt.Instantiate(context.Background(), metered)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := mod.ExportedFunction("run").Call(context.Background()); err != nil {
			t.Fatal(err)
		}
		if got, _ := mod.Memory().Read(0, mod.Memory().Size()); !bytes.Equal(got, memory) {
			t.Error("the memory differs")
		}
	})
}

// The same run uses the same fuel, whatever else the machine does, and a limit ends it at the same place.
func TestFuel(t *testing.T) {
	e := newEngine(t, Config{})
	m := compile(t, e, guest.CallTree(18))
	first := m.Run(context.Background(), Run{})
	expect(t, first, OK, "", "")
	if first.Fuel < 1<<18 {
		t.Errorf("a tree of 2^18 calls used %d", first.Fuel)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if res := m.Run(context.Background(), Run{Fuel: first.Fuel}); res.Outcome != OK || res.Fuel != first.Fuel {
				t.Errorf("got %+v, want fuel %d", res, first.Fuel)
			}
		})
	}
	wg.Wait()
	short := m.Run(context.Background(), Run{Fuel: first.Fuel - 1})
	expect(t, short, Killed, FuelLimit, "raise fuel")
	again := m.Run(context.Background(), Run{Fuel: first.Fuel - 1})
	if short.Fuel != again.Fuel || short.Fuel < first.Fuel {
		t.Errorf("killed at %d and at %d", short.Fuel, again.Fuel)
	}
	res := compile(t, e, guest.Spin()).Run(context.Background(), Run{Fuel: 5_000_000})
	expect(t, res, Killed, FuelLimit, "fuel of 5000000")
	if res.Fuel < 5_000_000 || res.Fuel > 5_001_000 {
		t.Errorf("killed at %d", res.Fuel)
	}
	if res := compile(t, e, trapInStart()).Run(context.Background(), Run{}); res.Fuel > 10 || res.Outcome != Trapped {
		t.Errorf("got %+v", res)
	}
	expect(t, compile(t, e, guest.StartLoop()).Run(context.Background(), Run{Fuel: 1000}), Killed, FuelLimit, "")
}

// names makes a name section from a module's name and those of its functions.
func names(module string, functions map[uint32]string) []byte {
	sized := func(s string) string { return string(rune(len(s))) + s }
	text := ""
	for i := range uint32(len(functions)) {
		text += string(rune(i)) + sized(functions[i])
	}
	text = string(rune(len(functions))) + text
	return []byte("\x00" + sized(sized(module)) + "\x01" + sized(text))
}

// A stack trace has the guest's own names, or its own numbers, though one of its functions has moved.
func TestStackTraceNamesTheGuestsFunctions(t *testing.T) {
	var m asm.Module
	bad := m.Func(nil, nil, nil, asm.Loop(asm.Unreachable, asm.Br(0)))
	mid := m.Func(nil, nil, nil, asm.Call(bad))
	m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil, asm.Call(mid)))
	e := newEngine(t, Config{})
	res := compile(t, e, m.Bytes()).Run(context.Background(), Run{})
	expect(t, res, Trapped, Trap, "unreachable; in .$0(), called by .$1(), called by .$2()")
	named, err := meter.SetCustom(m.Bytes(), "name", names("app", map[uint32]string{0: "bad", 1: "mid", 2: "main"}))
	if err != nil {
		t.Fatal(err)
	}
	res = compile(t, e, named).Run(context.Background(), Run{})
	expect(t, res, Trapped, Trap, "unreachable; in app.bad(), called by app.mid(), called by app.main()")
}

// recursion calls itself for ever in a frame with that many locals, all of them used behind the call.
func recursion(locals int) []byte {
	var m asm.Module
	f := m.Next()
	types := make([]asm.Type, locals)
	code := asm.Code{}
	for i := range types {
		types[i] = asm.TypeI64
		code = append(code, asm.Cat(asm.Get(0), asm.Code{0xac}, asm.I64(int64(i)), asm.Code{0x7c}, asm.Set(uint32(i+1)))...)
	}
	code = append(code, asm.Cat(asm.Get(0), asm.I32(1), asm.Add, asm.Call(f))...)
	for i := range types {
		code = append(code, asm.Cat(asm.Get(uint32(i+1)), asm.Code{0xa7}, asm.Add)...)
	}
	m.Func(oneResult, oneResult, types, code)
	m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil, asm.I32(1), asm.Call(f), asm.Drop))
	return m.Bytes()
}

// Recursion without end traps before it has taken much of the host's memory, whatever its frames are.
func TestRecursionIsBounded(t *testing.T) {
	e := newEngine(t, Config{})
	for _, locals := range []int{0, 1, 10, 100, 1000} {
		m := compile(t, e, recursion(locals))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		res := m.Run(context.Background(), Run{})
		runtime.ReadMemStats(&after)
		expect(t, res, Trapped, Trap, "stack overflow; in .$0(i32) i32, called by")
		if strings.Contains(res.Reason, meter.HelperPrefix) {
			t.Errorf("the reason shows what metering added: %s", res.Reason)
		}
		took := int64(after.TotalAlloc - before.TotalAlloc)
		t.Logf("%d locals: %d KiB", locals, took>>10)
		if took > 8*meter.DefaultStack {
			t.Errorf("%d locals: the host allocated %d bytes for a stack of %d", locals, took, meter.DefaultStack)
		}
	}
	expect(t, compile(t, e, guest.Recurse()).Run(context.Background(), Run{}), Trapped, Trap, "stack overflow")

	// What returns in time is not held against the guest.
	small := newEngine(t, Config{Stack: 64 << 10})
	expect(t, compile(t, small, guest.CallTree(15)).Run(context.Background(), Run{}), OK, "", "")
	expect(t, compile(t, small, guest.CallTree(1100)).Run(context.Background(), Run{Timeout: soon}), Trapped, Trap, "stack overflow")
}

// A guest that waits holds no token: as many guests compute while it does as if it were not there.
func TestWaitingGuestsHoldNoToken(t *testing.T) {
	e := newEngine(t, Config{})
	n := runtime.GOMAXPROCS(0)
	ctx, cancel := context.WithCancelCause(context.Background())
	var wg sync.WaitGroup
	sleeper, reader := compile(t, e, guest.Sleep(time.Hour)), compile(t, e, guest.Echo())
	silent, feed := io.Pipe()
	defer feed.Close()
	for i := range 4 * n {
		wg.Go(func() {
			if i%2 == 0 {
				expect(t, sleeper.Run(ctx, Run{}), Killed, Shutdown, "")
			}
		})
	}
	for range n {
		wg.Go(func() { expect(t, reader.Run(context.Background(), Run{Stdin: silent}), OK, "", "") })
	}
	m := compile(t, e, guest.CallTree(10))
	for range 20 {
		expect(t, m.Run(context.Background(), Run{Timeout: patience}), OK, "", "")
	}
	cancel(ErrShutdown)
	feed.Close()
	wg.Wait()
	e.tokens.mu.Lock()
	defer e.tokens.mu.Unlock()
	if e.tokens.free != n || len(e.tokens.woken)+len(e.tokens.paused) != 0 {
		t.Errorf("%d tokens of %d are free, and %d wait", e.tokens.free, n, len(e.tokens.woken)+len(e.tokens.paused))
	}
}

// Short runs get their turn soon, however many others compute.
func TestShortRunsGetTheirTurn(t *testing.T) {
	e := newEngine(t, Config{})
	spin, short := compile(t, e, guest.Spin()), compile(t, e, guest.Greet("hi"))
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range 8 * runtime.GOMAXPROCS(0) {
		wg.Go(func() { spin.Run(ctx, Run{}) })
	}
	var took []time.Duration
	for range 50 {
		begun := time.Now()
		expect(t, short.Run(context.Background(), Run{}), OK, "", "")
		took = append(took, time.Since(begun))
	}
	cancel()
	wg.Wait()
	slices.Sort(took)
	t.Logf("median %v, worst %v", took[25], took[49])
	if took[25] > slack {
		t.Errorf("the median is %v", took[25])
	}
}
