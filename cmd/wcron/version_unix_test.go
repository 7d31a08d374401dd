//go:build unix

package main

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/internal/guest"
)

// A host whose store is brought up to date by a program of the next version claims nothing more, lets its runs end and commits them,
// and exits with what to do; the newer one goes on.
func TestTwoVersionsOnOneStore(t *testing.T) {
	if os.Getenv("WCRON_CI") != "1" {
		t.Skip("builds the program a second time; set WCRON_CI=1")
	}
	t.Parallel()
	h := newHome(t, "")
	next := h.path("wcron-next")
	if out, err := exec.Command("go", "build", "-tags", "wcron_nextschema", "-o", next, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	h.drop("long", guest.Sleep(4*time.Second), "")
	h.drop("each", guest.Hello(), eachSecond)
	p := h.serve()
	s := h.store()
	h.awaitRun(s, "each", "that is ok", ended(claims.OK))
	h.at(0, "run", "long")
	long := h.awaitRun(s, "long", "in flight", ended(claims.Running))

	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	newer := exec.CommandContext(ctx, next, "serve", "-c", h.file())
	newer.Cancel = func() error { return newer.Process.Signal(os.Interrupt) }
	log := &strings.Builder{}
	newer.Stderr = log
	if err := newer.Start(); err != nil {
		t.Fatal(err)
	}
	<-p.ended
	if code := p.exit(); code != exitUnreachable || !strings.Contains(p.text(), "update this program") {
		t.Errorf("the older host ended with %d:\n%s", code, p.text())
	}
	audit := func() {
		t.Helper()
		if out, err := exec.Command(next, "audit", "-c", h.file()).CombinedOutput(); err != nil {
			t.Errorf("audit: %v\n%s", err, out)
		}
	}
	audit()
	if got := h.awaitRun(s, "long", "that has ended", func(r claims.Run) bool { return r.Outcome != claims.Running }); got.RunID != long.RunID || got.Outcome != claims.OK {
		t.Errorf("the older host's run: %+v", got)
	}
	owner := long.Owner
	h.awaitRun(s, "each", "by the newer host", func(r claims.Run) bool { return r.Owner != owner && r.Outcome == claims.OK })
	if out, code := h.wcron("list", "-c", h.file()); code != exitUnreachable || !strings.Contains(out, "update this program") {
		t.Errorf("a command of the older program ended with %d:\n%s", code, out)
	}
	stop()
	if err := newer.Wait(); err != nil && ctx.Err() == nil {
		t.Errorf("the newer host: %v\n%s", err, log)
	}
	audit()
}
