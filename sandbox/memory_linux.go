package sandbox

import "syscall"

const adviseHuge = 14 // MADV_HUGEPAGE

// large tells the system that the range will be used as a whole, so that it backs it with large pages. What it makes of that
// is its own affair.
func large(b []byte) { _ = syscall.Madvise(b, adviseHuge) }
