package sandbox

import (
	"context"
	"errors"
	"io"
	"time"
)

// chunk bounds one step of a call that moves bytes, so that it looks at its context often enough.
const chunk = 64 << 10

// guestInput is what a guest reads: its stdin, or randomness. It hides the caller's reader from the engine, which
// treats files in ways of its own.
type guestInput struct {
	x    *execution
	name string
	src  io.Reader // nil is at its end
}

func (g *guestInput) Read(p []byte) (n int, err error) {
	g.x.checkContext()
	if g.src == nil {
		return 0, io.EOF
	}
	p = p[:min(len(p), chunk)]
	n, err = g.x.outside(func() (int, error) { return g.src.Read(p) })
	if err != nil && !errors.Is(err, io.EOF) {
		g.x.checkContext()
		g.x.halt(hostFault("%s: %v", g.name, err))
	}
	return n, err
}

// guestOutput is what a guest writes to.
type guestOutput struct {
	x    *execution
	name string
	dst  io.Writer // nil discards
}

func (g *guestOutput) Write(p []byte) (int, error) {
	g.x.checkContext()
	if g.dst == nil {
		return len(p), nil
	}
	n, err := g.x.outside(func() (int, error) { return g.dst.Write(p) })
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	if err != nil {
		g.x.checkContext()
		g.x.halt(hostFault("%s: %v", g.name, err))
	}
	return n, nil
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
