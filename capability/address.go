package capability

import (
	"fmt"
	"net/netip"
	"strings"
)

// special is a network whose addresses are not for everybody, with the word for it.
type special struct {
	net  netip.Prefix
	what string
}

// specials are the networks that a request does not reach unless its grant names them. Of IPv6 only what has been given out
// to the world is public (2000::/3), less what stands here.
var specials = func() (list []special) {
	for line := range strings.Lines(`
		0.0.0.0/8           unspecified
		10.0.0.0/8          private
		100.100.100.200/32  a cloud's metadata
		100.64.0.0/10       shared by a provider's customers
		127.0.0.0/8         loopback
		168.63.129.16/32    a cloud's metadata
		169.254.169.254/32  a cloud's metadata
		169.254.0.0/16      link-local
		172.16.0.0/12       private
		192.0.0.0/24        reserved for protocols
		192.0.2.0/24        for documentation
		192.88.99.0/24      6to4 relay
		192.168.0.0/16      private
		198.18.0.0/15       for benchmarks
		198.51.100.0/24     for documentation
		203.0.113.0/24      for documentation
		224.0.0.0/4         multicast
		240.0.0.0/4         reserved
		::/128              unspecified
		::1/128             loopback
		::ffff:0:0/96       IPv4 in IPv6
		::ffff:0:0:0/96     IPv4 translated
		::/96               IPv4 in IPv6
		64:ff9b::/96        NAT64
		64:ff9b:1::/48      NAT64
		100::/64            discarded
		2001::/32           Teredo
		2001:2::/48         for benchmarks
		2001:10::/28        ORCHID
		2001:20::/28        ORCHID
		2001::/23           reserved for protocols
		2001:db8::/32       for documentation
		2002::/16           6to4
		3fff::/20           for documentation
		fd00:ec2::254/128   a cloud's metadata
		fd20:ce::254/128    a cloud's metadata
		fc00::/7            private
		fe80::/10           link-local
		fec0::/10           site-local
		ff00::/8            multicast
	`) {
		if net, what, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			list = append(list, special{netip.MustParsePrefix(net), strings.TrimSpace(what)})
		}
	}
	return list
}()

var publicV6 = netip.MustParsePrefix("2000::/3")

// kindOf says why an address is not public; empty: it is.
func kindOf(a netip.Addr) string {
	for _, s := range specials {
		if s.net.Contains(a) {
			return s.what
		}
	}
	switch {
	case !a.IsValid():
		return "no address"
	case a.Is6() && !publicV6.Contains(a):
		return "reserved"
	case a.Is6() && isISATAP(a.As16()):
		return "IPv4 in IPv6 (ISATAP)"
	}
	return ""
}

// isISATAP says whether the interface's part of an address names an IPv4 address, which a host that speaks it reaches there.
func isISATAP(a [16]byte) bool { return a[8]&^0x02 == 0 && a[9] == 0 && a[10] == 0x5e && a[11] == 0xfe }

// judge says whether a rule lets a request go to an address.
func (r HTTPRule) judge(a netip.Addr) error {
	if a.Zone() != "" {
		return fmt.Errorf("the address %s has a zone", a)
	}
	a = a.Unmap()
	for _, n := range r.Networks {
		if n.Contains(a) {
			return nil
		}
	}
	if host, _, err := splitHost(r.Host); err == nil {
		if named, err := netip.ParseAddr(host); err == nil && named == a {
			return nil
		}
	}
	if what := kindOf(a); what != "" {
		return fmt.Errorf("the address %s is %s; if that is meant, grant it with networks = [%[3]q], or wcron approve --network %[4]s=%[3]s", a, what,
			netip.PrefixFrom(a, a.BitLen()).String(), r.Host)
	}
	return nil
}
