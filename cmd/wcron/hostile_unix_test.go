//go:build unix

package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/internal/guest"
)

// hostile is one malformed thing in a plugin folder.
type hostile struct {
	file  string // its name
	make  func(t *testing.T, path string)
	check string // what wcron check says on the line that names it; empty: only a run can find out
	list  string // what wcron list gives as the reason of the job that it would be; empty: it is no job
}

func bytesOf(b []byte) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func must(f func(path string) error) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		if err := f(path); err != nil {
			t.Fatal(err)
		}
	}
}

func hostiles() []hostile {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write(guest.Hello())
	z.Close()
	elf := append([]byte("\x7fELF\x02\x01\x01\x00"), make([]byte, 200)...)
	whole := guest.WithManifest(guest.Hello(), eachSecond)
	all := []hostile{
		{"empty.wasm", bytesOf(nil), "empty", "; "},
		{"truncated.wasm", bytesOf(whole[:len(whole)/2]), "; ", "; "},
		{"magic.wasm", bytesOf(append([]byte("\x00wasm"), whole[5:]...)), "; ", "; "},
		{"component.wasm", bytesOf([]byte("\x00asm\x0d\x00\x01\x00")), "component", "component"},
		{"elf.wasm", bytesOf(elf), "; ", "; "},
		{"folder.wasm", must(func(p string) error { return os.Mkdir(p, 0o755) }), "folder", "; "},
		{"fifo.wasm", must(func(p string) error { return syscall.Mkfifo(p, 0o644) }), "; ", "; "},
		{"loop.wasm", must(func(p string) error { return os.Symlink(p, p) }), "; ", "; "},
		{"dangling.wasm", must(func(p string) error { return os.Symlink("nowhere", p) }), "; ", "; "},
		{"sparse.wasm", must(func(p string) error {
			f, err := os.Create(p)
			if err != nil {
				return err
			}
			defer f.Close()
			return f.Truncate(1 << 30)
		}), "; ", "; "},
		{"mystery.wasm", bytesOf(guest.WithManifest(guest.ImportUnknown(), eachSecond)), "imports", "imports"},
		{"noentry.wasm", bytesOf(guest.WithManifest(guest.NoEntry(), eachSecond)), "_start", "_start"},
		{"startloop.wasm", bytesOf(guest.WithManifest(guest.StartLoop(), eachSecond+"timeout = \"200ms\"\n")), "", ""},
		{"memory.wasm", bytesOf(guest.WithManifest(guest.MemoryMin(65535), eachSecond)), "memory", "memory"},
		{"manifest.wasm", bytesOf(guest.WithManifest(guest.Hello(), "schedule = 5\n")), ":1:12: ", "; "},
		{"schedule.wasm", bytesOf(guest.WithManifest(guest.Hello(), "schedule = \"61 * * * *\"\n")), "minute", "minute"},
		{"html.wasm", bytesOf([]byte("<!doctype html><html>404</html>")), "HTML", "HTML"},
		{"gzip.wasm", bytesOf(zipped.Bytes()), "gzip", "gzip"},
		{"a name.wasm", bytesOf(whole), "; ", ""},
		{"lonely.toml", bytesOf([]byte(eachSecond)), "; ", ""},
		{"sidecar.toml", bytesOf([]byte("[[[")), ":1:", ""}, // of the next one
		{"sidecar.wasm", bytesOf(guest.Hello()), "", "; "},
	}
	if runtime.GOOS == "linux" { // others refuse such a name, or change it
		all = append(all, hostile{"n\xff\xfe.wasm", bytesOf(whole), "; ", ""})
	}
	if os.Getuid() != 0 { // nothing is unreadable for root
		all = append(all, hostile{"unreadable.wasm", must(func(p string) error { return os.WriteFile(p, whole, 0) }), "; ", "; "})
	}
	return all
}

// TestHostileFolder drops all that is malformed into the folder of a running host: each thing is reported by name with what to do
// about it, and a healthy job beside it goes on each second.
func TestHostileFolder(t *testing.T) {
	t.Parallel()
	h := newHome(t, "")
	h.drop("healthy", guest.Hello(), eachSecond)
	p := h.serve()
	s := h.store()
	h.awaitRun(s, "healthy", "that is ok", ended(claims.OK))
	for _, x := range hostiles() {
		x.make(t, h.path("plugins", x.file))
	}
	h.awaitRun(s, "startloop", "that reached its deadline", ended(claims.Timeout))
	h.awaitReasons()
	seen := len(h.runs(s, "healthy"))
	h.await("the healthy job goes on", func() bool { return len(h.runs(s, "healthy")) >= seen+3 })
	h.checkReports()
	p.stop()

	slots, err := s.Slots(context.Background(), claims.SlotQuery{Job: "healthy", Limit: -1})
	if err != nil {
		t.Fatal(err)
	}
	for _, slot := range slots {
		if slot.Verdict != claims.Verdict(claims.OK) || slot.Count != 1 {
			t.Errorf("slot %s of the healthy job: verdict %q, count %d: %s", slot.Slot.ID, slot.Verdict, slot.Count, slot.Reason)
		}
	}
	h.audit(s)
}

// awaitReasons waits until the host tells of every job that it cannot run, and why.
func (h home) awaitReasons() {
	h.t.Helper()
	missing := ""
	h.await("wcron list gives a reason for each malformed plugin", func() bool {
		out, code := h.wcron("list", "--json", "-c", h.file())
		if code != 0 {
			h.t.Fatalf("wcron list: exit code %d: %s", code, out)
		}
		reasons := map[string]string{}
		for line := range strings.Lines(out) {
			var j struct{ Job, State, Reason string }
			if err := json.Unmarshal([]byte(line), &j); err != nil {
				h.t.Fatalf("%s: %v", line, err)
			}
			if j.State == "broken" {
				reasons[j.Job] = j.Reason
			}
		}
		for _, x := range hostiles() {
			name := strings.TrimSuffix(x.file, filepath.Ext(x.file))
			if x.list != "" && !strings.Contains(reasons[name], x.list) {
				if missing != name {
					missing = name
					h.t.Logf("waiting for %s, of which %q is told", name, reasons[name])
				}
				return false
			}
		}
		return true
	})
}

// checkReports looks at what wcron check says of each thing.
func (h home) checkReports() {
	h.t.Helper()
	out, code := h.wcron("check", "-c", h.file())
	if code != exitBad {
		h.t.Errorf("wcron check: exit code %d", code)
	}
	for _, x := range hostiles() {
		if x.check == "" {
			continue
		}
		named := strings.ToValidUTF8(x.file, "")
		told := false
		for line := range strings.Lines(out) {
			told = told || (strings.Contains(line, x.check) && strings.Contains(line, "; ") && names(line, named))
		}
		if !told {
			h.t.Errorf("wcron check does not tell of %s (%q):\n%s", x.file, x.check, out)
		}
	}
	if strings.Contains(out, "healthy") {
		h.t.Errorf("wcron check complains of the healthy job:\n%s", out)
	}
}

// names reports whether a line names a file, whose unprintable bytes may be written in some other way.
func names(line, file string) bool {
	if strings.Contains(line, "/"+file) || strings.Contains(line, " "+file) {
		return true
	}
	return strings.HasPrefix(file, "n.") && strings.Contains(line, ".wasm") && (strings.Contains(line, `/n\x`) || strings.Contains(line, "/n\uFFFD"))
}
