//go:build (linux || darwin) && (amd64 || arm64)

package sandbox

import "syscall"

// reserve takes a range of addresses without any memory behind it. It returns nil if the system has none to give.
func reserve(size int64) []byte {
	b, err := syscall.Mmap(-1, 0, int(size), syscall.PROT_NONE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		return nil
	}
	return b
}

// back makes the range usable. What was not written to yet is zero and costs no memory.
func back(b []byte) error { return syscall.Mprotect(b, syscall.PROT_READ|syscall.PROT_WRITE) }

// release gives a whole reserved range back to the system.
func release(b []byte) { _ = syscall.Munmap(b) }
