package browser

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/wcron/wcron/internal/guest"
)

// patience bounds every wait of the tests; none takes that long.
const patience = 60 * time.Second

// chromium is the path of a browser. Without one the test is skipped, and in CI it fails.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	const install = "there is no browser to try the dashboard in: install chromium (apt-get install chromium)"
	if os.Getenv("WCRON_CI") != "" {
		t.Fatal(install)
	}
	t.Skip(install)
	return ""
}

// program is the path of wcron.
var program string

// TestMain builds wcron as it is in the folder above.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "wcron")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		program = filepath.Join(dir, "wcron.exe") // a name that every platform starts
		build := exec.Command("go", "build", "-o", program, "./cmd/wcron")
		build.Dir = filepath.Join("..", "..")
		if out, err := build.CombinedOutput(); err != nil {
			panic(fmt.Sprintf("build wcron: %v\n%s", err, out))
		}
		return m.Run()
	}())
}

// site is a folder with jobs, for hosts in processes of their own that serve its dashboard at one address.
type site struct {
	t              *testing.T
	dir, wcron, at string
}

func newSite(t *testing.T) *site {
	t.Helper()
	chromium(t) // without one there is nothing to build for
	s := &site{t: t, dir: t.TempDir(), wcron: program}
	l, err := net.Listen("tcp", "127.0.0.1:0") // a free port, for more than one host in turn
	if err != nil {
		t.Fatal(err)
	}
	s.at = l.Addr().String()
	l.Close()
	s.write("wcron.toml", []byte(fmt.Sprintf("[dashboard]\nlisten = %q\n", s.at)))
	return s
}

func (s *site) write(name string, content []byte) {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) drop(name string, wasm []byte, manifest string) {
	s.t.Helper()
	s.write(filepath.Join("plugins", name+".wasm"), guest.WithManifest(wasm, manifest))
}

// command is a command on the folder.
func (s *site) command(args ...string) *exec.Cmd {
	return exec.Command(s.wcron, append(args, "-c", filepath.Join(s.dir, "wcron.toml"))...)
}

// run asks for a run of a job.
func (s *site) run(job string) {
	s.t.Helper()
	if out, err := s.command("run", job).CombinedOutput(); err != nil {
		s.t.Fatalf("run %s: %v\n%s", job, err, out)
	}
}

// serve starts a host, waits until its dashboard answers, and gives what kills it.
func (s *site) serve() (kill func()) {
	s.t.Helper()
	cmd := s.command("serve")
	var text bytes.Buffer
	cmd.Stderr = &text
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if s.t.Failed() {
			s.t.Logf("the host's log:\n%s", &text)
		}
	})
	s.t.Cleanup(kill)
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		res, err := http.Get(s.url("/"))
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return kill
			}
		}
		if time.Now().After(end) {
			kill()
			s.t.Fatalf("the dashboard does not answer: %v\n%s", err, &text)
		}
	}
}

func (s *site) url(path string) string { return "http://" + s.at + path }

// tab is a page in a browser, with all that the browser complains of and all that it asked for.
type tab struct {
	*site
	ctx context.Context

	mu       sync.Mutex
	troubles []string
	asked    []string
}

// open starts a browser of its own.
func (s *site) open() *tab {
	s.t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium(s.t)), chromedp.UserDataDir(s.t.TempDir()), chromedp.WindowSize(1200, 900))
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	all, stopAll := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, stop := chromedp.NewContext(all)
	s.t.Cleanup(func() {
		stop()
		stopAll()
	})
	b := &tab{site: s, ctx: ctx}
	b.do() // starts the browser
	if err := chromedp.Listen(ctx, b.hear); err != nil {
		s.t.Fatal(err)
	}
	call(b, network.Enable, network.EnableParams{})
	call(b, log.Enable, cdp.Empty{})
	call(b, runtime.Enable, cdp.Empty{})
	return b
}

func (b *tab) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *log.EventEntryAdded: // what breaks the policy is told here
		b.troubles = append(b.troubles, fmt.Sprintf("%s, %s: %s %s", e.Entry.Level, e.Entry.Source, e.Entry.Text, e.Entry.URL))
	case *runtime.EventConsoleAPICalled:
		b.troubles = append(b.troubles, "console: "+string(e.Type))
	case *runtime.EventExceptionThrown:
		b.troubles = append(b.troubles, fmt.Sprintf("exception: %s at %s:%d", e.ExceptionDetails.Text, e.ExceptionDetails.URL, e.ExceptionDetails.LineNumber))
	case *network.EventRequestWillBeSent:
		b.asked = append(b.asked, e.Request.URL)
	}
}

// heard is what the browser complained of, and how often it asked for something.
func (b *tab) heard() (troubles []string, asked int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string{}, b.troubles...), len(b.asked)
}

// quiet fails if the browser complained, or asked anybody but the dashboard.
func (b *tab) quiet() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.troubles {
		b.t.Errorf("the browser complains: %s", s)
	}
	for _, s := range b.asked {
		if !strings.HasPrefix(s, b.url("/")) {
			b.t.Errorf("the browser asked for %s", s)
		}
	}
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// call is a command of the browser's protocol.
func call[P, R any](b *tab, command cdp.Command[P, R], params P) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, command, params); err != nil {
		b.t.Fatal(err)
	}
}

// visit opens a page, and marks it so that a reload would be seen.
func (b *tab) visit(path string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.url(path)), chromedp.Evaluate[chromedp.Void]("window.mark = 'here'"))
}

// read is the value of an expression in the page.
func read[T any](b *tab, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// await waits until an expression is true in the page.
func (b *tab) await(what, expression string) {
	b.t.Helper()
	for end := time.Now().Add(patience); !read[bool](b, expression); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("not within %s: %s; the page is\n%s", patience, what, read[string](b, "document.documentElement.outerHTML"))
		}
	}
}

// stayed fails if the page was loaded again since visit.
func (b *tab) stayed() {
	b.t.Helper()
	if read[string](b, "String(window.mark)") != "here" {
		b.t.Error("the page was loaded again")
	}
}
