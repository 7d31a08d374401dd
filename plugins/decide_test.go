package plugins

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/config"
	"github.com/wcron/wcron/internal/guest"
)

// ledger stands for the ledger's side of the decisions.
type ledger struct {
	list []Record
	err  error
}

func (l *ledger) read(since int64) ([]Record, int64, error) {
	if l.err != nil {
		return nil, 0, l.err
	}
	return slices.Clone(l.list[since:]), int64(len(l.list)), nil
}

// decide records what a person says of the version of a job that is in the folder.
func (l *ledger) decide(set *Set, name string, approved bool, grant config.Grant) {
	j, _ := set.Job(name)
	r := Record{Job: name, Plugin: j.Settings.Plugin, Digest: j.Digest, Requested: j.Access.Request, Granted: grant, Approved: approved, By: "ann",
		At: time.Unix(int64(len(l.list)), 0)}
	if up := j.Access.Update; up != nil {
		r.Digest, r.Requested = up.Digest, up.Request
	}
	l.list = append(l.list, r)
}

// accept records what a host would.
func (l *ledger) accept(set *Set) {
	for _, j := range set.Jobs {
		if j.Access.Accept != nil {
			r := *j.Access.Accept
			r.At = time.Unix(int64(len(l.list)), 0)
			l.list = append(l.list, r)
		}
	}
}

func (w world) opened(l *ledger) *Source {
	s := w.open()
	s.Records(l.read)
	return s
}

func asks(hosts ...string) string {
	text := "manifest = 1\n" + daily
	for _, h := range hosts {
		text += "[[request.http]]\nhost = \"" + h + "\"\nreason = \"reads the news\"\n"
	}
	return text
}

func grants(hosts ...string) (g config.Grant) {
	for _, h := range hosts {
		g.HTTP = append(g.HTTP, config.HTTPGrant{Host: h})
	}
	return g
}

// version writes a version of a.wasm that prints a text and asks for hosts.
func (w world) version(text string, hosts ...string) string {
	w.Helper()
	b := guest.WithManifest(guest.Greet(text), asks(hosts...))
	w.write("plugins/a.wasm", b)
	return digestOf(b)
}

func (w world) is(set *Set, state State, digest, reason string) Job {
	w.Helper()
	j := w.job(set, "a")
	if j.State != state || j.Digest != digest || !strings.Contains(j.Reason, reason) || (j.Reason == "") != (reason == "") || j.Reason != "" && j.Remedy == "" {
		w.Fatalf("%v of %.8s: %q; %q. Want %v of %.8s: %q", j.State, j.Digest, j.Reason, j.Remedy, state, digest, reason)
	}
	return j
}

func hosts(j Job) (list string) {
	for _, h := range j.Access.Allowed.HTTP {
		list += " " + h.Host
	}
	return strings.TrimSpace(list)
}

func TestHarmlessPluginRunsAtOnce(t *testing.T) {
	w := newWorld(t, "")
	one := w.version("one")
	l := &ledger{}
	s := w.opened(l)
	j := w.is(s.step(), Active, one, "")
	if a := j.Access.Accept; a == nil || a.Digest != one || !a.Approved || j.Access.From != fromNobody {
		t.Fatalf("%+v", j.Access)
	}
	l.accept(s.Snapshot())
	if j = w.is(s.step(), Active, one, ""); j.Access.Accept != nil {
		t.Error("it is to be recorded again")
	}
	two := w.version("two")
	w.is(s.step(), Active, two, "")
	l.accept(s.Snapshot())
	three := w.version("three", "a.com")
	j = w.is(s.step(), Active, two, "an update waits for approval: it also asks for http GET,HEAD https://a.com/** (\"reads the news\")")
	if j.Access.Update.Digest != three || hosts(j) != "" {
		t.Errorf("%+v", j.Access)
	}
	w.is(w.opened(l).step(), Active, two, "an update waits") // after a restart
}

func TestPluginThatAsksWaits(t *testing.T) {
	w := newWorld(t, "")
	one := w.version("one", "a.com", "b.com")
	l := &ledger{}
	s := w.opened(l)
	j := w.is(s.step(), Pending, one, `it waits for approval: it asks for http GET,HEAD https://a.com/** ("reads the news"); http`)
	if !strings.Contains(j.Remedy, "wcron approve a") || hosts(j) != "" {
		t.Error(j.Remedy)
	}
	l.decide(s.Snapshot(), "a", true, grants("a.com"))
	j = w.is(s.step(), Active, one, "")
	if hosts(j) != "a.com" || strings.Join(Words(j.Access.Denied), "|") != "http GET,HEAD https://b.com/**" || j.Access.From != "ann" {
		t.Errorf("%+v", j.Access)
	}

	// More: the old version goes on until it is approved.
	w.version("two", "a.com", "b.com", "c.com")
	j = w.is(s.step(), Active, one, "https://c.com")
	if up := j.Access.Update; up == nil || strings.Join(Words(up.More), "|") != "http GET,HEAD https://c.com/**" || len(up.Less) > 0 || hosts(j) != "a.com" {
		t.Errorf("%+v", up)
	}
	if b, err := j.Load(); err != nil || digestOf(b) != one {
		t.Error("the bytes are not those that were approved")
	}
	w.is(w.opened(l).step(), Active, one, "https://c.com")
	l.decide(s.Snapshot(), "a", false, config.Grant{})
	j = w.is(s.step(), Active, one, "is denied")
	if !j.Access.Update.Denied {
		t.Error("not told as denied")
	}
	three := w.version("three", "a.com", "b.com", "c.com", "d.com")
	w.is(s.step(), Active, one, "also asks for http GET,HEAD https://c.com/** (\"reads the news\"); http GET,HEAD https://d.com")
	l.decide(s.Snapshot(), "a", true, grants("a.com", "c.com", "d.com"))
	if j = w.is(s.step(), Active, three, ""); hosts(j) != "a.com c.com d.com" {
		t.Errorf("%+v", j.Access)
	}

	// Less: at once, and what it gave up is asked about again.
	four := w.version("four", "c.com")
	w.is(s.step(), Active, four, "")
	l.accept(s.Snapshot())
	if j = w.is(s.step(), Active, four, ""); hosts(j) != "c.com" || j.Access.Accept != nil {
		t.Errorf("%+v", j.Access)
	}
	w.version("five", "c.com", "d.com")
	w.is(s.step(), Active, four, "https://d.com")

	// The version that was denied is still denied when it comes back.
	w.version("two", "a.com", "b.com", "c.com")
	w.is(s.step(), Active, four, "is denied")
}

func TestDenied(t *testing.T) {
	w := newWorld(t, "")
	one := w.version("one", "a.com")
	l := &ledger{}
	s := w.opened(l)
	l.decide(s.step(), "a", false, config.Grant{})
	w.is(s.step(), Denied, one, "denied by ann")
	two := w.version("two")
	w.is(s.step(), Active, two, "")
	l.accept(s.Snapshot())
	l.decide(s.step(), "a", false, config.Grant{}) // also what nobody had to approve
	w.is(s.step(), Denied, two, "denied by ann")
}

func TestAutoApproveNone(t *testing.T) {
	w := newWorld(t, "auto_approve = \"none\"\n")
	one := w.version("one")
	l := &ledger{}
	s := w.opened(l)
	w.is(s.step(), Pending, one, `auto_approve is "none"`)
	l.decide(s.Snapshot(), "a", true, config.Grant{})
	w.is(s.step(), Active, one, "")
	two := w.version("two")
	w.is(s.step(), Active, two, "")
}

func TestOnUpdateAsk(t *testing.T) {
	w := newWorld(t, "on_update = \"ask\"\n")
	one := w.version("one", "a.com")
	l := &ledger{}
	s := w.opened(l)
	l.decide(s.step(), "a", true, grants("a.com"))
	w.is(s.step(), Active, one, "")
	two := w.version("two", "a.com")
	w.is(s.step(), Active, one, `on_update is "ask"`)
	w.text("wcron.toml", "")
	w.is(s.step(), Active, two, "")
	// Without the bytes of the version before the reason is still the true one.
	three := w.version("three")
	w.text("wcron.toml", "on_update = \"ask\"\n")
	w.must(os.RemoveAll(w.path("content")))
	w.is(w.opened(l).step(), Pending, three, `on_update is "ask"; the version that was approved before cannot go on`)
}

func TestSidecarThatAsksForMore(t *testing.T) {
	w := newWorld(t, "")
	one := w.version("one")
	w.text("plugins/a.toml", "timeout = \"5s\"\n")
	l := &ledger{}
	s := w.opened(l)
	w.is(s.step(), Active, one, "")
	l.accept(s.Snapshot())
	w.text("plugins/a.toml", "timeout = \"9s\"\nrequest.emit = { jobs = [\"b\"], reason = \"r\" }\n")
	for _, s := range []*Source{s, w.opened(l)} {
		if j := w.is(s.step(), Active, one, "also asks for start b"); j.Settings.Timeout != 5*time.Second {
			t.Errorf("timeout %v", j.Settings.Timeout)
		}
	}
	w.text("plugins/a.toml", "timeout = \"7s\"\n")
	if j := w.is(s.step(), Active, one, ""); j.Settings.Timeout != 7*time.Second || j.Access.Accept == nil {
		t.Errorf("%+v", j.Access)
	}
}

func TestGrantByHand(t *testing.T) {
	host := "[[jobs.a.grant.http]]\nhost = \"a.com\"\n"
	w := newWorld(t, host)
	one := w.version("one", "a.com", "b.com")
	l := &ledger{}
	s := w.opened(l)
	j := w.is(s.step(), Active, one, "")
	if hosts(j) != "a.com" || len(j.Access.Denied) != 1 || !strings.HasPrefix(j.Access.From, fromHostFile) {
		t.Errorf("%+v", j.Access)
	}
	w.text("wcron.toml", "[jobs.a.grant]\ndigest = \""+one+"\"\n"+host)
	w.is(s.step(), Active, one, "")
	two := w.version("two", "a.com")
	w.is(s.step(), Active, one, "an update waits: the grant at")
	w.must(os.RemoveAll(w.path("content")))
	s = w.opened(l)
	j = w.is(s.step(), Pending, two, "is for the version "+one[:12])
	if !strings.Contains(j.Remedy, two) {
		t.Error(j.Remedy)
	}
}

// What an operator grants in vain is told: it would be taken for granted.
func TestGrantWithoutEffect(t *testing.T) {
	w := newWorld(t, "[jobs.a.grant]\nstate = \"4MiB\"\nsecrets = { T = { env = \"X\" } }\nemit = { jobs = [\"b\"] }\n"+
		"http = [{ host = \"a.com\" }, { host = \"b.com\", methods = [\"POST\"] }, { host = \"a.com\", paths = [\"/v2/**\"] }]\n"+
		"dir = [{ guest = \"/data\", host = \"data\" }]\n")
	w.version("one", "a.com")
	set := w.opened(&ledger{}).step()
	j := w.job(set, "a")
	want := "http POST https://b.com/**|state up to 4MiB|start b|folder /data = " + w.path("data") + ", to read|secret T"
	if got := strings.Join(Words(j.Access.Idle), "|"); got != want || hosts(j) != "a.com" {
		t.Errorf("without effect: %q, want %q; %s", got, want, hosts(j))
	}
	emits := guest.WithManifest(guest.Importing("extism:host/user", "wcron_emit"), daily)
	w.write("plugins/a.wasm", emits)
	if j = w.job(w.opened(&ledger{}).step(), "a"); strings.Contains(strings.Join(Words(j.Access.Idle), "|"), "start b") {
		t.Errorf("%v", j.Access.Idle)
	}
}

func TestImportsAndRequests(t *testing.T) {
	w := newWorld(t, "")
	l := &ledger{}
	put := func(imports func(string) []byte, toml string) {
		t.Helper()
		w.write("plugins/a.wasm", guest.WithManifest(imports("x"), toml))
	}
	emits := func(string) []byte { return guest.Importing("extism:host/user", "wcron_emit") }
	put(emits, daily)
	s := w.opened(l)
	j := w.job(s.step(), "a")
	if j.State != Broken || !strings.Contains(j.Reason, "it imports wcron_emit, and requests no emit") || !strings.Contains(j.Remedy, "request.emit = {") {
		t.Errorf("%v: %s; %s", j.State, j.Reason, j.Remedy)
	}
	w.wantProblem(s.Snapshot(), "plugins/a.wasm", "imports wcron_emit")
	for _, line := range lines {
		if _, err := config.ParseJob("line", []byte(line), config.KindSidecar); err != nil {
			t.Errorf("the line to add is refused: %v", err)
		}
	}
	put(emits, daily+lines["emit"])
	if j = w.job(s.step(), "a"); j.State != Pending || len(j.Unused) > 0 {
		t.Errorf("%v %s %v", j.State, j.Reason, j.Unused)
	}
	put(guest.Greet, daily+lines["emit"]+"\n"+lines["http"])
	if j = w.job(s.step(), "a"); j.State != Pending || len(j.Unused) != 2 || !strings.Contains(j.Unused[0], "requests HTTP and imports nothing") {
		t.Errorf("%v %s %v", j.State, j.Reason, j.Unused)
	}
	// The operator's own table stands for the request where the module imports what it is for.
	put(emits, daily)
	w.text("wcron.toml", "[jobs.a.grant]\nemit = { jobs = [\"b\"] }\nhttp = [{ host = \"a.com\" }]\n")
	if j = w.job(s.step(), "a"); j.State != Active || strings.Join(j.Access.Allowed.Emit, " ") != "b" || hosts(j) != "" {
		t.Errorf("%v %s %+v", j.State, j.Reason, j.Access.Allowed)
	}
	// A version that is refused for its imports leaves the one before in use.
	w.text("wcron.toml", "")
	one := w.version("one")
	w.is(s.step(), Active, one, "")
	l.accept(s.Snapshot())
	put(emits, daily)
	w.is(s.step(), Active, one, "the version in use goes on, because the one that is there now is refused: it imports wcron_emit")
}

func TestLedgerThatDoesNotAnswer(t *testing.T) {
	w := newWorld(t, "")
	one := w.version("one", "a.com")
	l := &ledger{}
	s := w.opened(l)
	l.decide(s.step(), "a", true, grants("a.com"))
	w.is(s.step(), Active, one, "")
	l.err = errors.New("it is locked")
	w.wantProblem(s.step(), "the ledger", "it is locked")
	w.is(s.Snapshot(), Active, one, "")
	w.wantProblem(w.opened(l).step(), "the ledger", "it is locked")
	l.err = nil
	if set := s.step(); len(set.Problems) > 0 {
		t.Errorf("%v", set.Problems)
	}
}

// What a stranger writes cannot make the ledger large: the reason goes into it with each slot.
func TestReasonIsShort(t *testing.T) {
	w := newWorld(t, "")
	var many []string
	for range 32 {
		many = append(many, strings.Repeat("a.", 100)+"com")
	}
	w.write("plugins/a.wasm", guest.WithManifest(guest.Greet("x"), strings.ReplaceAll(asks(many...), "reads the news", strings.Repeat("y", 500))))
	j := w.job(w.open().Snapshot(), "a")
	if j.State != Pending || len(j.Reason) > 3000 || !strings.Contains(j.Reason, "and 27 more") {
		t.Errorf("%v, %d bytes: %s", j.State, len(j.Reason), j.Reason)
	}
}

// What an older version runs on is kept while it is in use.
func TestApprovedBytesAreKept(t *testing.T) {
	w := newWorld(t, "")
	one := w.version("one", "a.com")
	l := &ledger{}
	s := w.opened(l)
	l.decide(s.step(), "a", true, grants("a.com"))
	s.step()
	w.version("two", "b.com")
	s.step()
	s.sweep(time.Now().Add(48 * time.Hour))
	if _, err := s.Load(one); err != nil {
		t.Error(err)
	}
}
