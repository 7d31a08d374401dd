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
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/wcron/wcron/sandbox/meter"
)

// workerEnv is set in the environment of a worker. A program that is named as Compiler and does not call CompileWorker
// would go on as itself, make an engine, and start itself again without end; New refuses there.
const workerEnv = "WCRON_COMPILE_WORKER"

// worker is how modules are compiled in a process of their own.
type worker struct {
	command []string
	timeout time.Duration
	memory  int64
}

// workerError is what went wrong with a worker that is not the module's fault.
type workerError struct {
	program string
	err     error
}

func (e workerError) Error() string { return fmt.Sprintf("compile worker %s: %v", e.program, e.err) }
func (e workerError) Unwrap() error { return e.err }

// newWorker fills in the defaults of what concerns compiling. It returns nil where there is no worker.
func newWorker(cfg *Config) (*worker, error) {
	if len(cfg.Compiler) == 0 {
		cfg.Compilers = max(cfg.Compilers, 1)
		return nil, nil //nolint:nilnil // there is none
	}
	if os.Getenv(workerEnv) != "" {
		return nil, fmt.Errorf("this process was started as the compile worker of another, and makes an engine with a "+
			"compile worker instead: its main must call CompileWorker when it is started as Config.Compiler says (%q)", cfg.Compiler)
	}
	if cfg.CompileTimeout <= 0 {
		cfg.CompileTimeout = DefaultCompileTimeout
	}
	if cfg.CompileMemory <= 0 {
		cfg.CompileMemory = DefaultCompileMemory
	}
	if cfg.Compilers <= 0 {
		cfg.Compilers = max(2, runtime.GOMAXPROCS(0)/2)
	}
	return &worker{command: cfg.Compiler, timeout: cfg.CompileTimeout, memory: cfg.CompileMemory}, nil
}

// fill has a metered module compiled into the cache. When it returns the process is gone, and with it whatever it left
// that is not whole.
func (w *worker) fill(ctx context.Context, c *cache, metered []byte) error {
	build, err := c.newBuild()
	if err != nil {
		return err
	}
	defer os.RemoveAll(build)
	if err := w.run(ctx, build, metered); err != nil {
		return err
	}
	if n, most := size(build), w.memory/codeShare; n > most {
		return moduleError("its machine code has %s, above a share of 1/%d of the limit of %s for compiling; raise compile_memory, "+
			"or build a smaller module", meter.FormatBytes(n), codeShare, meter.FormatBytes(w.memory))
	}
	if err := c.adopt(build, metered); err != nil {
		return w.fault(err)
	}
	return nil
}

// codeShare is the part of the memory for compiling that the result may have: what is compiled elsewhere is loaded here.
const codeShare = 4

func (w *worker) fault(err error) error { return workerError{program: w.command[0], err: err} }

// errCompileTime is the cause of a context whose CompileTimeout has passed.
var errCompileTime = errors.New("compiling took too long")

// run starts a process, waits until it is gone, and says what became of the module.
func (w *worker) run(ctx context.Context, build string, metered []byte) error {
	ctx, cancel := context.WithTimeoutCause(ctx, w.timeout, errCompileTime)
	defer cancel()
	// The process is to die with this one, and what the system watches for that is the thread which started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	args := slices.Concat(w.command[1:], []string{build, strconv.Itoa(len(metered)),
		strconv.FormatInt(w.memory, 10), strconv.FormatInt(int64(w.timeout/time.Second)+1, 10)})
	cmd := exec.CommandContext(ctx, w.command[0], args...)
	cmd.Env = append(os.Environ(), workerEnv+"=1")
	cmd.SysProcAttr = workerAttributes()
	cmd.WaitDelay = time.Second // for what the process may have started itself
	said := &head{limit: 16 << 10}
	cmd.Stderr = said
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return w.fault(err)
	}
	if err := cmd.Start(); err != nil {
		return w.fault(fmt.Errorf("it cannot be started: %w", err))
	}
	var feeding sync.WaitGroup
	feeding.Go(func() { _, _ = stdin.Write(metered) }) // and left open, so that its end tells the worker of ours
	err = cmd.Wait()
	feeding.Wait()
	return w.judge(ctx, build, err, said.String())
}

// judge says what a worker that is gone has come to.
func (w *worker) judge(ctx context.Context, build string, exit error, said string) error {
	status, text := readVerdict(build)
	switch status {
	case verdictOK:
		return nil
	case verdictModule:
		return &ModuleError{What: doesNotCompile, Err: errors.New(text)}
	case verdictMemory:
		return w.overMemory()
	}
	fatal := fatalLine(said)
	switch {
	case errors.Is(context.Cause(ctx), errCompileTime):
		return moduleError("compiling it took longer than the limit of %v; raise compile_timeout, or build a smaller module", w.timeout)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case status == verdictBegun && isOutOfMemory(said):
		return w.overMemory()
	case status == verdictBegun && fatal != "":
		return moduleError("the compiler crashed on it (%s)", fatal)
	case status == verdictBegun:
		return w.fault(fmt.Errorf("it was ended from outside (%v) while it compiled; if the machine is short of memory, "+
			"lower compile_memory so that the limit is met first%s", exit, quoteFirst(said)))
	}
	return w.fault(fmt.Errorf("it ended without having begun to compile (%v); it must be this program, whose main calls "+
		"sandbox.CompileWorker when it is started so%s", exit, quoteFirst(said)))
}

func (w *worker) overMemory() error {
	return moduleError("compiling it took more memory than the limit of %s; raise compile_memory, or build a smaller module",
		meter.FormatBytes(w.memory))
}

// head keeps the beginning of what is written to it.
type head struct {
	bytes.Buffer
	limit int
}

func (h *head) Write(b []byte) (int, error) {
	_, _ = h.Buffer.Write(b[:min(len(b), max(0, h.limit-h.Len()))])
	return len(b), nil
}

// fatalLine finds why the language's runtime ended a process.
func fatalLine(said string) string {
	for line := range strings.Lines(said) {
		for _, prefix := range []string{"fatal error: ", "runtime: out of memory", "panic: ", "SIGSEGV", "SIGBUS", "SIGILL"} {
			if strings.HasPrefix(line, prefix) {
				return strings.TrimSpace(line)
			}
		}
	}
	return ""
}

// isOutOfMemory looks for the words of the runtime and of the system for it.
func isOutOfMemory(s string) bool {
	return strings.Contains(s, "out of memory") || strings.Contains(s, "cannot allocate memory") ||
		strings.Contains(s, "newosproc") || strings.Contains(s, "cannot map pages") ||
		strings.Contains(s, "Sanitizer failed to allocate") // of a program that was built with -race
}

// quoteFirst is the first line that a worker has said, if there is one.
func quoteFirst(said string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(said), "\n")
	if first == "" {
		return ""
	}
	return fmt.Sprintf("; it said %q", first[:min(len(first), 200)])
}

// The verdict of a worker is a file in its folder: a word, and in the next line what there is to say about it.
const (
	verdictFile   = "verdict"
	verdictBegun  = "begun"  // CompileWorker was called
	verdictOK     = "ok"     // the compiled code is there
	verdictModule = "module" // the module is at fault
	verdictMemory = "memory" // the limit was met
)

func writeVerdict(build, status, text string) error {
	return replace(filepath.Join(build, verdictFile), status+"\n"+text)
}

func readVerdict(build string) (status, text string) {
	b, err := os.ReadFile(filepath.Join(build, verdictFile))
	if err != nil {
		return "", ""
	}
	status, text, _ = strings.Cut(string(b), "\n")
	return status, text
}
