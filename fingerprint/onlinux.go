package fingerprint

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// linuxPID is what Linux answered about one pid, in the order of asking: pidfd_open, stat, poll of the pidfd.
// The order makes stat speak of the pidfd's process: a pid is not given away while its process has not exited.
type linuxPID struct {
	open    answer // pidfd_open, or kill with signal 0 where there is no pidfd
	pidfd   bool   // open is the answer of pidfd_open
	inode   uint64 // of the pidfd, if it lives on pidfs
	stat    []byte
	statErr error
	exited  bool // the pidfd polls readable
	pollErr error
	why     string // with any answer but found and none
}

// answer is how a platform answered the question for a pid.
type answer int

const (
	failed answer = iota // nothing can be concluded
	found
	none // no process has the pid
)

func (r linuxPID) process(pid int) Process {
	switch {
	case r.open == none:
		return Process{State: Absent}
	case r.open != found:
		return Process{Why: r.why}
	case r.exited:
		return Process{State: Ended}
	case r.pollErr != nil:
		return Process{Why: fmt.Sprintf("poll its pidfd: %v", r.pollErr)}
	}
	now := Process{State: Running, PidfsInode: r.inode}
	st, err := parseStat(r.stat)
	if r.statErr != nil {
		err = r.statErr
	} else if err == nil && st.pid != pid {
		err = fmt.Errorf("it is of pid %d", st.pid)
	}
	if err != nil {
		now.Why = fmt.Sprintf("read /proc/%d/stat: %v", pid, err)
		if !r.pidfd {
			// Without pidfd and stat a zombie looks like a running process.
			now.State = Unclear
		}
		return now
	}
	now.Start = strconv.FormatUint(st.start, 10)
	switch st.state {
	case 'Z', 'X', 'x':
		now.State = Ended
		if st.threads > 1 {
			now.State = LeaderEnded
		}
	}
	return now
}

type linuxStat struct {
	pid     int
	state   byte
	threads int
	start   uint64 // clock ticks since boot
}

// parseStat reads /proc/PID/stat. The command's name may hold spaces, line ends and brackets, so the fields are
// counted from the last bracket.
func parseStat(data []byte) (linuxStat, error) {
	open, end := bytes.IndexByte(data, '('), bytes.LastIndexByte(data, ')')
	if open < 0 || end < open {
		return linuxStat{}, errors.New("no command name in brackets")
	}
	pid, err := strconv.Atoi(string(bytes.TrimSpace(data[:open])))
	if err != nil {
		return linuxStat{}, fmt.Errorf("pid: %w", err)
	}
	const state, threads, start = 0, 17, 19 // fields 3, 20 and 22 of proc_pid_stat(5)
	fields := bytes.Fields(data[end+1:])
	if len(fields) <= start {
		return linuxStat{}, fmt.Errorf("%d fields after the name, want more than %d", len(fields), start)
	}
	if len(fields[state]) != 1 {
		return linuxStat{}, fmt.Errorf("state is %.60q, want one letter", fields[state])
	}
	st := linuxStat{pid: pid, state: fields[state][0]}
	if st.threads, err = strconv.Atoi(string(fields[threads])); err != nil {
		return linuxStat{}, fmt.Errorf("num_threads: %w", err)
	}
	if st.start, err = strconv.ParseUint(string(fields[start]), 10, 64); err != nil {
		return linuxStat{}, fmt.Errorf("starttime: %w", err)
	}
	return st, nil
}
