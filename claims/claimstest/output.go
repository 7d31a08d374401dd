package claimstest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/wcron/wcron/claims"
)

func outputScenarios() []scenario {
	return []scenario{
		{"None", outputNone},
		{"Inline", outputInline},
		{"File", outputFile},
		{"FileOfLostAnswer", outputFileAgain},
	}
}

func outputNone(w *world) {
	w.minutely("a")
	tok := w.start(alpha, "a")
	w.finish(tok, claims.OK)
	if got := w.read(tok.RunID); got != "" {
		w.Errorf("empty output: %q", got)
	}
	if r := w.run(tok.RunID); r.Output.Bytes != 0 || r.Output.Digest != "" {
		w.Errorf("run: %+v", r.Output)
	}
	if _, err := w.s.Output(w.ctx, w.id()); !errors.Is(err, claims.ErrNoRun) {
		w.Errorf("output of no run: %v", err)
	}
}

func outputInline(w *world) {
	w.minutely("a")
	for _, text := range []string{"hello\n", "\x00\xff binary \x00", strings.Repeat("64 KiB in the commit itself. ....", 2048)} {
		f := w.final(w.start(alpha, "a"), claims.OK)
		f.Output = inline(text)
		f.Output.Cut, f.Output.Partial = 7, true
		w.finalize(f, claims.Done)
		if got := w.read(f.RunID); got != text {
			w.Errorf("output of %d bytes: read back %d", len(text), len(got))
		}
		if o := w.run(f.RunID).Output; o.Bytes != int64(len(text)) || o.Digest != f.Output.Digest || o.Cut != 7 || !o.Partial || o.Inline != nil {
			w.Errorf("run's output: %+v", o)
		}
	}
}

// spool writes an output file, synced as the contract asks.
func (w *world) spool(text string) claims.Output {
	w.Helper()
	var dir string
	if w.h.Spool != nil {
		dir = w.h.Spool(w.T, w.s)
	} else {
		dir = w.TempDir()
	}
	path := filepath.Join(dir, "spool-"+w.id())
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	w.must(err)
	_, err = out.WriteString(text)
	w.must(errors.Join(err, out.Sync(), out.Close()))
	return claims.Output{File: path, Bytes: int64(len(text)), Digest: digest([]byte(text))}
}

func outputFile(w *world) {
	w.minutely("a")
	text := strings.Repeat("a line of a long output\n", 20_000)
	f := w.final(w.start(alpha, "a"), claims.OK)
	f.Output = w.spool(text)
	w.finalize(f, claims.Done)
	if got := w.read(f.RunID); got != text {
		w.Errorf("output of %d bytes: read back %d", len(text), len(got))
	}
	if o := w.run(f.RunID).Output; o.Bytes != int64(len(text)) || o.Digest != f.Output.Digest || o.Inline != nil {
		w.Errorf("run's output: %+v", o)
	}
}

// The engine has taken the file over, and is asked to once more.
func outputFileAgain(w *world) {
	w.minutely("a")
	text := strings.Repeat("x", 100_000)
	f := w.final(w.start(alpha, "a"), claims.OK)
	f.Output = w.spool(text)
	w.finalize(f, claims.Done)
	w.finalize(f, claims.AlreadyFinal)
	if got := w.read(f.RunID); got != text {
		w.Errorf("output of %d bytes: read back %d", len(text), len(got))
	}
}
