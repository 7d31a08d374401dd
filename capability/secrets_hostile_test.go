package capability

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A guest does not choose the disguise in which a server gives a secret back: not one that the server would not use by itself.
func TestSecretsAreNotPacked(t *testing.T) {
	r := newHTTPRig(t)
	r.client.RootCAs = nil
	r.handler = func(w http.ResponseWriter, req *http.Request) {
		echo := "you sent " + req.Header.Get("Authorization")
		switch {
		case strings.Contains(req.Header.Get("Accept-Encoding"), "gzip"):
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = io.WriteString(z, echo)
			_ = z.Close()
		case req.Header.Get("Range") != "":
			http.ServeContent(w, req, "", time.Time{}, strings.NewReader(echo))
		default:
			_, _ = io.WriteString(w, echo)
		}
	}
	for name, h := range map[string]map[string]string{
		"plain": nil, "gzip": {"Accept-Encoding": "gzip"}, "other case": {"accept-ENCODING": "gzip, br"}, "identity": {"Accept-Encoding": "identity"},
		"range": {"Range": "bytes=0-30", "Accept-Encoding": "identity"},
	} {
		got := send(t, r.door(withSecret("example.com")), ask("GET", "http://example.com/", h), nil)
		body := got.body
		if z, err := gzip.NewReader(strings.NewReader(body)); err == nil {
			b, _ := io.ReadAll(z)
			body = string(b)
		}
		if got.status != 200 || strings.Contains(body, token[:6]) || !strings.Contains(body, "[secret]") {
			t.Errorf("%s: %+v, which is %q", name, got, body)
		}
	}
	// A server that packs what nobody asked it to pack is not believed, where it was given a secret.
	r.handler = func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Encoding", "br")
		_, _ = io.WriteString(w, "packed")
	}
	if got := send(t, r.door(withSecret("example.com")), get("http://example.com/"), nil); got.code != NoConnection || !strings.Contains(got.note, `packed as "br"`) {
		t.Errorf("%+v", got)
	}
	if got := send(t, r.door(anyway("example.com")), get("http://example.com/"), nil); got.status != 200 || got.body != "packed" {
		t.Errorf("without a secret: %+v", got)
	}
}

// jsonOf writes JSON as most languages do: without escapes that only HTML needs, and as PHP does.
func jsonOf(s string, slash bool) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s)
	out := strings.Trim(strings.TrimSpace(b.String()), `"`)
	if slash {
		out = strings.ReplaceAll(out, "/", `\/`)
	}
	return out
}

// Whatever escapes a server uses, and whatever this host makes of a text itself, the secret is not to be read there.
func TestSecretsInEveryEscape(t *testing.T) {
	lowerHex := func(s string) string {
		out := []byte(s)
		for i := range out {
			if out[i] == '%' {
				copy(out[i+1:i+3], strings.ToLower(string(out[i+1:i+3])))
			}
		}
		return string(out)
	}
	inURL := (&url.URL{Path: "/" + token}).String()[1:]
	inQuery := (&url.URL{Path: "/", RawQuery: token}).String()[2:]
	forms := map[string]string{
		"JSON": jsonOf(token, false), "JSON of PHP": jsonOf(token, true), "HTML": html.EscapeString(token), "Go": strings.Trim(strconv.Quote(token), `"`),
		"query": url.QueryEscape(token), "query in lower case": lowerHex(url.QueryEscape(token)), "path": url.PathEscape(token), "URL": inURL,
		"query as it is": inQuery, "XML": strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(token),
		"hex": fmt.Sprintf("%x", token), "HEX": fmt.Sprintf("%X", token),
	}
	r := newHTTPRig(t)
	r.client.RootCAs = nil
	form := ""
	r.handler = func(w http.ResponseWriter, req *http.Request) {
		switch req.URL.Path {
		case "/body":
			_, _ = io.WriteString(w, "<"+form+">")
		case "/header":
			w.Header().Set("X-Echo", form)
		case "/name":
			w.Header()["x-"+strings.Map(func(c rune) rune {
				if c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
					return c
				}
				return '-'
			}, form)] = []string{"1"}
		case "/away":
			w.Header().Set("Location", "http://other.test/"+form)
			w.WriteHeader(http.StatusFound)
		}
	}
	for name, f := range forms {
		form = f
		for _, path := range []string{"/body", "/header", "/away"} {
			got := send(t, r.door(withSecret("example.com")), get("http://example.com"+path), nil)
			if all := fmt.Sprintf("%+v", got); strings.Contains(all, f) || leak(all) || strings.Contains(all, "sorts") || got.status == 0 && path != "/away" {
				t.Errorf("%s in %s: %s", name, path, all)
			}
		}
	}
}

// A secret is not in what was cut out of a longer text either.
func TestSecretsAreNotCut(t *testing.T) {
	r := newHTTPRig(t)
	r.client.RootCAs = nil
	r.handler = func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Location", req.URL.Query().Get("to")+req.Header.Get("Authorization")[len("Bearer "):])
		w.WriteHeader(http.StatusFound)
	}
	g := withSecret("example.com")
	g.HTTP[0].Paths = []string{"/go"}
	for n := range 140 {
		for _, to := range []string{"/", "http://other.test/", "http://example.com:1/"} {
			d := r.door(g)
			got := send(t, d, get("http://example.com/go?to="+url.QueryEscape(to+strings.Repeat("x", n))), nil)
			if all := fmt.Sprintf("%+v %v", got, d.Refusals()); strings.Contains(all, token[:4]) || got.code != RedirectRefused {
				t.Fatalf("%d bytes before it: %s", n, all)
			}
		}
	}
}

// What surrounds a secret in its file is not sent, and so it is not what is looked for.
func TestSecretsWithSpaceAround(t *testing.T) {
	r := newHTTPRig(t)
	r.client.RootCAs = nil
	r.handler = func(w http.ResponseWriter, req *http.Request) { _, _ = io.WriteString(w, req.Header.Get("X-Key")) }
	g := anyway("example.com")
	g.Secrets = []Secret{{Name: "KEY", Header: "X-Key", Host: "example.com", Value: func(context.Context) (string, error) { return " \t" + token + " \r\n\n", nil }}}
	if got := send(t, r.door(g), get("http://example.com/"), nil); got.body != "[secret]" {
		t.Errorf("%+v", got)
	}
}
