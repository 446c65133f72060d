package ingress

import (
	"fmt"
	"maps"
	"testing"
)

func TestPrioritiesAreUniqueAndWithinAWSLimits(t *testing.T) {
	var names []string
	for i := range 2000 { // many enough for hashes to meet
		names = append(names, fmt.Sprintf("service-%d", i))
	}
	owners := map[int]string{}
	for name, priority := range Priorities(names) {
		if priority < 1 || priority > MaxPriority {
			t.Errorf("%s has priority %d", name, priority)
		}
		if other, taken := owners[priority]; taken {
			t.Errorf("%s and %s share priority %d", name, other, priority)
		}
		owners[priority] = name
	}
	if len(owners) != len(names) {
		t.Errorf("%d priorities for %d names", len(owners), len(names))
	}
}

func TestPrioritiesStayWhenAServiceComesOrGoes(t *testing.T) {
	before := Priorities([]string{"catalog", "orders"})
	after := Priorities([]string{"orders", "basket", "catalog"})
	delete(after, "basket")
	if !maps.Equal(before, after) {
		t.Errorf("before %v, after %v", before, after)
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
