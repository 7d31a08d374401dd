//go:build !linux

package sqlitestore

// holder names the process that holds the lock of a file. Only Linux tells.
func holder(string) string { return "" }
