package capability

import (
	"context"
	"net/netip"
	"testing"
	"time"
)

func TestText(t *testing.T) {
	if text := (Grants{}).Text(); text != "" {
		t.Errorf("nothing is %q", text)
	}
	value := func(context.Context) (string, error) { t.Error("the secret was read"); return "", nil }
	seen := map[string]int{}
	for i, g := range []Grants{
		{HTTP: []HTTPRule{{Host: "a"}}}, {HTTP: []HTTPRule{{Host: "b"}}}, {HTTP: []HTTPRule{{Host: "a", Schemes: []string{"http"}}}},
		{HTTP: []HTTPRule{{Host: "a", Methods: []string{"http"}}}}, {HTTP: []HTTPRule{{Host: "a", Paths: []string{"http"}}}},
		{HTTP: []HTTPRule{{Host: "a", Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}}}, {HTTP: []HTTPRule{{Host: "a"}, {Host: "b"}}},
		{Secrets: []Secret{{Name: "a", Value: value}}}, {Secrets: []Secret{{Name: "a", Source: "b"}}}, {Secrets: []Secret{{Header: "a"}}}, {Secrets: []Secret{{Host: "a"}}},
		{Secrets: []Secret{{Format: "a"}}}, {Dirs: []Dir{{Guest: "/a", Host: "/b"}}}, {Dirs: []Dir{{Guest: "/a", Host: "/b", Write: true}}},
		{Dirs: []Dir{{Guest: "/a", Host: "/b", Quota: 1}}}, {Dirs: []Dir{{Guest: "/a", Host: "/c"}}}, {Emit: []string{"a"}}, {Calls: []string{"a"}}, {Denied: []string{"a"}},
		{Emit: []string{"a", "b"}}, {Emit: []string{"a b"}}, {Config: map[string]string{"a": "b"}}, {Config: map[string]string{"a": "c"}}, {HTTPRequests: 1}, {HTTPBytes: 1},
		{HTTPTime: time.Second},
	} {
		text := g.Text()
		if j, twice := seen[text]; twice || text == "" || text != g.Text() {
			t.Errorf("grants %d and %d are both %q", i, j, text)
		}
		seen[text] = i
	}
}
