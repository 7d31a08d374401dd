package jobtest

import (
	"github.com/wcron/wcron/capability"
	"github.com/wcron/wcron/config"
	"github.com/wcron/wcron/plugins"
)

// grants is what a job's runs may do: what its plugin requests and the host file of the test grants. Secrets are left out: a test has none.
func grants(j plugins.Job) capability.Grants {
	a := j.Access.Allowed
	g := capability.Grants{Emit: a.Emit, Config: j.Settings.Config}
	for _, r := range a.HTTP {
		g.HTTP = append(g.HTTP, capability.HTTPRule{Host: r.Host, Schemes: r.Schemes, Methods: r.Methods, Paths: r.Paths, Networks: r.Networks})
	}
	for _, d := range a.Dirs {
		g.Dirs = append(g.Dirs, capability.Dir{Guest: d.Guest, Host: d.Host, Write: d.Mode == config.ModeWrite, Quota: int64(d.Quota)})
	}
	return g
}
