package main

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/wcron/wcron/capability"
	"github.com/wcron/wcron/config"
	"github.com/wcron/wcron/plugins"
)

// TestCapabilities turns what was granted into what the host lets a run do.
func TestCapabilities(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	network := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	j := plugins.Job{
		State:    plugins.Active,
		Settings: config.Settings{Config: map[string]string{"days": "7"}, StateSize: 1 << 20},
		Access: plugins.Access{
			Allowed: plugins.Allowed{
				HTTP:    []config.HTTPGrant{{Host: "a.com", Schemes: []string{"https"}, Methods: []string{"GET"}, Paths: []string{"/**"}, Networks: network}},
				Secrets: []plugins.Secret{{Name: "T", Header: "Authorization", Host: "a.com", Format: "Bearer %s", Source: config.SecretGrant{File: token}}},
				State:   4 << 20,
				Dirs:    []config.DirGrant{{Guest: "/a", Host: "/b", Mode: config.ModeRead}, {Guest: "/c", Host: "/d", Mode: config.ModeWrite, Quota: 5}},
				Emit:    []string{"notify"},
			},
			Denied: []plugins.Ask{{Kind: "http", What: "http GET https://b.com/**"}},
		},
	}
	got := hostJob(j)
	if got.State != 4<<20 {
		t.Errorf("state %d", got.State)
	}
	if len(got.Grants.Secrets) != 1 {
		t.Fatalf("%+v", got.Grants)
	}
	s := &got.Grants.Secrets[0]
	if value, err := s.Value(t.Context()); value != "s3cret" || err != nil {
		t.Errorf("the secret is %q, %v", value, err)
	}
	s.Value = nil
	want := capability.Grants{
		HTTP:    []capability.HTTPRule{{Host: "a.com", Schemes: []string{"https"}, Methods: []string{"GET"}, Paths: []string{"/**"}, Networks: network}},
		Secrets: []capability.Secret{{Name: "T", Header: "Authorization", Host: "a.com", Format: "Bearer %s", Source: secretSourceText(config.SecretGrant{File: token})}},
		Dirs:    []capability.Dir{{Guest: "/a", Host: "/b"}, {Guest: "/c", Host: "/d", Write: true, Quota: 5}},
		Emit:    []string{"notify"}, Config: map[string]string{"days": "7"}, Denied: []string{"http GET https://b.com/**"},
	}
	if !reflect.DeepEqual(got.Grants, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got.Grants, want)
	}
	for _, state := range []plugins.State{plugins.Pending, plugins.Denied, plugins.Broken} {
		j.State, j.Reason = state, "why"
		if hostJob(j).Broken == "" {
			t.Errorf("a job that is %v could run", state)
		}
	}
}
