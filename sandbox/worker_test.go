package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wcron/wcron/internal/guest"
	"github.com/wcron/wcron/internal/guest/asm"
	"github.com/wcron/wcron/sandbox/meter"
)

// noLeftovers fails if a worker has left something in the cache.
func noLeftovers(t *testing.T, dir string) {
	t.Helper()
	for _, pattern := range []string{buildPrefix + "*", "*/*" + tempSuffix} {
		if left, err := filepath.Glob(filepath.Join(dir, pattern)); err != nil || len(left) > 0 {
			t.Errorf("left behind: %q, %v", left, err)
		}
	}
}

// gone fails unless a process ends soon.
func gone(t *testing.T, pid int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		// A zombie is gone as well: whoever inherited it has not looked yet.
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		p, err := os.FindProcess(pid)
		if err != nil || bytes.Contains(stat, []byte(") Z ")) || p.Signal(syscall.Signal(0)) != nil {
			return
		}
	}
	t.Errorf("process %d is still there", pid)
}

// workerPid waits for the worker that compiles into a cache.
func workerPid(t *testing.T, dir string) int {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		found, err := filepath.Glob(filepath.Join(dir, buildPrefix+"*", "pid"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range found {
			if b, err := os.ReadFile(path); err == nil {
				pid, err := strconv.Atoi(string(b))
				if err != nil {
					t.Fatal(err)
				}
				return pid
			}
		}
	}
	t.Fatal("no worker has begun")
	return 0
}

// What a worker compiled is found by this engine and by the next one, which starts no worker.
func TestWorkerFillsTheCache(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	entry := needCompiler(t, filepath.Join(t.TempDir(), "cache"))
	hello := guest.Greet("hi")
	e := newEngine(t, Config{CacheDir: dir, Compiler: testCompiler()})
	expect(t, compile(t, e, hello).Run(context.Background(), Run{}), OK, "", "")
	entries := cachedByWorker(t, dir)
	if len(entries) != 1 || filepath.Base(entries[0]) != filepath.Base(entry) {
		t.Fatalf("the cache holds %q; in this process it was %q", entries, entry)
	}
	nobody := Config{CacheDir: dir, Compiler: []string{filepath.Join(dir, "no such program")}}
	expect(t, compile(t, newEngine(t, nobody), hello).Run(context.Background(), Run{}), OK, "", "")
	noLeftovers(t, dir)

	for name, harm := range map[string]func(){
		"damaged":         func() { change(t, entries[0], func(b []byte) []byte { b[len(b)/2] ^= 1; return b }) },
		"gone":            func() { remove(t, entries[0]) },
		"without a seal":  func() { remove(t, entries[0]+sealSuffix) },
		"a folder":        func() { remove(t, entries[0]); mkdir(t, entries[0]) },
		"without a link":  func() { remove(t, linkIn(t, dir)) },
		"a link outwards": func() { change(t, linkIn(t, dir), func([]byte) []byte { return []byte("../../../etc/passwd") }) },
		"all gone":        func() { remove(t, dir) },
	} {
		t.Run(name, func(t *testing.T) {
			open := newEngine(t, Config{CacheDir: dir, Compiler: nobody.Compiler})
			harm()
			if _, err := open.Compile(context.Background(), hello); err == nil || !strings.Contains(err.Error(), "cannot be started") {
				t.Errorf("a worker was not asked: %v", err)
			}
			expect(t, compile(t, newEngine(t, Config{CacheDir: dir, Compiler: testCompiler()}), hello).Run(context.Background(), Run{}), OK, "", "")
			if list := cachedByWorker(t, dir); len(list) != 1 {
				t.Errorf("the cache holds %q", list)
			}
			noLeftovers(t, dir)
		})
	}
}

// cachedByWorker is cached without the links.
func cachedByWorker(t *testing.T, dir string) []string {
	t.Helper()
	remove := func(path string) bool { return strings.HasSuffix(path, linkSuffix) }
	all, err := filepath.Glob(filepath.Join(dir, versionPrefix+"*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, path := range all {
		if remove(path) || strings.HasSuffix(path, sealSuffix) {
			continue
		}
		if !intact(path) {
			t.Errorf("%s does not match its seal", path)
		}
		list = append(list, path)
	}
	return list
}

func linkIn(t *testing.T, dir string) string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, versionPrefix+"*", "*"+linkSuffix))
	if err != nil || len(all) != 1 {
		t.Fatalf("links: %q, %v", all, err)
	}
	return all[0]
}

func TestTemporaryCacheGoesWithTheEngine(t *testing.T) {
	e, err := New(context.Background(), Config{Compiler: testCompiler()})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, compile(t, e, guest.Greet("hi")).Run(context.Background(), Run{}), OK, "", "")
	dir := e.cache.dir
	if _, err := os.Stat(dir); err != nil {
		t.Error(err)
	}
	if err := e.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", dir, err)
	}
}

// invalid has an instruction with operands of the wrong types, which only the compiler sees.
func invalid() []byte {
	var m asm.Module
	m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil, asm.I32(1), asm.I64(1), asm.Add, asm.Drop))
	return m.Bytes()
}

// Whose fault it is, and what to do about it, is told apart.
func TestWorkerVerdicts(t *testing.T) {
	for _, test := range []struct {
		name   string
		cfg    Config
		wasm   []byte
		module bool // the module is at fault
		want   string
	}{
		{"invalid", Config{Compiler: testCompiler()}, invalid(), true, "it does not compile: "},
		{"over time", Config{Compiler: testCompiler("slow"), CompileTimeout: 50 * time.Millisecond}, guest.Hello(), true,
			"longer than the limit of 50ms; raise compile_timeout"},
		{"over memory", Config{Compiler: testCompiler(), CompileMemory: 16 << 20}, bombs()["many ifs over many locals"], true,
			"more memory than the limit of 16 MiB; raise compile_memory"},
		{"too much code", Config{Compiler: testCompiler(), CompileMemory: 4 << 10}, guest.Hello(), true, "compile_memory"},
		{"a crash", Config{Compiler: testCompiler("crash")}, guest.Hello(), true, "the compiler crashed on it (panic: no such register"},
		{"no such program", Config{Compiler: []string{"/no/such/program"}}, guest.Hello(), false, "/no/such/program: it cannot be started"},
		{"another program", Config{Compiler: testCompiler("mute")}, guest.Hello(), false, `whose main calls sandbox.CompileWorker when it is started so; it said "usage: something else"`},
		{"a program that goes on as itself", Config{Compiler: testCompiler("recursive")}, guest.Hello(), false, "its main must call CompileWorker"},
		{"another version", Config{Compiler: testCompiler("foreign")}, guest.Hello(), false, "start this program again"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.cfg.CacheDir = filepath.Join(t.TempDir(), "cache")
			_, err := newEngine(t, test.cfg).Compile(context.Background(), test.wasm)
			var me *ModuleError
			if err == nil || errors.As(err, &me) != test.module || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q, the module's fault: %v", err, test.want, test.module)
			}
			noLeftovers(t, test.cfg.CacheDir)
		})
	}
}

func TestWorkerHonoursTheContext(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	e := newEngine(t, Config{CacheDir: dir, Compiler: testCompiler("slow")})
	ctx, cancel := context.WithCancelCause(context.Background())
	ended := make(chan error)
	go func() {
		_, err := e.Compile(ctx, guest.Hello())
		ended <- err
	}()
	pid := workerPid(t, dir)
	cancel(ErrShutdown)
	if err := <-ended; !errors.Is(err, ErrShutdown) {
		t.Errorf("got %v", err)
	}
	gone(t, pid)
	noLeftovers(t, dir)
}

// Somebody kills the worker: that is not the module's fault, and the next attempt goes as if nothing had been.
func TestKilledWorker(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	e := newEngine(t, Config{CacheDir: dir, Compiler: testCompiler("slow")})
	ended := make(chan error)
	go func() {
		_, err := e.Compile(context.Background(), guest.Hello())
		ended <- err
	}()
	pid := workerPid(t, dir)
	p, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	err = <-ended
	var me *ModuleError
	if err == nil || errors.As(err, &me) || !strings.Contains(err.Error(), "ended from outside") {
		t.Errorf("got %v", err)
	}
	gone(t, pid)
	noLeftovers(t, dir)
	expect(t, compile(t, newEngine(t, Config{CacheDir: dir, Compiler: testCompiler()}), guest.Greet("hi")).Run(context.Background(), Run{}), OK, "", "")
}

// A worker ends with the process that it compiles for, even if that is killed and the worker looks at nothing.
func TestWorkerDiesWithItsParent(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux ends a process with its parent")
	}
	dir := filepath.Join(t.TempDir(), "cache")
	command := testCompiler("parent", dir)
	parent := exec.Command(command[0], command[1:]...)
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	pid := workerPid(t, dir)
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	gone(t, pid)
	// What it left is deleted once it is old enough that nobody can be at work on it.
	builds, err := filepath.Glob(filepath.Join(dir, buildPrefix+"*"))
	if err != nil || len(builds) != 1 {
		t.Fatalf("left behind: %q, %v", builds, err)
	}
	newEngine(t, Config{CacheDir: dir})
	if _, err := os.Stat(builds[0]); err != nil {
		t.Errorf("it was deleted too early: %v", err)
	}
	old := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(builds[0], old, old); err != nil {
		t.Fatal(err)
	}
	newEngine(t, Config{CacheDir: dir})
	noLeftovers(t, dir)
}

// Elsewhere, and if the parent is stopped for good, the end of stdin tells a worker that nobody waits for it.
func TestWorkerEndsWithItsInput(t *testing.T) {
	metered, _, err := meter.Meter(bombs()["many ifs over many locals"], meter.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, input := range map[string][]byte{"whole": metered, "cut off": metered[:100]} {
		t.Run(name, func(t *testing.T) {
			build := filepath.Join(t.TempDir(), "build")
			mkdir(t, build)
			command := testCompiler(build, strconv.Itoa(len(metered)), strconv.Itoa(4<<30), "600")
			worker := exec.Command(command[0], command[1:]...)
			worker.Stdin = bytes.NewReader(input)
			begun := time.Now()
			out, err := worker.CombinedOutput()
			if err == nil || !strings.Contains(string(out), errParentGone.Error()) {
				t.Errorf("got %v, %s", err, out)
			}
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// A program that is started with arguments that are not an engine's says what they are for, and changes nothing.
func TestWorkerArguments(t *testing.T) {
	dir := t.TempDir()
	for _, args := range [][]string{nil, {dir}, {dir, "1", "1", "x"}, {dir, "0", "1", "1"}, {dir, "1", "-1", "1"}, {dir + "/no", "1", "1", "1"}} {
		if err := CompileWorker(context.Background(), nil, args); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) > 0 {
		t.Errorf("there is %v, %v", list, err)
	}
}
