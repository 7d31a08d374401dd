package plugins

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/wcron/wcron/internal/guest"
)

// good is a plugin that runs each day.
func good() []byte { return guest.WithManifest(guest.Greet("x"), daily) }

// hostile is a file that is no plugin, and what is said about it.
type hostile struct {
	name  string
	make  func(w world, path string)
	says  []string
	state string // of the job of that name; "" if there is none
}

func content(b []byte) func(world, string) {
	return func(w world, path string) { w.must(os.WriteFile(path, b, 0o600)) }
}

func manifest(toml string) func(world, string) {
	return content(guest.WithManifest(guest.Greet("x"), toml))
}

func hostiles() []hostile {
	wasm := good()
	return []hostile{
		{"empty.wasm", content(nil), []string{"empty"}, "broken"},
		{"magic.wasm", content([]byte("\x00asn\x01\x00\x00\x00")), []string{"not a WebAssembly module"}, "broken"},
		{"short.wasm", content([]byte("\x00asm\x01")), []string{"written to its end"}, "broken"},
		{"cut.wasm", content(wasm[:len(wasm)/2]), []string{"cut off"}, "broken"},
		{"component.wasm", content([]byte("\x00asm\x0d\x00\x01\x00")), []string{"component", "wasip1"}, "broken"},
		{"elf.wasm", content([]byte("\x7fELF\x02\x01\x01\x00")), []string{"native program"}, "broken"},
		{"gzip.wasm", content([]byte("\x1f\x8b\x08\x00")), []string{"gzip"}, "broken"},
		{"page.wasm", content([]byte("<!DOCTYPE html><html></html>")), []string{"HTML"}, "broken"},
		{"text.wasm", content([]byte("hello")), []string{"text"}, "broken"},
		{"bomb.wasm", content([]byte("\x00asm\x01\x00\x00\x00\x0b\x05\xff\xff\xff\xff\x0f")), []string{"announced"}, "broken"},
		{"folder.wasm", func(w world, path string) { w.must(os.Mkdir(path, 0o700)) }, []string{"folder"}, "broken"},
		{"sparse.wasm", sparse, []string{"1 GiB", "64 MiB"}, "broken"},
		{"long.wasm", manifest("#" + strings.Repeat("x", 65<<10)), []string{"manifest", "64 KiB"}, "broken"},
		{"toml.wasm", manifest("schedule = "), []string{"manifest", ":1:"}, "broken"},
		{"binary.wasm", manifest("\xff\xfe"), []string{"manifest", "UTF-8"}, "broken"},
		{"key.wasm", manifest("plugin = \"x.wasm\""), []string{"manifest", "plugin"}, "broken"},
		{"spec.wasm", manifest("schedule = \"61 * * * *\""), []string{"schedule", "61"}, "broken"},
		{"never.wasm", manifest("schedule = \"0 0 31 2 *\""), []string{"schedule"}, "broken"},
		{"zone.wasm", manifest(daily + "timezone = \"Europe/Berlino\""), []string{"timezone"}, "broken"},
		{"memory.wasm", content(guest.WithManifest(guest.MemoryMin(32), daily+"memory = \"1MiB\"")),
			[]string{"2 MiB", "1 MiB", "2MiB", "manifest"}, "broken"},
		{"side.wasm", func(w world, path string) {
			content(wasm)(w, path)
			content([]byte("schedule = 3"))(w, strings.TrimSuffix(path, "wasm")+"toml")
		}, []string{"schedule"}, "broken"},
		{"hugeside.wasm", func(w world, path string) {
			content(wasm)(w, path)
			content(bytes.Repeat([]byte("#"), 65<<10))(w, strings.TrimSuffix(path, "wasm")+"toml")
		}, []string{"64 KiB"}, "broken"},
		{"a name.wasm", content(wasm), []string{"name", "rename"}, ""},
		{"-dash.wasm", content(wasm), []string{"name", "rename"}, ""},
		{strings.Repeat("n", 70) + ".wasm", content(wasm), []string{"name"}, ""},
		{"LOUD.WASM", content(wasm), []string{"small letters"}, ""},
		{"lonely.toml", content([]byte(daily)), []string{"lonely.wasm"}, ""},
	}
}

// sparse has a size, and takes no room.
func sparse(w world, path string) {
	f, err := os.Create(path)
	w.must(err)
	w.must(f.Truncate(1 << 30))
	w.must(f.Close())
}

func (w world) wantHostile(set *Set, h hostile) {
	w.Helper()
	file := strings.TrimSuffix(h.name, "wasm")
	if h.state == "" {
		file = strings.Trim(strconv.Quote(h.name), `"`)
	}
	w.wantProblem(set, file, h.says...)
	j, ok := set.Job(strings.TrimSuffix(h.name, ".wasm"))
	switch {
	case h.state == "" && ok:
		w.Errorf("%s is the job %+v", h.name, j)
	case h.state != "" && (!ok || j.State.String() != h.state || j.Reason == "" || j.Remedy == ""):
		w.Errorf("%s: job %v %v, reason %q, remedy %q", h.name, ok, j.State, j.Reason, j.Remedy)
	}
}

// Each broken thing is told by its name and with a remedy, and none keeps the others from running.
func TestHostileFilesAreReported(t *testing.T) {
	list := append(hostiles(), hostilesHere(t)...)
	w := newWorld(t, "")
	w.write("plugins/fine.wasm", good())
	for _, h := range list {
		h.make(w, w.path("plugins/"+h.name))
	}
	s := w.open()
	for _, set := range []*Set{w.check(), s.Snapshot()} {
		for _, h := range list {
			w.wantHostile(set, h)
		}
		if j := w.job(set, "fine"); j.State != Active || j.Reason != "" {
			t.Errorf("the sound plugin is %v: %s", j.State, j.Reason)
		}
	}
	rev := s.Snapshot().Rev
	if set := s.step(); set.Rev != rev {
		t.Errorf("a second look found something new:\n%s", dump(set))
	}
}

// A file that goes bad leaves its last good version in use.
func TestGoodVersionGoesOn(t *testing.T) {
	for _, h := range append(hostiles(), hostilesHere(t)...) {
		if h.state == "" || h.name == "spec.wasm" || h.name == "never.wasm" || h.name == "memory.wasm" {
			continue // no job, or a sound file whose wish cannot be met
		}
		w := newWorld(t, "")
		w.write("plugins/"+h.name, good())
		s := w.open()
		name := strings.TrimSuffix(h.name, ".wasm")
		before := w.job(s.Snapshot(), name)
		w.remove("plugins/" + h.name)
		h.make(w, w.path("plugins/"+h.name))
		set := s.step()
		j := w.job(set, name)
		if j.State != Active || j.Digest != before.Digest || !strings.Contains(j.Reason, "goes on") || j.Remedy == "" {
			t.Errorf("%s: %v, digest %.8s (was %.8s), %q, %q", h.name, j.State, j.Digest, before.Digest, j.Reason, j.Remedy)
		}
		w.wantProblem(set, name, h.says...)
		w.must(os.RemoveAll(w.path("plugins/" + h.name)))
		os.Remove(w.path("plugins/" + name + ".toml"))
		w.write("plugins/"+h.name, guest.WithManifest(guest.Greet("mended"), daily))
		if j = w.job(s.step(), name); j.State != Active || j.Digest == before.Digest || j.Reason != "" {
			t.Errorf("%s mended: %v, %q", h.name, j.State, j.Reason)
		}
	}
}

func TestOtherFilesArePassedOver(t *testing.T) {
	w := newWorld(t, "")
	w.write("plugins/fine.wasm", good())
	for _, name := range []string{
		".fine.wasm.swp", ".hidden.wasm", ".wasm", ".toml", "fine.wasm~", "#fine.toml#", ".#fine.toml", "fine.wasm.tmp", "4913", "README",
		"fine.wasm.part", "fine.wat", "notes.txt", "#fine.wasm#", ".wcron-new-12.wasm", "fine.toml.bak",
	} {
		content([]byte("nothing"))(w, w.path("plugins/"+name))
	}
	w.must(os.Mkdir(w.path("plugins/sub"), 0o700))
	content([]byte("nothing"))(w, w.path("plugins/sub/deep.wasm"))
	set := w.check()
	if names(set) != "fine:active" || len(set.Problems) > 0 {
		t.Errorf("got:\n%s", dump(set))
	}
}

func TestHostFileInThePluginFolderIsNoSidecar(t *testing.T) {
	w := newWorld(t, "plugins = \".\"\n")
	w.write("fine.wasm", good())
	set := w.check()
	if names(set) != "fine:active" || len(set.Problems) > 0 {
		t.Errorf("got:\n%s", dump(set))
	}
}

func TestNamesThatDifferOnlyInCase(t *testing.T) {
	w := newWorld(t, "[jobs.other]\nplugin = \"Twin.wasm\"\n"+daily)
	for _, name := range []string{"Hello", "hello", "HELLO", "Twin", "twin", "Other"} {
		w.write("plugins/"+name+".wasm", good())
	}
	if entries, err := os.ReadDir(w.plugins); err != nil || len(entries) < 6 {
		t.Skip("this file system does not tell such names apart")
	}
	set := w.check()
	if got, want := names(set), "HELLO:broken Hello:broken Other:broken Twin:broken hello:active other:active twin:active"; got != want {
		t.Errorf("jobs %s, want %s", got, want)
	}
	for _, name := range []string{"HELLO", "Hello", "Other"} {
		w.wantProblem(set, name+".wasm", "only in case", "rename")
	}
}

func TestNameTakenByAnotherPlugin(t *testing.T) {
	w := newWorld(t, "[jobs.a]\nplugin = \"b.wasm\"\n"+daily)
	w.write("plugins/a.wasm", good())
	w.write("plugins/b.wasm", good())
	set := w.check()
	if names(set) != "a:active b:active" {
		t.Errorf("jobs %s", names(set))
	}
	w.wantProblem(set, "a.wasm", "job a", "b.wasm", "rename")
}

func TestMemoryOfTheOperatorCounts(t *testing.T) {
	w := newWorld(t, "[caps]\nmemory = \"1MiB\"\n[jobs.b]\nmemory = \"2MiB\"\n")
	wasm := guest.WithManifest(guest.MemoryMin(32), daily+"memory = \"4MiB\"")
	w.write("plugins/a.wasm", wasm)
	w.write("plugins/b.wasm", wasm)
	set := w.check()
	if names(set) != "a:broken b:active" {
		t.Errorf("jobs %s\n%s", names(set), dump(set))
	}
	w.wantProblem(set, "a.wasm", "2 MiB", "1 MiB", "[caps]", `"2MiB"`, "[jobs.a]")
	if j := w.job(set, "b"); j.MinMemory != 2<<20 {
		t.Errorf("MinMemory %d", j.MinMemory)
	}
}
