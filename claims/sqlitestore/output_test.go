package sqlitestore

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
)

func sum(b []byte) string {
	d := sha256.Sum256(b)
	return hex.EncodeToString(d[:])
}

// spooled writes an output to a file, as a run does that writes much.
func spooled(t *testing.T, content []byte) claims.Output {
	t.Helper()
	path := filepath.Join(t.TempDir(), "spool")
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return claims.Output{File: path, Bytes: int64(len(content)), Digest: sum(content)}
}

func output(t *testing.T, s *Store, run string) []byte {
	t.Helper()
	in, err := s.Output(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	b, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestOutputs(t *testing.T) {
	small, big := []byte("small"), bytes.Repeat([]byte("big "), inlineLimit/2)
	for _, tc := range []struct {
		name   string
		given  func(t *testing.T) claims.Output
		want   []byte
		inFile bool
	}{
		{"none", func(*testing.T) claims.Output { return claims.Output{} }, nil, false},
		{"cut to nothing", func(*testing.T) claims.Output { return claims.Output{Cut: 7} }, nil, false},
		{"inline", func(*testing.T) claims.Output { return claims.Output{Inline: small, Bytes: 5, Digest: sum(small)} }, small, false},
		{"inline and too long for it", func(*testing.T) claims.Output {
			return claims.Output{Inline: big, Bytes: int64(len(big)), Digest: sum(big)}
		}, big, true},
		{"file", func(t *testing.T) claims.Output { return spooled(t, big) }, big, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := open(t, t.TempDir()+"/state")
			put(t, s, "a")
			f := final(claim(t, s, t0, due("a", "run-0001", 0))[0].Token, claims.OK, t0)
			f.Output = tc.given(t)
			if got := output(t, s, "run-0001"); len(got) != 0 {
				t.Errorf("before it ended: %q", got)
			}
			for _, want := range []claims.FinalStatus{claims.Done, claims.AlreadyFinal} {
				if got := finalize(t, s, t0, f)[0]; got.Status != want {
					t.Fatalf("%+v, want %s", got, want)
				}
			}
			if got := output(t, s, "run-0001"); !bytes.Equal(got, tc.want) {
				t.Errorf("%d bytes, want %d", len(got), len(tc.want))
			}
			r := runs(t, s, claims.RunQuery{RunID: "run-0001"})[0]
			if (r.Output.File != "") != tc.inFile || r.Output.Cut != f.Output.Cut || r.Output.Digest != f.Output.Digest {
				t.Errorf("recorded: %+v", r.Output)
			}
			if f.Output.File != "" && exists(f.Output.File) {
				t.Error("the file was not taken over")
			}
		})
	}
}

func TestOutputErrors(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	put(t, s, "a")
	f := final(claim(t, s, t0, due("a", "run-0001", 0))[0].Token, claims.OK, t0)
	for name, o := range map[string]claims.Output{
		"no file":      {File: filepath.Join(t.TempDir(), "none"), Bytes: 4, Digest: sum(nil)},
		"wrong length": {Inline: []byte("abc"), Bytes: 4, Digest: sum(nil)},
		"no digest":    {File: spooled(t, []byte("abc")).File, Bytes: 3, Digest: "../.."},
	} {
		f.Output = o
		if got, err := s.Finalize(t.Context(), t0, []claims.Final{f}); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if all, err := s.Open(t.Context()); err != nil || len(all) != 1 {
		t.Fatalf("the claim is gone though its finalize failed: %v", err)
	}
	if _, err := s.Output(t.Context(), "run-0002"); !errors.Is(err, claims.ErrNoRun) {
		t.Errorf("no such run: %v", err)
	}
}

// A recovery has kept a part of the output; then the owner comes late, with all of it. Neither file replaces the other's, and the
// run ends up with the whole one.
func TestLateOutputAfterAPartOfIt(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	put(t, s, "a")
	tok := claim(t, s, t0, due("a", "run-0001", 0))[0].Token
	whole := bytes.Repeat([]byte("line\n"), inlineLimit)
	part := whole[:inlineLimit*2]
	rec := final(tok, claims.Orphaned, at(time.Minute))
	rec.Output = spooled(t, part)
	rec.Output.Partial = true
	finalize(t, s, at(time.Minute), rec)
	if got := output(t, s, "run-0001"); !bytes.Equal(got, part) {
		t.Fatalf("%d bytes", len(got))
	}
	late := final(tok, claims.OK, at(2*time.Minute))
	late.Output = spooled(t, whole)
	for range 2 {
		if got := finalize(t, s, at(2*time.Minute), late)[0]; got.Status != claims.Fenced {
			t.Fatalf("%+v", got)
		}
	}
	r := runs(t, s, claims.RunQuery{RunID: "run-0001"})[0]
	if r.Outcome != claims.Orphaned || r.Output.Partial || r.Output.Digest != sum(whole) || !bytes.Equal(output(t, s, "run-0001"), whole) {
		t.Fatalf("run: %+v", r)
	}
}

func TestPrune(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	put(t, s, "a", "b")
	big := bytes.Repeat([]byte("x"), inlineLimit+1)
	const n = 10
	for i := range n {
		d := time.Duration(i) * time.Minute
		tok := claim(t, s, at(d), due("a", "a-run-"+string(rune('0'+i)), d))[0].Token
		f := final(tok, claims.OK, at(d))
		f.Output = claims.Output{Inline: big, Bytes: int64(len(big)), Digest: sum(big)}
		if i == 3 {
			f.Outcome = claims.Failed
		}
		finalize(t, s, at(d), f)
	}
	claim(t, s, at(n*time.Minute), due("a", "a-run-open", n*time.Minute))
	p, err := s.Prune(t.Context(), at(time.Hour), []claims.Retain{{Job: "a", Runs: 2}, {Job: "b", Runs: 1}})
	if err != nil || p.Runs != n-2 || p.Bytes != (n-2)*int64(len(big)) {
		t.Fatalf("pruned %+v %v", p, err)
	}
	left := runs(t, s, claims.RunQuery{Job: "a", Limit: -1})
	if len(left) != 3 || left[0].RunID != "a-run-open" || left[2].RunID != "a-run-8" {
		t.Fatalf("left: %+v", left)
	}
	got := ""
	for _, r := range slots(t, s, "a") {
		got += string(r.Verdict) + strings.Repeat("+", int(r.Count)) + " "
	}
	if want := "+ ok+ ok+ ok++++ failed+ ok+++ "; got != want {
		t.Errorf("slots %q, want %q", got, want)
	}
	if files := outputs(t, s); len(files) != 2 {
		t.Errorf("files: %v", files)
	}
	// The next turn joins what the last one has left beside it.
	finalize(t, s, at(time.Hour), final(left[0].Token, claims.OK, at(time.Hour)))
	if _, err := s.Prune(t.Context(), at(2*time.Hour), []claims.Retain{{Job: "a", Runs: 1}}); err != nil {
		t.Fatal(err)
	}
	got = ""
	for _, r := range slots(t, s, "a") {
		got += string(r.Verdict) + strings.Repeat("+", int(r.Count)) + " "
	}
	if want := "ok+ ok++++++ failed+ ok+++ "; got != want {
		t.Errorf("slots %q, want %q", got, want)
	}
	if p, err = s.Prune(t.Context(), at(3*time.Hour), []claims.Retain{{Job: "a", Bytes: 1}}); err != nil || p.Runs != 0 {
		t.Fatalf("the last run has no output: %+v %v", p, err)
	}
}

// outputs lists the files of kept outputs.
func outputs(t *testing.T, s *Store) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.Dir(), "output", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestPruneKeepsReasonsOfSlotsThatDidNotRun(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	put(t, s, "a")
	for i, reason := range []string{"r1", "r2"} {
		d := time.Duration(2*i) * time.Minute
		f := final(claim(t, s, at(d), due("a", "run-000"+reason, d))[0].Token, claims.Failed, at(d))
		f.Reason = reason
		finalize(t, s, at(d), f)
		c := due("a", "", d+time.Minute)
		c.Passed = []claims.Passed{skip(at(d+time.Minute), reason)}
		claim(t, s, at(d+time.Minute), c)
	}
	if _, err := s.Prune(t.Context(), at(time.Hour), []claims.Retain{{Job: "a", Runs: 1}}); err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, r := range slots(t, s, "a") {
		got += string(r.Verdict) + ":" + r.Reason + " "
	}
	if want := "skipped:r2 failed:r2 skipped:r1 failed:r1 "; got != want {
		t.Errorf("slots %q, want %q", got, want)
	}
}

func TestPruneReturnsTheSpace(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	put(t, s, "a")
	body := bytes.Repeat([]byte("x"), inlineLimit)
	for i := range 60 {
		d := time.Duration(i) * time.Minute
		f := final(claim(t, s, at(d), due("a", "run-"+sum([]byte{byte(i)})[:8], d))[0].Token, claims.OK, at(d))
		f.Output = claims.Output{Inline: body, Bytes: int64(len(body)), Digest: sum(body)}
		finalize(t, s, at(d), f)
	}
	size := func() int64 {
		info, err := os.Stat(s.path())
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	if size() < 2<<20 {
		t.Fatalf("the database has %d bytes and was to have more for this test", size())
	}
	if _, err := s.Prune(t.Context(), at(2*time.Hour), []claims.Retain{{Job: "a", Bytes: inlineLimit}}); err != nil {
		t.Fatal(err)
	}
	if size() > 1<<20 {
		t.Errorf("the database has %d bytes still", size())
	}
}

func TestPruneSweepsOutputsThatNoRunNames(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	put(t, s, "a")
	tok := claim(t, s, t0, due("a", "run-0001", 0))[0].Token
	body := bytes.Repeat([]byte("x"), inlineLimit+1)
	place := func(run string, now time.Time) {
		t.Helper()
		o := claims.Output{Inline: body, Bytes: int64(len(body)), Digest: sum(body)}
		if _, err := s.takeOver(t.Context(), now, run, o); err != nil {
			t.Fatal(err)
		}
	}
	place("run-gone", t0)
	place("run-0001", t0)                // of a run that is open: its commit may be on the way
	place("run-new", at(90*time.Minute)) // may be on the way as well
	f := final(claim(t, s, t0, claims.Claim{Slot: claims.ScheduledSlot("a", at(time.Minute)), Attempt: 1, RunID: "run-0002", Lanes: 2,
		From: at(time.Minute)})[0].Token, claims.OK, t0)
	f.Output = claims.Output{Inline: body, Bytes: int64(len(body)), Digest: sum(body)}
	finalize(t, s, t0, f)
	if _, err := s.Prune(t.Context(), at(2*time.Hour), nil); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(outputs(t, s), " ")
	for name, want := range map[string]bool{"run-gone": false, "run-0001": true, "run-new": true, "run-0002": true} {
		if strings.Contains(got, name) != want {
			t.Errorf("%s is there: %v, want %v", name, !want, want)
		}
	}
	finalize(t, s, t0, final(tok, claims.OK, t0)) // without an output after all
	if _, err := s.Prune(t.Context(), at(4*time.Hour), nil); err != nil {
		t.Fatal(err)
	}
	if left := outputs(t, s); len(left) != 1 || !strings.Contains(left[0], "run-0002") {
		t.Errorf("left: %v", left)
	}
}
