package ingress

import (
	"hash/fnv"
	"slices"
	"strings"
)

// MaxPriority is the highest priority of a listener rule.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-rules.html
const MaxPriority = 50000

// Priorities gives each rule a priority of its own, which depends on its name: a rule that comes or goes does not renumber
// the others, which AWS would refuse half way as "priority in use". The order among them means nothing because no two
// paths overlap (see Overlap).
func Priorities(names []string) map[string]int {
	priorities := make(map[string]int, len(names))
	taken := map[int]bool{}
	for _, name := range slices.Sorted(slices.Values(names)) {
		h := fnv.New32a()
		h.Write([]byte(name))
		priority := int(h.Sum32()%MaxPriority) + 1
		for taken[priority] {
			priority = priority%MaxPriority + 1
		}
		taken[priority] = true
		priorities[name] = priority
	}
	return priorities
}

// Overlap tells whether a request could match both paths, each of which stands for itself and everything below it.
func Overlap(a, b string) bool {
	return strings.HasPrefix(a+"/", b+"/") || strings.HasPrefix(b+"/", a+"/")
}
