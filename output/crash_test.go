package output

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"testing"
	"time"
)

// children are what the test binary does as a child process.
func children() map[string]func(args []string) {
	all := map[string]func(args []string){
		"endless": writeEndlessly,
		"lines":   writeOnDemand,
	}
	for what, do := range platformChildren() {
		all[what] = do
	}
	return all
}

// lineAt returns the bytes [from, to) of an endless text whose lines are numbered and equally long.
func lineAt(from, to int64) []byte {
	width := int64(len(line(0)))
	var b []byte
	for i := from / width; i*width < to; i++ {
		b = append(b, line(i)...)
	}
	skip := from / width * width
	return b[from-skip : to-skip]
}

func line(i int64) string { return fmt.Sprintf("%012d é€😀\n", i) }

// writeEndlessly writes until it is killed. Args: folder, limit, bytes per write.
func writeEndlessly(args []string) {
	limit, _ := strconv.ParseInt(args[1], 10, 64)
	size, _ := strconv.ParseInt(args[2], 10, 64)
	rec := New("run", Config{Dir: args[0], Limit: limit, After: time.Millisecond})
	rec.Begin()
	for pos := int64(0); ; pos += size {
		if _, err := rec.Write(lineAt(pos, pos+size)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// TestKilled kills a process in the middle of its writing. What it left is exactly what is kept of the stream up to some byte.
func TestKilled(t *testing.T) {
	r := random(t)
	for range 8 {
		dir := t.TempDir()
		limit := MinLimit + r.Int64N(60<<10)
		size := 1 + r.Int64N(3000)
		cmd := child(t, "endless", dir, fmt.Sprint(limit), fmt.Sprint(size))
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		atLeast := r.Int64N(4 * limit)
		await(t, func() bool { return spooled(t, dir) >= atLeast })
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		cmd.Wait() // it was killed: there is nothing else to say
		k, ok, err := Recover(dir, "run", limit)
		if !ok || err != nil {
			t.Fatalf("Recover = %v, %v", ok, err)
		}
		got := content(t, k)
		n := k.Bytes
		if k.Cut > 0 {
			n += k.Cut - int64(len(cutLine(k.Cut)))
		}
		wanted, cut := want(n, lineAt, limit)
		if n < atLeast || cut != k.Cut || !bytes.Equal(got, wanted) {
			t.Fatalf("limit %d, %d bytes spooled (at least %d): kept %d, cut %d; want %d, cut %d", limit, n, atLeast, k.Bytes, k.Cut, len(wanted), cut)
		}
		if err := Remove(dir, "run"); err != nil {
			t.Fatal(err)
		}
		if left := fileNames(t, dir); left != "" {
			t.Fatalf("left: %s", left)
		}
	}
}

// spooled returns the length of the stream on disk, or -1 while there is none.
func spooled(t *testing.T, dir string) int64 {
	t.Helper()
	head, err := os.Stat(headPath(dir, "run"))
	if err != nil {
		return -1
	}
	segments, err := tails(dir, "run")
	if err != nil {
		t.Fatal(err)
	}
	if len(segments) == 0 {
		return head.Size()
	}
	return geometry{seg: head.Size() / 2}.start(segments[len(segments)-1])
}

func await(t *testing.T, what func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !what(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it never came")
		}
	}
}

// writeOnDemand writes what it reads, line by line, and then finishes and removes its spool. Args: folder.
func writeOnDemand(args []string) {
	rec := New("run", Config{Dir: args[0], Limit: MinLimit, After: time.Millisecond})
	rec.Begin()
	if _, err := io.Copy(rec, os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	rec.Finish()
	rec.Discard()
}

// TestFollowAnotherProcess sends each line only after the one before it was seen.
func TestFollowAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	cmd := child(t, "lines", dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	seen, w := io.Pipe()
	over := make(chan error, 1)
	exited := make(chan struct{})
	go func() {
		err := Follow(ctx, dir, "run", w, func() bool {
			select {
			case <-exited:
				return true
			default:
				return false
			}
		})
		w.Close()
		over <- err
	}()
	lines := bufio.NewScanner(seen)
	for i := range 6 {
		text := fmt.Sprintf("line %d, ä", i)
		fmt.Fprintln(in, text)
		if !lines.Scan() || lines.Text() != text {
			t.Fatalf("saw %q, want %q: %v", lines.Text(), text, lines.Err())
		}
	}
	fmt.Fprintln(in, "the last")
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	close(exited)
	if !lines.Scan() || lines.Text() != "the last" || lines.Scan() {
		t.Fatalf("saw %q at the end", lines.Text())
	}
	if err := <-over; err != nil && !errors.Is(err, ErrGone) {
		t.Fatal(err)
	}
}
