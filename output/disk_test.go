package output

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func fileInsteadOfFolder(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "spool")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestNoSpoolFolder(t *testing.T) {
	dir := fileInsteadOfFolder(t)
	rec := New("run", Config{Dir: dir, Inline: 10})
	mustWrite(t, rec, []byte("0123456789"))
	for range 2 {
		n, err := rec.Write([]byte("lost"))
		if n != 0 || !errors.Is(err, ErrDisk) || !strings.Contains(err.Error(), dir) {
			t.Fatalf("Write = %d, %v", n, err)
		}
	}
	k, err := rec.Finish()
	if !errors.Is(err, ErrDisk) {
		t.Fatalf("Finish: %v", err)
	}
	check(t, k, []byte("0123456789"), MinLimit)
	rec.Discard()
}

// TestTimerError has nobody to return the error to: the next write and Finish tell it.
func TestTimerError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := New("run", Config{Dir: fileInsteadOfFolder(t)})
		rec.Begin()
		mustWrite(t, rec, []byte("early"))
		time.Sleep(DefaultAfter)
		synctest.Wait()
		if n, err := rec.Write([]byte("late")); n != 0 || !errors.Is(err, ErrDisk) {
			t.Errorf("Write = %d, %v", n, err)
		}
		k, err := rec.Finish()
		if !errors.Is(err, ErrDisk) || string(k.Inline) != "early" {
			t.Errorf("Finish = %q, %v", k.Inline, err)
		}
	})
}

// TestFolderLost takes the folder away in the middle: new segments cannot be made, and what is in memory is still kept.
func TestFolderLost(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	rec := New("run", Config{Dir: dir, Limit: MinLimit, Inline: 1})
	mustWrite(t, rec, []byte("first"))
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Skip("an open folder cannot be moved here:", err)
	}
	var err error
	for i := 0; err == nil && i < 100; i++ {
		_, err = rec.Write(make([]byte, 1000))
	}
	if !errors.Is(err, ErrDisk) {
		t.Fatalf("Write: %v", err)
	}
	k, err := rec.Finish()
	if !errors.Is(err, ErrDisk) || k.Cut == 0 || k.Bytes > MinLimit {
		t.Fatalf("Finish = %d bytes, %d cut, %v", k.Bytes, k.Cut, err)
	}
	content(t, k)
}

// TestFinishCannotStore saves what fits into memory when the finished file cannot be made.
func TestFinishCannotStore(t *testing.T) {
	dir := t.TempDir()
	rec := New("run", Config{Dir: dir, Limit: 64 << 10, Inline: 8 << 10})
	stream := text(random(t), 30<<10)
	mustWrite(t, rec, stream)
	if err := os.MkdirAll(filepath.Join(partPath(dir, "run"), "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	k, err := rec.Finish()
	if !errors.Is(err, ErrDisk) || k.File != "" {
		t.Fatalf("Finish = %q, %v", k.File, err)
	}
	check(t, k, stream, 8<<10)
	rec.Discard()
}

func TestTwoRecordersOneName(t *testing.T) {
	dir := t.TempDir()
	first := New("run", Config{Dir: dir, Inline: 1})
	mustWrite(t, first, []byte("first"))
	second := New("run", Config{Dir: dir, Inline: 1})
	if _, err := second.Write([]byte("second")); !errors.Is(err, os.ErrExist) {
		t.Fatalf("Write: %v", err)
	}
	second.Discard()
	if k := mustFinish(t, first); string(content(t, k)) != "first" {
		t.Fatalf("first kept %q", content(t, k))
	}
	first.Discard()
}

// An abandoned spool takes no room any more, also while a reader has it open.
func TestAbandonedSpoolTakesNoRoom(t *testing.T) {
	dir := t.TempDir()
	r := New("run", Config{Dir: dir, Limit: 1 << 20, After: time.Nanosecond})
	r.Begin()
	if _, err := r.Write([]byte(strings.Repeat("x", 300_000))); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no spool: %v %v", files, err)
	}
	var open []*os.File
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		open = append(open, f)
	}
	r.Abandon()
	for _, f := range open {
		if info, err := f.Stat(); err != nil || info.Size() > 0 {
			t.Errorf("%s has %d bytes, %v", f.Name(), info.Size(), err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
	if _, err := r.Finish(); err == nil {
		t.Error("an abandoned recording has a result")
	}
}
