package synth

import (
	"regexp"
	"strings"
	"testing"
)

// reference names an attribute of a resource or a data source, within an expression.
var reference = regexp.MustCompile(`\b(data\.)?(aws_[a-z0-9_]+)\.([A-Za-z0-9_-]+)[.\[}]`)

// local and variable name values of the stack's own, within an expression.
var (
	local    = regexp.MustCompile(`\blocal\.([a-z_]+)`)
	variable = regexp.MustCompile(`\bvar\.([a-z_]+)`)
)

func TestEveryReferenceLeadsSomewhere(t *testing.T) {
	referencesResolve(t, platform)
}

func referencesResolve(t *testing.T, all map[string]stack) {
	t.Helper()
	for name, s := range all {
		// What stands behind each opening, up to the next: a function's argument may open another.
		expressions := strings.Split(string(s.Raw), "${")[1:]
		for i, expression := range expressions {
			end := strings.IndexByte(expression, '}')
			nested := end < 0 && i < len(expressions)-1
			found := reference.FindAllStringSubmatch(expression[:end+1], -1)
			locals := local.FindAllStringSubmatch(expression[:end+1], -1)
			variables := variable.FindAllStringSubmatch(expression[:end+1], -1)
			for _, m := range locals {
				if _, exists := s.Locals[m[1]]; !exists {
					t.Errorf("%s: %s leads nowhere", name, m[0])
				}
			}
			for _, m := range variables {
				if _, exists := s.Variable[m[1]]; !exists {
					t.Errorf("%s: %s leads nowhere", name, m[0])
				}
			}
			if len(found)+len(locals)+len(variables) == 0 && !nested {
				t.Errorf("%s: ${%s refers to nothing", name, expression[:end+1])
			}
			for _, m := range found {
				where := s.Resource
				if m[1] != "" {
					where = s.Data
				}
				if _, exists := where[m[2]][m[3]]; !exists {
					t.Errorf("%s: %s leads nowhere", name, m[0])
				}
			}
		}
		if len(expressions) == 0 {
			t.Errorf("%s has no expressions: nothing was read", name)
		}
	}
}
