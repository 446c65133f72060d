package policy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Read reads the statements of an aws_iam_policy_document as the JSON has it; resolve replaces its references.
func Read(document map[string]any, resolve func(string) (string, error)) ([]Statement, error) {
	for _, element := range slices.Sorted(maps.Keys(document)) {
		if !slices.Contains([]string{"//", "statement", "provider", "depends_on"}, element) {
			return nil, fmt.Errorf("a document's %q is not known", element)
		}
	}
	rows, ok := document["statement"].([]any)
	if !ok {
		return nil, errors.New("the document has no list of statements")
	}
	r := reader{resolve: resolve}
	var statements []Statement
	for _, row := range rows {
		statements = append(statements, r.statement(row))
		if r.err != nil {
			return nil, fmt.Errorf("statement %q: %w", statements[len(statements)-1].Sid, r.err)
		}
	}
	return statements, nil
}

// Split takes statements apart into those of one action and one resource, so that a decision tells which of them it needed.
func Split(statements []Statement) []Statement {
	var all []Statement
	for _, s := range statements {
		for _, action := range orNone(s.Actions) {
			for _, resource := range orNone(s.Resources) {
				one := s
				if action != nil {
					one.Actions = []string{*action}
				}
				if resource != nil {
					one.Resources = []string{*resource}
				}
				all = append(all, one)
			}
		}
	}
	return all
}

func orNone(values []string) []*string {
	if values == nil {
		return []*string{nil}
	}
	var all []*string
	for i := range values {
		all = append(all, &values[i])
	}
	return all
}

// String tells what an allow or a deny is about.
func (s *Statement) String() string {
	effect := "allow"
	if s.Deny {
		effect = "deny"
	}
	return fmt.Sprintf("%s (%s %s on %s)", s.Sid, effect, strings.Join(append(s.Actions, s.NotActions...), ", "),
		strings.Join(append(s.Resources, s.NotResources...), ", "))
}

// reader reads JSON until the first error.
type reader struct {
	resolve func(string) (string, error)
	err     error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

func (r *reader) statement(row any) Statement {
	var s Statement
	for element, value := range r.object(row) {
		switch element {
		case "sid":
			s.Sid = r.text(value)
		case "effect":
			effect := r.text(value)
			s.Deny = effect == "Deny"
			if effect != "Deny" && effect != "Allow" {
				r.fail("effect %q is not known", effect)
			}
		case "actions":
			s.Actions = r.texts(value)
		case "not_actions":
			s.NotActions = r.texts(value)
		case "resources":
			s.Resources = r.texts(value)
		case "not_resources":
			s.NotResources = r.texts(value)
		case "principals":
			for _, p := range r.list(value) {
				fields := r.object(p)
				for _, id := range r.texts(fields["identifiers"]) {
					s.Principals = append(s.Principals, Principal{Type: r.text(fields["type"]), ID: id})
				}
			}
		case "condition":
			s.Conditions = r.conditions(value)
		default: // not_principals among them
			r.fail("%q is not known", element)
		}
	}
	return s
}

func (r *reader) conditions(value any) []Condition {
	var all []Condition
	for _, row := range r.list(value) {
		fields := r.object(row)
		c := Condition{Test: r.text(fields["test"]), Variable: r.text(fields["variable"]), Values: r.texts(fields["values"])}
		// The provider makes one condition of both, whose values are alternatives.
		if slices.ContainsFunc(all, func(o Condition) bool { return o.Test == c.Test && strings.EqualFold(o.Variable, c.Variable) }) {
			r.fail("%s %s is there twice", c.Test, c.Variable)
		}
		all = append(all, c)
	}
	return all
}

func (r *reader) object(value any) map[string]any {
	object, ok := value.(map[string]any)
	if !ok {
		r.fail("%v is no object", value)
	}
	return object
}

func (r *reader) list(value any) []any {
	list, ok := value.([]any)
	if !ok {
		r.fail("%v is no list", value)
	}
	return list
}

func (r *reader) texts(value any) []string {
	var all []string
	for _, v := range r.list(value) {
		all = append(all, r.text(v))
	}
	if all == nil {
		r.fail("a list is empty")
	}
	return all
}

// text resolves references. What is left to be filled in only when a request is made, a policy variable, is refused.
func (r *reader) text(value any) string {
	text, ok := value.(string)
	if !ok {
		r.fail("%v is no string", value)
		return ""
	}
	if strings.Contains(text, "&{") || strings.Contains(text, "$${") {
		r.fail("policy variables are not known: %q", text)
	}
	resolved, err := r.resolve(text)
	if err != nil {
		r.fail("%w", err)
	}
	if strings.Contains(resolved, "${") || strings.Contains(resolved, "&{") {
		r.fail("policy variables are not known: %q", resolved)
	}
	return resolved
}
