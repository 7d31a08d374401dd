//go:build !linux || !(amd64 || arm64)

package sandbox

// Elsewhere memories lie in the heap: what reserving them gains was measured on Linux only, and address space is
// scarce on 32 bits.

func reserve(int64) []byte { return nil }

func discard([]byte) bool { return false }

func unreserve([]byte) {}
