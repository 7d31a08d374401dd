package fingerprint

import (
	"fmt"
	"strings"
)

// Verdict is what became of a process.
type Verdict string

const (
	// Dead: it is proved that the process no longer runs.
	Dead Verdict = "dead"
	// Alive: the very process of the record runs, or is stopped and may run again.
	Alive Verdict = "alive"
	// Unknown: nothing is proved. The caller waits for what does not depend on the process: a lock, a lease, a deadline.
	Unknown Verdict = "unknown"
)

// JudgeLocal is Judge with the prober of the machine that the program runs on. Safe for concurrent use.
func JudgeLocal(e Evidence) (Verdict, string) {
	return Judge(e, Local())
}

// Judge decides from the evidence and what the machine says. It keeps nothing and asks only p, at most once for each
// method. It gives Dead only on proof, and Unknown whenever something is missing, malformed or not this machine's to say.
// The string is one sentence for an operator.
func Judge(e Evidence, p Prober) (Verdict, string) {
	if e.Version > Version {
		return Unknown, fmt.Sprintf("the owner record is of version %d and this program reads up to %d: use the newer program", e.Version, Version)
	}
	if err := e.check(); err != nil {
		return Unknown, fmt.Sprintf("the owner record does not say which process it means: %v", err)
	}
	if e.Legacy {
		return judgeLegacy(e, p.Process(e.PID))
	}
	here, err := p.Here()
	if err != nil {
		return Unknown, fmt.Sprintf("this machine does not say which boot it is in: %v", err)
	}
	if verdict, why := judgePlace(e, here); verdict != "" {
		return verdict, why
	}
	return judgeProcess(e, here, p.Process(e.PID))
}

// judgePlace compares where the record was written with where the caller stands. It gives "" when both are one place,
// so that the pid means the same to both.
func judgePlace(e Evidence, here Place) (Verdict, string) {
	if e.Platform != here.Platform {
		return Unknown, fmt.Sprintf("process %d is on another machine: the record is of %s and this is %s", e.PID, e.Platform, here.Platform)
	}
	sameMachine := e.Machine != "" && e.Machine == here.Machine && e.Host != "" && e.Host == here.Host
	if e.Platform == "windows" {
		// Windows names no boot; its start times are wall time and differ across boots by themselves.
		if !sameMachine {
			return Unknown, fmt.Sprintf("process %d is on another machine: its host is %.60q and this is %.60q", e.PID, e.Host, here.Host)
		}
		return "", ""
	}
	if !isUUID(here.Boot) {
		return Unknown, fmt.Sprintf("process %d cannot be judged: this machine gives no boot id", e.PID)
	}
	if !strings.EqualFold(e.Boot, here.Boot) {
		if sameMachine {
			return Dead, fmt.Sprintf("process %d ended when the machine restarted: its boot was %s and this is %s", e.PID, e.Boot, here.Boot)
		}
		return Unknown, fmt.Sprintf("process %d is of another boot (host %.60q), and nothing proves that it was a boot of this machine (host %.60q)",
			e.PID, e.Host, here.Host)
	}
	if e.PIDNamespace != here.PIDNamespace {
		return Unknown, fmt.Sprintf("process %d is in another pid namespace, such as another container: its is %d and this is %d",
			e.PID, e.PIDNamespace, here.PIDNamespace)
	}
	return "", ""
}

// judgeProcess compares the process of the record with the one that has its pid now.
func judgeProcess(e Evidence, here Place, now Process) (Verdict, string) {
	switch now.State {
	case Absent:
		return Dead, fmt.Sprintf("process %d is gone: no process has its pid", e.PID)
	case Ended:
		// Whoever this is: if it is not the recorded process, then that one gave up its pid before.
		return Dead, fmt.Sprintf("process %d has ended: what is left of it is a zombie", e.PID)
	case Running, LeaderEnded:
	default:
		return Unknown, fmt.Sprintf("process %d cannot be judged: %s", e.PID, now.Why)
	}
	switch {
	case e.PidfsInode != 0 && now.PidfsInode != 0:
		// The kernel never gives this number twice in one boot, so it outranks the start time.
		if e.PidfsInode != now.PidfsInode {
			return Dead, fmt.Sprintf("process %d is gone: its pid belongs to another process now (pidfs inode %d, recorded %d)",
				e.PID, now.PidfsInode, e.PidfsInode)
		}
	case e.Start == "" || now.Start == "":
		return Unknown, strings.TrimSuffix(fmt.Sprintf("a process has the pid %d, and whether it is the recorded one cannot be read: %s", e.PID, now.Why), ": ")
	case e.TimeNamespace != here.TimeNamespace:
		// A time namespace shifts the start times that are read in it.
		return Unknown, fmt.Sprintf("a process has the pid %d, and its start time cannot be compared: the record is of another time namespace", e.PID)
	case e.Start != now.Start:
		return Dead, fmt.Sprintf("process %d is gone: its pid belongs to another process now (started at %s, recorded %s)", e.PID, now.Start, e.Start)
	}
	if now.State == LeaderEnded {
		return Unknown, fmt.Sprintf("the main thread of process %d has ended while other threads of it run: it may still act", e.PID)
	}
	return Alive, fmt.Sprintf("process %d is running", e.PID)
}
