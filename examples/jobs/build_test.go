package jobs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wcron/wcron/examples/jobs/jobtest"
)

// example is one of the folders here.
type example struct {
	name string
	env  []string // of its build command, beyond the test's own
}

// plugin builds the example with the command of its README, and returns a plugin folder with the module and its sidecar.
func (e example) plugin(t *testing.T) string {
	t.Helper()
	work, folder := e.copied(t), filepath.Join(t.TempDir(), "plugins")
	command := e.block(t, "```sh\n")
	build := exec.Command("sh", "-c", command)
	build.Dir = work
	build.Env = append(os.Environ(), e.env...)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.TrimSpace(command), err, out)
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{e.name + ".wasm", e.name + ".toml"} {
		if err := os.Rename(filepath.Join(work, file), filepath.Join(folder, file)); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// block is the first block of the README that begins like that.
func (e example) block(t *testing.T, begin string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(e.name, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "\n\n"+begin)
	block, _, closed := strings.Cut(rest, "```")
	if !ok || !closed {
		t.Fatalf("%s/README.md has no block %q", e.name, begin)
	}
	return block
}

// shell skips the test where there is no shell to build with.
func shell(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("sh"); err != nil {
		jobtest.Missing(t, "the build commands need a POSIX shell: install one, and put sh on the path")
	}
}

// withGo is an example in Go.
func withGo(t *testing.T, name string) example {
	t.Helper()
	shell(t)
	if _, err := exec.LookPath("go"); err != nil {
		jobtest.Missing(t, "this job needs Go: install it from https://go.dev/dl, and put go on the path")
	}
	return example{name: name, env: []string{"GOFLAGS=", "GOWORK=off"}}
}

// withClang is an example in C.
func withClang(t *testing.T, name string) example {
	t.Helper()
	shell(t)
	if !compiles(t, "probe.c", "int main(void) { return 0; }\n", "clang", "--target=wasm32-wasi") {
		jobtest.Missing(t, "this job needs a C compiler for WASI: apt-get install clang lld wasi-libc libclang-rt-14-dev-wasm32")
	}
	return example{name: name}
}

// withRust is an example in Rust. The compiler need not be the first one on the path.
func withRust(t *testing.T, name string) example {
	t.Helper()
	shell(t)
	for _, rustc := range []string{"rustc", "/usr/bin/rustc"} {
		for _, target := range []string{"wasm32-wasi", "wasm32-wasip1"} {
			if !compiles(t, "probe.rs", "fn main() {}\n", rustc, "--target", target) {
				continue
			}
			env := []string{"WASI=" + target}
			if filepath.IsAbs(rustc) {
				env = append(env, "PATH="+filepath.Dir(rustc)+string(filepath.ListSeparator)+os.Getenv("PATH"))
			}
			return example{name: name, env: env}
		}
	}
	jobtest.Missing(t, "this job needs a Rust compiler for WASI: apt-get install rustc libstd-rust-dev-wasm32")
	return example{}
}

// compiles reports whether a compiler makes a module of a file with this text.
func compiles(t *testing.T, file, text string, command ...string) bool {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	probe := exec.Command(command[0], append(command[1:], "-o", "probe.wasm", file)...)
	probe.Dir = dir
	return probe.Run() == nil
}
