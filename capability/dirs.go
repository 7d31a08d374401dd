package capability

import "github.com/wcron/wcron/sandbox"

// Mounts is the folders that the run is granted.
func (g Grants) Mounts() (list []sandbox.Dir) {
	for _, d := range g.Dirs {
		list = append(list, sandbox.Dir{Guest: d.Guest, Host: d.Host, Write: d.Write, Quota: orDefault(d.Quota, DefaultDirQuota)})
	}
	return list
}
