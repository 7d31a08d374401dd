package fingerprint

import (
	"encoding/hex"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Here reads the boot session, which, unlike kern.boottime, no clock correction changes.
func (local) Here() (Place, error) {
	boot, err := unix.Sysctl("kern.bootsessionuuid")
	if err != nil {
		return Place{}, fmt.Errorf("read kern.bootsessionuuid: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		return Place{}, fmt.Errorf("read host name: %w", err)
	}
	return Place{Platform: "darwin", Machine: machineKey(hostUUID()), Host: host, Boot: boot}, nil
}

// hostUUID is gethostuuid(2) with a wait of at most a second; "" if the system does not tell.
func hostUUID() string {
	var id [16]byte
	wait := unix.Timespec{Sec: 1}
	_, _, errno := unix.Syscall(unix.SYS_GETHOSTUUID, uintptr(unsafe.Pointer(&id)), uintptr(unsafe.Pointer(&wait)), 0)
	if errno != 0 {
		return ""
	}
	return hex.EncodeToString(id[:])
}

// Process asks kern.proc.pid, which answers for the processes of all users.
func (local) Process(pid int) Process {
	var r darwinPID
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil {
		r.sysctl, r.kill = err, unix.Kill(pid, 0)
		return r.process(pid)
	}
	r.pid, r.stat = info.Proc.P_pid, info.Proc.P_stat
	r.sec, r.usec = info.Proc.P_starttime.Sec, info.Proc.P_starttime.Usec
	return r.process(pid)
}
