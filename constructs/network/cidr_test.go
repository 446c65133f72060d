package network

import (
	"fmt"
	"net/netip"
	"testing"
)

func TestSubnetsOfEveryNetworkAreDisjointAndInside(t *testing.T) {
	for bits := WidestPrefix; bits <= NarrowestPrefix; bits++ {
		for zones := 1; zones <= MaxZones; zones++ {
			cidr := fmt.Sprintf("10.32.0.0/%d", bits)
			vpc := netip.MustParsePrefix(cidr)
			layout, err := Cut(cidr, zones)
			if err != nil {
				t.Fatalf("Cut(%s, %d): %v", cidr, zones, err)
			}
			var all []netip.Prefix
			for _, tier := range [][]netip.Prefix{layout.Public, layout.Private, layout.Database} {
				if len(tier) != zones {
					t.Errorf("Cut(%s, %d): a tier has %d subnets", cidr, zones, len(tier))
				}
				all = append(all, tier...)
			}
			for i, p := range all {
				if p.Bits() > 28 {
					t.Errorf("Cut(%s, %d): %s is smaller than the /28 AWS requires", cidr, zones, p)
				}
				if p != p.Masked() || !vpc.Contains(p.Addr()) || p.Bits() <= vpc.Bits() {
					t.Errorf("Cut(%s, %d): %s is not a part of the network", cidr, zones, p)
				}
				for _, q := range all[:i] {
					if p.Overlaps(q) {
						t.Errorf("Cut(%s, %d): %s overlaps %s", cidr, zones, p, q)
					}
				}
			}
		}
	}
}

func TestAddingAZoneMovesNoSubnet(t *testing.T) {
	three, err := Cut("10.0.0.0/16", 3)
	if err != nil {
		t.Fatal(err)
	}
	two, err := Cut("10.0.0.0/16", 2)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		if two.Public[i] != three.Public[i] || two.Private[i] != three.Private[i] || two.Database[i] != three.Database[i] {
			t.Errorf("zone %d: %v with two zones, %v with three", i, two, three)
		}
	}
}

func TestCutSpendsMostOfTheRangeOnPrivateSubnets(t *testing.T) {
	l, err := Cut("10.10.0.0/16", 2)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(l.Private, l.Public, l.Database)
	want := "[10.10.0.0/20 10.10.16.0/20] [10.10.224.0/24 10.10.225.0/24] [10.10.240.0/24 10.10.241.0/24]"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestZonesOutOfBoundsAreRefused(t *testing.T) {
	for _, zones := range []int{-1, 0, MaxZones + 1} {
		if _, err := Cut("10.0.0.0/16", zones); err == nil {
			t.Errorf("%d zones were accepted", zones)
		}
	}
}
