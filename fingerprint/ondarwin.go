package fingerprint

import (
	"errors"
	"fmt"
	"syscall"
)

// darwinPID is what macOS answered about one pid: sysctl kern.proc.pid, and kill with signal 0 if that found nothing.
type darwinPID struct {
	sysctl error // EIO stands for an answer of no length: no such process
	kill   error // asked only after a failed sysctl
	pid    int32
	stat   int8 // P_stat
	sec    int64
	usec   int32
}

func (r darwinPID) process(pid int) Process {
	const zombie = 5 // SZOMB of sys/proc.h
	switch {
	case r.sysctl != nil && errors.Is(r.kill, syscall.ESRCH):
		return Process{State: Absent}
	case r.sysctl != nil:
		return Process{Why: fmt.Sprintf("sysctl kern.proc.pid: %v", r.sysctl)}
	case int(r.pid) != pid:
		return Process{Why: fmt.Sprintf("sysctl kern.proc.pid answered for pid %d", r.pid)}
	case r.stat == zombie:
		return Process{State: Ended}
	case r.sec <= 0 || r.usec < 0 || r.usec >= 1e6:
		return Process{State: Running, Why: "sysctl kern.proc.pid gave no start time"}
	}
	return Process{State: Running, Start: formatSeconds(r.sec, r.usec)}
}
