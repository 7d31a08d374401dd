//go:build unix

package sandbox

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
)

// limitProcess bounds what this process may take from now on. The process looks at its heap itself, so these limits are
// for what is too quick for that, and for a process that nobody ends.
func limitProcess(memory int64, cpu time.Duration) error {
	if runtime.GOOS == "linux" {
		// Where the machine runs out of memory all the same, this process is the one to go.
		_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0)
	}
	// The runtime maps its heap in pieces of 64 MiB, and each thread has some memory of its own.
	const slack = 256 << 20
	if err := setLimit(syscall.RLIMIT_DATA, "data", uint64(dataSize()+memory+slack)); err != nil {
		return err
	}
	seconds := int64(cpu/time.Second) * int64(min(2, runtime.GOMAXPROCS(0)))
	if err := setLimit(syscall.RLIMIT_CPU, "processor time", uint64(seconds)); err != nil {
		return err
	}
	return setLimit(syscall.RLIMIT_CORE, "core", 0)
}

// setLimit lowers a limit for good; one that is lower already stays.
func setLimit(resource int, name string, n uint64) error {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(resource, &l); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	lower(&l.Max, n)
	lower(&l.Cur, n)
	if err := syscall.Setrlimit(resource, &l); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// lower is generic because the fields of a limit are signed on some systems, on which no limit is the largest number.
func lower[T int64 | uint64](limit *T, n uint64) {
	if uint64(*limit) > n {
		*limit = T(n)
	}
}
