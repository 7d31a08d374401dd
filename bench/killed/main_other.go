//go:build !unix

// Command killed measures a host process that is killed; it needs SIGKILL, and is not supported on this platform.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "killed: not supported on this platform: it needs SIGKILL")
	os.Exit(2)
}
