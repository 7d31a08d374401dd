package output

import (
	"fmt"
	"io"
	"os"
	"unicode/utf8"
)

// cutRoom is what the longest cut line takes. It is set aside whatever the number is, because the number depends on it.
const cutRoom = int64(len("\n[... 9223372036854775807 bytes cut ...]\n"))

func cutLine(n int64) string { return fmt.Sprintf("\n[... %d bytes cut ...]\n", n) }

// span is a piece of a stream: the bytes [from, to), which r holds from its offset 0 on.
type span struct {
	from, to int64
	r        io.ReaderAt
}

// view is what is left of a stream of end bytes: spans in order, with possible gaps.
type view struct {
	spans []span
	end   int64
	files []*os.File
}

// add appends a piece; an empty one still says that the stream came this far.
func (v *view) add(from, length int64, r io.ReaderAt) {
	v.end = max(v.end, from+length)
	if length > 0 {
		v.spans = append(v.spans, span{from, from + length, r})
	}
}

func (v *view) close() {
	for _, f := range v.files {
		f.Close()
	}
}

// solid returns how far the stream is there without a gap from its start, and from where on it is there up to its end.
func (v *view) solid() (head, tail int64) {
	for _, s := range v.spans {
		if s.from > head {
			break
		}
		head = s.to
	}
	tail = v.end
	for i := len(v.spans) - 1; i >= 0; i-- {
		if v.spans[i].to < tail {
			break
		}
		tail = v.spans[i].from
	}
	return head, tail
}

// cut chooses what is kept: [0, head) and [tail, end). Nothing is cut when the two are equal.
func (v *view) cut(limit int64) (head, tail int64, err error) {
	solidHead, solidTail := v.solid()
	if solidHead == v.end && v.end <= limit {
		return v.end, v.end, nil
	}
	head = min(limit/2, solidHead)
	before, err := v.read(max(0, head-utf8.UTFMax+1), head)
	if err != nil {
		return 0, 0, err
	}
	head -= int64(unfinished(before))
	tail = max(v.end-(limit-head-cutRoom), solidTail)
	after, err := v.read(tail, min(v.end, tail+utf8.UTFMax-1))
	if err != nil {
		return 0, 0, err
	}
	return head, tail + int64(leftover(after)), nil
}

func (v *view) read(from, to int64) ([]byte, error) {
	b := make([]byte, to-from)
	_, err := io.ReadFull(v.section(from, to), b)
	if err != nil {
		return nil, fmt.Errorf("read bytes %d to %d: %w", from, to, err)
	}
	return b, nil
}

// section reads [from, to), which must lie in spans without a gap.
func (v *view) section(from, to int64) io.Reader {
	var parts []io.Reader
	for _, s := range v.spans {
		lo, hi := max(from, s.from), min(to, s.to)
		if lo < hi {
			parts = append(parts, io.NewSectionReader(s.r, lo-s.from, hi-lo))
		}
	}
	return io.MultiReader(parts...)
}

// unfinished counts the bytes at the end of b that begin a character and do not complete it.
func unfinished(b []byte) int {
	for i := 1; i < utf8.UTFMax && i <= len(b); i++ {
		last := b[len(b)-i:]
		if utf8.RuneStart(last[0]) {
			if utf8.FullRune(last) {
				return 0
			}
			return i
		}
	}
	return 0
}

// leftover counts the bytes at the start of b that complete a character begun before it.
func leftover(b []byte) int {
	n := 0
	for n < len(b) && n < utf8.UTFMax-1 && !utf8.RuneStart(b[n]) {
		n++
	}
	return n
}
