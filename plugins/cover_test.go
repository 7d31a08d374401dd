package plugins

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/wcron/wcron/config"
)

func request(t testing.TB, toml string) config.Request {
	t.Helper()
	j, err := config.ParseJob("m", []byte(toml), config.KindManifest)
	if err != nil {
		t.Fatal(err)
	}
	if j.Request == nil {
		return config.Request{}
	}
	return *j.Request
}

func TestCovers(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"a.com", "a.com", true}, {"a.com", "b.com", false}, {"*.a.com", "x.a.com", true}, {"*.a.com", "a.com", false}, {"*.a.com", "x.y.a.com", true},
		{"*.a.com", "*.b.a.com", true}, {"*.b.a.com", "*.a.com", false}, {"*.a.com", "xa.com", false}, {"*.a.com", "x.a.com:8443", false},
		{"*.a.com:1", "x.a.com:1", true}, {"x.a.com", "*.a.com", false}, {"a.com:443", "a.com", false}, {"*.0.0.1", "127.0.0.1", false},
		{"*.0.0.1:80", "127.0.0.1:80", false}, {"127.0.0.1", "127.0.0.1", true},
	} {
		if got := coversHost(tt.a, tt.b); got != tt.want {
			t.Errorf("host %s covers %s: %v", tt.a, tt.b, got)
		}
	}
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"/**", "/", true}, {"/**", "/a/**", true}, {"/a/**", "/a", false}, {"/a/**", "/a/", true}, {"/a/**", "/a/b/c", true}, {"/a/**", "/ab/c", false},
		{"/a/*", "/a/b", true}, {"/a/*", "/a/b/c", false}, {"/a/*", "/a/**", false}, {"/a/*", "/a/x*", true}, {"/a/x*", "/a/*", false}, {"/a/x*", "/a/xy", true},
		{"/a/x*", "/a/y", false}, {"/a", "/a", true}, {"/a", "/b", false}, {"/a/b", "/a", false}, {"/*/b", "/a/b", true}, {"/*/**", "/a/b/**", true}, {"/a/*", "/a/", false},
		{"/*", "/", false},
	} {
		if got := coversPath(tt.a, tt.b); got != tt.want {
			t.Errorf("path %s covers %s: %v", tt.a, tt.b, got)
		}
	}
}

const asksAll = `[[request.http]]
host = "api.example.com"
methods = ["GET", "POST"]
paths = ["/v1/**"]
reason = "reads"
[request.secrets]
T = { inject = "header:Authorization", host = "api.example.com", reason = "signs in" }
[request.state]
size = "4MiB"
[[request.dir]]
guest = "/data"
mode = "rw"
reason = "the logs"
[request.emit]
jobs = ["notify", "page"]
reason = "tells"
`

func TestMissing(t *testing.T) {
	all := request(t, asksAll)
	http := func(s string) string { return "[[request.http]]\nreason = \"r\"\n" + s + "\n" }
	for _, tt := range []struct{ old, next, want string }{
		{asksAll, asksAll, ""},
		{"", asksAll, "http GET,POST https://api.example.com/v1/**|secret T in the header Authorization to api.example.com|state up to 4MiB|folder /data, to read and write|start notify, page"},
		{asksAll, "", ""},
		{asksAll, http(`host = "api.example.com"` + "\npaths = [\"/v1/a\"]"), "http HEAD https://api.example.com/v1/a"},
		{asksAll, http(`host = "api.example.com"`), "http GET,HEAD https://api.example.com/**"},
		{asksAll, http(`host = "api.example.com"` + "\nmethods = [\"GET\", \"DELETE\"]\npaths = [\"/v1/**\", \"/v2/**\"]"),
			"http DELETE https://api.example.com/v1/**|http GET,DELETE https://api.example.com/v2/**"},
		{asksAll, http(`host = "api.example.com"` + "\nmethods = [\"GET\"]\npaths = [\"/v1/x\"]\nschemes = [\"http\"]"), "http GET http://api.example.com/v1/x"},
		{http(`host = "*.a.com"`), http(`host = "b.a.com"`) + http(`host = "a.com"`), "http GET,HEAD https://a.com/**"},
		{asksAll, strings.Replace(asksAll, "header:Authorization", "header:X-Key", 1), "secret T in the header X-Key to api.example.com"},
		{asksAll, strings.Replace(asksAll, "4MiB", "8MiB", 1), "state up to 8MiB"},
		{"", "[request.state]\nsize = \"1MiB\"", ""},
		{strings.Replace(asksAll, `"rw"`, `"ro"`, 1), asksAll, "folder /data, to read and write"},
		{asksAll, strings.Replace(asksAll, `"rw"`, `"ro"`, 1), ""},
		{strings.Replace(asksAll, `, "page"`, "", 1), asksAll, "start page"},
	} {
		old, next := request(t, tt.old), request(t, tt.next)
		if got := strings.Join(Words(missing(&old, next)), "|"); got != tt.want {
			t.Errorf("beyond\n%s\n%s\nis %q, want %q", tt.old, tt.next, got, tt.want)
		}
	}
	if harmless(all) || !harmless(config.Request{}) || !harmless(request(t, "[request.state]\nsize = \"64KiB\"")) {
		t.Error("harmless")
	}
}

func TestMeet(t *testing.T) {
	req := request(t, asksAll)
	net := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	grant := config.Grant{
		HTTP:    []config.HTTPGrant{{Host: "*.example.com", Methods: []string{"POST", "PUT"}, Paths: []string{"/v1/a/*", "/v2/**"}, Networks: net}, {Host: "other.com"}},
		Secrets: map[string]config.SecretGrant{"T": {Env: "X"}, "U": {Env: "Y"}},
		State:   2 * config.MiB,
		Dirs:    []config.DirGrant{{Guest: "/data", Host: "/srv/data", Mode: config.ModeWrite, Quota: config.GiB}, {Guest: "/other", Host: "/"}},
		Emit:    &config.EmitGrant{Jobs: []string{"page", "else"}},
	}
	want := Allowed{
		HTTP:    []config.HTTPGrant{{Host: "api.example.com", Schemes: []string{"https"}, Methods: []string{"POST"}, Paths: []string{"/v1/a/*"}, Networks: net}},
		Secrets: []Secret{{"T", "Authorization", "api.example.com", "", config.SecretGrant{Env: "X"}}},
		State:   2 << 20,
		Dirs:    []config.DirGrant{{Guest: "/data", Host: "/srv/data", Mode: config.ModeWrite, Quota: config.GiB}},
		Emit:    []string{"page"},
	}
	got := meet(req, grant, config.Caps{})
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
	denied := strings.Join(Words(got.refused(req)), "|")
	if denied != "http GET,POST https://api.example.com/v1/**|state up to 4MiB|start notify" {
		t.Errorf("denied %q", denied)
	}
	got = meet(req, grant, config.Caps{Quota: config.MiB, Hosts: []string{"*.example.org"}, Dirs: []string{"/srv"}})
	if got.HTTP != nil || got.Dirs[0].Quota != config.MiB {
		t.Errorf("capped: %+v", got)
	}
	for cap, want := range map[config.Size]int64{0: 2 << 20, config.MiB: 1 << 20, config.KiB: 1 << 20, 3 * config.MiB: 2 << 20, 1536 * config.KiB: 1536 << 10} {
		if got = meet(req, grant, config.Caps{State: cap}); got.State != want {
			t.Errorf("with a cap of %v the state may have %d bytes, want %d", cap, got.State, want)
		}
	}
	if got := Words(Capped(req, config.Caps{State: 3 * config.MiB})); strings.Join(got, "|") != "state up to 4MiB" {
		t.Errorf("beyond the cap: %v", got)
	}
	if got = meet(req, grant, config.Caps{Dirs: []string{"/srv/da"}}); got.Dirs != nil {
		t.Errorf("capped: %+v", got.Dirs)
	}
	if got = meet(config.Request{}, grant, config.Caps{}); !reflect.DeepEqual(got, Allowed{}) {
		t.Errorf("without a request: %+v", got)
	}
	if got = meet(req, config.Grant{}, config.Caps{}); !reflect.DeepEqual(got, Allowed{State: 1 << 20}) {
		t.Errorf("without a grant: %+v", got)
	}
}
