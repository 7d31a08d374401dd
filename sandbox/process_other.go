//go:build !unix && !windows

package sandbox

import (
	"syscall"
	"time"
)

func workerAttributes() *syscall.SysProcAttr { return nil }

// limitProcess does nothing: a worker looks at its heap itself, and its parent at the time.
func limitProcess(int64, time.Duration) error { return nil }
