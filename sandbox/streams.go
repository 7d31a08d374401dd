package sandbox

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// chunk bounds one step of a call that moves bytes, so that it looks at its context often enough.
const chunk = 64 << 10

// lendAfter is how long a call to the caller's reader or writer takes before another guest computes meanwhile.
const lendAfter = 200 * time.Microsecond

// comeBack is how long a call that was unblocked has to come back before it is left behind.
const comeBack = 20 * time.Millisecond

// stream is a reader or a writer of the caller's, hidden from the engine, which treats files in ways of its own.
type stream struct {
	x         *execution
	name      string
	call      func([]byte) (int, error) // nil is at its end, or discards
	prompt    bool                      // it never waits
	deadlines bool                      // the end of the context unblocks it
	buf       []byte                    // what a call works on, since one that is left behind outlives the guest's memory
}

// guestInput is what a guest reads: its stdin, or randomness.
type guestInput struct{ stream }

// guestOutput is what a guest writes to.
type guestOutput struct{ stream }

func (x *execution) input(name string, r io.Reader) *guestInput {
	g := &guestInput{stream{x: x, name: name}}
	if r != nil {
		_, g.deadlines = r.(interface{ SetReadDeadline(time.Time) error })
		g.call, g.prompt = r.Read, prompt(r)
	}
	return g
}

func (x *execution) output(name string, w io.Writer) *guestOutput {
	g := &guestOutput{stream{x: x, name: name}}
	if w != nil {
		_, g.deadlines = w.(interface{ SetWriteDeadline(time.Time) error })
		g.call, g.prompt = w.Write, prompt(w)
	}
	return g
}

// prompt knows what never waits.
func prompt(v any) bool {
	switch v.(type) {
	case *bytes.Buffer, *bytes.Reader, *strings.Reader, *strings.Builder:
		return true
	}
	return v == any(rand.Reader) || v == any(io.Discard)
}

func (g *guestInput) Read(p []byte) (int, error) {
	g.x.turn()
	if g.call == nil {
		return 0, io.EOF
	}
	p = p[:min(len(p), chunk)]
	var n int
	var err error
	if g.prompt {
		n, err = contained(func() (int, error) { return g.call(p) })
	} else {
		buf := g.buffer(len(p))
		n, err = g.outside(buf)
		n = copy(p, buf[:n])
	}
	if err != nil && !errors.Is(err, io.EOF) {
		g.fail(err)
	}
	return n, err
}

func (g *guestOutput) Write(p []byte) (done int, err error) {
	g.x.turn()
	for g.call != nil && done < len(p) {
		step := p[done:min(len(p), done+chunk)]
		var n int
		if g.prompt {
			n, err = contained(func() (int, error) { return g.call(step) })
		} else {
			buf := g.buffer(len(step))
			copy(buf, step)
			n, err = g.outside(buf)
		}
		if err == nil && n < len(step) {
			err = io.ErrShortWrite
		}
		if err != nil {
			g.fail(err)
		}
		done += n
		g.x.turn()
	}
	return len(p), nil
}

// fail ends the guest, since its host cannot serve it.
func (s *stream) fail(err error) {
	s.x.checkContext()
	s.x.halt(hostFault("%s: %v", s.name, err))
}

func (s *stream) buffer(n int) []byte {
	if cap(s.buf) < n {
		s.buf = make([]byte, max(n, 512))
	}
	return s.buf[:n]
}

// answer is what a call of the caller's came to.
type answer struct {
	n   int
	err error
}

var errGone = errors.New("its goroutine ended")

// outside calls something of the caller's that may wait, for ever perhaps. If it takes long, another guest computes
// meanwhile; and if the context is done before it returns, the guest ends, and the call is left behind.
func (s *stream) outside(buf []byte) (int, error) {
	return s.x.outside(s.deadlines, func() (int, error) {
		n, err := contained(func() (int, error) { return s.call(buf) })
		if n < 0 || n > len(buf) {
			return 0, fmt.Errorf("it says that it moved %d bytes of %d", n, len(buf))
		}
		return n, err
	})
}

// outside does so for any call. With deadlines the end of the context makes it come back, which is waited for a moment.
func (x *execution) outside(deadlines bool, call func() (int, error)) (int, error) {
	begun := time.Now()
	answered := make(chan answer, 1)
	go func() {
		a := answer{err: errGone}
		defer func() { answered <- a }()
		a.n, a.err = contained(call)
	}()
	if x.lender == nil {
		x.lender = time.NewTimer(lendAfter)
	} else {
		x.lender.Reset(lendAfter)
	}
	select {
	case a := <-answered:
		x.lender.Stop()
		x.begun = x.begun.Add(time.Since(begun))
		return a.n, a.err
	case <-x.lender.C:
	case <-x.ctx.Done():
	}
	x.finish()
	select {
	case a := <-answered:
		x.resume()
		return a.n, a.err
	case <-x.ctx.Done():
	}
	if deadlines {
		x.lender.Reset(comeBack)
		select {
		case <-answered:
		case <-x.lender.C:
		}
	}
	x.halt(endingOf(x.ctx))
	return 0, nil
}

// contained turns a panic of the caller's reader or writer into an error.
func contained(f func() (int, error)) (n int, err error) {
	defer func() {
		if p := recover(); p != nil {
			n, err = 0, panicError{p}
		}
	}()
	return f()
}

// unblock makes a stream that has deadlines return from a blocked call when the context is done. The function that it
// returns undoes this, and is called when the run is over.
func unblock(ctx context.Context, setDeadline func(time.Time) error) (undo func()) {
	fired := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(fired)
		_ = setDeadline(time.Unix(1, 0))
	})
	return func() {
		if !stop() {
			<-fired
			_ = setDeadline(time.Time{})
		}
	}
}

// unblockStreams does so for each stream of a run that can be unblocked.
func (x *execution) unblockStreams(r *Run) (undo func()) {
	var undos []func()
	if s, ok := r.Stdin.(interface{ SetReadDeadline(time.Time) error }); ok {
		undos = append(undos, unblock(x.ctx, s.SetReadDeadline))
	}
	for _, w := range []io.Writer{r.Stdout, r.Stderr} {
		if s, ok := w.(interface{ SetWriteDeadline(time.Time) error }); ok {
			undos = append(undos, unblock(x.ctx, s.SetWriteDeadline))
		}
	}
	return func() {
		for _, f := range undos {
			f()
		}
	}
}
