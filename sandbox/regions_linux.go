//go:build linux && (amd64 || arm64)

package sandbox

import "syscall"

// reserve takes address space from the system that reads as zeros, and no memory yet. It returns nil if there is none,
// as under a limit on address space.
func reserve(size int64) []byte {
	b, err := syscall.Mmap(-1, 0, int(size), syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_PRIVATE|syscall.MAP_ANON|syscall.MAP_NORESERVE)
	if err != nil {
		return nil
	}
	// A guest of 64 KiB is not to take a page of 2 MiB; a large one is filled in half the time with them. Where there are
	// no such pages, this fails.
	_ = syscall.Madvise(b[:largeFrom], syscall.MADV_NOHUGEPAGE)
	_ = syscall.Madvise(b[largeFrom:], syscall.MADV_HUGEPAGE)
	return b
}

// discard gives memory back to the system; it reads as zeros from then on. It tells whether that went well.
func discard(b []byte) bool { return syscall.Madvise(b, syscall.MADV_DONTNEED) == nil }

func unreserve(b []byte) { _ = syscall.Munmap(b) }
