//go:build unix && !linux

package main

import "syscall"

// childAttributes keep the terminal's signals from the child, which gets them from its parent.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
