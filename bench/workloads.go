package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// program is a guest of bench/guests, built anew for each measurement with the compilers of this machine.
type program struct {
	Language string
	wasm     []byte
}

// recipe says how a program is built. The paths are of the folder bench/guests.
type recipe struct {
	language string
	dir      string
	env      []string
	command  []string // the file to write is put behind "-o"
	install  string   // what to do if it cannot be built
}

const goInstall = "install Go, and see that it can fetch modules (GOPROXY)"

var (
	goEnv   = []string{"GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=", "GOWORK=off"}
	recipes = []recipe{
		{"C", "c", nil, []string{"clang", "--target=wasm32-wasi", "-O2", "work.c", "-o"}, "install clang, lld, wasi-libc and libclang-rt-14-dev-wasm32"},
		{"Go", "golang", goEnv, []string{"go", "build", "-o"}, goInstall},
		{"Lua", "lua", goEnv, []string{"go", "build", "-o"}, goInstall},
	}
)

// Unavailable is the error of a measurement that needs a compiler which is not there, or does not work.
type Unavailable struct {
	What    string // what could not be built
	Install string // what to do about it
	Err     error
}

// Error says what is missing and what to install.
func (e *Unavailable) Error() string {
	return fmt.Sprintf("build %s: %v: %s", e.What, e.Err, e.Install)
}

// Unwrap gives the error of the compiler.
func (e *Unavailable) Unwrap() error { return e.Err }

// build builds the program.
func (r *recipe) build(ctx context.Context) (*program, error) {
	unavailable := func(err error) (*program, error) {
		return nil, &Unavailable{"the guest in " + r.language, r.install, err}
	}
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/wcron/wcron").Output()
	if err != nil {
		return unavailable(fmt.Errorf("find the folder of the module: %w", err))
	}
	dir, err := os.MkdirTemp("", "wcron-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "guest.wasm")
	cmd := exec.CommandContext(ctx, r.command[0], append(r.command[1:len(r.command):len(r.command)], out)...)
	cmd.Dir = filepath.Join(strings.TrimSpace(string(root)), "bench", "guests", r.dir)
	cmd.Env = append(os.Environ(), r.env...)
	if text, err := cmd.CombinedOutput(); err != nil {
		return unavailable(fmt.Errorf("%w\n%s", err, text))
	}
	wasm, err := os.ReadFile(out)
	if err != nil {
		return nil, err
	}
	return &program{Language: r.language, wasm: wasm}, nil
}
