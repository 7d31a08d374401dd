package fingerprint

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// childRole makes the test binary a child process of a test: see TestMain.
const childRole = "WCRON_FINGERPRINT_CHILD"

func TestMain(m *testing.M) {
	switch role := os.Getenv(childRole); role {
	case "":
		os.Exit(m.Run())
	case "leader":
		endMainThread()
		fallthrough
	case "wait":
		fmt.Println("ready")
		io.Copy(io.Discard, os.Stdin) // until the test closes it
	case "self":
		e, err := Self()
		if err != nil {
			fmt.Println("error:", err)
			return
		}
		fmt.Printf("%s\n", e.Encode())
		io.Copy(io.Discard, os.Stdin)
	default:
		panic("unknown role " + role)
	}
}

// endMainThread ends the thread whose id is the pid, while the other threads of the runtime go on. It returns when
// the kernel shows the main thread as a zombie.
func endMainThread() {
	release := make(chan struct{})
	ended := make(chan struct{}, 1)
	var try func()
	try = func() {
		runtime.LockOSThread()
		if unix.Gettid() == os.Getpid() {
			ended <- struct{}{}
			// Syscall, not RawSyscall: the runtime takes the processor back from a thread that stays in a system call.
			unix.Syscall(unix.SYS_EXIT, 0, 0, 0)
		}
		go try() // this thread is held, so the next goroutine is on another one
		<-release
	}
	go try()
	runtime.Gosched()
	// The calling goroutine may itself be on the main thread; it blocks here, which frees that thread.
	<-ended
	close(release)
	for {
		data, err := os.ReadFile("/proc/self/stat")
		if err != nil {
			panic(err)
		}
		if st, err := parseStat(data); err != nil || st.state == 'Z' {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// startChild runs the test binary in a role and returns it with its first line of output. The child ends with the test.
func startChild(t *testing.T, role string, attr *syscall.SysProcAttr) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), childRole+"="+role)
	cmd.SysProcAttr = attr
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		if attr != nil {
			t.Skipf("this user may not start such a process: %v", err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("child %q says %q: %v", role, line, err)
	}
	return cmd, strings.TrimSpace(line)
}

// await blocks until the child has ended or stopped, and leaves it unreaped.
func await(t *testing.T, cmd *exec.Cmd, what int) {
	t.Helper()
	for {
		err := unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, what|unix.WNOWAIT, nil)
		if err == nil {
			return
		}
		if !errors.Is(err, unix.EINTR) {
			t.Fatalf("wait for the child: %v", err)
		}
	}
}

func mustOf(t *testing.T, pid int) Evidence {
	t.Helper()
	e, err := Of(pid)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// withoutInode is the evidence that a kernel before 6.9 gives.
func withoutInode(e Evidence) Evidence {
	e.PidfsInode = 0
	return e
}

func wantVerdict(t *testing.T, e Evidence, want Verdict) {
	t.Helper()
	for name, e := range map[string]Evidence{"as taken": e, "without pidfs inode": withoutInode(e)} {
		if got, why := JudgeLocal(e); got != want || !strings.Contains(why, strconv.Itoa(e.PID)) {
			t.Errorf("%s: got %s, %q; want %s and the pid", name, got, why, want)
		}
	}
}

func TestSelfIsAlive(t *testing.T) {
	e, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	if e.PID != os.Getpid() || e != mustOf(t, os.Getpid()) {
		t.Errorf("got %+v, want what Of gives for pid %d", e, os.Getpid())
	}
	wantVerdict(t, e, Alive)
	back, err := Parse(e.Encode())
	if err != nil {
		t.Fatal(err)
	}
	wantVerdict(t, back, Alive)
}

// Other users' processes are judged too: pid 1 of this namespace outlives the test.
func TestInitIsAlive(t *testing.T) {
	e, err := Of(1)
	if err != nil {
		t.Skipf("this machine hides pid 1: %v", err)
	}
	if got, why := JudgeLocal(e); got != Alive {
		t.Errorf("got %s, %q; want alive", got, why)
	}
}

func TestZombieAndReapedChildAreDead(t *testing.T) {
	cmd, _ := startChild(t, "wait", nil)
	e := mustOf(t, cmd.Process.Pid)
	old := legacy(strconv.Itoa(e.PID) + "-f3a1")
	wantVerdict(t, e, Alive)
	if got, why := JudgeLocal(old); got != Unknown {
		t.Errorf("older record, child alive: got %s, %q; want unknown", got, why)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	await(t, cmd, unix.WEXITED)
	if err := unix.Kill(e.PID, 0); err != nil {
		t.Fatalf("the child is no zombie: %v", err)
	}
	wantVerdict(t, e, Dead)
	if got := withoutPidfd(e.PID).process(e.PID); got.State != Ended {
		t.Errorf("asked without pidfd: a zombie is %+v, want Ended", got)
	}
	if got, why := JudgeLocal(old); got != Dead {
		t.Errorf("older record, zombie: got %s, %q; want dead", got, why)
	}
	if _, err := Of(e.PID); !errors.Is(err, ErrNoProcess) {
		t.Errorf("evidence of a zombie: got %v, want ErrNoProcess", err)
	}
	cmd.Wait()
	wantVerdict(t, e, Dead)
	if got := withoutPidfd(e.PID).process(e.PID); got.State != Absent {
		t.Errorf("asked without pidfd: a reaped process is %+v, want Absent", got)
	}
	if got, why := JudgeLocal(old); got != Dead {
		t.Errorf("older record, reaped: got %s, %q; want dead", got, why)
	}
}

func TestStoppedChildIsAlive(t *testing.T) {
	cmd, _ := startChild(t, "wait", nil)
	e := mustOf(t, cmd.Process.Pid)
	if err := cmd.Process.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	await(t, cmd, unix.WSTOPPED)
	wantVerdict(t, e, Alive)
}

// A main thread that has ended shows as a zombie while its process works on.
func TestEndedMainThreadIsUnknown(t *testing.T) {
	cmd, _ := startChild(t, "leader", nil)
	// Its evidence is that of any process: start time and inode outlive the main thread.
	e := mustOf(t, cmd.Process.Pid)
	wantVerdict(t, e, Unknown)
	if got := withoutPidfd(e.PID).process(e.PID); got.State != LeaderEnded {
		t.Errorf("asked without pidfd: got %+v, want LeaderEnded", got)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	await(t, cmd, unix.WEXITED)
	wantVerdict(t, e, Dead)
}

// The pid is in use, and by another process than the recorded one.
func TestReusedPIDIsDead(t *testing.T) {
	e, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	other := withoutInode(e)
	other.Start = "1" + other.Start
	wantVerdict(t, other, Dead)
	if e.PidfsInode == 0 {
		return // this kernel has no pidfs
	}
	other = e
	other.PidfsInode++
	if got, why := JudgeLocal(other); got != Dead {
		t.Errorf("another inode: got %s, %q; want dead", got, why)
	}
}

func TestAnotherBoot(t *testing.T) {
	e, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	e.Boot = bootB
	want := Dead
	if e.Machine == "" { // a container, or a machine without machine id
		want = Unknown
	}
	wantVerdict(t, e, want)
	e.Host += "-2"
	wantVerdict(t, e, Unknown)
}

// A thread id answers kill and has a stat file; it is not the process that once had this number as its pid.
func TestThreadIsNoProcess(t *testing.T) {
	ids, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	e, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, id := range ids {
		tid, err := strconv.Atoi(id.Name())
		if err != nil || tid == os.Getpid() {
			continue
		}
		tried++
		e.PID, e.Start = tid, "1"
		wantVerdict(t, e, Dead)
	}
	if tried == 0 {
		t.Fatal("the runtime has one thread")
	}
}

// An owner in another container of this kernel: its pid is 1, and so is that of somebody else here.
func TestOtherPIDNamespaceIsUnknown(t *testing.T) {
	attr := &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}
	if os.Geteuid() != 0 {
		attr.Cloneflags |= unix.CLONE_NEWUSER
	}
	cmd, line := startChild(t, "self", attr)
	if strings.HasPrefix(line, "error:") {
		// Its /proc is of our namespace, so that without pidfs there is no evidence to take.
		t.Skip(line)
	}
	e, err := Parse([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	if e.PID != 1 || e.Start != "" || e.PidfsInode == 0 {
		t.Errorf("got %+v, want pid 1 by its inode alone: the start time would be that of our pid 1", e)
	}
	if got, why := JudgeLocal(e); got != Unknown {
		t.Errorf("got %s, %q; want unknown", got, why)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	await(t, cmd, unix.WEXITED)
	if got, why := JudgeLocal(e); got != Unknown {
		t.Errorf("after its end: got %s, %q; want unknown", got, why)
	}
}

func TestOfNoProcess(t *testing.T) {
	data, err := os.ReadFile("/proc/sys/kernel/pid_max")
	if err != nil {
		t.Skip(err)
	}
	beyond, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	if e, err := Of(beyond + 1); !errors.Is(err, ErrNoProcess) || e != (Evidence{}) {
		t.Errorf("got %+v, %v; want nothing, ErrNoProcess", e, err)
	}
}

func BenchmarkJudgeLocal(b *testing.B) {
	e, err := Self()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if got, why := JudgeLocal(e); got != Alive {
			b.Fatal(got, why)
		}
	}
}
