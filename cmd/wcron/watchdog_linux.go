package main

import "syscall"

// childAttributes keep the terminal's signals from the child, which gets them from its parent, and tell it to end when that is gone.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
