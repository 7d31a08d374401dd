package main

import (
	"bytes"
	"io"
	"os"
	"sync"
	"time"
)

// stream gives a guest a reader and a writer that may block for ever, such as a terminal or a pipe that nobody reads: a deadline
// ends the guest's wait, and leaves the call itself behind. After that every call fails. It is for one goroutine at a time.
type stream struct {
	r io.Reader
	w io.Writer

	mu      sync.Mutex
	timer   *time.Timer
	expired chan struct{}
	stuck   bool
}

func newStream(r io.Reader, w io.Writer) *stream {
	return &stream{r: r, w: w, expired: make(chan struct{})}
}

// SetReadDeadline ends reads that wait at t; the zero time takes a deadline back that has not come.
func (s *stream) SetReadDeadline(t time.Time) error { return s.set(t) }

// SetWriteDeadline is the same for writes.
func (s *stream) SetWriteDeadline(t time.Time) error { return s.set(t) }

func (s *stream) set(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer != nil && !s.timer.Stop() { // it has come, and its channel is closed
		s.expired = make(chan struct{})
	}
	s.timer = nil
	if !t.IsZero() {
		expired := s.expired
		s.timer = time.AfterFunc(time.Until(t), func() { close(expired) })
	}
	return nil
}

// Read implements io.Reader.
func (s *stream) Read(p []byte) (int, error) {
	own := make([]byte, len(p)) // a call that is left behind must not write into p later
	n, err := s.do(func() (int, error) { return s.r.Read(own) })
	copy(p, own[:n])
	return n, err
}

// Write implements io.Writer.
func (s *stream) Write(p []byte) (int, error) {
	own := bytes.Clone(p)
	return s.do(func() (int, error) { return s.w.Write(own) })
}

func (s *stream) do(call func() (int, error)) (int, error) {
	s.mu.Lock()
	expired, stuck := s.expired, s.stuck
	s.mu.Unlock()
	if stuck {
		return 0, os.ErrDeadlineExceeded
	}
	type answer struct {
		n   int
		err error
	}
	answered := make(chan answer, 1)
	go func() {
		n, err := call()
		answered <- answer{n, err}
	}()
	select {
	case a := <-answered:
		return a.n, a.err
	case <-expired:
		s.mu.Lock()
		s.stuck = true
		s.mu.Unlock()
		return 0, os.ErrDeadlineExceeded
	}
}
