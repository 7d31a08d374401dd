package capability

import "fmt"

// Text is all that is granted, as one text: two Grants of the same text let a run do the same. It is empty where nothing is granted. Of a
// secret it has the Source, and never the value.
func (g Grants) Text() string {
	var b []byte
	add := func(format string, args ...any) { b = fmt.Appendf(b, format, args...) }
	for _, r := range g.HTTP {
		add("http %q %q %q %q %v\n", r.Host, r.Schemes, r.Methods, r.Paths, r.Networks)
	}
	for _, s := range g.Secrets {
		add("secret %q %q %q %q %q\n", s.Name, s.Header, s.Host, s.Format, s.Source)
	}
	for _, d := range g.Dirs {
		add("dir %q %q %v %d\n", d.Guest, d.Host, d.Write, d.Quota)
	}
	for _, l := range []struct {
		what string
		list []string
	}{{"emit", g.Emit}, {"call", g.Calls}, {"denied", g.Denied}} {
		if len(l.list) > 0 {
			add("%s %q\n", l.what, l.list)
		}
	}
	if len(g.Config) > 0 {
		add("config %q\n", g.Config) // fmt writes maps by key
	}
	if g.HTTPRequests != 0 || g.HTTPBytes != 0 || g.HTTPTime != 0 {
		add("budget %d %d %d\n", g.HTTPRequests, g.HTTPBytes, g.HTTPTime)
	}
	return string(b)
}
