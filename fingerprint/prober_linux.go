package fingerprint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// initialPIDNamespace is the inode that the kernel gives the pid namespace of the machine itself (PROC_PID_INIT_INO).
const initialPIDNamespace = 0xEFFFFFFC

// Here reads the boot id and the namespaces from /proc.
func (local) Here() (Place, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return Place{}, fmt.Errorf("read boot id: %w", err)
	}
	pidNS, err := namespaceInode("/proc/self/ns/pid")
	if err != nil {
		return Place{}, err
	}
	timeNS, err := namespaceInode("/proc/self/ns/time")
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // before Linux 5.6 there is none
		return Place{}, err
	}
	host, err := os.Hostname()
	if err != nil {
		return Place{}, fmt.Errorf("read host name: %w", err)
	}
	place := Place{
		Platform:      "linux",
		Host:          host,
		Boot:          strings.TrimSpace(string(boot)),
		PIDNamespace:  pidNS,
		TimeNamespace: timeNS,
	}
	// In a container the file is the image's: many machines may hold the same.
	if pidNS == initialPIDNamespace {
		if id, err := os.ReadFile("/etc/machine-id"); err == nil {
			place.Machine = machineKey(string(id))
		}
	}
	return place, nil
}

// namespaceInode reads a link such as "pid:[4026531836]".
func namespaceInode(link string) (uint64, error) {
	target, err := os.Readlink(link)
	if err != nil {
		return 0, fmt.Errorf("read namespace: %w", err)
	}
	_, rest, _ := strings.Cut(target, ":[")
	inode, err := strconv.ParseUint(strings.TrimSuffix(rest, "]"), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read namespace %s: target %.60q: %w", link, target, err)
	}
	return inode, nil
}

// Process asks in the order that linuxPID explains.
func (local) Process(pid int) Process {
	fd, err := unix.PidfdOpen(pid, 0)
	switch {
	case err == nil:
		defer func() { _ = unix.Close(fd) }()
		return withPidfd(pid, fd).process(pid)
	case errors.Is(err, unix.ESRCH):
		return linuxPID{open: none, pidfd: true}.process(pid)
	}
	// The kernel is older than 5.3, a seccomp filter forbids the call, descriptors ran out, or pid is a thread of
	// some process. What follows tells these apart where it matters.
	return withoutPidfd(pid).process(pid)
}

func withPidfd(pid, fd int) linuxPID {
	r := linuxPID{open: found, pidfd: true}
	r.inode = pidfsInode(fd)
	r.stat, r.statErr = readStat(pid)
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(fds, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		r.exited, r.pollErr = fds[0].Revents&unix.POLLIN != 0, err
		return r
	}
}

func withoutPidfd(pid int) linuxPID {
	var r linuxPID
	r.stat, r.statErr = readStat(pid)
	switch err := unix.Kill(pid, 0); {
	case errors.Is(err, unix.ESRCH):
		r.open = none
	case err == nil, errors.Is(err, unix.EPERM):
		r.open = found
	default:
		r.why = fmt.Sprintf("kill with signal 0: %v", err)
	}
	return r
}

// pidfsInode gives 0 before Linux 6.9, where all pidfds share one inode.
func pidfsInode(fd int) uint64 {
	var fsys unix.Statfs_t
	var st unix.Stat_t
	if unix.Fstatfs(fd, &fsys) != nil || int64(fsys.Type) != unix.PID_FS_MAGIC || unix.Fstat(fd, &st) != nil {
		return 0
	}
	return st.Ino
}

// readStat refuses a /proc that was mounted for another pid namespace, where the same number is another process.
func readStat(pid int) ([]byte, error) {
	self, err := os.Readlink("/proc/self")
	if err != nil {
		return nil, err
	}
	if self != strconv.Itoa(os.Getpid()) {
		return nil, errors.New("/proc is of another pid namespace: mount one of this namespace")
	}
	return os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
}
