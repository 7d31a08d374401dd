package output

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestRecoverNothing(t *testing.T) {
	for _, dir := range []string{t.TempDir(), filepath.Join(t.TempDir(), "missing")} {
		if _, ok, err := Recover(dir, "run", 0); ok || err != nil {
			t.Errorf("Recover = %v, %v", ok, err)
		}
		if err := Remove(dir, "run"); err != nil {
			t.Error(err)
		}
		if err := Sweep(dir, nil); err != nil {
			t.Error(err)
		}
	}
}

// TestRecoverUnderOtherLimit has the limit changed between the crash and the recovery.
func TestRecoverUnderOtherLimit(t *testing.T) {
	r := random(t)
	for range 20 {
		dir := t.TempDir()
		stream := text(r, r.IntN(200<<10))
		rec := New("run", Config{Dir: dir, Limit: 40 << 10, Inline: 1})
		mustWrite(t, rec, stream)
		mustFinish(t, rec)
		smaller := MinLimit + r.Int64N(36<<10)
		k, ok, err := Recover(dir, "run", smaller)
		if ok != (len(stream) > 1) || err != nil {
			t.Fatalf("Recover = %v, %v", ok, err)
		}
		if ok {
			check(t, k, stream, smaller)
		}
		k, ok, err = Recover(dir, "run", 1<<20)
		if !ok || err != nil {
			continue
		}
		n := k.Bytes
		if k.Cut > 0 {
			n += k.Cut - int64(len(cutLine(k.Cut)))
		}
		if content(t, k); n != int64(len(stream)) {
			t.Fatalf("a greater limit: %d bytes kept and %d cut of %d", k.Bytes, k.Cut, len(stream))
		}
	}
}

func TestRecoverDamaged(t *testing.T) {
	for _, c := range []struct {
		what  string
		files map[string]string
		want  string
	}{
		{"no head", map[string]string{"run.tail.0": "tail"}, "\n[... 2048 bytes cut ...]\ntail"},
		{"torn head", map[string]string{"run.head": "head", "run.tail.1": "tail"}, "head\n[... 3068 bytes cut ...]\ntail"},
		{"empty head", map[string]string{"run.head": ""}, ""},
		{"empty tail", map[string]string{"run.head": "h", "run.tail.0": ""}, "h\n[... 2047 bytes cut ...]\n"},
		{"others", map[string]string{"run.head": "h", "run.tail.00": "x", "run.tail.-1": "x", "run.tail.9999999999999999999": "x", "run2.tail.0": "x", "run.tail.": "x", "run.tail.1.2": "x"}, "h"},
	} {
		dir := t.TempDir()
		for name, text := range c.files {
			writeFile(t, filepath.Join(dir, name), text)
		}
		k, ok, err := Recover(dir, "run", MinLimit)
		if !ok || err != nil || string(content(t, k)) != c.want {
			t.Errorf("%s: %q, %v, %v; want %q", c.what, k.Inline, ok, err, c.want)
		}
	}
	dir := t.TempDir()
	if err := os.Mkdir(headPath(dir, "run"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Recover(dir, "run", 0); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a folder as head: %v", err)
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestSweep(t *testing.T) {
	dir := t.TempDir()
	left := []string{"keep.head", "keep.tail.7", "keep.out", "README", "gone.txt", "gone", ".head", "gone.tail.x", "gone.tail.01"}
	removed := []string{"gone.head", "gone.tail.0", "gone.tail.12", "gone.out", "gone.part", "old.tail.3"}
	for _, name := range slices.Concat(left, removed) {
		writeFile(t, filepath.Join(dir, name), "x")
	}
	asked := map[string]int{}
	err := Sweep(dir, func(name string) bool {
		asked[name]++
		return name == "keep"
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(asked) != 3 || asked["keep"] != 1 || asked["gone"] != 1 || asked["old"] != 1 {
		t.Errorf("asked %v", asked)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	slices.Sort(left)
	if !slices.Equal(names, left) {
		t.Errorf("left %v, want %v", names, left)
	}
}

func TestSweepGoesOn(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "z.head"), "x")
	if err := os.MkdirAll(filepath.Join(dir, "a.head", "not empty"), 0o700); err != nil {
		t.Fatal(err)
	}
	err := Sweep(dir, func(string) bool { return false })
	if err == nil || !strings.Contains(err.Error(), "a.head") {
		t.Errorf("Sweep: %v", err)
	}
	if left := fileNames(t, dir); left != "a.head" {
		t.Errorf("left: %s", left)
	}
}

// FuzzRecover puts any bytes into files of any name: the result is whole and within the limit, or there is an error.
func FuzzRecover(f *testing.F) {
	f.Add([]byte("head"), []byte("tail"), "run.tail.0", "run.tail.1", int64(0))
	f.Add(make([]byte, 2048), make([]byte, 1024), "run.tail.5", "run.tail.6", int64(4096))
	f.Add(make([]byte, 2048), []byte("\x80\x80\x80\x80"), "run.tail.1099511627776", "run.tail.99999999999999", int64(1<<62))
	f.Add([]byte("\xf0\x9f\x98"), []byte{}, "run.head", "run.out", int64(-1))
	f.Add([]byte("head"), []byte("0"), "run.tail.107000000000", "run.tail.9223372036854775807", int64(1<<62))
	f.Fuzz(func(t *testing.T, head, tail []byte, first, second string, limit int64) {
		dir := t.TempDir()
		writeFile(t, headPath(dir, "run"), string(head))
		for _, name := range []string{first, second} {
			if filepath.Base(name) == name && filepath.IsLocal(name) {
				os.WriteFile(filepath.Join(dir, name), tail, 0o600) // a name that the system refuses is no file
			}
		}
		k, ok, err := Recover(dir, "run", limit)
		if err != nil || !ok {
			t.Fatalf("Recover = %v, %v", ok, err)
		}
		if content(t, k); k.Bytes > boundLimit(limit) || k.Cut < 0 {
			t.Fatalf("limit %d: %d bytes kept, %d cut", limit, k.Bytes, k.Cut)
		}
		if err := Remove(dir, "run"); err != nil {
			t.Fatal(err)
		}
		if _, ok, err := Recover(dir, "run", limit); ok || err != nil {
			t.Fatalf("after Remove: %v, %v", ok, err)
		}
	})
}
