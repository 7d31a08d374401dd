package config

import (
	"fmt"
	"net/netip"
	"path"
	"strconv"
	"strings"
	"unicode"
)

// Request is what a plugin asks for besides computing: each part with the author's reason. It is never a grant.
type Request struct {
	HTTP    []HTTPRequest            `toml:"http" json:"http,omitempty"`
	Secrets map[string]SecretRequest `toml:"secrets" json:"secrets,omitempty"`
	State   *StateRequest            `toml:"state" json:"state,omitempty"`
	Dirs    []DirRequest             `toml:"dir" json:"dir,omitempty"`
	Emit    *EmitRequest             `toml:"emit" json:"emit,omitempty"`
}

// HTTPRequest asks to send requests to a host.
type HTTPRequest struct {
	Host    string   `toml:"host" json:"host"`                 // in small letters; may begin with "*." and end with ":port"
	Schemes []string `toml:"schemes" json:"schemes,omitempty"` // nil: "https"
	Methods []string `toml:"methods" json:"methods,omitempty"` // nil: "GET" and "HEAD"
	Paths   []string `toml:"paths" json:"paths,omitempty"`     // * within a part, ** at the end for all that follows; nil: all
	Reason  string   `toml:"reason" json:"reason"`
}

// SecretRequest asks that the host puts a secret into the requests to a host, where the guest never sees it.
type SecretRequest struct {
	Inject string `toml:"inject" json:"inject"` // "header:NAME"
	Host   string `toml:"host" json:"host"`
	Format string `toml:"format" json:"format,omitempty"` // one %s stands for the secret; "": the secret alone
	Reason string `toml:"reason" json:"reason"`
}

// Header is the name of the header that the secret goes into.
func (s SecretRequest) Header() string { return strings.TrimPrefix(s.Inject, injectHeader) }

// StateRequest asks for more state than every job has.
type StateRequest struct {
	Size   Size   `toml:"size" json:"size"`
	Reason string `toml:"reason" json:"reason,omitempty"`
}

// DirRequest asks for a folder.
type DirRequest struct {
	Guest  string `toml:"guest" json:"guest"` // where the guest sees it
	Mode   string `toml:"mode" json:"mode"`   // ModeRead or ModeWrite
	Reason string `toml:"reason" json:"reason"`
}

// EmitRequest asks to start other jobs.
type EmitRequest struct {
	Jobs   []string `toml:"jobs" json:"jobs"`
	Reason string   `toml:"reason" json:"reason"`
}

// How a folder may be used.
const (
	ModeRead  = "ro"
	ModeWrite = "rw"
)

const (
	injectHeader = "header:"
	maxReason    = 512
	maxRules     = 32
)

// requestKeys are the parts of a request.
func requestKeys() []tableKey[Request] {
	return []tableKey[Request]{
		in("http", lists(tables(httpRequestKeys(), nil), maxRules, "write [[request.http]] on a line of its own and the keys below it", nil),
			func(r *Request) *[]HTTPRequest { return &r.HTTP }),
		in("secrets", named(tables(secretRequestKeys(), nil), maxRules, "letters, digits and _", checkSecretName),
			func(r *Request) *map[string]SecretRequest { return &r.Secrets }),
		in("state", pointed(tables(stateRequestKeys(), nil)), func(r *Request) **StateRequest { return &r.State }),
		in("dir", lists(tables(dirRequestKeys(), nil), maxRules, "write [[request.dir]] on a line of its own and the keys below it",
			func(a, b DirRequest) string { return twice(a.Guest, b.Guest) }), func(r *Request) *[]DirRequest { return &r.Dirs }),
		in("emit", pointed(tables(emitRequestKeys(), nil)), func(r *Request) **EmitRequest { return &r.Emit }),
	}
}

func twice(a, b string) string {
	if a == b {
		return quote(clip(a))
	}
	return ""
}

func reasons() reader[string] { return texts("1 to 512 bytes, one line", maxReason, checkLine) }

func hostNamesOf() reader[string] {
	return texts("a name in small letters or an address; may begin with *. and end with :PORT", 300, CheckHost)
}

func schemes() reader[[]string] {
	return words(choices("https", "http"), 2, `write an array such as ["https"]`)
}

func methods() reader[[]string] {
	return words(choices("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"), 7, `write an array such as ["GET", "POST"]`)
}

func globs() reader[[]string] {
	return words(texts("begins with /; * stands for a part, ** at the end for all that follows", 512, checkGlob), maxRules, `write an array such as ["/v1/**"]`)
}

const (
	defaultSchemes = `["https"]`
	defaultMethods = `["GET", "HEAD"]`
)

func httpRequestKeys() []tableKey[HTTPRequest] {
	return []tableKey[HTTPRequest]{
		in("host", hostNamesOf(), func(r *HTTPRequest) *string { return &r.Host }).needed(),
		in("schemes", schemes(), func(r *HTTPRequest) *[]string { return &r.Schemes }).without(defaultSchemes),
		in("methods", methods(), func(r *HTTPRequest) *[]string { return &r.Methods }).without(defaultMethods),
		in("paths", globs(), func(r *HTTPRequest) *[]string { return &r.Paths }).without(`["/**"]`),
		in("reason", reasons(), func(r *HTTPRequest) *string { return &r.Reason }).needed(),
	}
}

func secretRequestKeys() []tableKey[SecretRequest] {
	return []tableKey[SecretRequest]{
		in("inject", texts("header:NAME", 100, checkInject), func(r *SecretRequest) *string { return &r.Inject }).needed(),
		in("host", texts("a name in small letters or an address; may end with :PORT", 300, checkSecretHost), func(r *SecretRequest) *string { return &r.Host }).needed(),
		in("format", texts("text with one %s, for the secret", 200, checkFormat), func(r *SecretRequest) *string { return &r.Format }).without(`"%s"`),
		in("reason", reasons(), func(r *SecretRequest) *string { return &r.Reason }).needed(),
	}
}

func stateRequestKeys() []tableKey[StateRequest] {
	return []tableKey[StateRequest]{
		in("size", sizes(false, KiB, maxState), func(r *StateRequest) *Size { return &r.Size }).needed(),
		in("reason", reasons(), func(r *StateRequest) *string { return &r.Reason }),
	}
}

func dirRequestKeys() []tableKey[DirRequest] {
	return []tableKey[DirRequest]{
		in("guest", guestPaths(), func(r *DirRequest) *string { return &r.Guest }).needed(),
		in("mode", choices(ModeRead, ModeWrite), func(r *DirRequest) *string { return &r.Mode }).needed(),
		in("reason", reasons(), func(r *DirRequest) *string { return &r.Reason }).needed(),
	}
}

func guestPaths() reader[string] { return texts("an absolute path with /", 512, checkGuestPath) }

func emitRequestKeys() []tableKey[EmitRequest] {
	return []tableKey[EmitRequest]{
		in("jobs", jobNames(), func(r *EmitRequest) *[]string { return &r.Jobs }).needed(),
		in("reason", reasons(), func(r *EmitRequest) *string { return &r.Reason }).needed(),
	}
}

func jobNames() reader[[]string] {
	return words(texts("a job name", maxName, ValidName), 64, `write an array such as ["notify"]`)
}

// CheckHost accepts a host as a request or a grant names it. The error says what to change.
func CheckHost(s string) error {
	bad := func(what, remedy string) error { return advice{quote(clip(s)) + " " + what, remedy} }
	name := s
	if i := strings.LastIndexByte(s, ':'); i >= 0 && !strings.HasSuffix(s, "]") {
		port, err := strconv.ParseUint(s[i+1:], 10, 16)
		if err != nil || port == 0 || s[i+1] == '0' {
			return bad("is no host with a port", `write a host such as "api.example.com" or "api.example.com:8443", an IPv6 address in brackets`)
		}
		name = s[:i]
	}
	if inner, ok := strings.CutPrefix(name, "["); ok {
		inner, closed := strings.CutSuffix(inner, "]")
		if addr, err := netip.ParseAddr(inner); !closed || err != nil || !addr.Is6() || addr.Is4In6() || addr.Zone() != "" || addr.String() != inner {
			return bad("is no IPv6 address in its shortest form", `write it as "[2001:db8::1]"`)
		}
		return nil
	}
	name = strings.TrimPrefix(name, "*.")
	if len(name) > 253 {
		return bad("is longer than 253 characters", "write a host's name")
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" || label[0] == '-' {
			return bad("is no host's name", `write a name in small letters without a scheme, such as "api.example.com", or "*.example.com" for all below it`)
		}
	}
	return nil
}

// checkSecretHost accepts one host: a secret for many would be at the mercy of the least of them.
func checkSecretHost(s string) error {
	if strings.HasPrefix(s, "*") {
		return advice{quote(clip(s)) + " stands for many hosts", "name the one host that the secret is for"}
	}
	return CheckHost(s)
}

// checkGlob accepts a pattern for paths that is written in only one way.
func checkGlob(s string) error {
	bad := func(what, remedy string) error { return advice{quote(clip(s)) + " " + what, remedy} }
	if !strings.HasPrefix(s, "/") {
		return bad("does not begin with /", `write a path such as "/v1/**"`)
	}
	if strings.ContainsAny(s, "?#%[]\\{} ") || strings.ContainsFunc(s, hidden) {
		return bad("holds a character that is no part of a plain path", "write the path alone, without query and escapes")
	}
	parts := strings.Split(s[1:], "/")
	for i, part := range parts {
		switch {
		case part == "." || part == "..":
			return bad("holds "+part, "write the path that it leads to")
		case part == "" && i < len(parts)-1:
			return bad("holds //", "write one /")
		case strings.Contains(part, "**") && (part != "**" || i < len(parts)-1):
			return bad("has ** in the middle", "let ** be the last part, and * stand for one part before")
		}
	}
	return nil
}

// hidden tells whether a character does not show as itself: an operator is to see what is asked for.
func hidden(r rune) bool { return !unicode.IsPrint(r) }

// The headers that a host itself decides.
var ownHeaders = map[string]bool{"host": true, "content-length": true, "transfer-encoding": true, "connection": true, "te": true, "trailer": true, "upgrade": true}

func checkInject(s string) error {
	name, ok := strings.CutPrefix(s, injectHeader)
	if !ok || name == "" || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		return advice{quote(clip(s)) + " is no place for a secret", `write "header:" and the name of a header, such as "header:Authorization"`}
	}
	if ownHeaders[strings.ToLower(name)] {
		return advice{"the header " + name + " is the host's own", `write another header, such as "header:Authorization"`}
	}
	return nil
}

func checkFormat(s string) error {
	if strings.Count(s, "%") != 1 || !strings.Contains(s, "%s") || checkLine(s) != nil {
		return advice{quote(clip(s)) + " is no format", `write text with one %s, such as "Bearer %s"`}
	}
	return nil
}

func checkSecretName(s string) error {
	if s == "" || len(s) > maxName || strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") != "" || '0' <= s[0] && s[0] <= '9' {
		return fmt.Errorf("is no name of a secret: it has 1 to %d letters, digits and _, and begins with no digit", maxName)
	}
	return nil
}

func checkGuestPath(s string) error {
	if !strings.HasPrefix(s, "/") || path.Clean(s) != s || s == "/" || strings.Contains(s, `\`) || strings.ContainsFunc(s, hidden) {
		return advice{quote(clip(s)) + " is no path of a folder in the guest", `write it from the top and without . and .., such as "/data"`}
	}
	return nil
}
