package plugins

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/config"
	"github.com/wcron/wcron/internal/guest"
)

// With auto_approve "none" no plugin runs without somebody's word, also not one that ran before the operator said so, nor its updates.
func TestNobodysWordCountsOnlyWhereItIsEnough(t *testing.T) {
	w := newWorld(t, "")
	one := w.version("one")
	l := &ledger{}
	s := w.opened(l)
	w.is(s.step(), Active, one, "")
	l.accept(s.Snapshot())
	w.text("wcron.toml", "auto_approve = \"none\"\n")
	w.is(s.step(), Pending, one, `auto_approve is "none"`)
	two := w.version("two")
	w.is(s.step(), Pending, two, `auto_approve is "none"`)
	l.decide(s.Snapshot(), "a", true, config.Grant{})
	w.is(s.step(), Active, two, "")
	w.text("wcron.toml", "")
	w.is(s.step(), Active, two, "")
}

// A host that cannot learn what was decided does not run what somebody may have denied.
func TestUnknownDecisionsLetNothingRun(t *testing.T) {
	w := newWorld(t, "")
	one := w.version("one")
	l := &ledger{}
	s := w.opened(l)
	l.decide(s.step(), "a", false, config.Grant{})
	w.is(s.step(), Denied, one, "denied by ann")
	l.err = errors.New("it is locked")
	s = w.opened(l)
	j := w.is(s.step(), Pending, one, "what was decided about it is not known: it is locked")
	if j.Access.Accept != nil {
		t.Error("it would be accepted over the denial")
	}
	l.err = nil
	w.is(s.step(), Denied, one, "denied by ann")
}

// Approved bytes outlast a time without a ledger, a folder or a host.
func TestSweepKeepsApprovedBytesItCannotSeeInUse(t *testing.T) {
	w := newWorld(t, "")
	one := w.version("one", "a.com")
	l := &ledger{}
	s := w.opened(l)
	l.decide(s.step(), "a", true, grants("a.com"))
	s.step()
	later := time.Now().Add(48 * time.Hour)
	two := w.version("two", "b.com")

	l.err = errors.New("it is locked")
	s = w.opened(l)
	s.sweep(later)
	if _, err := s.Load(one); err != nil {
		t.Errorf("the ledger did not answer: %v", err)
	}
	l.err = nil
	w.must(os.Remove(w.path("plugins/a.wasm")))
	s = w.opened(l)
	s.sweep(later.Add(48 * time.Hour)) // the sweep before has marked what was in the folder
	if _, err := s.Load(one); err != nil {
		t.Errorf("the plugin was away: %v", err)
	}
	if _, err := s.Load(two); !errors.Is(err, ErrContent) {
		t.Errorf("bytes that nobody approved are kept for ever: %v", err)
	}
}

// A sidecar cannot send a granted secret elsewhere: the host that it was granted for is part of the grant.
func TestSecretStaysWithItsHost(t *testing.T) {
	asks := func(host string) string {
		return daily + "request.http = [{ host = \"a.com\", reason = \"r\" }, { host = \"b.com\", reason = \"r\" }]\n" +
			"request.secrets = { T = { inject = \"header:Authorization\", host = \"" + host + "\", reason = \"r\" } }\n"
	}
	w := newWorld(t, "")
	b := guest.WithManifest(guest.Greet("x"), asks("a.com"))
	w.write("plugins/a.wasm", b)
	w.text("wcron.toml", "[jobs.a.grant]\ndigest = \""+digestOf(b)+"\"\nhttp = [{ host = \"a.com\" }, { host = \"b.com\" }]\n"+
		"secrets = { T = { env = \"X\", host = \"a.com\" } }\n")
	s := w.opened(&ledger{})
	j := w.job(s.step(), "a")
	if list := j.Access.Allowed.Secrets; j.State != Active || len(list) != 1 || list[0].Host != "a.com" {
		t.Fatalf("%v %s %+v", j.State, j.Reason, list)
	}
	w.text("plugins/a.toml", asks("b.com"))
	j = w.job(s.step(), "a")
	if list := j.Access.Allowed.Secrets; len(list) != 0 || !strings.Contains(strings.Join(Words(j.Access.Denied), "|"), "secret T in the header Authorization to b.com") {
		t.Errorf("the secret goes to %+v; denied %v", list, j.Access.Denied)
	}
	if g := Whole(j.Access.Request); g.Secrets["T"].Host != "b.com" {
		t.Errorf("an approval is not for the host that was asked for: %+v", g.Secrets)
	}
}

// What is killed between write and rename leaves nothing for ever, and a full or a foreign folder is told.
func TestContentStoreThatCannotBeWritten(t *testing.T) {
	w := newWorld(t, "")
	s := w.opened(&ledger{})
	left := filepath.Join(w.path("content"), tempPrefix+"123")
	w.must(os.WriteFile(left, []byte("half"), 0o600))
	s.sweep(time.Now().Add(48 * time.Hour))
	if _, err := os.Stat(left); err == nil {
		t.Error("a half-written file stays")
	}
	b := guest.WithManifest(guest.Greet("one"), daily)
	w.must(os.MkdirAll(filepath.Join(w.path("content"), digestOf(b)+moduleExt, "in the way"), 0o700))
	w.write("plugins/a.wasm", b)
	j := w.job(s.step(), "a")
	if j.State != Broken || !strings.Contains(j.Reason, "keep plugin") || j.Remedy == "" {
		t.Errorf("%v %s; %s", j.State, j.Reason, j.Remedy)
	}
	w.must(os.RemoveAll(filepath.Join(w.path("content"), digestOf(b)+moduleExt)))
	if j = w.job(s.step(), "a"); j.State != Active {
		t.Errorf("it does not come back: %v %s", j.State, j.Reason)
	}
}
