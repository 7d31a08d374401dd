package sandbox

import (
	"context"
	"io"
	"os/exec"
	"testing"
	"time"

	"github.com/wcron/wcron/internal/guest"
)

// BenchmarkStartBesideProcess starts a guest that greets and a process that does nothing in turn, so that both meet the same
// machine, and reports how many times longer the process takes.
func BenchmarkStartBesideProcess(b *testing.B) {
	path, err := exec.LookPath("true")
	if err != nil {
		b.Skip("no true(1) here: install coreutils")
	}
	m := compile(b, newEngine(b, Config{}), guest.Hello())
	var inGuest, inProcess time.Duration
	for b.Loop() {
		begun := time.Now()
		if res := m.Run(context.Background(), Run{Args: []string{"x"}, Stdout: io.Discard, Timeout: time.Minute}); res.Outcome != OK {
			b.Fatal(res)
		}
		between := time.Now()
		if err := exec.Command(path).Run(); err != nil {
			b.Fatal(err)
		}
		inGuest += between.Sub(begun)
		inProcess += time.Since(between)
	}
	b.ReportMetric(float64(inGuest.Microseconds())/float64(b.N), "us/guest")
	b.ReportMetric(float64(inProcess.Microseconds())/float64(b.N), "us/process")
	b.ReportMetric(float64(inProcess)/float64(inGuest), "process/guest")
}
