//go:build !unix

package main

import (
	"os"
	"syscall"
)

// endingSignals ask the program to end. On Windows the second one stands for closing the console, logging off and shutting down.
func endingSignals() []os.Signal { return []os.Signal{os.Interrupt, syscall.SIGTERM} }

// reloadSignals is empty: there is none on this platform, and files are followed anyway.
func reloadSignals() []os.Signal { return nil }
