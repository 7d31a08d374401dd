//go:build unix

package main

import (
	"os"
	"syscall"
)

// endingSignals ask the program to end.
func endingSignals() []os.Signal { return []os.Signal{os.Interrupt, syscall.SIGTERM} }

// reloadSignals ask a host to read its files again.
func reloadSignals() []os.Signal { return []os.Signal{syscall.SIGHUP} }
