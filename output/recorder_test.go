package output

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestRandomStreams compares what is kept, at the end and at any moment, with the pure function of the whole stream.
func TestRandomStreams(t *testing.T) {
	r := random(t)
	for round := range 150 {
		limit := MinLimit + r.Int64N(40<<10)
		cfg := Config{Dir: t.TempDir(), Limit: limit, Inline: 1 + r.Int64N(limit)}
		if round%4 == 0 {
			cfg.Dir = ""
		}
		stream := text(r, r.IntN(6*int(limit)))
		if round%5 == 0 {
			for i := range stream {
				stream[i] = byte(r.Uint32()) // not UTF-8 at all
			}
		}
		rec := New("run", cfg)
		longest := 1 + r.IntN(int(limit))
		for rest := stream; len(rest) > 0; {
			n := min(len(rest), 1+r.IntN(longest))
			mustWrite(t, rec, rest[:n])
			rest = rest[n:]
			if cfg.Dir == "" || r.IntN(10) > 0 {
				continue
			}
			if size := folderSize(t, cfg.Dir); size > limit*5/4+5*segUnit {
				t.Fatalf("limit %d: the spool takes %d bytes", limit, size)
			}
			rec.mu.Lock() // as if its process were dead: the gather timer must not write meanwhile
			checkPartial(t, cfg.Dir, stream[:len(stream)-len(rest)], limit)
			rec.mu.Unlock()
		}
		k := mustFinish(t, rec)
		check(t, k, stream, limit)
		if inMemory := cfg.Dir == "" || k.Bytes <= cfg.Inline; inMemory != (k.File == "") {
			t.Fatalf("%d bytes kept, Inline %d, Dir %q: File = %q", k.Bytes, cfg.Inline, cfg.Dir, k.File)
		}
		if cfg.Dir != "" && int64(len(stream)) > cfg.Inline {
			again, ok, err := Recover(cfg.Dir, "run", limit)
			if !ok || err != nil {
				t.Fatalf("recover after finish: %v, %v", ok, err)
			}
			check(t, again, stream, limit)
		}
		rec.Discard()
		if cfg.Dir != "" && fileNames(t, cfg.Dir) != "" {
			t.Fatalf("left after Discard: %s", fileNames(t, cfg.Dir))
		}
	}
}

// checkPartial recovers a stream while it is written: that gives a stream that ended up to 32 KiB earlier.
func checkPartial(t *testing.T, dir string, written []byte, limit int64) {
	t.Helper()
	k, ok, err := Recover(dir, "run", limit)
	if err != nil {
		t.Fatal(err)
	}
	if !ok {
		return
	}
	n := k.Bytes
	if k.Cut > 0 {
		n += k.Cut - int64(len(cutLine(k.Cut)))
	}
	if n > int64(len(written)) || n < int64(len(written))-gatherBytes {
		t.Fatalf("%d bytes written, %d on disk", len(written), n)
	}
	check(t, k, written[:n], limit)
	if k.File != "" {
		if err := os.Remove(k.File); err != nil {
			t.Fatal(err)
		}
	}
}

func TestConcurrentWriters(t *testing.T) {
	const writers, lines = 8, 300
	dir := t.TempDir()
	rec := New("run", Config{Dir: dir, Inline: 1 << 10, After: time.Millisecond})
	rec.Begin()
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range lines {
				if _, err := fmt.Fprintf(rec, "%d:%d\n", w, i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	k := mustFinish(t, rec)
	next := [writers]int{}
	for line := range strings.Lines(string(content(t, k))) {
		var w, i int
		if _, err := fmt.Sscanf(line, "%d:%d\n", &w, &i); err != nil || i != next[w] {
			t.Fatalf("line %q: %v; want number %d", line, err, next[w])
		}
		next[w]++
	}
	for w, n := range next {
		if n != lines {
			t.Errorf("writer %d: %d of %d lines kept", w, n, lines)
		}
	}
	if k.File == "" || k.Cut != 0 {
		t.Errorf("File = %q, Cut = %d", k.File, k.Cut)
	}
}

func TestSpoolsOnceOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "deep", "spool")
		rec := New("run", Config{Dir: dir})
		rec.Begin()
		rec.Begin()
		onDisk := func() string {
			synctest.Wait()
			b, err := os.ReadFile(headPath(dir, "run"))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
			return string(b)
		}
		expect := func(when, want string) {
			t.Helper()
			if got := onDisk(); got != want {
				t.Fatalf("%s: %q on disk, want %q", when, got, want)
			}
		}
		mustWrite(t, rec, []byte("a"))
		time.Sleep(DefaultAfter - 1)
		expect("young", "")
		time.Sleep(1)
		expect("old", "a")
		mustWrite(t, rec, []byte("b"))
		expect("after a quiet time", "ab")
		mustWrite(t, rec, []byte("c"))
		mustWrite(t, rec, []byte("d"))
		expect("gathered", "ab")
		time.Sleep(gatherTime)
		expect("gather time over", "abcd")
		mustWrite(t, rec, []byte("e"))
		time.Sleep(2 * gatherTime)
		mustWrite(t, rec, []byte("f"))
		expect("quiet again", "abcdef")
		mustWrite(t, rec, []byte("g"))
		check(t, mustFinish(t, rec), []byte("abcdefg"), DefaultLimit)
		expect("finished", "abcdefg")
		if runtime.GOOS != "windows" {
			checkMode(t, dir, fs.ModeDir|0o700)
			checkMode(t, headPath(dir, "run"), 0o600)
		}
		rec.Discard()
		if left := fileNames(t, dir); left != "" {
			t.Fatalf("left: %s", left)
		}
	})
}

func checkMode(t *testing.T, path string, want fs.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != want {
		t.Errorf("%s has mode %v, want %v", path, info.Mode(), want)
	}
}

func TestShortRunTouchesNoFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	rec := New("run", Config{Dir: dir, After: time.Hour})
	rec.Begin()
	mustWrite(t, rec, []byte("hello"))
	check(t, mustFinish(t, rec), []byte("hello"), DefaultLimit)
	rec.Discard()
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("the spool folder: %v", err)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	r := random(t)
	rec := New("run", Config{Dir: t.TempDir(), Limit: 256 << 10, Inline: 16 << 10})
	ring := New("run", Config{Limit: 256 << 10})
	for range 400 {
		p := text(r, 1+r.IntN(20<<10))
		mustWrite(t, rec, p)
		mustWrite(t, ring, p)
		rec.mu.Lock()
		held := cap(rec.pending)
		rec.mu.Unlock()
		if held > gatherBytes {
			t.Fatalf("spooling: %d bytes held", held)
		}
		if got := cap(ring.ring.head) + cap(ring.ring.tail); got > 256<<10 {
			t.Fatalf("memory only: %d bytes held", got)
		}
	}
	rec.Discard()
}

func TestTakenFileOutlivesDiscard(t *testing.T) {
	dir := t.TempDir()
	stream := bytes.Repeat([]byte("0123456789"), 1000)
	for _, take := range []bool{true, false} {
		rec := New("run", Config{Dir: dir, Inline: 1 << 10})
		mustWrite(t, rec, stream)
		k := mustFinish(t, rec)
		taken := filepath.Join(t.TempDir(), "mine")
		if take {
			if err := os.Rename(k.File, taken); err != nil {
				t.Fatal(err)
			}
		}
		rec.Discard()
		rec.Discard()
		if left := fileNames(t, dir); left != "" {
			t.Errorf("take %v: left after Discard: %s", take, left)
		}
		if take {
			k.File = taken
			check(t, k, stream, DefaultLimit)
		}
	}
}

func TestAfterTheEnd(t *testing.T) {
	for _, dir := range []string{"", t.TempDir()} {
		rec := New("run", Config{Dir: dir})
		mustWrite(t, rec, []byte("x"))
		first := mustFinish(t, rec)
		second := mustFinish(t, rec)
		if first.Digest != second.Digest || string(second.Inline) != "x" {
			t.Errorf("second Finish = %+v", second)
		}
		if n, err := rec.Write([]byte("y")); n != 0 || !errors.Is(err, ErrFinished) {
			t.Errorf("Write after Finish = %d, %v", n, err)
		}
		rec = New("run", Config{Dir: dir})
		rec.Discard()
		rec.Begin()
		if _, err := rec.Finish(); !errors.Is(err, ErrFinished) {
			t.Errorf("Finish after Discard: %v", err)
		}
	}
}

func TestDiscardWhileSpooling(t *testing.T) {
	dir := t.TempDir()
	rec := New("run", Config{Dir: dir, Limit: MinLimit, Inline: 1})
	mustWrite(t, rec, make([]byte, 10*MinLimit))
	rec.Discard()
	if left := fileNames(t, dir); left != "" {
		t.Fatalf("left: %s", left)
	}
	if _, err := rec.Write([]byte("x")); !errors.Is(err, ErrFinished) {
		t.Fatalf("Write after Discard: %v", err)
	}
}

func TestNames(t *testing.T) {
	for _, name := range []string{"", ".", "..", "a.b", "a/b", `a\b`, "ä", "a b", "a\x00", strings.Repeat("a", maxName+1)} {
		dir := t.TempDir()
		rec := New(name, Config{Dir: dir, After: 1})
		rec.Begin()
		if n, err := rec.Write([]byte("x")); n != 0 || !errors.Is(err, ErrName) {
			t.Errorf("Write as %q = %d, %v", name, n, err)
		}
		if _, err := rec.Finish(); !errors.Is(err, ErrName) {
			t.Errorf("Finish as %q: %v", name, err)
		}
		rec.Discard()
		if _, ok, err := Recover(dir, name, 0); ok || !errors.Is(err, ErrName) {
			t.Errorf("Recover %q = %v, %v", name, ok, err)
		}
		if err := Remove(dir, name); !errors.Is(err, ErrName) {
			t.Errorf("Remove %q: %v", name, err)
		}
		if err := Follow(t.Context(), dir, name, nil, nil); !errors.Is(err, ErrName) {
			t.Errorf("Follow %q: %v", name, err)
		}
	}
	if err := checkName("0190f3c2-Az-" + strings.Repeat("a", maxName-12)); err != nil {
		t.Error(err)
	}
}

func TestLimits(t *testing.T) {
	for _, c := range []struct{ limit, want int64 }{
		{0, DefaultLimit}, {-1, DefaultLimit}, {1, MinLimit}, {5000, 5000}, {1 << 62, min(MaxLimit, math.MaxInt/4)},
	} {
		if got := (Config{Limit: c.limit}).complete().Limit; got != c.want {
			t.Errorf("limit %d becomes %d, want %d", c.limit, got, c.want)
		}
	}
	if got := (Config{Limit: MinLimit}).complete(); got.Inline != MinLimit || got.After != DefaultAfter {
		t.Errorf("completed: %+v", got)
	}
}

func BenchmarkWrite(b *testing.B) {
	for _, size := range []int{16, 4 << 10, 64 << 10} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			rec := New("run", Config{Dir: b.TempDir()})
			p := bytes.Repeat([]byte("x"), size)
			b.SetBytes(int64(size))
			for b.Loop() {
				if _, err := rec.Write(p); err != nil {
					b.Fatal(err)
				}
			}
			rec.Discard()
		})
	}
}
