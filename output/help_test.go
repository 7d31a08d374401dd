package output

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

const childVar = "OUTPUT_TEST_CHILD"

func TestMain(m *testing.M) {
	if what := os.Getenv(childVar); what != "" {
		children()[what](os.Args[1:])
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child prepares another process of this test binary that does one thing of children.
func child(t *testing.T, what string, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), childVar+"="+what)
	cmd.Stderr = os.Stderr
	return cmd
}

// random returns a generator that can be had again: OUTPUT_TEST_SEED=n go test.
func random(t *testing.T) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("OUTPUT_TEST_SEED"); s != "" {
		if _, err := fmt.Sscan(s, &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("OUTPUT_TEST_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// want is the specification: what is kept of a stream of n bytes, of which at tells any part.
func want(n int64, at func(from, to int64) []byte, limit int64) (kept []byte, cut int64) {
	if n <= limit {
		return at(0, n), 0
	}
	head := at(0, limit/2)
	for i := 1; i <= 3; i++ {
		if !utf8.FullRune(head[len(head)-i:]) {
			head = head[:len(head)-i]
			break
		}
	}
	longest := len("\n[... 9223372036854775807 bytes cut ...]\n")
	tail := at(n-(limit-int64(len(head))-int64(longest)), n)
	for i := 0; i < 3 && !utf8.RuneStart(tail[0]); i++ {
		tail = tail[1:]
	}
	cut = n - int64(len(head)) - int64(len(tail))
	return fmt.Appendf(nil, "%s\n[... %d bytes cut ...]\n%s", head, cut, tail), cut
}

func wantBytes(stream []byte, limit int64) ([]byte, int64) {
	return want(int64(len(stream)), func(from, to int64) []byte { return stream[from:to:to] }, limit)
}

// content reads what was kept, and checks what Kept says of it.
func content(t *testing.T, k Kept) []byte {
	t.Helper()
	b := k.Inline
	if k.File != "" {
		if k.Inline != nil {
			t.Fatalf("both inline and in %s", k.File)
		}
		var err error
		if b, err = os.ReadFile(k.File); err != nil {
			t.Fatal(err)
		}
	}
	sum := sha256.Sum256(b)
	if int64(len(b)) != k.Bytes || hex.EncodeToString(sum[:]) != k.Digest {
		t.Fatalf("%d bytes with digest %x do not match Kept{Bytes: %d, Digest: %s}", len(b), sum, k.Bytes, k.Digest)
	}
	return b
}

func check(t *testing.T, k Kept, stream []byte, limit int64) {
	t.Helper()
	got := content(t, k)
	wanted, cut := wantBytes(stream, limit)
	if !bytes.Equal(got, wanted) || k.Cut != cut {
		t.Fatalf("stream of %d bytes, limit %d: kept %d bytes, cut %d; want %d bytes, cut %d", len(stream), limit, len(got), k.Cut, len(wanted), cut)
	}
	if k.Bytes > limit {
		t.Fatalf("kept %d bytes, limit %d", k.Bytes, limit)
	}
}

// text returns n bytes of characters of all lengths, beginning and ending anywhere.
func text(r *rand.Rand, n int) []byte {
	alphabet := []string{"a", "b", "\n", "é", "ß", "€", "漢", "😀", "🚀"}
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(alphabet[r.IntN(len(alphabet))])
	}
	return []byte(b.String())[b.Len()-n:]
}

func folderSize(t *testing.T, dir string) (total int64) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			total += info.Size()
		}
	}
	return total
}

func fileNames(t *testing.T, dir string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range paths {
		paths[i] = filepath.Base(paths[i])
	}
	return strings.Join(paths, " ")
}

func mustWrite(t *testing.T, r *Recorder, p []byte) {
	t.Helper()
	if n, err := r.Write(p); n != len(p) || err != nil {
		t.Fatalf("Write(%d bytes) = %d, %v", len(p), n, err)
	}
}

func mustFinish(t *testing.T, r *Recorder) Kept {
	t.Helper()
	k, err := r.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return k
}
