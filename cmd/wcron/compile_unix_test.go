//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/internal/guest"
)

// compilers finds the processes that compile into a folder of this home.
func (h home) compilers() (pids []int) {
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		h.t.Fatal(err)
	}
	for _, path := range all {
		if b, err := os.ReadFile(path); err == nil && strings.Contains(string(b), compileWorker+"\x00"+h.dir) {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			if err != nil {
				h.t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}

// A module that takes long to compile shows as that; the other jobs come and run meanwhile. When its time is up it is refused with
// the key to raise, and nothing of it is left. A host that ends does not wait for it.
func TestModuleThatIsSlowToCompile(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("processes are counted as on Linux")
	}
	h := newHome(t, "compile_timeout = \"10m\"\ncompile_memory = \"8GiB\"\n")
	h.drop("bomb", guest.SlowToCompile(40_000), "")
	p := h.serve()
	h.await("a process that compiles", func() bool { return len(h.compilers()) == 1 })
	h.drop("late", guest.Hello(), "schedule = \"@every 1s\"\n")
	s := h.store()
	h.awaitRun(s, "late", "that went well", ended(claims.OK))
	compiling := regexp.MustCompile(`(?m)^bomb +compiling `)
	if out, code := h.wcron("list", "-c", h.file()); code != 0 || !compiling.MatchString(out) {
		t.Errorf("list: %d\n%s", code, out)
	}
	if out, code := h.wcron("list", "--json", "-c", h.file()); code != 0 || !strings.Contains(out, `"state":"compiling"`) {
		t.Errorf("list --json: %d\n%s", code, out)
	}
	if n := len(h.compilers()); n != 1 {
		t.Errorf("%d processes compile", n)
	}
	p.stop()
	h.await("the end of the process that compiles", func() bool { return len(h.compilers()) == 0 })

	h.configure("compile_timeout = \"300ms\"\n")
	p = h.serve()
	h.await("the refusal", func() bool {
		out, _ := h.wcron("list", "-c", h.file())
		return regexp.MustCompile(`(?m)^bomb +broken .*raise compile_timeout`).MatchString(out)
	})
	p.stop()
	if out, code := h.wcron("run", "-c", h.file(), "bomb"); code != exitBad || !strings.Contains(out, "longer than the limit of 300ms") {
		t.Errorf("run without a host: %d\n%s", code, out)
	}
	if left, err := filepath.Glob(h.path("state", "cache", "build-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
	h.audit(s)
}

// What the configuration says of modules holds wherever it is read: in check, for modules in and outside of the plugin folder, and
// in exec.
func TestLimitsOfTheConfiguration(t *testing.T) {
	h := newHome(t, "[limits]\nlocals = 999\n")
	h.drop("bomb", guest.SlowToCompile(10), "")
	other := h.path("other.wasm")
	h.replace(other, guest.SlowToCompile(10))
	inside := h.path("plugins", "bomb.wasm")
	const refused = "function 0: 1000 locals and more are above the limit of 999; raise limits.locals"
	for _, args := range [][]string{{"check"}, {"check", inside}, {"check", other}, {"exec", other}} {
		out, code := h.wcron(append(args, "-c", h.file())...)
		if code == 0 || !strings.Contains(out, refused) {
			t.Errorf("%q: %d\n%s", args, code, out)
		}
	}
	for _, text := range []string{"", "[limits]\nlocals = 1000\nnesting = 1\n"} {
		h.configure(text)
		for _, args := range [][]string{{"check"}, {"check", other}, {"exec", other}} {
			if out, code := h.wcron(append(args, "-c", h.file())...); code != 0 {
				t.Errorf("%q: %q: %d\n%s", text, args, code, out)
			}
		}
	}
	h.replace(other, guest.SlowToCompile(40_000))
	for key, value := range map[string]string{"compile_timeout": "100ms", "compile_memory": "16MiB"} {
		h.configure(fmt.Sprintf("%s = %q\n", key, value))
		if out, code := h.wcron("exec", other, "-c", h.file()); code != exitUsage || !strings.Contains(out, "raise "+key) {
			t.Errorf("exec with %s = %s: %d\n%s", key, value, code, out)
		}
	}
}

// The command that compiles is not for people: it stands in no help, and does nothing when it is called by hand.
func TestCompileCommandIsHidden(t *testing.T) {
	h := newHome(t, "")
	if out, _ := h.wcron("--help"); strings.Contains(out, compileWorker) {
		t.Errorf("it is in the help:\n%s", out)
	}
	if out, code := h.wcron(compileWorker); code != exitBad || !strings.Contains(out, "it is for an engine to start") {
		t.Errorf("by hand: %d, %s", code, out)
	}
}

// A compiler that somebody kills is no fault of the module or of the command line, and leaves nothing behind.
func TestKilledCompiler(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("processes are found as on Linux")
	}
	h := newHome(t, "")
	temp := h.path("temp")
	if err := os.Mkdir(temp, 0o700); err != nil {
		t.Fatal(err)
	}
	h.replace(h.path("bomb.wasm"), guest.SlowToCompile(40_000))
	cmd := exec.Command("wcron", "exec", h.path("bomb.wasm"))
	cmd.Env = append(os.Environ(), "TMPDIR="+temp)
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	h.await("a process that compiles", func() bool {
		begun, err := filepath.Glob(filepath.Join(temp, "*", "build-*", "verdict"))
		return err == nil && len(begun) > 0 && len(h.compilers()) == 1
	})
	if err := syscall.Kill(h.compilers()[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitUnreachable || !strings.Contains(said.String(), "it was ended from outside (signal: killed)") {
		t.Errorf("%d: %s", code, &said)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
