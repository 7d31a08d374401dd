package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// tried is an app whose output a test reads.
func tried(t *testing.T, args ...string) (stdout string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	a := &app{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, now: time.Now, getenv: os.Getenv}
	code = run(t.Context(), args, a)
	if errs.Len() > 0 {
		t.Logf("wcron %s: %s", strings.Join(args, " "), errs.String())
	}
	return out.String(), code
}

// needTool skips a test for want of a program, unless this is where all of them must be.
func needTool(t *testing.T, ok bool, install string) {
	t.Helper()
	if ok {
		return
	}
	if os.Getenv("WCRON_CI") == "1" {
		t.Fatal(install)
	}
	t.Skip(install)
}

// needProgram skips a test for want of a program of a package of the system's, unless all must be there.
func needProgram(t *testing.T, name, from string) {
	t.Helper()
	_, err := exec.LookPath(name)
	needTool(t, err == nil, "install "+name+": apt install "+from)
}

func succeeds(name string, args ...string) bool { return exec.Command(name, args...).Run() == nil }

// TestNew makes a project in each language and builds, tests, packs and tries it with the script that comes with it.
func TestNew(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ lang, says string }{
		{"go", "hello, you: this is my-job, attempt 1\n"},
		{"c", "hello, this is my-job for my-job@2026-01-01T00:00:00Z\n"},
		{"rust", "hello, this is my-job for my-job@2026-01-01T00:00:00Z\n"},
	} {
		t.Run(tt.lang, func(t *testing.T) {
			dir := t.TempDir()
			t.Chdir(dir)
			if out, code := tried(t, "new", "--lang", tt.lang, "my-job"); code != 0 || !strings.Contains(out, "build.sh") {
				t.Fatalf("exit code %d: %s", code, out)
			}
			if _, code := tried(t, "new", "--lang", tt.lang, "my-job"); code != exitBad {
				t.Errorf("made twice: exit code %d", code)
			}
			switch tt.lang {
			case "c":
				needTool(t, wasiClang(dir), "install clang, lld and wasi-libc (apt install clang lld wasi-libc libclang-rt-dev-wasm32)")
			case "rust":
				if os.Getenv("WCRON_CI") != "1" {
					t.Skip("it takes ten seconds; set WCRON_CI=1")
				}
				rustc := wasiRust(dir)
				needTool(t, rustc != "", "install a Rust compiler for WASI (apt install rustc libstd-rust-dev-wasm32, or rustup target add wasm32-wasip1)")
				t.Setenv("RUSTC", rustc)
			}
			if runtime.GOOS == "windows" {
				t.Skip("build.bat is tried by hand")
			}
			build := exec.Command("sh", filepath.Join("my-job", "build.sh"))
			link := filepath.Join(dir, "wcron") // this test binary is wcron under that name
			if err := os.Symlink(self, link); err != nil {
				t.Fatal(err)
			}
			build.Env = append(os.Environ(), "WCRON="+link)
			out, err := build.CombinedOutput()
			if err != nil || !strings.HasSuffix(string(out), tt.says) {
				t.Fatalf("build.sh: %v\n%s", err, out)
			}
			module := filepath.Join("my-job", "my-job.wasm")
			if out, code := tried(t, "inspect", module); code != 0 || !strings.Contains(out, "job my-job is active") || !strings.Contains(out, `"@every 1m"`) {
				t.Errorf("inspect: exit code %d\n%s", code, out)
			}
			if out, code := tried(t, "check", module); code != 0 {
				t.Errorf("check: exit code %d\n%s", code, out)
			}
			if tt.lang == "go" {
				return // its own test has tried a wrong event, and compiling it once more takes seconds
			}
			if out, code := tried(t, "exec", module); code == 0 {
				t.Errorf("exec without an event: exit code %d\n%s", code, out)
			}
		})
	}
}

func wasiClang(dir string) bool {
	probe := filepath.Join(dir, "probe.c")
	return os.WriteFile(probe, []byte("#include <stdio.h>\nint main(void) { return puts(\"\") < 0; }\n"), 0o600) == nil &&
		succeeds("clang", "--target=wasm32-wasi", "-o", filepath.Join(dir, "probe.wasm"), probe)
}

// wasiRust is a compiler that has a WASI target; "": there is none.
func wasiRust(dir string) string {
	probe := filepath.Join(dir, "probe.rs")
	if os.WriteFile(probe, []byte("fn main() {}\n"), 0o600) != nil {
		return ""
	}
	for _, rustc := range []string{"rustc", "/usr/bin/rustc"} {
		for _, target := range []string{"wasm32-wasip1", "wasm32-wasi"} {
			if succeeds(rustc, "--target", target, "-o", filepath.Join(dir, "probe.wasm"), probe) {
				return rustc
			}
		}
	}
	return ""
}
