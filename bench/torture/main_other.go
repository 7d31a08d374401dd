//go:build !linux

// Command torture measures host processes that are killed; it needs the boot clock, and is not supported on this platform.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "torture: not supported on this platform: it needs the boot clock of Linux")
	os.Exit(2)
}
