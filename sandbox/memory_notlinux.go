//go:build !linux

package sandbox

func large([]byte) {}
