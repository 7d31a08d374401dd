package output

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
)

func platformChildren() map[string]func(args []string) {
	return map[string]func(args []string){"full": fillDisk}
}

const fileMax = 10000

// fillDisk writes to a disk on which no file may be longer than fileMax. Args: folder.
func fillDisk(args []string) {
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: fileMax, Max: fileMax}); err != nil {
		fmt.Println("setrlimit:", err)
		return
	}
	rec := New("run", Config{Dir: args[0], Inline: 5000})
	taken := 0
	var first error
	for range 100 {
		n, err := rec.Write(bytes.Repeat([]byte("x"), 1000))
		taken += n
		if err != nil {
			first = err
			break
		}
	}
	n, again := rec.Write([]byte("y"))
	k, err := rec.Finish()
	fmt.Printf("full %v, said %v, sticky %v, finish %v, lost %d, inline %v\n", errors.Is(first, syscall.EFBIG),
		strings.Contains(fmt.Sprint(first), "free space"), n == 0 && errors.Is(again, ErrDisk), errors.Is(err, ErrDisk),
		int64(taken)-(k.Bytes-int64(len(cutLine(k.Cut)))+k.Cut), k.Cut > 0 && k.Bytes <= 5000 && k.File == "")
	rec.Discard()
}

// TestDiskFull fills the disk of a child process: it is told so, again and again, and keeps what a full disk allows.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	cmd := child(t, "full", dir)
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if want := "full true, said true, sticky true, finish true, lost 0, inline true\n"; out.String() != want {
		t.Fatalf("got  %swant %s", out.String(), want)
	}
	if left := fileNames(t, dir); left != "" {
		t.Fatalf("left: %s", left)
	}
}

// TestWriteDevFull has the spool's own file on a full device.
func TestWriteDevFull(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	rec := New("run", Config{Dir: t.TempDir(), Inline: 1})
	mustWrite(t, rec, []byte("head"))
	rec.spool.f.Close()
	rec.spool.f = full
	_, err = rec.Write(make([]byte, 2*gatherBytes))
	if !errors.Is(err, ErrDisk) || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("Write = %v", err)
	}
	k, err := rec.Finish()
	if !errors.Is(err, ErrDisk) || !bytes.HasPrefix(content(t, k), []byte("head")) {
		t.Fatalf("Finish = %d bytes, %v", k.Bytes, err)
	}
	rec.Discard()
}
