package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/wcron/wcron/internal/guest"
)

// asWorker is the argument with which the test binary is a compile worker.
const asWorker = "__compile"

// TestMain makes the test binary the worker of its own tests. Behind further words it is one that misbehaves.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == asWorker {
		os.Exit(beWorker(os.Args[2:]))
	}
	os.Exit(m.Run())
}

func beWorker(args []string) int {
	switch args[0] {
	case "mute": // a program that does not know what it was started for
		fmt.Fprintln(os.Stderr, "usage: something else")
		return 2
	case "recursive": // a program that goes on as itself
		_, err := New(context.Background(), Config{Compiler: testCompiler()})
		fmt.Fprintln(os.Stderr, err)
		return 1
	case "slow": // one that has begun and takes its time, whatever the module
		if begin(args[1]) != nil {
			return 1
		}
		time.Sleep(time.Hour)
	case "crash":
		if begin(args[1]) != nil {
			return 1
		}
		panic("no such register")
	case "parent": // one that has a slow worker itself
		_ = os.Unsetenv(workerEnv)
		e, err := New(context.Background(), Config{CacheDir: args[1], Compiler: testCompiler("slow")})
		if err == nil {
			_, err = e.Compile(context.Background(), guest.Hello())
		}
		fmt.Fprintln(os.Stderr, err)
		return 1
	case "foreign": // one of another version
		dir := args[1] + "/wazero-v0.0.0-x"
		if os.Mkdir(dir, 0o700) != nil || os.WriteFile(dir+"/code", []byte("x"), 0o600) != nil {
			return 1
		}
		args = args[1:]
	}
	if err := CompileWorker(context.Background(), os.Stdin, args); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// begin does what a worker does first, and leaves its pid for the test.
func begin(build string) error {
	return errors.Join(replace(filepath.Join(build, "pid"), strconv.Itoa(os.Getpid())), writeVerdict(build, verdictBegun, ""))
}

// testCompiler is the test binary as a worker.
func testCompiler(words ...string) []string {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return append([]string{self, asWorker}, words...)
}
