package capability

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// target is where a request goes, in the one form that is judged and sent.
type target struct {
	url    *url.URL // host in lower case, without a dot at its end, with a port only where it is not the scheme's own
	scheme string
	host   string
	port   string
}

var schemePorts = map[string]string{"https": "443", "http": "80"}

// parseTarget reads a URL, and refuses everything that two readers could understand in two ways.
func parseTarget(text string) (target, error) {
	if len(text) > 8<<10 {
		return target{}, fmt.Errorf("the URL has %d bytes, and may have %d", len(text), 8<<10)
	}
	u, err := url.Parse(text)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return target{}, fmt.Errorf("the URL cannot be read: %w", err)
	}
	return newTarget(u)
}

func newTarget(u *url.URL) (t target, err error) {
	t.scheme = strings.ToLower(u.Scheme)
	switch {
	case schemePorts[t.scheme] == "":
		return t, fmt.Errorf("the scheme %.20q is not one of https and http", u.Scheme)
	case u.Opaque != "" || u.Host == "":
		return t, errors.New("the URL names no host")
	case u.User != nil:
		return t, errors.New("a user or a password in the URL is refused; have a secret injected")
	}
	if t.host, t.port, err = splitHost(u.Host); err != nil {
		return t, err
	}
	if t.port == "" {
		t.port = schemePorts[t.scheme]
	}
	if err := checkHost(t.host); err != nil {
		return t, err
	}
	host := t.host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if t.port != schemePorts[t.scheme] {
		host += ":" + t.port
	}
	path := u.Path
	if path == "" {
		path = "/"
	}
	t.url = &url.URL{Scheme: t.scheme, Host: host, Path: path, RawPath: u.RawPath, RawQuery: escapeQuery(u.RawQuery), ForceQuery: u.ForceQuery}
	return t, nil
}

// escapeQuery escapes what a query must not have: a space would end the address in the request's line.
func escapeQuery(q string) string {
	var b strings.Builder
	for i := range len(q) {
		if c := q[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>`{}|\\^", c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// splitHost takes a host and a port apart, the host in lower case and without brackets or a dot at its end.
func splitHost(s string) (host, port string, err error) {
	host = s
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return "", "", fmt.Errorf("the host %.80q lacks a bracket", s)
		}
		host, port = s[1:end], s[end+1:]
		if port != "" && port[0] != ':' {
			return "", "", fmt.Errorf("the host %.80q has something behind its bracket", s)
		}
		port = strings.TrimPrefix(port, ":")
		if !strings.Contains(host, ":") {
			return "", "", fmt.Errorf("the host %.80q has brackets and is no IPv6 address", s)
		}
	} else if strings.Count(s, ":") == 1 {
		host, port, _ = strings.Cut(s, ":")
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
			return "", "", fmt.Errorf("the port %.20q is no number from 1 to 65535", port)
		}
	}
	return strings.TrimSuffix(strings.ToLower(host), "."), port, nil
}

const hostLetters = "abcdefghijklmnopqrstuvwxyz0123456789-_"

// checkHost refuses what looks like a name and is an address to some, and what is an address in a form of its own.
func checkHost(host string) error {
	if a, err := netip.ParseAddr(host); err == nil {
		if a.Zone() != "" || a.Is4In6() {
			return fmt.Errorf("the address %s must be written plainly, without a zone and not as IPv4 in IPv6", host)
		}
		return nil
	}
	if host == "" || len(host) > 253 {
		return errors.New("the host's name must have 1 to 253 bytes")
	}
	labels := strings.Split(host, ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 {
			return fmt.Errorf("the host %.80q has an empty label, or one of more than 63 bytes", host)
		}
		if strings.ContainsFunc(l, func(c rune) bool { return !strings.ContainsRune(hostLetters, c) }) {
			return fmt.Errorf("the host %.80q has other letters than a-z, 0-9, - and _; write international names in their xn-- form", host)
		}
	}
	if last := labels[len(labels)-1]; strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x") {
		return fmt.Errorf("the host %.80q ends in a number and is no plain IPv4 address", host)
	}
	return nil
}

// covers says whether a pattern of a grant names a host and port. A pattern without a port means the scheme's own.
func covers(pattern string, t target) bool {
	host, port, err := splitHost(pattern)
	if err != nil {
		return false
	}
	if port == "" {
		port = schemePorts[t.scheme]
	}
	if port != t.port {
		return false
	}
	if parent, ok := strings.CutPrefix(host, "*."); ok {
		_, err := netip.ParseAddr(t.host)
		return err != nil && parent != "" && strings.HasSuffix(t.host, "."+parent)
	}
	if want, err := netip.ParseAddr(host); err == nil {
		got, err := netip.ParseAddr(t.host)
		return err == nil && want == got
	}
	return host == t.host
}

// allows says whether a rule fits, and otherwise what does not: "host", "scheme", "method" or "path".
func (r HTTPRule) allows(t target, method string) (missing string) {
	switch {
	case !covers(r.Host, t):
		return "host"
	case !slices.Contains(orList(r.Schemes, "https"), t.scheme):
		return "scheme"
	case !slices.Contains(orList(r.Methods, "GET", "HEAD"), method):
		return "method"
	case !r.allowsPath(t.url):
		return "path"
	}
	return ""
}

func orList(list []string, def ...string) []string {
	if len(list) == 0 {
		return def
	}
	return list
}

// allowsPath matches the path as it is sent. What a server could take for another path fits no glob.
func (r HTTPRule) allowsPath(u *url.URL) bool {
	if len(r.Paths) == 0 || slices.Contains(r.Paths, "/**") {
		return true
	}
	escaped := strings.ToLower(u.EscapedPath())
	for _, trick := range []string{"%2f", "%5c", "%2e", "%25", "%3b", "\\", ";"} {
		if strings.Contains(escaped, trick) {
			return false
		}
	}
	if !utf8.ValidString(u.Path) || strings.ContainsFunc(u.Path, unicode.IsControl) {
		return false
	}
	segments := strings.Split(u.Path, "/")
	for i, s := range segments {
		empty := s == "" && i > 0 && i < len(segments)-1 // which some take for none
		if empty || s != "" && strings.Trim(s, ". ") == "" {
			return false
		}
	}
	for _, glob := range r.Paths {
		if matchPath(strings.Split(glob, "/"), segments) {
			return true
		}
	}
	return false
}

// matchPath matches a path with a glob, both in segments. "**" as a segment stands for one or more.
func matchPath(glob, path []string) bool {
	if len(glob) == 0 {
		return len(path) == 0
	}
	if glob[0] == "**" {
		for i := 1; i <= len(path); i++ {
			if matchPath(glob[1:], path[i:]) {
				return true
			}
			if len(glob) == 1 {
				return true
			}
		}
		return false
	}
	return len(path) > 0 && matchSegment(glob[0], path[0]) && matchPath(glob[1:], path[1:])
}

// matchSegment matches one segment; "*" stands for any bytes.
func matchSegment(glob, s string) bool {
	parts := strings.Split(glob, "*")
	if len(parts) == 1 {
		return glob == s
	}
	if !strings.HasPrefix(s, parts[0]) {
		return false
	}
	s = s[len(parts[0]):]
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(s, p)
		if i < 0 {
			return false
		}
		s = s[i+len(p):]
	}
	return strings.HasSuffix(s, parts[len(parts)-1])
}

// ruleFor is the rule that allows a request, or what to do to have one.
func (g Grants) ruleFor(t target, method string) (HTTPRule, error) {
	missing := ""
	rank := map[string]int{"host": 0, "scheme": 1, "method": 2, "path": 3}
	for _, r := range g.HTTP {
		switch m := r.allows(t, method); {
		case m == "":
			return r, nil
		case missing == "" || rank[m] > rank[missing]:
			missing = m
		}
	}
	switch missing {
	case "scheme":
		return HTTPRule{}, fmt.Errorf("the scheme %s is not granted for %s; grant it with schemes = [%q]", t.scheme, t.url.Host, t.scheme)
	case "method":
		return HTTPRule{}, fmt.Errorf("the method %.20s is not granted for %s; grant it with methods = [%.20q]", method, t.url.Host, method)
	case "path":
		return HTTPRule{}, fmt.Errorf("the path %.120q is not granted for %s; grant it with paths", t.url.Path, t.url.Host)
	}
	return HTTPRule{}, fmt.Errorf("requests to %s are not granted; grant them with http = [{host = %q}]", t.url.Host, t.url.Host)
}
