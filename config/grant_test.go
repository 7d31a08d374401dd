package config_test

import (
	"net/netip"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/wcron/wcron/config"
)

const fullRequest = `manifest = 1
[[request.http]]
host = "api.example.com:8443"
methods = ["GET", "POST"]
paths = ["/v1/**"]
reason = "reads"
[[request.http]]
host = "*.example.org"
schemes = ["https", "http"]
reason = "reads \"more\""
[request.secrets]
API_TOKEN = { inject = "header:Authorization", host = "api.example.com", format = "Bearer %s", reason = "signs in" }
[request.state]
size = "4MiB"
[[request.dir]]
guest = "/data"
mode = "ro"
reason = "the logs"
[request.emit]
jobs = ["notify"]
reason = "tells"
`

const fullGrant = `[jobs.report.grant]
digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
state = "4MiB"

[[jobs.report.grant.http]]
host = "api.example.com"
schemes = ["http"]
methods = ["GET"]
paths = ["/v1/**"]
networks = ["10.1.0.0/16", "127.0.0.1/32"]

[jobs.report.grant.secrets]
API_TOKEN = { file = "secrets/token" }
B = { env = "B" }
C = { command = ["pass", "show", "c"] }

[[jobs.report.grant.dir]]
guest = "/data"
host = "logs"
mode = "rw"
quota = "1GiB"

[jobs.report.grant.emit]
jobs = ["notify"]
`

func TestRequest(t *testing.T) {
	want := &config.Request{
		HTTP: []config.HTTPRequest{
			{Host: "api.example.com:8443", Methods: []string{"GET", "POST"}, Paths: []string{"/v1/**"}, Reason: "reads"},
			{Host: "*.example.org", Schemes: []string{"https", "http"}, Reason: `reads "more"`},
		},
		Secrets: map[string]config.SecretRequest{"API_TOKEN": {Inject: "header:Authorization", Host: "api.example.com", Format: "Bearer %s", Reason: "signs in"}},
		State:   &config.StateRequest{Size: 4 * config.MiB},
		Dirs:    []config.DirRequest{{Guest: "/data", Mode: config.ModeRead, Reason: "the logs"}},
		Emit:    &config.EmitRequest{Jobs: []string{"notify"}, Reason: "tells"},
	}
	j, err := config.ParseJob("m", []byte(fullRequest), config.KindManifest)
	if err != nil || !reflect.DeepEqual(j.Request, want) {
		t.Fatalf("%v\n%+v", err, j.Request)
	}
	if got := j.Request.Secrets["API_TOKEN"].Header(); got != "Authorization" {
		t.Error(got)
	}
	text, err := config.EncodeJob(j, config.KindManifest)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := config.ParseJob("m", text, config.KindManifest); err != nil || !reflect.DeepEqual(back, j) {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestGrant(t *testing.T) {
	f, dir := mustLoad(t, map[string]string{"wcron.toml": fullGrant})
	g := f.Jobs["report"].Grant
	if g == nil || g.Secrets["API_TOKEN"].File != filepath.Join(dir, "secrets", "token") || g.Dirs[0].Host != filepath.Join(dir, "logs") || g.State != 4*config.MiB {
		t.Fatalf("%+v", g)
	}
	if want := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("127.0.0.1/32")}; !reflect.DeepEqual(g.HTTP[0].Networks, want) {
		t.Errorf("networks %v", g.HTTP[0].Networks)
	}
	text := strings.NewReplacer(dir+string(filepath.Separator), "", `secrets\\token`, "secrets/token").Replace(string(config.EncodeGrant("report", *g)))
	if filepath.Separator == '/' && text != fullGrant {
		t.Errorf("written as\n%s", text)
	}
	back, _ := mustLoad(t, map[string]string{"wcron.toml": string(config.EncodeGrant("report", *g))})
	if !reflect.DeepEqual(back.Jobs["report"].Grant, g) {
		t.Errorf("reads back as %+v", back.Jobs["report"].Grant)
	}
}

func TestRequestProblems(t *testing.T) {
	const site = "[[request.http]]\nreason = \"r\"\n"
	host := func(s string) string { return site + "host = \"" + s + "\"\n" }
	tests := []struct {
		kind config.Kind
		src  string
		want []string
	}{
		{config.KindManifest, site, []string{`f:1:1: request.http[0]: host is missing; add host, string: a name in small letters or an address; may begin with *. and end with :PORT`}},
		{config.KindManifest, "[request]\nhttp = 1", []string{`f:2:8: request.http: want an array of tables, got the integer 1; write [[request.http]] on a line of its own and the keys below it`}},
		{config.KindSidecar, "[request]\nhttpp = []", []string{`f:2:1: request.httpp: unknown key; did you mean http?`}},
		{config.KindManifest, host("https://x.com"), []string{`f:3:8: request.http[0].host: "https://x.com" is no host with a port; write a host such as "api.example.com" or "api.example.com:8443", an IPv6 address in brackets`}},
		{config.KindManifest, host("X.com"), []string{`f:3:8: request.http[0].host: "X.com" is no host's name; write a name in small letters without a scheme, such as "api.example.com", or "*.example.com" for all below it`}},
		{config.KindManifest, host("*") + "methods = [\"GET\", \"GET\"]", []string{
			`f:3:8: request.http[0].host: "*" is no host's name; write a name in small letters without a scheme, such as "api.example.com", or "*.example.com" for all below it`,
			`f:4:19: request.http[0].methods[1]: "GET" is listed twice; remove one of the two`}},
		{config.KindManifest, host("a.b") + "methods = [\"get\"]", []string{`f:4:12: request.http[0].methods[0]: "get" is none of "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE" or "OPTIONS"; did you mean "GET"?`}},
		{config.KindManifest, host("a.b") + "methods = []", []string{`f:4:11: request.http[0].methods: holds 0 values; write 1 to 7 of them, or leave the key out`}},
		{config.KindManifest, host("a.b") + "paths = [\"v1\", \"/a/../b\", \"/**/x\", \"/a?b\", \"/a//b\"]", []string{
			`f:4:10: request.http[0].paths[0]: "v1" does not begin with /; write a path such as "/v1/**"`,
			`f:4:16: request.http[0].paths[1]: "/a/../b" holds ..; write the path that it leads to`,
			`f:4:27: request.http[0].paths[2]: "/**/x" has ** in the middle; let ** be the last part, and * stand for one part before`,
			`f:4:36: request.http[0].paths[3]: "/a?b" holds a character that is no part of a plain path; write the path alone, without query and escapes`,
			`f:4:44: request.http[0].paths[4]: "/a//b" holds //; write one /`}},
		{config.KindManifest, "[request.secrets]\n9 = { inject = \"query:a\", host = \"a.b\", format = \"%d\", reason = \"r\" }", []string{
			`f:2:1: request.secrets.9: is no name of a secret: it has 1 to 64 letters, digits and _, and begins with no digit; use another name`,
			`f:2:16: request.secrets.9.inject: "query:a" is no place for a secret; write "header:" and the name of a header, such as "header:Authorization"`,
			`f:2:50: request.secrets.9.format: "%d" is no format; write text with one %s, such as "Bearer %s"`}},
		{config.KindManifest, "request.secrets.A = { inject = \"header:Host\", host = \"a.b\", reason = \"r\" }", []string{
			`f:1:32: request.secrets.A.inject: the header Host is the host's own; write another header, such as "header:Authorization"`}},
		{config.KindManifest, "request.secrets.A = { inject = \"header:A\", host = \"*.a.b\", reason = \"r\" }", []string{
			`f:1:51: request.secrets.A.host: "*.a.b" stands for many hosts; name the one host that the secret is for`}},
		{config.KindManifest, "[[request.dir]]\nguest = \"data\"\nmode = \"w\"\nreason = \"\"", []string{
			`f:2:9: request.dir[0].guest: "data" is no path of a folder in the guest; write it from the top and without . and .., such as "/data"`,
			`f:3:8: request.dir[0].mode: "w" is none of "ro" or "rw"; did you mean "rw"?`,
			`f:4:10: request.dir[0].reason: is empty; write a value, or remove the key`}},
		{config.KindManifest, "[request.state]\nsize = \"65MiB\"", []string{`f:2:8: request.state.size: 65MiB is out of range; write 1KiB to 64MiB`}},
		{config.KindManifest, "[request.state]\nsize = 7", []string{`f:2:8: request.state.size: want a size, got the integer 7; write a number with a unit in quotes, such as "64MiB"`}},
		{config.KindManifest, "[request.emit]\njobs = [\"-\"]\nreason = \"r\"", []string{`f:2:9: request.emit.jobs[0]: invalid job name "-": begin it with a letter or a digit`}},
		{config.KindJobFile, "[request]\n", []string{`f:1:2: request: does not belong in a file of jobs.d; a plugin asks, in its manifest or its sidecar; what the operator lets it do is the table grant`}},
		{config.KindSidecar, "[grant]\n", []string{`f:1:2: grant: does not belong in a sidecar; the operator grants, in [jobs.NAME.grant] of the host file or in jobs.d/NAME.toml; a plugin asks with the table request`}},
		{config.KindJobFile, "[grant.secrets]\nA = {}\nB = { env = \"X\", file = \"y\" }", []string{
			`f:2:5: grant.secrets.A: does not say where the secret is; write one of file, env and command`,
			`f:3:5: grant.secrets.B: does not say where the secret is; write one of file, env and command`}},
		{config.KindJobFile, "[[grant.http]]\nhost = \"a.b\"\nnetworks = [\"10.0.0.1/8\", \"::ffff:10.0.0.1\", \"x\"]", []string{
			`f:3:13: grant.http[0].networks[0]: "10.0.0.1/8" has bits beyond its length; write "10.0.0.0/8"`,
			`f:3:27: grant.http[0].networks[1]: "::ffff:10.0.0.1" is no network; write a network such as "10.0.0.0/8" or "fd00::/8", or an address`,
			`f:3:46: grant.http[0].networks[2]: "x" is no network; write a network such as "10.0.0.0/8" or "fd00::/8", or an address`}},
		{config.KindJobFile, "grant.digest = \"abc\"\n[[grant.dir]]\nguest = \"/a\"\nhost = \"~/a\"\n", []string{
			`f:1:16: grant.digest: "abc" is no SHA-256; write the 64 digits that wcron inspect shows`,
			`f:4:8: grant.dir[0].host: "~/a" begins with ~, which only a shell understands; write the path in full`}},
		{config.KindJobFile, "[[grant.dir]]\nguest = \"/a\"\nhost = \"a\"\n[[grant.dir]]\nguest = \"/a\"\nhost = \"b\"\n", []string{
			`f:4:1: grant.dir[1]: "/a" is listed twice; remove one of the two`}},
	}
	for _, tt := range tests {
		_, err := config.ParseJob("f", []byte(tt.src), tt.kind)
		if err == nil {
			t.Errorf("%s: accepted", tt.src)
			continue
		}
		if got := problemsOf(t, err, ""); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s\ngot\n%s\nwant\n%s", tt.src, strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
		}
	}
}

func TestCheckHost(t *testing.T) {
	for _, s := range []string{"a", "api.example.com", "*.example.com", "a-b.c_d:1", "127.0.0.1", "10.0.0.1:8080", "[::1]", "[2001:db8::1]:443"} {
		if err := config.CheckHost(s); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
	for _, s := range []string{"", "*", "*.", "**.a", "a.*.b", "a*", ".a", "a.", "a..b", "-a", "A", "é.com", "a b", "a/b", "u@a", "a:0", "a:65536", "a:01", "a:", "::1", "[::1",
		"[::FFFF:1.2.3.4]", "[fe80::1%1]", "[0:0::1]", "http://a", strings.Repeat("a", 64), strings.Repeat("a.", 130) + "a", "[1.2.3.4]", "[::ffff:1.2.3.4]"} {
		if config.CheckHost(s) == nil {
			t.Errorf("%s is accepted", s)
		}
	}
}
