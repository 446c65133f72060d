package ingress

import (
	"hash/fnv"
	"maps"
	"slices"
	"strings"
)

// MaxPriority is the highest priority of a listener rule.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-rules.html
const MaxPriority = 50000

// Priorities gives each rule a priority of its own, which depends on its name: a rule that comes or goes does not renumber
// the others, which AWS would refuse half way as "priority in use". The order among them means nothing because no request
// fits two (see Overlap), but one with hosts of its own comes before one without, and Root comes last.
func Priorities(routes map[string]Route) map[string]int {
	priorities := make(map[string]int, len(routes))
	taken := map[int]bool{}
	for _, name := range slices.Sorted(maps.Keys(routes)) {
		h := fnv.New32a()
		h.Write([]byte(name))
		from, count := band(routes[name])
		priority := int(h.Sum32() % uint32(count))
		for taken[from+priority] {
			priority = (priority + 1) % count
		}
		taken[from+priority] = true
		priorities[name] = from + priority
	}
	return priorities
}

// band is where a route's priority is among all of them.
func band(r Route) (from, count int) {
	switch {
	case r.Path == Root && len(r.Hosts) == 0:
		return MaxPriority, 1
	case r.Path == Root:
		return MaxPriority - 1000, 1000
	case len(r.Hosts) > 0:
		return 1, 9999
	default:
		return 10000, MaxPriority - 1000 - 10000
	}
}

// Overlap tells whether a request could match both paths, each of which stands for itself and everything below it.
func Overlap(a, b string) bool {
	return strings.HasPrefix(a+"/", b+"/") || strings.HasPrefix(b+"/", a+"/")
}
