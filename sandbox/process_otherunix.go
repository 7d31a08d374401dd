//go:build unix && !linux

package sandbox

import "syscall"

// workerAttributes keep the keys that a terminal sends to this process from a worker, which sees by the end of its stdin
// that this process is gone.
func workerAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// dataSize is what the process has mapped for data so far, which is not known here; a fresh process has little.
func dataSize() int64 { return 0 }
