package fingerprint

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// Here reads the installation's MachineGuid. Windows names no boot.
func (local) Here() (Place, error) {
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, `SOFTWARE\Microsoft\Cryptography`, registry.QUERY_VALUE|registry.WOW64_64KEY)
	if err != nil {
		return Place{}, fmt.Errorf("open registry key of MachineGuid: %w", err)
	}
	defer key.Close()
	guid, _, err := key.GetStringValue("MachineGuid")
	if err != nil {
		return Place{}, fmt.Errorf("read MachineGuid: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		return Place{}, fmt.Errorf("read host name: %w", err)
	}
	return Place{Platform: "windows", Machine: machineKey(guid), Host: host}, nil
}

// Process keeps one handle open over all questions, so that they are about one process.
func (local) Process(pid int) Process {
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION|windows.SYNCHRONIZE, false, uint32(pid))
	if err != nil {
		return windowsPID{open: code(err)}.process()
	}
	defer windows.CloseHandle(h)
	var r windowsPID
	var created, exited, kernel, user windows.Filetime
	if r.times = windows.GetProcessTimes(h, &created, &exited, &kernel, &user); r.times == nil {
		r.created = uint64(created.HighDateTime)<<32 | uint64(created.LowDateTime)
	}
	// With an error the event is WAIT_FAILED, which concludes nothing.
	r.wait, _ = windows.WaitForSingleObject(h, 0)
	return r.process()
}

// code is the number of a Windows error, never 0.
func code(err error) uint32 {
	var errno syscall.Errno
	if errors.As(err, &errno) && errno != 0 {
		return uint32(errno)
	}
	return ^uint32(0)
}
