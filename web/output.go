package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/wcron/wcron/admin"
)

// How much of an output a page shows, and how much of one it reads for that.
const (
	headShown = 16 << 10
	tailShown = 48 << 10
	mostRead  = 64 << 20
)

// printed is an output on a page.
type printed struct {
	Head, Tail string
	Left       string // how much lies between the two; empty: nothing, and they are one text
	Size       string
	Empty      bool
	Running    bool
	Problem    string // why there is no more of it
}

// print reads the begin and the end of an output: of a run that goes on, of what it has written so far.
func (d *dashboard) print(ctx context.Context, r admin.Run) printed {
	var e edges
	p := printed{Running: r.EndedAt == nil}
	switch err := d.API.Output(ctx, r.RunID, false, &e); {
	case errors.Is(err, errEnough):
		p.Problem = "the output is larger than " + bytesText(mostRead) + ": its end is in the file"
	case err != nil:
		p.Problem = clip(err.Error())
	}
	p.Head, p.Tail, p.Empty, p.Size = string(e.head), string(e.last()), e.n == 0, bytesText(e.n)
	if left := e.n - int64(len(e.head)) - int64(len(e.end())); left > 0 {
		p.Left = bytesText(left)
		p.Head = string(e.first())
	} else {
		p.Head, p.Tail = p.Head+string(e.end()), ""
	}
	return p
}

var errEnough = errors.New("enough was read")

// edges keeps the begin and the end of what is written to it, and refuses what would be too much.
type edges struct {
	head, tail []byte
	n          int64
}

// Write implements io.Writer.
func (e *edges) Write(p []byte) (int, error) {
	all := len(p)
	if e.n += int64(all); e.n > mostRead {
		e.n -= int64(all)
		return 0, errEnough
	}
	n := min(headShown-len(e.head), len(p))
	e.head = append(e.head, p[:n]...)
	p = p[n:]
	if len(p) >= tailShown {
		e.tail, p = e.tail[:0], p[len(p)-tailShown:]
	} else if len(e.tail)+len(p) > 8*tailShown { // seldom, so that small pieces are not moved again and again
		e.tail = e.tail[:copy(e.tail, e.end())]
	}
	e.tail = append(e.tail, p...)
	return all, nil
}

// end is the end of what was written behind the head.
func (e *edges) end() []byte { return e.tail[max(len(e.tail)-tailShown, 0):] }

// first is the head without the begin of a letter that it cuts into two.
func (e *edges) first() []byte {
	for i := 1; i < utf8.UTFMax && i <= len(e.head); i++ {
		if at := len(e.head) - i; utf8.RuneStart(e.head[at]) {
			if !utf8.FullRune(e.head[at:]) {
				return e.head[:at]
			}
			break
		}
	}
	return e.head
}

// last is the tail without the rest of a letter that it cuts into two.
func (e *edges) last() []byte {
	end := e.end()
	for i := range min(len(end), utf8.UTFMax) {
		if utf8.RuneStart(end[i]) {
			return end[i:]
		}
	}
	return end
}

// output copies an output as it is. A browser takes it for a file, not for a page.
func (d *dashboard) output(w http.ResponseWriter, r *http.Request) {
	select {
	case d.outputs <- struct{}{}:
		defer func() { <-d.outputs }()
	default:
		d.fail(w, errBusy)
		return
	}
	run, err := d.oneRun(r.Context(), r.PathValue("id"))
	if err != nil {
		d.fail(w, err)
		return
	}
	out := &file{w: w, control: http.NewResponseController(w), run: run}
	if r.Method == http.MethodHead {
		out.begin()
		return
	}
	switch err = d.API.Output(r.Context(), run.RunID, false, out); {
	case err == nil:
		out.begin()
	case !out.begun:
		d.fail(w, err)
	default:
		panic(http.ErrAbortHandler) // a file that ends early must not look whole
	}
}

// file is an output as an answer.
type file struct {
	w       http.ResponseWriter
	control *http.ResponseController
	run     admin.Run
	begun   bool
}

var _ io.Writer = (*file)(nil)

func (f *file) begin() {
	if f.begun {
		return
	}
	f.begun = true
	h := f.w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s.txt"`, safeName(f.run.RunID)))
	h.Set("Content-Security-Policy", "sandbox; "+policy)
	f.w.WriteHeader(http.StatusOK)
}

// Write implements io.Writer. A reader that takes too long for one piece has its connection closed.
func (f *file) Write(p []byte) (int, error) {
	f.begin()
	_ = f.control.SetWriteDeadline(time.Now().Add(writeTime))
	return f.w.Write(p)
}

// safeName is an id with nothing in it that could end a quoted name or leave a folder.
func safeName(id string) string {
	out := []byte(clipTo(id, 100))
	for i, b := range out {
		if (b < 'a' || b > 'z') && (b < 'A' || b > 'Z') && (b < '0' || b > '9') && b != '-' {
			out[i] = '_'
		}
	}
	return string(out)
}
