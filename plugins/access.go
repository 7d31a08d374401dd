package plugins

import (
	"net/netip"
	"path/filepath"
	"slices"
	"time"

	"github.com/wcron/wcron/config"
)

// Access is what a job asked for and what came of it.
type Access struct {
	Request config.Request // of the version in use; of a job that waits or is denied: of the one that is there
	Allowed Allowed        // what a run may do; nothing of a job that does not run
	Denied  []Ask          // requested and not allowed
	Idle    []Ask          // granted by the operator's own table and not requested, so that it has no effect
	From    string         // whose word that is: "nobody's: …", "host file:…" or who approved or denied it; "": nobody has said anything yet
	At      time.Time      // when; zero: not known
	Update  *Update        // the version in the folder, where the one in use is an earlier one
	Version *Record        // the version in the folder, for whoever decides about it; nil: the operator's own table decides, or there is none
	Accept  *Record        // what a host has to record, so that this version is known when the next one comes
}

// Update is a version of a plugin that is there and not in use.
type Update struct {
	Digest  string // SHA-256 of the module
	Request config.Request
	More    []Ask // what it asks for beyond the version in use
	Less    []Ask // what it asks for no more
	Denied  bool  // somebody decided against it
	Reason  string
}

// Allowed is what a run may do: no more than its plugin requests, its grant gives and the caps let pass.
type Allowed struct {
	HTTP    []config.HTTPGrant // schemes, methods and paths written out
	Secrets []Secret           // by name
	State   int64              // bytes of the job's state that it asked for; 0: it did not ask, and has what every job has
	Dirs    []config.DirGrant  // mode and quota written out
	Emit    []string
}

// Secret is a secret that the host puts into a header of the requests to a host.
type Secret struct {
	Name, Header, Host, Format string
	Source                     config.SecretGrant
}

// Record is a decision about one version of a job's plugin: the module and the sidecar that lay beside it.
type Record struct {
	Job, Plugin string         // Plugin is the path in the plugin folder
	Digest      string         // SHA-256 of the module
	Sidecar     string         // text of the sidecar; "": there was none
	Requested   config.Request // what was decided about
	Granted     config.Grant   // what of it was granted
	Approved    bool           // else it is denied
	By          string
	At          time.Time

	// Auto says that no person decided this: it counts only where nothing newer than the revision Seen was decided about the job.
	Auto bool
	Seen int64
}

// same tells whether both are about one version.
func (r Record) same(o Record) bool {
	return r.Job == o.Job && r.Plugin == o.Plugin && r.Digest == o.Digest && r.Sidecar == o.Sidecar
}

// Meet is what a run may do of a request that is granted so, under the caps.
func Meet(req config.Request, grant config.Grant, caps config.Caps) Allowed {
	return meet(req, grant, caps)
}

// meet is what a request, a grant and the caps have in common.
func meet(req config.Request, grant config.Grant, caps config.Caps) Allowed {
	var a Allowed
	for _, r := range req.HTTP {
		for _, g := range grant.HTTP {
			a.add(meetRules(ruleOf(r.Host, r.Schemes, r.Methods, r.Paths), ruleOf(g.Host, g.Schemes, g.Methods, g.Paths)), g.Networks, caps.Hosts)
		}
	}
	for _, name := range sortedKeys(req.Secrets) {
		s := req.Secrets[name]
		if source, ok := grant.Secrets[name]; ok && (source.Host == "" || source.Host == s.Host) {
			a.Secrets = append(a.Secrets, Secret{name, s.Header(), s.Host, s.Format, source})
		}
	}
	if req.State != nil {
		a.State = int64(min(req.State.Size, max(grant.State, config.DefaultState)))
		if caps.State > 0 {
			a.State = min(a.State, int64(max(caps.State, config.DefaultState)))
		}
	}
	for _, r := range req.Dirs {
		i := slices.IndexFunc(grant.Dirs, func(g config.DirGrant) bool { return g.Guest == r.Guest })
		if i >= 0 && underCap(grant.Dirs[i].Host, caps.Dirs) {
			a.Dirs = append(a.Dirs, meetDirs(r, grant.Dirs[i], caps.Quota))
		}
	}
	if req.Emit != nil && grant.Emit != nil {
		for _, job := range req.Emit.Jobs {
			if slices.Contains(grant.Emit.Jobs, job) {
				a.Emit = append(a.Emit, job)
			}
		}
	}
	return a
}

// add adds a rule once for each host that the caps leave of it, unless a rule that is there gives as much.
func (a *Allowed) add(r rule, networks []netip.Prefix, hosts []string) {
	if len(r.schemes) == 0 || len(r.methods) == 0 || len(r.paths) == 0 || r.host == "" {
		return
	}
	if hosts == nil {
		hosts = []string{r.host}
	}
	for _, limit := range hosts {
		host := meetHosts(r.host, limit)
		if host == "" {
			continue
		}
		g := config.HTTPGrant{Host: host, Schemes: r.schemes, Methods: r.methods, Paths: r.paths, Networks: networks}
		if !slices.ContainsFunc(a.HTTP, func(o config.HTTPGrant) bool { return gives(o, g) }) {
			a.HTTP = append(a.HTTP, g)
		}
	}
}

// gives tells whether the rule a lets pass all that b does.
func gives(a, b config.HTTPGrant) bool {
	for _, n := range b.Networks {
		if !slices.Contains(a.Networks, n) {
			return false
		}
	}
	as := config.HTTPRequest{Host: a.Host, Schemes: a.Schemes, Methods: a.Methods, Paths: a.Paths}
	left := uncovered([]config.HTTPRequest{as}, ruleOf(b.Host, b.Schemes, b.Methods, b.Paths))
	return len(left) == 0
}

func meetRules(a, b rule) rule {
	out := rule{host: meetHosts(a.host, b.host)}
	both := func(x, y []string) (list []string) {
		for _, s := range x {
			if slices.Contains(y, s) {
				list = append(list, s)
			}
		}
		return list
	}
	out.schemes, out.methods = both(a.schemes, b.schemes), both(a.methods, b.methods)
	for _, p := range a.paths {
		for _, q := range b.paths {
			narrow := ""
			if coversPath(p, q) {
				narrow = q
			} else if coversPath(q, p) {
				narrow = p
			}
			if narrow != "" && !slices.Contains(out.paths, narrow) {
				out.paths = append(out.paths, narrow)
			}
		}
	}
	return out
}

// meetHosts is the narrower of two patterns, or "" where none lies within the other.
func meetHosts(a, b string) string {
	switch {
	case coversHost(a, b):
		return b
	case coversHost(b, a):
		return a
	}
	return ""
}

func meetDirs(r config.DirRequest, g config.DirGrant, most config.Size) config.DirGrant {
	if g.Mode != config.ModeWrite || r.Mode != config.ModeWrite {
		g.Mode, g.Quota = config.ModeRead, 0
		return g
	}
	if g.Quota == 0 {
		g.Quota = config.DefaultDirQuota
	}
	if most > 0 {
		g.Quota = min(g.Quota, most)
	}
	return g
}

func underCap(dir string, roots []string) bool {
	return roots == nil || dir == "" || slices.ContainsFunc(roots, func(root string) bool {
		rel, err := filepath.Rel(root, dir)
		return err == nil && filepath.IsLocal(rel)
	})
}

// refused is what of a request is not allowed.
func (a Allowed) refused(req config.Request) []Ask {
	have := config.Request{State: &config.StateRequest{Size: max(config.Size(a.State), config.DefaultState)}}
	for _, h := range a.HTTP {
		have.HTTP = append(have.HTTP, config.HTTPRequest{Host: h.Host, Schemes: h.Schemes, Methods: h.Methods, Paths: h.Paths})
	}
	have.Secrets = map[string]config.SecretRequest{}
	for _, s := range a.Secrets {
		have.Secrets[s.Name] = req.Secrets[s.Name]
	}
	for _, d := range a.Dirs {
		have.Dirs = append(have.Dirs, config.DirRequest{Guest: d.Guest, Mode: d.Mode})
	}
	have.Emit = &config.EmitRequest{Jobs: a.Emit}
	return missing(&have, req)
}

// Capped is what of a request no grant can give, because the host's caps forbid it.
func Capped(req config.Request, caps config.Caps) []Ask {
	return meet(req, Whole(req), caps).refused(req)
}

// Whole is the grant that gives all of a request, but for what only a person can tell: where a secret is, and which folder is meant.
// Those are in it with their names alone.
func Whole(req config.Request) config.Grant {
	var g config.Grant
	for _, r := range req.HTTP {
		g.HTTP = append(g.HTTP, config.HTTPGrant{Host: r.Host, Schemes: r.Schemes, Methods: r.Methods, Paths: r.Paths})
	}
	for name, s := range req.Secrets {
		if g.Secrets == nil {
			g.Secrets = map[string]config.SecretGrant{}
		}
		g.Secrets[name] = config.SecretGrant{Host: s.Host}
	}
	if req.State != nil && req.State.Size > config.DefaultState {
		g.State = req.State.Size
	}
	for _, r := range req.Dirs {
		g.Dirs = append(g.Dirs, config.DirGrant{Guest: r.Guest, Mode: r.Mode})
	}
	if req.Emit != nil {
		g.Emit = &config.EmitGrant{Jobs: req.Emit.Jobs}
	}
	return g
}

// Refused is what of a request a grant does not give under the caps.
func Refused(req config.Request, grant config.Grant, caps config.Caps) []Ask {
	return meet(req, grant, caps).refused(req)
}

// idle is what of a grant is of no use to a request.
func idle(req config.Request, g config.Grant) []Ask {
	var out []Ask
	useless := func(part config.Grant) {
		if a := meet(req, part, config.Caps{}); len(a.HTTP)+len(a.Secrets)+len(a.Dirs)+len(a.Emit) == 0 && a.State <= int64(config.DefaultState) {
			out = append(out, Given(part)...)
		}
	}
	for _, h := range g.HTTP {
		useless(config.Grant{HTTP: []config.HTTPGrant{h}})
	}
	if g.State > config.DefaultState {
		useless(config.Grant{State: g.State})
	}
	if g.Emit != nil {
		for _, job := range g.Emit.Jobs {
			useless(config.Grant{Emit: &config.EmitGrant{Jobs: []string{job}}})
		}
	}
	for _, d := range g.Dirs {
		useless(config.Grant{Dirs: []config.DirGrant{d}})
	}
	for _, name := range sortedKeys(g.Secrets) {
		useless(config.Grant{Secrets: map[string]config.SecretGrant{name: g.Secrets[name]}})
	}
	return out
}

// Given is what a grant consists of, in words.
func Given(g config.Grant) []Ask {
	var as config.Request
	for _, h := range g.HTTP {
		as.HTTP = append(as.HTTP, config.HTTPRequest{Host: h.Host, Schemes: h.Schemes, Methods: h.Methods, Paths: h.Paths})
	}
	if g.Emit != nil {
		as.Emit = &config.EmitRequest{Jobs: g.Emit.Jobs}
	}
	if g.State > 0 {
		as.State = &config.StateRequest{Size: g.State}
	}
	list := missing(nil, as)
	for _, d := range g.Dirs {
		list = append(list, Ask{Kind: "dir", What: dirText(folderText(d.Guest)+" = "+folderText(d.Host), d.Mode)})
	}
	for _, name := range sortedKeys(g.Secrets) {
		list = append(list, Ask{Kind: "secrets", What: "secret " + name})
	}
	return list
}
