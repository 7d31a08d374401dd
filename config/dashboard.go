package config

import (
	"net/netip"
	"strings"
)

// Dashboard is the table [dashboard] of the host file.
type Dashboard struct {
	// Listen is the loopback address, IP:PORT, at which the dashboard is served; "": it is off.
	Listen string `toml:"listen"`
	// Hosts are names besides those of loopback under which browsers may ask for it: the public name of a proxy in front.
	Hosts []string `toml:"hosts"`
}

// dashboardKeys are the keys of [dashboard].
func dashboardKeys() []hostKey {
	return []hostKey{
		hostField("listen", loopbacks(), func(f *File) string { return f.Dashboard.Listen }, func(f *File, s string) { f.Dashboard.Listen = s }),
		hostField("hosts", optional(words(texts("a name in small letters or an address, without a port", 253, checkSite), 16, `write an array such as ["wcron.example.com"]`)),
			func(f *File) []string { return f.Dashboard.Hosts }, func(f *File, list []string) { f.Dashboard.Hosts = list }),
	}
}

// loopbacks reads where something is served that asks nobody who they are.
func loopbacks() reader[string] {
	return texts("a loopback address and a port", 64, func(s string) error {
		at, err := netip.ParseAddrPort(s)
		switch {
		case err != nil:
			return advice{quote(clip(s)) + " is no IP address with a port", `write both, such as "127.0.0.1:8080" or "[::1]:8080"`}
		case !at.Addr().IsLoopback():
			return advice{quote(s) + " is no loopback address, and the dashboard asks nobody for a password",
				`write "127.0.0.1:` + portOf(s) + `", and let others in through ssh -L or through a proxy that asks for one, whose name you add to hosts`}
		}
		return nil
	})
}

// portOf is what stands behind the last colon.
func portOf(s string) string { return s[strings.LastIndexByte(s, ':')+1:] }

// checkSite accepts what a browser sends as the host of a page, but for the port.
func checkSite(s string) error {
	if _, err := netip.ParseAddr(s); err == nil {
		return nil
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return advice{quote(clip(s)) + " is no host name", `write a name in small letters, without a port or *, such as "wcron.example.com"`}
		}
	}
	return nil
}
