package plugins

import (
	"fmt"
	"maps"
	"net/netip"
	"path"
	"slices"
	"strings"

	"github.com/wcron/wcron/config"
)

// coversHost tells whether every name that the pattern b stands for is one of those of a.
func coversHost(a, b string) bool {
	if a == b {
		return true
	}
	below, wild := strings.CutPrefix(a, "*")
	return wild && !address(b) && strings.HasSuffix(b, below) && strings.TrimSuffix(b, below) != ""
}

// address tells whether a host is an address, with or without a port: those are no names below anything.
func address(host string) bool {
	if _, err := netip.ParseAddrPort(host); err == nil {
		return true
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil
}

// coversPath tells whether every path that the pattern b stands for is one of those of a. Patterns are as config accepts them.
func coversPath(a, b string) bool {
	as, bs := strings.Split(a, "/"), strings.Split(b, "/")
	for i, part := range as {
		if part == "**" {
			return len(bs) > i
		}
		if i >= len(bs) || bs[i] == "**" || !coversPart(part, bs[i]) {
			return false
		}
	}
	return len(as) == len(bs)
}

func coversPart(a, b string) bool {
	if a == b {
		return true
	}
	if strings.Contains(b, "*") || b == "" {
		return a == "*" && b != ""
	}
	ok, err := path.Match(a, b)
	return ok && err == nil
}

// rule is an HTTP rule with its defaults filled in.
type rule struct {
	host                    string
	schemes, methods, paths []string
}

func ruleOf(host string, schemes, methods, paths []string) rule {
	return rule{host, or(schemes, "https"), or(methods, "GET", "HEAD"), or(paths, "/**")}
}

func or(list []string, def ...string) []string {
	if list == nil {
		return def
	}
	return list
}

func (r rule) covers(host, scheme, method, path string) bool {
	return coversHost(r.host, host) && slices.Contains(r.schemes, scheme) && slices.Contains(r.methods, method) &&
		slices.ContainsFunc(r.paths, func(p string) bool { return coversPath(p, path) })
}

// String is the rule for people: "GET,HEAD https://api.example.com/v1/**".
func (r rule) String() string {
	return fmt.Sprintf("http %s %s://%s%s", strings.Join(r.methods, ","), strings.Join(r.schemes, ","), r.host, strings.Join(r.paths, ","))
}

// Ask is one thing that a plugin asks for.
type Ask struct {
	Kind   string `json:"kind"` // "http", "secrets", "state", "dir" or "emit"
	What   string `json:"what"` // one line
	Reason string `json:"reason"`
}

// Asks is what a request consists of, in words.
func Asks(r config.Request) []Ask { return missing(nil, r) }

// missing is what the request next asks for beyond old; without old, all that it asks for.
func missing(old *config.Request, next config.Request) []Ask {
	out := []Ask{}
	var have config.Request
	if old != nil {
		have = *old
	}
	for _, h := range next.HTTP {
		for _, r := range uncovered(have.HTTP, ruleOf(h.Host, h.Schemes, h.Methods, h.Paths)) {
			out = append(out, Ask{"http", r.String(), h.Reason})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(next.Secrets)) {
		s := next.Secrets[name]
		if o, ok := have.Secrets[name]; ok && o.Inject == s.Inject && o.Format == s.Format && coversHost(o.Host, s.Host) {
			continue
		}
		out = append(out, Ask{"secrets", fmt.Sprintf("secret %s in the header %s to %s", name, s.Header(), s.Host), s.Reason})
	}
	if next.State != nil && (old == nil || next.State.Size > stateOf(have)) {
		out = append(out, Ask{"state", "state up to " + next.State.Size.String(), next.State.Reason})
	}
	for _, d := range next.Dirs {
		i := slices.IndexFunc(have.Dirs, func(o config.DirRequest) bool { return o.Guest == d.Guest })
		if i >= 0 && (have.Dirs[i].Mode == config.ModeWrite || d.Mode == config.ModeRead) {
			continue
		}
		out = append(out, Ask{"dir", dirText(folderText(d.Guest), d.Mode), d.Reason})
	}
	if next.Emit != nil {
		var more []string
		for _, job := range next.Emit.Jobs {
			if have.Emit == nil || !slices.Contains(have.Emit.Jobs, job) {
				more = append(more, job)
			}
		}
		if more != nil {
			out = append(out, Ask{"emit", "start " + strings.Join(more, ", "), next.Emit.Reason})
		}
	}
	return out
}

// dirText is a folder and its mode for people.
func dirText(folder, mode string) string {
	if mode == config.ModeWrite {
		return "folder " + folder + ", to read and write"
	}
	return "folder " + folder + ", to read"
}

// folderText is a folder's path for people, quoted where it could be taken for more of the sentence.
func folderText(path string) string {
	if strings.ContainsAny(path, " ,;()\"'") {
		return quoteWord(path)
	}
	return path
}

func stateOf(r config.Request) config.Size {
	if r.State == nil {
		return config.DefaultState
	}
	return max(r.State.Size, config.DefaultState)
}

// uncovered is what of a rule none of the others covers: the whole of it if none covers any part, else path by path.
func uncovered(others []config.HTTPRequest, r rule) []rule {
	var rules []rule
	for _, o := range others {
		rules = append(rules, ruleOf(o.Host, o.Schemes, o.Methods, o.Paths))
	}
	var rest []rule
	whole := true
	for _, p := range r.paths {
		for _, s := range r.schemes {
			left := rule{host: r.host, schemes: []string{s}, paths: []string{p}}
			for _, m := range r.methods {
				if slices.ContainsFunc(rules, func(o rule) bool { return o.covers(r.host, s, m, p) }) {
					whole = false
				} else {
					left.methods = append(left.methods, m)
				}
			}
			if left.methods != nil {
				rest = append(rest, left)
			}
		}
	}
	if whole {
		return []rule{r}
	}
	return rest
}

// harmless tells whether a request asks for nothing that somebody would have to grant.
func harmless(r config.Request) bool { return len(missing(new(config.Request), r)) == 0 }

// Words are the lines of a list.
func Words(list []Ask) []string {
	out := make([]string, len(list))
	for i, a := range list {
		out[i] = a.What
	}
	return out
}
