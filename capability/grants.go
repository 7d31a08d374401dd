package capability

import (
	"context"
	"net/netip"
	"time"
)

// Defaults of a Grants' budgets.
const (
	DefaultHTTPRequests       = 16
	DefaultHTTPBytes    int64 = 32 << 20
	DefaultHTTPTime           = 10 * time.Second
	DefaultDirQuota     int64 = 64 << 20
)

// Grants is what one run may do. The zero value grants nothing but what is free: its own state, its input and output, its log.
type Grants struct {
	HTTP    []HTTPRule
	Secrets []Secret
	Dirs    []Dir
	Emit    []string          // names of jobs that may be started
	Calls   []string          // names of the embedder's functions that may be called: see Function
	Config  map[string]string // what config_get answers
	Denied  []string          // what was requested and not granted, in words for people

	HTTPRequests int           // per run, redirects included; 0: DefaultHTTPRequests
	HTTPBytes    int64         // of all bodies of a run, both ways; 0: DefaultHTTPBytes
	HTTPTime     time.Duration // of one request with its redirects; 0: DefaultHTTPTime
}

// HTTPRule allows requests. All that it names must fit; a request needs one rule.
type HTTPRule struct {
	Host     string         // exact, or with one leading "*." for any name below; ":port" for another than the scheme's own
	Schemes  []string       // "https", "http"; empty: https alone
	Methods  []string       // in capitals; empty: GET and HEAD
	Paths    []string       // globs: "*" within a segment, "**" over segments; empty: all
	Networks []netip.Prefix // addresses that are allowed although they are not public; a Host that is an address names itself
}

// Secret is a header that the host adds to requests for one host. The guest never sees its value.
type Secret struct {
	Name   string // for people
	Header string // of the request
	Host   string // as in HTTPRule, without "*."
	Format string // with one %s for the value; empty: the value alone

	// Source says in words where the secret is, such as "file /run/token": another source is another grant. For comparing alone.
	Source string

	// Value reads the secret, once in a run at most, when it is first needed. White space around it is cut. The text of
	// its error goes into the run's output, so it must not hold the value.
	Value func(ctx context.Context) (string, error)
}

// Dir is a folder of the host that a guest sees.
type Dir struct {
	Guest string // its path in the guest, absolute
	Host  string // its path here
	Write bool
	Quota int64 // bytes that it may hold when a run writes to it; 0: DefaultDirQuota
}

// orDefault is v, or its default.
func orDefault[T int | int64 | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}
