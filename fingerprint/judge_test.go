package fingerprint

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
)

// The fixtures below are synthetic: made up in the shape that each platform gives, not recorded on one.
const (
	bootA = "8470ceac-4789-4683-906e-580aabbb23bb"
	bootB = "0d6c2b1e-15b5-4c0e-9a55-3f5b0d8f0c11"
)

var errSynthetic = errors.New("synthetic error")

// fakeMachine is a Prober whose answers are its fields; a pid that is not listed is absent.
type fakeMachine struct {
	place     Place
	err       error
	processes map[int]Process
}

func (m fakeMachine) Here() (Place, error) { return m.place, m.err }

func (m fakeMachine) Process(pid int) Process {
	if p, ok := m.processes[pid]; ok {
		return p
	}
	return Process{State: Absent}
}

func linuxPlace() Place {
	return Place{Platform: "linux", Machine: "m1", Host: "web-1", Boot: bootA, PIDNamespace: 4026531836, TimeNamespace: 4026531834}
}

func linuxEvidence() Evidence {
	return Evidence{Version: 1, Platform: "linux", Machine: "m1", Host: "web-1", Boot: bootA, PIDNamespace: 4026531836,
		TimeNamespace: 4026531834, PID: 4242, Start: "9911", PidfsInode: 77001}
}

// judgeCase is one row of the table in doc.go: doc is its left column, word for word.
type judgeCase struct {
	doc    string
	change func(e *Evidence, here *Place, now *Process)
	want   Verdict
	say    string // a part of the sentence
}

// Each case changes a record, a place and a process that agree in everything.
func judgeCases() []judgeCase {
	return []judgeCase{
		{"a record of a newer version",
			func(e *Evidence, _ *Place, now *Process) { e.Version, now.State = 2, Absent }, Unknown, "version 2"},
		{"a record that is missing, malformed or of an older version",
			func(e *Evidence, _ *Place, now *Process) { e.Boot, now.State = "damaged", Absent }, Unknown, "does not say which process"},
		{`"pid-suffix" alone, and no process has the pid`,
			func(e *Evidence, _ *Place, now *Process) { *e, now.State = legacy("4242-f3a1"), Absent }, Dead, "no process has its pid"},
		{`"pid-suffix" alone, and a zombie has the pid`,
			func(e *Evidence, _ *Place, now *Process) { *e, now.State = legacy("4242-f3a1"), Ended }, Dead, "zombie"},
		{`"pid-suffix" alone, and a process has the pid`,
			func(e *Evidence, _ *Place, _ *Process) { *e = legacy("4242-f3a1") }, Unknown, "older record"},
		{"this machine does not say which boot it is in",
			func(_ *Evidence, here *Place, now *Process) { here.Boot, now.State = "", Absent }, Unknown, "no boot id"},
		{"another platform",
			func(_ *Evidence, here *Place, now *Process) { here.Platform, now.State = "darwin", Absent }, Unknown, "another machine"},
		{"another boot of this machine",
			func(e *Evidence, _ *Place, _ *Process) { e.Boot = bootB }, Dead, "restarted"},
		{"another boot, and the machine is another or not named",
			func(e *Evidence, _ *Place, now *Process) { e.Boot, e.Machine, now.State = bootB, "m2", Absent }, Unknown, "nothing proves"},
		{"another pid namespace",
			func(e *Evidence, _ *Place, now *Process) { e.PIDNamespace, now.State = 4026532001, Absent }, Unknown, "another container"},
		{"no process has the pid",
			func(_ *Evidence, _ *Place, now *Process) { *now = Process{State: Absent} }, Dead, "gone"},
		{"a zombie has the pid",
			func(_ *Evidence, _ *Place, now *Process) { *now = Process{State: Ended} }, Dead, "zombie"},
		{"permission is missing",
			func(_ *Evidence, _ *Place, now *Process) { *now = Process{Why: "permission denied"} }, Unknown, "permission denied"},
		{"same pid, another pidfs inode",
			func(_ *Evidence, _ *Place, now *Process) { now.PidfsInode++ }, Dead, "another process now"},
		{"same pidfs inode",
			func(_ *Evidence, _ *Place, now *Process) { now.Start = "" }, Alive, "is running"},
		{"same pidfs inode, read in another time namespace",
			func(e *Evidence, _ *Place, now *Process) { e.TimeNamespace, now.Start = 4026532002, "1009911" }, Alive, "is running"},
		{"neither inode nor start time can be compared",
			func(e *Evidence, _ *Place, now *Process) { e.PidfsInode, now.Start, now.Why = 0, "", "hidden" }, Unknown, "cannot be read: hidden"},
		{"start time read in another time namespace",
			func(e *Evidence, _ *Place, now *Process) {
				e.PidfsInode, e.TimeNamespace, now.Start = 0, 4026532002, "1009911"
			}, Unknown, "time namespace"},
		{"same pid, another start time",
			func(e *Evidence, _ *Place, now *Process) { e.PidfsInode, now.Start = 0, "9912" }, Dead, "another process now"},
		{"same pid, same start time",
			func(_ *Evidence, _ *Place, now *Process) { now.PidfsInode = 0 }, Alive, "is running"},
		{"same process, stopped", // a stopped process is Running; the real one is in the Linux tests
			func(_ *Evidence, _ *Place, _ *Process) {}, Alive, "is running"},
		{"same process, main thread ended while others run",
			func(_ *Evidence, _ *Place, now *Process) { now.State = LeaderEnded }, Unknown, "may still act"},
	}
}

func legacy(id string) Evidence {
	e, _ := LegacyOwner(id)
	return e
}

func TestJudgeTable(t *testing.T) {
	for _, c := range judgeCases() {
		t.Run(c.doc, func(t *testing.T) {
			e, here := linuxEvidence(), linuxPlace()
			now := Process{State: Running, Start: e.Start, PidfsInode: e.PidfsInode}
			c.change(&e, &here, &now)
			got, why := Judge(e, fakeMachine{place: here, processes: map[int]Process{4242: now}})
			if got != c.want || !strings.Contains(why, c.say) {
				t.Errorf("got %s, %q; want %s, a sentence with %q", got, why, c.want, c.say)
			}
		})
	}
}

// The table in doc.go is the table of the test above: same rows, same order, same verdicts.
func TestJudgeTableIsDocumented(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for line := range strings.Lines(string(doc)) {
		if row, ok := strings.CutPrefix(line, "//\t"); ok {
			rows = append(rows, strings.Join(strings.Fields(row), " "))
		}
	}
	cases := judgeCases()
	if len(rows) != len(cases) {
		t.Fatalf("doc.go has %d rows, the table %d", len(rows), len(cases))
	}
	for i, c := range cases {
		if want := c.doc + " " + string(c.want); rows[i] != want {
			t.Errorf("row %d of doc.go is %q, want %q", i, rows[i], want)
		}
	}
}

// Where the machine says nothing about itself, not even an absent pid is proof.
func TestJudgeWithoutPlace(t *testing.T) {
	if got, why := Judge(linuxEvidence(), fakeMachine{err: errSynthetic}); got != Unknown {
		t.Errorf("got %s, %q; want unknown", got, why)
	}
}

// Another boot is a reboot only if machine and host name are both known and both the same.
func TestJudgeRebootNeedsTheMachine(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(e *Evidence, here *Place)
		want   Verdict
	}{
		{"same machine, same host", func(*Evidence, *Place) {}, Dead},
		{"cloned machine id, other host", func(e *Evidence, _ *Place) { e.Host = "web-2" }, Unknown},
		{"other machine id, same host", func(e *Evidence, _ *Place) { e.Machine = "m2" }, Unknown},
		{"machine not named in the record", func(e *Evidence, _ *Place) { e.Machine = "" }, Unknown},
		{"machine named nowhere", func(e *Evidence, here *Place) { e.Machine, here.Machine = "", "" }, Unknown},
		{"host named nowhere", func(e *Evidence, here *Place) { e.Host, here.Host = "", "" }, Unknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, here := linuxEvidence(), linuxPlace()
			e.Boot = bootB
			c.change(&e, &here)
			if got, why := Judge(e, fakeMachine{place: here}); got != c.want {
				t.Errorf("got %s, %q; want %s", got, why, c.want)
			}
		})
	}
}

// Two containers of one kernel: same boot id, and each owner is pid 1 of its own namespace.
func TestJudgeOtherContainer(t *testing.T) {
	e, here := linuxEvidence(), linuxPlace()
	e.PID, e.PIDNamespace, here.PIDNamespace = 1, 4026532001, 4026532002
	other := fakeMachine{place: here, processes: map[int]Process{1: {State: Running, Start: "5", PidfsInode: 5}}}
	if got, why := Judge(e, other); got != Unknown {
		t.Errorf("got %s, %q; want unknown", got, why)
	}
}

// The judgement of macOS, fed with synthetic answers of its system calls.
func TestJudgeDarwin(t *testing.T) {
	e := Evidence{Version: 1, Platform: "darwin", Machine: "m1", Host: "mac", Boot: strings.ToUpper(bootA), PID: 4242, Start: "1767225600.000123"}
	here := Place{Platform: "darwin", Machine: "m1", Host: "mac", Boot: strings.ToUpper(bootA)}
	otherBoot, otherMachine := here, here
	otherBoot.Boot = strings.ToUpper(bootB)
	otherMachine.Boot, otherMachine.Machine = strings.ToUpper(bootB), "m2"
	running := darwinPID{pid: 4242, stat: 2, sec: 1767225600, usec: 123}
	with := func(change func(*darwinPID)) darwinPID {
		r := running
		change(&r)
		return r
	}
	for _, c := range []struct {
		name  string
		place Place
		pid   darwinPID
		want  Verdict
	}{
		{"running", here, running, Alive},
		{"stopped (SSTOP)", here, with(func(r *darwinPID) { r.stat = 4 }), Alive},
		{"zombie (SZOMB)", here, with(func(r *darwinPID) { r.stat = 5 }), Dead},
		{"later start", here, with(func(r *darwinPID) { r.usec = 124 }), Dead},
		{"gone", here, darwinPID{sysctl: syscall.EIO, kill: syscall.ESRCH}, Dead},
		{"sysctl fails, the process exists", here, darwinPID{sysctl: syscall.EIO}, Unknown},
		{"sysctl and kill forbidden", here, darwinPID{sysctl: syscall.EPERM, kill: syscall.EPERM}, Unknown},
		{"answer for another pid", here, with(func(r *darwinPID) { r.pid = 1 }), Unknown},
		{"no start time", here, with(func(r *darwinPID) { r.sec = 0 }), Unknown},
		{"another boot", otherBoot, running, Dead},
		{"another machine", otherMachine, darwinPID{sysctl: syscall.EIO, kill: syscall.ESRCH}, Unknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := fakeMachine{place: c.place, processes: map[int]Process{4242: c.pid.process(4242)}}
			if got, why := Judge(e, m); got != c.want {
				t.Errorf("got %s, %q; want %s", got, why, c.want)
			}
		})
	}
}

// The judgement of Windows, fed with synthetic answers of its system calls.
func TestJudgeWindows(t *testing.T) {
	e := Evidence{Version: 1, Platform: "windows", Machine: "m1", Host: "PC-1", PID: 4240, Start: "134116992000000123"}
	here := Place{Platform: "windows", Machine: "m1", Host: "PC-1"}
	otherHost, otherMachine := here, here
	otherHost.Host, otherMachine.Machine = "PC-2", "m2"
	const accessDenied, invalidParameter, waitTimeout, waitFailed = 5, 87, 258, 0xFFFFFFFF
	for _, c := range []struct {
		name  string
		place Place
		pid   windowsPID
		want  Verdict
	}{
		{"running", here, windowsPID{wait: waitTimeout, created: 134116992000000123}, Alive},
		{"exited, a handle keeps the pid", here, windowsPID{wait: 0, created: 134116992000000123}, Dead},
		{"later creation", here, windowsPID{wait: waitTimeout, created: 134116992000000124}, Dead},
		{"no such pid", here, windowsPID{open: invalidParameter}, Dead},
		{"access denied", here, windowsPID{open: accessDenied}, Unknown},
		{"other error of open", here, windowsPID{open: 8}, Unknown},
		{"wait fails", here, windowsPID{wait: waitFailed}, Unknown},
		{"no times", here, windowsPID{wait: waitTimeout, times: errSynthetic}, Unknown},
		{"another host of a cloned image", otherHost, windowsPID{open: invalidParameter}, Unknown},
		{"another machine", otherMachine, windowsPID{open: invalidParameter}, Unknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := fakeMachine{place: c.place, processes: map[int]Process{4240: c.pid.process()}}
			if got, why := Judge(e, m); got != c.want {
				t.Errorf("got %s, %q; want %s", got, why, c.want)
			}
		})
	}
}

// A denied look is answered with what the operator can do about it.
func TestWindowsAccessDeniedNamesTheRemedy(t *testing.T) {
	if now := (windowsPID{open: 5}).process(); now.State != Unclear || !strings.Contains(now.Why, "as the same user") {
		t.Errorf("got %+v, want Unclear and the remedy", now)
	}
}

// The judgement of Linux, fed with synthetic answers of its system calls.
func TestJudgeLinux(t *testing.T) {
	stat := func(state string, threads string, start string) []byte {
		return []byte("4242 (x) R 9 (y) " + state + " 1 1 1 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 " + threads + " 0 " + start + " 0\n")
	}
	inodeOnly, startOnly := linuxEvidence(), linuxEvidence()
	inodeOnly.Start, startOnly.PidfsInode = "", 0
	for _, c := range []struct {
		name string
		e    Evidence
		pid  linuxPID
		want Verdict
	}{
		{"running", linuxEvidence(), linuxPID{open: found, pidfd: true, inode: 77001, stat: stat("S", "8", "9911")}, Alive},
		{"stopped", linuxEvidence(), linuxPID{open: found, pidfd: true, inode: 77001, stat: stat("T", "8", "9911")}, Alive},
		{"no such pid", linuxEvidence(), linuxPID{open: none, pidfd: true}, Dead},
		{"pidfd says exited, stat was read before", linuxEvidence(), linuxPID{open: found, pidfd: true, inode: 77001, stat: stat("S", "8", "9911"), exited: true}, Dead},
		{"zombie", linuxEvidence(), linuxPID{open: found, stat: stat("Z", "1", "9911")}, Dead},
		{"main thread ended", linuxEvidence(), linuxPID{open: found, pidfd: true, inode: 77001, stat: stat("Z", "3", "9911")}, Unknown},
		{"main thread ended, of another process", linuxEvidence(), linuxPID{open: found, pidfd: true, inode: 77002, stat: stat("Z", "3", "9911")}, Dead},
		{"reused within one clock tick", linuxEvidence(), linuxPID{open: found, pidfd: true, inode: 77002, stat: stat("S", "8", "9911")}, Dead},
		{"older kernel, same start", linuxEvidence(), linuxPID{open: found, stat: stat("S", "8", "9911")}, Alive},
		{"older kernel, another start", linuxEvidence(), linuxPID{open: found, stat: stat("S", "8", "99110")}, Dead},
		{"start alone recorded", startOnly, linuxPID{open: found, pidfd: true, inode: 77001, stat: stat("S", "8", "9911")}, Alive},
		{"inode alone recorded, older kernel", inodeOnly, linuxPID{open: found, stat: stat("S", "8", "9911")}, Unknown},
		{"hidden /proc, inode", linuxEvidence(), linuxPID{open: found, pidfd: true, inode: 77001, statErr: errSynthetic}, Alive},
		{"hidden /proc, no inode", linuxEvidence(), linuxPID{open: found, pidfd: true, statErr: errSynthetic}, Unknown},
		{"hidden /proc, no pidfd", linuxEvidence(), linuxPID{open: found, statErr: errSynthetic}, Unknown},
		{"stat cut short", startOnly, linuxPID{open: found, stat: []byte("4242 (x) S 1 1")}, Unknown},
		{"stat of another pid", startOnly, linuxPID{open: found, stat: []byte("17" + string(stat("S", "8", "1")))}, Unknown},
		{"nothing answered", linuxEvidence(), linuxPID{why: "kill: synthetic"}, Unknown},
		{"poll fails", linuxEvidence(), linuxPID{open: found, pidfd: true, inode: 77002, pollErr: errSynthetic}, Unknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := fakeMachine{place: linuxPlace(), processes: map[int]Process{4242: c.pid.process(4242)}}
			if got, why := Judge(c.e, m); got != c.want {
				t.Errorf("got %s, %q; want %s", got, why, c.want)
			}
		})
	}
}

// Of takes evidence only from a process that runs and can be recognised.
func TestOfFake(t *testing.T) {
	m := fakeMachine{place: linuxPlace(), processes: map[int]Process{
		7: {State: Running, Start: "70", PidfsInode: 700},
		8: {State: Ended},
		9: {State: Running, Why: "hidden"},
		6: {Why: "denied"},
	}}
	e, err := of(7, m)
	if err != nil {
		t.Fatal(err)
	}
	if got, why := Judge(e, m); got != Alive {
		t.Errorf("own evidence judges %s, %q", got, why)
	}
	for _, pid := range []int{-1, 0, 5, 8} {
		if e, err := of(pid, m); !errors.Is(err, ErrNoProcess) || e != (Evidence{}) {
			t.Errorf("pid %d: got %+v, %v; want nothing, ErrNoProcess", pid, e, err)
		}
	}
	for pid, say := range map[int]string{9: "hidden", 6: "denied"} {
		if e, err := of(pid, m); err == nil || errors.Is(err, ErrNoProcess) || !strings.Contains(err.Error(), say) || e != (Evidence{}) {
			t.Errorf("pid %d: got %+v, %v; want nothing and an error with %q", pid, e, err, say)
		}
	}
	if _, err := of(7, fakeMachine{err: errSynthetic}); !errors.Is(err, errSynthetic) {
		t.Errorf("got %v, want the error of Here", err)
	}
}
