package synth

import (
	"regexp"
	"strings"
	"testing"
)

// reference is an expression that names a resource or a data source.
var reference = regexp.MustCompile(`\$\{(data\.)?(aws_[a-z0-9_]+)\.([A-Za-z0-9_-]+)[.\[}]`)

func TestEveryReferenceLeadsSomewhere(t *testing.T) {
	for name, s := range platform {
		found := 0
		for _, m := range reference.FindAllStringSubmatch(string(s.Raw), -1) {
			found++
			where := s.Resource
			if m[1] != "" {
				where = s.Data
			}
			if _, exists := where[m[2]][m[3]]; !exists {
				t.Errorf("%s: %s leads nowhere", name, m[0])
			}
		}
		if expressions := strings.Count(string(s.Raw), "${"); found != expressions {
			t.Errorf("%s: read %d of %d expressions", name, found, expressions)
		}
	}
}
