package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/wcron/wcron/fingerprint"
)

type doctorCmd struct {
	SelfIdentity bool `help:"Show by which evidence this machine tells one process from another, and whether that works. It does so without the flag, too."`
}

// Help implements kong.HelpProvider.
func (*doctorCmd) Help() string {
	return "Prints the evidence that a host would record of itself, and the verdict on it; then the same of a child process, while it runs and " +
		"when it is gone. Other hosts decide by these verdicts whether an owner is dead.\n\n" +
		"Exit codes: 0 all of them are right, 1 one is wrong, 2 usage, 3 this machine tells too little of its processes."
}

// identity is one process and what is said of it.
type identity struct {
	Subject  string               `json:"subject"`
	Evidence fingerprint.Evidence `json:"evidence"`
	Verdict  fingerprint.Verdict  `json:"verdict"`
	Want     fingerprint.Verdict  `json:"want"`
	Reason   string               `json:"reason"`
}

// linger is the argument with which this program waits for the end of its stdin: the child of doctor.
const linger = "__linger"

// Run examines this process and a child of it.
func (c *doctorCmd) Run(ctx context.Context, a *app) error {
	self, err := fingerprint.Self()
	if err != nil {
		return unreachable(err)
	}
	bad := false
	show := func(subject string, e fingerprint.Evidence, want fingerprint.Verdict) error {
		verdict, why := fingerprint.JudgeLocal(e)
		bad = bad || verdict != want
		if a.json {
			return a.emit(identity{subject, e, verdict, want, why})
		}
		mark := a.paint(green, "right")
		if verdict != want {
			mark = a.paint(red, "wrong, want "+string(want))
		}
		_, err := fmt.Fprintf(a.stdout, "%s\n  evidence  %s\n  verdict   %s (%s): %s\n", subject, e.Encode(), verdict, mark, why)
		return err
	}
	if err := show("this process", self, fingerprint.Alive); err != nil {
		return err
	}
	if err := child(ctx, show); err != nil {
		return unreachable(err)
	}
	if bad {
		return exitError{exitBad, nil}
	}
	return nil
}

// child shows a process as it lives, ends and is gone.
func child(ctx context.Context, show func(string, fingerprint.Evidence, fingerprint.Verdict) error) (err error) {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, self, linger)
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start a child process: %w", err)
	}
	waited := false
	defer func() {
		if !waited {
			_ = in.Close()
			err = errors.Join(err, cmd.Wait())
		}
	}()
	e, err := fingerprint.Of(cmd.Process.Pid)
	if err != nil {
		return err
	}
	if err := show("a child process", e, fingerprint.Alive); err != nil {
		return err
	}
	_ = in.Close() // it ends
	if _, err := io.Copy(io.Discard, out); err != nil {
		return err
	}
	waited = true
	if err := cmd.Wait(); err != nil {
		return err
	}
	return show("the child process after its end", e, fingerprint.Dead)
}

// lingering is the child.
func lingering(a *app) int {
	if _, err := io.Copy(io.Discard, a.stdin); err != nil {
		return exitBad
	}
	return 0
}
