//go:build unix

package main

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// together has a command end with all that it has started: a script is often the parent of what hangs.
func together(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); !errors.Is(err, syscall.ESRCH) {
			return err
		}
		return os.ErrProcessDone
	}
}
