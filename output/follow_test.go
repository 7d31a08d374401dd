package output

import (
	"bytes"
	"context"
	"errors"
	"regexp"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"
)

var cutLines = regexp.MustCompile(`\n\[\.\.\. (\d+) bytes cut \.\.\.\]\n`)

// checkFollowed compares a live view with the stream: pieces of it, and cut lines that account for every byte between them.
func checkFollowed(t *testing.T, seen, stream []byte) (cuts int) {
	t.Helper()
	pos := 0
	piece := func(b []byte) {
		t.Helper()
		if pos+len(b) > len(stream) || !bytes.Equal(b, stream[pos:pos+len(b)]) {
			t.Fatalf("the %d bytes at %d are not those of the stream", len(b), pos)
		}
		if cuts > 0 && !utf8.Valid(b) {
			t.Fatalf("the %d bytes at %d begin or end within a character", len(b), pos)
		}
		pos += len(b)
	}
	from := 0
	for _, m := range cutLines.FindAllSubmatchIndex(seen, -1) {
		piece(seen[from:m[0]])
		n, err := strconv.Atoi(string(seen[m[2]:m[3]]))
		if err != nil {
			t.Fatal(err)
		}
		pos += n
		from = m[1]
		cuts++
	}
	piece(seen[from:])
	if pos != len(stream) {
		t.Fatalf("seen and cut: %d bytes of %d", pos, len(stream))
	}
	return cuts
}

// TestFollowRandom follows writers of all speeds, with the times of a synctest bubble.
func TestFollowRandom(t *testing.T) {
	r := random(t)
	behind, whole := 0, 0
	for range 40 {
		dir := t.TempDir()
		limit := MinLimit + r.Int64N(20<<10)
		fast := r.IntN(2) == 0
		synctest.Test(t, func(t *testing.T) {
			rec := New("run", Config{Dir: dir, Limit: limit, Inline: 1 + r.Int64N(limit)})
			rec.Begin()
			var seen bytes.Buffer
			over := make(chan error, 1)
			finished := make(chan struct{})
			go func() {
				over <- Follow(t.Context(), dir, "run", &seen, func() bool {
					select {
					case <-finished:
						return true
					default:
						return false
					}
				})
			}()
			stream := text(r, 1+r.IntN(10*int(limit)))
			stream = append(stream, "the end"...)
			for rest := stream; len(rest) > 0; {
				n := min(len(rest), 1+r.IntN(int(limit/4)))
				mustWrite(t, rec, rest[:n])
				rest = rest[n:]
				if fast {
					time.Sleep(time.Duration(r.IntN(int(20 * time.Millisecond))))
				} else {
					time.Sleep(time.Duration(r.IntN(int(200 * time.Millisecond))))
				}
			}
			time.Sleep(DefaultAfter)
			mustFinish(t, rec)
			close(finished)
			if err := <-over; err != nil {
				t.Fatal(err)
			}
			if checkFollowed(t, seen.Bytes(), stream) > 0 {
				behind++
			} else {
				whole++
			}
			rec.Discard()
		})
	}
	if behind == 0 || whole == 0 {
		t.Errorf("%d fell behind, %d did not: both must be seen", behind, whole)
	}
}

// TestFollowDelay writes now and then: each write is seen about a tenth of a second later.
func TestFollowDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		rec := New("run", Config{Dir: dir})
		rec.Begin()
		ctx, cancel := context.WithCancel(t.Context())
		var seen bytes.Buffer
		over := make(chan error, 1)
		go func() { over <- Follow(ctx, dir, "run", &seen, func() bool { return false }) }()
		time.Sleep(DefaultAfter)
		var stream []byte
		for range 20 {
			mustWrite(t, rec, []byte("ab\n"))
			mustWrite(t, rec, []byte("c€"))
			stream = append(stream, "ab\nc€"...)
			time.Sleep(pollTime + gatherTime + time.Millisecond)
			synctest.Wait()
			if !bytes.Equal(seen.Bytes(), stream) {
				t.Fatalf("seen %q, want %q", seen.Bytes(), stream)
			}
		}
		cancel()
		if err := <-over; !errors.Is(err, context.Canceled) {
			t.Fatalf("Follow: %v", err)
		}
		rec.Discard()
	})
}

func TestFollowGone(t *testing.T) {
	for _, c := range []struct {
		what  string
		bytes int
		want  error
	}{
		{"a spool that never was", 0, ErrGone},
		{"a head that is not full", 1000, nil},
		{"a head that may have had a tail", MinLimit / 2, ErrGone},
		{"a tail that is not full", MinLimit/2 + 10, nil},
		{"a tail that may have had another", MinLimit, ErrGone},
	} {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			rec := New("run", Config{Dir: dir, Limit: MinLimit, Inline: 1})
			stream := bytes.Repeat([]byte("x"), c.bytes)
			mustWrite(t, rec, stream)
			time.Sleep(gatherTime)
			over := make(chan error, 1)
			var finished atomic.Bool
			var seen bytes.Buffer
			go func() { over <- Follow(t.Context(), dir, "run", &seen, finished.Load) }()
			synctest.Wait() // it has read all and waits
			mustFinish(t, rec)
			rec.Discard()
			finished.Store(true)
			if err := <-over; !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", c.what, err, c.want)
			}
			if !bytes.Equal(seen.Bytes(), stream) {
				t.Errorf("%s: saw %d bytes of %d", c.what, seen.Len(), c.bytes)
			}
		})
	}
}

// TestFollowFullButThere is not in doubt about a full file whose spool still exists.
func TestFollowFullButThere(t *testing.T) {
	dir := t.TempDir()
	rec := New("run", Config{Dir: dir, Limit: MinLimit, Inline: 1})
	stream := bytes.Repeat([]byte("x"), MinLimit/2)
	mustWrite(t, rec, stream)
	mustFinish(t, rec)
	var seen bytes.Buffer
	if err := Follow(t.Context(), dir, "run", &seen, func() bool { return true }); err != nil {
		t.Fatal(err)
	}
	checkFollowed(t, seen.Bytes(), stream)
	rec.Discard()
}

type brokenWriter struct{}

var errBroken = errors.New("broken")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestFollowWriterError(t *testing.T) {
	dir := t.TempDir()
	rec := New("run", Config{Dir: dir, Inline: 1})
	mustWrite(t, rec, []byte("some text"))
	err := Follow(t.Context(), dir, "run", brokenWriter{}, func() bool { return false })
	if !errors.Is(err, errBroken) {
		t.Fatalf("Follow: %v", err)
	}
	rec.Discard()
}
