package main

import (
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"github.com/wcron/wcron/config"
	"github.com/wcron/wcron/plugins"
)

// terms are what a person says of a grant: how much of what is requested, and where things are.
type terms struct {
	Only    []string          `sep:"none" placeholder:"WHAT,…" help:"Grant no more than these: http, secrets, state, dir, emit; or one of a kind, such as http:api.example.com, secrets:TOKEN, dir:/data, emit:notify."`
	Secret  map[string]string `mapsep:"none" placeholder:"NAME=env:VAR|file:PATH" help:"Where a secret is; give it once for each."`
	Dir     map[string]string `mapsep:"none" placeholder:"GUEST=FOLDER" help:"Which folder of this machine the module sees as GUEST; give it once for each."`
	Network map[string]string `mapsep:"none" placeholder:"HOST=NETWORK,…" help:"Addresses that HOST may lead to although they are not public, such as 10.1.0.0/16."`
}

// grant is what the flags make of a request: all of it, or what --only names; with the places that the flags name, or else those of the
// grant before.
func (c *terms) grant(req config.Request, before config.Grant) (config.Grant, error) {
	g := plugins.Whole(req)
	if len(c.Only) > 0 {
		var err error
		if g, err = only(g, c.Only); err != nil {
			return g, err
		}
	}
	if err := c.networks(&g, before); err != nil {
		return g, err
	}
	if err := c.secrets(&g, before); err != nil {
		return g, err
	}
	return g, c.dirs(&g, before)
}

// only keeps of a grant what is named, in texts of names with commas between them.
func only(g config.Grant, texts []string) (config.Grant, error) {
	names := strings.Split(strings.Join(texts, ","), ",")
	if slices.Contains(names, "") {
		return g, usage("--only: name what is to be granted, such as http or dir:/data; without the flag it is all that is asked for")
	}
	used := map[string]bool{}
	wanted := func(kind, name string) bool {
		ok := false
		for _, n := range names {
			if n == kind || n == kind+":"+name {
				used[n], ok = true, true
			}
		}
		return ok
	}
	g.HTTP = slices.DeleteFunc(g.HTTP, func(h config.HTTPGrant) bool { return !wanted("http", h.Host) })
	maps.DeleteFunc(g.Secrets, func(name string, _ config.SecretGrant) bool { return !wanted("secrets", name) })
	g.Dirs = slices.DeleteFunc(g.Dirs, func(d config.DirGrant) bool { return !wanted("dir", d.Guest) })
	if g.State > 0 && !slices.Contains(names, "state") {
		g.State = 0
	} else if g.State > 0 {
		used["state"] = true
	}
	if g.Emit != nil {
		jobs := slices.DeleteFunc(slices.Clone(g.Emit.Jobs), func(job string) bool { return !wanted("emit", job) })
		if g.Emit = nil; len(jobs) > 0 {
			g.Emit = &config.EmitGrant{Jobs: jobs}
		}
	}
	for _, n := range names {
		if !used[n] {
			return g, usage("--only %s: the plugin asks for nothing of that name; see wcron inspect", n)
		}
	}
	return g, nil
}

func (c *terms) networks(g *config.Grant, before config.Grant) error {
	given := map[string][]netip.Prefix{}
	for host, text := range c.Network {
		for one := range strings.SplitSeq(text, ",") {
			p, err := config.ParseNetwork(strings.TrimSpace(one))
			if err != nil {
				return usage("--network %s: %w", host, err)
			}
			given[host] = append(given[host], p)
		}
		if !slices.ContainsFunc(g.HTTP, func(h config.HTTPGrant) bool { return h.Host == host }) {
			return usage("--network %s: it is no host of this grant; see what the plugin asks for with wcron inspect", host)
		}
	}
	for i := range g.HTTP {
		h := &g.HTTP[i]
		if h.Networks = given[h.Host]; h.Networks != nil {
			continue
		}
		for _, old := range before.HTTP {
			if old.Host == h.Host {
				h.Networks = old.Networks
			}
		}
	}
	return nil
}

func (c *terms) secrets(g *config.Grant, before config.Grant) error {
	for name := range c.Secret {
		if _, ok := g.Secrets[name]; !ok {
			return usage("--secret %s: it is no secret of this grant; see what the plugin asks for with wcron inspect", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(g.Secrets)) {
		text, given := c.Secret[name]
		old, known := before.Secrets[name]
		host := g.Secrets[name].Host
		switch {
		case given:
			s, err := secretSource(text)
			if err != nil {
				return usage("--secret %s: %w", name, err)
			}
			s.Host = host
			g.Secrets[name] = s
		case known && old.Host != "" && old.Host != host:
			return usage("the secret %s was granted for %s and is asked for %s now: say with --secret %s=env:VAR or --secret %s=file:PATH which one is meant, or leave it out with --only",
				name, old.Host, host, name, name)
		case known:
			old.Host = host
			g.Secrets[name] = old
		default:
			return usage("where is the secret %s? say it with --secret %s=env:VAR or --secret %s=file:PATH, or leave it out with --only", name, name, name)
		}
	}
	return nil
}

// secretSource reads env:VAR or file:PATH.
func secretSource(text string) (config.SecretGrant, error) {
	kind, place, ok := strings.Cut(text, ":")
	switch {
	case ok && place != "" && kind == "env":
		return config.SecretGrant{Env: place}, nil
	case ok && place != "" && kind == "file":
		abs, err := filepath.Abs(place)
		return config.SecretGrant{File: abs}, err
	}
	return config.SecretGrant{}, fmt.Errorf("write env:VAR or file:PATH; a command is granted in the host file")
}

func (c *terms) dirs(g *config.Grant, before config.Grant) error {
	for guest := range c.Dir {
		if !slices.ContainsFunc(g.Dirs, func(d config.DirGrant) bool { return d.Guest == guest }) {
			return usage("--dir %s: it is no folder of this grant; see what the plugin asks for with wcron inspect", guest)
		}
	}
	for i := range g.Dirs {
		d := &g.Dirs[i]
		for _, old := range before.Dirs {
			if old.Guest == d.Guest {
				d.Host, d.Quota = old.Host, old.Quota
			}
		}
		if given := c.Dir[d.Guest]; given != "" {
			abs, err := filepath.Abs(given)
			if err != nil {
				return usage("--dir %s: %w", d.Guest, err)
			}
			d.Host = abs
		}
		if d.Host == "" {
			return usage("which folder is %s? say it with --dir %s=FOLDER, or leave it out with --only", d.Guest, quoted(d.Guest))
		}
	}
	return nil
}

// nearby are the addresses that are not public and that hosts of a grant may lead to.
func nearby(g config.Grant) (list []string) {
	for _, h := range g.HTTP {
		var networks []string
		for _, n := range h.Networks {
			networks = append(networks, n.String())
		}
		if len(networks) > 0 {
			list = append(list, fmt.Sprintf("%s may lead to %s", h.Host, strings.Join(networks, ", ")))
		}
	}
	return list
}

// places is what a grant says beyond its request: addresses that are not public, and where secrets and folders are.
func places(g config.Grant) []string {
	list := nearby(g)
	for _, name := range slices.Sorted(maps.Keys(g.Secrets)) {
		switch s := g.Secrets[name]; {
		case s.Env != "":
			list = append(list, fmt.Sprintf("secret %s is the variable %s of the host", name, s.Env))
		case s.File != "":
			list = append(list, fmt.Sprintf("secret %s is in %s", name, s.File))
		}
	}
	for _, d := range g.Dirs {
		list = append(list, fmt.Sprintf("folder %s is %s", d.Guest, d.Host))
	}
	return list
}
