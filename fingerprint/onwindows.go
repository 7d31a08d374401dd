package fingerprint

import (
	"fmt"
	"strconv"
)

// windowsPID is what Windows answered about one pid: OpenProcess, WaitForSingleObject with no wait, GetProcessTimes.
type windowsPID struct {
	open    uint32 // error code of OpenProcess; 0 is success
	wait    uint32 // event of WaitForSingleObject
	times   error
	created uint64 // 100 ns since 1601
}

func (r windowsPID) process() Process {
	const (
		errAccessDenied     = 5
		errInvalidParameter = 87 // OpenProcess: no such pid

		signalled = 0   // WAIT_OBJECT_0: the process has exited
		timedOut  = 258 // WAIT_TIMEOUT: it has not
	)
	switch {
	case r.open == errInvalidParameter:
		return Process{State: Absent}
	case r.open == errAccessDenied:
		return Process{Why: "a process has the pid and access to it is denied: run as the same user or as administrator"}
	case r.open != 0:
		return Process{Why: fmt.Sprintf("OpenProcess: error %d", r.open)}
	case r.wait == signalled:
		// Anyone's open handle keeps the pid of an exited process in use.
		return Process{State: Ended}
	case r.wait != timedOut:
		return Process{Why: fmt.Sprintf("WaitForSingleObject: event %d", r.wait)}
	case r.times != nil:
		return Process{State: Running, Why: fmt.Sprintf("GetProcessTimes: %v", r.times)}
	}
	return Process{State: Running, Start: strconv.FormatUint(r.created, 10)}
}
