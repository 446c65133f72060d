package network

import (
	"fmt"
	"net/netip"
)

const (
	// MaxZones is how many Availability Zones a network can span: no region has more.
	MaxZones = 6
	// WidestPrefix is the largest network AWS allows.
	// https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html
	WidestPrefix = 16
	// NarrowestPrefix is the smallest network whose database subnets are not smaller than the /28 that AWS requires.
	NarrowestPrefix = 20

	// The range is cut into sixteenths: one for each zone's private subnet, the last two for small subnets.
	sixteenth       = 4 // bits
	publicSixteenth = 14
	dataSixteenth   = 15
)

// Layout is how a network's range is cut, by zone.
type Layout struct {
	Public, Private, Database []netip.Prefix
}

// Cut divides a network's range for a number of zones. A zone's subnets are the same however many zones follow it, so
// adding a zone moves nothing.
//
//	/16:  private /20 a zone, public /24 a zone, database /24 a zone
func Cut(cidr string, zones int) (Layout, error) {
	vpc, err := ParseRange(cidr)
	if err != nil {
		return Layout{}, err
	}
	if zones < 1 || zones > MaxZones {
		return Layout{}, fmt.Errorf("%d zones: name between 1 and %d", zones, MaxZones)
	}
	var l Layout
	for i := range zones {
		l.Private = append(l.Private, nth(vpc, i))
		l.Public = append(l.Public, nth(nth(vpc, publicSixteenth), i))
		l.Database = append(l.Database, nth(nth(vpc, dataSixteenth), i))
	}
	return l, nil
}

// ParseRange reads a network's range and refuses what cannot be cut.
func ParseRange(cidr string) (netip.Prefix, error) {
	prefix, err := netip.ParsePrefix(cidr)
	if err != nil || !prefix.Addr().Is4() {
		return netip.Prefix{}, fmt.Errorf("%q is no IPv4 range: write one like 10.0.0.0/16", cidr)
	}
	if prefix != prefix.Masked() {
		return netip.Prefix{}, fmt.Errorf("%q has bits set behind its prefix: write %s", cidr, prefix.Masked())
	}
	if prefix.Bits() < WidestPrefix || prefix.Bits() > NarrowestPrefix {
		return netip.Prefix{}, fmt.Errorf("%q is a /%d: choose between /%d and /%d", cidr, prefix.Bits(), WidestPrefix, NarrowestPrefix)
	}
	if !prefix.Addr().IsPrivate() {
		return netip.Prefix{}, fmt.Errorf("%q is not private address space: choose from 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16", cidr)
	}
	return prefix, nil
}

// nth returns the i-th sixteenth of p.
func nth(p netip.Prefix, i int) netip.Prefix {
	length := p.Bits() + sixteenth
	a := p.Addr().As4()
	base := uint32(a[0])<<24 | uint32(a[1])<<16 | uint32(a[2])<<8 | uint32(a[3])
	base |= uint32(i) << (32 - length)
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(base >> 24), byte(base >> 16), byte(base >> 8), byte(base)}), length)
}
