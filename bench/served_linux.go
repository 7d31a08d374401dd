package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/wcron/wcron/bench/witness"
)

// buildWcron makes the program with a witness, from the source of this module.
func buildWcron(ctx context.Context, dir string) (path string, err error) {
	path = filepath.Join(dir, "wcron")
	out, err := exec.CommandContext(ctx, "go", "build", "-tags", "wcron_torture", "-o", path, "github.com/wcron/wcron/cmd/wcron").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build wcron with the tag wcron_torture; run this inside of the module: %w\n%s", err, out)
	}
	return path, nil
}

// lastLines is how much of a host's log is kept for an error.
const lastLines = 20

// served is a process of wcron serve, as the process that started it sees it.
type served struct {
	cmd   *exec.Cmd
	up    chan struct{} // closed once the host has said its instance id
	ended chan struct{} // closed once it was waited for

	mu       sync.Mutex // guards the rest
	instance string
	log      []string // its end
}

// serve starts a host on the folder. It ends with this process at the latest.
func serve(program string, dir folder, o witness.Order) (*served, error) {
	p := &served{cmd: exec.Command(program, "serve", "-c", dir.hostFile(), "--log", "json"), up: make(chan struct{}), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), o.Environ())
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	log, err := p.cmd.StderrPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("start %s serve: %w", program, err)
	}
	go p.follow(log)
	return p, nil
}

// follow reads the host's log until its end, and waits for the process.
func (p *served) follow(log io.Reader) {
	defer close(p.ended)
	for lines := bufio.NewReader(log); ; {
		text, err := lines.ReadString('\n')
		if text != "" {
			p.hear(strings.TrimSpace(text))
		}
		if err != nil {
			break
		}
	}
	_ = p.cmd.Wait() // how it ended is asked for afterwards
}

func (p *served) hear(line string) {
	var said struct {
		Msg      string `json:"msg"`
		Instance string `json:"instance"`
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.log = append(p.log, line); len(p.log) > lastLines {
		p.log = p.log[1:]
	}
	if json.Unmarshal([]byte(line), &said) == nil && said.Msg == "serving" && p.instance == "" {
		p.instance = said.Instance
		close(p.up)
	}
}

// awaitInstance waits until the host has said its instance id.
func (p *served) awaitInstance(ctx context.Context) (string, error) {
	select {
	case <-p.up:
	case <-p.ended:
		return "", p.unexpected()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.instance, nil
}

// unexpected says how a host has ended that was not to end so.
func (p *served) unexpected() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Errorf("the host with pid %d has ended by itself: %s; the end of its log:\n%s", p.cmd.Process.Pid, p.cmd.ProcessState, strings.Join(p.log, "\n"))
}

// kill ends the host at once if it has not done so itself, and returns when it is gone. A host that has ended otherwise is an error.
func (p *served) kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill a host: %w", err)
	}
	<-p.ended
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		return p.unexpected()
	}
	return nil
}

// stop lets the host end in order.
func (p *served) stop(ctx context.Context) error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop a host: %w", err)
	}
	select {
	case <-p.ended:
	case <-ctx.Done():
		return errors.Join(ctx.Err(), p.kill())
	}
	if p.cmd.ProcessState.ExitCode() != 0 {
		return p.unexpected()
	}
	return nil
}
