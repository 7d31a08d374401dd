package config

import (
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
)

// Grant is what an operator lets a job do. What the job is given is never more than this, its plugin's [Request] and the caps.
type Grant struct {
	Digest  string                 `toml:"digest" json:"digest,omitempty"` // SHA-256 of the module that it is for, in hex; "": any
	HTTP    []HTTPGrant            `toml:"http" json:"http,omitempty"`
	Secrets map[string]SecretGrant `toml:"secrets" json:"secrets,omitempty"`
	State   Size                   `toml:"state" json:"state,omitempty"` // 0: what every job has
	Dirs    []DirGrant             `toml:"dir" json:"dir,omitempty"`
	Emit    *EmitGrant             `toml:"emit" json:"emit,omitempty"`
}

// HTTPGrant lets a job send requests to a host. The fields but Networks are those of [HTTPRequest].
type HTTPGrant struct {
	Host     string         `toml:"host" json:"host"`
	Schemes  []string       `toml:"schemes" json:"schemes,omitempty"`
	Methods  []string       `toml:"methods" json:"methods,omitempty"`
	Paths    []string       `toml:"paths" json:"paths,omitempty"`
	Networks []netip.Prefix `toml:"networks" json:"networks,omitempty"` // addresses that are allowed although they are not public
}

// SecretGrant says where a secret is: exactly one of File, Env and Command is set.
type SecretGrant struct {
	Host    string   `toml:"host" json:"host,omitempty"` // the host that it may be sent to, as in the request; "": whichever is requested
	File    string   `toml:"file" json:"file,omitempty"`
	Env     string   `toml:"env" json:"env,omitempty"`
	Command []string `toml:"command" json:"command,omitempty"` // a program and its arguments, whose stdout is the secret
}

// DirGrant says which folder a job sees.
type DirGrant struct {
	Guest string `toml:"guest" json:"guest"`
	Host  string `toml:"host" json:"host"`             // a path of the machine
	Mode  string `toml:"mode" json:"mode,omitempty"`   // "": ModeRead
	Quota Size   `toml:"quota" json:"quota,omitempty"` // the most that the folder may hold when the job writes; 0: DefaultDirQuota
}

// EmitGrant names the jobs that a job may start.
type EmitGrant struct {
	Jobs []string `toml:"jobs" json:"jobs"`
}

// What holds where a grant does not say.
const (
	DefaultState    = MiB      // of every job, without a grant
	DefaultDirQuota = 64 * MiB // of a folder that a job may write to
)

// grantKeys are the parts of a grant.
func grantKeys() []tableKey[Grant] {
	return []tableKey[Grant]{
		in("digest", texts("64 digits of a SHA-256 in hex", 64, checkDigest), func(g *Grant) *string { return &g.Digest }),
		in("http", lists(tables(httpGrantKeys(), nil), maxRules, "write [[jobs.NAME.grant.http]] on a line of its own and the keys below it", nil),
			func(g *Grant) *[]HTTPGrant { return &g.HTTP }),
		in("secrets", named(tables(secretGrantKeys(), oneSource), maxRules, "letters, digits and _", checkSecretName),
			func(g *Grant) *map[string]SecretGrant { return &g.Secrets }),
		in("state", sizes(false, KiB, maxState), func(g *Grant) *Size { return &g.State }).without(quote(DefaultState.String())),
		in("dir", lists(tables(dirGrantKeys(), nil), maxRules, "write [[jobs.NAME.grant.dir]] on a line of its own and the keys below it",
			func(a, b DirGrant) string { return twice(a.Guest, b.Guest) }), func(g *Grant) *[]DirGrant { return &g.Dirs }),
		in("emit", pointed(tables(emitGrantKeys(), nil)), func(g *Grant) **EmitGrant { return &g.Emit }),
	}
}

func httpGrantKeys() []tableKey[HTTPGrant] {
	return []tableKey[HTTPGrant]{
		in("host", hostNamesOf(), func(g *HTTPGrant) *string { return &g.Host }).needed(),
		in("schemes", schemes(), func(g *HTTPGrant) *[]string { return &g.Schemes }).without(defaultSchemes),
		in("methods", methods(), func(g *HTTPGrant) *[]string { return &g.Methods }).without(defaultMethods),
		in("paths", globs(), func(g *HTTPGrant) *[]string { return &g.Paths }).without(`["/**"]`),
		in("networks", lists(prefixes(), maxRules, `write an array such as ["10.0.0.0/8"]`, func(a, b netip.Prefix) string { return twice(a.String(), b.String()) }),
			func(g *HTTPGrant) *[]netip.Prefix { return &g.Networks }),
	}
}

func secretGrantKeys() []tableKey[SecretGrant] {
	return []tableKey[SecretGrant]{
		in("host", texts("a name in small letters or an address; may end with :PORT", 300, checkSecretHost), func(g *SecretGrant) *string { return &g.Host }),
		in("file", texts("a path", 4096, checkPath), func(g *SecretGrant) *string { return &g.File }),
		in("env", texts("a variable's name", 256, checkEnvName), func(g *SecretGrant) *string { return &g.Env }),
		in("command", lists(texts("a program and its arguments", 4096, nil), 64, `write an array such as ["pass", "show", "api-token"]`, nil),
			func(g *SecretGrant) *[]string { return &g.Command }),
	}
}

func oneSource(v value, g SecretGrant) bool {
	n := 0
	for _, given := range []bool{g.File != "", g.Env != "", g.Command != nil} {
		if given {
			n++
		}
	}
	if n != 1 {
		v.fail("does not say where the secret is", "write one of file, env and command")
	}
	return n == 1
}

func dirGrantKeys() []tableKey[DirGrant] {
	return []tableKey[DirGrant]{
		in("guest", guestPaths(), func(g *DirGrant) *string { return &g.Guest }).needed(),
		in("host", texts("a path", 4096, checkPath), func(g *DirGrant) *string { return &g.Host }).needed(),
		in("mode", choices(ModeRead, ModeWrite), func(g *DirGrant) *string { return &g.Mode }).without(quote(ModeRead)),
		in("quota", sizes(false, KiB, TiB), func(g *DirGrant) *Size { return &g.Quota }).without(quote(DefaultDirQuota.String())),
	}
}

func emitGrantKeys() []tableKey[EmitGrant] {
	return []tableKey[EmitGrant]{
		in("jobs", jobNames(), func(g *EmitGrant) *[]string { return &g.Jobs }).needed(),
	}
}

// prefixes reads addresses and networks.
func prefixes() reader[netip.Prefix] {
	text := texts("a network such as 10.0.0.0/8, or an address", 64, func(s string) error {
		_, err := ParseNetwork(s)
		return err
	})
	return reader[netip.Prefix]{
		typ: text.typ, span: text.span,
		read: func(v value) (netip.Prefix, bool) {
			s, ok := text.read(v)
			p, _ := ParseNetwork(s)
			return p, ok
		},
		write: func(p netip.Prefix) string { return quote(p.String()) },
	}
}

// ParseNetwork reads a network, or one address as the network of that address alone.
func ParseNetwork(s string) (netip.Prefix, error) {
	const remedy = `write a network such as "10.0.0.0/8" or "fd00::/8", or an address`
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" && !addr.Is4In6() {
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		return p, advice{quote(clip(s)) + " is no network", remedy}
	case p.Addr().Is4In6():
		return p, advice{quote(clip(s)) + " is an IPv4 address in the clothes of IPv6", "write the IPv4 address"}
	case p != p.Masked():
		return p, advice{quote(s) + " has bits beyond its length", "write " + quote(p.Masked().String())}
	}
	return p, nil
}

func checkDigest(s string) error {
	if len(s) != 64 || strings.Trim(s, "0123456789abcdef") != "" {
		return advice{quote(clip(s)) + " is no SHA-256", "write the 64 digits that wcron inspect shows"}
	}
	return nil
}

func checkEnvName(s string) error {
	if strings.ContainsAny(s, "=") || checkLine(s) != nil {
		return advice{quote(clip(s)) + " is no variable's name", "use a name without ="}
	}
	return nil
}

// resolve makes the paths in a grant absolute: relative ones start at the host file's folder.
func (g *Grant) resolve(dir string) {
	at := func(p *string) {
		if s := filepath.FromSlash(*p); *p != "" && !filepath.IsAbs(s) {
			*p = filepath.Join(dir, s)
		} else {
			*p = s
		}
	}
	for name, s := range g.Secrets {
		at(&s.File)
		g.Secrets[name] = s
	}
	for i := range g.Dirs {
		at(&g.Dirs[i].Host)
	}
}

// ParseGrant reads the grant of a job: the table [grant], as in a file of jobs.d, or [jobs.NAME.grant], as [EncodeGrant] writes it, and
// nothing else. Relative paths in it stay as they are. Problems are reported under file; the error is then an [*Error].
func ParseGrant(file string, src []byte, job string) (*Grant, error) {
	var out problems
	var found *Grant
	if doc := parse(file, src, maxFile, &out); doc != nil {
		remedy := "write the table [grant] alone, or what wcron grants export prints for job " + job
		found = findGrant(doc.top(), job, remedy)
		if found == nil && len(out.list) == 0 {
			out.add(Problem{File: file, What: "there is no grant in it", Remedy: remedy})
		}
	}
	if err := out.err(); err != nil {
		return nil, err
	}
	return found, nil
}

func findGrant(at value, job, remedy string) (found *Grant) {
	entries, _ := at.table()
	for _, e := range entries {
		switch {
		case e.name == "grant" && at.path != "jobs":
			if g, ok := tables(grantKeys(), nil).read(e.value); ok {
				found = &g
			}
		case e.name == "jobs" && at.path == "", at.path == "jobs" && e.name == job:
			found = findGrant(e.value, job, remedy)
		case at.path == "jobs":
			e.failKey("this is the grant of another job", remedy)
		default:
			e.failKey("it is no part of a grant", remedy)
		}
	}
	return found
}

// EncodeGrant is the grant as tables of a host file, for the job of that name; without a name, as tables of the job's own file in jobs.d.
// It reads back the same if its values are valid.
func EncodeGrant(job string, g Grant) []byte {
	var b strings.Builder
	at := "grant"
	if job != "" {
		at = "jobs." + keyText(job) + ".grant"
	}
	b.WriteString("[" + at + "]\n")
	for _, k := range grantKeys() {
		if text := k.show(g); text != "" && (k.name == "digest" || k.name == "state") {
			b.WriteString(k.name + " = " + text + "\n")
		}
	}
	for _, h := range g.HTTP {
		writeTable(&b, "[["+at+".http]]", httpGrantKeys(), h)
	}
	for i, name := range slices.Sorted(maps.Keys(g.Secrets)) {
		if i == 0 {
			b.WriteString("\n[" + at + ".secrets]\n")
		}
		b.WriteString(keyText(name) + " = " + tables(secretGrantKeys(), nil).write(g.Secrets[name]) + "\n")
	}
	for _, d := range g.Dirs {
		writeTable(&b, "[["+at+".dir]]", dirGrantKeys(), d)
	}
	if g.Emit != nil {
		writeTable(&b, "["+at+".emit]", emitGrantKeys(), *g.Emit)
	}
	return []byte(b.String())
}

func writeTable[T any](b *strings.Builder, head string, keys []tableKey[T], t T) {
	b.WriteString("\n" + head + "\n")
	for _, k := range keys {
		if text := k.show(t); text != "" {
			b.WriteString(k.name + " = " + text + "\n")
		}
	}
}
