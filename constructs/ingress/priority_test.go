package ingress

import (
	"fmt"
	"maps"
	"testing"
)

// paths are routes without hosts.
func paths(names ...string) map[string]Route {
	routes := map[string]Route{}
	for _, name := range names {
		routes[name] = Route{Path: "/api/" + name}
	}
	return routes
}

func TestPrioritiesAreUniqueAndWithinAWSLimits(t *testing.T) {
	routes := map[string]Route{}
	for i := range 2000 { // many enough for hashes to meet
		name := fmt.Sprintf("service-%d", i)
		routes[name] = Route{Path: "/api/" + name}
		if i%3 == 0 {
			routes[name] = Route{Path: "/api/" + name, Hosts: []string{"a.example.com"}}
		}
	}
	owners := map[int]string{}
	for name, priority := range Priorities(routes) {
		if priority < 1 || priority > MaxPriority {
			t.Errorf("%s has priority %d", name, priority)
		}
		if other, taken := owners[priority]; taken {
			t.Errorf("%s and %s share priority %d", name, other, priority)
		}
		owners[priority] = name
	}
	if len(owners) != len(routes) {
		t.Errorf("%d priorities for %d names", len(owners), len(routes))
	}
}

func TestPrioritiesStayWhenAServiceComesOrGoes(t *testing.T) {
	before := Priorities(paths("catalog", "orders"))
	after := Priorities(paths("orders", "basket", "catalog"))
	delete(after, "basket")
	if !maps.Equal(before, after) {
		t.Errorf("before %v, after %v", before, after)
	}
}

func TestTheNarrowerRouteComesFirst(t *testing.T) {
	for i := range 200 { // whatever the names' hashes
		narrow, wide, hosted, root := fmt.Sprint("n", i), fmt.Sprint("w", i), fmt.Sprint("h", i), fmt.Sprint("r", i)
		p := Priorities(map[string]Route{
			narrow: {Path: "/api/a", Hosts: []string{"a.example.com"}},
			wide:   {Path: "/api/a"},
			hosted: {Path: Root, Hosts: []string{"a.example.com"}},
			root:   {Path: Root},
		})
		if p[narrow] >= p[wide] || p[wide] >= p[hosted] || p[hosted] >= p[root] {
			t.Fatalf("%v", p)
		}
	}
}

func TestOverlap(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"/api/orders", "/api/orders", true},
		{"/api/orders", "/api/orders/items", true},
		{"/api/orders/items", "/api/orders", true},
		{"/api/orders", "/api/orders-old", false},
		{"/api/orders", "/api/catalog", false},
	} {
		if got := Overlap(test.a, test.b); got != test.want {
			t.Errorf("Overlap(%q, %q) = %v", test.a, test.b, got)
		}
	}
}
